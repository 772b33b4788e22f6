//! Waits until the service answers that an object would make the API server ask.
//!
//! Which services those are is known in `objects::answers`. In a drill nothing of this happens: webhook
//! configurations, API services and definitions are cluster-scoped, and a drill makes nothing of that.
//!
//! ## Why
//!
//! - *Answers* means that its endpoint slices hold a ready address. That a workload was made says
//!   nothing, and that it is available says nothing of the service's selector.
//! - The time is limited. What does not answer by then is not made, because a webhook that nobody
//!   answers blocks its cluster; everything else is, and a retry tries only this again.
//! - Custom resources of another version than the stored one are converted when they are made. They wait
//!   for the service that converts, once for all of them, and are then made in any case: whether the
//!   server takes them is its to say, and blocks nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::OnceCell;

use crate::effect::{Attempt, ErrorKind, WorldError};
use crate::objects::{LabelSelector, ObjectId, ServiceName, builtin, must_answer, ready_addresses};
use crate::text::Millis;
use crate::world::actor::marks::text;
use crate::world::actor::pace::{Look, until_limit};
use crate::world::actor::site::Site;
use crate::world::port::{Listing, PAGE};

/// How long a service may take until it answers: an image is pulled and a program starts. A step that
/// allows less ends earlier and says the same; a retry looks again.
pub(super) const ANSWER_LIMIT_MS: u64 = 120_000;

/// What one restore knows of the services that were waited for: each is waited for once.
#[derive(Default)]
pub(super) struct Gate {
    known: Mutex<BTreeMap<ServiceName, Arc<Known>>>,
}

/// Whether a service answers; else what was missing when the time was over.
type Known = OnceCell<Result<(), String>>;

impl Gate {
    /// Waits for whoever must answer before this object is made.
    ///
    /// # Errors
    ///
    /// `NotYet`: it does not answer, and the object must not be made.
    pub(super) async fn pass(
        &self,
        site: &Site<'_>,
        attempt: &Attempt,
        object: &Value,
    ) -> Result<(), WorldError> {
        for service in must_answer(object) {
            if let Err(missing) = self.wait(site, attempt, &service).await? {
                let limit = Millis(ANSWER_LIMIT_MS);
                let message = format!("unanswered it would block its cluster, and {missing} after {limit}");
                return Err(site
                    .error(ErrorKind::NotYet, message)
                    .hint("see why the service's pods are not ready, then retry: only this is made then"));
            }
        }
        Ok(())
    }

    /// Waits for one service; gives back what was missing when the time was over.
    pub(super) async fn wait(
        &self,
        site: &Site<'_>,
        attempt: &Attempt,
        service: &ServiceName,
    ) -> Result<Result<(), String>, WorldError> {
        let known = {
            let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(service.clone()).or_default().clone()
        };
        let waited =
            known.get_or_try_init(|| until_limit(attempt, ANSWER_LIMIT_MS, || Box::pin(look(site, service))));
        waited.await.cloned()
    }
}

async fn look(site: &Site<'_>, (namespace, name): &ServiceName) -> Result<Look<()>, WorldError> {
    let id = ObjectId {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        namespace: Some(namespace.clone()),
        name: name.clone(),
    };
    let Some(service) = site.get(&id).await? else {
        return Ok(Look::Waiting(format!("{id} is not there")));
    };
    // Another name for something outside of the cluster.
    if text(&service, "/spec/type") == "ExternalName" {
        return Ok(Look::Done(()));
    }
    Ok(match ready_addresses(&slices(site, namespace, name).await?) {
        0 => Look::Waiting(format!("{id} has no ready endpoint")),
        _ => Look::Done(()),
    })
}

