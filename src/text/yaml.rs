//! YAML text to nodes, and values to YAML text. The only module that names the YAML crates.
//!
//! What is read is a small, plain YAML: maps, lists, text, and numbers and booleans as JSON writes
//! them. Everything else that looks like a value is text: `no`, `0755`, `1_000`, `0x1F`, `2026-11-22`.
//! Anchors, aliases, merge keys, tags and duplicate keys are refused with their places, all of them at
//! once; after a syntax error nothing more of that file is read.
//!
//! ## Why events and not serde
//!
//! `serde-saphyr` reads YAML into serde types by way of a parser that it exports, and that is used here. For a runbook of 10,000
//! steps (937 KB, release build) it took 118 ms to a tree with spans and the parser's events alone 31 ms;
//! this module takes 35 ms for 887 KB. It also stops at the first duplicate key, hides anchors and forgets whether a
//! scalar was in quotes. So the tree is built here from events, in one pass without recursion.
//!
//! ## Why these limits
//!
//! Measured in a release build on two busy cores, best of ten: `load` refuses 200 KB of `[`, `{` or `- `, a
//! map nested 1,400 deep, 80,000 anchors, an alias bomb, 140,000 tags and 150,000 documents in less than
//! 1 ms each, and 1 MiB of equal keys in 28 ms, of different keys in 39 ms, of list entries in 35 ms; one
//! scalar of 1 MiB is read in less than 7 ms. What keeps it linear is the parser (a simple key is looked
//! for within 1,024 characters, depth is limited while scanning), [`NODES_MAX`], and that a thousand
//! mistakes end the reading.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;
use serde_saphyr::granit_parser::{self, ErrorKind, Event, Parser, ScalarStyle, ScanError};

use super::{Diagnostic, Diagnostics, Key, Node, NodeValue, SourceId, Sources, Span, codes, quote};

/// The largest file, in bytes: 10,000 terse steps, which is the most that a runbook may have.
pub const SIZE_MAX: usize = 1 << 20;
/// How deep lists and maps may stand in each other. Runbooks need fewer than ten.
pub const DEPTH_MAX: usize = 64;
/// How many keys and values one file may hold: 10,000 steps of 20.
pub const NODES_MAX: usize = 200_000;
/// How many documents one file may hold: one inventory and one runbook are meant, and a folder's worth
/// may be strung together by a script.
pub const DOCUMENTS_MAX: usize = 1_000;

/// Reads all documents of a file; empty ones are left out.
///
/// What is wrong is added to `found`. A document that uses an alias is not returned, because its
/// values are not where they seem to be; all others are, as far as they could be read.
pub fn load(sources: &Sources, id: SourceId, found: &mut Diagnostics) -> Vec<Node> {
    let text = sources.get(id).map_or("", |source| source.text.as_str());
    if text.len() > SIZE_MAX {
        let message = format!("the file has {} bytes, more than {SIZE_MAX}", text.len());
        found.push(Diagnostic::error(
            codes::TOO_LARGE,
            message,
            span_of(id, 0, 0),
            "not read",
        ));
        return Vec::new();
    }
    let mut reader = Reader {
        id,
        found,
        open: Vec::new(),
        documents: Vec::new(),
        nodes: 0,
        aliased: false,
    };
    if let Err(fatal) = reader.read(text) {
        reader.found.push(*fatal);
    }
    reader.documents
}

/// A value that YAML has no way to write, such as a map whose keys are lists.
#[derive(Debug, thiserror::Error)]
#[error("cannot be written as YAML: {0}")]
pub struct Unwritable(String);

/// Writes a value as one YAML document.
///
/// # Errors
///
/// [`Unwritable`], for a type that YAML cannot hold.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, Unwritable> {
    let written = serde_yaml::to_string(value).map_err(|error| Unwritable(error.to_string()))?;
    if !written.contains(OLD_BREAKS) {
        return Ok(written);
    }
    let mut json = serde_json::to_string_pretty(value).map_err(|error| Unwritable(error.to_string()))?;
    for letter in OLD_BREAKS {
        json = json.replace(letter, &format!("\\u{:04x}", u32::from(letter)));
    }
    json.push('\n');
    Ok(json)
}

/// Line breaks of YAML 1.1 that are letters in 1.2. The writer takes them for breaks and adds spaces that
/// the reader keeps, so a value that holds one is written as JSON, which is YAML as well.
const OLD_BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// What ends the reading of a file.
type Fatal = Box<Diagnostic>;

struct Reader<'a> {
    id: SourceId,
    found: &'a mut Diagnostics,
    /// Lists and maps that have begun and not ended, the outermost first.
    open: Vec<Open>,
    documents: Vec<Node>,
    nodes: usize,
    /// Whether the current document holds an alias.
    aliased: bool,
}

/// A list or map that has not ended.
struct Open {
    span: Span,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<(Key, Node)>,
        /// Read and waiting for its value.
        key: Option<Key>,
    },
}

