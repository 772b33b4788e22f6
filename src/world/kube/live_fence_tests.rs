//! The fence on a real API server: what is refused, when, and to whom.
//!
//! The fence is installed once in the lab that all of these tests share, and stays there; each test has a group of
//! its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::KubeCluster;
use super::account::hands;
use super::call::{Call, Reply};
use super::wire::Wire;
use crate::effect::ErrorKind;
use crate::objects::builtin;
use crate::world::fence::testing::{NAMESPACE, OVER, account, claim, role_binding};
use crate::world::fence::{Fences, Standing, install};
use crate::world::lab::{Lab, fresh};
use crate::world::port::{Account, Cluster};
use crate::world::testserver::pause;

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";

struct Stage {
    east: Arc<KubeCluster>,
    base: Arc<dyn Cluster>,
    /// Of its own, and also the name of its namespace.
    group: String,
}

impl Stage {
    async fn open(name: &str) -> Self {
        let lab = Lab::open().await;
        let kubeconfig = lab.dir.join("kubeconfig");
        let east = KubeCluster::connect("east", Some(&kubeconfig), "east")
            .await
            .unwrap();
        let east = Arc::new(east);
        let stage = Self {
            base: east.clone(),
            east,
            group: fresh(name),
        };
        let lines = install(&stage.base, "east", NAMESPACE).await.unwrap();
        assert_eq!(lines.len(), 9, "{lines:?}");
        let place = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": stage.group}});
        stage.base.create(&builtin("ns").unwrap(), &place).await.unwrap();
        stage
    }

    /// As a process does that holds this epoch.
    async fn raise(&self, epoch: u64) -> Arc<dyn Cluster> {
        let mut fences = Fences::default();
        let east = fences.around("east", self.base.clone());
        let fence = fences.raising(["east"], |_| false);
        let raised = fence.raise(&claim(&self.group, epoch)).await.unwrap();
        assert_eq!(raised["east"], Standing::ENFORCED);
        east
    }

    async fn hands(&self, epoch: u64) -> Wire {
        hands_of(&self.east, &self.group, epoch).await
    }

    /// Gives an old epoch its rights back, so that nothing but the policy refuses it.
    async fn give_rights_back(&self, epoch: u64) {
        let binding = role_binding(NAMESPACE, &self.group, epoch);
        self.base.create(&binding.kind, &binding.object).await.unwrap();
    }

    /// Gives an epoch rights that no newer one takes away: then only the policy can refuse it.
    async fn give_lasting_rights(&self, epoch: u64) {
        let mut binding = role_binding(NAMESPACE, &self.group, epoch);
        binding.object["metadata"] = json!({"name": format!("lasting-{}-{epoch}", self.group)});
        self.base.create(&binding.kind, &binding.object).await.unwrap();
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/namespaces/{}/{rest}", self.group)
    }

    fn configmap(&self, name: &str, value: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": self.group}, "data": {"k": value}})
    }

    async fn make(&self, name: &str) {
        let object = self.configmap(name, "1");
        self.base.create(&builtin("cm").unwrap(), &object).await.unwrap();
    }

    async fn there(&self, name: &str) -> Option<Value> {
        let kind = builtin("cm").unwrap();
        self.base.get(&kind, Some(&self.group), name).await.unwrap()
    }
}

async fn hands_of(cluster: &KubeCluster, group: &str, epoch: u64) -> Wire {
    let name = account(group, epoch);
    let account = Account {
        namespace: NAMESPACE,
        name: &name,
        lifetime_s: 600,
    };
    hands(&cluster.wire, &account).await.unwrap().0
}

fn call(method: Method, path: String, content: &'static str, body: &Value) -> Call {
    Call::new(method, "try", "something", None, path).body(content, body)
}

