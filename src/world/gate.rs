//! A cluster behind a gate: every request asks first whether it may pass, and as whom.

use std::sync::Arc;

use serde_json::Value;

use super::port::{Answer, Applied, Cluster, Command, Executed, Listed, Listing, Trial};
use crate::effect::SiteSeen;
use crate::objects::ApiKind;

/// What a request is, for a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// It only reads.
    Look,
    /// It changes something, or asks the server whether it could: the server judges both by the same rights.
    Change,
}

/// Lets requests pass, each to the cluster that it gives back.
pub(super) trait Gate: Send + Sync {
    /// The cluster that gets this request; or why nobody does, and then nothing is sent.
    fn open(&self, ask: Ask) -> Answer<'_, Arc<dyn Cluster>>;

    /// As [`Cluster::authorities`].
    fn authorities(&self) -> Vec<String>;
}

/// A cluster behind a gate.
pub(super) struct Gated<G>(pub(super) G);

impl<G: Gate> Cluster for Gated<G> {
    fn authorities(&self) -> Vec<String> {
        self.0.authorities()
    }

    fn identity(&self) -> Answer<'_, SiteSeen> {
        Box::pin(async move { self.0.open(Ask::Look).await?.identity().await })
    }

    fn discover(&self) -> Answer<'_, Vec<ApiKind>> {
        Box::pin(async move { self.0.open(Ask::Look).await?.discover().await })
    }

    fn list<'a>(&'a self, kind: &'a ApiKind, namespace: Option<&'a str>) -> Answer<'a, Vec<Value>> {
        Box::pin(async move { self.0.open(Ask::Look).await?.list(kind, namespace).await })
    }

    fn page<'a>(&'a self, listing: &'a Listing, next: Option<&'a str>) -> Answer<'a, Listed> {
        Box::pin(async move { self.0.open(Ask::Look).await?.page(listing, next).await })
    }

    fn get<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> Answer<'a, Option<Value>> {
        Box::pin(async move { self.0.open(Ask::Look).await?.get(kind, namespace, name).await })
    }

    fn create<'a>(&'a self, kind: &'a ApiKind, object: &'a Value) -> Answer<'a, Value> {
        Box::pin(async move { self.0.open(Ask::Change).await?.create(kind, object).await })
    }

    fn apply<'a>(&'a self, kind: &'a ApiKind, object: &'a Value, force: bool) -> Answer<'a, Applied> {
        Box::pin(async move { self.0.open(Ask::Change).await?.apply(kind, object, force).await })
    }

    fn patch<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        subresource: Option<&'a str>,
        patch: &'a Value,
    ) -> Answer<'a, Value> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Change).await?;
            inner.patch(kind, namespace, name, subresource, patch).await
        })
    }

    fn run<'a>(&'a self, command: &'a Command<'a>) -> Answer<'a, Executed> {
        Box::pin(async move { self.0.open(Ask::Change).await?.run(command).await })
    }

    fn check_create<'a>(&'a self, kind: &'a ApiKind, object: &'a Value) -> Answer<'a, ()> {
        Box::pin(async move { self.0.open(Ask::Change).await?.check_create(kind, object).await })
    }

    fn check_change<'a>(&'a self, kind: &'a ApiKind, trial: Trial<'a>) -> Answer<'a, ()> {
        Box::pin(async move { self.0.open(Ask::Change).await?.check_change(kind, trial).await })
    }

    fn delete_unchanged<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        uid: &'a str,
        version: &'a str,
    ) -> Answer<'a, bool> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Change).await?;
            inner.delete_unchanged(kind, namespace, name, uid, version).await
        })
    }

    fn delete<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
        uid: &'a str,
    ) -> Answer<'a, bool> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Change).await?;
            inner.delete(kind, namespace, name, uid).await
        })
    }
}
