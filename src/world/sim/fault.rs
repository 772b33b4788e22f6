//! Scripted trouble, as data: which request of which place goes wrong, and how.
//!
//! A fault is counted by requests, not by time or chance, so the same script gives the same run.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::effect::{ErrorKind, WorldError};

/// Everything that shall go wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct FaultPlan {
    /// Requests that fail.
    pub faults: Vec<Fault>,
    /// Pods that never become ready.
    pub stuck_pods: Vec<StuckPod>,
    /// Jobs that fail: their names begin with one of these.
    pub failing_jobs: Vec<String>,
    /// Programs in pods that end with exit code 1.
    pub failing_commands: Vec<String>,
}

/// Requests of one sort that fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The site, store, DNS server or receiver.
    pub place: String,
    /// `identity`, `discover`, `list`, `get`, `check`, `create`, `apply`, `patch`, `delete`, `exec`, `put`;
    /// `call`: a request to its network that may change something; of a DNS server `look`, `check`, `swap`; of a
    /// receiver `check`, `tell`; `*`: any.
    pub verb: String,
    /// Only this kind (`Deployment`), or only keys of a store or names of a DNS server that hold this text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// The first request that fails, counted from 1 among those that fit.
    pub nth: u32,
    /// How many fail from there on; 0: all.
    #[serde(default = "one")]
    pub times: u32,
    /// How.
    pub error: FaultError,
}

const fn one() -> u32 {
    1
}

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultError {
    /// 429: it was not done.
    Busy,
    /// Nothing was sent.
    Unreachable,
    /// It was done and the reply was lost.
    LostReplyAfterCommit,
    /// It was not done and the reply was lost: the caller sees the same as above.
    LostReplyBefore,
    /// 403: it was not done.
    Forbidden,
    /// The connection breaks in the middle of a body: some bytes arrive, the rest does not.
    BrokenBody,
}

/// Pods that never become ready, and what they say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StuckPod {
    /// The site.
    pub site: String,
    /// First part of the pods' names.
    pub prefix: String,
    /// `ImagePullBackOff`, `CrashLoopBackOff` …
    pub reason: String,
}

/// A fault plan and how often each of its faults was met. Clones share the counters.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    plan: FaultPlan,
    met: Vec<u32>,
}

impl Faults {
    /// Replaces the plan and forgets the counts.
    pub(super) fn set(&self, plan: FaultPlan) {
        let mut counted = self.lock();
        counted.met = vec![0; plan.faults.len()];
        counted.plan = plan;
    }

    /// Counts one request; says how it fails, if it does.
    pub(super) fn meet(&self, place: &str, verb: &str, what: &str) -> Option<FaultError> {
        let mut counted = self.lock();
        let Counted { plan, met } = &mut *counted;
        let mut hit = None;
        for (fault, met) in plan.faults.iter().zip(met) {
            if !fault.fits(place, verb, what) {
                continue;
            }
            *met += 1;
            let last = match fault.times {
                0 => u32::MAX,
                times => fault.nth.saturating_add(times - 1),
            };
            if (fault.nth..=last).contains(met) {
                hit = hit.or(Some(fault.error));
            }
        }
        hit
    }

    /// Why a pod never becomes ready, if so.
    pub(super) fn stuck(&self, site: &str, pod: &str) -> Option<String> {
        let counted = self.lock();
        let mut all = counted.plan.stuck_pods.iter();
        all.find(|stuck| stuck.site == site && pod.starts_with(&stuck.prefix))
            .map(|stuck| stuck.reason.clone())
    }

    /// Whether a Job fails.
    pub(super) fn job_fails(&self, job: &str) -> bool {
        let counted = self.lock();
        counted
            .plan
            .failing_jobs
            .iter()
            .any(|prefix| job.starts_with(prefix))
    }

    /// Whether a program in a pod fails.
    pub(super) fn command_fails(&self, program: &str) -> bool {
        let counted = self.lock();
        counted.plan.failing_commands.iter().any(|one| one == program)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    fn fits(&self, place: &str, verb: &str, what: &str) -> bool {
        self.place == place
            && (self.verb == "*" || self.verb == verb)
            && self.what.as_deref().is_none_or(|wanted| what.contains(wanted))
    }
}

impl FaultError {
    /// Whether the request is carried out nevertheless.
    pub(super) const fn commits(self) -> bool {
        matches!(self, Self::LostReplyAfterCommit)
    }

    /// What the caller gets.
    pub(super) fn error(self, place: &str) -> WorldError {
        let (kind, message) = match self {
            Self::Busy => (ErrorKind::Busy, "too many requests, please try again later"),
            Self::Unreachable => (ErrorKind::Unreachable, "connection refused"),
            Self::LostReplyAfterCommit | Self::LostReplyBefore | Self::BrokenBody => {
                (ErrorKind::LostReply, "connection closed before the reply")
            }
            Self::Forbidden => (ErrorKind::Forbidden, "not allowed by a rule of this simulation"),
        };
        WorldError::new(kind, place, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(nth: u32, times: u32) -> Fault {
        Fault {
            place: "west".into(),
            verb: "apply".into(),
            what: Some("Deployment".into()),
            nth,
            times,
            error: FaultError::Busy,
        }
    }

    fn met(fault: Fault) -> Vec<bool> {
        let faults = Faults::default();
        faults.set(FaultPlan {
            faults: vec![fault],
            ..FaultPlan::default()
        });
        assert_eq!(
            faults.meet("east", "apply", "Deployment"),
            None,
            "another place is not counted"
        );
        assert_eq!(
            faults.meet("west", "apply", "Service"),
            None,
            "another kind is not counted"
        );
        (0..5)
            .map(|_| faults.meet("west", "apply", "Deployment").is_some())
            .collect()
    }

    #[test]
    fn a_fault_hits_the_nth_fitting_request_and_as_many_as_it_says() {
        assert_eq!(met(fault(2, 1)), [false, true, false, false, false]);
        assert_eq!(met(fault(2, 3)), [false, true, true, true, false]);
        assert_eq!(met(fault(3, 0)), [false, false, true, true, true]);
    }

    #[test]
    fn a_plan_is_data_with_short_forms() {
        let plan: FaultPlan = serde_json::from_value(serde_json::json!({
            "faults": [{ "place": "west", "verb": "apply", "nth": 1, "error": "lost-reply-after-commit" }],
        }))
        .expect("it reads");
        assert_eq!(plan.faults[0].times, 1);
        assert!(plan.faults[0].error.commits());
    }
}
