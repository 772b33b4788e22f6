//! The first page: what was tested, what came of it in one sentence, what was promised and reached,
//! what is left, what to worry about. No word of Kubernetes.

use jiff::tz::TimeZone;

use super::{Block, Marked, Objective, Section};
use crate::effect::Hazard;
use crate::report::draw::Tone;
use crate::report::outcome::{Ending, Measure, Reached, State, StepState, Summary};
use crate::report::units::{count, duration, moment};
use crate::report::words::{headline, ledger, measure, mode_title, verdict as word};
use crate::runbook::{ACTIVE, Mode};

/// Findings on the first page. More than five are not read there; all are in the sections below.
const FINDINGS: usize = 5;

pub(super) fn title(summary: &Summary) -> String {
    format!("{} report: {}", mode_title(summary.mode), summary.subject.title)
}

pub(super) fn subtitle(summary: &Summary, zone: &TimeZone) -> String {
    format!("Run {} · {}", summary.run, moment(summary.began_at, zone))
}

/// The badge.
pub(super) fn verdict(summary: &Summary) -> Marked {
    let tone = match summary.ending() {
        Ending::Recovered if summary.objectives_met() && summary.problems.is_empty() => Tone::Good,
        Ending::Recovered | Ending::RecoveredWithFailures | Ending::Paused | Ending::Open => Tone::Doubt,
        Ending::Failed | Ending::Undone | Ending::Stopped | Ending::NotTornDown => Tone::Bad,
    };
    let missed = match summary.ending() {
        Ending::Recovered if !summary.objectives_met() => " An objective was not met.",
        _ => "",
    };
    Marked::new(format!("{}{missed}", headline(summary)), tone)
}

pub(super) fn section(summary: &Summary, zone: &TimeZone) -> Section {
    let mut blocks = vec![Block::Lead(result(summary)), Block::Paragraph(tested(summary))];
    let lost = match summary.mode {
        Mode::Drill => "How much of the newest data would be missing?",
        _ => "How much of the newest data is missing?",
    };
    if summary.mode != Mode::Protect {
        blocks.push(Block::Objectives(vec![
            objective(
                "Recovery time",
                "How long until the service is healthy again?",
                &summary.rto,
                summary,
            ),
            objective("Data loss", lost, &summary.rpo, summary),
        ]));
    }
    blocks.push(Block::Facts(facts(summary, zone)));
    let findings = findings(summary);
    let shown: Vec<_> = findings.iter().take(FINDINGS).cloned().collect();
    if !shown.is_empty() {
        blocks.push(Block::Paragraph("What needs attention:".to_owned()));
        blocks.push(Block::List(shown));
    }
    if findings.len() > FINDINGS {
        let more = findings.len() - FINDINGS;
        blocks.push(Block::Paragraph(format!(
            "{} more below.",
            count(more, "finding")
        )));
    }
    Section::new("summary", "Summary", blocks)
}

/// The result in one sentence.
fn result(summary: &Summary) -> String {
    let service = &summary.subject.title;
    let place = place(summary);
    match summary.ending() {
        Ending::Recovered if summary.mode == Mode::Protect => format!("{service} was backed up as planned."),
        Ending::Recovered | Ending::RecoveredWithFailures => match summary.rto.measured_ms {
            Some(ms) if summary.declared.is_some() => {
                format!(
                    "{service} was recovered{place} {} after the incident was declared.",
                    duration(ms)
                )
            }
            Some(ms) => format!("{service} was recovered{place} in {}.", duration(ms)),
            None => format!(
                "The recovery of {service}{place} reached its end, but nothing proves that the service was healthy."
            ),
        },
        Ending::Failed => format!("{service} was not recovered{place}."),
        Ending::Undone => format!("{service} was not recovered{place}; what was done has been undone."),
        Ending::Stopped => format!("The recovery of {service}{place} was stopped by a person."),
        Ending::NotTornDown => {
            format!("The test of {service}{place} is over, but it was not cleaned up completely.")
        }
        Ending::Paused => format!("The recovery of {service}{place} is paused and waits for a person."),
        Ending::Open => format!("The recovery of {service}{place} has no recorded end."),
    }
}

fn place(summary: &Summary) -> String {
    let role = if summary.mode == Mode::Failback {
        "active"
    } else {
        "standby"
    };
    let site = summary.sandbox.as_ref().map(|sandbox| &sandbox.site);
    site.or_else(|| summary.roles.get(role))
        .map_or_else(String::new, |site| format!(" at {site}"))
}

