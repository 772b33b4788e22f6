//! Performs [`CheckSql`].
//!
//! ## Why
//!
//! - **Three things keep a query from changing anything**, each by itself: there is no `;` in it, so it is one
//!   statement; it stands where only a table may stand, so it is one that gives rows; and the transaction around it
//!   may only read, which the server enforces.
//! - **The answer comes as JSON**, so that no value is taken for two, none is told from nothing, and a moment has its
//!   time zone or is refused. Which one it is in, nobody here could know.
//! - **Ages are by the database's clock**, which wrote the moment. That clock's own error is in the answer.
//! - A wrong value is a failure at once: looking again would make a check into a wish. A database that lets nobody in
//!   yet is waited for.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::World;
use super::command::ready_pod;
use super::marks::text;
use super::pace::{Look, until};
use super::probe::known;
use super::site::Site;
use crate::effect::{Attempt, CheckSql, ErrorKind, Receipt, SqlExpect, WorldError};
use crate::text::Millis;
use crate::world::port::{Command, Executed};

/// By which `psql` says that the server did not let it in or went away.
const NOT_LET_IN: i32 = 2;

/// More than connecting and telling takes; a `psql` that says nothing for so much longer than its query may take
/// hangs on the network.
const SLACK_MS: u64 = 30_000;

/// As much of a value as fits into a line.
const SHOWN: usize = 120;

/// What the database said.
#[derive(Debug, Deserialize)]
struct Answer {
    row: Map<String, Value>,
    now: Timestamp,
}

impl World {
    pub(super) async fn check_sql(
        &self,
        effect: &CheckSql,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.site)?;
        let argv = effect.argv();
        let done = until(attempt, || Box::pin(ask(&site, effect, &argv))).await?;
        let answer = read(&done).map_err(|why| {
            let message = format!("the query {why}: {}", effect.query);
            site.error(ErrorKind::Rejected, message)
        })?;
        let value = shown(&answer);
        match judge(effect, &answer)? {
            Ok(()) => {
                let mut receipt = Receipt {
                    summary: format!("{} ({})", short(&value), effect.expect.words()),
                    ..Receipt::default()
                };
                receipt.outputs.insert("value".to_owned(), value);
                Ok(receipt)
            }
            Err(why) => {
                let message = format!("the value is {}, {why}: {}", short(&value), effect.query);
                Err(site.error(ErrorKind::Rejected, message))
            }
        }
    }
}

/// One look.
async fn ask(site: &Site<'_>, effect: &CheckSql, argv: &[String]) -> Result<Look<Executed>, WorldError> {
    let pod = match ready_pod(site, &effect.of).await {
        Err(error) if error.kind == ErrorKind::NotYet => return Ok(Look::Waiting(error.message)),
        pod => pod?,
    };
    let command = Command {
        namespace: text(&pod, "/metadata/namespace"),
        pod: text(&pod, "/metadata/name"),
        container: effect.container.as_deref(),
        argv,
    };
    let limit_ms = effect.answer_within_ms.saturating_add(SLACK_MS);
    let run = site.cluster.run(&command);
    let Ok(done) = tokio::time::timeout(Duration::from_millis(limit_ms), run).await else {
        let limit = Millis(limit_ms);
        return Ok(Look::Waiting(format!(
            "{} said nothing within {limit}",
            effect.program
        )));
    };
    let done = done?;
    match done.code {
        0 => Ok(Look::Done(done)),
        NOT_LET_IN => Ok(Look::Waiting(format!(
            "the database lets nobody in: {}",
            complaint(&done).join(" ")
        ))),
        code => {
            let message = format!(
                "{} in {} ended with exit code {code}",
                effect.program, command.pod
            );
            let mut error = site.error(ErrorKind::Rejected, message);
            error.causes = complaint(&done);
            Err(error)
        }
    }
}

fn complaint(done: &Executed) -> Vec<String> {
    let said = String::from_utf8_lossy(&done.stderr);
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// The only value, or why there is none, as a fragment that follows `the query`.
fn read(done: &Executed) -> Result<Answer, String> {
    if done.cut {
        return Err("gave more than can be kept".into());
    }
    let said = String::from_utf8_lossy(&done.stdout);
    let mut lines = said.lines().filter(|line| !line.trim().is_empty());
    let Some(first) = lines.next() else {
        return Err("gave no row".into());
    };
    if lines.next().is_some() {
        return Err("gave more than one row".into());
    }
    let answer: Answer = serde_json::from_str(first)
        .map_err(|error| format!("was answered in a way that cannot be read ({error})"))?;
    match answer.row.len() {
        1 => Ok(answer),
        columns => Err(format!("gave {columns} columns instead of one")),
    }
}

fn value(answer: &Answer) -> &Value {
    answer.row.values().next().unwrap_or(&Value::Null)
}

/// As people write it: a text without quotes.
fn shown(answer: &Answer) -> String {
    match value(answer) {
        Value::String(text) => text.clone(),
        Value::Null => "null".to_owned(),
        other => other.to_string(),
    }
}

fn short(value: &str) -> String {
    let line: String = value
        .chars()
        .filter(|one| !one.is_control())
        .take(SHOWN)
        .collect();
    if line.len() < value.len() {
        format!("{line}…")
    } else {
        line
    }
}

/// The inner error: why it is not what was expected, as a fragment.
fn judge(effect: &CheckSql, answer: &Answer) -> Result<Result<(), String>, WorldError> {
    let instead = || format!("and should be {}", effect.expect.words());
    Ok(match &effect.expect {
        SqlExpect::Equals(wanted) => {
            let wanted = known(wanted)?;
            let same = shown(answer) == wanted && !value(answer).is_null();
            if same { Ok(()) } else { Err(instead()) }
        }
        SqlExpect::Within { at_least, at_most } => match number(value(answer)) {
            None => Err(format!("which is no number, {}", instead())),
            Some(number) => {
                let fits = at_least.is_none_or(|least| number >= wide(least))
                    && at_most.is_none_or(|most| number <= wide(most));
                if fits { Ok(()) } else { Err(instead()) }
            }
        },
        SqlExpect::NotOlderThan(limit_ms) => aged(value(answer), answer.now, *limit_ms, &instead()),
    })
}

/// A number, also where it came as a text because JSON's own are too small for it.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a count beyond 2^53 differs by more than one from any that somebody expects"
)]
const fn wide(bound: i64) -> f64 {
    bound as f64
}

