//! The first page, for who decides about money, and the last, for who has work to do.

use super::Desk;
use crate::report::document::{Block, Marked, Section};
use crate::report::draw::Tone;
use crate::report::readiness::{Ready, Why};
use crate::report::units::{count, duration, moment};
use crate::runbook::{ACTIVE, STANDBY};

/// The first page.
pub(super) fn section(desk: &Desk<'_>) -> Section {
    let runbook = desk.runbook();
    let mut blocks = vec![Block::Lead(lead(desk))];
    blocks.extend(runbook.summary.clone().map(Block::Paragraph));
    blocks.extend(changed(desk));
    blocks.push(Block::Facts(facts(desk)));
    let because = desk
        .readiness
        .because
        .iter()
        .filter(|reason| reason.code != Why::RunbookChanged);
    let reasons: Vec<Marked> = because
        .map(|reason| Marked::new(reason.text.clone(), tone(reason.state)))
        .collect();
    if !reasons.is_empty() {
        blocks.push(Block::Paragraph("Why it is not simply ready:".to_owned()));
        blocks.push(Block::List(reasons));
    }
    blocks.push(Block::Source(format!(
        "Readiness by the runs in {}, as of {}; stores were not asked.",
        desk.paper.past.place,
        moment(desk.paper.now, desk.paper.zone)
    )));
    blocks.push(match desk.gaps.len() {
        0 => Block::Paragraph("Nothing that this plan should hold is missing.".to_owned()),
        1 => incomplete("1 thing is missing. It stands on its last page."),
        n => incomplete(&format!(
            "{n} things are missing. They are listed on its last page."
        )),
    });
    blocks.extend(approval(desk));
    Section::new("summary", "Summary", blocks)
}

fn incomplete(what: &str) -> Block {
    Block::Notice(Marked::new(
        format!("This plan is not whole: {what}"),
        Tone::Doubt,
    ))
}

const fn tone(state: Ready) -> Tone {
    match state {
        Ready::Ready => Tone::Good,
        Ready::NeedsAttention => Tone::Doubt,
        Ready::NotReady | Ready::NeverProven => Tone::Bad,
    }
}

/// In one sentence: where the service would go, and how that is known.
fn lead(desk: &Desk<'_>) -> String {
    let runbook = desk.runbook();
    let site = |role: &str| runbook.roles.get(role).map(|site| site.value.clone());
    let whole = match (site(ACTIVE), site(STANDBY)) {
        (Some(active), Some(standby)) => {
            format!("If {active} is lost, {} goes on at {standby}", runbook.title)
        }
        _ => format!("This is how {} is recovered", runbook.title),
    };
    match &desk.readiness.proof {
        Some(proof) => match proof.rto.measured_ms {
            Some(ms) => format!("{whole}; the last {} took {}.", proof.mode, duration(ms)),
            None => format!("{whole}."),
        },
        None => format!("{whole}. Nobody has proved it yet."),
    }
}

/// The banner: what is described here was never tried.
fn changed(desk: &Desk<'_>) -> Option<Block> {
    let reason = desk
        .readiness
        .because
        .iter()
        .find(|reason| reason.code == Why::RunbookChanged)?;
    Some(Block::Notice(Marked::new(
        format!(
            "What is described here was never tried as it is: {}.",
            reason.text
        ),
        Tone::Bad,
    )))
}

fn facts(desk: &Desk<'_>) -> Vec<(&'static str, String)> {
    let runbook = desk.runbook();
    let mut facts = Vec::new();
    let owner = runbook.owner.as_ref().map(|owner| match &owner.contact {
        Some(contact) => format!("{} ({contact})", owner.team),
        None => owner.team.clone(),
    });
    facts.extend(owner.map(|owner| ("Owner", owner)));
    facts.extend(
        runbook
            .tier
            .map(|tier| ("Importance", format!("tier {tier}; 1 is highest"))),
    );
    let time = |ms: Option<u64>| ms.map_or_else(|| "nobody has decided".to_owned(), duration);
    facts.push(("May be down for", time(runbook.objectives.rto_ms)));
    facts.push(("May lose data of", time(runbook.objectives.rpo_ms)));
    facts.push(("State", desk.readiness.state.word().to_owned()));
    facts.push((
        "Last proved",
        desk.readiness.proof.as_ref().map_or_else(
            || "never".to_owned(),
            |proof| {
                format!(
                    "{}, {} {}",
                    moment(proof.at, desk.paper.zone),
                    proof.mode,
                    proof.run
                )
            },
        ),
    ));
    facts
}

fn approval(desk: &Desk<'_>) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(approved) = &desk.runbook().continuity.approved {
        blocks.push(Block::Paragraph(format!(
            "Approved by {} on {}.",
            approved.by, approved.on
        )));
    }
    blocks.push(Block::SignOff(&["Approved by", "Date", "Next review"]));
    blocks
}

/// The last page.
pub(super) fn gaps(desk: &Desk<'_>) -> Section {
    let mut blocks = Vec::new();
    if desk.gaps.is_empty() {
        blocks.push(Block::Paragraph("Nothing.".to_owned()));
    } else {
        blocks.push(Block::Paragraph(format!(
            "{} to be done before this plan is whole:",
            count(desk.gaps.len(), "thing")
        )));
        blocks.push(Block::Checks(desk.gaps.clone()));
    }
    Section::new("gaps", "What is missing", blocks)
}
