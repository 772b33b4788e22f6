//! Performs [`RunCommand`].
//!
//! ## Why
//!
//! - A command is not an object: nothing at the cluster says afterwards whether it ran. So a lost reply
//!   stays unknown, and a person who knows the program decides.
//! - Of a workload, the first ready pod by name: the same one in every attempt, as long as it is there.

use serde_json::Value;

use super::World;
use super::marks::{condition, is_going, text};
use super::pods::{named, pods_of};
use super::site::Site;
use crate::effect::{Attempt, ErrorKind, Receipt, RunCommand, WorldError};
use crate::objects::ObjectId;
use crate::world::port::{Command, Executed};

/// Of what a program or an address said, so much becomes an output: later steps and the report show it.
pub(super) const OUTPUT_MAX: usize = 4 * 1024;

/// Of its complaints, so many lines say what went wrong.
const COMPLAINT_LINES: usize = 5;

/// A `once` effect that waits by itself could not be told from one that was cut off.
const WAIT: &str = "let a `wait` step come before: it says what a pod waits for";

impl World {
    pub(super) async fn run_command(
        &self,
        effect: &RunCommand,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.site)?;
        let pod = ready_pod(&site, &effect.of).await?;
        let name = text(&pod, "/metadata/name");
        (attempt.progress)(format!("running in {name}"));
        let command = Command {
            namespace: text(&pod, "/metadata/namespace"),
            pod: name,
            container: effect.container.as_deref(),
            argv: &effect.command,
        };
        let done = site.cluster.run(&command).await?;
        if done.code == 0 {
            Ok(receipt(name, &done))
        } else {
            Err(failed(&site, effect, name, &done))
        }
    }
}

/// The pod in which something is run: the one that is named, or the first of a workload's that is ready, by name.
pub(super) async fn ready_pod(site: &Site<'_>, of: &ObjectId) -> Result<Value, WorldError> {
    let found = site.get(of).await?;
    let found = found.ok_or_else(|| site.error(ErrorKind::NotFound, format!("there is no {of}")))?;
    if of.kind == "Pod" {
        return if is_ready(&found) {
            Ok(found)
        } else {
            let message = format!("{of} is not ready");
            Err(site.error(ErrorKind::NotYet, message).hint(WAIT))
        };
    }
    let mut pods = pods_of(site, &found).await?;
    pods.sort_by(|a, b| text(a, "/metadata/name").cmp(text(b, "/metadata/name")));
    let names: Vec<String> = pods
        .iter()
        .map(|pod| text(pod, "/metadata/name").to_owned())
        .collect();
    pods.into_iter().find(is_ready).ok_or_else(|| {
        let there = if names.is_empty() {
            "it has none".to_owned()
        } else {
            format!("there are {}", named(&names))
        };
        let message = format!("no pod of {of} is ready: {there}");
        site.error(ErrorKind::NotYet, message).hint(WAIT)
    })
}

fn is_ready(pod: &Value) -> bool {
    !is_going(pod) && condition(pod, "Ready").is_some()
}

fn receipt(pod: &str, done: &Executed) -> Receipt {
    let mut receipt = Receipt {
        summary: format!("ran in {pod}, exit code 0"),
        ..Receipt::default()
    };
    let (output, cut) = beginning(&done.stdout);
    if cut || done.cut {
        receipt.warnings.push(format!(
            "it printed more than {OUTPUT_MAX} bytes; the rest is not kept"
        ));
    }
    receipt.outputs.insert("stdout".to_owned(), output);
    receipt
}

/// The beginning of what was said, as text without its last line break, and whether there is more.
pub(super) fn beginning(printed: &[u8]) -> (String, bool) {
    let all = String::from_utf8_lossy(printed);
    let all = all.trim_end_matches(['\r', '\n']);
    let mut end = all.len().min(OUTPUT_MAX);
    while !all.is_char_boundary(end) {
        end -= 1;
    }
    (all[..end].to_owned(), end < all.len())
}

/// It ran and said no: another attempt by itself would be a guess.
fn failed(site: &Site<'_>, effect: &RunCommand, pod: &str, done: &Executed) -> WorldError {
    let program = effect.command.first().map_or("", String::as_str);
    let message = format!("{program} in {pod} ended with exit code {}", done.code);
    let mut error = site.error(ErrorKind::Rejected, message);
    let complaint = if done.stderr.is_empty() {
        &done.stdout
    } else {
        &done.stderr
    };
    let complaint = String::from_utf8_lossy(complaint);
    let lines: Vec<&str> = complaint.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.len().saturating_sub(COMPLAINT_LINES);
    error.causes = lines.iter().skip(last).map(|line| (*line).to_owned()).collect();
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_text_without_its_last_line_break_and_bounded() {
        assert_eq!(beginning(b"t\r\n"), ("t".to_owned(), false));
        assert_eq!(beginning(b""), (String::new(), false));
        let long = "ä".repeat(OUTPUT_MAX);
        let (kept, cut) = beginning(long.as_bytes());
        assert!(cut && kept.len() == OUTPUT_MAX && kept.chars().all(|one| one == 'ä'));
        assert_eq!(beginning(&[0xff, b'a']).0, "\u{fffd}a");
    }
}
