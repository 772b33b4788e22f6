//! What must hold for every object, tried on random ones built from the fields that matter.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Confined, Namespaces, confine, difference, left_out_of_restore, rename, sighting, strip};

/// Kinds with special treatment, and one without.
const KINDS: &[(&str, &str)] = &[
    ("v1", "Namespace"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "Secret"),
    ("v1", "PersistentVolume"),
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("networking.k8s.io/v1", "Ingress"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("shop.example.com/v1", "Coupon"),
];

/// Values that the code looks for, and shapes that it does not expect.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..40_000_u32).prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "None",
            "LoadBalancer",
            "NodePort",
            "ClusterIP",
            "shop",
            "default",
            "ServiceAccount",
            "kubernetes.io/service-account-token",
            "kube-api-access-abcde",
            "x-token-abcde",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn key() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "name",
        "namespace",
        "kind",
        "type",
        "ports",
        "port",
        "nodePort",
        "clusterIP",
        "template",
        "spec",
        "metadata",
        "labels",
        "annotations",
        "containers",
        "volumes",
        "volumeMounts",
        "hostNetwork",
        "selector",
        "volumeName",
        "storageClassName",
        "volumeClaimTemplates",
        "subjects",
        "secrets",
        "data",
        "suspend",
        "jobTemplate",
        "managedFields",
        "finalizers",
        "priorityClassName",
        "manualSelector",
        "hostPath",
        "creationTimestamp",
        "securityContext",
        "privileged",
        "controller-uid",
        "externalIPs",
    ])
    .prop_map(str::to_owned)
}

fn object() -> impl Strategy<Value = Value> {
    let metadata = prop::collection::btree_map(key(), value(), 0..4);
    let rest = prop::collection::btree_map(key(), value(), 0..6);
    let namespace = prop::sample::select(vec!["", "shop", "bank"]);
    (prop::sample::select(KINDS), namespace, metadata, value(), rest).prop_map(
        |((api_version, kind), namespace, metadata, spec, rest)| {
            let mut object: serde_json::Map<String, Value> = rest.into_iter().collect();
            let mut metadata: serde_json::Map<String, Value> = metadata.into_iter().collect();
            metadata.insert("name".into(), "x".into());
            metadata.remove("namespace");
            if !namespace.is_empty() {
                metadata.insert("namespace".into(), namespace.into());
            }
            metadata.insert("uid".into(), "u".into());
            object.insert("apiVersion".into(), api_version.into());
            object.insert("kind".into(), kind.into());
            object.insert("metadata".into(), metadata.into());
            object.insert("spec".into(), spec);
            Value::Object(object)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn stripping_twice_is_stripping_once(object in object()) {
        let once = strip(object);
        prop_assert_eq!(strip(once.clone()), once);
    }

    #[test]
    fn stripping_only_takes_away(object in object()) {
        // A list may lose entries, which `difference` counts; so only maps and leaves are compared.
        let stripped = strip(object.clone());
        prop_assert_eq!(without_lists(&stripped).and_then(|s| difference(&s, &without_lists(&object)?)), None);
    }

    #[test]
    fn what_a_drill_keeps_is_inside_and_draws_nothing(object in object()) {
        let namespaces = Namespaces::from([("shop".into(), "shop-d".into())]);
        let _ = left_out_of_restore(&object);
        let namespaced = !matches!(object["kind"].as_str(), Some("Namespace" | "PersistentVolume"));
        if let Confined::Keep { object, .. } = confine(rename(strip(object), &namespaces), namespaced, &namespaces) {
            prop_assert_eq!(&object["metadata"]["namespace"], "shop-d");
            prop_assert_eq!(object["metadata"].get("finalizers"), None);
            let kind = object["kind"].as_str().unwrap();
            prop_assert!(!["Namespace", "Ingress", "NetworkPolicy"].contains(&kind));
            match kind {
                "Service" => {
                    let of = object["spec"].get("type").and_then(Value::as_str).unwrap_or("ClusterIP");
                    prop_assert!(!["LoadBalancer", "NodePort"].contains(&of));
                    prop_assert_eq!(object["spec"].get("externalIPs"), None);
                }
                "CronJob" => prop_assert_eq!(&object["spec"]["suspend"], true),
                "PersistentVolumeClaim" => prop_assert_eq!(object["spec"].get("volumeName"), None),
                "Pod" => prop_assert_ne!(object["spec"].get("hostNetwork"), Some(&json!(true))),
                _ => {}
            }
        }
    }

    #[test]
    fn confining_twice_changes_nothing_more(object in object()) {
        let namespaces = Namespaces::from([("shop".into(), "shop-d".into())]);
        if let Confined::Keep { object, .. } = confine(rename(strip(object), &namespaces), true, &namespaces) {
            match confine(object.clone(), true, &namespaces) {
                Confined::Keep { object: again, .. } => prop_assert_eq!(again, object),
                Confined::Skip(why) => prop_assert!(false, "skipped the second time: {}", why),
            }
        }
    }

    #[test]
    fn an_object_equals_itself_and_has_one_sighting(object in object()) {
        prop_assert_eq!(difference(&object, &object), None);
        let mut turned = object.clone();
        turned["metadata"]["managedFields"] = json!([]);
        turned["metadata"]["generation"] = json!(9);
        turned["status"] = json!({"x": 1});
        if object["kind"] != "Service" {
            prop_assert_eq!(sighting(&turned), sighting(&object));
        }
    }
}

fn without_lists(value: &Value) -> Option<Value> {
    match value {
        Value::Array(_) => None,
        Value::Object(map) => Some(Value::Object(
            map.iter()
                .filter_map(|(key, value)| Some((key.clone(), without_lists(value)?)))
                .collect(),
        )),
        other => Some(other.clone()),
    }
}
