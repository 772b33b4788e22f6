//! What goes over the wire, counted by a scripted server.

use std::time::Duration;

use kube::Config;
use serde_json::{Value, json};

use super::KubeCluster;
use super::wire::Wire;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::{ApiKind, builtin};
use crate::world::port::{Cluster, Listed, Listing};
use crate::world::testserver::{Act, Request, Server, answer, pause};

fn connect(url: &str) -> KubeCluster {
    crate::world::transport::install_tls_provider();
    let mut config = Config::new(url.parse().unwrap());
    // The real limit is tested for what it means, not for how long it is.
    config.read_timeout = Some(Duration::from_millis(300));
    let wire: Wire = super::config::client("east", config, "kubectl --context east".into()).unwrap();
    KubeCluster { wire }
}

fn configmaps() -> ApiKind {
    builtin("configmaps").unwrap()
}

fn configmap(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}})
}

fn status(code: u16, reason: &str, message: &str) -> Act {
    answer(
        code,
        &json!({"kind": "Status", "apiVersion": "v1", "code": code, "reason": reason, "message": message}),
    )
}

/// The outcome of one create against a server that always does the same, and how many requests it saw.
async fn create_against(act: Act) -> (Result<Value, WorldError>, usize) {
    let server = Server::start(move |_, _| act.clone()).await;
    let cluster = connect(&server.url);
    let (kind, object) = (configmaps(), configmap("a"));
    let create = cluster.create(&kind, &object);
    let outcome = tokio::time::timeout(Duration::from_secs(5), create).await;
    let outcome = outcome.expect("a client that retries is still trying");
    // A second attempt in the background would come at once or within its first back-off.
    pause(Duration::from_millis(200)).await;
    let posts = server
        .requests()
        .iter()
        .filter(|one| one.method == "POST")
        .count();
    (outcome, posts)
}

#[tokio::test]
async fn a_503_is_reported_after_exactly_one_request() {
    let busy = status(503, "ServiceUnavailable", "etcd is slow");
    let (outcome, posts) = create_against(busy).await;
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::Busy);
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn a_429_is_reported_after_exactly_one_request_with_the_time_to_wait() {
    let headers = vec![("retry-after", "2".to_owned())];
    let (outcome, posts) = create_against(Act::Answer(429, headers, b"{\"kind\":\"Status\"}".to_vec())).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.kind, error.retry_after_ms), (ErrorKind::Busy, Some(2000)));
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn a_504_is_a_lost_reply_after_exactly_one_request() {
    let (outcome, posts) = create_against(status(504, "Timeout", "request did not complete")).await;
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::LostReply);
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn a_server_that_hangs_up_after_reading_leaves_a_lost_reply_and_one_request() {
    let (outcome, posts) = create_against(Act::HangUp).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.kind, ErrorKind::LostReply, "{error:?}");
    assert!(error.message.contains("may have been carried out"), "{error}");
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn silence_leaves_a_lost_reply_and_one_request() {
    let (outcome, posts) = create_against(Act::Silence).await;
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::LostReply);
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_a_lost_reply() {
    let (outcome, posts) = create_against(Act::CutShort(201, b"{\"kind\":".to_vec())).await;
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::LostReply);
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn a_success_that_is_not_json_leaves_a_lost_reply() {
    let page = Act::Answer(200, Vec::new(), b"<html>log in here</html>".to_vec());
    let (outcome, _) = create_against(page).await;
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::LostReply);
}

#[tokio::test]
async fn a_connection_closed_between_two_requests_costs_no_second_request() {
    let body = configmap("a").to_string().into_bytes();
    let server = Server::start(move |_, _| Act::AnswerAndHangUp(201, body.clone())).await;
    let cluster = connect(&server.url);
    for round in 0..20 {
        let outcome = cluster.create(&configmaps(), &configmap("a")).await;
        // Both are honest: the client noticed in time, or it could not know whether it was read.
        if let Err(error) = outcome {
            assert_eq!(error.kind, ErrorKind::LostReply, "{error:?}");
        }
        assert!(server.requests().len() <= round + 1, "a request was sent twice");
    }
}

