//! Performs effects and answers queries over the ports of [`super::port`], with the same code for
//! real and for embedded places.
//!
//! One file per effect. Ports do one request each; loops that wait are here, and they say what they
//! wait for. Nothing here retries a change: the engine does, knowing the effect's class.
//!
//! ## Why
//!
//! - Looking again is not retrying. A loop that waits for ten minutes meets a restart of the API
//!   server; to give up then would turn a passing fault into a failed recovery. So trouble that
//!   passes by itself ends a *look*, is told, and the loop goes on; a *change* it ends at once.
//! - What a lost reply hides is found again by [`marks`]: every object that is made carries the key of
//!   its effect.

mod apply;
mod backup;
mod bytes;
mod call;
mod capacity;
mod catalog;
mod command;
mod compare;
mod copy;
mod delete;
mod dns;
mod hold;
mod intent;
mod job;
mod keeper;
pub mod library;
mod lock;
mod marks;
mod observe;
mod older;
mod pace;
mod pods;
mod probe;
mod restore;
mod sandbox;
mod scale;
mod site;
mod sql;
mod teardown;
mod tell;
#[cfg(test)]
mod tests;
mod traffic;
mod understudy;
mod velero;
mod wait;
mod wake;

pub use intent::Begun;
pub use keeper::{Gone, Keeper, Obituary, Remains};
pub use older::{Lost, Older};
pub(super) use probe::quoted;
pub use understudy::Understudy;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::manifests;
use super::port::{Cluster, Names, Receiver, Store, Web};
use crate::effect::{
    Actor, Attempt, Effect, ErrorKind, Observer, Query, Receipt, Resolution, Seen, WorldError,
};

/// Says what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Everything that can be reached, and what time it is.
#[derive(Clone)]
pub struct World {
    /// Site → cluster.
    pub clusters: BTreeMap<String, Arc<dyn Cluster>>,
    /// Store → store.
    pub stores: BTreeMap<String, Arc<dyn Store>>,
    /// DNS server → DNS server.
    pub names: BTreeMap<String, Arc<dyn Names>>,
    /// Receiver → receiver.
    pub receivers: BTreeMap<String, Arc<dyn Receiver>>,
    /// The network.
    pub web: Arc<dyn Web>,
    /// The wall clock: it names backups and stamps their moment.
    pub now: Clock,
}

impl Observer for World {
    fn read<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<Seen, WorldError>> {
        Box::pin(async move {
            match query {
                Query::Site { site } => self.see_site(site).await,
                Query::Store { store } => self.see_store(store).await,
                Query::Object { site, id } => self.see_object(site, id).await,
                Query::Namespaces { site, names } => self.see_namespaces(site, names).await,
                Query::Workloads {
                    site,
                    namespace,
                    kind,
                    name,
                    selector,
                } => {
                    self.see_workloads(site, namespace, kind, name.as_deref(), selector)
                        .await
                }
                Query::Backup {
                    store,
                    backup,
                    namespaces,
                } => self.see_backup(store, backup, namespaces).await,
                Query::Inventory { site, selection } => self.see_inventory(site, selection).await,
                Query::Chosen { site, selection } => self.see_chosen(site, selection).await,
                Query::Capacity { site, held } => self.see_capacity(site, held).await,
                Query::Restore(effect) => self.see_restore(effect).await,
                Query::Name { server, name } => self.see_name(server, name).await,
                Query::Manifests { path } => manifests(path).map(Seen::Manifests),
                Query::Prefix { store, prefix } => self.see_prefix(store, prefix).await,
            }
        })
    }
}

