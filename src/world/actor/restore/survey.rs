//! The first pass over an archive: compares all of it with what was written, looks at the target for
//! each object, and brings everything into order. Nothing is changed.
//!
//! ## Why
//!
//! - Only the end of an archive shows that all of it is what was written, and nothing may be made
//!   before that. So an archive that does not fit into memory is read again to make its objects, and
//!   each object's SHA-256 is compared with that of the first pass.
//! - The SHA-256 of the whole archive covers every object in it. Only where it differs is the manifest
//!   compared object by object, to say what is wrong.
//! - Discovery is asked only for kinds that not every cluster has: a metrics server that does not
//!   answer must not hinder the restore of Deployments.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tokio::sync::mpsc::Receiver;

use super::Written;
use super::danger::Dangers;
use super::declared;
use super::index::{Entry, Index};
use super::judge::{Judged, Looker};
use super::owners::{Owner, link};
use super::prepare::{DEFINITIONS, Fit, Fitter, Unfit, is_candidate, is_chosen};
use super::prune;
use super::stream::{Met, stream};
use crate::archive::Archived;
use crate::effect::{Attempt, ErrorKind, Existing, Fate, RestoreObjects, WorldError};
use crate::objects::{
    ApiKind, Candidates, Gist, ObjectId, Outline, Wish, converts, glob, losers, outline_order,
};
use crate::world::actor::backup::compare;
use crate::world::actor::catalog::{self, Found};
use crate::world::actor::marks::text;
use crate::world::actor::site::Site;
use crate::world::port::{MANAGER, Store};

/// Reads and compares a whole backup. `attempt` is `None` while planning: then no object is kept.
///
/// # Errors
///
/// `Damaged`: it is not what was written. `NotFound`: it holds nothing of what is asked for.
pub(super) async fn survey(
    site: &Site<'_>,
    store: &dyn Store,
    found: &Found,
    written: Option<&Written>,
    effect: &RestoreObjects,
    attempt: Option<&Attempt>,
) -> Result<Index, WorldError> {
    let archive = found.keys.archive();
    let (selection, cluster) = (effect.selection.clone(), effect.cluster);
    let chosen = move |_, archived: &Archived| is_chosen(archived, &selection, cluster);
    let survey = Survey::new(site, effect, attempt);
    let (summary, survey) = stream(store, &archive, chosen, |met| survey.take_all(met)).await?;
    if written.is_some_and(|written| written.archive != summary.archive) {
        return Err(say_what_is_wrong(store, found).await);
    }
    survey.refuse_nothing(store, found)?;
    let kinds = survey.kinds.values().flatten().cloned().collect();
    let mut index = survey.finish();
    index.archive = summary.archive;
    link(&mut index, site, effect).await?;
    if effect.existing == Existing::Prune {
        prune::refuse_partial(site, found, written)?;
        index.strangers = prune::find(&mut index, site, effect, kinds).await?;
        if attempt.is_some() {
            prune::leave_unshown(&mut index, effect);
        }
        index.prune_refused = prune::refusal(&index, effect);
    }
    Ok(index)
}

/// Reads the archive again, against its manifest.
async fn say_what_is_wrong(store: &dyn Store, found: &Found) -> WorldError {
    let compared = async {
        let again = catalog::open(store, found.keys.name()).await?;
        match again.and_then(|again| again.manifest) {
            Some(manifest) => compare(store, &found.keys, &manifest).await,
            None => Ok(()),
        }
    };
    let message = format!("{} changed while it was read", found.keys.archive());
    let changed = WorldError::new(ErrorKind::Damaged, store.address(), message);
    compared.await.err().unwrap_or(changed)
}

struct Survey<'a> {
    site: &'a Site<'a>,
    effect: &'a RestoreObjects,
    fitter: Fitter,
    looker: Looker<'a>,
    keep: bool,
    index: Index,
    outlines: Vec<Outline>,
    /// API version and kind → as the site serves it.
    kinds: BTreeMap<(String, String), Option<ApiKind>>,
    /// Those of them that it serves only in another version: in which one.
    others: BTreeMap<(String, String), String>,
    /// Resources of the objects that were met, and their namespaces.
    resources: BTreeSet<String>,
    namespaces: BTreeSet<String>,
    /// Positions of objects whose kind the site does not serve.
    unserved: Vec<usize>,
    /// What people want to come before what.
    wishes: Vec<Wish>,
    /// Cluster-scoped objects that may be related, by the numbers of [`Known`].
    candidates: Candidates,
    dangers: Dangers,
}

