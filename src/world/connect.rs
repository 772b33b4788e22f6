//! From the site inventory to ports. Sends nothing to any server.
//!
//! Embedded sites and folders are not made here: they need no network and no feature.
//!
//! ## Why
//!
//! In a disaster one of the sites usually cannot be reached, and often its login program cannot either.
//! That must not keep anybody from the other site. So [`cluster_or_reason`] and [`store_or_reason`] never
//! fail: what could not be prepared becomes a port which answers every question with the reason.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use serde_json::Value;

use super::port::{
    Account, Acting, Answer, Applied, Cluster, Command, Executed, Hidden, Listed, Listing, Locked, Names,
    Outgoing, Page, PutMode, Right, Store, Stored, Trial, Web,
};
use crate::effect::{NameSeen, Records, SiteSeen, WorldError};
use crate::objects::ApiKind;
use crate::runbook::{Rfc2136, S3Store, Sealing};
use crate::text::DomainName;

/// The API server of `site`, by a context of a kubeconfig (`None`: what `KUBECONFIG` says, else
/// `~/.kube/config`).
///
/// # Errors
///
/// `NotFound`: the file or the context; `Unauthenticated`: the login program failed; `Internal`: the
/// file cannot be used, or this lifeboat was built without Kubernetes.
#[cfg(feature = "kube")]
pub async fn cluster(
    site: &str,
    kubeconfig: Option<&Path>,
    context: &str,
) -> Result<Arc<dyn Cluster>, WorldError> {
    let cluster = super::kube::KubeCluster::connect(site, kubeconfig, context).await?;
    Ok(Arc::new(cluster))
}

/// As [`cluster`]; a failure becomes a port that tells it to whoever asks.
pub async fn cluster_or_reason(site: &str, kubeconfig: Option<&Path>, context: &str) -> Arc<dyn Cluster> {
    match cluster(site, kubeconfig, context).await {
        Ok(cluster) => cluster,
        Err(reason) => Arc::new(Unconnected(reason)),
    }
}

/// The bucket of the store called `name`.
///
/// # Errors
///
/// `Internal`: this lifeboat was built without S3.
#[cfg(feature = "s3")]
pub async fn store(name: &str, at: &S3Store) -> Result<Arc<dyn Store>, WorldError> {
    Ok(Arc::new(super::s3::Bucket::connect(name, at).await))
}

/// As [`store`]; a failure becomes a port that tells it to whoever asks.
pub async fn store_or_reason(name: &str, at: &S3Store) -> Arc<dyn Store> {
    match store(name, at).await {
        Ok(store) => store,
        Err(reason) => Arc::new(Unconnected(reason)),
    }
}

/// A store that encrypts what is put into `inner`.
///
/// # Errors
///
/// What is wrong with a recipient or with the file of identities; `Internal`: this lifeboat was built
/// without encryption.
#[cfg(feature = "seal")]
pub fn sealed(name: &str, inner: Arc<dyn Store>, sealing: &Sealing) -> Result<Arc<dyn Store>, WorldError> {
    Ok(Arc::new(super::sealed::Sealed::around(name, inner, sealing)?))
}

/// As [`sealed`]; a failure becomes a port that tells it to whoever asks.
pub fn sealed_or_reason(name: &str, inner: Arc<dyn Store>, sealing: &Sealing) -> Arc<dyn Store> {
    match sealed(name, inner, sealing) {
        Ok(store) => store,
        Err(reason) => Arc::new(Unconnected(reason)),
    }
}

/// The DNS server called `name`, for these zones of it.
///
/// # Errors
///
/// `Internal`: this lifeboat was built without DNS.
#[cfg(feature = "dns")]
pub fn names(name: &str, at: &Rfc2136, zones: &[DomainName]) -> Result<Arc<dyn Names>, WorldError> {
    Ok(Arc::new(super::dns::Primary::new(name, at, zones)))
}

/// As [`names`]; a failure becomes a port that tells it to whoever asks.
pub fn names_or_reason(name: &str, at: &Rfc2136, zones: &[DomainName]) -> Arc<dyn Names> {
    match names(name, at, zones) {
        Ok(names) => names,
        Err(reason) => Arc::new(Unconnected(reason)),
    }
}

