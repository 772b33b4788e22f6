//! From files to a runbook and an inventory of sites, with everything that is wrong with them.
//!
//! A runbook is returned as far as it could be read, so that later checks add what they find. Only the
//! language is checked here; whether a step's parameters make sense is asked in [`crate::step`].
//!
//! ## Why two passes
//!
//! A document is first held against the schema of [`super::form`], which reports keys, types, words and
//! ranges; then it is read by accessors that take what is there and pass over what was reported. No
//! mistake is reported twice, and none hides another.

mod continuity;
mod dns;
mod graph;
mod journal;
mod notify;
mod pins;
mod recovery;
mod schedule;
mod service;
mod sites;
mod steps;

pub(crate) use dns::outside as outside_zones;

use std::path::{Component, Path, PathBuf};

use super::form::{API_VERSION, PinsForm, RunbookForm, SitesForm};
use super::{Pins, Runbook, Sites};
use crate::text::{
    Conform, Diagnostic, Diagnostics, Millis, Node, NodeValue, Source, SourceId, Sources, Span, Spanned,
    codes, is_name, quote, sha256_hex, yaml,
};

/// What files say.
#[derive(Debug)]
pub struct Loaded {
    /// The runbook, as far as it could be read.
    pub runbook: Option<Runbook>,
    /// The inventory, as far as it could be read.
    pub sites: Option<Sites>,
    /// Everything that is wrong with them, in the order of their places.
    pub diagnostics: Diagnostics,
}

/// Reads one or more files, each with one or more documents. `kinds` are the names of the step kinds.
pub fn load(sources: &Sources, ids: &[SourceId], kinds: &[&str]) -> Loaded {
    let mut loader = Loader {
        kinds,
        runbook: None,
        sites: None,
        pins: None,
        found: Diagnostics::default(),
    };
    for id in ids {
        let Some(source) = sources.get(*id) else { continue };
        for node in yaml::load(sources, *id, &mut loader.found) {
            loader.document(source, node);
        }
    }
    loader.finish()
}

struct Loader<'a> {
    kinds: &'a [&'a str],
    runbook: Option<(Runbook, Span)>,
    sites: Option<(Sites, Span)>,
    pins: Option<(Pins, Node)>,
    found: Diagnostics,
}

impl Loader<'_> {
    fn document(&mut self, source: &Source, node: Node) {
        let folder = Path::new(&source.name)
            .parent()
            .unwrap_or(Path::new(""))
            .to_owned();
        let kind = node.entry("kind").map(|(key, value)| (key.span, value.clone()));
        match kind.as_ref().and_then(|(_, value)| value.as_str()) {
            Some("Runbook") => self.runbook(source, &folder, node),
            Some("Sites") => self.sites(&folder, node),
            Some("Pins") => self.pins(node),
            _ => self.found.push(unknown_document(&node, kind)),
        }
    }

    fn runbook(&mut self, source: &Source, folder: &Path, mut node: Node) {
        let span = node.span;
        self.conform(&schemars::schema_for!(RunbookForm).to_value(), &mut node);
        let runbook = Runbook {
            digest: sha256_hex(source.text.as_bytes()),
            ..service::read(node, folder, self.kinds, &mut self.found)
        };
        match &self.runbook {
            Some((_, first)) => self.found.push(second("runbook", span, *first)),
            None => self.runbook = Some((runbook, span)),
        }
    }

    fn sites(&mut self, folder: &Path, mut node: Node) {
        self.conform(&schemars::schema_for!(SitesForm).to_value(), &mut node);
        let sites = sites::read(&node, folder, &mut self.found);
        match &self.sites {
            Some((_, first)) => self.found.push(second("inventory of sites", node.span, *first)),
            None => self.sites = Some((sites, node.span)),
        }
    }

    fn pins(&mut self, mut node: Node) {
        self.conform(&schemars::schema_for!(PinsForm).to_value(), &mut node);
        let pins = pins::read(&node, &mut self.found);
        match &self.pins {
            Some((_, first)) => self.found.push(second("document of pins", node.span, first.span)),
            None => self.pins = Some((pins, node)),
        }
    }

    fn conform(&mut self, schema: &serde_json::Value, node: &mut Node) {
        let owner = node.entry("kind").map_or(node.span, |(_, value)| value.span);
        Conform::new(schema, &()).check(node, owner, &mut self.found);
    }

    fn finish(mut self) -> Loaded {
        if let (Some((runbook, _)), Some((sites, _))) = (&self.runbook, &self.sites) {
            check_roles(runbook, sites, &mut self.found);
        }
        if let (Some((sites, _)), Some((pins, node))) = (&mut self.sites, self.pins) {
            pins::check(&node, &pins, sites, &mut self.found);
            sites.pins = pins;
        }
        self.found.settle();
        Loaded {
            runbook: self.runbook.map(|(runbook, _)| runbook),
            sites: self.sites.map(|(sites, _)| sites),
            diagnostics: self.found,
        }
    }
}

