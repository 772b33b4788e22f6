//! The way of real objects from a backup to a target, and into a drill.

use std::fmt::Write as _;

use lifeboat::objects::{
    Confined, Namespaces, ObjectId, confine, difference, left_out_of_restore, rename, restore_order,
    sighting, strip,
};
use serde_json::Value;

use super::archive::captured;

fn restorable() -> Vec<Value> {
    captured()
        .into_iter()
        .filter(|object| left_out_of_restore(object).is_none())
        .collect()
}

fn sorted(mut lines: Vec<String>) -> String {
    lines.sort();
    lines.join("\n")
}

#[test]
fn what_controllers_make_again_is_left_out_with_the_reason() {
    let lines = captured().into_iter().filter_map(|object| {
        let why = left_out_of_restore(&object)?;
        Some(format!("{}: {why}", ObjectId::of(&object).unwrap()))
    });
    insta::assert_snapshot!(sorted(lines.collect()), @r"
    ConfigMap shop/kube-root-ca.crt: it holds the certificate authority of the cluster it was read from
    ControllerRevision shop/db-8b9b56fc: StatefulSet db makes it again
    EndpointSlice shop/db-h6mxk: it follows from its Service
    EndpointSlice shop/web-qbcmx: it follows from its Service
    Endpoints shop/db: it follows from its Service
    Endpoints shop/web: it follows from its Service
    Event shop/data.18ea86ebe5669047: an event is a note about the past
    Job shop/migrate: it had ended; starting it again would repeat its work
    Pod shop/db-0: StatefulSet db makes it again
    Pod shop/migrate-nwsvj: it had ended; starting it again would repeat its work
    Pod shop/web-7d89569799-jrkk4: ReplicaSet web-7d89569799 makes it again
    Pod shop/web-7d89569799-mj2wn: ReplicaSet web-7d89569799 makes it again
    Pod shop/web-7d89569799-x2dnt: ReplicaSet web-7d89569799 makes it again
    ReplicaSet shop/web-7d89569799: Deployment web makes it again
    ServiceAccount shop/default: every namespace gets one, and nobody changed it
    ");
}

#[test]
fn the_rest_is_restored_in_waves() {
    let objects = restorable();
    let order = restore_order(&objects);
    let mut drawing = String::new();
    for (i, wave) in order.waves.iter().enumerate() {
        for &object in wave {
            writeln!(drawing, "{} {}", i + 1, ObjectId::of(&objects[object]).unwrap()).unwrap();
        }
    }
    assert!(order.tangles.is_empty());
    insta::assert_snapshot!(drawing, @r"
    1 Namespace shop
    1 CustomResourceDefinition coupons.shop.example.com
    1 ClusterRole shop-reader
    2 ConfigMap shop/settings
    2 PersistentVolumeClaim shop/data
    2 Secret shop/db
    2 Service shop/db
    2 Service shop/web
    2 ServiceAccount shop/web
    2 PodDisruptionBudget shop/web
    2 Role shop/web
    3 Ingress shop/web
    3 ClusterRoleBinding shop-reader
    3 RoleBinding shop/web
    4 Deployment shop/web
    4 StatefulSet shop/db
    4 CronJob shop/nightly
    4 Coupon shop/spring
    5 ConfigMap shop/child
    5 HorizontalPodAutoscaler shop/web
    ");
}

#[test]
fn a_drill_says_of_each_object_what_becomes_of_it() {
    let drill = Namespaces::from([("shop".into(), "shop-d".into())]);
    let lines = restorable().into_iter().map(|object| {
        let id = ObjectId::of(&object).unwrap();
        let namespaced = id.namespace.is_some();
        match confine(rename(strip(object), &drill), namespaced, &drill) {
            Confined::Keep { object, notes } => {
                assert_eq!(ObjectId::of(&object).unwrap().namespace.unwrap(), "shop-d");
                format!(
                    "{id}: {}",
                    if notes.is_empty() {
                        "as it is".into()
                    } else {
                        notes.join("; ")
                    }
                )
            }
            Confined::Skip(why) => format!("{id}: not made, {why}"),
        }
    });
    insta::assert_snapshot!(sorted(lines.collect()), @r"
    ClusterRole shop-reader: not made, it is cluster-scoped: a drill keeps to namespaces of its own
    ClusterRoleBinding shop-reader: not made, it is cluster-scoped: a drill keeps to namespaces of its own
    ConfigMap shop/child: as it is
    ConfigMap shop/settings: as it is
    Coupon shop/spring: finalizers removed: a drill has to be able to delete; a controller of Coupon (shop.example.com) outside of the drill may act on it
    CronJob shop/nightly: suspended
    CustomResourceDefinition coupons.shop.example.com: not made, it is cluster-scoped: a drill keeps to namespaces of its own
    Deployment shop/web: as it is
    HorizontalPodAutoscaler shop/web: as it is
    Ingress shop/web: not made, it would claim production's host names or traffic
    Namespace shop: not made, it is cluster-scoped: a drill keeps to namespaces of its own
    PersistentVolumeClaim shop/data: as it is
    PodDisruptionBudget shop/web: as it is
    Role shop/web: as it is
    RoleBinding shop/web: as it is
    Secret shop/db: as it is
    Service shop/db: as it is
    Service shop/web: NodePort becomes ClusterIP
    ServiceAccount shop/web: as it is
    StatefulSet shop/db: as it is
    ");
}

#[test]
fn a_stripped_object_is_equal_to_the_live_one_it_came_from() {
    for object in captured() {
        let stripped = strip(object.clone());
        let id = ObjectId::of(&object).unwrap();
        // A pod's token volume is taken out of a list, and lists are compared as a whole.
        if id.kind != "Pod" {
            assert_eq!(difference(&stripped, &object), None, "{id}");
        }
        assert_eq!(sighting(&stripped)["metadata"]["name"], id.name.as_str());
    }
}

#[test]
fn a_node_port_that_the_author_chose_survives_a_failover() {
    let web = restorable()
        .into_iter()
        .find(|object| ObjectId::of(object).unwrap().to_string() == "Service shop/web");
    let web = strip(web.unwrap());
    assert_eq!(web["spec"]["ports"][0]["nodePort"], 30080);
    assert_eq!(web["spec"].get("clusterIP"), None);
}
