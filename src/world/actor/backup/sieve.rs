//! What of all that was listed goes into a backup. Pure: objects in, objects out, and what was left out.
//!
//! Runs on a thread that may take its time: reading, sorting and compressing JSON is most of the work.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::choose::{Chosen, Line};
use crate::archive::LeftOut;
use crate::effect::{ErrorKind, Selection, WorldError};
use crate::objects::{ApiKind, ObjectId, Related, left_out_of_backup, names_veleros_hook};
use crate::world::actor::marks::{counted, text};
use crate::world::port::Listing;

/// Takes what is meant, kind by kind.
pub(in crate::world::actor) trait Sink: Send + 'static {
    /// The next object; those of a kind come after each other.
    fn take(&mut self, kind: &ApiKind, object: Value) -> Result<(), WorldError>;
}

/// Which objects are meant, and what was seen of them so far.
pub(super) struct Sieve {
    selection: Selection,
    namespaces: BTreeSet<String>,
    related: Related,
    /// Names of the present kind, where several listings may bring the same object.
    seen: BTreeSet<String>,
    left_out: BTreeSet<LeftOut>,
    site: String,
    pub(super) taken: usize,
    /// Pods that name hooks for Velero.
    hooked: usize,
}

/// What the sieve must know of a line.
pub(super) struct Of {
    pub(super) kind: ApiKind,
    only_related: bool,
}

impl Of {
    pub(super) fn line(line: &Line) -> Arc<Self> {
        Arc::new(Self {
            kind: line.kind.clone(),
            only_related: line.only_related,
        })
    }

    pub(super) fn kind(kind: ApiKind) -> Arc<Self> {
        Arc::new(Self {
            kind,
            only_related: false,
        })
    }
}

impl Sieve {
    pub(super) fn new(site: &str, selection: &Selection, chosen: &Chosen) -> Self {
        Self {
            selection: selection.clone(),
            namespaces: chosen.namespaces.iter().cloned().collect(),
            related: Related::default(),
            seen: BTreeSet::new(),
            left_out: chosen.left_out.iter().cloned().collect(),
            site: site.to_owned(),
            taken: 0,
            hooked: 0,
        }
    }

    /// The next kind begins.
    pub(super) fn next_kind(&mut self) {
        self.seen.clear();
    }

    /// Gives what is meant of a page to the sink.
    pub(super) fn page(
        &mut self,
        of: &Of,
        items: Vec<Bytes>,
        sink: &mut impl Sink,
    ) -> Result<(), WorldError> {
        for item in items {
            let object = Listing::object(&of.kind, &item).map_err(|error| {
                let message = format!("list {}: an item is not JSON", of.kind.resource());
                WorldError::new(ErrorKind::Damaged, &self.site, message).caused_by(&error)
            })?;
            if self.keeps(of, &object) {
                self.related.note(&of.kind, &object);
                self.taken += 1;
                self.hooked += usize::from(names_veleros_hook(&object).is_some());
                sink.take(&of.kind, object)?;
            }
        }
        Ok(())
    }

    fn keeps(&mut self, of: &Of, object: &Value) -> bool {
        if !self.meant(of, object) {
            return false;
        }
        let why = left_out_of_backup(object);
        if let (Some(why), Some(id)) = (why, ObjectId::of(object)) {
            self.left_out.insert(LeftOut {
                what: id.to_string(),
                why: why.to_owned(),
            });
        }
        why.is_none()
    }

    fn meant(&mut self, of: &Of, object: &Value) -> bool {
        if !of.kind.namespaced {
            // The chosen namespaces are listed apart.
            let namespace = of.kind.plural == "namespaces" && of.kind.group.is_empty();
            return namespace
                || self.related.names(object)
                || !of.only_related && self.selection.takes_labels(object);
        }
        let place = text(object, "/metadata/namespace");
        self.namespaces.contains(place) && (self.selection.labels.len() < 2 || self.first(place, object))
    }

    /// Several selectors may match the same object: it is taken where it comes first.
    fn first(&mut self, place: &str, object: &Value) -> bool {
        let name = text(object, "/metadata/name");
        self.seen.insert(format!("{place}/{name}"))
    }

    /// What was left out, sorted.
    pub(super) fn left_out(mut self) -> Vec<LeftOut> {
        if self.hooked > 0 {
            self.left_out.insert(LeftOut {
                what: format!("Velero's hooks on {}", counted(self.hooked, "pod")),
                why: "lifeboat does not run them, before or after a backup".to_owned(),
            });
        }
        self.left_out.into_iter().collect()
    }
}
