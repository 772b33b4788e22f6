//! What is remembered of every object of a restore: a few hundred bytes, while the objects themselves
//! stay in the archive.

use std::collections::{BTreeMap, BTreeSet};

use super::demands::Demands;
use super::owners::Owner;
use super::prune::Stranger;
use crate::archive::Sum;
use crate::effect::{Fate, FateOf, Fates, Shown, Taken, Work};
use crate::objects::{Handle, Made, Names, ObjectId, Order, Risk, ServiceName};

/// All objects of one restore.
#[derive(Default)]
pub(super) struct Index {
    /// Names of the objects and of what they name.
    pub(super) names: Names,
    /// In the order of the archive.
    pub(super) entries: Vec<Entry>,
    /// By position in `entries`: what people should know of an object.
    pub(super) notes: BTreeMap<usize, Vec<String>>,
    /// By position: what was changed of an object on its way. Only while planning.
    pub(super) changed: BTreeMap<usize, Vec<String>>,
    /// How often each mapped name and each rule was used.
    pub(super) uses: Vec<String>,
    /// What is deliberately not made, as it would be named at the target, and why.
    pub(super) skipped: Vec<(ObjectId, String)>,
    /// Over positions in `entries`, without definitions that nothing needs.
    pub(super) order: Order,
    /// Group and kind that a definition of the restore makes known, by its position.
    pub(super) brought: BTreeMap<usize, (String, String)>,
    /// Group and kind → the service that converts between their versions, and the version that it need
    /// not convert.
    pub(super) conversions: BTreeMap<(String, String), (ServiceName, String)>,
    /// By position: the owner references of an object, in their order.
    pub(super) owners: BTreeMap<usize, Vec<Owner>>,
    /// What people should know of the restore as a whole.
    pub(super) said: Vec<String>,
    /// What is not in the backup and is to be deleted at the end.
    pub(super) strangers: Vec<Stranger>,
    /// Why none of them may be deleted.
    pub(super) prune_refused: Option<String>,
    /// Positions of the objects that others are linked to.
    pub(super) owning: BTreeSet<usize>,
    /// What is there and differs is changed.
    pub(super) updates: bool,
    /// Of the archive that was compared.
    pub(super) archive: Sum,
    /// The objects themselves, as far as they fit.
    pub(super) hold: Hold,
    /// By position: whose fields are changed; only while planning.
    pub(super) losers: BTreeMap<usize, Vec<String>>,
    /// Objects to be made or changed whose status is written too.
    pub(super) status: u64,
    /// What they ask of the target; only while planning.
    pub(super) demands: Demands,
    /// The namespaces of the restore, as they are named in the backup.
    pub(super) namespaces: BTreeSet<String>,
    /// Risks that are taken.
    pub(super) took: Vec<Took>,
    /// Allowances that nothing needs.
    pub(super) idle_allowances: Vec<String>,
}

/// One risk that is taken with one object.
pub(super) struct Took {
    /// Position among the entries.
    pub(super) at: usize,
    pub(super) risk: Risk,
    pub(super) why: String,
    pub(super) because: String,
}

/// One object.
pub(super) struct Entry {
    /// Which object of the archive it is.
    pub(super) place: usize,
    pub(super) api_version: u32,
    pub(super) handle: Handle,
    /// Of its bytes in the archive, which was compared with its manifest as a whole.
    pub(super) sha256: [u8; 32],
    /// Of its bytes as it would be sent.
    pub(super) size: usize,
    pub(super) fate: Fate,
    /// A number of the index's names.
    pub(super) why: u32,
    /// An earlier attempt made it, and perhaps not its status.
    pub(super) status_due: bool,
    /// Number of its wave.
    pub(super) wave: usize,
    /// Of an object that is there.
    pub(super) live: Option<Box<Live>>,
}

/// What is remembered of an object that is there already.
pub(super) struct Live {
    pub(super) uid: String,
    /// It was made by an earlier attempt of this very restore.
    pub(super) ours: bool,
}

impl Index {
    pub(super) fn id(&self, at: usize) -> ObjectId {
        let Some(entry) = self.entries.get(at) else {
            return ObjectId::namespace("");
        };
        let text = |number| self.names.text(number).to_owned();
        ObjectId {
            api_version: text(entry.api_version),
            kind: text(entry.handle.kind),
            namespace: Some(text(entry.handle.namespace)).filter(|name| !name.is_empty()),
            name: text(entry.handle.name),
        }
    }

    pub(super) fn why(&self, at: usize) -> &str {
        let why = self.entries.get(at).map(|entry| entry.why);
        why.map_or("", |why| self.names.text(why))
    }

    pub(super) fn fate(&self, at: usize) -> Option<Fate> {
        self.entries.get(at).map(|entry| entry.fate)
    }

    /// It must not be made; what else was to become of it does not matter any more.
    pub(super) fn refuse(&mut self, at: usize, why: &str) {
        let why = self.names.number(why);
        if let Some(entry) = self.entries.get_mut(at) {
            (entry.fate, entry.why) = (Fate::Refuse, why);
        }
    }

    /// The risks that are taken, in the order of the archive.
    pub(super) fn taken(&self) -> Vec<Taken> {
        let took = self.took.iter();
        took.map(|one| Taken {
            risk: one.risk,
            id: self.id(one.at),
            why: one.why.clone(),
            because: one.because.clone(),
        })
        .collect()
    }

    /// Positions in the order of restoring.
    pub(super) fn ordered(&self) -> impl Iterator<Item = usize> {
        self.order.waves.iter().flatten().copied()
    }