/// The network of this machine.
///
/// # Errors
///
/// `Internal`: no HTTP client can be built, or this lifeboat was built without one.
#[cfg(feature = "http")]
pub fn web() -> Result<Arc<dyn Web>, WorldError> {
    Ok(Arc::new(super::http::Network::new()?))
}

/// As [`web`]; a failure becomes a port that tells it to whoever asks.
pub fn web_or_reason() -> Arc<dyn Web> {
    match web() {
        Ok(web) => web,
        Err(reason) => Arc::new(Unconnected(reason)),
    }
}

/// As with the feature, except that it always fails.
#[cfg(not(feature = "kube"))]
#[expect(clippy::unused_async, reason = "the same signature as with the feature")]
pub async fn cluster(
    site: &str,
    _kubeconfig: Option<&Path>,
    _context: &str,
) -> Result<Arc<dyn Cluster>, WorldError> {
    Err(built_without(site, "kube", "Kubernetes"))
}

/// As with the feature, except that it always fails.
#[cfg(not(feature = "s3"))]
#[expect(clippy::unused_async, reason = "the same signature as with the feature")]
pub async fn store(name: &str, _at: &S3Store) -> Result<Arc<dyn Store>, WorldError> {
    Err(built_without(name, "s3", "S3"))
}

/// As with the feature, except that it always fails.
#[cfg(not(feature = "seal"))]
pub fn sealed(name: &str, _: Arc<dyn Store>, _: &Sealing) -> Result<Arc<dyn Store>, WorldError> {
    Err(built_without(name, "seal", "encryption"))
}

/// As with the feature, except that it always fails.
#[cfg(not(feature = "dns"))]
pub fn names(name: &str, _: &Rfc2136, _: &[DomainName]) -> Result<Arc<dyn Names>, WorldError> {
    Err(built_without(name, "dns", "DNS"))
}

/// As with the feature, except that it always fails.
#[cfg(not(feature = "http"))]
pub fn web() -> Result<Arc<dyn Web>, WorldError> {
    Err(built_without("network", "http", "HTTP"))
}

#[cfg(not(all(
    feature = "kube",
    feature = "s3",
    feature = "http",
    feature = "dns",
    feature = "seal"
)))]
fn built_without(target: &str, feature: &str, what: &str) -> WorldError {
    let message = format!("this lifeboat was built without {what}");
    WorldError::new(crate::effect::ErrorKind::Internal, target, message)
        .hint(format!("build it with `cargo build --features {feature}`"))
}

/// A cluster, store, DNS server or network to which there is no way, and why.
#[derive(Clone)]
struct Unconnected(WorldError);

impl Unconnected {
    fn reason<T: Send + 'static>(&self) -> Answer<'_, T> {
        let reason = self.0.clone();
        Box::pin(async { Err(reason) })
    }
}

impl Cluster for Unconnected {
    fn identity(&self) -> Answer<'_, SiteSeen> {
        self.reason()
    }

    fn discover(&self) -> Answer<'_, Vec<ApiKind>> {
        self.reason()
    }

    fn list<'a>(&'a self, _: &'a ApiKind, _: Option<&'a str>) -> Answer<'a, Vec<Value>> {
        self.reason()
    }

    fn page<'a>(&'a self, _: &'a Listing, _: Option<&'a str>) -> Answer<'a, Listed> {
        self.reason()
    }

    fn get<'a>(&'a self, _: &'a ApiKind, _: Option<&'a str>, _: &'a str) -> Answer<'a, Option<Value>> {
        self.reason()
    }

    fn create<'a>(&'a self, _: &'a ApiKind, _: &'a Value) -> Answer<'a, Value> {
        self.reason()
    }

    fn apply<'a>(&'a self, _: &'a ApiKind, _: &'a Value, _: bool) -> Answer<'a, Applied> {
        self.reason()
    }

    fn patch<'a>(
        &'a self,
        _: &'a ApiKind,
        _: Option<&'a str>,
        _: &'a str,
        _: Option<&'a str>,
        _: &'a Value,
    ) -> Answer<'a, Value> {
        self.reason()
    }

    fn run<'a>(&'a self, _: &'a Command<'a>) -> Answer<'a, Executed> {
        self.reason()
    }

    fn check_create<'a>(&'a self, _: &'a ApiKind, _: &'a Value) -> Answer<'a, ()> {
        self.reason()
    }

    fn check_change<'a>(&'a self, _: &'a ApiKind, _: Trial<'a>) -> Answer<'a, ()> {
        self.reason()
    }

    fn delete_unchanged<'a>(
        &'a self,
        _: &'a ApiKind,
        _: Option<&'a str>,
        _: &'a str,
        _: &'a str,
        _: &'a str,
    ) -> Answer<'a, bool> {
        self.reason()
    }

    fn delete<'a>(&'a self, _: &'a ApiKind, _: Option<&'a str>, _: &'a str, _: &'a str) -> Answer<'a, bool> {
        self.reason()
    }

    fn act_as<'a>(&'a self, _: &'a Account<'a>) -> Answer<'a, Acting> {
        self.reason()
    }

    fn may<'a>(&'a self, _: &'a Right<'a>) -> Answer<'a, bool> {
        self.reason()
    }
}