/// Which object of the index a candidate is, as one number.
#[derive(Clone, Copy)]
enum Known {
    Entry(usize),
    Skipped(usize),
}

impl Known {
    const fn number(self) -> usize {
        match self {
            Self::Entry(at) => 2 * at,
            Self::Skipped(at) => 2 * at + 1,
        }
    }

    const fn of(number: usize) -> Self {
        if number.is_multiple_of(2) {
            Self::Entry(number / 2)
        } else {
            Self::Skipped(number / 2)
        }
    }
}

impl<'a> Survey<'a> {
    fn new(site: &'a Site<'a>, effect: &'a RestoreObjects, attempt: Option<&'a Attempt>) -> Self {
        Self {
            site,
            effect,
            fitter: Fitter::new(effect),
            looker: Looker::new(site, effect, attempt),
            keep: attempt.is_some(),
            index: Index {
                updates: effect.existing != Existing::Keep,
                ..Index::default()
            },
            outlines: Vec::new(),
            kinds: BTreeMap::new(),
            others: BTreeMap::new(),
            resources: BTreeSet::new(),
            namespaces: BTreeSet::new(),
            unserved: Vec::new(),
            wishes: declared::of_effect(effect),
            candidates: Candidates::default(),
            dangers: Dangers::default(),
        }
    }

    async fn take_all(mut self, mut met: Receiver<Met>) -> Result<Self, WorldError> {
        while let Some((place, archived)) = met.recv().await {
            self.take(place, archived).await?;
        }
        Ok(self)
    }

    async fn take(&mut self, place: usize, archived: Archived) -> Result<(), WorldError> {
        self.note_names(&archived);
        // A drill makes nothing cluster-scoped: there a definition is not even skipped, it is not part
        // of the selection.
        if archived.resource == DEFINITIONS && self.effect.confined {
            return Ok(());
        }
        let served = self.kind(&archived.id).await?;
        let misplaced = served
            .as_ref()
            .is_some_and(|kind| kind.resource() != archived.resource);
        let of = kind_of(&archived);
        let in_namespace = archived.id.namespace.is_some();
        let namespaced = served.as_ref().map_or(in_namespace, |kind| kind.namespaced);
        let candidate = is_candidate(&archived, self.effect);
        let word = archived.id.path();
        let resource = archived.resource;
        let (fit, refused) = match self.fitter.fit(&resource, archived.object, namespaced) {
            Ok(fit) => (fit, None),
            Err(unfit) if unfit.fate == Fate::Refuse => (Fit::unchanged(unfit.object), Some(unfit.why)),
            Err(unfit) => {
                self.skip(candidate, unfit);
                return Ok(());
            }
        };
        let at = self.index.entries.len();
        if candidate {
            self.candidates
                .wait(Known::Entry(at).number(), Gist::of(&fit.object));
        } else {
            self.candidates.note(&of, &fit.object);
        }
        self.add(place, archived.sha256, served.as_ref(), fit, word)
            .await?;
        // What was chosen went by the archive's word for the kind, which is not the site's.
        if misplaced {
            let why = format!("the archive has it among {resource}, where it does not belong");
            self.index.refuse(at, &why);
        } else if in_namespace != namespaced {
            let wrong = "the backup and the site do not agree whether its kind is in namespaces";
            self.index.refuse(at, wrong);
        } else if let Some(why) = refused {
            self.index.refuse(at, &why);
        }
        Ok(())
    }

    /// Notes what is deliberately not made.
    fn skip(&mut self, candidate: bool, unfit: Unfit) {
        let at = self.index.skipped.len();
        if candidate {
            self.candidates
                .wait(Known::Skipped(at).number(), Gist::of(&unfit.object));
        }
        let id = ObjectId::of(&unfit.object);
        self.index.skipped.extend(id.map(|id| (id, unfit.why)));
    }

    fn note_names(&mut self, archived: &Archived) {
        if !self.resources.contains(&archived.resource) {
            self.resources.insert(archived.resource.clone());
        }
        let namespace = match &archived.id.namespace {
            None if archived.resource == "namespaces" => Some(&archived.id.name),
            namespace => namespace.as_ref(),
        };
        if let Some(namespace) = namespace.filter(|name| !self.namespaces.contains(*name)) {
            self.namespaces.insert(namespace.clone());
        }
    }

