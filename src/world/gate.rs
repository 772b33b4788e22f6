//! A cluster behind a gate: every request asks first whether it may pass, and as whom.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::Value;

use super::port::{
    Account, Acting, Answer, Applied, Cluster, Command, Executed, Listed, Listing, Right, Trial,
};
use crate::effect::{SiteSeen, WorldError};
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

    /// Hears why a request that passed was not done; what it gives back is what the asker hears.
    fn told(&self, error: WorldError) -> BoxFuture<'_, WorldError> {
        Box::pin(std::future::ready(error))
    }

    /// As [`Cluster::authorities`].
    fn authorities(&self) -> Vec<String>;
}

/// A cluster behind a gate.
pub(super) struct Gated<G>(pub(super) G);

impl<G: Gate> Gated<G> {
    /// What the asker hears.
    async fn heard<T>(&self, answer: Result<T, WorldError>) -> Result<T, WorldError> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.0.told(error).await),
        }
    }
}

impl<G: Gate> Cluster for Gated<G> {
    fn authorities(&self) -> Vec<String> {
        self.0.authorities()
    }

    fn identity(&self) -> Answer<'_, SiteSeen> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Look).await?;
            self.heard(inner.identity().await).await
        })
    }

    fn discover(&self) -> Answer<'_, Vec<ApiKind>> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Look).await?;
            self.heard(inner.discover().await).await
        })
    }

    fn list<'a>(&'a self, kind: &'a ApiKind, namespace: Option<&'a str>) -> Answer<'a, Vec<Value>> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Look).await?;
            self.heard(inner.list(kind, namespace).await).await
        })
    }

    fn page<'a>(&'a self, listing: &'a Listing, next: Option<&'a str>) -> Answer<'a, Listed> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Look).await?;
            self.heard(inner.page(listing, next).await).await
        })
    }

    fn get<'a>(
        &'a self,
        kind: &'a ApiKind,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> Answer<'a, Option<Value>> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Look).await?;
            self.heard(inner.get(kind, namespace, name).await).await
        })
    }

    fn create<'a>(&'a self, kind: &'a ApiKind, object: &'a Value) -> Answer<'a, Value> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Change).await?;
            self.heard(inner.create(kind, object).await).await
        })
    }

    fn apply<'a>(&'a self, kind: &'a ApiKind, object: &'a Value, force: bool) -> Answer<'a, Applied> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Change).await?;
            self.heard(inner.apply(kind, object, force).await).await
        })
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
            self.heard(inner.patch(kind, namespace, name, subresource, patch).await)
                .await
        })
    }

    fn run<'a>(&'a self, command: &'a Command<'a>) -> Answer<'a, Executed> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Change).await?;
            self.heard(inner.run(command).await).await
        })
    }

    fn check_create<'a>(&'a self, kind: &'a ApiKind, object: &'a Value) -> Answer<'a, ()> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Change).await?;
            self.heard(inner.check_create(kind, object).await).await
        })
    }

    fn check_change<'a>(&'a self, kind: &'a ApiKind, trial: Trial<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Change).await?;
            self.heard(inner.check_change(kind, trial).await).await
        })
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
            self.heard(inner.delete_unchanged(kind, namespace, name, uid, version).await)
                .await
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
            self.heard(inner.delete(kind, namespace, name, uid).await).await
        })
    }

    fn act_as<'a>(&'a self, account: &'a Account<'a>) -> Answer<'a, Acting> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Change).await?;
            self.heard(inner.act_as(account).await).await
        })
    }

    fn may<'a>(&'a self, right: &'a Right<'a>) -> Answer<'a, bool> {
        Box::pin(async move {
            let inner = self.0.open(Ask::Look).await?;
            self.heard(inner.may(right).await).await
        })
    }
}
