//! What the target lacks for what is to be restored. Only asked while planning, and only what somebody
//! names: one list for each kind of class, one look for each account or role, two lists for quotas.
//!
//! ## Why
//!
//! - What an API server refuses for sure refuses the plan; what only keeps pods from starting is a
//!   warning: a person may mend it later, and a recovery should not wait for that.
//! - What could not be looked at is said, and never taken for "it is there".
//! - A warning about pods holds no number that changes by itself, or a saved plan would be stale as soon
//!   as a pod ends.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::demands::{Demands, Room, Slim, Users};
use super::index::Index;
use crate::effect::{Lack, RestoreObjects, WorldError};
use crate::objects::{
    Amounts, Coming, DEFAULT_CLASS, Defaults, Excess, Handle, Limits, ObjectId, Quantity, Quota, Usage,
    add_amounts, builtin, pod_spec,
};
use crate::world::actor::marks::text;
use crate::world::actor::site::Site;

/// Accounts and roles that are looked for one by one. More of them missing at once has one cause.
const LOOKS_MAX: usize = 40;

/// What makes a class the default one.
const DEFAULT_MARK: &str = "/metadata/annotations/storageclass.kubernetes.io~1is-default-class";

/// Everything that is missing, and the pods that come.
///
/// # Errors
///
/// The site does not answer. What it refuses to show is a lack of its own.
pub(super) async fn find(
    site: &Site<'_>,
    effect: &RestoreObjects,
    index: &mut Index,
) -> Result<(Vec<Lack>, Coming), WorldError> {
    let demands = std::mem::take(&mut index.demands);
    let mut lacks = Vec::new();
    let known: BTreeSet<Handle> = index.entries.iter().map(|entry| entry.handle).collect();
    let mut classes: BTreeMap<(String, String), Vec<(String, Users)>> = BTreeMap::new();
    let mut looks = 0;
    for (want, users) in &demands.wants {
        if known.contains(want) {
            continue;
        }
        let word = |number| index.names.text(number).to_owned();
        let id = ObjectId {
            api_version: format!("{}/v1", word(want.group))
                .trim_start_matches('/')
                .to_owned(),
            kind: word(want.kind),
            namespace: Some(word(want.namespace)).filter(|name| !name.is_empty()),
            name: word(want.name),
        };
        if id.namespace.is_none() && id.kind != "ClusterRole" {
            let of = classes.entry((id.api_version, id.kind)).or_default();
            of.push((id.name, users.clone()));
            continue;
        }
        looks += 1;
        if looks <= LOOKS_MAX {
            lacks.extend(missing(site, effect, &id, users, &demands).await?);
        }
    }
    if looks > LOOKS_MAX {
        lacks.push(unseen(format!(
            "{} more accounts and roles were not looked for",
            looks - LOOKS_MAX
        )));
    }
    for ((api_version, kind), wanted) in classes {
        lacks.extend(missing_classes(site, &api_version, &kind, wanted).await?);
    }
    let (tight, coming) = no_room(site, demands).await?;
    lacks.extend(tight);
    lacks.sort();
    Ok((lacks, coming))
}

fn unseen(what: String) -> Lack {
    Lack {
        what,
        then: "whether something is missing there is not known".into(),
        hint: "look yourself, or plan with an account that may look".into(),
        ..Lack::default()
    }
}

fn lack(what: String, users: &Users, then: &str, hint: String) -> Lack {
    Lack {
        what,
        who: users.first.clone(),
        more: users.more(),
        then: then.to_owned(),
        hint,
        ..Lack::default()
    }
}

/// An answer; or what is to be said where the site does not want to give it.
fn heard<T>(answer: Result<T, WorldError>) -> Result<Result<T, Lack>, WorldError> {
    match answer {
        Ok(found) => Ok(Ok(found)),
        Err(error) if error.kind.passing() => Err(error),
        Err(error) => Ok(Err(unseen(error.to_string()))),
    }
}

/// An account or a role that is neither there nor brought.
async fn missing(
    site: &Site<'_>,
    effect: &RestoreObjects,
    id: &ObjectId,
    users: &Users,
    demands: &Demands,
) -> Result<Option<Lack>, WorldError> {
    let gone = |namespace: &String| demands.rooms.get(namespace).is_some_and(|room| !room.there);
    if !id.namespace.as_ref().is_some_and(gone) {
        match heard(site.get(id).await)? {
            Ok(Some(_)) => return Ok(None),
            Ok(None) => {}
            Err(lack) => return Ok(Some(lack)),
        }
    }
    let (then, refuses) = match id.kind.as_str() {
        "ServiceAccount" if users.refused => ("pods that run as it are refused", true),
        "ServiceAccount" => (
            "pods that run as it are refused, and what is granted to it goes to nobody",
            false,
        ),
        _ => (
            "what it would grant is not granted, and without the right to bind it is refused",
            false,
        ),
    };
    let brings = if effect.confined {
        "the drill"
    } else {
        "the restore"
    };
    let what = format!("{} has no {id}, and {brings} does not bring it", site.name);
    let hint = format!("make it on {} first, or take it into the backup", site.name);
    Ok(Some(Lack {
        refuses,
        ..lack(what, users, then, hint)
    }))
}

