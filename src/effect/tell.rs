//! Tell people or machines that something has happened.
//!
//! ## Why
//!
//! - **It never fails and never waits for long.** Whether somebody hears of a recovery must not decide whether there is
//!   one. What was not delivered is a warning in the receipt, and so on the screen and in the report.
//! - **It may be repeated.** After a crash nobody knows whether it was sent; to be told twice does less harm than not to
//!   be told, and a recovery that waited for a person to find out would be held up by its own announcement. Every
//!   attempt carries the same id, by which receivers that know of ids drop what they have heard.
//! - **A drill tells nobody**, unless its runbook says so: at three in the morning a board reads the first line only.
//!   Then that line says that it is a drill.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
use crate::text::Text;

/// Tells a receiver of the inventory. Always succeeds; a warning says what was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tell {
    /// Who, as the inventory calls them. Addresses and keys are in no plan, journal or report.
    pub receiver: String,
    /// What is said.
    pub text: Text,
    /// What a drill does with it.
    #[serde(default)]
    pub in_drill: InDrill,
    /// What became of that in this plan.
    #[serde(default, skip_serializing_if = "Manner::is_real")]
    pub manner: Manner,
}

/// What a drill does with something to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InDrill {
    /// Nobody is told: it is only tried whether they could be.
    #[default]
    Rehearse,
    /// They are told, and first that it is a drill.
    Tell,
}

/// How something is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// As it is.
    #[default]
    Real,
    /// With the word that it is a drill before everything else.
    Drill,
    /// Not at all.
    Rehearsed,
}

impl Manner {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    const fn is_real(&self) -> bool {
        matches!(self, Self::Real)
    }
}

impl Tell {
    /// All the time that telling may take, tries included. Receivers answer within a second; one that does not in ten
    /// would not in a minute either, and a plan may tell several of them.
    pub const LIMIT_MS: u64 = 10_000;

    /// What a drill says first.
    pub const DRILL: &str = "DRILL, not an incident. ";

    /// What a signed message is about: receivers choose by it.
    pub const TYPE: &str = "lifeboat.notice";

    /// A text as Slack takes it: what it would read as a mention (`<!channel>`) or a link is shown as it was written.
    /// Source: "Escaping text" in Slack's "Formatting message text".
    pub fn for_slack(text: &str) -> String {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
    }
}

impl Meaning for Tell {
    fn class(&self) -> Class {
        match self.manner {
            Manner::Real | Manner::Drill => Class::Converge,
            Manner::Rehearsed => Class::Read,
        }
    }

    fn site(&self) -> Option<&str> {
        None
    }

    fn line(&self) -> Line {
        let (symbol, what) = match self.manner {
            Manner::Real => (Symbol::Change, format!("\"{}\"", self.text)),
            Manner::Drill => (Symbol::Change, format!("\"{}{}\"", Self::DRILL, self.text)),
            Manner::Rehearsed => (
                Symbol::Observe,
                format!("only try whether they could be told: \"{}\"", self.text),
            ),
        };
        Line::new(symbol, &self.receiver, "notify", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        Vec::new()
    }

    fn late(&mut self) -> Vec<&mut Text> {
        vec![&mut self.text]
    }

    fn bears_gaps(&self) -> bool {
        true
    }

    fn confine(&mut self, _: &Sandbox) -> Confinement {
        let (manner, note) = match self.in_drill {
            InDrill::Rehearse => (Manner::Rehearsed, "tells nobody: it only tries whether it could"),
            InDrill::Tell => (Manner::Drill, "says first that this is a drill"),
        };
        self.manner = manner;
        Confinement::Confined(vec![note.into()])
    }
}