impl Store for Unconnected {
    fn address(&self) -> String {
        self.0.target.clone()
    }

    fn list<'a>(&'a self, _: &'a str) -> Answer<'a, Vec<Stored>> {
        self.reason()
    }

    fn get<'a>(&'a self, _: &'a str) -> Answer<'a, BoxStream<'static, Result<Bytes, WorldError>>> {
        self.reason()
    }

    fn put<'a>(
        &'a self,
        _: &'a str,
        _: BoxStream<'static, Result<Bytes, WorldError>>,
        _: PutMode,
    ) -> Answer<'a, u64> {
        self.reason()
    }

    fn delete<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        self.reason()
    }

    fn locked<'a>(&'a self, _: &'a str) -> Answer<'a, Locked> {
        self.reason()
    }

    fn hidden<'a>(&'a self, _: &'a str) -> Answer<'a, Vec<Hidden>> {
        self.reason()
    }

    fn unhide<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, ()> {
        self.reason()
    }

    fn sibling(&self, _: &str) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }
}

impl Names for Unconnected {
    fn look<'a>(&'a self, _: &'a DomainName) -> Answer<'a, Option<NameSeen>> {
        self.reason()
    }

    fn check<'a>(&'a self, _: &'a DomainName, _: &'a Records, _: &'a Records) -> Answer<'a, ()> {
        self.reason()
    }

    fn swap<'a>(&'a self, _: &'a DomainName, _: &'a Records, _: &'a Records) -> Answer<'a, ()> {
        self.reason()
    }
}

impl Web for Unconnected {
    fn get<'a>(&'a self, _: &'a str) -> Answer<'a, Page> {
        self.reason()
    }

    fn send<'a>(&'a self, _: &'a Outgoing) -> Answer<'a, Page> {
        self.reason()
    }

    fn connect<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        self.reason()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::ErrorKind;

    const NOWHERE: &str = "/nowhere/kubeconfig";

    #[cfg(feature = "kube")]
    #[tokio::test]
    async fn a_site_that_cannot_be_prepared_says_why_to_whoever_asks() {
        let cluster = cluster_or_reason("east", Some(Path::new(NOWHERE)), "east").await;
        let error = cluster.identity().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
        insta::assert_snapshot!(error, @"east: cannot read kubeconfig /nowhere/kubeconfig: No such file or directory (os error 2)");
        assert_eq!(cluster.discover().await.unwrap_err(), error);
    }

    #[cfg(not(feature = "kube"))]
    #[tokio::test]
    async fn a_lifeboat_without_kubernetes_says_so() {
        let error = cluster("east", Some(Path::new(NOWHERE)), "east")
            .await
            .err()
            .unwrap();
        assert_eq!(error.kind, ErrorKind::Internal);
        insta::assert_snapshot!(error, @"east: this lifeboat was built without Kubernetes");
    }

    #[cfg(not(feature = "dns"))]
    #[tokio::test]
    async fn a_lifeboat_without_dns_says_so() {
        let at = Rfc2136 {
            server: "10.0.0.53:53".to_owned(),
            key_file: NOWHERE.into(),
        };
        let corp = names_or_reason("corp", &at, &[]);
        let error = corp.look(&"a.example".parse().unwrap()).await.unwrap_err();
        insta::assert_snapshot!(error, @"corp: this lifeboat was built without DNS");
    }

    #[cfg(not(feature = "http"))]
    #[tokio::test]
    async fn a_lifeboat_without_http_says_so() {
        let error = web_or_reason().get("https://shop.example").await.unwrap_err();
        insta::assert_snapshot!(error, @"network: this lifeboat was built without HTTP");
    }
}
