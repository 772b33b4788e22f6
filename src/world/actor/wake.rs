//! Performs [`WakeControllers`].
//!
//! ## Why
//!
//! - **Only where something was held.** The hold's annotation stays on the namespace until this is done: so a process
//!   that takes over after the hold was lifted still knows whom to wake, and a namespace that nothing held is not
//!   touched.
//! - **Woken is what was seen to make a pod.** With several API servers, another one may still refuse for a moment what
//!   the one that was asked takes, and then its controller waits again: so it is woken again, a few times.
//! - **That nobody wakes is told and is no failure.** Something else may refuse the pods, such as a quota, and whoever
//!   waits for them next says so better.

use serde_json::{Value, json};

use super::World;
use super::hold::kind_of;
use super::marks::{annotation, counted, made};
use super::pace::{Look, Work, until_limit};
use super::site::Site;
use crate::effect::{Attempt, ErrorKind, Receipt, WakeControllers, WorldError};
use crate::objects::{ApiKind, HELD_BY, ObjectId, WOKEN, is_held, pods_had, pods_wanted, wakeable};

/// A controller that was woken makes pods within milliseconds, that of Jobs after one second.
const AWAKE_LIMIT_MS: u64 = 4_000;

/// So often one is woken. A cache of an API server is behind by less than a second.
const CALLS: u32 = 3;

impl World {
    pub(super) async fn wake(
        &self,
        effect: &WakeControllers,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.site)?;
        let mut said = Vec::new();
        let mut receipt = Receipt::default();
        for namespace in &effect.namespaces {
            said.push(self.wake_in(&site, namespace, attempt, &mut receipt).await?);
        }
        receipt.summary = said.join("; ");
        Ok(receipt)
    }

    async fn wake_in(
        &self,
        site: &Site<'_>,
        namespace: &str,
        attempt: &Attempt,
        receipt: &mut Receipt,
    ) -> Result<String, WorldError> {
        let kind = kind_of(site, "Namespace")?;
        let Some(found) = site.cluster.get(&kind, None, namespace).await? else {
            return Ok(format!("{namespace} is not there"));
        };
        if is_held(&found) {
            let who = annotation(&found, HELD_BY).unwrap_or("somebody");
            let message = format!("{namespace} is held again, by {who}: nobody there gets a pod");
            return Err(site.error(ErrorKind::Conflict, message));
        }
        if annotation(&found, HELD_BY).is_none() {
            return Ok(format!("nothing has held {namespace}"));
        }
        let asleep = lacking(site, namespace).await?;
        let roused = self.rouse(site, namespace, &asleep, attempt).await?;
        let forget = json!({ "metadata": { "annotations": { HELD_BY: null } } });
        site.cluster.patch(&kind, None, namespace, None, &forget).await?;
        Ok(roused.book(namespace, &asleep, receipt))
    }

    /// Wakes them until each was seen to make a pod.
    async fn rouse(
        &self,
        site: &Site<'_>,
        namespace: &str,
        asleep: &[Lacking],
        attempt: &Attempt,
    ) -> Result<Roused, WorldError> {
        let mut roused = Roused::default();
        let mut still = asleep.to_vec();
        for _ in 0..CALLS {
            if still.is_empty() {
                break;
            }
            let mut called = Vec::new();
            for one in still {
                match self.call_one(site, &one, attempt).await? {
                    Some(why) => roused.refused.push((one.uid, why)),
                    None => called.push(one),
                }
            }
            let look = || -> Work<'_, Look<()>> { Box::pin(awake(site, namespace, &called)) };
            still = match until_limit(attempt, AWAKE_LIMIT_MS, look).await? {
                Ok(()) => return Ok(roused),
                Err(_) => unmoved(site, namespace, &called).await?,
            };
        }
        roused.still = still.into_iter().map(|one| one.uid).collect();
        Ok(roused)
    }

    /// Changes the annotation of one workload; why it cannot be changed. One that is gone needs no waking.
    async fn call_one(
        &self,
        site: &Site<'_>,
        one: &Lacking,
        attempt: &Attempt,
    ) -> Result<Option<String>, WorldError> {
        let at = (self.now)().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        let mark = json!({ "metadata": { "annotations": { WOKEN: format!("{} at {at}", attempt.key) } } });
        let place = one.id.namespace.as_deref();
        match site
            .cluster
            .patch(&one.kind, place, &one.id.name, None, &mark)
            .await
        {
            Ok(_) => Ok(None),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error)
                if matches!(
                    error.kind,
                    ErrorKind::Forbidden | ErrorKind::Rejected | ErrorKind::Conflict
                ) =>
            {
                Ok(Some(error.message))
            }
            Err(error) => Err(error),
        }
    }
}

