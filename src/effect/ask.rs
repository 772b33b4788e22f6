//! Ask a person.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
use crate::text::Text;

/// A question that only a person answers. The answer arrives as an event, not from the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ask {
    /// What is asked, or what is to be done by hand.
    pub question: Text,
    /// Who may answer: names of people's roles. Empty: anybody who gives a name.
    pub by: Vec<String>,
    /// Which kind of answer is wanted.
    pub expected: Expected,
    /// Nobody is asked if each of these steps has given its [`super::Receipt::PROOF`] in the same run. Empty: it is
    /// always asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless_proved: Vec<String>,
}

/// What a person is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// Approve or reject.
    Approval,
    /// Do something by hand and say that it is done, or that it could not be.
    Work,
    /// Take a risk in one's own name, or not.
    Acceptance(Hazard),
}

/// What may happen that a person answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hazard {
    /// Nothing proves that the other side has stopped: both may write, and what they write cannot be put together
    /// again.
    SplitBrain,
    /// What was written since the backup's consistent point is lost.
    DataLoss,
}

impl Hazard {
    /// As runbooks and journals call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SplitBrain => "split-brain",
            Self::DataLoss => "data-loss",
        }
    }

    /// What a person says yes to.
    pub const fn question(self) -> &'static str {
        match self {
            Self::SplitBrain => {
                "Nothing proves that the side which served until now has stopped. Do you answer for it that both may write?"
            }
            Self::DataLoss => "Do you answer for it that what was written since the backup is lost?",
        }
    }
}

impl std::fmt::Display for Hazard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

impl Meaning for Ask {
    fn class(&self) -> Class {
        Class::Guarded
    }

    fn site(&self) -> Option<&str> {
        None
    }

    fn line(&self) -> Line {
        let verb = match self.expected {
            Expected::Approval => "approve",
            Expected::Work => "by hand",
            Expected::Acceptance(_) => "accept",
        };
        let what = match self.expected {
            Expected::Acceptance(hazard) => format!("{hazard}: \"{}\"", self.question),
            Expected::Approval | Expected::Work => format!("\"{}\"", self.question),
        };
        let who = if self.by.is_empty() {
            String::new()
        } else {
            format!("  ({})", self.by.join(", "))
        };
        let unless = if self.unless_proved.is_empty() {
            String::new()
        } else {
            format!("  unless proved by {}", self.unless_proved.join(", "))
        };
        Line::new(Symbol::Person, "people", verb, format!("{what}{who}{unless}"))
    }

    fn permissions(&self) -> Vec<Permission> {
        Vec::new()
    }

    fn late(&mut self) -> Vec<&mut Text> {
        vec![&mut self.question]
    }

    fn confine(&mut self, _: &Sandbox) -> Confinement {
        Confinement::Skipped("no person is asked in a drill".into())
    }
}