/// What was tested, in words for everybody.
fn tested(summary: &Summary) -> String {
    let about = summary.subject.summary.as_deref().unwrap_or("");
    let what = match summary.mode {
        Mode::Drill => {
            "This was a drill: the recovery was rehearsed from a backup, inside walls meant to keep it away from customers and from the running service, and nothing of it is meant to remain. It follows the same runbook as a real failover."
        }
        Mode::Switchover => {
            "This was a planned switchover: the service was stopped where it ran and started at the other site."
        }
        Mode::Failover if !summary.roles.contains_key(ACTIVE) => {
            "This was a failover of a runbook in which no site is active: it made what it was asked for, and took over from nobody."
        }
        Mode::Failover => {
            "This was a failover: the service was started at the other site because the first one failed or was about to."
        }
        Mode::Failback => {
            "This was a failback: the service was brought back to the site where it usually runs."
        }
        Mode::Protect => "This made backups and copies, so that the service can be recovered elsewhere.",
    };
    format!("{about} {what}").trim_start().to_owned()
}

fn objective(name: &'static str, question: &'static str, one: &Measure, summary: &Summary) -> Objective {
    let tone = match one.reached {
        Reached::Met => Tone::Good,
        Reached::Missed => Tone::Bad,
        Reached::NotMeasured if summary.is_over() && one.target_ms.is_some() => Tone::Bad,
        Reached::NotMeasured => Tone::Doubt,
        Reached::NoTarget | Reached::NotApplicable => Tone::Muted,
    };
    Objective {
        name,
        question,
        value: measure(one, summary),
        verdict: Marked::new(word(one, summary), tone),
        how: one.how.clone(),
        measure: one.clone(),
    }
}

fn facts(summary: &Summary, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let owner = summary.subject.owner.as_ref().map(|owner| match &owner.contact {
        Some(contact) => format!("{} ({contact})", owner.team),
        None => owner.team.clone(),
    });
    facts.extend(owner.map(|owner| ("Owner", owner)));
    facts.extend(
        summary
            .subject
            .tier
            .map(|tier| ("Importance", format!("tier {tier}"))),
    );
    facts.push((
        "Started by",
        format!("{} on {}", summary.operator.name, summary.operator.host),
    ));
    facts.push(("Began", moment(summary.began_at, zone)));
    let last = if summary.is_over() { "Ended" } else { "Last entry" };
    facts.push((
        last,
        format!(
            "{}, after {}",
            moment(summary.last_at, zone),
            duration(summary.elapsed_ms)
        ),
    ));
    let people_ms: u64 = summary.steps.iter().map(|step| step.waited.person_ms).sum();
    if people_ms > 0 {
        facts.push(("Waited for people", duration(people_ms)));
    }
    facts.extend(
        summary
            .fences
            .iter()
            .map(|fence| ("Old side stopped", fence.words())),
    );
    let taken = summary.risks.iter();
    facts.extend(taken.map(|risk| {
        (
            "Risk taken",
            format!("{}, at {}", risk.words(), moment(risk.at, zone)),
        )
    }));
    if summary.ledger.torn_down.is_some() {
        facts.push(("Left behind", left_behind(summary)));
    }
    facts
}

/// In a few words; the names are among the findings and in the ledger.
fn left_behind(summary: &Summary) -> String {
    match summary.ledger.left_behind.len() {
        0 => ledger(summary),
        n => format!("{} of {}", count(n, "object"), summary.ledger.created),
    }
}

