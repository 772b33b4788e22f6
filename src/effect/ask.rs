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
}

/// What a person is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expected {
    /// Approve or reject.
    Approval,
    /// Do something by hand and say that it is done, or that it could not be.
    Work,
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
        };
        let who = if self.by.is_empty() {
            String::new()
        } else {
            format!("  ({})", self.by.join(", "))
        };
        Line::new(
            Symbol::Person,
            "people",
            verb,
            format!("\"{}\"{who}", self.question),
        )
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
