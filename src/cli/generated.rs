//! Runbooks of one step, made from a command line: so a single backup or restore has a plan, a journal, a
//! resume and a report like every other run, and no second way to do it.

use serde_json::{Value, json};

use super::{CommandError, Exit, Settings, context, output};
use crate::runbook::Runbook;

/// A step of a generated runbook may take long: nobody was asked how large the cluster is. One that hangs
/// is noticed within the hour.
const TIMEOUT: &str = "1h";

/// What a single step does, as it stands in a runbook.
pub(super) struct OneStep<'a> {
    /// `metadata.name`, with which names of runs and of backups begin.
    pub(super) name: &'a str,
    /// For people.
    pub(super) title: String,
    /// Role → site.
    pub(super) role: (&'static str, &'a str),
    /// In which mode.
    pub(super) mode: crate::runbook::Mode,
    /// The step's kind and parameters.
    pub(super) step: (&'static str, Value),
    /// When it failed: `stop`, `pause`.
    pub(super) on_failure: &'static str,
}

impl OneStep<'_> {
    /// The runbook.
    pub(super) fn text(&self) -> Result<String, CommandError> {
        let (role, site) = self.role;
        let (kind, params) = &self.step;
        let mode = self.mode.word();
        let document = json!({
            "apiVersion": "lifeboat.dev/v1alpha1",
            "kind": "Runbook",
            "metadata": {"name": self.name},
            "spec": {
                "title": self.title,
                "roles": {role: site},
                "steps": [{
                    "name": *kind,
                    "modes": [mode],
                    *kind: params,
                    "timeout": TIMEOUT,
                    "on_failure": self.on_failure,
                }],
            },
        });
        let yaml = serde_yaml::to_string(&document)
            .map_err(|error| CommandError::new(Exit::Broken, format!("cannot write a runbook: {error}")))?;
        Ok(format!(
            "# Made by {} from a command line. Keep it, and run it again: lifeboat {mode} <this file>\n{yaml}",
            crate::TOOL
        ))
    }

    /// The documents to plan from; `None`: it was only to be printed.
    pub(super) fn documents(
        &self,
        print: bool,
        settings: &Settings,
    ) -> Result<Option<context::Documents>, CommandError> {
        let text = self.text()?;
        let documents = context::generated(&text, settings)?;
        if print {
            output::text(&text);
            return Ok(None);
        }
        Ok(Some(documents))
    }
}

/// `--cluster`: which objects outside of namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Cluster {
    Related,
    All,
    None,
}

impl Cluster {
    /// The word in a runbook.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Related => "related",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

/// A runbook's name from the namespaces that it is about: `shop`, `bank-shop`; `*` becomes `all`.
pub(super) fn name(prefix: &str, namespaces: &[String]) -> String {
    let mut sorted: Vec<&str> = namespaces.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let whole = format!("{prefix}{}", sorted.join("-").replace('*', "all"));
    let cut: String = whole.chars().take(Runbook::NAME_MAX).collect();
    cut.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::Mode;

    #[test]
    fn a_generated_runbook_reads_like_one_that_a_person_wrote() {
        let step = OneStep {
            name: "bank-shop",
            title: "Backup of bank, shop".into(),
            role: ("active", "east"),
            mode: Mode::Protect,
            step: (
                "backup",
                json!({"site": "active", "namespaces": ["123", "shop"], "to": "vault"}),
            ),
            on_failure: "stop",
        };
        insta::assert_snapshot!(step.text().unwrap(), @"
        # Made by lifeboat 0.1.0 from a command line. Keep it, and run it again: lifeboat protect <this file>
        apiVersion: lifeboat.dev/v1alpha1
        kind: Runbook
        metadata:
          name: bank-shop
        spec:
          title: Backup of bank, shop
          roles:
            active: east
          steps:
          - name: backup
            modes:
            - protect
            backup:
              site: active
              namespaces:
              - '123'
              - shop
              to: vault
            timeout: 1h
            on_failure: stop
        ");
    }

    #[test]
    fn a_name_is_never_longer_than_a_runbooks_may_be() {
        let names = ["b", "a"].map(str::to_owned);
        assert_eq!(name("restore-", &names), "restore-a-b");
        assert_eq!(name("restore-", &["*".to_owned()]), "restore-all");
        let long = name("", &["x".repeat(38), "y".repeat(30)]);
        assert_eq!(long.len(), 40);
        let edge = name("", &["x".repeat(39), "y".repeat(30)]);
        assert_eq!(edge.len(), 39, "no dash at its end");
    }
}
