//! What Velero's own objects, Backup and Restore, say of its work: whether a server has taken it up, how far it is, and
//! how it ended. Nothing here talks to Velero.
//!
//! ## Why
//!
//! - **Only `Completed` is well.** `PartiallyFailed` is Velero's word for a backup that lacks something and for a
//!   restore that has not made everything; whether that is enough is for a person to say.
//! - **A word that is not known here is work.** Velero has added phases before, and only the ends are fixed: to take
//!   a new phase for a failure, or for success, would be a guess.

use serde_json::Value;

use super::ApiKind;
use super::json::{list, text};

/// The API group and version of Velero's objects.
pub const VELERO_API: &str = "velero.io/v1";

/// How far a piece of Velero's work has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VeleroPhase {
    /// No server has begun: in Velero's word, empty where none has even looked at it.
    Waits(String),
    /// A server is at it; a fragment says how far.
    Works(String),
    /// All of it was done.
    Completed,
    /// It has ended in another way: Velero's word.
    Ended(String),
}

impl VeleroPhase {
    /// Reads it off a Backup or Restore.
    pub fn of(object: &Value) -> Self {
        let phase = text(object, "/status/phase").unwrap_or_default();
        match phase {
            "" | "New" | "Queued" | "ReadyToStart" => Self::Waits(phase.to_owned()),
            "Completed" => Self::Completed,
            "PartiallyFailed" | "Failed" | "FailedValidation" | "Deleting" => Self::Ended(phase.to_owned()),
            _ => Self::Works(how_far(object, phase)),
        }
    }
}

/// The kinds `Backup` and `Restore` as every Velero since 1.0 serves them.
pub fn velero_kinds() -> [ApiKind; 2] {
    ["Backup", "Restore"].map(|kind| ApiKind {
        group: "velero.io".to_owned(),
        version: "v1".to_owned(),
        kind: kind.to_owned(),
        plural: format!("{}s", kind.to_lowercase()),
        namespaced: true,
    })
}

/// `InProgress, 12 of 33 items`, and whether part of it has failed already.
fn how_far(object: &Value, phase: &str) -> String {
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64);
    let first = |pointers: [&str; 2]| pointers.into_iter().find_map(number);
    let (word, partly) = match phase.strip_suffix("PartiallyFailed") {
        Some(word) => (word, ", part of it has failed already"),
        None => (phase, ""),
    };
    let done = match word {
        "InProgress" => {
            let done = first(["/status/progress/itemsBackedUp", "/status/progress/itemsRestored"]);
            number("/status/progress/totalItems")
                .map(|total| format!(", {} of {total} items", done.unwrap_or(0)))
        }
        "WaitingForPluginOperations" => {
            let of = |what: &str| {
                let backup = format!("/status/backupItemOperations{what}");
                let restore = format!("/status/restoreItemOperations{what}");
                first([&backup, &restore])
            };
            of("Attempted").map(|all| {
                let done = of("Completed").unwrap_or(0);
                format!(", {done} of {all} movements of data done")
            })
        }
        _ => None,
    };
    format!("{word}{}{partly}", done.unwrap_or_default())
}

/// What Velero has counted and said of a piece of work that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VeleroEnd {
    /// Errors.
    pub errors: u64,
    /// Warnings.
    pub warnings: u64,
    /// Items, where it counts them.
    pub items: Option<u64>,
    /// Why, in its own words, as far as the object holds them.
    pub said: Vec<String>,
}

impl VeleroEnd {
    /// Reads it off a Backup or Restore.
    pub fn of(object: &Value) -> Self {
        let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64);
        let reasons = list(object, "/status/validationErrors").filter_map(Value::as_str);
        let failure = text(object, "/status/failureReason").filter(|why| !why.is_empty());
        Self {
            errors: number("/status/errors").unwrap_or(0),
            warnings: number("/status/warnings").unwrap_or(0),
            items: number("/status/progress/itemsBackedUp")
                .or_else(|| number("/status/progress/itemsRestored")),
            said: failure.into_iter().chain(reasons).map(str::to_owned).collect(),
        }
    }

    /// `33 items, 2 errors, 1 warning`: what is not zero.
    pub fn counts(&self) -> String {
        let counted = |count: u64, noun: &str| {
            let plural = if count == 1 { "" } else { "s" };
            format!("{count} {noun}{plural}")
        };
        let items = self.items.map(|items| counted(items, "item"));
        let trouble = [(self.errors, "error"), (self.warnings, "warning")];
        let trouble = trouble.into_iter().filter(|(count, _)| *count > 0);
        let all: Vec<String> = items
            .into_iter()
            .chain(trouble.map(|(count, noun)| counted(count, noun)))
            .collect();
        all.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn phase(word: &str) -> VeleroPhase {
        VeleroPhase::of(&json!({ "status": { "phase": word } }))
    }

    #[test]
    fn every_phase_of_veleros_is_waiting_working_or_an_end() {
        for word in ["", "New", "Queued", "ReadyToStart"] {
            assert_eq!(phase(word), VeleroPhase::Waits(word.into()));
        }
        assert_eq!(VeleroPhase::of(&json!({})), VeleroPhase::Waits(String::new()));
        for word in ["PartiallyFailed", "Failed", "FailedValidation", "Deleting"] {
            assert_eq!(phase(word), VeleroPhase::Ended(word.into()));
        }
        assert_eq!(phase("Completed"), VeleroPhase::Completed);
        for (word, said) in [
            ("InProgress", "InProgress"),
            ("WaitingForPluginOperations", "WaitingForPluginOperations"),
            (
                "WaitingForPluginOperationsPartiallyFailed",
                "WaitingForPluginOperations, part of it has failed already",
            ),
            ("Finalizing", "Finalizing"),
            (
                "FinalizingPartiallyFailed",
                "Finalizing, part of it has failed already",
            ),
            ("Uploading", "Uploading"),
        ] {
            assert_eq!(phase(word), VeleroPhase::Works(said.into()), "{word}");
        }
    }

    #[test]
    fn how_far_it_is_is_said_in_its_own_numbers() {
        let said = |status: Value| match VeleroPhase::of(&json!({ "status": status })) {
            VeleroPhase::Works(said) => said,
            other => panic!("{other:?}"),
        };
        let progress = json!({ "totalItems": 33, "itemsBackedUp": 12 });
        assert_eq!(
            said(json!({ "phase": "InProgress", "progress": progress })),
            "InProgress, 12 of 33 items"
        );
        let progress = json!({ "totalItems": 33 });
        assert_eq!(
            said(json!({ "phase": "InProgress", "progress": progress })),
            "InProgress, 0 of 33 items"
        );
        let moved = json!({ "phase": "WaitingForPluginOperationsPartiallyFailed",
            "restoreItemOperationsAttempted": 5, "restoreItemOperationsCompleted": 2 });
        assert_eq!(
            said(moved),
            "WaitingForPluginOperations, 2 of 5 movements of data done, part of it has failed already"
        );
    }

    #[test]
    fn an_end_has_numbers_and_reasons() {
        let failed = json!({ "status": { "phase": "PartiallyFailed", "errors": 1, "warnings": 2,
            "progress": { "itemsRestored": 9, "totalItems": 10 } } });
        let end = VeleroEnd::of(&failed);
        assert_eq!(end.counts(), "9 items, 1 error, 2 warnings");
        let invalid = json!({ "status": { "failureReason": "a", "validationErrors": ["b", "c"] } });
        let end = VeleroEnd::of(&invalid);
        assert_eq!(
            (end.counts(), end.said.join(" ")),
            (String::new(), "a b c".to_owned())
        );
    }
}
