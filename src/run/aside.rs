//! Work that may block a thread: reading and writing the journal's file.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::{JoinError, spawn_blocking};

/// Has it done on another thread, so that everything else goes on meanwhile; where there is only one thread,
/// at once.
///
/// A runtime with one thread is a simulation's. A second thread would come back at some moment of real time,
/// between other things in an order that is different each time; this way the same simulation is the same run.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => Ok(work()),
        _ => spawn_blocking(work).await,
    }
}
