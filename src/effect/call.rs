//! Send one HTTP request that may change something.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Class, Confinement, Line, Meaning, Permission, Sandbox, Symbol};
use crate::text::Text;

/// Sends one request and reads its answer; anything but the answer that is expected is a failure. Whether a
/// request whose answer was lost, or which was answered with a 5xx, has changed anything, nobody can ask.
///
/// Outputs: `status`; `body` (its beginning, without the line break at the end).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallHttp {
    /// How.
    pub method: Method,
    /// `http://` or `https://`; redirects are not followed.
    pub url: Text,
    /// Further headers. Never secrets: plans and reports show them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Text>,
    /// What is sent.
    #[serde(default)]
    pub body: Body,
    /// A file whose text is sent as a bearer token. It is read when the request is sent, by the machine that
    /// sends it, and is in no plan, journal or report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Exactly this status; none: any of 200 to 299.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The answer's body holds this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<String>,
    /// The time allowed for one answer, in milliseconds.
    pub answer_within_ms: u64,
    /// To send it twice is to send it once, says the runbook.
    pub repeatable: bool,
}

/// Of a request. `GET` is a probe's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Do something, or make something.
    Post,
    /// Make this be so.
    Put,
    /// Change a part.
    Patch,
    /// Take it away.
    Delete,
}

/// What is sent with a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// Nothing.
    #[default]
    None,
    /// This text, all of which was known when planning.
    Text(String),
    /// A JSON object of texts. Values may come late: they are written as JSON strings, so that none of them
    /// can become a second field.
    Json(BTreeMap<String, Text>),
}

impl Method {
    /// As HTTP writes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl CallHttp {
    /// In words: `200`, `a status of 200 to 299 and "frozen"`.
    pub fn expected(&self) -> String {
        let status = self
            .status
            .map_or_else(|| "2xx".to_owned(), |status| status.to_string());
        match &self.holds {
            Some(text) => format!("{status} with \"{text}\""),
            None => status,
        }
    }
}

impl Meaning for CallHttp {
    fn class(&self) -> Class {
        if self.repeatable {
            Class::Converge
        } else {
            Class::Once
        }
    }

    fn destructive(&self) -> bool {
        self.method == Method::Delete
    }

    fn site(&self) -> Option<&str> {
        None
    }

    fn line(&self) -> Line {
        let symbol = if self.destructive() {
            Symbol::Destructive
        } else {
            Symbol::Change
        };
        let what = format!("{} {} = {}", self.method.word(), self.url, self.expected());
        Line::new(symbol, "", "http", what)
    }

    fn permissions(&self) -> Vec<Permission> {
        Vec::new()
    }

    fn late(&mut self) -> Vec<&mut Text> {
        let mut all = vec![&mut self.url];
        all.extend(self.headers.values_mut());
        if let Body::Json(fields) = &mut self.body {
            all.extend(fields.values_mut());
        }
        all
    }

    /// An address that does not name the drill's namespace is somebody's production.
    fn confine(&mut self, sandbox: &Sandbox) -> Confinement {
        if sandbox.leads_inside(&self.url) {
            return Confinement::Confined(vec!["is sent to the drill's own namespace".into()]);
        }
        Confinement::Refused {
            why: "in a drill this request would reach production".into(),
            hint: "name the namespace in the address with `${namespaces.<name>}`, or write `drill: skip` or `drill: as-is` at this step".into(),
        }
    }
}
