//! Programs in embedded pods. Nothing runs there: `echo` prints, `psql` answers what the pod's label says, and every
//! other program ends well without a word, unless the script of faults lets it fail.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::world::port::{Command, Executed};

/// A pod with this label has a database that answers its value to every query; without it there is none.
const ANSWER: &str = "lifeboat.dev/embedded-answer";

/// What becomes of a program that somebody else plays.
#[derive(Clone, Debug)]
pub enum Program {
    /// It has ended.
    Ran(Executed),
    /// It says nothing, for ever.
    Hangs,
}

/// Plays programs by their arguments, the program first; `None`: the embedded pod does what it always does.
pub type Programs = Arc<dyn Fn(&[String]) -> Option<Program> + Send + Sync>;

pub(super) fn ran(command: &Command<'_>, pod: &Value, now: &str, fails: bool) -> Executed {
    let words = command.argv.get(1..).unwrap_or_default().join(" ");
    match command.argv.first().map(String::as_str) {
        Some(program) if fails => ended(1, &format!("{program}: it failed\n")),
        Some("echo") => printed(&format!("{words}\n")),
        Some("psql") => match pod
            .pointer("/metadata/labels")
            .and_then(|labels| labels.get(ANSWER))
        {
            Some(answer) => printed(&format!("{}\n", row(answer, now))),
            None => ended(
                2,
                "psql: error: connection to server failed: there is no database\n",
            ),
        },
        _ => Executed::default(),
    }
}

/// As `psql` prints what a `sql` step asks for; a label is a text, and mostly a number is meant.
fn row(answer: &Value, now: &str) -> Value {
    let number = answer.as_str().and_then(|text| text.parse::<i64>().ok());
    let value = number.map_or_else(|| answer.clone(), Value::from);
    json!({ "row": { "answer": value }, "now": now })
}

fn printed(text: &str) -> Executed {
    Executed {
        stdout: text.as_bytes().to_vec(),
        ..Executed::default()
    }
}

fn ended(code: i32, complaint: &str) -> Executed {
    Executed {
        code,
        stderr: complaint.as_bytes().to_vec(),
        ..Executed::default()
    }
}