async fn send(wire: &Wire, call: &Call) -> Reply {
    wire.send(call).await.unwrap()
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

fn is_over(reply: &Reply) -> bool {
    reply.status == 403 && text(reply).contains(OVER)
}

/// Every way to change something, with what it has to find there.
#[expect(clippy::too_many_lines, reason = "one entry for each way")]
async fn every_verb(stage: &Stage) -> Vec<(&'static str, Call)> {
    for name in ["update", "patch", "apply", "delete"] {
        stage.make(name).await;
    }
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": stage.group}});
    stage
        .base
        .create(&builtin("secret").unwrap(), &secret)
        .await
        .unwrap();
    let labels = json!({"app": "web"});
    let deployment = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": stage.group},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
    stage
        .base
        .create(&builtin("deploy").unwrap(), &deployment)
        .await
        .unwrap();
    let scale = format!("/apis/apps/v1/namespaces/{}/deployments/web/scale", stage.group);
    let status = format!("/apis/apps/v1/namespaces/{}/deployments/web/status", stage.group);
    let pods = stage
        .base
        .list(&builtin("po").unwrap(), Some("shop"))
        .await
        .unwrap();
    let running = pods
        .iter()
        .find(|pod| pod["status"]["phase"] == "Running")
        .expect("a pod runs");
    let pod = running["metadata"]["name"].as_str().unwrap();
    let none = json!({});
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "shop"}, "deleteOptions": {"dryRun": ["All"]}});
    vec![
        (
            "create",
            call(
                Method::POST,
                stage.path("configmaps"),
                JSON,
                &stage.configmap("create", "2"),
            ),
        ),
        (
            "update",
            call(
                Method::PUT,
                stage.path("configmaps/update"),
                JSON,
                &stage.configmap("update", "2"),
            ),
        ),
        (
            "patch",
            call(
                Method::PATCH,
                stage.path("configmaps/patch"),
                MERGE,
                &json!({"data": {"k": "2"}}),
            ),
        ),
        (
            "apply",
            call(
                Method::PATCH,
                stage.path("configmaps/apply?fieldManager=x&force=true"),
                "application/apply-patch+yaml",
                &stage.configmap("apply", "2"),
            ),
        ),
        (
            "delete",
            call(Method::DELETE, stage.path("configmaps/delete"), JSON, &none),
        ),
        (
            "deletecollection",
            call(Method::DELETE, stage.path("secrets"), JSON, &none),
        ),
        (
            "scale",
            call(Method::PATCH, scale, MERGE, &json!({"spec": {"replicas": 1}})),
        ),
        (
            "status",
            call(
                Method::PATCH,
                status,
                MERGE,
                &json!({"status": {"observedGeneration": 9}}),
            ),
        ),
        (
            "evict",
            call(
                Method::POST,
                format!("/api/v1/namespaces/shop/pods/{pod}/eviction"),
                JSON,
                &eviction,
            ),
        ),
        // Without an upgrade a server that lets it pass complains of that, which comes after admission.
        (
            "exec",
            call(
                Method::POST,
                format!("/api/v1/namespaces/shop/pods/{pod}/exec?command=true&stdout=true"),
                JSON,
                &none,
            ),
        ),
    ]
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_an_older_epoch_is_refused_for_every_verb_and_the_newer_one_is_not() {
    let stage = Stage::open("verbs").await;
    stage.raise(1).await;
    let old = stage.hands(1).await;
    stage.raise(2).await;
    let calls = every_verb(&stage).await;
    // First its rights are gone, and then, with them, it is the policy that says no.
    let bare = send(&old, &calls[0].1).await;
    assert_eq!(bare.status, 403, "{}", text(&bare));
    stage.give_rights_back(1).await;
    let until = Instant::now() + Duration::from_secs(10);
    while !is_over(&send(&old, &calls[0].1).await) {
        assert!(Instant::now() < until, "{}", text(&send(&old, &calls[0].1).await));
        pause(Duration::from_millis(20)).await;
    }
    for (verb, call) in &calls {
        let reply = send(&old, call).await;
        assert!(is_over(&reply), "{verb}: {} {}", reply.status, text(&reply));
    }
    assert!(stage.there("create").await.is_none());
    for name in ["update", "patch", "apply", "delete"] {
        assert_eq!(stage.there(name).await.unwrap()["data"]["k"], "1", "{name}");
    }
    let secrets = stage
        .base
        .list(&builtin("secret").unwrap(), Some(&stage.group))
        .await
        .unwrap();
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    // What it may still do is read.
    let seen = send(&old, &Call::get(&stage.path("configmaps/update"))).await;
    assert_eq!(seen.status, 200);
    let new = stage.hands(2).await;
    for (verb, call) in &calls {
        let reply = send(&new, call).await;
        let passed = match *verb {
            // Both come after admission: the server wants an upgrade, the pod may be protected.
            "exec" => reply.status == 400 && text(&reply).contains("pgrade"),
            "evict" => reply.status.is_success() || reply.status == 429,
            _ => reply.status.is_success(),
        };
        assert!(passed, "{verb}: {} {}", reply.status, text(&reply));
    }
}

/// Lets bytes from client to server pass, or keeps them until it is told otherwise.
struct Keeper {
    port: u16,
    held: Arc<AtomicUsize>,
    holds: watch::Sender<bool>,
}

