//! How a site's fence stands, found out by a trial: somebody of an older epoch asks whether it may write.
//!
//! What the trial needs is the right to ask for that account's token. Nothing is written; where a group has no older
//! account yet, one of no epoch asks, which the policy refuses as well.

use super::epochs::{Epochs, Known};
use super::names::{WITNESS, account};
use super::place::{Found, find};
use super::proof::{Answer, Witness};
use super::site::{ENFORCED, FencedSite};
use crate::effect::{ErrorKind, WorldError};
use crate::world::port::Right;

/// Of the witness's token, which is used once.
const WITNESS_S: u64 = 600;

/// How it stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// An older epoch was refused just now.
    Enforced {
        /// The account that was refused.
        refused: String,
        /// What the site knows of the group.
        known: Option<Known>,
    },
    /// Nothing refuses an older epoch, and why.
    Advisory(String),
    /// It is installed, and the trial was not refused.
    Broken(String),
    /// Nobody can tell, and why.
    Unknown(String),
}

impl Standing {
    /// What is said of a fence that was seen to refuse.
    pub const ENFORCED: &str = ENFORCED;

    /// The highest epoch that the site knows of the group.
    pub fn epoch(&self) -> u64 {
        match self {
            Self::Enforced { known, .. } => known.as_ref().map_or(0, |known| known.epoch),
            Self::Advisory(_) | Self::Broken(_) | Self::Unknown(_) => 0,
        }
    }
}

/// `enforced by the API server`, `advisory (policy not installed)`.
impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Enforced { .. } => f.write_str(ENFORCED),
            Self::Advisory(why) => write!(f, "advisory ({why})"),
            Self::Broken(why) => write!(f, "NOT ENFORCED: {why}"),
            Self::Unknown(why) => write!(f, "advisory (not known: {why})"),
        }
    }
}

impl FencedSite {
    /// By a trial, for one group or for nobody's.
    pub(super) async fn standing(&self, group: Option<&str>) -> Standing {
        match self.look(group).await {
            Ok(standing) => standing,
            Err(error) => Standing::Unknown(error.message),
        }
    }

    async fn look(&self, group: Option<&str>) -> Result<Standing, WorldError> {
        let base = &*self.base;
        let namespace = match find(base, &self.name).await? {
            Found::Missing(why) => return Ok(Standing::Advisory(why)),
            Found::Installed { namespace } => namespace,
        };
        let known = match group {
            Some(group) => Epochs::read(base, &self.name).await?.of(group).cloned(),
            None => None,
        };
        let older = group
            .zip(known.as_ref())
            .map(|(group, known)| account(group, known.epoch.saturating_sub(1)));
        let refused = older.unwrap_or_else(|| WITNESS.to_owned());
        let witness = Witness {
            site: &self.name,
            base,
            namespace: &namespace,
            account: &refused,
            least: known.as_ref().map(|known| known.epoch),
        };
        let hands = match witness.hands(WITNESS_S).await {
            Err(error) if error.kind == ErrorKind::NotFound => {
                return Ok(Standing::Broken(format!("its witness {refused} is gone")));
            }
            hands => hands?,
        };
        Ok(match witness.ask(&*hands.cluster).await? {
            Answer::Refused(at) if at >= witness.least => Standing::Enforced { refused, known },
            Answer::Refused(_) => Standing::Unknown("the policy does not know the epoch yet".to_owned()),
            Answer::Passed => Standing::Broken(format!("the account {refused} was not refused")),
            Answer::Unclear(error) => Standing::Unknown(error.message),
        })
    }

    /// Whether the inventory's own identity may do what the accounts of epochs may: then the fence keeps lifeboat's
    /// processes apart, and nobody who has that credential.
    pub(super) async fn is_decoration(&self) -> Result<bool, WorldError> {
        let everything = Right {
            verb: "delete",
            group: "*",
            resource: "*",
            namespace: None,
        };
        self.base.may(&everything).await
    }
}
