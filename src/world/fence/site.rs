//! One site's way through its fence: as whoever the inventory says until a run holds an epoch, then as that epoch's
//! account.
//!
//! ## Why
//!
//! - **At the port.** A site that does not answer when a run begins may answer later; its fence is then raised before
//!   it gets its first request, whichever step that is of.
//! - **Overtaken once is overtaken for good**, at every site of this process: nothing more is sent.
//! - **A token is asked for anew at half of its time**, by whoever the inventory says; the kubeconfig is not read again.

use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::{Duration, Instant};

use super::epochs::{Epochs, overtaken};
use super::names::account;
use super::proof::is_over;
use super::raise::{Raised, TOKEN_S, raise};
use crate::effect::{ErrorKind, WorldError};
use crate::run::Claim;
use crate::world::gate::{Ask, Gate};
use crate::world::port::{Account, Acting, Answer, Cluster};

/// Said by the first site that refuses us, heard by all.
pub(super) type Over = Arc<OnceLock<WorldError>>;

/// One site.
pub(super) struct FencedSite {
    pub(super) name: String,
    /// In the hands of whoever the inventory says.
    pub(super) base: Arc<dyn Cluster>,
    over: Over,
    state: Mutex<State>,
}

enum State {
    /// No run of this process holds an epoch.
    Free,
    /// A run does, and the site does not know it yet.
    Armed(Claim),
    /// Nothing refuses older epochs there.
    Advisory,
    Enforced(Box<Hands>),
}

struct Hands {
    claim: Claim,
    namespace: String,
    cluster: Arc<dyn Cluster>,
    /// When the token is asked for anew.
    refresh_at: Instant,
    /// When it ends.
    ends_at: Instant,
}

impl Hands {
    fn take(&mut self, acting: Acting) {
        let lifetime = Duration::from_secs(acting.lifetime_s);
        let now = Instant::now();
        self.cluster = acting.cluster;
        self.refresh_at = now + lifetime / 2;
        self.ends_at = now + lifetime;
    }
}

/// What the journal says of a site.
pub(super) const ENFORCED: &str = "enforced by the API server";

impl FencedSite {
    pub(super) fn new(name: &str, base: Arc<dyn Cluster>, over: Over) -> Self {
        Self {
            name: name.to_owned(),
            base,
            over,
            state: Mutex::new(State::Free),
        }
    }

    /// From now on no request goes there before the site refuses older epochs.
    pub(super) async fn arm(&self, claim: &Claim) {
        *self.state.lock().await = State::Armed(claim.clone());
    }

    /// Raises the fence now, and says how it stands.
    pub(super) async fn settle(&self) -> Result<String, WorldError> {
        let mut state = self.state.lock().await;
        self.settle_in(&mut state).await
    }

    async fn settle_in(&self, state: &mut State) -> Result<String, WorldError> {
        let State::Armed(claim) = state else {
            return Ok(String::new());
        };
        let claim = claim.clone();
        match raise(&self.base, &self.name, &claim).await {
            Ok(Raised::Advisory(why)) => {
                *state = State::Advisory;
                Ok(format!("advisory ({why})"))
            }
            Ok(Raised::Enforced {
                namespace,
                hands,
                left,
            }) => {
                let now = Instant::now();
                let mut own = Hands {
                    claim,
                    namespace,
                    cluster: hands.cluster.clone(),
                    refresh_at: now,
                    ends_at: now,
                };
                own.take(hands);
                *state = State::Enforced(Box::new(own));
                Ok(match left {
                    Some(left) => format!("{ENFORCED}; {left}"),
                    None => ENFORCED.to_owned(),
                })
            }
            Err(error) if error.kind == ErrorKind::Overtaken => Err(self.end(error)),
            Err(error) => Err(error),
        }
    }

    /// The first reason counts.
    fn end(&self, error: WorldError) -> WorldError {
        self.over.get_or_init(|| error).clone()
    }

    /// Why the epoch is over, if it is.
    async fn is_overtaken(&self, hands: &Hands) -> Option<WorldError> {
        let epochs = Epochs::read(&*self.base, &self.name).await.ok()?;
        let known = epochs.of(&hands.claim.group)?;
        (known.epoch > hands.claim.epoch).then(|| overtaken(&self.name, &hands.claim, known))
    }

    async fn refresh(&self, hands: &mut Hands) -> Result<(), WorldError> {
        let now = Instant::now();
        if now < hands.refresh_at {
            return Ok(());
        }
        let own = account(&hands.claim.group, hands.claim.epoch);
        let wanted = Account {
            namespace: &hands.namespace,
            name: &own,
            lifetime_s: TOKEN_S,
        };
        match self.base.act_as(&wanted).await {
            Ok(acting) => hands.take(acting),
            // A newer epoch took the account away.
            Err(error) if error.kind == ErrorKind::NotFound => {
                return Err(match self.is_overtaken(hands).await {
                    Some(over) => self.end(over),
                    None => error,
                });
            }
            Err(error) if now >= hands.ends_at => return Err(error),
            // The token still lasts; the next request asks again.
            Err(_) => {}
        }
        Ok(())
    }

    async fn pass(&self) -> Result<Arc<dyn Cluster>, WorldError> {
        if let Some(over) = self.over.get() {
            return Err(over.clone());
        }
        let mut state = self.state.lock().await;
        self.settle_in(&mut state).await?;
        match &mut *state {
            State::Enforced(hands) => {
                self.refresh(hands).await?;
                Ok(hands.cluster.clone())
            }
            State::Free | State::Advisory | State::Armed(_) => Ok(self.base.clone()),
        }
    }

    /// A refusal may be the fence's: then everything is over.
    async fn heard(&self, error: WorldError) -> WorldError {
        let over = is_over(&error);
        if !over && !matches!(error.kind, ErrorKind::Forbidden | ErrorKind::Unauthenticated) {
            return error;
        }
        let mut state = self.state.lock().await;
        let State::Enforced(hands) = &mut *state else {
            return error;
        };
        match self.is_overtaken(hands).await {
            Some(reason) => self.end(reason),
            // The server's word is enough, whoever else can be asked or not.
            None if over => {
                let message = format!(
                    "epoch {} of {} is over: {}",
                    hands.claim.epoch, hands.claim.group, error.message
                );
                self.end(WorldError::new(ErrorKind::Overtaken, &self.name, message))
            }
            None => {
                if error.kind == ErrorKind::Unauthenticated {
                    // The machine slept, perhaps: the token ended before its time by our clock.
                    hands.refresh_at = Instant::now();
                }
                error
            }
        }
    }
}

/// The gate of a site.
pub(super) struct Post(pub(super) Arc<FencedSite>);

impl Gate for Post {
    fn open(&self, _: Ask) -> Answer<'_, Arc<dyn Cluster>> {
        Box::pin(self.0.pass())
    }

    fn told(&self, error: WorldError) -> BoxFuture<'_, WorldError> {
        Box::pin(self.0.heard(error))
    }

    fn authorities(&self) -> Vec<String> {
        self.0.base.authorities()
    }
}
