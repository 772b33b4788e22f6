//! Performs [`HoldNamespaces`] and [`ReleaseNamespaces`].
//!
//! ## Why
//!
//! - **In this order**: the policy, the label, the proof that new pods are refused, and only then the pods. Else
//!   their controllers would make them again faster than they are stopped.
//! - **Proof is a refusal that was seen.** That the policy and the label are there proves nothing: a server judges by
//!   what it last took up. Nor does a refusal by somebody else, such as a quota, which lets the next pod in.
//! - **Pods are told to stop and waited for, never forced.** To force means to forget: the pod of a node that cannot
//!   be reached would be gone from the list and go on writing.
//! - **The last look sees both**: no pod runs, and a new one is refused. With several API servers, each with a cache
//!   of its own, it is one of them that was seen.
//! - **Pods that have ended stay**: they run nothing, and their logs may be wanted.
//! - A deletion inside the loop that waits is by uid, so that one whose reply was lost may be sent again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use super::World;
use super::marks::{annotation, counted, is_going, made, text, uid};
use super::pace::{Look, until, until_limit};
use super::pods::{has_ended, named};
use super::site::Site;
use crate::effect::{Attempt, ErrorKind, HoldNamespaces, Receipt, ReleaseNamespaces, WorldError};
use crate::objects::{
    ApiKind, HELD_BY, HOLD_LABEL, HOLD_POLICY, Made, Roster, builtin, has_controller, hold_kinds,
    hold_objects, hold_witness, is_held, is_our_hold, is_static_pod, refused_by_hold,
};

/// A server takes up a new policy within a second and a label within milliseconds; thirty times that is a server
/// that does not.
const PROOF_LIMIT_MS: u64 = 30_000;

/// A pod that is there so long after its time to stop was over is one whose node does not say anything.
const OVERDUE_S: i64 = 10;

impl World {
    pub(super) async fn hold(
        &self,
        effect: &HoldNamespaces,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.site)?;
        self.held(&site, effect, attempt).await.map_err(not_proved)
    }

    async fn held(
        &self,
        site: &Site<'_>,
        effect: &HoldNamespaces,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        ensure_policy(site).await?;
        for namespace in &effect.namespaces {
            mark(site, namespace, attempt).await?;
        }
        for namespace in &effect.namespaces {
            until_refused(site, namespace, attempt).await?;
        }
        let stopped = Stopped::default();
        let now = &self.now;
        until(attempt, || {
            Box::pin(stop(site, &effect.namespaces, &stopped, move || now()))
        })
        .await?;
        let seen = (self.now)().strftime("%Y-%m-%dT%H:%M:%SZ");
        let names = effect.namespaces.join(", ");
        let summary = format!("0 pods run in {names}, and a new one is refused; seen at {seen}");
        let (deleted, warnings) = stopped.books();
        Ok(Receipt {
            outputs: BTreeMap::from([(Receipt::PROOF.to_owned(), summary.clone())]),
            summary,
            deleted,
            warnings,
            ..Receipt::default()
        })
    }

    pub(super) async fn release(
        &self,
        effect: &ReleaseNamespaces,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let site = self.site(&effect.site)?;
        let mut said = Vec::new();
        for namespace in &effect.namespaces {
            said.push(let_go(&site, namespace, attempt).await?);
        }
        Ok(Receipt {
            summary: said.join("; "),
            ..Receipt::default()
        })
    }
}

/// Says of an error what it means: whatever went wrong, nothing proves that the site has stopped.
fn not_proved(mut error: WorldError) -> WorldError {
    if !error.message.starts_with("not proved") {
        error.message = format!("not proved: {}", error.message);
    }
    if error.kind == ErrorKind::Unreachable {
        return error.hint(
            "that it does not answer is not the same as that it has stopped; to go on without proof a person accepts the risk (a step `accept`)",
        );
    }
    error
}

/// The policy and its binding as they have to be. What somebody has changed of ours is mended; what has the name
/// and is not ours is left alone.
async fn ensure_policy(site: &Site<'_>) -> Result<(), WorldError> {
    for (kind, object) in hold_kinds().iter().zip(hold_objects()) {
        let found = match site.cluster.get(kind, None, HOLD_POLICY).await {
            Err(error) if error.kind == ErrorKind::NotFound => {
                let message = format!("it serves no {}, which came with Kubernetes 1.30", kind.kind);
                return Err(site.error(ErrorKind::Rejected, message));
            }
            found => found?,
        };
        match found {
            Some(found) if !is_our_hold(&found) => {
                let message = format!("{} {HOLD_POLICY} is there and is not lifeboat's", kind.kind);
                return Err(site.error(ErrorKind::Rejected, message));
            }
            Some(found) if found["spec"] == object["spec"] => {}
            Some(_) | None => _ = site.cluster.apply(kind, &object, true).await?,
        }
    }
    Ok(())
}

