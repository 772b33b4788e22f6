//! Raising the fence of one site to a run's epoch, in the order on which everything rests: accounts → epoch →
//! proof that the epoch before is refused → proof that ours is not → the older ones lose their rights.
//!
//! ## Why
//!
//! - **Every process that carries a run has an epoch of its own**, also one that only resumes: what the process before
//!   it had sent and nobody saw arrive is then refused, should it arrive later.
//! - **The account is made before the epoch is raised**: an epoch that nobody can act for would refuse everybody.
//! - **The older rights go last.** They are a second wall, and what is proved does not need them.

use std::sync::Arc;

use super::epochs::{self, Epochs, overtaken};
use super::names::{account, parse};
use super::objects::{Piece, is_ours, kind, role_binding, service_account};
use super::place::{Found, find};
use super::proof::{Answer, PROOF_LIMIT, Pace, Witness, may_pass};
use crate::effect::{ErrorKind, WorldError};
use crate::run::Claim;
use crate::world::port::{Acting, Cluster};

/// How long a token lasts: long enough that few are asked for, too short to be worth stealing.
pub(super) const TOKEN_S: u64 = 900;

/// What became of one site.
pub(super) enum Raised {
    /// Nothing refuses an older epoch there, and why.
    Advisory(String),
    /// Proved.
    Enforced {
        namespace: String,
        hands: Acting,
        /// What went wrong after the proof.
        left: Option<String>,
    },
}

/// Raises it, or finds that there is none.
///
/// # Errors
///
/// `Overtaken`: a newer epoch is there. `NotYet`: it is not proved. Else the server's.
pub(super) async fn raise(base: &Arc<dyn Cluster>, site: &str, claim: &Claim) -> Result<Raised, WorldError> {
    let namespace = match find(&**base, site).await? {
        Found::Missing(why) => return Ok(Raised::Advisory(why)),
        Found::Installed { namespace } => namespace,
    };
    let (group, epoch) = (claim.group.as_str(), claim.epoch);
    let before = epoch.saturating_sub(1);
    let new = [
        service_account(&namespace, &account(group, before)),
        service_account(&namespace, &account(group, epoch)),
        role_binding(&namespace, group, epoch),
    ];
    // Who is overtaken already makes nothing.
    check(&**base, site, claim).await?;
    for piece in &new {
        ensure(&**base, piece).await?;
    }
    epochs::raise(&**base, site, claim).await?;
    let (older, own) = (account(group, before), account(group, epoch));
    let witness = Witness {
        site,
        base: &**base,
        namespace: &namespace,
        account: &older,
        least: Some(epoch),
    };
    witness.is_refused().await?;
    let own = Witness {
        account: &own,
        ..witness
    };
    let hands = take_over(&own, claim).await?;
    let swept = sweep(&**base, &namespace, claim).await;
    let left = swept.err().map(|error| {
        format!(
            "older accounts keep their rights, and are refused all the same: {}",
            error.message
        )
    });
    Ok(Raised::Enforced {
        namespace,
        hands,
        left,
    })
}

/// # Errors
///
/// `Overtaken`: a newer epoch is there.
async fn check(base: &dyn Cluster, site: &str, claim: &Claim) -> Result<(), WorldError> {
    let epochs = Epochs::read(base, site).await?;
    match epochs.of(&claim.group) {
        Some(known) if known.epoch > claim.epoch => Err(overtaken(site, claim, known)),
        Some(_) | None => Ok(()),
    }
}

/// Makes it unless it is there. Its name says everything, so what is there is it.
async fn ensure(base: &dyn Cluster, piece: &Piece) -> Result<(), WorldError> {
    let there = || base.get(&piece.kind, piece.namespace(), piece.name());
    if there().await?.is_some() {
        return Ok(());
    }
    match base.create(&piece.kind, &piece.object).await {
        Err(error) if matches!(error.kind, ErrorKind::Conflict | ErrorKind::LostReply) => {
            match there().await? {
                Some(_) => Ok(()),
                None => Err(error),
            }
        }
        made => made.map(|_| ()),
    }
}

/// The hands of our own epoch, once the server knows them: the account, its rights, and that the policy lets them pass.
async fn take_over(own: &Witness<'_>, claim: &Claim) -> Result<Acting, WorldError> {
    let mut last = "nothing was heard".to_owned();
    let asking = async {
        let mut pace = Pace::default();
        loop {
            match passes(own).await {
                Ok(Ok(hands)) => return Ok(hands),
                Ok(Err(why)) => last = why,
                Err(error) if may_pass(error.kind) => last = error.message,
                Err(error) => return Err(error),
            }
            check(own.base, own.site, claim).await?;
            pace.rest().await;
        }
    };
    let Ok(hands) = tokio::time::timeout(PROOF_LIMIT, asking).await else {
        let message = format!("the account {} does not get its rights: {last}", own.account);
        return Err(WorldError::new(ErrorKind::NotYet, own.site, message).hint(epochs::repair(own.site)));
    };
    hands
}

/// Hands that may write and read; or why not.
async fn passes(own: &Witness<'_>) -> Result<Result<Acting, String>, WorldError> {
    let hands = own.hands(TOKEN_S).await?;
    match own.ask(&*hands.cluster).await? {
        Answer::Passed => {}
        Answer::Refused(_) => return Ok(Err("the policy refuses it".to_owned())),
        Answer::Unclear(error) => return Ok(Err(error.message)),
    }
    // The right to ask is every account's of that namespace; that to look here is only its role's.
    hands.cluster.identity().await?;
    Ok(Ok(hands))
}

/// Takes their rights from older epochs of the group, and their accounts, but for the last: it is the witness.
async fn sweep(base: &dyn Cluster, namespace: &str, claim: &Claim) -> Result<(), WorldError> {
    let older = |object: &serde_json::Value, than: u64| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        is_ours(object) && parse(name).is_some_and(|(group, epoch)| group == claim.group && epoch < than)
    };
    let bindings = kind("ClusterRoleBinding");
    for object in base.list(&bindings, None).await? {
        if older(&object, claim.epoch) {
            remove(
                base,
                &Piece {
                    kind: bindings.clone(),
                    object,
                },
            )
            .await?;
        }
    }
    let accounts = kind("ServiceAccount");
    for object in base.list(&accounts, Some(namespace)).await? {
        if older(&object, claim.epoch.saturating_sub(1)) {
            remove(
                base,
                &Piece {
                    kind: accounts.clone(),
                    object,
                },
            )
            .await?;
        }
    }
    Ok(())
}

/// Deletes exactly what was looked at.
pub(super) async fn remove(base: &dyn Cluster, piece: &Piece) -> Result<(), WorldError> {
    let metadata = &piece.object["metadata"];
    let uid = metadata["uid"].as_str().unwrap_or_default();
    let version = metadata["resourceVersion"].as_str().unwrap_or_default();
    base.delete_unchanged(&piece.kind, piece.namespace(), piece.name(), uid, version)
        .await?;
    Ok(())
}
