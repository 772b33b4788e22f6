//! The sample application of the embedded world: one object of every kind that makes recovery hard.

use serde_json::{Value, json};

/// A small shop in namespace `shop`: a Deployment `web` of 3 replicas, a database `db`, configuration,
/// a secret, a volume claim, rights, a nightly job, two ways in from outside, and a custom resource
/// with its definition.
pub fn shop() -> Vec<Value> {
    let mut objects = vec![
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop", "labels": { "team": "commerce" } } }),
        campaigns(),
    ];
    objects.extend(workloads());
    objects.extend(settings());
    objects.extend(traffic());
    objects
}

fn meta(name: &str) -> Value {
    json!({ "name": name, "namespace": "shop", "labels": { "app": name } })
}

fn template(app: &str, image: &str) -> Value {
    json!({
        "metadata": { "labels": { "app": app } },
        "spec": { "containers": [{ "name": app, "image": image }] },
    })
}

fn campaigns() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "campaigns.shop.example" },
        "spec": {
            "group": "shop.example", "scope": "Namespaced",
            "names": { "kind": "Campaign", "listKind": "CampaignList", "plural": "campaigns", "singular": "campaign" },
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } },
            }],
        },
    })
}

fn workloads() -> Vec<Value> {
    let selector = |app: &str| json!({ "matchLabels": { "app": app } });
    vec![
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("web"),
            "spec": { "replicas": 3, "selector": selector("web"), "template": template("web", "registry.example/shop/web:1.4.2") },
        }),
        json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": meta("db"),
            "spec": {
                "replicas": 1, "serviceName": "db", "selector": selector("db"),
                "template": template("db", "registry.example/shop/postgres:17"),
            },
        }),
        json!({
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": meta("nightly"),
            "spec": {
                "schedule": "0 3 * * *",
                "jobTemplate": { "spec": { "template": template("nightly", "registry.example/shop/report:2") } },
            },
        }),
    ]
}

fn settings() -> Vec<Value> {
    let web = json!([{ "kind": "ServiceAccount", "name": "web", "namespace": "shop" }]);
    let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "web" });
    let rules = json!([{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"] }]);
    vec![
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("settings"), "data": { "currency": "EUR" } }),
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": meta("payments"), "type": "Opaque", "data": { "key": "bm90LWEta2V5" } }),
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta("images"),
            "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
        }),
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta("web") }),
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta("web"), "rules": rules }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta("web"),
            "subjects": web, "roleRef": role,
        }),
        json!({ "apiVersion": "shop.example/v1", "kind": "Campaign", "metadata": meta("winter"), "spec": { "discount": 15 } }),
    ]
}

fn traffic() -> Vec<Value> {
    let ports = json!([{ "name": "http", "port": 80, "targetPort": 8080 }]);
    let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let paths = json!([{ "path": "/", "pathType": "Prefix", "backend": backend }]);
    vec![
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": meta("web"),
            "spec": { "selector": { "app": "web" }, "ports": ports },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": meta("public"),
            "spec": { "type": "LoadBalancer", "selector": { "app": "web" }, "ports": ports },
        }),
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta("shop"),
            "spec": { "rules": [{ "host": "shop.example", "http": { "paths": paths } }] },
        }),
    ]
}