/// The endpoint slices of a service, all pages of them.
async fn slices(site: &Site<'_>, namespace: &str, name: &str) -> Result<Vec<Value>, WorldError> {
    let kind = builtin("EndpointSlice")
        .ok_or_else(|| site.error(ErrorKind::Internal, "endpoint slices are not built in"))?;
    let label = ("kubernetes.io/service-name".to_owned(), name.to_owned());
    let listing = Listing {
        kind,
        namespace: Some(namespace.to_owned()),
        labels: Some(LabelSelector {
            match_labels: [label].into(),
            ..LabelSelector::default()
        }),
        limit: PAGE,
    };
    let mut found = Vec::new();
    let take = |object: serde_json::Result<Value>| {
        found.extend(object);
        Ok(())
    };
    // Where the rest did not come, the next look reads all again.
    site.each(listing, take).await?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::world::World;
    use crate::world::sim::{Embedded, SimCluster};

    struct Stage {
        embedded: Embedded,
        world: World,
    }

    impl Stage {
        fn new() -> Self {
            let embedded = Embedded::starting_at(jiff::Timestamp::UNIX_EPOCH).with_site("west");
            let world = embedded.world();
            let stage = Self { embedded, world };
            let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "ops" } });
            stage.west().seed([&namespace]).expect("seeded");
            stage
        }

        fn west(&self) -> &SimCluster {
            self.embedded.cluster("west").expect("west")
        }

        async fn pass(&self, gate: &Gate, object: &Value) -> Result<(), WorldError> {
            let site = self.world.site("west").expect("west");
            let attempt = Attempt {
                run: "r".into(),
                step: "restore".into(),
                effect: 0,
                number: 1,
                key: "k".into(),
                progress: Arc::new(|_| {}),
            };
            gate.pass(&site, &attempt, object).await
        }
    }

    fn service(rest: &Value) -> Value {
        let mut service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "hook", "namespace": "ops" } });
        service["spec"] = rest.clone();
        service
    }

    fn slice(service: &str, ready: bool) -> Value {
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": { "name": format!("{service}-{ready}"), "namespace": "ops",
                          "labels": { "kubernetes.io/service-name": service } },
            "endpoints": [{ "addresses": ["10.0.0.1"], "conditions": { "ready": ready } }],
        })
    }

    fn hooks() -> Value {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": "hooks" },
            "webhooks": [{ "clientConfig": { "service": { "namespace": "ops", "name": "hook" } } }],
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_webhook_waits_until_its_service_has_a_ready_endpoint() {
        let stage = Stage::new();
        let gate = Gate::default();
        let begin = tokio::time::Instant::now();
        let appear = async {
            rest(5000).await;
            let ready = [service(&json!({})), slice("hook", false), slice("other", true)];
            stage.west().seed(&ready).expect("seeded");
            rest(5000).await;
            stage.west().seed([&slice("hook", true)]).expect("seeded");
        };
        let hooks = hooks();
        let (passed, ()) = tokio::join!(stage.pass(&gate, &hooks), appear);
        passed.expect("it answers");
        let waited = begin.elapsed().as_millis();
        assert!((10_000..11_000).contains(&waited), "{waited}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_webhook_that_nobody_answers_is_not_made_and_is_waited_for_once() {
        let stage = Stage::new();
        let gate = Gate::default();
        let begin = tokio::time::Instant::now();
        let refused = stage.pass(&gate, &hooks()).await.expect_err("no service");
        assert_eq!(refused.kind, ErrorKind::NotYet);
        insta::assert_snapshot!(refused.message, @"unanswered it would block its cluster, and Service ops/hook is not there after 2m");
        stage
            .west()
            .seed([&service(&json!({})), &slice("hook", false)])
            .expect("seeded");
        let again = stage.pass(&gate, &hooks()).await;
        assert_eq!(again.expect_err("known").message, refused.message);
        assert_eq!(u128::from(ANSWER_LIMIT_MS), begin.elapsed().as_millis());
        // The next attempt looks again.
        let refused = stage
            .pass(&Gate::default(), &hooks())
            .await
            .expect_err("not ready");
        insta::assert_snapshot!(refused.message, @"unanswered it would block its cluster, and Service ops/hook has no ready endpoint after 2m");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_answered_elsewhere_is_not_waited_for() {
        let stage = Stage::new();
        let outside = service(&json!({ "type": "ExternalName", "externalName": "hooks.example" }));
        stage.west().seed([&outside]).expect("seeded");
        let before = stage.west().requests();
        stage.pass(&Gate::default(), &hooks()).await.expect("outside");
        assert_eq!(stage.west().requests() - before, 1);
        let settings = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a", "namespace": "ops" } });
        stage.pass(&Gate::default(), &settings).await.expect("no webhook");
        assert_eq!(stage.west().requests() - before, 1, "an object costs no look");
    }

    /// Pods are played, endpoint slices are the real controller's.
    #[cfg(feature = "kube")]
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs the lab"]
    async fn live_a_webhook_waits_for_a_ready_endpoint() {
        use crate::world::lab::{Lab, fresh, timed};
        use crate::world::port::Cluster;
        let lab = Lab::open().await;
        let kubeconfig = lab.dir.join("kubeconfig");
        let west = crate::world::kube::KubeCluster::connect("west", Some(&kubeconfig), "west").await;
        let west = Arc::new(west.unwrap());
        let mut stage = Stage::new();
        stage
            .world
            .clusters
            .insert("west".into(), west.clone() as Arc<dyn Cluster>);
        let place = fresh("gate");
        let add = async |mut object: Value| {
            object["metadata"]["name"] = "hook".into();
            object["metadata"]["namespace"] = place.clone().into();
            let kind = builtin(object["kind"].as_str().unwrap()).unwrap();
            west.create(&kind, &object).await.unwrap();
        };
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": place } });
        let namespaces = builtin("Namespace").unwrap();
        let created = west.create(&namespaces, &namespace).await.unwrap();
        let pods = json!({ "metadata": { "labels": { "app": "hook" } },
                           "spec": { "containers": [{ "name": "c", "image": "registry.example/hook:1" }] } });
        add(json!({ "apiVersion": "v1", "kind": "Service", "metadata": {},
                     "spec": { "selector": { "app": "hook" }, "ports": [{ "port": 443 }] } }))
        .await;
        add(
            json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {
            "replicas": 0, "selector": { "matchLabels": { "app": "hook" } }, "template": pods } }),
        )
        .await;
        let mut hooks = hooks();
        hooks["webhooks"][0]["clientConfig"]["service"]["namespace"] = place.clone().into();
        let gate = Gate::default();
        let mut passing = Box::pin(stage.pass(&gate, &hooks));
        tokio::select! {
            passed = &mut passing => panic!("nothing answers: {passed:?}"),
            () = rest(3000) => {}
        }
        let (deployments, scale) = (
            builtin("Deployment").unwrap(),
            json!({ "spec": { "replicas": 1 } }),
        );
        let scaled = west.patch(&deployments, Some(&place), "hook", None, &scale).await;
        scaled.unwrap();
        timed("from the pod's wish to a webhook that may be made", 1, passing)
            .await
            .unwrap();
        let uid = created["metadata"]["uid"].as_str().unwrap();
        west.delete(&namespaces, None, &place, uid).await.unwrap();
    }

    async fn rest(ms: u64) {
        crate::world::actor::pace::rest(ms).await;
    }
}