impl Reader<'_> {
    fn read(&mut self, text: &str) -> Result<(), Fatal> {
        let mut options = granit_parser::options! {
            flow_nesting_limit: DEPTH_MAX,
            block_nesting_limit: DEPTH_MAX,
            disallow_directives: true,
            emit_unresolved_aliases: true,
            emit_anchor_events: true,
        };
        options.set_emit_comments(false);
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| Box::new(self.syntax(text, &error)))?;
            self.event(event, span)?;
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, at: granit_parser::Span) -> Result<(), Fatal> {
        let span = self.span(&at);
        if self.found.is_full() {
            return Err(Box::new(too_large("mistakes", Diagnostics::KEPT_MAX, span)));
        }
        if let Some(tag) = at.tag_span() {
            self.refuse("a tag", self.span(&tag));
        }
        match event {
            Event::Scalar(text, style, ..) => self.scalar(text, style, span),
            Event::SequenceStart(..) => self.begin(Content::Sequence(Vec::new()), span),
            Event::MappingStart(..) => self.begin(Content::mapping(), span),
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(_) | Event::UnresolvedAlias(_) => self.alias(span),
            Event::Anchor(..) => {
                self.refuse("an anchor", span);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, text: Cow<'_, str>, style: ScalarStyle, span: Span) -> Result<(), Fatal> {
        let plain = style == ScalarStyle::Plain;
        // The parser says `~` for nothing at all.
        let absent = plain && span.start == span.end;
        if self.expects_key() {
            return self.key(if absent { Cow::Borrowed("") } else { text }, span);
        }
        let value = match (absent, plain) {
            (true, _) => NodeValue::Null,
            (_, true) => plain_value(text),
            _ => NodeValue::String(text.into_owned()),
        };
        // Nothing has no place of its own: it is shown where its key is.
        let span = if absent {
            self.key_span().unwrap_or(span)
        } else {
            span
        };
        self.put(Node { value, span })
    }

    fn key(&mut self, text: Cow<'_, str>, span: Span) -> Result<(), Fatal> {
        self.count(span)?;
        if text.is_empty() || text.contains('\n') {
            let diagnostic = Diagnostic::error(codes::BAD_KEY, "a key has to be text on one line", span, "");
            self.found.push(diagnostic);
        }
        if text == "<<" {
            self.refuse("a merge key", span);
        }
        if let Some(Open {
            content: Content::Mapping { key, .. },
            ..
        }) = self.open.last_mut()
        {
            *key = Some(Key::new(text.into_owned(), span));
        }
        Ok(())
    }

    fn alias(&mut self, span: Span) -> Result<(), Fatal> {
        self.refuse("an alias", span);
        self.aliased = true;
        if self.expects_key() {
            return self.key(Cow::Borrowed("*"), span);
        }
        let value = NodeValue::Null;
        self.put(Node { value, span })
    }

    fn begin(&mut self, content: Content, span: Span) -> Result<(), Fatal> {
        if self.expects_key() {
            let message = "a key has to be text, not a list or map";
            return Err(Box::new(Diagnostic::error(codes::BAD_KEY, message, span, "")));
        }
        self.count(span)?;
        if self.open.len() == DEPTH_MAX {
            return Err(Box::new(too_deep(span)));
        }
        self.open.push(Open { span, content });
        Ok(())
    }

    fn end(&mut self, span: Span) -> Result<(), Fatal> {
        let Some(Open { span: begun, content }) = self.open.pop() else {
            return Ok(());
        };
        // The end of a block is noticed at the next thing after it; that of `[…]` and `{…}` is a
        // character of its own.
        let bracket = span.end > span.start;
        let (value, last) = match content {
            Content::Sequence(items) => {
                let last = items.last().map(|node| node.span.end);
                (NodeValue::Sequence(items), last)
            }
            Content::Mapping { entries, .. } => {
                let last = entries.last().map(|(key, node)| key.span.end.max(node.span.end));
                (NodeValue::Mapping(unique(entries, self.found)), last)
            }
        };
        let end = if bracket {
            span.end
        } else {
            last.unwrap_or(begun.end)
        };
        let span = Span {
            end: end.max(begun.end),
            ..begun
        };
        self.nodes -= 1;
        self.put(Node { value, span })
    }

    /// Puts a finished value where it belongs.
    fn put(&mut self, node: Node) -> Result<(), Fatal> {
        self.count(node.span)?;
        match self.open.last_mut().map(|open| &mut open.content) {
            Some(Content::Sequence(list)) => list.push(node),
            Some(Content::Mapping { entries, key }) => {
                if let Some(key) = key.take().filter(|key| key.value != "<<") {
                    entries.push((key, node));
                }
            }
            None => {
                let aliased = std::mem::take(&mut self.aliased);
                let empty = node.value == NodeValue::Null;
                if self.documents.len() == DOCUMENTS_MAX && !empty {
                    return Err(Box::new(too_large("documents", DOCUMENTS_MAX, node.span)));
                }
                if !aliased && !empty {
                    self.documents.push(node);
                }
            }
        }
        Ok(())
    }

    fn count(&mut self, span: Span) -> Result<(), Fatal> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(Box::new(too_large("keys and values", NODES_MAX, span)));
        }
        Ok(())
    }

    fn refuse(&mut self, what: &str, span: Span) {
        let message = format!("{what} is not read here");
        let diagnostic = Diagnostic::error(codes::NOT_PLAIN_YAML, message, span, "write out what is meant");
        self.found.push(diagnostic);
    }

    fn expects_key(&self) -> bool {
        let content = self.open.last().map(|open| &open.content);
        matches!(content, Some(Content::Mapping { key: None, .. }))
    }

    fn key_span(&self) -> Option<Span> {
        match &self.open.last()?.content {
            Content::Mapping { key, .. } => key.as_ref().map(|key| key.span),
            Content::Sequence(_) => None,
        }
    }

    fn span(&self, at: &granit_parser::Span) -> Span {
        let range = at.byte_range().unwrap_or(0..0);
        span_of(self.id, range.start, range.end)
    }

    fn syntax(&self, text: &str, error: &ScanError) -> Diagnostic {
        let start = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
        let width = text.get(start..).and_then(|rest| rest.chars().next());
        let end = start + width.filter(|next| *next != '\n').map_or(0, char::len_utf8);
        let span = span_of(self.id, start, end);
        match error.kind() {
            ErrorKind::RecursionLimitExceeded => too_deep(span),
            _ => Diagnostic::error(codes::SYNTAX, "this is not YAML", span, error.info())
                .help(syntax_help(text, start)),
        }
    }
}

