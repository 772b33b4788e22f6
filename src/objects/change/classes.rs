//! Storage classes by another name: claims, wherever one is described, volumes, and quotas of a class.
//!
//! Not here: `StorageClass` objects, which keep their names, and claims without a class: those get the
//! target's default one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::apply::Used;
use crate::objects::json::{group_kind, list_mut, map_mut, pod_template};

/// The annotation that was the field once; a server still reads it first.
const ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";

/// In `spec.hard` of a quota, after the class and a dot.
const QUOTA: &str = ".storageclass.storage.k8s.io/";

/// Puts the other names in.
pub(super) fn map(object: &mut Value, names: &BTreeMap<String, String>, used: &mut Used) {
    if names.is_empty() {
        return;
    }
    match group_kind(object) {
        ("", "PersistentVolumeClaim" | "PersistentVolume") => claim(object, names, used),
        ("apps", "StatefulSet") => {
            for template in list_mut(object, "/spec/volumeClaimTemplates") {
                claim(template, names, used);
            }
        }
        ("", "ResourceQuota") => quota(object, names, used),
        _ => {}
    }
    if let Some(template) = pod_template(object) {
        for volume in list_mut(object, &format!("{template}/spec/volumes")) {
            if let Some(template) = volume.pointer_mut("/ephemeral/volumeClaimTemplate") {
                claim(template, names, used);
            }
        }
    }
}

fn claim(claim: &mut Value, names: &BTreeMap<String, String>, used: &mut Used) {
    for (map, key) in [
        ("/spec", "storageClassName"),
        ("/metadata/annotations", ANNOTATION),
    ] {
        let Some(Value::String(class)) = map_mut(claim, map).and_then(|map| map.get_mut(key)) else {
            continue;
        };
        if let Some((from, to)) = names.get_key_value(class.as_str()) {
            used.note(from, format!("storage class {from} becomes {to}"));
            class.clone_from(to);
        }
    }
}

/// A quota of both classes stays as it is: which of the limits was to hold is not known.
fn quota(quota: &mut Value, names: &BTreeMap<String, String>, used: &mut Used) {
    let Some(hard) = map_mut(quota, "/spec/hard") else {
        return;
    };
    let renamed = |key: &String| {
        let (class, rest) = key.split_once(QUOTA)?;
        let (from, to) = names.get_key_value(class)?;
        Some((key.clone(), format!("{to}{QUOTA}{rest}"), from, to))
    };
    let due: Vec<_> = hard.keys().filter_map(renamed).collect();
    let old: Vec<_> = due
        .iter()
        .map(|(key, ..)| (key.clone(), hard.remove(key)))
        .collect();
    for ((key, value), (_, new, from, to)) in old.into_iter().zip(&due) {
        if hard.contains_key(new) {
            used.note(
                from,
                format!("its quota of storage class {from} is left: it has one of {to}"),
            );
            hard.extend(value.map(|value| (key, value)));
        } else {
            used.note(from, format!("storage class {from} becomes {to}"));
            hard.extend(value.map(|value| (new.clone(), value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mapped(mut object: Value) -> (Value, Vec<String>) {
        let names = BTreeMap::from([("fast".to_owned(), "standard".to_owned())]);
        let mut used = Used::default();
        map(&mut object, &names, &mut used);
        (object, used.notes())
    }

    #[test]
    fn every_description_of_a_claim_follows() {
        let claim = |class: &str| json!({"metadata": {"annotations": {ANNOTATION: class}}, "spec": {"storageClassName": class}});
        let all = |class: &str| {
            let mut pvc = claim(class);
            pvc["apiVersion"] = "v1".into();
            pvc["kind"] = "PersistentVolumeClaim".into();
            let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": {
                "volumeClaimTemplates": [claim(class), {"spec": {"storageClassName": "slow"}}, {"spec": {}}],
                "template": {"spec": {"containers": [], "volumes": [
                    {"name": "tmp", "emptyDir": {}},
                    {"name": "scratch", "ephemeral": {"volumeClaimTemplate": claim(class)}},
                ]}},
            }});
            [pvc, set]
        };
        for (before, after) in all("fast").into_iter().zip(all("standard")) {
            assert_eq!(
                mapped(before),
                (after, vec!["storage class fast becomes standard".to_owned()])
            );
        }
        for other in all("slow") {
            assert_eq!(mapped(other.clone()), (other, vec![]));
        }
    }

    #[test]
    fn the_empty_class_stays_empty() {
        let claim =
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": {"storageClassName": ""}});
        assert_eq!(mapped(claim.clone()).0, claim);
    }

    #[test]
    fn a_quota_follows_unless_it_has_both() {
        let quota =
            |hard: Value| json!({"apiVersion": "v1", "kind": "ResourceQuota", "spec": {"hard": hard}});
        let one = quota(json!({"fast.storageclass.storage.k8s.io/requests.storage": "1Gi", "pods": "3"}));
        let moved =
            quota(json!({"standard.storageclass.storage.k8s.io/requests.storage": "1Gi", "pods": "3"}));
        assert_eq!(mapped(one).0, moved);
        let both = quota(
            json!({"fast.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
                                "standard.storageclass.storage.k8s.io/persistentvolumeclaims": "2"}),
        );
        let (same, notes) = mapped(both.clone());
        assert_eq!(same, both);
        assert_eq!(
            notes,
            ["its quota of storage class fast is left: it has one of standard"]
        );
    }
}
