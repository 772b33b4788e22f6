//! What is at the target and not in the backup: found for the plan, deleted at the very end.
//!
//! ## Why
//!
//! Nothing here can be given back, so every doubt is for the object:
//!
//! - only in the namespaces of the restore, and only kinds of which the backup holds something there: a
//!   kind that it has nothing of may have been left out of it;
//! - never what is cluster-scoped, what a controller made or owns, what no backup holds, and never a
//!   claim, whose data would go with it;
//! - never by a backup that may not be complete (Velero's, or one of some kinds or labels only): what is
//!   missing in it may only be missing in it;
//! - where the restore takes only some labels, only objects that have them;
//! - only what the plan showed, by uid: what came since is left, and said;
//! - only the very object that was looked at, by uid and resource version;
//! - and never more than the runbook allows.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Written;
use super::index::Index;
use super::losses::Failed;
use super::waves::Done;
use crate::effect::{ErrorKind, PRUNE_MAX, RestoreObjects, WorldError};
use crate::objects::{ApiKind, Handle, Made, ObjectId, left_out_of_restore};
use crate::world::actor::catalog::Found;
use crate::world::actor::marks::{is_going, list, made, text};
use crate::world::actor::site::Site;

/// Objects that were left and are named: a plan shows as many of those that go.
const LEFT_NAMED: usize = PRUNE_MAX as usize;

/// An object that is not in the backup.
pub(super) struct Stranger {
    pub(super) made: Made,
    kind: ApiKind,
    version: String,
}

/// Looks for strangers among these kinds.
pub(super) async fn find(
    index: &mut Index,
    site: &Site<'_>,
    effect: &RestoreObjects,
    kinds: Vec<ApiKind>,
) -> Result<Vec<Stranger>, WorldError> {
    let mut known: BTreeSet<Handle> = index.entries.iter().map(|entry| entry.handle).collect();
    for (id, _) in &index.skipped {
        let namespace = id.namespace.as_deref().unwrap_or("");
        known.insert(Handle::of(
            &mut index.names,
            id.group(),
            &id.kind,
            namespace,
            &id.name,
        ));
    }
    let mut found = Vec::new();
    for name in &index.namespaces {
        let namespace = effect.target_namespace(name);
        if site.get(&ObjectId::namespace(namespace)).await?.is_none() {
            continue;
        }
        for kind in kinds.iter().filter(|kind| kind.namespaced) {
            for live in site.cluster.list(kind, Some(namespace)).await? {
                let handle = Handle::of(
                    &mut index.names,
                    &kind.group,
                    &kind.kind,
                    namespace,
                    text(&live, "/metadata/name"),
                );
                let meant = effect.selection.takes_labels(&live);
                if meant && !known.contains(&handle) && may_go(&live) {
                    found.extend(stranger(kind, &live));
                }
            }
        }
    }
    found.sort_by(|a, b| a.made.cmp(&b.made));
    found.dedup_by(|a, b| a.made == b.made);
    Ok(found)
}

/// Leaves what the plan did not show: somebody made it since, and nobody said yes to that.
pub(super) fn leave_unshown(index: &mut Index, effect: &RestoreObjects) {
    let strangers = std::mem::take(&mut index.strangers);
    let (shown, left): (Vec<_>, Vec<_>) = strangers
        .into_iter()
        .partition(|one| effect.may_prune(&one.made.uid));
    index.strangers = shown;
    if left.is_empty() {
        return;
    }
    let why = match effect.shown {
        Some(_) => "not in the backup and not shown by the plan",
        None => "not in the backup, which was still to be made when the plan was shown",
    };
    let names = left.iter().take(LEFT_NAMED).map(|one| one.made.id.to_string());
    let names: Vec<String> = names.collect();
    let more = match left.len() - names.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let said = format!("{why}, so left as it is: {}{more}", names.join(", "));
    index.said.push(said);
}

fn may_go(live: &Value) -> bool {
    let owned = list(live, "/metadata/ownerReferences").next().is_some();
    let claim = text(live, "/kind") == "PersistentVolumeClaim";
    !owned && !claim && !is_going(live) && left_out_of_restore(live).is_none()
}

fn stranger(kind: &ApiKind, live: &Value) -> Option<Stranger> {
    Some(Stranger {
        made: made(live)?,
        kind: kind.clone(),
        version: text(live, "/metadata/resourceVersion").to_owned(),
    })
}

/// Deletes them, one after the other: they are few.
///
/// # Errors
///
/// All that could not be deleted; the others are gone.
pub(super) async fn delete(site: &Site<'_>, index: &Index, done: &mut Done) -> Result<(), WorldError> {
    let mut failed = Vec::new();
    for one in &index.strangers {
        let id = &one.made.id;
        let namespace = id.namespace.as_deref();
        let deleted = site
            .cluster
            .delete_unchanged(&one.kind, namespace, &id.name, &one.made.uid, &one.version)
            .await;
        match deleted {
            Ok(true) => done.deleted.push(&one.made),
            Ok(false) => {}
            Err(error) => failed.push(Failed {
                id: id.clone(),
                request: "delete",
                error,
            }),
        }
    }
    let Some(first) = failed.first() else {
        return Ok(());
    };
    let lines: Vec<String> = failed.iter().map(Failed::line).collect();
    let kind = failed
        .iter()
        .map(|one| one.error.kind)
        .find(|kind| !kind.passing());
    let message = format!(
        "everything was restored, and not all could be pruned: {}",
        lines.join(", ")
    );
    let mut error = site.error(kind.unwrap_or(first.error.kind), message);
    error.causes = lines;
    Err(error)
}

/// Why nothing may be pruned; `None`: it may.
pub(super) fn refusal(index: &Index, effect: &RestoreObjects) -> Option<String> {
    let max = effect.prune_limit();
    let count = index.strangers.len();
    (count > max).then(|| {
        format!("it is not in the backup, like {count} objects; at most {max} are pruned (`pruneMax`)")
    })
}

/// A backup that may lack something proves nothing by what is not in it.
pub(super) fn refuse_partial(
    site: &Site<'_>,
    found: &Found,
    written: Option<&Written>,
) -> Result<(), WorldError> {
    let why = match written {
        None => "is not lifeboat's and does not say whether it is complete".to_owned(),
        Some(_) if !found.seen.errors.is_empty() => "has errors of its writer".to_owned(),
        Some(written) if written.narrowed.is_empty() => return Ok(()),
        Some(written) => format!("holds {}", written.narrowed.join(" and ")),
    };
    let message = format!("backup {} {why}, so what it lacks is not pruned", found.seen.name);
    Err(site
        .error(ErrorKind::Rejected, message)
        .hint("restore it with `existing: replace`, or choose a backup of the whole namespaces"))
}
