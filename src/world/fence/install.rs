//! Installing a site's fence, and taking all of it away again.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::epochs::{self, Epochs, Known, TRIES};
use super::names::{POLICY, WITNESS, can_fence};
use super::objects::{Piece, is_ours, kind, pieces, with_epochs};
use super::place::{Found, find};
use super::proof::Witness;
use super::raise::remove;
use crate::effect::{ErrorKind, WorldError};
use crate::world::port::Cluster;

/// What an installation makes, for people: `ServiceAccount lifeboat-system/lifeboat.witness`.
pub fn titles(namespace: &str) -> Vec<String> {
    pieces(namespace, &BTreeMap::new())
        .iter()
        .map(Piece::title)
        .collect()
}

/// What an installation makes, as manifests.
pub fn manifests(namespace: &str) -> Vec<serde_json::Value> {
    let pieces = pieces(namespace, &BTreeMap::new());
    pieces.into_iter().map(|piece| piece.object).collect()
}

/// Installs it, or mends it, and waits until a witness is refused. Epochs stay as they are.
///
/// # Errors
///
/// `Rejected`: the server is too old, or something of that name is there and is not ours; nothing was
/// changed. `NotYet`: all is there, and refuses nobody. Else the server's.
pub async fn install(
    base: &Arc<dyn Cluster>,
    site: &str,
    namespace: &str,
) -> Result<Vec<String>, WorldError> {
    let base = &**base;
    may_be_installed(base, site, namespace).await?;
    let mut todo = pieces(namespace, &BTreeMap::new());
    refuse_strangers(base, site, &mut todo).await?;
    let mut done = Vec::new();
    for piece in &todo {
        let created = if piece.is_fence() {
            write_policy(base, piece).await?
        } else {
            base.apply(&piece.kind, &piece.object, true).await?.created
        };
        let word = if created { "made" } else { "is there" };
        done.push(format!("{word}  {}", piece.title()));
    }
    let witness = Witness {
        site,
        base,
        namespace,
        account: WITNESS,
        least: None,
    };
    witness.is_refused().await?;
    Ok(done)
}

/// Writes the policy with the epochs that stand in it. One that is raised meanwhile must not be lowered again, so it is
/// written as it was read, or read again. Whether it was not there before.
async fn write_policy(base: &dyn Cluster, piece: &Piece) -> Result<bool, WorldError> {
    let mut tries = 1;
    loop {
        let sent = match noted(base).await? {
            None => base.create(&piece.kind, &piece.object).await.map(|_| true),
            Some((known, version)) => {
                let mut object = with_epochs(piece.object.clone(), &known);
                object["metadata"]["resourceVersion"] = version.into();
                base.apply(&piece.kind, &object, true).await.map(|_| false)
            }
        };
        match sent {
            Err(error) if error.kind == ErrorKind::Conflict && tries < TRIES => tries += 1,
            sent => return sent,
        }
    }
}

async fn may_be_installed(base: &dyn Cluster, site: &str, namespace: &str) -> Result<(), WorldError> {
    let refuse = |message: String| Err(WorldError::new(ErrorKind::Rejected, site, message));
    let version = base.identity().await?.version;
    if can_fence(&version) == Some(false) {
        return refuse(format!(
            "{version} has no ValidatingAdmissionPolicy that is on by itself; 1.30 is the first"
        ));
    }
    match find(base, site).await? {
        Found::Installed { namespace: other } if other != namespace => {
            refuse(format!("its fence is in namespace {other}"))
        }
        Found::Installed { .. } | Found::Missing(_) => Ok(()),
    }
}

/// What the policy's note says, whatever it compares with now, and its version; `None`: there is no policy yet.
async fn noted(base: &dyn Cluster) -> Result<Option<(BTreeMap<String, Known>, String)>, WorldError> {
    let found = base.get(&kind("ValidatingAdmissionPolicy"), None, POLICY).await;
    let found = match found {
        Err(error) if error.kind == ErrorKind::NotFound => None,
        found => found?,
    };
    let version = |policy: &Value| policy["metadata"]["resourceVersion"].as_str().map(str::to_owned);
    // A note that cannot be read is written anew: then the next claim says which epoch it is.
    Ok(found.map(|policy| {
        (
            epochs::noted(&policy).unwrap_or_default(),
            version(&policy).unwrap_or_default(),
        )
    }))
}

/// What is there and is not ours is not touched; a namespace of somebody else is used, and left there in the end.
async fn refuse_strangers(base: &dyn Cluster, site: &str, todo: &mut Vec<Piece>) -> Result<(), WorldError> {
    let mut foreign = None;
    for (at, piece) in todo.iter().enumerate() {
        let found = match base.get(&piece.kind, piece.namespace(), piece.name()).await {
            Err(error) if error.kind == ErrorKind::NotFound && piece.namespace().is_some() => None,
            found => found?,
        };
        if found.is_none_or(|found| is_ours(&found)) {
            continue;
        }
        if piece.kind.kind != "Namespace" {
            let message = format!("{} is there and is not lifeboat's", piece.title());
            return Err(WorldError::new(ErrorKind::Rejected, site, message));
        }
        foreign = Some(at);
    }
    if let Some(at) = foreign {
        todo.remove(at);
    }
    Ok(())
}

/// Groups that ever had an epoch at a site, with who raised it; `None`: it has no fence.
///
/// # Errors
///
/// The server's.
pub async fn groups(
    base: &Arc<dyn Cluster>,
    site: &str,
) -> Result<Option<BTreeMap<String, Known>>, WorldError> {
    let Found::Installed { .. } = find(&**base, site).await? else {
        return Ok(None);
    };
    match Epochs::read(&**base, site).await {
        Ok(epochs) => Ok(Some(epochs.known)),
        // Half of a fence can be taken away too.
        Err(error) if error.kind == ErrorKind::NotFound => Ok(Some(BTreeMap::new())),
        Err(error) => Err(error),
    }
}

/// Takes everything away that is marked as a fence's; what is not there any more is no error. Accounts lose their
/// rights first: at no moment may an older epoch do what it could not before.
///
/// # Errors
///
/// The server's.
pub async fn uninstall(
    base: &Arc<dyn Cluster>,
    site: &str,
    fallback: &str,
) -> Result<Vec<String>, WorldError> {
    let namespace = match find(&**base, site).await? {
        Found::Installed { namespace } => namespace,
        Found::Missing(_) => fallback.to_owned(),
    };
    let order: [(&str, Option<&str>); 8] = [
        ("ClusterRoleBinding", None),
        ("ServiceAccount", Some(&namespace)),
        ("ValidatingAdmissionPolicyBinding", None),
        ("ValidatingAdmissionPolicy", None),
        ("ClusterRole", None),
        ("RoleBinding", Some(&namespace)),
        ("Role", Some(&namespace)),
        ("Namespace", None),
    ];
    let mut gone = Vec::new();
    for (name, place) in order {
        let kind = kind(name);
        let listed = match base.list(&kind, place).await {
            Err(error) if error.kind == ErrorKind::NotFound => Vec::new(),
            listed => listed?,
        };
        for object in listed.into_iter().filter(is_ours) {
            let piece = Piece {
                kind: kind.clone(),
                object,
            };
            remove(&**base, &piece).await?;
            gone.push(piece.title());
        }
    }
    Ok(gone)
}
