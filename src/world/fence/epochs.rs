//! The epoch of each group at a site: they stand in the policy, which is changed only as it was read, and only upwards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::names::{POLICY, RECORD};
use super::objects::{kind, record, variables};
use crate::effect::{ErrorKind, WorldError};
use crate::run::Claim;
use crate::world::port::Cluster;

/// How often somebody else may write between our reading and our writing.
pub(super) const TRIES: usize = 8;

/// Who raised an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: String,
    /// Who carries it: `anna on laptop`.
    pub by: String,
    /// Since when.
    pub at: String,
    /// Tells its claim from every other one.
    pub nonce: String,
}

impl Holder {
    pub(super) fn of(claim: &Claim) -> Self {
        Self {
            run: claim.run.0.clone(),
            by: format!("{} on {}", claim.operator.name, claim.operator.host),
            at: claim.at.to_string(),
            nonce: claim.nonce.clone(),
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, carried by {} since {}", self.run, self.by, self.at)
    }
}

/// What a site knows of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Older ones are refused.
    pub epoch: u64,
    /// Who raised it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Holder>,
}

/// All epochs of a site, as they were read.
#[derive(Debug)]
pub(super) struct Epochs {
    /// The policy's, for whoever changes it.
    pub(super) version: String,
    pub(super) known: BTreeMap<String, Known>,
}

impl Epochs {
    /// # Errors
    ///
    /// The server's; `NotFound`: there is no policy. `Damaged`: somebody else wrote what it says.
    pub(super) async fn read(base: &dyn Cluster, site: &str) -> Result<Self, WorldError> {
        let found = base.get(&kind("ValidatingAdmissionPolicy"), None, POLICY).await?;
        let damaged = |kind: ErrorKind, what: &str| {
            let message = format!("the fence is damaged: {what}");
            WorldError::new(kind, site, message).hint(repair(site))
        };
        let found = found.ok_or_else(|| damaged(ErrorKind::NotFound, "its policy is gone"))?;
        let version = found["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        let known = recorded(&found).ok_or_else(|| {
            let what = format!("what {POLICY} compares with is not what its note {RECORD} says");
            damaged(ErrorKind::Damaged, &what)
        })?;
        Ok(Self {
            version: version.to_owned(),
            known,
        })
    }

    pub(super) fn of(&self, group: &str) -> Option<&Known> {
        self.known.get(group)
    }
}

/// What a policy's note says, whatever the policy compares with.
pub(super) fn noted(policy: &Value) -> Option<BTreeMap<String, Known>> {
    let text = policy["metadata"]["annotations"][RECORD].as_str()?;
    serde_json::from_str(text).ok()
}

/// The epochs of a policy, if it compares with what its note says.
fn recorded(policy: &Value) -> Option<BTreeMap<String, Known>> {
    let known = noted(policy)?;
    (policy["spec"]["variables"] == variables(&known)).then_some(known)
}

pub(super) fn repair(site: &str) -> String {
    format!(
        "mend it: lifeboat fence install --site {site}; or do without it: lifeboat fence remove --site {site} --force --reason \"…\""
    )
}

/// Raises a group's epoch to the claim's, or finds it there.
///
/// # Errors
///
/// `Overtaken`: it is higher, or somebody else's; nothing was changed. Else the server's.
pub(super) async fn raise(base: &dyn Cluster, site: &str, claim: &Claim) -> Result<(), WorldError> {
    let ours = Known {
        epoch: claim.epoch,
        holder: Some(Holder::of(claim)),
    };
    let mut last = None;
    for _ in 0..TRIES {
        let Epochs { version, mut known } = Epochs::read(base, site).await?;
        match known.get(&claim.group) {
            Some(now) if *now == ours => return Ok(()),
            Some(now) if now.epoch >= claim.epoch => return Err(overtaken(site, claim, now)),
            Some(_) | None => {}
        }
        known.insert(claim.group.clone(), ours.clone());
        let patch = json!({
            "metadata": { "resourceVersion": version, "annotations": { RECORD: record(&known) } },
            "spec": { "variables": variables(&known) },
        });
        let policies = kind("ValidatingAdmissionPolicy");
        match base.patch(&policies, None, POLICY, None, &patch).await {
            Ok(_) => return Ok(()),
            // Only what is there can tell.
            Err(error) if matches!(error.kind, ErrorKind::Conflict | ErrorKind::LostReply) => {
                last = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| WorldError::new(ErrorKind::Busy, site, "the epoch cannot be raised")))
}

/// What is said to an epoch that is over.
pub(super) fn overtaken(site: &str, claim: &Claim, now: &Known) -> WorldError {
    let who = match &now.holder {
        Some(holder) => format!(" ({holder})"),
        None => String::new(),
    };
    let message = format!(
        "epoch {} of {} is over: the site is at epoch {}{who}",
        claim.epoch, claim.group, now.epoch
    );
    let error = WorldError::new(ErrorKind::Overtaken, site, message);
    match &now.holder {
        Some(holder) => error.hint(format!("see how it goes on: lifeboat status {}", holder.run)),
        None => error,
    }
}
