//! Performs effects and answers queries over the ports, the same way for real and embedded ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::port::{Cluster, Store, Web};

/// Says what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Everything that can be reached, and what time it is.
#[derive(Clone)]
pub struct World {
    /// Site → cluster.
    pub clusters: BTreeMap<String, Arc<dyn Cluster>>,
    /// Store → store.
    pub stores: BTreeMap<String, Arc<dyn Store>>,
    /// The network.
    pub web: Arc<dyn Web>,
    /// The wall clock: it names backups and stamps their moment.
    pub now: Clock,
}