/// Classes of one kind that are neither there nor brought.
async fn missing_classes(
    site: &Site<'_>,
    api_version: &str,
    kind: &str,
    wanted: Vec<(String, Users)>,
) -> Result<Vec<Lack>, WorldError> {
    let id = ObjectId {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: None,
        name: String::new(),
    };
    let found = match heard(all(site, &id).await)? {
        Ok(found) => found,
        Err(lack) => return Ok(vec![lack]),
    };
    let there: BTreeSet<&str> = found.iter().map(|one| text(one, "/metadata/name")).collect();
    let default = found.iter().any(|one| text(one, DEFAULT_MARK) == "true");
    let has = |name: &str| {
        if name == DEFAULT_CLASS {
            default
        } else {
            there.contains(name)
        }
    };
    let missing = wanted.into_iter().filter(|(name, _)| !has(name));
    Ok(missing
        .map(|(name, users)| no_class(site, kind, &name, &users))
        .collect())
}

fn no_class(site: &Site<'_>, kind: &str, name: &str, users: &Users) -> Lack {
    let site = site.name;
    let (then, refuses) = match kind {
        "StorageClass" => (
            "the claims wait until it is there, or a volume of that class, and their pods with them",
            false,
        ),
        "IngressClass" => ("no controller serves them", false),
        _ => ("their pods are refused", users.refused),
    };
    let (what, hint) = if name == DEFAULT_CLASS {
        (
            format!("{site} has no default {kind}, and claims name none"),
            format!("mark one of {site}'s classes as the default, or name one in the claims"),
        )
    } else {
        (
            format!("{site} has no {kind} {name}"),
            format!("make the {kind} {name} on {site}"),
        )
    };
    Lack {
        refuses,
        ..lack(what, users, then, hint)
    }
}

/// All objects of a kind; none where the site does not serve it.
async fn all(site: &Site<'_>, id: &ObjectId) -> Result<Vec<Value>, WorldError> {
    match site.find_kind(id).await? {
        Some(kind) => site.cluster.list(&kind, None).await,
        None => Ok(Vec::new()),
    }
}

/// What does not fit into its namespace, and all pods that come.
async fn no_room(site: &Site<'_>, demands: Demands) -> Result<(Vec<Lack>, Coming), WorldError> {
    let mut rooms = demands.rooms;
    let mut lacks = Vec::new();
    for resource in ["resourcequotas", "limitranges"] {
        let there: Vec<&String> = rooms
            .iter()
            .filter(|(_, room)| room.there)
            .map(|(name, _)| name)
            .collect();
        let (Some(kind), Some(first)) = (builtin(resource), there.first()) else {
            continue;
        };
        // One list of everything costs less than one for each namespace.
        let one = (there.len() == 1).then_some(first.as_str());
        match heard(site.cluster.list(&kind, one).await)? {
            Ok(found) => found.iter().for_each(|object| live(&mut rooms, resource, object)),
            Err(lack) => lacks.push(lack),
        }
    }
    let mut coming = Coming::default();
    for (namespace, room) in &rooms {
        judge(site.name, namespace, room, &mut lacks);
        come(room, &mut coming);
    }
    Ok((lacks, coming))
}

/// The pods that come into one namespace, with what its limits give to those that ask for nothing.
fn come(room: &Room, coming: &mut Coming) {
    let limits: Vec<Limits> = room.limits.values().flatten().cloned().collect();
    let defaults = Limits::defaults(&limits);
    for load in &room.loads {
        let before = load.before.as_ref().map(Slim::value);
        coming.note(&load.id, &load.now.value(), before.as_ref(), &defaults);
    }
}

/// A quota or limit that is there. One that the restore changes will be as in the backup; what is used of
/// it is what the site says.
fn live(rooms: &mut BTreeMap<String, Room>, resource: &str, object: &Value) {
    let Some(room) = rooms.get_mut(text(object, "/metadata/namespace")) else {
        return;
    };
    let name = text(object, "/metadata/name").to_owned();
    if resource == "limitranges" {
        room.limits.entry(name).or_insert_with(|| Limits::all_of(object));
        return;
    }
    let there = Quota::of(object);
    let quota = room.quotas.entry(name).or_insert_with(|| there.clone());
    quota.used = there.used;
}