impl Actor for World {
    fn perform<'a>(
        &'a self,
        effect: &'a Effect,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Receipt, WorldError>> {
        Box::pin(async move {
            match effect {
                Effect::Apply(effect) => self.apply(effect, attempt).await,
                Effect::Ask(_) => Err(asked()),
                Effect::Await(effect) => self.wait(effect, attempt).await,
                Effect::BackupObjects(effect) => self.back_up(effect, attempt).await,
                Effect::CallHttp(effect) => self.call(effect, attempt).await,
                Effect::CheckSql(effect) => self.check_sql(effect, attempt).await,
                Effect::CloseSandbox(effect) => self.tear_down(effect, attempt).await,
                Effect::CompareObjects(effect) => self.compare(effect, attempt).await,
                Effect::CopyPrefix(effect) => self.copy(effect, attempt).await,
                Effect::Delete(effect) => self.delete(effect, attempt).await,
                Effect::DriveVelero(effect) => self.drive_velero(effect, attempt).await,
                Effect::HoldNamespaces(effect) => self.hold(effect, attempt).await,
                Effect::OpenSandbox(effect) => self.open_sandbox(effect, attempt).await,
                Effect::Pause(effect) => self.pause(effect, attempt).await,
                Effect::Probe(effect) => self.probe(effect, attempt).await,
                Effect::ReleaseNamespaces(effect) => self.release(effect, attempt).await,
                Effect::RestoreObjects(effect) => self.restore(effect, attempt).await,
                Effect::ReturnTraffic(effect) => self.return_traffic(effect, attempt).await,
                Effect::RunCommand(effect) => self.run_command(effect, attempt).await,
                Effect::RunJob(effect) => self.run_job(effect, attempt).await,
                Effect::Scale(effect) => self.scale(effect, attempt).await,
                Effect::ShiftTraffic(effect) => self.shift_traffic(effect, attempt).await,
                Effect::SwapRecords(effect) => self.swap_records(effect, attempt).await,
                Effect::Tell(effect) => self.tell(effect, attempt).await,
                Effect::WakeControllers(effect) => self.wake(effect, attempt).await,
            }
        })
    }

    fn resolve<'a>(
        &'a self,
        effect: &'a Effect,
        attempt: &'a Attempt,
    ) -> BoxFuture<'a, Result<Resolution, WorldError>> {
        Box::pin(async move {
            match effect {
                Effect::BackupObjects(effect) => self.resolve_backup(effect, attempt).await,
                Effect::CloseSandbox(effect) => self.resolve_tear_down(effect).await,
                Effect::Delete(effect) => self.resolve_delete(effect).await,
                Effect::DriveVelero(effect) => self.resolve_velero(effect, attempt).await,
                Effect::OpenSandbox(effect) => self.resolve_sandbox(effect, attempt).await,
                Effect::RunJob(effect) => self.resolve_job(effect, attempt).await,
                Effect::SwapRecords(effect) => self.resolve_swap(effect).await,
                Effect::Ask(_) => Ok(Resolution::CannotTell("people answer through the journal".into())),
                Effect::RunCommand(_) => Ok(Resolution::CannotTell(
                    "a command leaves nothing that says whether it ran".into(),
                )),
                Effect::CallHttp(_) => Ok(Resolution::CannotTell(
                    "nothing at the address is known to say whether the request was carried out".into(),
                )),
                // To repeat these changes nothing that is already as wanted.
                Effect::Apply(_)
                | Effect::Await(_)
                | Effect::CheckSql(_)
                | Effect::CompareObjects(_)
                | Effect::CopyPrefix(_)
                | Effect::HoldNamespaces(_)
                | Effect::Pause(_)
                | Effect::Probe(_)
                | Effect::ReleaseNamespaces(_)
                | Effect::RestoreObjects(_)
                | Effect::ReturnTraffic(_)
                | Effect::Scale(_)
                | Effect::ShiftTraffic(_)
                | Effect::Tell(_)
                | Effect::WakeControllers(_) => Ok(Resolution::NotDone),
            }
        })
    }
}

fn asked() -> WorldError {
    WorldError::new(
        ErrorKind::Internal,
        "people",
        "a question reached the world; people answer through the journal",
    )
}