    pub(super) fn count(&self) -> usize {
        self.order.waves.iter().map(Vec::len).sum()
    }

    /// The ledger's line of an object that an earlier attempt made.
    pub(super) fn earlier(&self, at: usize) -> Option<Made> {
        let live = self.entries.get(at)?.live.as_deref()?;
        live.ours.then(|| Made {
            id: self.id(at),
            uid: live.uid.clone(),
        })
    }

    /// Whether a request has to be sent for it.
    pub(super) fn is_to_do(&self, at: usize) -> bool {
        if self.entries.get(at).is_some_and(|entry| entry.status_due) {
            return true;
        }
        matches!(self.fate(at), Some(Fate::Create | Fate::Update | Fate::Replace))
    }

    /// The requests of performing it, as far as they are known beforehand; `reads` is what looking cost.
    pub(super) fn work(&self, reads: u64) -> Work {
        let mut work = Work {
            reads,
            writes: self.strangers.len() as u64 + self.status,
            ..Work::default()
        };
        for at in self.ordered().filter(|at| self.is_to_do(*at)) {
            let replaced = self.fate(at) == Some(Fate::Replace);
            // Also after a change of one the site is asked again what it serves.
            let defined = self.brought.contains_key(&at);
            work.writes += 1;
            work.waits += u64::from(replaced || defined);
            work.bytes += self.entries.get(at).map_or(0, |entry| entry.size as u64);
        }
        work
    }

    fn pruned(&self) -> impl Iterator<Item = FateOf> {
        let refused = self.prune_refused.as_deref();
        self.strangers.iter().map(move |one| FateOf {
            fate: if refused.is_some() {
                Fate::Refuse
            } else {
                Fate::Prune
            },
            id: one.made.id.clone(),
            why: refused.unwrap_or("it is not in the backup").to_owned(),
            takes_from: Vec::new(),
        })
    }

    /// What may be deleted: for the plan, which pins it.
    pub(super) fn shown(&self) -> Shown {
        let allowed = self.strangers.iter().filter(|_| self.prune_refused.is_none());
        let mut prune: Vec<String> = allowed.map(|one| one.made.uid.clone()).collect();
        let replaced = self.entries.iter().filter(|entry| entry.fate == Fate::Replace);
        let mut replace: Vec<String> = replaced
            .filter_map(|entry| Some(entry.live.as_ref()?.uid.clone()))
            .collect();
        prune.sort();
        replace.sort();
        Shown { prune, replace }
    }

    /// Fates in the order of restoring, then what is skipped, then what is pruned.
    pub(super) fn fates<'a>(&'a self) -> Fates {
        let made = self.ordered().filter_map(|at| {
            let of = |all: &'a BTreeMap<usize, Vec<String>>| all.get(&at).into_iter().flatten();
            let words: Vec<&str> = std::iter::once(self.why(at))
                .chain(of(&self.notes).chain(of(&self.changed)).map(String::as_str))
                .filter(|words| !words.is_empty())
                .collect();
            Some(FateOf {
                fate: self.fate(at)?,
                id: self.id(at),
                why: words.join("; "),
                takes_from: self.losers.get(&at).cloned().unwrap_or_default(),
            })
        });
        let skipped = self.skipped.iter().map(|(id, why)| FateOf {
            fate: Fate::Skip,
            id: id.clone(),
            why: why.clone(),
            takes_from: Vec::new(),
        });
        made.chain(skipped).chain(self.pruned()).collect()
    }
}

/// Prepared objects in memory, as JSON, up to a number of bytes.
#[derive(Default)]
pub(super) struct Hold {
    objects: BTreeMap<usize, Box<[u8]>>,
    bytes: usize,
    full: bool,
}

/// A small restore stays in memory as a whole and reads its archive once; a large one keeps what fits
/// and reads again, which takes a fraction of a second. Several times as much is spent on connections,
/// programs and replies anyway.
pub(super) const HOLD_BYTES_MAX: usize = if cfg!(test) {
    // Tests go the long way with little data.
    128 * 1024
} else {
    8 * 1024 * 1024
};

impl Hold {
    /// Keeps an object if it fits. Once something did not fit, only what everything waits for is kept:
    /// the rest is read again anyway.
    pub(super) fn offer(&mut self, at: usize, object: Box<[u8]>, is_gate: bool) {
        if self.bytes + object.len() > HOLD_BYTES_MAX {
            self.full = true;
        }
        if !self.full || (is_gate && self.bytes + object.len() <= HOLD_BYTES_MAX) {
            self.bytes += object.len();
            self.objects.insert(at, object);
        }
    }

    /// Keeps an object whose place was reserved before.
    pub(super) fn put(&mut self, at: usize, object: Box<[u8]>) {
        self.bytes += object.len();
        self.objects.insert(at, object);
    }

    pub(super) fn has(&self, at: usize) -> bool {
        self.objects.contains_key(&at)
    }

    /// Bytes that may still be put in.
    pub(super) fn room(&self) -> usize {
        HOLD_BYTES_MAX.saturating_sub(self.bytes)
    }

    /// Lets an object go that will not be made.
    pub(super) fn forget(&mut self, at: usize) {
        let object = self.objects.remove(&at);
        self.bytes -= object.map_or(0, |object| object.len());
    }

    /// The object as JSON, which is not held any more: as a value it takes a multiple.
    pub(super) fn take(&mut self, at: usize) -> Option<Box<[u8]>> {
        let object = self.objects.remove(&at)?;
        self.bytes -= object.len();
        Some(object)
    }
}