fn aged(value: &Value, now: Timestamp, limit_ms: u64, instead: &str) -> Result<(), String> {
    let Some(moment) = value.as_str() else {
        return Err(format!("which is no moment, {instead}"));
    };
    let Ok(moment) = moment.parse::<Timestamp>() else {
        return Err(format!(
            "which is no moment with a time zone, {instead}; of a `timestamp` say which zone it is in: `… at time zone 'utc'`"
        ));
    };
    let age = now.duration_since(moment).as_millis();
    if age <= i128::from(limit_ms) {
        return Ok(());
    }
    let age = Millis(u64::try_from(age).unwrap_or(u64::MAX) / 1000 * 1000);
    Err(format!("{age} ago by the database's clock, {instead}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::Text;

    fn answer(row: &Value) -> Result<Answer, String> {
        let line = json!({ "row": row, "now": "2026-11-22T23:00:00.5+00:00" }).to_string();
        read(&Executed {
            stdout: format!("{line}\n").into_bytes(),
            ..Executed::default()
        })
    }

    fn judged(value: &Value, expect: SqlExpect) -> Result<(), String> {
        let effect = CheckSql {
            site: "west".into(),
            of: crate::objects::ObjectId::namespace("shop"),
            container: None,
            program: "psql".into(),
            connect: String::new(),
            query: "select 1".into(),
            expect,
            answer_within_ms: 1,
        };
        judge(&effect, &answer(&json!({ "count": value })).unwrap()).unwrap()
    }

    #[test]
    fn exactly_one_value_is_an_answer() {
        assert_eq!(shown(&answer(&json!({ "count": 42 })).unwrap()), "42");
        assert_eq!(shown(&answer(&json!({ "name": "a b" })).unwrap()), "a b");
        assert_eq!(
            answer(&json!({ "a": 1, "b": 2 })).unwrap_err(),
            "gave 2 columns instead of one"
        );
        let said = |stdout: &str, cut: bool| {
            let done = Executed {
                stdout: stdout.as_bytes().to_vec(),
                cut,
                ..Executed::default()
            };
            read(&done).unwrap_err()
        };
        assert_eq!(said("\n", false), "gave no row");
        assert_eq!(said("{}\n{}\n", false), "gave more than one row");
        assert_eq!(said("{}", true), "gave more than can be kept");
        assert!(said("42", false).starts_with("was answered in a way that cannot be read"));
    }

    #[test]
    fn a_value_is_what_was_expected_or_the_difference_is_said() {
        let equals = |text: &str| SqlExpect::Equals(Text::known(text));
        assert_eq!(judged(&json!(7), equals("7")), Ok(()));
        assert_eq!(judged(&json!("seven"), equals("seven")), Ok(()));
        assert_eq!(
            judged(&Value::Null, equals("null")),
            Err("and should be = null".into())
        );
        assert_eq!(judged(&json!(8), equals("7")), Err("and should be = 7".into()));
        let within = |at_least, at_most| SqlExpect::Within { at_least, at_most };
        assert_eq!(judged(&json!(7), within(Some(7), Some(7))), Ok(()));
        assert_eq!(judged(&json!("7.5"), within(Some(7), None)), Ok(()));
        assert_eq!(
            judged(&json!(6), within(Some(7), Some(9))),
            Err("and should be at least 7 and at most 9".into())
        );
        assert_eq!(
            judged(&Value::Null, within(None, Some(9))),
            Err("which is no number, and should be at most 9".into())
        );
    }

    #[test]
    fn an_age_needs_a_time_zone_and_the_databases_clock() {
        let limit = || SqlExpect::NotOlderThan(15 * 60 * 1000);
        assert_eq!(judged(&json!("2026-11-22T22:50:00+00:00"), limit()), Ok(()));
        assert_eq!(judged(&json!("2026-11-22T23:50:00+01:00"), limit()), Ok(()));
        assert_eq!(
            judged(&json!("2026-11-22T22:00:00+00:00"), limit()),
            Err("1h ago by the database's clock, and should be not older than 15m".into())
        );
        let bare = judged(&json!("2026-11-22T22:50:00"), limit()).unwrap_err();
        assert!(bare.contains("no moment with a time zone"), "{bare}");
        assert!(judged(&Value::Null, limit()).unwrap_err().contains("no moment"));
    }
}