/// Everything that somebody should worry about, worst first.
pub(super) fn findings(summary: &Summary) -> Vec<Marked> {
    let mut all: Vec<Marked> = Vec::new();
    let mut bad = |text: String| all.push(Marked::new(text, Tone::Bad));
    for problem in &summary.problems {
        bad(format!("The record of this run is damaged: {problem}."));
    }
    if !summary.ledger.is_clean() && summary.is_over() {
        bad(format!("The drill left something behind: {}.", ledger(summary)));
    }
    let decision = summary.decision.iter().map(|one| ("Time to decide", one));
    let objectives = [("Recovery time", &summary.rto), ("Data loss", &summary.rpo)];
    for (name, one) in decision.chain(objectives) {
        if one.target_ms.is_some() && one.is_miss() && summary.is_over() {
            bad(format!("{name}: {} ({}).", measure(one, summary), one.how));
        }
    }
    for risk in &summary.risks {
        let todo = match risk.risk {
            Hazard::SplitBrain => "Compare what both sides wrote",
            Hazard::DataLoss => "Find out what is missing",
        };
        all.push(Marked::new(
            format!("A risk was taken: {}. To do: {todo}.", risk.words()),
            Tone::Doubt,
        ));
    }
    all.extend(steps(summary));
    for backup in &summary.backups {
        all.extend(
            backup
                .errors
                .iter()
                .map(|error| Marked::new(format!("Backup {}: {error}.", backup.name), Tone::Doubt)),
        );
        if backup.verified_at.is_none() {
            all.push(Marked::new(
                format!("Backup {} was never verified.", backup.name),
                Tone::Doubt,
            ));
        }
    }
    for warning in &summary.warnings {
        let hint = warning
            .hint
            .as_deref()
            .map_or_else(String::new, |hint| format!(" To do: {hint}."));
        all.push(Marked::new(
            format!("{} ({}).{hint}", warning.message, warning.code),
            Tone::Doubt,
        ));
    }
    for step in &summary.steps {
        let warnings = step.receipts().flat_map(|receipt| &receipt.warnings);
        all.extend(warnings.map(|text| Marked::new(format!("{}: {text}.", step.name), Tone::Doubt)));
        let looks = step.receipts().filter(|receipt| !receipt.found.is_empty());
        all.extend(looks.map(|receipt| {
            let text = format!("{}: {}; each stands under Evidence.", step.name, receipt.summary);
            Marked::new(text, Tone::Doubt)
        }));
    }
    all
}

fn steps(summary: &Summary) -> impl Iterator<Item = Marked> {
    summary.steps.iter().filter_map(|step| {
        let name = &step.name;
        let (text, tone) = match step.state {
            StepState::Failed | StepState::Continued => {
                (format!("Step {name} failed: {}.", step.result()), Tone::Bad)
            }
            StepState::UndoFailed => (
                format!("Undoing step {name} failed: somebody must look."),
                Tone::Bad,
            ),
            StepState::Unknown => (
                format!("Nobody knows whether step {name} worked: {}.", step.result()),
                Tone::Bad,
            ),
            StepState::Asking if !summary.is_over() => {
                (format!("Step {name} waits for a person's answer."), Tone::Doubt)
            }
            StepState::MarkedDone => (
                format!("Step {name} was {}; nothing proves it.", step.result()),
                Tone::Doubt,
            ),
            StepState::Pending if summary.is_over() => {
                (format!("Step {name} was never executed."), Tone::Doubt)
            }
            StepState::Succeeded if step.repeats() > 0 => (
                format!(
                    "Step {name} worked only after {} more.",
                    count(step.repeats(), "try").replace("trys", "tries")
                ),
                Tone::Doubt,
            ),
            _ => return None,
        };
        Some(Marked::new(text, tone))
    })
}

/// What was not tested and why, and what a real event adds.
pub(super) fn scope(summary: &Summary) -> Section {
    let mut rows: Vec<Marked> = Vec::new();
    for left in &summary.left_out {
        let modes = left.why.trim_start_matches("only in ");
        rows.push(Marked::new(
            format!("{}: not part of a {}, only of {modes}", left.step, summary.mode),
            Tone::Muted,
        ));
    }
    for step in summary
        .steps
        .iter()
        .filter(|step| step.state == StepState::Skipped)
    {
        let why = step.why.as_deref().unwrap_or("no reason is recorded");
        rows.push(Marked::new(format!("{}: {why}", step.name), Tone::Muted));
    }
    for step in summary.not_executed() {
        let word = if summary.is_over() {
            "not executed"
        } else {
            "not begun yet"
        };
        rows.push(Marked::new(format!("{}: {word}", step.name), Tone::Doubt));
    }
    let mut blocks = Vec::new();
    if !rows.is_empty() {
        blocks.push(Block::List(rows));
    }
    if summary.mode != Mode::Protect {
        blocks.push(Block::Paragraph("The recovery time counts from the start of the run. In a real event the time to notice the failure and to decide comes on top of it.".to_owned()));
    }
    if let State::Paused { by, reason } = &summary.state {
        blocks.push(Block::Paragraph(format!("The run is paused by {by}: {reason}.")));
    }
    Section::new("scope", "What was not tested, and why", blocks)
}