/// Puts the label on a namespace; one that has it stays as it is, and so does the name of who held it first.
async fn mark(site: &Site<'_>, name: &str, attempt: &Attempt) -> Result<(), WorldError> {
    let kind = kind_of(site, "Namespace")?;
    let Some(found) = site.cluster.get(&kind, None, name).await? else {
        return Err(site.error(ErrorKind::NotFound, format!("there is no namespace {name}")));
    };
    if is_held(&found) {
        return Ok(());
    }
    let patch = json!({ "metadata": {
        "labels": { HOLD_LABEL: "true" },
        "annotations": { HELD_BY: attempt.run },
    } });
    site.cluster.patch(&kind, None, name, None, &patch).await?;
    Ok(())
}

/// Takes the label off, and waits until the hold refuses no new pod; what was seen. Who held it stays written until
/// whoever was refused pods is woken.
async fn let_go(site: &Site<'_>, name: &str, attempt: &Attempt) -> Result<String, WorldError> {
    let kind = kind_of(site, "Namespace")?;
    let Some(found) = site.cluster.get(&kind, None, name).await? else {
        return Ok(format!("{name} is not there, so nothing holds it"));
    };
    if found["metadata"]["labels"].get(HOLD_LABEL).is_none() {
        return Ok(format!("{name} was not held"));
    }
    let held_by = annotation(&found, HELD_BY).unwrap_or(&attempt.run);
    let patch = json!({ "metadata": {
        "labels": { HOLD_LABEL: null },
        "annotations": { HELD_BY: held_by },
    } });
    site.cluster.patch(&kind, None, name, None, &patch).await?;
    let looked = until_limit(attempt, PROOF_LIMIT_MS, || Box::pin(open(site, name))).await?;
    let door = looked.map_err(|last| still(site, "did not stop refusing new pods", &last))?;
    Ok(format!("{name} is let go: {door}"))
}

fn still(site: &Site<'_>, what: &str, last: &str) -> WorldError {
    let last = last.trim_start_matches("not proved: ");
    let message = format!("within {} s it {what}: {last}", PROOF_LIMIT_MS / 1000);
    site.error(ErrorKind::NotYet, message)
}

/// What an API server says to a new pod.
enum Door {
    /// The hold refuses it.
    Shut,
    /// It would be taken.
    Open,
    /// Something else refuses it, so that nobody sees what the hold would say.
    Unclear(WorldError),
}

/// Asks for a pod that is not made.
///
/// # Errors
///
/// Nobody answered, or we may not ask.
async fn try_door(site: &Site<'_>, namespace: &str) -> Result<Door, WorldError> {
    let asked = site
        .cluster
        .check_create(&kind_of(site, "Pod")?, &hold_witness(namespace))
        .await;
    match asked {
        Ok(()) => Ok(Door::Open),
        Err(error) if refused_by_hold(&error.message) => Ok(Door::Shut),
        Err(error) => match error.kind {
            ErrorKind::Rejected | ErrorKind::Conflict | ErrorKind::NotYet => Ok(Door::Unclear(error)),
            _ => Err(error),
        },
    }
}

async fn until_refused(site: &Site<'_>, namespace: &str, attempt: &Attempt) -> Result<(), WorldError> {
    let looked = until_limit(attempt, PROOF_LIMIT_MS, || Box::pin(shut(site, namespace))).await?;
    looked.map_err(|last| still(site, "did not refuse a new pod by the hold", &last))
}

async fn shut(site: &Site<'_>, namespace: &str) -> Result<Look<()>, WorldError> {
    Ok(match try_door(site, namespace).await? {
        Door::Shut => Look::Done(()),
        Door::Open => Look::Waiting(format!("not proved: a new pod in {namespace} would be taken")),
        Door::Unclear(error) => Look::Waiting(format!(
            "not proved: a new pod in {namespace} is refused by something else: {}",
            error.message
        )),
    })
}

async fn open(site: &Site<'_>, namespace: &str) -> Result<Look<String>, WorldError> {
    Ok(match try_door(site, namespace).await? {
        Door::Shut => Look::Waiting(format!("a new pod in {namespace} is still refused")),
        Door::Open => Look::Done("a new pod is taken".to_owned()),
        Door::Unclear(error) => Look::Done(format!(
            "the hold refuses no new pod; something else does: {}",
            error.message
        )),
    })
}

