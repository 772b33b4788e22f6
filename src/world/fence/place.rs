//! Whether a site has a fence, and where it keeps its accounts and epochs.

use super::names::{PLACE, POLICY, can_fence};
use super::objects::kind;
use crate::effect::{ErrorKind, WorldError};
use crate::world::port::Cluster;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Its binding is there; whether it refuses anybody, only a trial shows.
    Installed {
        /// The namespace that the binding's note names.
        namespace: String,
    },
    /// Nothing refuses an older epoch, and why.
    Missing(String),
}

/// The binding has one name everywhere, and says where the rest is.
///
/// # Errors
///
/// The server's, where it did not answer.
pub(super) async fn find(base: &dyn Cluster, site: &str) -> Result<Found, WorldError> {
    let bindings = kind("ValidatingAdmissionPolicyBinding");
    let binding = match base.get(&bindings, None, POLICY).await {
        Ok(found) => found,
        // It does not serve the kind.
        Err(error) if error.kind == ErrorKind::NotFound => None,
        Err(error) if error.kind == ErrorKind::Forbidden => {
            return Ok(Found::Missing(format!("not known: {}", error.message)));
        }
        Err(error) => return Err(error),
    };
    let Some(binding) = binding else {
        return missing(base).await;
    };
    let namespace = binding["metadata"]["annotations"][PLACE].as_str();
    let namespace = namespace.ok_or_else(|| {
        let message = format!("the binding {POLICY} is not lifeboat's: it has no note {PLACE}");
        WorldError::new(ErrorKind::Damaged, site, message)
    })?;
    Ok(Found::Installed {
        namespace: namespace.to_owned(),
    })
}

async fn missing(base: &dyn Cluster) -> Result<Found, WorldError> {
    let version = base.identity().await?.version;
    Ok(Found::Missing(match can_fence(&version) {
        Some(false) => format!("server older than 1.30: {version}"),
        Some(true) | None => "policy not installed".to_owned(),
    }))
}
