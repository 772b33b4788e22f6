//! Positive proof that a site refuses an older epoch: somebody of that epoch asks, and is refused.
//!
//! ## Why
//!
//! - **That the epoch was raised proves nothing.** A server judges by the policy as it last took it up, which it does once in
//!   a second; hundreds of requests that *began* after the raising was acknowledged were seen to be accepted.
//! - **The witness is of the epoch just before.** The cache only goes forward, so a server that refuses `n - 1` knows
//!   at least `n`, and refuses every older epoch too.
//! - **The refusal must be this policy's, and name the new epoch.** Missing rights and a login that is not known yet refuse as
//!   well, and prove nothing. Nor does the policy's refusal of a group that it does not know yet: the server may take up
//!   an epoch in between next, which would let the older one pass.
//! - **Several API servers have a cache each.** As many as the cluster names are asked for, over a new connection each.
//!   Behind a balancer that leads twice to the same one, this is no proof for the other.

use std::time::Duration;

use serde_json::Value;

use super::names::{AT, OVER, POLICY, UNKNOWN};
use super::objects::{kind, probe};
use crate::effect::{ErrorKind, WorldError};
use crate::world::port::{Account, Acting, Cluster};

/// A healthy server needs milliseconds; a new account is known to all of its parts within a second or two.
pub(super) const PROOF_LIMIT: Duration = Duration::from_secs(30);

/// Between two asks. Some are lucky, and a failover should not wait longer than it must.
const FIRST_REST_MS: u64 = 5;
const REST_MAX_MS: u64 = 250;

/// The shortest that API servers give.
const WITNESS_S: u64 = 600;

/// Whether our policy says that the epoch is over.
pub(super) fn is_over(error: &WorldError) -> bool {
    is_policys(error) && error.message.contains(OVER)
}

fn is_policys(error: &WorldError) -> bool {
    error
        .message
        .contains(&format!("ValidatingAdmissionPolicy '{POLICY}'"))
}

/// At which epoch the server says that the group is.
fn said(error: &WorldError) -> Option<u64> {
    let (_, after) = error.message.split_once(AT)?;
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    after[..end].parse().ok()
}

/// What one ask came to.
pub(super) enum Answer {
    /// Our policy refused it; with the epoch that it named, if it knows the group.
    Refused(Option<u64>),
    /// It passed.
    Passed,
    /// It failed for another reason, which may pass.
    Unclear(WorldError),
}

/// Somebody of an epoch.
#[derive(Clone, Copy)]
pub(super) struct Witness<'a> {
    pub(super) site: &'a str,
    pub(super) base: &'a dyn Cluster,
    pub(super) namespace: &'a str,
    pub(super) account: &'a str,
    /// The epoch that a refusal has to name, if any.
    pub(super) least: Option<u64>,
}

impl Witness<'_> {
    /// In the hands of the account, over a connection of its own.
    pub(super) async fn hands(&self, lifetime_s: u64) -> Result<Acting, WorldError> {
        let account = Account {
            namespace: self.namespace,
            name: self.account,
            lifetime_s,
        };
        self.base.act_as(&account).await
    }

    /// Asks once whether it may write; nothing is written.
    ///
    /// # Errors
    ///
    /// What does not pass by itself.
    pub(super) async fn ask(&self, hands: &dyn Cluster) -> Result<Answer, WorldError> {
        let probe = probe(self.namespace);
        match hands.check_create(&probe.kind, &probe.object).await {
            Ok(()) => Ok(Answer::Passed),
            Err(error) if is_over(&error) || is_policys(&error) && error.message.contains(UNKNOWN) => {
                Ok(Answer::Refused(said(&error)))
            }
            Err(error) if may_pass(error.kind) => Ok(Answer::Unclear(error)),
            Err(error) => Err(error),
        }
    }

    /// Waits until every server that the cluster names refuses the account.
    ///
    /// # Errors
    ///
    /// `NotYet`: it was not refused in time.
    pub(super) async fn is_refused(&self) -> Result<(), WorldError> {
        let mut last = "nothing was heard".to_owned();
        let asking = async {
            for _ in 0..servers(self.base).await? {
                self.until_refused(&mut last).await?;
            }
            Ok(())
        };
        match tokio::time::timeout(PROOF_LIMIT, asking).await {
            Ok(proved) => proved,
            Err(_) => Err(self.unproved(&last)),
        }
    }

    async fn until_refused(&self, last: &mut String) -> Result<(), WorldError> {
        let mut pace = Pace::default();
        let mut hands = None;
        loop {
            let acting = match hands.take() {
                Some(acting) => Ok(acting),
                None => self.hands(WITNESS_S).await,
            };
            match acting {
                Ok(acting) => match self.ask(&*acting.cluster).await? {
                    Answer::Refused(at) if at >= self.least => return Ok(()),
                    Answer::Refused(_) => "the policy does not know the epoch yet".clone_into(last),
                    Answer::Passed => {
                        "its write was accepted".clone_into(last);
                        hands = Some(acting);
                    }
                    Answer::Unclear(error) => *last = error.message,
                },
                Err(error) if may_pass(error.kind) => *last = error.message,
                Err(error) => return Err(error),
            }
            pace.rest().await;
        }
    }

    fn unproved(&self, last: &str) -> WorldError {
        let message = format!(
            "the fence is not proved: within {} s {} was not refused: {last}",
            PROOF_LIMIT.as_secs(),
            self.account
        );
        WorldError::new(ErrorKind::NotYet, self.site, message).hint(super::epochs::repair(self.site))
    }
}

/// Trouble of a moment, also that of an account that was made a moment ago.
pub(super) const fn may_pass(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unreachable
            | ErrorKind::LostReply
            | ErrorKind::Busy
            | ErrorKind::Unauthenticated
            | ErrorKind::Forbidden
            | ErrorKind::NotYet
    )
}

/// How many API servers the cluster names; at least the one that answers.
async fn servers(base: &dyn Cluster) -> Result<usize, WorldError> {
    let slices = match base.list(&kind("EndpointSlice"), Some("default")).await {
        Ok(slices) => slices,
        // Who may not look asks one.
        Err(error) if error.kind == ErrorKind::Forbidden => return Ok(1),
        Err(error) => return Err(error),
    };
    let of_servers =
        |slice: &&Value| slice["metadata"]["labels"]["kubernetes.io/service-name"] == "kubernetes";
    let addresses = slices.iter().filter(of_servers).flat_map(|slice| {
        let endpoints = slice["endpoints"].as_array().into_iter().flatten();
        endpoints.flat_map(|endpoint| endpoint["addresses"].as_array().into_iter().flatten())
    });
    Ok(addresses.count().max(1))
}

/// Ever longer rests.
pub(super) struct Pace(u64);

impl Default for Pace {
    fn default() -> Self {
        Self(FIRST_REST_MS)
    }
}

impl Pace {
    #[expect(
        clippy::disallowed_methods,
        reason = "an adapter that waits for a server's cache"
    )]
    pub(super) async fn rest(&mut self) {
        tokio::time::sleep(Duration::from_millis(self.0)).await;
        self.0 = (self.0 * 2).min(REST_MAX_MS);
    }
}