/// A workload that has fewer pods than its controller means to have.
#[derive(Clone, Debug)]
struct Lacking {
    kind: ApiKind,
    id: ObjectId,
    uid: String,
    had: u64,
    wanted: u64,
}

/// The workloads of a namespace that mean to have pods, by kind and name, and all pods that are there.
pub(super) async fn workloads(
    site: &Site<'_>,
    namespace: &str,
) -> Result<(Vec<(ApiKind, Value)>, Vec<Value>), WorldError> {
    let mut workloads = Vec::new();
    for kind in wakeable() {
        for object in site.cluster.list(&kind, Some(namespace)).await? {
            if pods_wanted(&object) > 0 {
                workloads.push((kind.clone(), object));
            }
        }
    }
    if workloads.is_empty() {
        return Ok((workloads, Vec::new()));
    }
    // After the workloads: a pod that is made in between is seen.
    let pods = site.cluster.list(&kind_of(site, "Pod")?, Some(namespace)).await?;
    Ok((workloads, pods))
}

/// Those of them that lack pods.
async fn lacking(site: &Site<'_>, namespace: &str) -> Result<Vec<Lacking>, WorldError> {
    let (workloads, pods) = workloads(site, namespace).await?;
    let lacking = workloads
        .into_iter()
        .filter_map(|(kind, object)| short_of(kind, &object, &pods));
    Ok(lacking.collect())
}

fn short_of(kind: ApiKind, object: &Value, pods: &[Value]) -> Option<Lacking> {
    let (had, wanted) = (pods_had(object, pods), pods_wanted(object));
    let one = made(object)?;
    (had < wanted).then_some(Lacking {
        kind,
        id: one.id,
        uid: one.uid,
        had,
        wanted,
    })
}

/// Those of them that have no more pods than they had.
async fn unmoved(site: &Site<'_>, namespace: &str, before: &[Lacking]) -> Result<Vec<Lacking>, WorldError> {
    let mut now = lacking(site, namespace).await?;
    now.retain(|one| before.iter().any(|old| old.uid == one.uid && one.had <= old.had));
    Ok(now)
}

async fn awake(site: &Site<'_>, namespace: &str, before: &[Lacking]) -> Result<Look<()>, WorldError> {
    let still = unmoved(site, namespace, before).await?;
    Ok(match still.first() {
        None => Look::Done(()),
        Some(one) => {
            let more = match still.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            Look::Waiting(format!("woke {}{more}: no new pod yet", one.words()))
        }
    })
}

impl Lacking {
    /// `ReplicaSet shop/web-7d89 (0 of 3 pods)`.
    fn words(&self) -> String {
        format!(
            "{} ({} of {})",
            self.id,
            self.had,
            counted(usize::try_from(self.wanted).unwrap_or(usize::MAX), "pod")
        )
    }
}

/// What became of those that lacked pods, by uid; whoever is not in it made pods.
#[derive(Default)]
struct Roused {
    /// Could not be changed, and why.
    refused: Vec<(String, String)>,
    /// Were woken and made no pod.
    still: Vec<String>,
}

impl Roused {
    /// Into the receipt, one line each; the summary of this namespace.
    fn book(&self, namespace: &str, asleep: &[Lacking], receipt: &mut Receipt) -> String {
        for one in asleep {
            let refused = self.refused.iter().find(|(uid, _)| *uid == one.uid);
            match (refused, self.still.contains(&one.uid)) {
                (Some((_, why)), _) => receipt.warnings.push(format!(
                    "{} could not be woken, and comes later: {why}",
                    one.words()
                )),
                (None, true) => receipt.warnings.push(format!(
                    "{} was woken and has made no pod within {} s: its events say why",
                    one.words(),
                    u64::from(CALLS) * AWAKE_LIMIT_MS / 1000
                )),
                (None, false) => receipt
                    .found
                    .push(format!("{}: woken, and pods are made", one.words())),
            }
        }
        let awake = asleep.len() - self.refused.len() - self.still.len();
        let woke = |count| format!("woke {} in {namespace}", counted(count, "controller"));
        match (asleep.len(), asleep.len() - awake) {
            (0, _) => format!("no workload of {namespace} lacks pods"),
            (all, 0) => format!("{}, and pods are made", woke(all)),
            (_, rest) if awake == 0 => format!(
                "{} in {namespace} lack pods and made none yet",
                counted(rest, "workload")
            ),
            (_, rest) => format!("{}, and pods are made; {rest} made none yet", woke(awake)),
        }
    }
}