fn check_roles(runbook: &Runbook, sites: &Sites, found: &mut Diagnostics) {
    for (role, site) in &runbook.roles {
        if !sites.sites.contains_key(&site.value) {
            let message = format!(
                "the role {} is given to {}, which is no site",
                quote(role),
                quote(&site.value)
            );
            let known: Vec<&str> = sites.sites.keys().map(String::as_str).collect();
            let diagnostic =
                Diagnostic::error(codes::UNKNOWN_SITE, message, site.span, "no site has this name");
            found.push(diagnostic.meant(&site.value, &known));
        }
    }
}

fn unknown_document(node: &Node, kind: Option<(Span, Node)>) -> Diagnostic {
    let known = ["Runbook", "Sites", "Pins"];
    let (message, span) = match (&node.value, kind) {
        (NodeValue::Mapping(_), Some((key, value))) => match value.as_str() {
            Some(word) => {
                let message = format!("{} is not a kind of document", quote(word));
                let diagnostic =
                    Diagnostic::error(codes::UNKNOWN_DOCUMENT, message, value.span, "unknown kind");
                return diagnostic.meant(word, &known);
            }
            None => (format!("`kind` is {}, not a word", value.noun()), key),
        },
        (NodeValue::Mapping(_), None) => ("the document does not say what it is".into(), node.span),
        _ => (format!("a document is a map, this is {}", node.noun()), node.span),
    };
    let help = format!("begin it with `apiVersion: {API_VERSION}` and `kind: Runbook` or `kind: Sites`");
    Diagnostic::error(codes::UNKNOWN_DOCUMENT, message, span, "not a runbook, not sites").help(help)
}

fn second(what: &str, span: Span, first: Span) -> Diagnostic {
    let message = format!("a second {what}");
    Diagnostic::error(codes::DOCUMENT_COUNT, message, span, "this one is not used")
        .and(first, "the first is here")
}

/// The text under a key, if there is one.
fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key)?.as_str().map(str::to_owned)
}

/// The text under a key with its place.
fn spanned(node: &Node, key: &str) -> Option<Spanned<String>> {
    let value = node.get(key)?;
    Some(Spanned::new(value.as_str()?.to_owned(), value.span))
}

/// The whole number under a key.
fn integer(node: &Node, key: &str) -> Option<i64> {
    match node.get(key)?.value {
        NodeValue::Integer(value) => Some(value),
        _ => None,
    }
}

/// The duration under a key, in milliseconds.
fn millis(node: &Node, key: &str) -> Option<u64> {
    let parsed: Result<Millis, _> = node.get(key)?.as_str()?.parse();
    parsed.ok().map(|millis| millis.0)
}

/// The list under a key; none if there is no list.
fn list<'n>(node: &'n Node, key: &str) -> &'n [Node] {
    match node.get(key).map(|value| &value.value) {
        Some(NodeValue::Sequence(list)) => list,
        _ => &[],
    }
}

/// Takes out what stands under a key: parameters of ten thousand steps need not be copied.
fn take(node: &mut Node, key: &str) -> Option<Node> {
    let NodeValue::Mapping(entries) = &mut node.value else {
        return None;
    };
    let (_, value) = entries.iter_mut().find(|(name, _)| name.value == key)?;
    let nothing = Node {
        value: NodeValue::Null,
        span: value.span,
    };
    Some(std::mem::replace(value, nothing))
}

/// The strings of the list under a key.
fn words(node: &Node, key: &str) -> Vec<String> {
    list(node, key)
        .iter()
        .filter_map(Node::as_str)
        .map(str::to_owned)
        .collect()
}

/// The entries under a key whose names are names; others are reported and left out.
fn named<'n>(node: &'n Node, key: &str, found: &mut Diagnostics) -> Vec<(&'n crate::text::Key, &'n Node)> {
    let entries = node.get(key).map_or(&[] as &[_], Node::entries);
    let mut kept = Vec::new();
    for (key, value) in entries {
        if is_name(&key.value) {
            kept.push((key, value));
        } else {
            found.push(crate::text::bad_name(&key.value, key.span));
        }
    }
    kept
}

/// The path under a key, from the file's folder if it is relative.
fn path(node: &Node, key: &str, folder: &Path) -> Option<PathBuf> {
    Some(join(folder, node.get(key)?.as_str()?))
}

/// A path as a person would write it: without `./`.
fn join(folder: &Path, written: &str) -> PathBuf {
    let joined = folder.join(written);
    let steps = joined.components().filter(|step| *step != Component::CurDir);
    let path: PathBuf = steps.collect();
    if path.as_os_str().is_empty() {
        ".".into()
    } else {
        path
    }
}

#[cfg(test)]
mod tests;
