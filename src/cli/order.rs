//! `approve`, `reject`, `retry`, `skip`, `mark-done`, `decide`, `note`, `pause`, `abort`: a person's word to a run, from
//! any terminal. Each needs a name and a reason, and each is an event of the journal.

use std::time::Duration;

use super::{CommandError, Exit, Settings, output, runs};
use crate::run::{self, Answer, Finding, Order, SubmitError, Submitted, What};

/// Long enough for a driver that is busy with its disk, short enough for a person who waits.
const PATIENCE: Duration = Duration::from_secs(15);

/// A word about one step.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The run, as `lifeboat status` names it
    #[arg(value_name = "RUN")]
    run: String,
    /// The step
    #[arg(value_name = "STEP")]
    step: String,
    /// In which of the roles that may answer
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    #[command(flatten)]
    word: Word,
}

/// An answer to one step's question.
#[derive(Debug, clap::Args)]
pub(super) struct AnswerArguments {
    #[command(flatten)]
    order: Arguments,
    /// The digest of the plan that you were shown (or its beginning): refused if the run has another one
    #[arg(long, value_name = "DIGEST")]
    plan: Option<String>,
}

/// What became of a step of which nobody knows whether it worked.
#[derive(Debug, clap::Args)]
pub(super) struct DecideArguments {
    #[command(flatten)]
    finding: FindingWord,
    #[command(flatten)]
    order: Arguments,
}

/// Exactly one of them.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct FindingWord {
    /// It was carried out: the step goes on after it
    #[arg(long)]
    ok: bool,
    /// It was not: the step has failed, and its runbook says what follows
    #[arg(long)]
    failed: bool,
    /// Carry it out again, although it may have been carried out
    #[arg(long)]
    retry: bool,
}

/// A note in a run's journal.
#[derive(Debug, clap::Args)]
pub(super) struct NoteArguments {
    /// The run, as `lifeboat status` names it
    #[arg(value_name = "RUN")]
    run: String,
    /// What to write down; it stands in the report with its author and its time
    #[arg(value_name = "TEXT")]
    text: String,
    /// Your name [default: your account on this machine]
    #[arg(long = "as", value_name = "NAME")]
    by: Option<String>,
}

/// Pause or end a whole run.
#[derive(Debug, clap::Args)]
pub(super) struct RunArguments {
    /// The run, as `lifeboat status` names it
    #[arg(value_name = "RUN")]
    run: String,
    #[command(flatten)]
    word: Word,
}

/// Who says it, and why.
#[derive(Debug, clap::Args)]
struct Word {
    /// Your name
    #[arg(long = "as", value_name = "NAME")]
    by: String,
    /// Why; it stands in the report
    #[arg(long, value_name = "WHY")]
    reason: String,
}

/// A yes to a step's question.
pub(super) fn yes(step: String, role: Option<String>) -> What {
    What::Answer {
        step,
        answer: Answer::Yes,
        role,
    }
}

/// A no.
pub(super) fn no(step: String, role: Option<String>) -> What {
    What::Answer {
        step,
        answer: Answer::No,
        role,
    }
}

/// Gives an order about one step.
pub(super) fn step(
    arguments: Arguments,
    what: impl FnOnce(String, Option<String>) -> What,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let what = what(arguments.step, arguments.role);
    give(&arguments.run, (arguments.word, None), what, settings)
}

/// Answers a question.
pub(super) fn answer(
    arguments: AnswerArguments,
    what: impl FnOnce(String, Option<String>) -> What,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let order = arguments.order;
    let what = what(order.step, order.role);
    give(&order.run, (order.word, arguments.plan), what, settings)
}

/// Says what became of a step in doubt.
pub(super) fn decide(arguments: DecideArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let word = arguments.finding;
    step(
        arguments.order,
        |step, _| match (word.ok, word.failed) {
            (true, _) => What::Decide {
                step,
                finding: Finding::Worked,
            },
            (false, true) => What::Decide {
                step,
                finding: Finding::Failed,
            },
            (false, false) => What::DecideRetry { step },
        },
        settings,
    )
}

/// Writes something down.
pub(super) fn note(arguments: NoteArguments, settings: &Settings) -> Result<Exit, CommandError> {
    let word = Word {
        by: arguments.by.unwrap_or_else(|| super::operator().name),
        reason: arguments.text,
    };
    give(&arguments.run, (word, None), What::Note, settings)
}

/// Gives an order about the whole run.
pub(super) fn whole(arguments: RunArguments, what: What, settings: &Settings) -> Result<Exit, CommandError> {
    give(&arguments.run, (arguments.word, None), what, settings)
}

fn give(
    run: &str,
    (word, seen): (Word, Option<String>),
    what: What,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let (folder, name) = runs::find(run, settings)?;
    let order = Order {
        by: word.by,
        reason: word.reason,
        what,
        seen,
        from: Some(super::operator()),
    };
    let operator = super::operator();
    let submitted = super::block_on(async { Ok(run::submit(&folder, &order, &operator, PATIENCE).await) })?;
    match submitted {
        Ok(Submitted::Followed) => output::line(&format!("{name} has it.")),
        Ok(Submitted::Recorded(_)) => {
            output::line(&format!(
                "Written into the journal of {name}; nothing drives it now."
            ));
            output::note(&format!("hint: go on with: lifeboat resume {name}"));
        }
        Err(error) => return Err(refusal(error)),
    }
    Ok(Exit::Done)
}

fn refusal(error: SubmitError) -> CommandError {
    match error {
        SubmitError::Refused(refused) => {
            let error = CommandError::refused(refused.message.clone());
            refused
                .hint
                .iter()
                .fold(error, |error, hint| error.hint(hint.clone()))
        }
        SubmitError::NotTaken | SubmitError::Unanswered => CommandError::new(Exit::Failed, error.to_string()),
        SubmitError::Journal(_) | SubmitError::Illegal(_) => {
            CommandError::new(Exit::Broken, error.to_string())
        }
    }
}