    async fn kind(&mut self, id: &ObjectId) -> Result<Option<ApiKind>, WorldError> {
        let key = (id.api_version.clone(), id.kind.clone());
        if let Some(known) = self.kinds.get(&key) {
            return Ok(known.clone());
        }
        let mut kind = self.site.find_kind(id).await?;
        if let Some(found) = &kind
            && let Some(version) = self.site.other_version(found).await?
        {
            self.others.insert(key.clone(), version);
            kind = None;
        }
        self.kinds.insert(key, kind.clone());
        Ok(kind)
    }

    async fn add(
        &mut self,
        place: usize,
        sha256: [u8; 32],
        kind: Option<&ApiKind>,
        fit: Fit,
        word: String,
    ) -> Result<(), WorldError> {
        let object = &fit.object;
        let Some(id) = ObjectId::of(object) else {
            return Ok(());
        };
        let at = self.index.entries.len();
        let judged = if let Some(kind) = kind {
            self.looker.judge(kind, &id, object).await?
        } else {
            self.unserved.push(at);
            Judged::create()
        };
        if !self.keep {
            self.note_losers(at, object, &judged);
            let (demands, names) = (&mut self.index.demands, &mut self.index.names);
            demands.note(kind, &id, object, &judged, names);
        }
        let changes = judged.fate != Fate::Keep || judged.live.as_ref().is_some_and(|live| live.ours);
        self.dangers
            .note(at, word, object, judged.object.as_ref(), changes);
        let owners = Owner::all_of(object, judged.object.as_ref(), &mut self.index.names);
        if !owners.is_empty() {
            self.index.owners.insert(at, owners);
        }
        let (wishes, nonsense) = declared::of_object(object, at, self.effect);
        self.wishes.extend(wishes);
        let notes: Vec<String> = fit.notes.into_iter().chain(nonsense).collect();
        let outline = Outline::of(object, &mut self.index.names);
        let bytes = object.to_string().into_bytes().into_boxed_slice();
        self.index.entries.push(Entry {
            place,
            api_version: self.index.names.number(&id.api_version),
            handle: outline.handle,
            sha256,
            size: bytes.len(),
            fate: judged.fate,
            why: self.index.names.number(&judged.why),
            wave: 0,
            status_due: judged.status_due,
            live: judged.live.map(Box::new),
        });
        self.outlines.push(outline);
        if self.index.is_to_do(at) && object.get("status").is_some() {
            self.index.status += 1;
        }
        if !notes.is_empty() {
            self.index.notes.insert(at, notes);
        }
        if !fit.changed.is_empty() && !self.keep {
            self.index.changed.insert(at, fit.changed);
        }
        if is_definition(&id) {
            let of = |pointer| text(object, pointer).to_owned();
            let brings = (of("/spec/group"), of("/spec/names/kind"));
            let conversion = converts(object);
            let conversions = &mut self.index.conversions;
            conversions.extend(conversion.map(|conversion| (brings.clone(), conversion)));
            self.index.brought.insert(at, brings);
        }
        if self.keep && self.index.is_to_do(at) {
            let gate = is_definition(&id) || id.kind == "Namespace" && id.group().is_empty();
            self.index.hold.offer(at, bytes, gate);
        }
        Ok(())
    }

    /// Who owns what is to be changed.
    fn note_losers(&mut self, at: usize, object: &Value, judged: &Judged) {
        let changes = matches!(judged.fate, Fate::Update | Fate::Replace);
        let Some(live) = judged.object.as_ref().filter(|_| changes) else {
            return;
        };
        let losers = losers(object, live, MANAGER);
        if !losers.is_empty() {
            let words = losers.iter().map(ToString::to_string).collect();
            self.index.losers.insert(at, words);
        }
    }

    /// A namespace of which the backup has nothing is a mistake, and not an empty restore; and so is a map
    /// that does not fit it.
    fn refuse_nothing(&self, store: &dyn Store, found: &Found) -> Result<(), WorldError> {
        let wanted = &self.effect.selection.namespaces;
        let is_there = |pattern: &str| self.namespaces.iter().any(|name| glob(pattern, name));
        if let Some(name) = wanted.iter().find(|pattern| !is_there(pattern)) {
            let message = format!("backup {} holds nothing of namespace {name}", found.seen.name);
            return Err(WorldError::new(ErrorKind::NotFound, store.address(), message));
        }
        // A plan that did not know the backup has patterns, and no names to check the map by.
        let all: Vec<String> = self.namespaces.iter().cloned().collect();
        let map = self.effect.changes.map.check(&all);
        map.map_err(|why| WorldError::new(ErrorKind::Rejected, store.address(), why))
    }

