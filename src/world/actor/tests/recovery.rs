//! From a backup of one site to the service on the other, and what may go wrong on the way.

use serde_json::json;

use super::kit::*;
use super::*;
use crate::effect::{
    Await, BackupObjects, CloseSandbox, Condition, Existing, Fate, HttpExpect, OpenSandbox, Probe,
    RestoreObjects, RestorePreview, Selection, Target,
};
use crate::text::Text;

#[tokio::test(start_paused = true)]
async fn a_drill_recovers_and_leaves_nothing_behind() {
    let stage = with_platform(Stage::new());
    let name = captured(&stage).await;
    assert_eq!(name, "shop-2026-11-22t220001z");
    let opened = stage
        .done("open", Effect::OpenSandbox(OpenSandbox { sandbox: sandbox() }))
        .await;
    let restored = stage.done("restore", restore(confined(&name))).await;
    insta::assert_snapshot!(restored.summary, @"shop-2026-11-22t220001z: 12 created, 9 skipped");
    let namespace = "shop-drill-4k2";
    let up = Effect::Await(Await {
        site: "west".into(),
        id: id("Deployment", namespace, "web"),
        condition: Condition::Available { replicas: Some(3) },
    });
    stage.done("web-up", up).await;
    let probe = Effect::Probe(Probe {
        target: Target::Http {
            url: Text::known(format!("http://west.embedded/{namespace}/healthz")),
            expect: HttpExpect {
                status: 200,
                body: Some("ok".into()),
            },
        },
        successes: 2,
        interval_ms: 500,
        look_timeout_ms: 5000,
    });
    stage.done("answers", probe).await;
    let close = CloseSandbox {
        sandbox: sandbox(),
        stores: Vec::new(),
    };
    let closed = stage.done("close", Effect::CloseSandbox(close)).await;
    let deleted = uids(&closed.deleted);
    assert!(uids(&opened.created).is_subset(&deleted));
    assert!(uids(&restored.created).is_subset(&deleted));
    let outside: Vec<_> = stage
        .west()
        .audit()
        .into_iter()
        .filter(|entry| entry.place() != Some(namespace))
        .collect();
    assert!(outside.is_empty(), "{outside:?}");
    assert!(stage.east().audit().is_empty(), "the active site was only read");
    insta::assert_snapshot!(restored.skipped.join("\n"), @"
    ReplicaSet shop-drill-4k2/web-4adc79e6: Deployment web makes it again
    Ingress shop-drill-4k2/shop: it would claim production's host names or traffic
    ConfigMap shop-drill-4k2/kube-root-ca.crt: it holds the certificate authority of the cluster it was read from
    Namespace shop-drill-4k2: the drill made its own
    Pod shop-drill-4k2/db-0: StatefulSet db makes it again
    Pod shop-drill-4k2/web-4adc79e6-6hsjt: ReplicaSet web-4adc79e6 makes it again
    Pod shop-drill-4k2/web-4adc79e6-sv4nn: ReplicaSet web-4adc79e6 makes it again
    Pod shop-drill-4k2/web-4adc79e6-tll5m: ReplicaSet web-4adc79e6 makes it again
    ServiceAccount shop-drill-4k2/default: every namespace gets one, and nobody changed it
    ");
    insta::assert_snapshot!(restored.warnings.join("\n"), @"
    Campaign shop-drill-4k2/winter: a controller of Campaign (shop.example) outside of the drill may act on it
    CronJob shop-drill-4k2/nightly: suspended
    Service shop-drill-4k2/public: LoadBalancer becomes ClusterIP
    ");
}

#[tokio::test(start_paused = true)]
async fn a_failover_makes_everything_and_the_second_time_nothing() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let first = preview(&stage, plain(&name)).await;
    assert_eq!(first.count(Fate::Refuse), 0, "{:?}", first.fates);
    let receipt = stage.done("restore", restore(plain(&name))).await;
    assert_eq!(receipt.created.len(), first.count(Fate::Create));
    assert_eq!(receipt.skipped.len(), first.count(Fate::Skip));
    insta::assert_snapshot!(receipt.summary, @"shop-2026-11-22t220001z: 15 created, 7 skipped");
    pass(1000).await;
    let web = stage
        .west()
        .peek(&kind("Deployment"), Some("shop"), "web")
        .expect("restored");
    assert_eq!(web["status"]["readyReplicas"], 3);
    let before = stage.west().audit().len();
    let again = stage.done("again", restore(plain(&name))).await;
    insta::assert_snapshot!(again.summary, @"shop-2026-11-22t220001z: 15 kept, 7 skipped");
    assert_eq!(stage.west().audit().len(), before, "nothing was sent");
    let update = RestoreObjects {
        existing: Existing::Update,
        ..plain(&name)
    };
    assert_eq!(
        preview(&stage, update).await.count(Fate::Keep),
        receipt.created.len()
    );
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_left_or_updated_as_was_said() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    stage.done("restore", restore(plain(&name))).await;
    let patch = json!({ "data": { "currency": "USD" } });
    stage
        .west()
        .edit(&kind("ConfigMap"), Some("shop"), "settings", &patch)
        .expect("edited");
    let kept = stage.done("keep", restore(plain(&name))).await;
    insta::assert_snapshot!(kept.warnings.join("\n"), @"ConfigMap shop/settings: differs at data.currency, and is left as it is");
    let update = RestoreObjects {
        existing: Existing::Update,
        ..plain(&name)
    };
    let fates = preview(&stage, update.clone()).await;
    let changed: Vec<_> = fates
        .fates
        .iter()
        .filter(|one| one.fate == Fate::Update)
        .collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(
        (changed[0].id.to_string().as_str(), changed[0].why.as_str()),
        ("ConfigMap shop/settings", "differs at data.currency")
    );
    let updated = stage.done("update", restore(update)).await;
    assert!(updated.created.is_empty(), "it was there before");
    let settings = stage
        .west()
        .peek(&kind("ConfigMap"), Some("shop"), "settings")
        .expect("there");
    assert_eq!(settings["data"]["currency"], "EUR");
}

#[tokio::test(start_paused = true)]
async fn a_restore_goes_on_where_a_lost_reply_ended_it() {
    let stage = with_platform(Stage::new());
    let name = captured(&stage).await;
    stage
        .done("open", Effect::OpenSandbox(OpenSandbox { sandbox: sandbox() }))
        .await;
    stage.fails(vec![
        fault("west", "create", "ConfigMap", 1, FaultError::LostReplyAfterCommit),
        fault("west", "create", "Deployment", 1, FaultError::LostReplyBefore),
    ]);
    let error = stage
        .perform("restore", restore(confined(&name)))
        .await
        .expect_err("two replies are lost");
    assert_eq!(error.kind, ErrorKind::LostReply);
    insta::assert_snapshot!(error.message, @"2 of 12 objects could not be made, 0 not begun, 10 done: create ConfigMap shop-drill-4k2/settings: connection closed before the reply, create Deployment shop-drill-4k2/web: connection closed before the reply");
    let whole = stage.done("restore", restore(confined(&name))).await;
    let expected = preview(&stage, confined(&name))
        .await
        .fates
        .iter()
        .filter(|one| one.fate != Fate::Skip)
        .count();
    assert_eq!(
        whole.created.len(),
        expected,
        "what earlier attempts made is in the ledger"
    );
}

#[tokio::test(start_paused = true)]
async fn every_failure_of_a_wave_is_named() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    stage.fails(vec![
        fault("west", "create", "ConfigMap", 1, FaultError::Busy),
        fault("west", "create", "Secret", 1, FaultError::Forbidden),
    ]);
    let error = stage
        .perform("restore", restore(plain(&name)))
        .await
        .expect_err("it ends");
    assert_eq!(error.kind, ErrorKind::Forbidden, "that one will not pass");
    insta::assert_snapshot!(error.causes.join("\n"), @"
    create ConfigMap shop/settings: too many requests, please try again later
    create Secret shop/payments: not allowed by a rule of this simulation
    ");
}

#[tokio::test(start_paused = true)]
async fn a_drill_does_not_touch_what_it_did_not_make() {
    let stage = with_platform(Stage::new());
    let name = captured(&stage).await;
    stage
        .done("open", Effect::OpenSandbox(OpenSandbox { sandbox: sandbox() }))
        .await;
    let stranger = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings", "namespace": "shop-drill-4k2" } });
    stage.west().seed([&stranger]).expect("seeded");
    let before = stage.west().audit().len();
    let (kind, message) = refused(stage.perform("restore", restore(confined(&name))).await);
    assert_eq!(kind, ErrorKind::Rejected);
    insta::assert_snapshot!(message, @"1 object must not be restored, and nothing was: ConfigMap shop-drill-4k2/settings: it is there and this drill did not make it");
    assert_eq!(stage.west().audit().len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_drill_needs_the_definitions_that_it_may_not_make() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let fates = preview(&stage, confined(&name)).await.fates;
    let refused: Vec<_> = fates.iter().filter(|one| one.fate == Fate::Refuse).collect();
    assert_eq!(refused.len(), 1);
    insta::assert_snapshot!(format!("{}: {}", refused[0].id, refused[0].why), @"Campaign shop-drill-4k2/winter: west serves no Campaign of shop.example/v1, and a drill does not bring its definition; a controller of Campaign (shop.example) outside of the drill may act on it");
    assert_eq!(
        preview(&stage, plain(&name)).await.count(Fate::Refuse),
        0,
        "a failover brings it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_still_to_be_made_has_no_preview() {
    let stage = Stage::new();
    let late = RestoreObjects {
        backup: Text::output("capture", "backup"),
        ..plain("")
    };
    assert_eq!(preview(&stage, late).await, RestorePreview::default());
    assert_eq!(
        refused(stage.perform("restore", restore(plain("shop-1"))).await).0,
        ErrorKind::NotFound
    );
    assert_eq!(
        refused(stage.perform("restore", restore(plain("../shop"))).await).0,
        ErrorKind::Rejected
    );
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_is_not_in_the_backup_is_a_mistake() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    let both = Selection {
        namespaces: vec!["shop".into(), "other".into()],
        ..Selection::default()
    };
    let effect = RestoreObjects {
        selection: both,
        ..plain(&name)
    };
    let (kind, message) = refused(stage.perform("restore", restore(effect)).await);
    assert_eq!(
        (kind, message),
        (
            ErrorKind::NotFound,
            format!("backup {name} holds nothing of namespace other")
        )
    );
    assert!(stage.west().audit().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_way_back_finds_nothing_to_change() {
    let stage = Stage::new();
    let name = captured(&stage).await;
    stage.done("restore", restore(plain(&name))).await;
    pass(1000).await;
    let Effect::BackupObjects(effect) = backup() else {
        unreachable!()
    };
    let effect = BackupObjects {
        site: "west".into(),
        ..effect
    };
    let back = stage.done("back", Effect::BackupObjects(effect)).await;
    let update = RestoreObjects {
        site: "east".into(),
        existing: Existing::Update,
        ..plain(&back.outputs["backup"])
    };
    let fates = preview(&stage, update).await;
    let changed: Vec<_> = fates
        .fates
        .iter()
        .filter(|one| !matches!(one.fate, Fate::Keep | Fate::Skip))
        .collect();
    assert!(
        changed.is_empty(),
        "marks of the first restore are no difference: {changed:?}"
    );
}