impl Content {
    const fn mapping() -> Self {
        Self::Mapping {
            entries: Vec::new(),
            key: None,
        }
    }
}

/// The likeliest reason, if there is one: `{ replicas: ${inputs.replicas} }` without quotes.
fn syntax_help(text: &str, at: usize) -> &'static str {
    let line = text
        .get(..at)
        .and_then(|before| before.rsplit('\n').next())
        .unwrap_or("");
    if line.contains("${") {
        "inside { } and [ ], `${…}` has to stand between quotes; nothing after this place was read"
    } else {
        "nothing after this place was read"
    }
}

fn too_deep(span: Span) -> Diagnostic {
    let message = format!("lists and maps stand more than {DEPTH_MAX} deep in each other");
    Diagnostic::error(codes::TOO_DEEP, message, span, "not read from here on")
}

fn too_large(what: &str, most: usize, span: Span) -> Diagnostic {
    let message = format!("the file holds more than {most} {what}");
    Diagnostic::error(codes::TOO_LARGE, message, span, "not read from here on")
}

/// Leaves out keys that are there already, and says so.
fn unique(entries: Vec<(Key, Node)>, found: &mut Diagnostics) -> Vec<(Key, Node)> {
    let first = first_of_each(&entries);
    if first.iter().enumerate().all(|(index, first)| index == *first) {
        return entries;
    }
    for (index, first) in first.iter().enumerate().filter(|(index, first)| index != *first) {
        let (again, before) = (&entries[index].0, &entries[*first].0);
        let message = format!("the key {} is there twice", quote(&again.value));
        let diagnostic = Diagnostic::error(codes::DUPLICATE_KEY, message, again.span, "here again");
        found.push(diagnostic.and(before.span, "first here"));
    }
    let kept = entries
        .into_iter()
        .enumerate()
        .filter(|(index, _)| *index == first[*index]);
    kept.map(|(_, entry)| entry).collect()
}

/// For each entry the first one with its key.
fn first_of_each(entries: &[(Key, Node)]) -> Vec<usize> {
    /// Up to here looking through all is faster than hashing.
    const FEW: usize = 16;
    let key = |index: usize| entries[index].0.value.as_str();
    if entries.len() <= FEW {
        let first = |index: usize| {
            (0..index)
                .find(|earlier| key(*earlier) == key(index))
                .unwrap_or(index)
        };
        return (0..entries.len()).map(first).collect();
    }
    // Only looked up, never iterated over: its order cannot be seen.
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(entries.len());
    (0..entries.len())
        .map(|index| *seen.entry(key(index)).or_insert(index))
        .collect()
}

/// What text without quotes is. Numbers are those of JSON; everything else that other readers take for
/// a number or a boolean is text.
fn plain_value(text: Cow<'_, str>) -> NodeValue {
    match text.as_ref() {
        "null" | "~" => NodeValue::Null,
        "true" => NodeValue::Bool(true),
        "false" => NodeValue::Bool(false),
        _ => number(&text).unwrap_or_else(|| NodeValue::String(text.into_owned())),
    }
}

fn number(text: &str) -> Option<NodeValue> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let first = *digits.as_bytes().first()?;
    let leading_zero = first == b'0' && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if !first.is_ascii_digit() || leading_zero {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(NodeValue::Integer);
    }
    let json: serde_json::Number = serde_json::from_str(text).ok()?;
    json.as_f64()
        .filter(|float| float.is_finite())
        .map(NodeValue::Float)
}

fn span_of(source: SourceId, start: usize, end: usize) -> Span {
    // A file is at most 1 MiB long.
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span {
        source,
        start: offset(start),
        end: offset(end.max(start)),
    }
}

#[cfg(test)]
mod tests;