/// Pods that were deleted, by uid, and those of them that nobody makes again.
#[derive(Default)]
struct Stopped(Mutex<BTreeMap<String, (Made, bool)>>);

impl Stopped {
    fn add(&self, pod: &Value) {
        if let Some(one) = made(pod) {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(one.uid.clone(), (one, has_controller(pod)));
        }
    }

    /// For the receipt: what is gone, and what people should know of it.
    fn books(self) -> (Roster, Vec<String>) {
        let all = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        let lost = all.values().filter(|(_, made_again)| !made_again);
        let lost: Vec<String> = lost
            .map(|(pod, _)| format!("{} had no controller: nothing makes it again", pod.id))
            .collect();
        (all.into_values().map(|(pod, _)| pod).collect(), lost)
    }
}

/// One look: tells every pod that runs to stop; done when none runs and a new one is refused.
async fn stop(
    site: &Site<'_>,
    namespaces: &[String],
    stopped: &Stopped,
    now: impl Fn() -> jiff::Timestamp + Send,
) -> Result<Look<()>, WorldError> {
    let kind = kind_of(site, "Pod")?;
    let (mut left, mut fixed) = (Vec::new(), Vec::new());
    for namespace in namespaces {
        for pod in site.cluster.list(&kind, Some(namespace)).await? {
            if has_ended(&pod) {
                continue;
            }
            if is_static_pod(&pod) {
                fixed.push(whereabouts(&pod));
                continue;
            }
            if !is_going(&pod) {
                tell_to_stop(site, &kind, namespace, &pod, stopped).await?;
            }
            left.push(format!("{} ({})", whereabouts(&pod), how_far(&pod, now())));
        }
    }
    if !left.is_empty() {
        let count = counted(left.len(), "pod");
        return Ok(Look::Waiting(format!(
            "not proved: {count} still there: {}",
            named(&left)
        )));
    }
    if !fixed.is_empty() {
        return Err(fixtures(site, &fixed));
    }
    for namespace in namespaces {
        if let waiting @ Look::Waiting(_) = shut(site, namespace).await? {
            return Ok(waiting);
        }
    }
    Ok(Look::Done(()))
}

async fn tell_to_stop(
    site: &Site<'_>,
    kind: &ApiKind,
    namespace: &str,
    pod: &Value,
    stopped: &Stopped,
) -> Result<(), WorldError> {
    let name = text(pod, "/metadata/name");
    match site.cluster.delete(kind, Some(namespace), name, uid(pod)).await {
        Ok(true) => stopped.add(pod),
        // It is gone, or another one of its name is there, which the next look sees.
        Ok(false) => {}
        Err(error) if error.kind == ErrorKind::Conflict => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// `shop/web-7d89-x2dnt on node-3`.
fn whereabouts(pod: &Value) -> String {
    let (namespace, name) = (text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    match text(pod, "/spec/nodeName") {
        "" => format!("{namespace}/{name}"),
        node => format!("{namespace}/{name} on {node}"),
    }
}

/// A server writes the end of a pod's time to stop into its deletion time. Long after it, only the node can say
/// that the pod has stopped, and does not.
fn how_far(pod: &Value, now: jiff::Timestamp) -> String {
    let until: Option<jiff::Timestamp> = text(pod, "/metadata/deletionTimestamp").parse().ok();
    match until {
        Some(until) if (now - until).get_seconds() > OVERDUE_S => {
            format!("should have stopped by {until}; its node has not said that it did")
        }
        Some(_) => "stopping".to_owned(),
        None => "told to stop".to_owned(),
    }
}

/// Deleting the mirror of a static pod stops nothing, and under a hold it would not even be seen any more.
fn fixtures(site: &Site<'_>, pods: &[String]) -> WorldError {
    let message = format!(
        "not proved: {} that only the kubelet of its node stops: {}",
        counted(pods.len(), "static pod"),
        named(pods)
    );
    site.error(ErrorKind::Rejected, message)
        .hint("take its manifest off the node, or move it out of the namespace; then try the step again")
}

pub(super) fn kind_of(site: &Site<'_>, name: &str) -> Result<ApiKind, WorldError> {
    let missing = || site.error(ErrorKind::Internal, format!("{name} is not built in"));
    builtin(name).ok_or_else(missing)
}