#[tokio::test]
async fn a_refused_connection_is_unreachable_even_for_a_change() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = connect(&url)
        .create(&configmaps(), &configmap("a"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(
        error.message.starts_with("cannot connect to http://127.0.0.1:"),
        "{error}"
    );
    assert!(error.message.to_lowercase().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_lost_answer_to_a_read_is_unreachable() {
    let server = Server::start(|_, _| Act::HangUp).await;
    let error = connect(&server.url)
        .get(&configmaps(), Some("shop"), "a")
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
}

#[tokio::test]
async fn apply_tells_created_from_changed_and_forces_only_on_request() {
    let server =
        Server::start(|_, number| answer(if number == 0 { 201 } else { 200 }, &configmap("a"))).await;
    let cluster = connect(&server.url);
    assert!(
        cluster
            .apply(&configmaps(), &configmap("a"), false)
            .await
            .unwrap()
            .created
    );
    assert!(
        !cluster
            .apply(&configmaps(), &configmap("a"), true)
            .await
            .unwrap()
            .created
    );
    let sent: Vec<String> = server
        .requests()
        .iter()
        .map(|one| {
            format!(
                "{} {} {}",
                one.method,
                one.path,
                one.header("content-type").unwrap()
            )
        })
        .collect();
    insta::assert_snapshot!(sent.join("\n"), @"
    PATCH /api/v1/namespaces/shop/configmaps/a?fieldManager=lifeboat&force=false&fieldValidation=Strict application/apply-patch+yaml
    PATCH /api/v1/namespaces/shop/configmaps/a?fieldManager=lifeboat&force=true&fieldValidation=Strict application/apply-patch+yaml
    ");
}

#[tokio::test]
async fn delete_names_the_uid_and_an_absent_object_is_no_error() {
    let server = Server::start(|_, number| match number {
        0 => answer(200, &json!({"kind": "Status", "status": "Success"})),
        1 => status(404, "NotFound", "configmaps \"a\" not found"),
        _ => status(409, "Conflict", "the UID in the precondition does not match"),
    })
    .await;
    let cluster = connect(&server.url);
    let kind = configmaps();
    let delete = || cluster.delete(&kind, Some("shop"), "a", "uid-1");
    assert!(delete().await.unwrap());
    assert!(!delete().await.unwrap());
    assert_eq!(delete().await.unwrap_err().kind, ErrorKind::Conflict);
    let body = server.requests()[0].json();
    assert_eq!(body["preconditions"], json!({"uid": "uid-1"}));
    assert_eq!(body["propagationPolicy"], "Background");
}

#[tokio::test]
async fn only_the_api_servers_own_404_means_that_an_object_is_not_there() {
    let server = Server::start(|_, number| match number {
        0 => status(404, "NotFound", "configmaps \"a\" not found"),
        _ => Act::Answer(404, Vec::new(), b"404 page not found".to_vec()),
    })
    .await;
    let cluster = connect(&server.url);
    assert_eq!(cluster.get(&configmaps(), Some("shop"), "a").await, Ok(None));
    let error = cluster.get(&configmaps(), Some("shop"), "a").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    let error = cluster
        .delete(&configmaps(), Some("shop"), "a", "u")
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn an_object_without_a_name_or_namespace_is_never_sent() {
    let server = Server::start(|_, _| answer(201, &json!({}))).await;
    let cluster = connect(&server.url);
    let nameless = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-", "namespace": "shop"}});
    let placeless = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
    for object in [nameless, placeless] {
        assert_eq!(
            cluster.create(&configmaps(), &object).await.unwrap_err().kind,
            ErrorKind::Internal
        );
    }
    assert_eq!(server.requests().len(), 0);
}

fn page(request: &Request, version: &str, total: usize) -> Act {
    let from: usize = request
        .path
        .split_once("continue=")
        .map_or(0, |(_, token)| token.parse().unwrap());
    let to = (from + 500).min(total);
    let items: Vec<Value> = (from..to)
        .map(|n| json!({"metadata": {"name": format!("c{n}")}}))
        .collect();
    let next = if to < total { to.to_string() } else { String::new() };
    answer(
        200,
        &json!({"kind": "ConfigMapList", "metadata": {"resourceVersion": version, "continue": next}, "items": items}),
    )
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_its_items_get_their_kind() {
    let server = Server::start(|request, _| page(request, "7", 1200)).await;
    let items = connect(&server.url)
        .list(&configmaps(), Some("shop"))
        .await
        .unwrap();
    assert_eq!(items.len(), 1200);
    assert_eq!(
        items[1199],
        json!({"metadata": {"name": "c1199"}, "apiVersion": "v1", "kind": "ConfigMap"})
    );
    let paths: Vec<String> = server.requests().into_iter().map(|one| one.path).collect();
    insta::assert_snapshot!(paths.join("\n"), @"
    /api/v1/namespaces/shop/configmaps?limit=500
    /api/v1/namespaces/shop/configmaps?limit=500&continue=500
    /api/v1/namespaces/shop/configmaps?limit=500&continue=1000
    ");
}

#[tokio::test]
async fn a_page_shares_its_buffer_and_names_the_labels_asked_for() {
    let server = Server::start(|request, _| page(request, "7", 3)).await;
    let listing = Listing {
        kind: configmaps(),
        namespace: None,
        labels: Some(serde_json::from_value(json!({"matchLabels": {"example.com/app": "web"}})).unwrap()),
        limit: 500,
    };
    let cluster = connect(&server.url);
    let Listed::Objects { items, version, next } = cluster.page(&listing, None).await.unwrap() else {
        panic!("objects")
    };
    assert_eq!((version.as_str(), next), ("7", None));
    assert_eq!(&items[2][..], br#"{"metadata":{"name":"c2"}}"#);
    insta::assert_snapshot!(server.requests()[0].path, @"/api/v1/configmaps?limit=500&labelSelector=example.com%2Fapp%3Dweb");
}

#[tokio::test]
async fn a_list_that_expires_is_read_again_from_its_beginning() {
    let server = Server::start(|request, number| match number {
        0 => page(request, "7", 1200),
        1 => answer(
            410,
            &json!({"kind": "Status", "reason": "Expired", "metadata": {"continue": "500"}}),
        ),
        _ => page(request, "9", 600),
    })
    .await;
    let items = connect(&server.url).list(&configmaps(), None).await.unwrap();
    assert_eq!(items.len(), 600, "nothing of the expired list is kept");
    assert!(!server.requests()[2].path.contains("continue"));
}

#[tokio::test]
async fn pages_of_two_moments_are_never_mixed() {
    let server = Server::start(|request, number| match number {
        0 => page(request, "7", 1200),
        1 => page(request, "8", 1200),
        _ => page(request, "9", 600),
    })
    .await;
    assert_eq!(
        connect(&server.url)
            .list(&configmaps(), None)
            .await
            .unwrap()
            .len(),
        600
    );
}

#[tokio::test]
async fn a_list_that_always_expires_ends_in_an_error() {
    let server = Server::start(|_, _| status(410, "Expired", "too old")).await;
    let error = connect(&server.url).list(&configmaps(), None).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Busy);
    assert_eq!(server.requests().len(), 4);
}

fn aggregated(items: &Value) -> Act {
    answer(
        200,
        &json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items}),
    )
}

fn resource(name: &str, kind: &str, verbs: &[&str]) -> Value {
    json!({"resource": name, "responseKind": {"group": "", "kind": kind, "version": ""}, "scope": "Namespaced", "verbs": verbs,
        "subresources": [{"subresource": "status", "verbs": ["get"]}]})
}

const ALL: [&str; 5] = ["create", "delete", "get", "list", "watch"];

fn text(kinds: &[ApiKind]) -> String {
    let line = |kind: &ApiKind| format!("{} {} {}", kind.resource(), kind.version, kind.kind);
    kinds.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_kind_is_found_in_the_first_version_that_serves_it() {
    let server = Server::start(|request, _| match request.path.as_str() {
        "/api" => aggregated(&json!([{"metadata": {}, "versions": [{"version": "v1", "freshness": "Current", "resources": [
            resource("pods", "Pod", &ALL), resource("componentstatuses", "ComponentStatus", &["get", "list"])]}]}])),
        _ => aggregated(&json!([{"metadata": {"name": "gateway.example"}, "versions": [
            {"version": "v1", "freshness": "Current", "resources": [resource("gateways", "Gateway", &ALL)]},
            {"version": "v1alpha2", "freshness": "Current", "resources": [
                resource("gateways", "Gateway", &ALL), resource("tcproutes", "TCPRoute", &ALL)]}]}])),
    })
    .await;
    let kinds = connect(&server.url).discover().await.unwrap();
    insta::assert_snapshot!(text(&kinds), @"
    pods v1 Pod
    gateways.gateway.example v1 Gateway
    tcproutes.gateway.example v1alpha2 TCPRoute
    ");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_stale_group_is_an_error_and_not_a_shorter_list() {
    let server = Server::start(|request, _| match request.path.as_str() {
        "/api" => aggregated(&json!([])),
        _ => aggregated(&json!([{"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "freshness": "Stale"}]}])),
    })
    .await;
    let error = connect(&server.url).discover().await.unwrap_err();
    insta::assert_snapshot!(format!("{error}\n{}", error.hints.join("\n")), @"
    east: not all kinds can be discovered: the server of metrics.k8s.io/v1beta1 does not answer
    bring it back, or remove it if it is not needed: `kubectl get apiservice v1beta1.metrics.k8s.io`
    ");
}

fn old_server(request: &Request, broken: bool) -> Act {
    let verbs = json!(ALL);
    match request.path.as_str() {
        "/api" => answer(200, &json!({"kind": "APIVersions", "versions": ["v1"]})),
        "/apis" => answer(
            200,
            &json!({"kind": "APIGroupList", "groups": [{"name": "apps",
            "versions": [{"groupVersion": "apps/v1beta1", "version": "v1beta1"}, {"groupVersion": "apps/v1", "version": "v1"}],
            "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"}}]}),
        ),
        "/api/v1" => answer(
            200,
            &json!({"kind": "APIResourceList", "resources": [
            {"name": "pods", "kind": "Pod", "namespaced": true, "verbs": verbs},
            {"name": "pods/status", "kind": "Pod", "namespaced": true, "verbs": verbs}]}),
        ),
        "/apis/apps/v1beta1" if broken => Act::Answer(503, Vec::new(), b"service unavailable".to_vec()),
        path => answer(
            200,
            &json!({"kind": "APIResourceList", "groupVersion": path, "resources": [
            {"name": "deployments", "kind": "Deployment", "namespaced": true, "verbs": verbs}]}),
        ),
    }
}

#[tokio::test]
async fn a_server_without_aggregated_discovery_is_asked_in_the_old_way() {
    let server = Server::start(|request, _| old_server(request, false)).await;
    let kinds = connect(&server.url).discover().await.unwrap();
    insta::assert_snapshot!(text(&kinds), @"
    pods v1 Pod
    deployments.apps v1 Deployment
    ");
}

#[tokio::test]
async fn one_group_that_does_not_answer_in_the_old_way_fails_discovery() {
    let server = Server::start(|request, _| old_server(request, true)).await;
    let error = connect(&server.url).discover().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Busy);
    assert!(
        error
            .message
            .starts_with("not all kinds can be discovered: get /apis/apps/v1beta1"),
        "{error}"
    );
}
