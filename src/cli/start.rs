//! `lifeboat drill`, `switchover`, `failover`, `failback`, `protect`: plan, show, and carry out.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};

use super::planning::{self, Subject};
use super::{CommandError, Exit, Settings, launch, output, plan};
use crate::plan::{Digest, Look, Plan};
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
    let planned = planning::plan(
        &arguments.subject,
        mode,
        look(mode, arguments.plan.as_deref()),
        settings,
    )
    .await?;
    expect_digest(&planned.plan, arguments.plan.as_deref())?;
    if let Some(target) = target(&planned.plan) {
        let runbook = arguments.subject.runbook.display();
        let command = format!("lifeboat {mode} {runbook} --confirm \"{target}\"");
        output::note(&plan::drawing(
            &planned.plan,
            &command,
            &BTreeMap::new(),
            settings,
        ));
        consent(&planned.plan, &arguments.consent)?;
    }
    launch::begin(
        planned.plan,
        &planned.documents.origin,
        planned.world,
        &arguments.options,
        settings,
    )
    .await
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

/// Has a person name the target, or refuses.
pub(super) fn consent(plan: &Plan, given: &Consent) -> Result<(), CommandError> {
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
