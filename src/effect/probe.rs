//! Look from outside whether something answers.

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
use crate::text::Text;

/// Asks until it was answered well several times in a row. Fails as `NotYet` while it is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// What to ask.
    pub target: Target,
    /// How many good answers in a row prove health.
    pub successes: u32,
    /// Between two looks, in milliseconds.
    pub interval_ms: u64,
    /// The time allowed for one look, in milliseconds.
    pub look_timeout_ms: u64,
}

/// What a probe asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// `GET` of an address; redirects are not followed.
    Http {
        /// `http://` or `https://`.
        url: Text,
        /// What a good answer is.
        expect: HttpExpect,
    },
    /// Opening a connection to `host:port` is a good answer.
    Tcp {
        /// `host:port`.
        address: Text,
    },
}

/// A good answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpExpect {
    /// Exactly this status.
    pub status: u16,
    /// The body holds this text.
    pub body: Option<String>,
}

impl Target {
    /// The address, with whatever is still late in it.
    pub const fn address(&self) -> &Text {
        match self {
            Self::Http { url, .. } => url,
            Self::Tcp { address } => address,
        }
    }

    const fn address_mut(&mut self) -> &mut Text {
        match self {
            Self::Http { url, .. } => url,
            Self::Tcp { address } => address,
        }
    }
}

impl Meaning for Probe {
    fn class(&self) -> Class {
        Class::Read
    }

    fn site(&self) -> Option<&str> {
        None
    }

    fn line(&self) -> Line {
        let what = match &self.target {
            Target::Http { url, expect } => match &expect.body {
                Some(body) => format!("GET {url} = {} with \"{body}\"", expect.status),
                None => format!("GET {url} = {}", expect.status),
            },
            Target::Tcp { address } => format!("TCP {address} accepts"),
        };
        Line::new(Symbol::Observe, "", "probe", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        Vec::new()
    }

    fn late(&mut self) -> Vec<&mut Text> {
        vec![self.target.address_mut()]
    }

    /// A probe that does not name the drill's namespace would look at production and prove nothing.
    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        if sandbox.leads_inside(self.target.address()) {
            return Confinement::Confined(vec!["looks at the drill's own namespace".into()]);
        }
        Confinement::Refused {
            why: "in a drill this probe would look at production and prove nothing about the recovery".into(),
            hint: "name the namespace in the address with `${namespaces.<name>}`, or write `drill: skip` or `drill: as-is` at this step".into(),
        }
    }
}
