//! What would become of each prepared object: the preview of a plan, and what a restore looks at
//! before it makes anything.

use std::collections::BTreeSet;

use serde_json::Value;

use super::prepare::Prepared;
use crate::effect::{Attempt, Existing, Fate, FateOf, RestoreObjects, WorldError};
use crate::objects::{Made, ObjectId, difference, strip};
use crate::world::actor::marks::{has_key, is_going, made, text};
use crate::world::actor::pace::{Work, all};
use crate::world::actor::site::Site;

/// Looks in flight; the same number as changes, since each change begins with one.
const IN_FLIGHT: usize = 16;

/// One object's fate and where that comes from.
pub(super) struct Judged {
    pub(super) id: ObjectId,
    pub(super) fate: Fate,
    pub(super) why: String,
    /// It was made by an earlier attempt of this very restore.
    pub(super) earlier: Option<Made>,
}

/// Looks at the site for all prepared objects, in their order. `attempt` is `None` while planning.
pub(super) async fn judge(
    site: &Site<'_>,
    prepared: &Prepared,
    effect: &RestoreObjects,
    attempt: Option<&Attempt>,
) -> Result<Vec<Judged>, WorldError> {
    let brought = kinds_of_definitions(&prepared.objects);
    let mut work: Vec<Work<'_, Judged>> = Vec::with_capacity(prepared.objects.len());
    for object in &prepared.objects {
        work.push(Box::pin(judge_one(site, object, effect, attempt, &brought)));
    }
    all(IN_FLIGHT, work).await
}

/// Group and kind that the restore itself makes known to the site.
fn kinds_of_definitions(objects: &[Value]) -> BTreeSet<(String, String)> {
    objects
        .iter()
        .filter(|object| text(object, "/kind") == "CustomResourceDefinition")
        .map(|object| {
            let of = |pointer| text(object, pointer).to_owned();
            (of("/spec/group"), of("/spec/names/kind"))
        })
        .collect()
}

async fn judge_one(
    site: &Site<'_>,
    object: &Value,
    effect: &RestoreObjects,
    attempt: Option<&Attempt>,
    brought: &BTreeSet<(String, String)>,
) -> Result<Judged, WorldError> {
    let id = ObjectId::of(object).unwrap_or_else(|| ObjectId::namespace(""));
    let judged = |fate, why: String| Judged {
        id: id.clone(),
        fate,
        why,
        earlier: None,
    };
    let Some(kind) = site.find_kind(&id).await? else {
        let brought = brought.contains(&(id.group().to_owned(), id.kind.clone()));
        return Ok(if brought {
            judged(Fate::Create, String::new())
        } else {
            judged(Fate::Refuse, unserved(site, &id, effect))
        });
    };
    let live = site.cluster.get(&kind, id.namespace.as_deref(), &id.name).await?;
    let Some(live) = live else {
        return Ok(judged(Fate::Create, String::new()));
    };
    if is_going(&live) {
        return Ok(judged(Fate::Refuse, "it is being deleted there".into()));
    }
    if attempt.is_some_and(|attempt| has_key(&live, attempt)) {
        return Ok(Judged {
            earlier: made(&live),
            ..judged(Fate::Keep, "an earlier attempt made it".into())
        });
    }
    let (fate, why) = meet(object, &live, effect);
    Ok(judged(fate, why))
}

fn unserved(site: &Site<'_>, id: &ObjectId, effect: &RestoreObjects) -> String {
    let drill = if effect.confined {
        ", and a drill does not bring its definition"
    } else {
        ", and the backup does not bring its definition"
    };
    format!("{} serves no {} of {}{drill}", site.name, id.kind, id.api_version)
}

/// An object that is there already.
fn meet(desired: &Value, live: &Value, effect: &RestoreObjects) -> (Fate, String) {
    // Every namespace gets this one from its cluster; the backup's has more in it.
    let everywhere =
        text(desired, "/kind") == "ServiceAccount" && text(desired, "/metadata/name") == "default";
    if effect.confined && !everywhere {
        return (Fate::Refuse, "it is there and this drill did not make it".into());
    }
    match (difference(desired, &strip(live.clone())), effect.existing) {
        (None, _) => (Fate::Keep, "equal".into()),
        (Some(place), _) if effect.confined => (Fate::Update, format!("differs at {place}")),
        (Some(place), Existing::Update) => (Fate::Update, format!("differs at {place}")),
        (Some(place), Existing::Keep) => (Fate::Keep, format!("differs at {place}, and is left as it is")),
    }
}

/// Fates in the order of restoring, then what is skipped.
pub(super) fn fates(prepared: &Prepared, judged: &[Judged]) -> Vec<FateOf> {
    let order = prepared.order.waves.iter().flatten();
    let made = order.filter_map(|&at| {
        let (one, notes) = (judged.get(at)?, prepared.notes.get(at)?);
        let words: Vec<&str> = std::iter::once(&one.why)
            .chain(notes)
            .map(String::as_str)
            .filter(|words| !words.is_empty())
            .collect();
        Some(FateOf {
            fate: one.fate,
            id: one.id.clone(),
            why: words.join("; "),
        })
    });
    let skipped = prepared.skipped.iter().map(|(id, why)| FateOf {
        fate: Fate::Skip,
        id: id.clone(),
        why: why.clone(),
    });
    made.chain(skipped).collect()
}
