//! What the API servers were really asked: read from their audit logs, which lifeboat does not write.
//! Shares no code with the product.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// The user of the kubeconfig that lifeboat is given.
const TOOL: &str = "lifeboat-lab";

/// Kinds of which no object is ever kept: to create one is to ask a question.
const REVIEWS: [&str; 3] = [
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "selfsubjectreviews",
];

/// All requests to one API server, in the order in which they were answered.
pub(crate) struct Log {
    events: Vec<Value>,
}

fn text<'a>(event: &'a Value, pointer: &str) -> &'a str {
    event.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

impl Log {
    /// Reads a log; a line that is still being written is left out.
    pub(crate) fn read(path: &Path) -> Self {
        Self::read_lines(path, |_| true)
    }

    /// Reads those requests in which this name stands as a value. A log of hundreds of runs is large, and its other lines are
    /// not even parsed.
    #[cfg(feature = "http")]
    pub(crate) fn read_about(path: &Path, name: &str) -> Self {
        let value = Value::from(name).to_string();
        Self::read_lines(path, |line| line.contains(&value))
    }

    fn read_lines(path: &Path, wanted: impl Fn(&str) -> bool) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().filter(|line| wanted(line));
        Self {
            events: lines.filter_map(|line| serde_json::from_str(line).ok()).collect(),
        }
    }

    /// Requests of the user that lifeboat has.
    pub(crate) fn of_tool(&self) -> impl Iterator<Item = &Value> {
        self.events
            .iter()
            .filter(|event| text(event, "/user/username") == TOOL)
    }

    /// Requests of everybody whose name begins so.
    pub(crate) fn of_users(&self, begins: &str) -> Vec<&Value> {
        let theirs = |event: &&Value| text(event, "/user/username").starts_with(begins);
        self.events.iter().filter(theirs).collect()
    }

    /// Whether it asks for a change. A review is created to ask something: what one may do, or who one is.
    pub(crate) fn changes_something(event: &Value) -> bool {
        let asks = REVIEWS.contains(&text(event, "/objectRef/resource"));
        !asks && !matches!(text(event, "/verb"), "get" | "list" | "watch")
    }

    /// What lifeboat asked whether it may do it: verb, group and resource.
    pub(crate) fn reviews(&self) -> Vec<String> {
        let about = "/requestObject/spec/resourceAttributes";
        let asks = self.of_tool().filter_map(|event| event.pointer(about));
        asks.map(|right| {
            let word = |name: &str| right[name].as_str().unwrap_or("").to_owned();
            [word("verb"), word("group"), word("resource")].join(" ")
        })
        .collect()
    }

    /// Requests of anybody about a resource in a namespace, changes with what was sent.
    pub(crate) fn of(&self, resource: &str, namespace: &str) -> Vec<&Value> {
        let about = |event: &&Value| {
            text(event, "/objectRef/resource") == resource && text(event, "/objectRef/namespace") == namespace
        };
        self.events.iter().filter(about).collect()
    }

    /// Those that change something, dry runs included.
    pub(crate) fn changes(&self) -> Vec<&Value> {
        self.of_tool()
            .filter(|event| Self::changes_something(event))
            .collect()
    }

    /// Uids of the objects that lifeboat's own requests made: answers 201 with an object.
    pub(crate) fn made(&self) -> BTreeSet<String> {
        self.changes()
            .into_iter()
            .filter(|event| event.pointer("/responseStatus/code") == Some(&Value::from(201)))
            .map(|event| text(event, "/responseObject/metadata/uid").to_owned())
            .collect()
    }

    /// `namespace/name` of lifeboat's own requests of which it cannot have had an answer: the server
    /// logs them as errors of its own, and may have carried them out.
    pub(crate) fn unanswered(&self) -> BTreeSet<String> {
        self.changes()
            .into_iter()
            .filter(|event| event.pointer("/responseStatus/code").and_then(Value::as_u64) >= Some(500))
            .map(|event| {
                format!(
                    "{}/{}",
                    text(event, "/objectRef/namespace"),
                    text(event, "/objectRef/name")
                )
            })
            .collect()
    }

    /// One line for people: `patch deployments shop/web 200`.
    pub(crate) fn line(event: &Value) -> String {
        format!(
            "{} {} {}/{} {}",
            text(event, "/verb"),
            text(event, "/objectRef/resource"),
            text(event, "/objectRef/namespace"),
            text(event, "/objectRef/name"),
            event
                .pointer("/responseStatus/code")
                .map_or_else(String::new, Value::to_string),
        )
    }

    /// The namespace that a request is about: its own, or the one that it names.
    pub(crate) fn namespace(event: &Value) -> &str {
        let named = text(event, "/objectRef/namespace");
        if named.is_empty() && text(event, "/objectRef/resource") == "namespaces" {
            let name = text(event, "/objectRef/name");
            if name.is_empty() {
                text(event, "/requestObject/metadata/name")
            } else {
                name
            }
        } else {
            named
        }
    }

    /// When a request arrived.
    pub(crate) fn arrived(event: &Value) -> jiff::Timestamp {
        text(event, "/requestReceivedTimestamp").parse().unwrap()
    }

    /// When it was answered.
    pub(crate) fn answered(event: &Value) -> jiff::Timestamp {
        text(event, "/stageTimestamp").parse().unwrap()
    }

    /// Requests of the lab's front about a namespace: what a probe made it ask.
    pub(crate) fn front_looks(&self, namespace: &str) -> Vec<&Value> {
        self.events
            .iter()
            .filter(|event| text(event, "/user/username") == "lab-supervisor")
            .filter(|event| text(event, "/objectRef/namespace") == namespace)
            .collect()
    }
}
