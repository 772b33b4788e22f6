//! Performs [`RestoreObjects`], and previews it with the same code.
//!
//! ## Why
//!
//! - In this order: the whole backup is read and compared; every object is looked at; what must not be
//!   made refuses the restore; only then is the first object made.
//! - A repeated attempt finds by its key what an earlier one made, and counts it as made.

mod danger;
mod declared;
mod demands;
mod gate;
mod index;
mod judge;
mod lacks;
mod losses;
mod make;
mod owners;
mod prepare;
mod prune;
mod rehearse;
mod replace;
mod stream;
mod survey;
mod waves;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use super::World;
use super::catalog::{self, Found};
use super::marks::counted;
use super::pods::named;
use crate::archive::Sum;
use crate::effect::{Attempt, ErrorKind, Fate, Receipt, RestoreObjects, RestorePreview, Seen, WorldError};
use crate::world::port::Store;
use crate::world::tally;
use gate::Gate;
use index::Index;
use make::Maker;
use prepare::Fitter;
use survey::survey;
use waves::{Done, Waves};

impl World {
    pub(super) async fn restore(
        &self,
        effect: &RestoreObjects,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.site)?;
        let store = self.store(&effect.store)?;
        let name = effect.backup.as_known().ok_or_else(|| {
            let message = format!("{} was not filled in before it was performed", effect.backup);
            site.error(ErrorKind::Internal, message)
        })?;
        (attempt.progress)(format!("reading and comparing {name}"));
        let (found, written) = find(&*store, &name).await?;
        let mut index = survey(&site, &*store, &found, written.as_ref(), effect, Some(attempt)).await?;
        refuse(&index).map_err(|message| site.error(ErrorKind::Rejected, message))?;
        let hold = std::mem::take(&mut index.hold);
        let waves = Waves {
            maker: Maker {
                site: &site,
                effect,
                attempt,
                index: &index,
                uids: Mutex::default(),
                without_status: Mutex::default(),
                gate: Gate::default(),
            },
            index: &index,
            fitter: Fitter::new(effect),
            store: &*store,
            archive: found.keys.archive(),
            site_failed: AtomicBool::new(false),
        };
        let mut done = waves.run(hold).await?;
        done.warnings.extend(waves.maker.said());
        prune::delete(&site, &index, &mut done).await?;
        Ok(receipt(&found, written.is_some(), &index, done))
    }

    pub(super) async fn see_restore(&self, effect: &RestoreObjects) -> Result<Seen, WorldError> {
        let Some(name) = effect.backup.as_known() else {
            return Ok(Seen::Restore(Arc::default()));
        };
        let site = self.site(&effect.site)?;
        let store = self.store(&effect.store)?;
        let (found, written) = find(&*store, &name).await?;
        let looking = Box::pin(survey(&site, &*store, &found, written.as_ref(), effect, None));
        let (index, reads) = tally::counted(looking).await;
        let mut index = index?;
        let (lacks, coming) = lacks::find(&site, effect, &mut index).await?;
        Ok(Seen::Restore(Arc::new(RestorePreview {
            backup: Some(found.seen),
            fates: index.fates(),
            taken: index.taken(),
            lacks,
            coming,
            work: Some(index.work(reads)),
            shown: index.shown(),
            said: index.said.clone(),
            idle_allowances: index.idle_allowances,
            changes: index.uses,
        })))
    }
}

/// What the manifest says of the whole backup. Of the rest of it nothing is kept: it names every object
/// once more.
struct Written {
    archive: Sum,
    /// By which words only a part of the namespaces was captured.
    narrowed: Vec<String>,
}

/// The backup, and what its manifest says if it has one.
async fn find(store: &dyn Store, name: &str) -> Result<(Found, Option<Written>), WorldError> {
    let mut found = catalog::open(store, name).await?.ok_or_else(|| {
        let message = format!("there is no backup {name}");
        WorldError::new(ErrorKind::NotFound, store.address(), message)
    })?;
    let written = found.manifest.take().map(|manifest| Written {
        archive: manifest.archive,
        narrowed: manifest.narrowed,
    });
    Ok((found, written))
}

/// All of what must not be made, before anything is made.
fn refuse(index: &Index) -> Result<(), String> {
    let refused: Vec<String> = index
        .ordered()
        .filter(|at| index.fate(*at) == Some(Fate::Refuse))
        .map(|at| format!("{}: {}", index.id(at), index.why(at)))
        .collect();
    if let (Some(why), Some(one)) = (&index.prune_refused, index.strangers.first()) {
        return Err(format!("nothing was restored: {}: {why}", one.made.id));
    }
    if refused.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} must not be restored, and nothing was: {}",
        counted(refused.len(), "object"),
        named(&refused)
    ))
}

fn receipt(found: &Found, summed: bool, index: &Index, mut done: Done) -> Receipt {
    let mut warnings = warnings(found, summed, index);
    warnings.append(&mut done.warnings);
    let parts = [
        (done.created.len() - done.replaced, "created"),
        (done.updated, "updated"),
        (done.replaced, "replaced"),
        (done.deleted.len() - done.replaced, "pruned"),
        (done.kept, "kept"),
        (index.skipped.len(), "skipped"),
    ];
    let words: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    Receipt {
        summary: format!("{}: {}", found.seen.name, words.join(", ")),
        outputs: [("backup".to_owned(), found.seen.name.clone())].into(),
        created: done.created,
        deleted: done.deleted,
        skipped: index
            .skipped
            .iter()
            .map(|(id, why)| format!("{id}: {why}"))
            .collect(),
        warnings,
        consistent_at: Some(found.seen.consistent_at),
        ..Receipt::default()
    }
}

fn warnings(found: &Found, summed: bool, index: &Index) -> Vec<String> {
    let mut warnings: Vec<String> = found.seen.errors.clone();
    warnings.extend(index.said.iter().cloned());
    let idle = index.idle_allowances.iter();
    warnings.extend(idle.map(|one| format!("nothing in the backup needs the allowance {one}")));
    if !summed {
        warnings.push(format!(
            "nobody recorded checksums of {}: that it is what was written is not known",
            found.seen.name
        ));
    }
    // Not of candidates that turned out to be none of the restore.
    let mut restored: Vec<usize> = index.ordered().collect();
    restored.sort_unstable();
    for at in restored {
        let notes = index.notes.get(&at).into_iter().flatten();
        warnings.extend(notes.map(|note| format!("{}: {note}", index.id(at))));
        if index.fate(at) == Some(Fate::Keep) && index.why(at).starts_with("differs") {
            warnings.push(format!("{}: {}", index.id(at), index.why(at)));
        }
    }
    warnings
}