impl Keeper {
    async fn before(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (holds, held) = (watch::channel(false).0, Arc::new(AtomicUsize::new(0)));
        let (server, see, count) = (server.to_owned(), holds.subscribe(), held.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(carry(client, server, see.clone(), count.clone()));
            }
        });
        Self { port, held, holds }
    }
}

async fn carry(
    client: TcpStream,
    server: TcpStream,
    mut holds: watch::Receiver<bool>,
    held: Arc<AtomicUsize>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
        if *holds.borrow() {
            held.fetch_add(count, Ordering::SeqCst);
            holds.wait_for(|holds| !holds).await.unwrap();
        }
        to_server.write_all(&buffer[..count]).await.unwrap();
    }
    back.abort();
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_request_of_an_older_epoch_that_arrives_late_changes_nothing() {
    let stage = Stage::open("late").await;
    let server = stage.east.wire.server.trim_start_matches("https://").to_owned();
    let keeper = Keeper::before(&server).await;
    let lab = Lab::open().await;
    let kubeconfig = tokio::fs::read_to_string(lab.dir.join("kubeconfig"))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("kubeconfig");
    let other_way = kubeconfig.replace(&server, &format!("127.0.0.1:{}", keeper.port));
    assert_ne!(other_way, kubeconfig);
    tokio::fs::write(&file, other_way).await.unwrap();
    let through = KubeCluster::connect("east", Some(&file), "east").await.unwrap();
    stage.raise(1).await;
    for (round, late) in [Method::DELETE, Method::PATCH].into_iter().enumerate() {
        let epoch = 1 + round as u64;
        let name = format!("kept-{round}");
        stage.make(&name).await;
        let old = Arc::new(hands_of(&through, &stage.group, epoch).await);
        let path = stage.path(&format!("configmaps/{name}"));
        // The connection is open, and everything before has passed.
        assert_eq!(send(&old, &Call::get(&path)).await.status, 200);
        keeper.holds.send_replace(true);
        let before = keeper.held.load(Ordering::SeqCst);
        let sent = tokio::spawn(async move {
            let content = if late == Method::PATCH { MERGE } else { JSON };
            send(&old, &call(late, path, content, &json!({"data": {"k": "2"}}))).await
        });
        while keeper.held.load(Ordering::SeqCst) == before {
            pause(Duration::from_millis(5)).await;
        }
        // It was sent while its epoch held; it has not arrived.
        stage.raise(epoch + 1).await;
        stage.give_rights_back(epoch).await;
        // Until nothing but the policy refuses it.
        let again = stage.hands(epoch).await;
        let probe = stage.configmap("probe", "1");
        let probe = call(Method::POST, stage.path("configmaps"), JSON, &probe);
        let until = Instant::now() + Duration::from_secs(10);
        while !is_over(&send(&again, &probe).await) {
            assert!(Instant::now() < until);
            pause(Duration::from_millis(20)).await;
        }
        assert!(!sent.is_finished());
        keeper.holds.send_replace(false);
        let reply = sent.await.unwrap();
        assert!(is_over(&reply), "{} {}", reply.status, text(&reply));
        assert_eq!(stage.there(&name).await.unwrap()["data"]["k"], "1");
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_nothing_that_begins_after_the_proof_is_accepted_from_an_older_epoch() {
    const WRITERS: usize = 6;
    let stage = Arc::new(Stage::open("race").await);
    stage.raise(1).await;
    let mut late = 0;
    for round in 0..5_u64 {
        let epoch = 1 + round;
        stage.give_lasting_rights(epoch).await;
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (stage, stop) = (stage.clone(), stop.clone());
                tokio::spawn(async move {
                    let wire = stage.hands(epoch).await;
                    let mut accepted = Vec::new();
                    let mut number = 0;
                    while !stop.load(Ordering::SeqCst) {
                        let object = stage.configmap(&format!("r{round}-w{writer}-{number}"), "1");
                        number += 1;
                        let began = Instant::now();
                        let reply = send(
                            &wire,
                            &call(Method::POST, stage.path("configmaps"), JSON, &object),
                        )
                        .await;
                        if reply.status.is_success() {
                            accepted.push(began);
                        }
                    }
                    accepted
                })
            })
            .collect();
        pause(Duration::from_millis(150)).await;
        let asked = Instant::now();
        stage.raise(epoch + 1).await;
        let proved = Instant::now();
        pause(Duration::from_millis(150)).await;
        stop.store(true, Ordering::SeqCst);
        let mut accepted = Vec::new();
        for writer in writers {
            accepted.extend(writer.await.unwrap());
        }
        assert!(accepted.len() > WRITERS, "the writers wrote: {}", accepted.len());
        let after: Vec<_> = accepted.iter().filter(|began| **began > proved).collect();
        assert!(after.is_empty(), "{} were accepted after the proof", after.len());
        late += accepted.iter().filter(|began| **began > asked).count();
        println!(
            "round {round}: {} accepted, raised and proved in {:?}",
            accepted.len(),
            proved - asked
        );
    }
    println!("accepted between the beginning of the raising and the proof: {late}");
}

