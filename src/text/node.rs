//! A YAML document as a tree in which every key and value knows where it was written.

use super::{Span, Spanned, Text};

/// A mapping's key.
pub type Key = Spanned<String>;

/// One value of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: NodeValue,
    /// Where it stands.
    pub span: Span,
}

/// What a node can be. Keys of a mapping are unique: the reader refuses duplicates.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeValue {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false` and nothing else (`no` is a string here).
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Everything else that is not a collection.
    String(String),
    /// A string of which a part is known only while running. Made by planning, never by
    /// the reader.
    Late(Text),
    /// A list.
    Sequence(Vec<Node>),
    /// A map, in the order in which it was written.
    Mapping(Vec<(Key, Node)>),
}

impl Node {
    /// The entry of this name, if this is a mapping that has one.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entry(name).map(|(_, node)| node)
    }

    /// The entry of this name with its key.
    pub fn entry(&self, name: &str) -> Option<&(Key, Self)> {
        self.entries().iter().find(|(key, _)| key.value == name)
    }

    /// All entries; none if this is not a mapping.
    pub fn entries(&self) -> &[(Key, Self)] {
        match &self.value {
            NodeValue::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The string, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            NodeValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// What a person calls this kind of value: `a string`, `a list` …
    pub const fn noun(&self) -> &'static str {
        match self.value {
            NodeValue::Null => "nothing",
            NodeValue::Bool(_) => "a boolean",
            NodeValue::Integer(_) => "a whole number",
            NodeValue::Float(_) => "a number",
            NodeValue::String(_) => "a string",
            NodeValue::Late(_) => "a value known only while running",
            NodeValue::Sequence(_) => "a list",
            NodeValue::Mapping(_) => "a map",
        }
    }
}
