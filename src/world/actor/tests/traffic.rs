//! Requests sent elsewhere: stage by stage, and from known states only. The ways back are in `traffic_back`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::effect::{
    Confinement, Guard, HttpExpect, Meaning as _, Probe, ReturnTraffic, ShiftTraffic, Target,
};
use crate::objects::{ROUTE_GROUP, Share, Split, Switch, TRAFFIC_BEFORE};
use crate::text::{Piece, Text};

/// At the beginning of every test all goes to the east.
pub(super) const BEFORE: &str = "shop-east 100, shop-west 0";
pub(super) const STEADY_MS: u64 = 10_000;

pub(super) fn routes() -> ApiKind {
    ApiKind {
        group: ROUTE_GROUP.into(),
        version: "v1".into(),
        kind: "HTTPRoute".into(),
        plural: "httproutes".into(),
        namespaced: true,
    }
}

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "httproutes.gateway.networking.k8s.io" },
        "spec": { "group": ROUTE_GROUP, "scope": "Namespaced",
            "names": { "kind": "HTTPRoute", "plural": "httproutes", "singular": "httproute" },
            "versions": [{ "name": "v1", "served": true, "storage": true }] },
    })
}

fn route() -> Value {
    let backend = |name: &str, weight: u32| json!({ "name": name, "port": 80, "weight": weight });
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": { "name": "shop", "namespace": "shop" },
        "spec": {
            "hostnames": ["shop.example"],
            "rules": [{ "backendRefs": [backend("shop-east", 100), backend("shop-west", 0)] }],
        },
    })
}

/// The shop answers at `east`, where there is a route as well.
pub(super) async fn stage() -> Stage {
    let stage = Stage::new();
    stage.east().seed([&definition(), &route()]).expect("seeded");
    pass(10_000).await;
    stage
}

pub(super) fn weights(east: u32, west: u32) -> Split {
    let share = |name: &str, weight| Share {
        name: name.into(),
        weight: Some(weight),
    };
    Split::Weights(vec![vec![share("shop-east", east), share("shop-west", west)]])
}

pub(super) fn switch() -> Switch {
    Switch::Backend {
        to: "shop-west".into(),
        stages: vec![10, 50, 100],
    }
}

/// What the new side answers, which in this world is `east` too.
pub(super) fn guard() -> Guard {
    Guard {
        probe: Probe {
            target: Target::Http {
                url: Text::known("http://east.embedded/shop/healthz"),
                expect: HttpExpect {
                    status: 200,
                    body: Some("ok".into()),
                },
            },
            successes: 2,
            interval_ms: 1_000,
            look_timeout_ms: 5_000,
        },
        steady_ms: STEADY_MS,
        bad_answers: 0,
    }
}

pub(super) fn shift() -> ShiftTraffic {
    ShiftTraffic {
        site: "east".into(),
        id: ObjectId {
            api_version: "gateway.networking.k8s.io/v1".into(),
            kind: "HTTPRoute".into(),
            namespace: Some("shop".into()),
            name: "shop".into(),
        },
        switch: switch(),
        before: Some(weights(100, 0)),
        guard: Some(guard()),
    }
}

pub(super) fn back() -> Effect {
    let shift = shift();
    Effect::ReturnTraffic(ReturnTraffic {
        site: shift.site,
        id: shift.id,
        switch: shift.switch,
        before: shift.before,
    })
}

pub(super) fn live(stage: &Stage) -> Value {
    stage
        .east()
        .peek(&routes(), Some("shop"), "shop")
        .expect("the route")
}

pub(super) fn now(stage: &Stage) -> String {
    switch().read(&live(stage)).expect("weights").to_string()
}

pub(super) fn noted(stage: &Stage) -> Option<Value> {
    live(stage)["metadata"]["annotations"]
        .get(TRAFFIC_BEFORE)
        .cloned()
}

/// As a person with kubectl would.
pub(super) fn set_by_somebody(stage: &Stage, east: u32, west: u32) {
    let mut rules = live(stage)["spec"]["rules"].clone();
    rules[0]["backendRefs"][0]["weight"] = east.into();
    rules[0]["backendRefs"][1]["weight"] = west.into();
    let patch = json!({ "spec": { "rules": rules } });
    stage
        .east()
        .edit(&routes(), Some("shop"), "shop", &patch)
        .expect("edited");
}

/// Takes the new side away, or gives it back.
pub(super) fn answers(stage: &Stage, well: bool) {
    let size = json!({ "spec": { "replicas": if well { 3 } else { 0 } } });
    stage
        .east()
        .edit(&kind("Deployment"), Some("shop"), "web", &size)
        .expect("scaled");
}