#[tokio::test]
#[ignore = "needs the lab"]
#[expect(
    clippy::too_many_lines,
    reason = "a story: what is tried, one entry each, and what a neighbour does"
)]
async fn live_an_epoch_may_not_touch_its_own_fence_and_a_group_is_not_its_neighbour() {
    let stage = Stage::open("own").await;
    let east = stage.raise(3).await;
    let own = stage.hands(3).await;
    let inside =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": NAMESPACE}});
    let inside = call(
        Method::POST,
        format!("/api/v1/namespaces/{NAMESPACE}/configmaps"),
        JSON,
        &inside,
    );
    let token = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/lifeboat-epoch".to_owned();
    let name = account(&stage.group, 3);
    let binding = format!("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{name}");
    let accounts = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts");
    for (what, call) in [
        ("anything there", inside),
        (
            "tokens",
            call(Method::POST, format!("{accounts}/{name}/token"), JSON, &token),
        ),
        (
            "tokens of others",
            call(
                Method::POST,
                "/api/v1/namespaces/kube-system/serviceaccounts/default/token".into(),
                JSON,
                &token,
            ),
        ),
        (
            "accounts",
            call(Method::DELETE, format!("{accounts}/{name}"), JSON, &json!({})),
        ),
        ("role", call(Method::DELETE, role, JSON, &json!({}))),
        ("binding", call(Method::DELETE, binding, JSON, &json!({}))),
        (
            "namespace",
            call(
                Method::DELETE,
                format!("/api/v1/namespaces/{NAMESPACE}"),
                JSON,
                &json!({}),
            ),
        ),
    ] {
        let reply = send(&own, &call).await;
        let guarded = reply.status == 403 && text(&reply).contains("may not change the fence");
        assert!(guarded, "{what}: {} {}", reply.status, text(&reply));
    }
    // A neighbour whose name begins alike, far ahead: it says nothing about this group.
    let neighbour = Stage {
        east: stage.east.clone(),
        base: stage.base.clone(),
        group: format!("{}-2", stage.group),
    };
    neighbour.raise(40).await;
    east.create(&builtin("cm").unwrap(), &stage.configmap("still", "1"))
        .await
        .unwrap();
    let mut fences = Fences::default();
    fences.around("east", stage.base.clone());
    let standing = fences.standing(["east"], Some(&stage.group)).await;
    assert_eq!(standing["east"].epoch(), 3, "{standing:?}");
    assert!(
        fences.is_decoration("east").await.unwrap(),
        "the lab's own account may everything"
    );
    // As the README says: API servers let no policy judge changes of policies.
    stage.raise(4).await;
    stage.give_rights_back(3).await;
    let policy =
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/lifeboat-fence-guard?dryRun=All";
    let until = Instant::now() + Duration::from_secs(10);
    let reply = loop {
        let reply = send(
            &own,
            &call(
                Method::PATCH,
                policy.to_owned(),
                MERGE,
                &json!({"metadata": {"labels": {"x": "y"}}}),
            ),
        )
        .await;
        if !text(&reply).contains("cannot") || Instant::now() > until {
            break reply;
        }
        pause(Duration::from_millis(50)).await;
    };
    assert!(
        reply.status.is_success(),
        "it is judged now: say so in the README: {} {}",
        reply.status,
        text(&reply)
    );
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_an_overtaken_process_learns_it_from_the_server_and_from_then_on_sends_nothing() {
    let stage = Stage::open("over").await;
    let old = stage.raise(1).await;
    old.create(&builtin("cm").unwrap(), &stage.configmap("a", "1"))
        .await
        .unwrap();
    // An epoch gives nobody more than it has.
    let rules = json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]);
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": stage.group}, "rules": rules});
    let refused = old.create(&builtin("clusterrole").unwrap(), &role).await;
    assert!(refused.unwrap_err().message.contains("not currently held"));
    stage.raise(2).await;
    let object = stage.configmap("b", "1");
    let error = old.create(&builtin("cm").unwrap(), &object).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Overtaken, "{error}");
    assert!(error.message.contains("the site is at epoch 2"), "{error}");
    let error = old
        .get(&builtin("cm").unwrap(), Some(&stage.group), "a")
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Overtaken, "{error}");
    assert!(stage.there("b").await.is_none());
}