fn judge(site: &str, namespace: &str, room: &Room, lacks: &mut Vec<Lack>) {
    if room.quotas.is_empty() && room.limits.is_empty() {
        return;
    }
    let limits: Vec<Limits> = room.limits.values().flatten().cloned().collect();
    let defaults = Limits::defaults(&limits);
    let usages: Vec<Usage> = room.loads.iter().map(|load| load.usage(&defaults)).collect();
    let mut own = room.own.clone();
    let mut pods = Amounts::new();
    for usage in &usages {
        add_amounts(&mut own, &usage.own, false);
        add_amounts(&mut pods, &usage.pods, false);
    }
    for quota in room.quotas.values() {
        let whole = format!("quota {namespace}/{} on {site}", quota.name);
        if quota.scoped {
            lacks.extend(scoped(&whole, quota, &own, &pods));
            continue;
        }
        lacks.extend(too_much(&whole, site, quota, &own, &pods));
        lacks.extend(silent(&whole, quota, room, &usages));
    }
    for limits in &limits {
        let whole = format!("LimitRange {namespace}/{} on {site}", limits.name);
        lacks.extend(outside(&whole, limits, &defaults, room));
    }
}

fn scoped(whole: &str, quota: &Quota, own: &Amounts, pods: &Amounts) -> Option<Lack> {
    let concerned = quota
        .hard
        .keys()
        .any(|name| own.contains_key(name) || pods.contains_key(name));
    concerned.then(|| Lack {
        what: format!("{whole} counts only some objects, by its scopes"),
        then: "whether what is restored fits was not worked out".into(),
        hint: "compare it yourself, or ask the server: --rehearse".into(),
        ..Lack::default()
    })
}

fn too_much(whole: &str, site: &str, quota: &Quota, own: &Amounts, pods: &Amounts) -> Vec<Lack> {
    let hint = format!("raise the quota on {site}, or restore less");
    let mut lacks: Vec<Lack> = Vec::new();
    let refused = quota.excess(own);
    for one in &refused {
        lacks.push(Lack {
            refuses: true,
            what: format!(
                "{whole} allows {} {}; {} is used, and the restore needs {} more",
                one.resource, one.hard, one.used, one.needs
            ),
            then: "the server would refuse some of it".into(),
            hint: hint.clone(),
            ..Lack::default()
        });
    }
    let mut all = own.clone();
    add_amounts(&mut all, pods, false);
    let follows = |one: &Excess| {
        let known = refused.iter().any(|other| other.resource == one.resource);
        !known
            && pods
                .get(&one.resource)
                .is_some_and(|amount| *amount > Quantity::ZERO)
    };
    for one in quota.excess(&all).into_iter().filter(follows) {
        lacks.push(Lack {
            what: format!(
                "{whole} allows {} {} in all, and the restored workloads ask for {} more than now, for which there is no room",
                one.resource, one.hard, one.needs
            ),
            then: "some of their pods are refused".into(),
            hint: hint.clone(),
            ..Lack::default()
        });
    }
    lacks
}

/// Pods that say nothing of what a quota counts.
fn silent(whole: &str, quota: &Quota, room: &Room, usages: &[Usage]) -> Option<Lack> {
    let mut users = Users::default();
    let mut names = BTreeSet::new();
    for (load, usage) in room
        .loads
        .iter()
        .zip(usages)
        .filter(|(load, _)| load.before.is_none())
    {
        let unsaid = quota.unsaid(usage);
        if !unsaid.is_empty() {
            users.note(&load.id);
            names.extend(unsaid);
        }
    }
    let names: Vec<String> = names.into_iter().collect();
    (users.count > 0).then(|| Lack {
        refuses: users.refused,
        ..lack(
            format!(
                "{whole} asks every pod to say {}, and some do not",
                names.join(", ")
            ),
            &users,
            "their pods are refused",
            "say it in the workloads, or give the namespace a LimitRange with defaults".into(),
        )
    })
}

/// What is outside of a limit, with the first reason.
fn outside(whole: &str, limits: &Limits, defaults: &Defaults, room: &Room) -> Option<Lack> {
    let mut users = Users::default();
    let (mut first, mut refuses) = (None, false);
    for load in &room.loads {
        let now = load.now.value();
        let pods = pod_spec(&now).and_then(|spec| limits.refuses_pod(spec, defaults));
        let claim = (load.id.kind == "PersistentVolumeClaim")
            .then(|| limits.refuses_claim(&now))
            .flatten();
        if let Some(why) = pods.or(claim) {
            users.note(&load.id);
            refuses |= load.is_refused();
            first.get_or_insert(why);
        }
    }
    let why = first?;
    let then = if refuses {
        "the server would refuse it"
    } else {
        "their pods are refused"
    };
    let hint = "change the limits there, or the objects".to_owned();
    Some(Lack {
        refuses,
        ..lack(format!("{whole}: {why}"), &users, then, hint)
    })
}