    fn finish(mut self) -> Index {
        self.judge_unserved();
        self.index.said = unmet(self.effect, &self.resources);
        let pairs = declared::pairs(&self.wishes, &mut self.index);
        let outlines = std::mem::take(&mut self.outlines);
        let mut order = outline_order(outlines, &self.index.names, &pairs);
        declared::say_circles(&pairs, &order, &mut self.index);
        let idle = self.idle();
        for wave in &mut order.waves {
            wave.retain(|at| !idle.contains(at));
        }
        order.waves.retain(|wave| !wave.is_empty());
        for (number, wave) in order.waves.iter().enumerate() {
            for at in wave {
                if let Some(entry) = self.index.entries.get_mut(*at) {
                    entry.wave = number;
                }
            }
        }
        self.index.order = order;
        let (uses, unused) = self.fitter.uses();
        self.index.uses = uses;
        self.index.said.extend(unused);
        self.index.demands.found(&self.looker.there());
        let dangers = std::mem::take(&mut self.dangers);
        let map = &self.effect.changes.map;
        let inside = self.namespaces.iter().map(|name| map.namespace(name)).collect();
        dangers.decide(&mut self.index, self.effect, &idle, &inside);
        self.index.namespaces = self.namespaces;
        self.index.skipped.sort();
        self.index
    }

    /// Candidates that no object of the restore names are left alone: entries of the index, given back, and
    /// what would have been said to be skipped.
    fn idle(&mut self) -> BTreeSet<usize> {
        let (mut entries, mut skipped) = (BTreeSet::new(), BTreeSet::new());
        for number in std::mem::take(&mut self.candidates).unnamed() {
            match Known::of(number) {
                Known::Entry(at) => entries.insert(at),
                Known::Skipped(at) => skipped.insert(at),
            };
        }
        let all = std::mem::take(&mut self.index.skipped);
        let kept = all
            .into_iter()
            .enumerate()
            .filter(|(at, _)| !skipped.contains(at));
        self.index.skipped = kept.map(|(_, one)| one).collect();
        entries
    }

    /// Kinds that the restore itself brings will be served by then.
    fn judge_unserved(&mut self) {
        let makes = |at: &usize| self.index.is_to_do(*at) || self.index.earlier(*at).is_some();
        let brought = self.index.brought.iter().filter(|(at, _)| makes(at));
        let brought: BTreeSet<_> = brought.map(|(_, kind)| kind.clone()).collect();
        for at in std::mem::take(&mut self.unserved) {
            let id = self.index.id(at);
            if brought.contains(&(id.group().to_owned(), id.kind.clone())) {
                continue;
            }
            let other = self.others.get(&(id.api_version.clone(), id.kind.clone()));
            let why = match other {
                Some(version) => format!(
                    "{} serves {} in {version}, and not in {}",
                    self.site.name, id.kind, id.api_version
                ),
                None => unserved(self.site, &id, self.effect),
            };
            self.index.refuse(at, &why);
        }
    }
}

/// Kinds of which there is nothing, though their status was asked for: perhaps misspelt.
fn unmet(effect: &RestoreObjects, resources: &BTreeSet<String>) -> Vec<String> {
    let unmet = effect.status.iter().filter(|name| !resources.contains(*name));
    unmet
        .map(|name| format!("no {name} is restored, so no status of one"))
        .collect()
}

/// The kind of an archived object, as the archive names it.
fn kind_of(archived: &Archived) -> ApiKind {
    let (plural, group) = archived
        .resource
        .split_once('.')
        .unwrap_or((&archived.resource, ""));
    let version = archived.id.api_version.rsplit('/').next().unwrap_or_default();
    ApiKind {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: archived.id.kind.clone(),
        plural: plural.to_owned(),
        namespaced: archived.id.namespace.is_some(),
    }
}

fn is_definition(id: &ObjectId) -> bool {
    id.kind == "CustomResourceDefinition" && id.group() == "apiextensions.k8s.io"
}

fn unserved(site: &Site<'_>, id: &ObjectId, effect: &RestoreObjects) -> String {
    let drill = if effect.confined {
        ", and a drill does not bring its definition"
    } else {
        ", and the backup does not bring its definition"
    };
    format!("{} serves no {} of {}{drill}", site.name, id.kind, id.api_version)
}
