//! `lifeboat drill`, `switchover`, `failover`, `failback`, `protect`: plan, show, and carry out.

use std::io::{IsTerminal as _, Write as _};

use super::context::{self, Documents};
use super::planning::{self, Subject};
use super::preflight::{self, Before};
use super::world::{self, Connected};
use super::{CommandError, Exit, Settings, declare, history, launch, output, plan};
use crate::plan::{Digest, Look, Plan};
use crate::report::{self, DecisionView, Fitness};
use crate::runbook::{ACTIVE, Mode, STANDBY};

/// What to carry out, and how sure one must be.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Refuse unless the plan has this digest (or begins with it)
    #[arg(long, value_name = "DIGEST")]
    plan: Option<String>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    options: launch::Options,
}

/// Consent to a run that changes what customers use.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Consent {
    /// Name and role of the target, as they would be typed: "west standby"
    #[arg(long, value_name = "TARGET")]
    confirm: Option<String>,
    /// Go on although the preflight list has a `fail`, and why; it stands in the report
    #[arg(long, value_name = "WHY")]
    despite: Option<String>,
}

pub(super) fn run(arguments: Arguments, mode: Mode, settings: &Settings) -> Result<Exit, CommandError> {
    super::block_on(start(arguments, mode, settings))
}

async fn start(arguments: Arguments, mode: Mode, settings: &Settings) -> Result<Exit, CommandError> {
    if mode == Mode::Drill && arguments.plan.is_some() {
        return Err(CommandError::input(
            "a drill's digest holds its random id, so it is never the same twice",
        )
        .hint("save the plan and run it: lifeboat plan <runbook> --save <file>, lifeboat run <file>"));
    }
    let documents = context::load(&arguments.subject.runbook, settings)?;
    let world = output::patiently("reaching sites and stores", world::connect(&documents.sites)).await?;
    Box::pin(go(&arguments, mode, (documents, world), settings)).await
}

/// Plans in a world that is there already, shows, asks, and carries out.
pub(super) async fn go(
    arguments: &Arguments,
    mode: Mode,
    (documents, world): (Documents, Connected),
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let planning = (mode, look(mode, arguments.plan.as_deref()));
    let inputs = &arguments.subject.inputs;
    let plan = planning::of(&documents, inputs, planning, &*world.actor, settings);
    let plan = output::patiently("planning", plan).await?;
    expect_digest(&plan, arguments.plan.as_deref())?;
    let mut options = arguments.options.clone();
    if let Some(target) = target(&plan) {
        let before = preflight::look(&plan, &world, &documents.sites);
        let before = output::patiently("looking at everything once more", before).await;
        let runbook = arguments.subject.runbook.display();
        let command = format!("lifeboat {mode} {runbook} --confirm \"{target}\"");
        output::note(&plan::drawing(&plan, &command, &before, settings));
        let remark = decide(&plan, &before, (&world, &arguments.consent), settings).await?;
        options.remark(remark);
    }
    launch::begin(plan, &documents.origin, world, &options, settings).await
}

/// Shows the decision card and has a person decide. What has to stand in the journal of it.
pub(super) async fn decide(
    plan: &Plan,
    before: &Before,
    (world, given): (&Connected, &Consent),
    settings: &Settings,
) -> Result<Option<String>, CommandError> {
    if !asks(plan) {
        return Ok(None);
    }
    let incident = declare::for_plan(plan, world.fleet.as_ref(), settings).await;
    let card = report::decision_card(
        plan,
        &DecisionView {
            now: super::now(),
            estimates: &history::of(plan, settings),
            incident: incident.as_ref(),
            preflight: &before.checks,
            fences: &before.fences,
            columns: settings.columns(),
        },
    );
    output::note(card.trim_end());
    let remark = fit(before, given.despite.as_deref())?;
    consent(plan, given)?;
    Ok(remark)
}

