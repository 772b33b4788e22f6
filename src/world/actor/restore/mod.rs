//! Performs [`RestoreObjects`], and previews it with the same code.
//!
//! ## Why
//!
//! - In this order: the whole backup is read and compared; every object is looked at; what must not be
//!   made refuses the restore; only then is the first object made.
//! - A repeated attempt finds by its key what an earlier one made, and counts it as made.

mod judge;
mod prepare;
mod waves;

use super::World;
use super::catalog::{self, Found};
use super::marks::counted;
use super::pods::named;
use crate::effect::{Attempt, ErrorKind, Fate, Receipt, RestoreObjects, RestorePreview, Seen, WorldError};
use crate::world::port::Store;
use judge::{Judged, fates, judge};
use prepare::{Prepared, prepare};
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
        let found = find(&*store, &name).await?;
        let prepared = prepare(&site, &*store, &found, effect).await?;
        (attempt.progress)(format!(
            "looking for {}",
            counted(prepared.objects.len(), "object")
        ));
        let judged = judge(&site, &prepared, effect, Some(attempt)).await?;
        refuse(&judged).map_err(|message| site.error(ErrorKind::Rejected, message))?;
        let waves = Waves {
            site: &site,
            effect,
            prepared: &prepared,
            judged: &judged,
            attempt,
        };
        let done = waves.run().await?;
        Ok(receipt(&found, &prepared, &judged, done))
    }

    pub(super) async fn see_restore(&self, effect: &RestoreObjects) -> Result<Seen, WorldError> {
        let Some(name) = effect.backup.as_known() else {
            return Ok(Seen::Restore(RestorePreview {
                backup: None,
                fates: Vec::new(),
            }));
        };
        let site = self.site(&effect.site)?;
        let store = self.store(&effect.store)?;
        let found = find(&*store, &name).await?;
        let prepared = prepare(&site, &*store, &found, effect).await?;
        let judged = judge(&site, &prepared, effect, None).await?;
        Ok(Seen::Restore(RestorePreview {
            backup: Some(found.seen),
            fates: fates(&prepared, &judged),
        }))
    }
}

async fn find(store: &dyn Store, name: &str) -> Result<Found, WorldError> {
    catalog::open(store, name).await?.ok_or_else(|| {
        let message = format!("there is no backup {name}");
        WorldError::new(ErrorKind::NotFound, store.address(), message)
    })
}

/// All of what must not be made, before anything is made.
fn refuse(judged: &[Judged]) -> Result<(), String> {
    let refused: Vec<String> = judged
        .iter()
        .filter(|one| one.fate == Fate::Refuse)
        .map(|one| format!("{}: {}", one.id, one.why))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} must not be restored, and nothing was: {}",
        counted(refused.len(), "object"),
        named(&refused)
    ))
}

fn receipt(found: &Found, prepared: &Prepared, judged: &[Judged], done: Done) -> Receipt {
    let parts = [
        (done.created.len(), "created"),
        (done.updated, "updated"),
        (done.kept, "kept"),
        (prepared.skipped.len(), "skipped"),
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
        skipped: prepared
            .skipped
            .iter()
            .map(|(id, why)| format!("{id}: {why}"))
            .collect(),
        warnings: warnings(found, prepared, judged),
        consistent_at: Some(found.seen.consistent_at),
        ..Receipt::default()
    }
}

fn warnings(found: &Found, prepared: &Prepared, judged: &[Judged]) -> Vec<String> {
    let mut warnings: Vec<String> = found.seen.errors.clone();
    if found.manifest.is_none() {
        warnings.push(format!(
            "nobody recorded checksums of {}: that it is what was written is not known",
            found.seen.name
        ));
    }
    for (one, notes) in judged.iter().zip(&prepared.notes) {
        warnings.extend(notes.iter().map(|note| format!("{}: {note}", one.id)));
        if one.fate == Fate::Keep && one.why.starts_with("differs") {
            warnings.push(format!("{}: {}", one.id, one.why));
        }
    }
    warnings
}