pub(super) fn changes(stage: &Stage) -> usize {
    let audit = stage.east().audit().into_iter();
    let changes = audit.filter(|one| one.resource.starts_with("httproutes") && one.committed);
    changes.count()
}

/// The object as a person would have written it.
pub(super) fn plain(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for server in ["resourceVersion", "generation", "managedFields"] {
        metadata.remove(server);
    }
    object
}

/// What somebody sees who looks ten times a second: each state with the time at which it was first seen.
pub(super) async fn watched<T>(stage: &Stage, work: impl Future<Output = T>) -> (T, Vec<(String, u64)>) {
    let began = stage.embedded.clock().now();
    let mut states: Vec<(String, u64)> = Vec::new();
    tokio::pin!(work);
    loop {
        let shown = now(stage);
        if states.last().is_none_or(|(last, _)| *last != shown) {
            let since = (stage.embedded.clock().now() - began).total(jiff::Unit::Second);
            let since = since.expect("a span of time");
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "seconds of a test"
            )]
            states.push((shown, since as u64));
        }
        tokio::select! {
            biased;
            done = &mut work => {
                let shown = now(stage);
                if states.last().is_none_or(|(last, _)| *last != shown) {
                    states.push((shown, 0));
                }
                return (done, states);
            }
            () = pass(100) => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_route_moves_in_stages_each_of_which_is_looked_at_for_its_time() {
    let stage = stage().await;
    let (done, seen) = watched(&stage, stage.done("shift", Effect::ShiftTraffic(shift()))).await;
    let states: Vec<&str> = seen.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(
        states,
        [
            BEFORE,
            "shop-east 90, shop-west 10",
            "shop-east 50, shop-west 50",
            "shop-east 0, shop-west 100"
        ]
    );
    let times: Vec<u64> = seen.iter().map(|(_, at)| *at).collect();
    for pair in times[1..].windows(2) {
        assert!(pair[1] - pair[0] >= STEADY_MS / 1000, "{times:?}");
    }
    insta::assert_snapshot!(done.summary, @"HTTPRoute shop/shop: shop-east 100, shop-west 0 → shop-east 90, shop-west 10 for 10s, 11 good answers → shop-east 50, shop-west 50 for 10s, 11 good answers → shop-east 0, shop-west 100 for 10s, 11 good answers");
    assert_eq!(changes(&stage), 3);
    let note = noted(&stage).expect("what was there before");
    insta::assert_snapshot!(note.as_str().expect("a text"), @r#"{"by":"shop-d-4k2/shift","before":{"weights":[[{"name":"shop-east","weight":100},{"name":"shop-west","weight":0}]]}}"#);
    assert_eq!(
        live(&stage)["spec"]["hostnames"],
        json!(["shop.example"]),
        "all else stays"
    );
}

#[tokio::test(start_paused = true)]
async fn nobody_is_sent_to_a_side_that_does_not_answer() {
    let stage = stage().await;
    answers(&stage, false);
    pass(5_000).await;
    let (kind, message) = refused(stage.perform("shift", Effect::ShiftTraffic(shift())).await);
    assert_eq!(kind, ErrorKind::NotYet, "it may become well: nothing was changed");
    insta::assert_snapshot!(message, @"nothing was changed, because the new side does not answer well: http://east.embedded/shop/healthz: 503 instead of 200: 0 of 0 ready");
    assert_eq!((changes(&stage), now(&stage).as_str()), (0, BEFORE));
}

#[tokio::test(start_paused = true)]
async fn so_many_bad_answers_as_the_runbook_lets_pass_change_nothing() {
    let stage = stage().await;
    let patient = ShiftTraffic {
        switch: Switch::Backend {
            to: "shop-west".into(),
            stages: vec![100],
        },
        guard: Some(Guard {
            bad_answers: 2,
            ..guard()
        }),
        ..shift()
    };
    // Two looks see it away.
    let work = async {
        let later = async {
            pass(3_500).await;
            answers(&stage, false);
            pass(2_000).await;
            answers(&stage, true);
        };
        let work = stage.perform("shift", Effect::ShiftTraffic(patient));
        tokio::join!(work, later).0
    };
    work.await.expect("it passes");
    let said = stage.said().join("\n");
    assert!(
        said.contains("(2 of 2 let pass)") && !said.contains("(3 of"),
        "{said}"
    );
    assert_eq!(now(&stage), "shop-east 0, shop-west 100");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_changes_meanwhile_is_told_and_stays() {
    let stage = stage().await;
    let work = stage.perform("shift", Effect::ShiftTraffic(shift()));
    let failed = while_waiting(work, 5_000, || set_by_somebody(&stage, 30, 70)).await;
    let error = failed.expect_err("it fails");
    assert_eq!(error.kind, ErrorKind::Conflict);
    insta::assert_snapshot!(error.message, @"somebody else has changed HTTPRoute shop/shop: it is at shop-east 30, shop-west 70, last written by kubectl; this step has left shop-east 90, shop-west 10. Nothing is overwritten");
    assert_eq!(now(&stage), "shop-east 30, shop-west 70");
    // Neither a second attempt nor an undo takes it for its own.
    let (again, _) = refused(stage.perform("shift", Effect::ShiftTraffic(shift())).await);
    assert_eq!(again, ErrorKind::Conflict);
    let (undo, message) = refused(stage.perform("shift", back()).await);
    assert_eq!(undo, ErrorKind::Conflict, "{message}");
    assert_eq!(now(&stage), "shop-east 30, shop-west 70");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_changes_at_the_last_stage_is_no_success() {
    let stage = stage().await;
    let work = stage.perform("shift", Effect::ShiftTraffic(shift()));
    let failed = while_waiting(work, 2 * STEADY_MS + 5_000, || set_by_somebody(&stage, 100, 0)).await;
    assert_eq!(refused(failed).0, ErrorKind::Conflict);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_not_as_the_plan_saw_it_is_not_touched() {
    let stage = stage().await;
    set_by_somebody(&stage, 80, 20);
    let (kind, message) = refused(stage.perform("shift", Effect::ShiftTraffic(shift())).await);
    assert_eq!(kind, ErrorKind::Conflict);
    insta::assert_snapshot!(message, @"somebody else has changed HTTPRoute shop/shop: it is at shop-east 80, shop-west 20, last written by kubectl; the plan saw shop-east 100, shop-west 0. Nothing is overwritten");
    // One that looks like a stage of ours is not ours without our note.
    set_by_somebody(&stage, 50, 50);
    let (kind, _) = refused(stage.perform("shift", Effect::ShiftTraffic(shift())).await);
    assert_eq!(kind, ErrorKind::Conflict);
    assert_eq!(changes(&stage), 0);
    // Somebody has done the whole of it: that is as wanted.
    set_by_somebody(&stage, 0, 100);
    let done = stage.done("shift", Effect::ShiftTraffic(shift())).await;
    insta::assert_snapshot!(done.summary, @"HTTPRoute shop/shop: shop-east 0, shop-west 100 (it already was)");
    assert_eq!(changes(&stage), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_looked_after_and_no_stage_is_sent_twice() {
    let stage = stage().await;
    let lost = |nth, error| fault("east", "patch", "HTTPRoute", nth, error);
    stage.fails(vec![
        lost(1, FaultError::LostReplyAfterCommit),
        lost(2, FaultError::LostReplyBefore),
    ]);
    let effect = || Effect::ShiftTraffic(shift());
    for _ in 0..2 {
        let error = stage.perform("shift", effect()).await.expect_err("lost");
        assert_eq!(error.kind, ErrorKind::LostReply);
        assert!(
            error
                .causes
                .join("")
                .starts_with("HTTPRoute shop/shop was last seen at"),
            "{error:?}"
        );
        assert_eq!(stage.resolve("shift", effect()).await, Resolution::NotDone);
    }
    let (_, seen) = watched(&stage, stage.done("shift", effect())).await;
    let states: Vec<&str> = seen.iter().map(|(state, _)| state.as_str()).collect();
    assert_eq!(
        states,
        [
            "shop-east 90, shop-west 10",
            "shop-east 50, shop-west 50",
            "shop-east 0, shop-west 100"
        ],
        "it goes on from where it was, and never back"
    );
    assert_eq!(changes(&stage), 3);
}

fn open(before: Option<&str>) -> ShiftTraffic {
    let labels = |app: &str| BTreeMap::from([("app".to_owned(), app.to_owned())]);
    ShiftTraffic {
        site: "east".into(),
        id: id("Service", "shop", "web"),
        switch: Switch::Selector(BTreeMap::from([
            ("app".to_owned(), "web".to_owned()),
            ("track".to_owned(), "green".to_owned()),
        ])),
        before: before.map(|app| Split::Selector(labels(app))),
        guard: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_gets_its_selector_and_gets_the_old_one_back() {
    let stage = Stage::new();
    let service = || {
        let found = stage.east().peek(&kind("Service"), Some("shop"), "web");
        plain(found.expect("the Service"))
    };
    let before = service();
    let done = stage.done("open", Effect::ShiftTraffic(open(Some("web")))).await;
    insta::assert_snapshot!(done.summary, @"Service shop/web: app=web → app=web, track=green");
    assert_eq!(
        service()["spec"]["selector"],
        json!({ "app": "web", "track": "green" })
    );
    insta::assert_snapshot!(stage.done("open", Effect::ShiftTraffic(open(Some("web")))).await.summary, @"Service shop/web: app=web → app=web, track=green");
    let shift = open(Some("web"));
    let back = Effect::ReturnTraffic(ReturnTraffic {
        site: shift.site,
        id: shift.id,
        switch: shift.switch,
        before: shift.before,
    });
    stage.done("open", back).await;
    assert_eq!(service(), before);
    let (kind, message) = refused(
        stage
            .perform("open", Effect::ShiftTraffic(open(Some("blue"))))
            .await,
    );
    assert_eq!(kind, ErrorKind::Conflict);
    insta::assert_snapshot!(message, @"somebody else has changed Service shop/web: it is at app=web, last written by kubectl; the plan saw app=blue. Nothing is overwritten");
    assert_eq!(service(), before);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_or_has_nothing_to_switch_is_said() {
    let stage = stage().await;
    let nowhere = ShiftTraffic {
        id: id("Service", "shop", "none"),
        ..open(None)
    };
    let (kind, message) = refused(stage.perform("open", Effect::ShiftTraffic(nowhere)).await);
    assert_eq!(
        (kind, message.as_str()),
        (ErrorKind::NotFound, "there is no Service shop/none")
    );
    let elsewhere = ShiftTraffic {
        switch: Switch::Backend {
            to: "shop-north".into(),
            stages: vec![100],
        },
        before: None,
        ..shift()
    };
    let (kind, message) = refused(stage.perform("shift", Effect::ShiftTraffic(elsewhere)).await);
    assert_eq!(kind, ErrorKind::Rejected);
    insta::assert_snapshot!(message, @"HTTPRoute shop/shop cannot be switched: it has no rule that sends requests to shop-north and to another backend");
    assert_eq!(changes(&stage), 0);
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_asks_about_the_first_change_and_changes_nothing() {
    use crate::effect::{Rehearsal, Rehearser as _, Would};
    use crate::world::actor::Understudy;
    let stage = stage().await;
    let understudy = Understudy::of(stage.world.clone());
    let asked = async |effect: ShiftTraffic| understudy.rehearse(&Effect::ShiftTraffic(effect)).await;
    let Ok(Rehearsal::Asked(answers)) = asked(shift()).await else {
        panic!("it is asked about")
    };
    assert_eq!(answers[0].answer, Would::Accept);
    set_by_somebody(&stage, 0, 100);
    assert!(
        matches!(asked(shift()).await, Ok(Rehearsal::Not(_))),
        "nothing to do"
    );
    let nowhere = ShiftTraffic {
        id: id("Service", "shop", "none"),
        ..open(None)
    };
    let Ok(Rehearsal::Asked(answers)) = asked(nowhere).await else {
        panic!("it is asked about")
    };
    assert_eq!(
        answers[0].answer,
        Would::Unknown("there is no Service shop/none".into()),
        "a step before it may make it"
    );
    assert_eq!(changes(&stage), 0);
}

#[test]
fn a_drill_switches_its_own_services_and_has_no_routes() {
    let mut service = ShiftTraffic {
        site: "west".into(),
        guard: Some(guard()),
        ..open(Some("web"))
    };
    assert!(
        matches!(service.clone().confine(&sandbox()), Confinement::Refused { .. }),
        "its probe would look at production"
    );
    if let Some(Guard {
        probe: Probe {
            target: Target::Http { url, .. },
            ..
        },
        ..
    }) = &mut service.guard
    {
        *url = Text::new(vec![
            Piece::Literal("http://west.embedded/".into()),
            Piece::Namespace("shop".into()),
        ]);
    }
    assert!(matches!(service.confine(&sandbox()), Confinement::Confined(_)));
    assert_eq!(service.id.namespace.as_deref(), Some("shop-drill-4k2"));
    assert_eq!(service.before, None, "the drill's Service is another one");
    let mut route = ShiftTraffic {
        site: "west".into(),
        ..shift()
    };
    assert!(matches!(route.confine(&sandbox()), Confinement::Skipped(_)));
    let mut active = shift();
    assert!(
        matches!(active.confine(&sandbox()), Confinement::Skipped(_)),
        "another site"
    );
    let mut stranger = open(None);
    stranger.site = "west".into();
    stranger.id.namespace = Some("edge".into());
    assert!(matches!(
        stranger.confine(&sandbox()),
        Confinement::Refused { .. }
    ));
}
