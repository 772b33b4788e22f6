//! `lifeboat explain`: a step kind, a code, or a step of a run.

use super::{CommandError, Exit, Settings, output, runs};
use crate::step::{self, KINDS};
use crate::text::closest;
use crate::{plan, report, text};

/// Explain a step kind, a diagnostic's code, or what a step of a run did and is waiting for
///
/// `lifeboat explain probe` prints fields, effects, class, rights and an example; `lifeboat explain L012`
/// what a code means; `lifeboat explain shop-d-4k2w restore` why a step started when it did, and each of
/// its effects, attempts and receipts.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A step kind, a code, or a run
    #[arg(value_name = "KIND|CODE|RUN")]
    subject: String,
    /// With a run: the step
    #[arg(value_name = "STEP")]
    step: Option<String>,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let subject = arguments.subject.as_str();
    let said = match &arguments.step {
        Some(step) => explain_step(subject, step, settings)?,
        None => explain_word(subject)?,
    };
    output::text(&said);
    Ok(Exit::Done)
}

fn explain_word(word: &str) -> Result<String, CommandError> {
    if let Some(kind) = KINDS.iter().find(|kind| kind.name == word) {
        return Ok(step::explain(kind));
    }
    if let Some((code, said)) = codes().find(|(code, _)| code.eq_ignore_ascii_case(word)) {
        return Ok(format!("{code}: {said}\n"));
    }
    let known = step::kind_names(KINDS);
    let error = CommandError::input(format!("`{word}` is not a step kind or a code"));
    Err(match closest(word, known.iter().copied()) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("step kinds: {}", known.join(", "))),
    })
}

fn explain_step(run: &str, step: &str, settings: &Settings) -> Result<String, CommandError> {
    let runs::Opened { name, history, .. } = runs::open(run, settings)?;
    report::explain(&history.entries, step, &settings.zone(), settings.columns()).map_err(|error| {
        CommandError::input(error.to_string()).hint(format!("lifeboat status {name} names its steps"))
    })
}

/// Every code of a diagnostic with its sentence.
fn codes() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    text::codes::ALL.iter().chain(plan::codes::ALL)
}