/// Refuses what would surely fail, unless a person says why to go on all the same.
fn fit(before: &Before, despite: Option<&str>) -> Result<Option<String>, CommandError> {
    let failing = before.checks.iter().filter(|one| one.fitness == Fitness::Fail);
    let lines: Vec<String> = failing
        .map(|one| format!("{} {}: {}", one.about.word(), one.at, one.said))
        .collect();
    let reason = despite.map(str::trim).filter(|reason| !reason.is_empty());
    match (lines.as_slice(), reason) {
        ([], _) => Ok(None),
        (lines, Some(reason)) => Ok(Some(format!("went on although {}: {reason}", lines.join("; ")))),
        (lines, None) => {
            let error = CommandError::refused("the preflight found what would surely fail");
            let error = lines
                .iter()
                .fold(error, |error, line| error.detail(format!("  {line}")));
            Err(error
                .detail("Nothing was changed.")
                .hint("mend it and start again; to go on all the same: --despite \"why\", which stands in the report"))
        }
    }
}

/// A plan that nobody was shown and nobody names by its digest is made for this run alone.
const fn look(mode: Mode, digest: Option<&str>) -> Look {
    match mode {
        Mode::Drill | Mode::Protect if digest.is_none() => Look::Briefly,
        _ => Look::Closely,
    }
}

/// What was approved is what is performed.
pub(super) fn expect_digest(plan: &Plan, wanted: Option<&str>) -> Result<(), CommandError> {
    let digest = Digest::of(plan);
    match wanted {
        Some(wanted) if wanted.is_empty() || !digest.as_str().starts_with(wanted) => {
            Err(CommandError::refused(format!(
                "the plan has digest {}, and {wanted} was asked for",
                digest.short()
            ))
            .detail("Nothing was changed.")
            .hint("the runbook or the world is not what it was; look again: lifeboat plan"))
        }
        _ => Ok(()),
    }
}

/// `west standby`: the words that a person must type before a run that changes what customers use.
/// `None` where nothing does: a drill keeps inside its walls, and a backup only reads.
fn target(plan: &Plan) -> Option<String> {
    let role = match plan.mode {
        Mode::Drill | Mode::Protect => return None,
        Mode::Switchover | Mode::Failover | Mode::Failback => STANDBY,
    };
    let (role, site) = plan
        .roles
        .get_key_value(role)
        .or_else(|| plan.roles.get_key_value(ACTIVE))
        .or_else(|| plan.roles.first_key_value())?;
    Some(format!("{site} {role}"))
}

/// Whether a person has to decide before it begins.
pub(super) fn asks(plan: &Plan) -> bool {
    target(plan).is_some()
}

/// Has a person name the target, or refuses.
fn consent(plan: &Plan, given: &Consent) -> Result<(), CommandError> {
    let Some(wanted) = target(plan) else { return Ok(()) };
    typed(&Question {
        what: &format!("a {}", plan.mode),
        ask: "Type the name and role of the target to go on",
        object: "the target",
        wanted: &wanted,
        given: given.confirm.as_deref(),
    })
}

/// What a person has to type, so that it is not done by habit.
pub(super) struct Question<'a> {
    /// `a failover`: what needs consent.
    pub(super) what: &'a str,
    /// The question at a terminal.
    pub(super) ask: &'a str,
    /// `the target`: what is typed.
    pub(super) object: &'a str,
    /// The right answer.
    pub(super) wanted: &'a str,
    /// What `--confirm` gave.
    pub(super) given: Option<&'a str>,
}

/// Has a person type it, or refuses.
pub(super) fn typed(question: &Question<'_>) -> Result<(), CommandError> {
    let Question {
        what, object, wanted, ..
    } = question;
    let typed = match question.given {
        Some(typed) => typed.to_owned(),
        None if std::io::stdin().is_terminal() => ask(question)?,
        None => {
            return Err(CommandError::refused(format!("{what} needs consent"))
                .detail("Nothing was changed.")
                .hint(format!("name {object}: --confirm \"{wanted}\"")));
        }
    };
    if typed.split_whitespace().eq(wanted.split_whitespace()) {
        return Ok(());
    }
    Err(CommandError::refused(format!(
        "{object} is \"{wanted}\", and \"{}\" was given",
        typed.trim()
    ))
    .detail("Nothing was changed."))
}

fn ask(question: &Question<'_>) -> Result<String, CommandError> {
    let mut err = std::io::stderr().lock();
    let _ = write!(err, "{} ({}): ", question.ask, question.wanted);
    let _ = err.flush();
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(_) => Ok(line),
        Err(error) => Err(CommandError::new(
            Exit::Broken,
            format!("cannot read the answer: {error}"),
        )),
    }
}
