//! A value in a database: what is asked, what an answer means, and who is waited for. The embedded database answers one
//! value to everything; a real one is asked in `sql_real`.

use serde_json::json;

use super::*;
use crate::effect::{CheckSql, Class, Confinement, Meaning as _, SqlExpect};
use crate::text::Text;

fn count() -> CheckSql {
    CheckSql {
        site: "east".into(),
        of: id("StatefulSet", "shop", "orders"),
        container: None,
        program: "psql".into(),
        connect: "dbname=shop".into(),
        query: "select count(*) from orders".into(),
        expect: SqlExpect::Within {
            at_least: Some(42),
            at_most: None,
        },
        answer_within_ms: 30_000,
    }
}

fn look(expect: SqlExpect) -> Effect {
    Effect::CheckSql(CheckSql { expect, ..count() })
}

/// A database with this answer; without one it lets nobody in.
fn database(answer: Option<&str>) -> Stage {
    let stage = Stage::new();
    let mut labels = json!({ "app": "orders" });
    if let Some(answer) = answer {
        labels["lifeboat.dev/embedded-answer"] = answer.into();
    }
    let set = json!({ "apiVersion": "apps/v1", "kind": "StatefulSet",
        "metadata": { "name": "orders", "namespace": "shop" },
        "spec": { "replicas": 1, "selector": { "matchLabels": { "app": "orders" } },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": [{ "name": "db" }] } } } });
    stage.east().seed([&set]).expect("seeded");
    stage
}

#[tokio::test(start_paused = true)]
async fn a_value_is_read_and_becomes_an_output() {
    // Its pod is not ready yet: that is waited for.
    let stage = database(Some("42"));
    let done = stage.done("count", Effect::CheckSql(count())).await;
    insta::assert_snapshot!(done.summary, @"42 (at least 42)");
    assert_eq!(done.outputs["value"], "42");
    insta::assert_snapshot!(stage.said().join("\n"), @"no pod of StatefulSet shop/orders is ready: there are orders-0");
    let same = SqlExpect::Equals(Text::known("42"));
    stage.done("same", look(same)).await;
    assert_eq!(count().class(), Class::Read, "it may be asked again by itself");
}

#[tokio::test(start_paused = true)]
async fn another_value_is_a_failure_at_once_and_told() {
    let stage = database(Some("41"));
    pass(10_000).await;
    let (kind, message) = refused(stage.perform("count", Effect::CheckSql(count())).await);
    assert_eq!(kind, ErrorKind::Rejected, "looking again would not make it right");
    insta::assert_snapshot!(message, @"the value is 41, and should be at least 42: select count(*) from orders");
    let (_, message) = refused(stage.perform("age", look(SqlExpect::NotOlderThan(1_000))).await);
    insta::assert_snapshot!(message, @"the value is 41, which is no moment, and should be not older than 1s: select count(*) from orders");
}

#[tokio::test(start_paused = true)]
async fn a_database_that_lets_nobody_in_yet_is_waited_for() {
    let stage = database(None);
    pass(10_000).await;
    let opens = || {
        let label = json!({ "metadata": { "labels": { "lifeboat.dev/embedded-answer": "42" } } });
        stage
            .east()
            .edit(&kind("Pod"), Some("shop"), "orders-0", &label)
            .expect("the pod");
    };
    let work = stage.perform("count", Effect::CheckSql(count()));
    while_waiting(work, 60_000, opens).await.expect("it is let in");
    insta::assert_snapshot!(stage.said().join("\n"), @"the database lets nobody in: psql: error: connection to server failed: there is no database");
}

#[tokio::test(start_paused = true)]
async fn what_the_database_refuses_is_told_in_its_words() {
    let stage = database(Some("42"));
    pass(10_000).await;
    stage.embedded.script(FaultPlan {
        failing_commands: vec!["psql".into()],
        ..FaultPlan::default()
    });
    let error = stage
        .perform("count", Effect::CheckSql(count()))
        .await
        .expect_err("it fails");
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert_eq!(error.message, "psql in orders-0 ended with exit code 1");
    assert_eq!(error.causes, ["psql: it failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_psql_that_hangs_is_given_up_and_asked_again() {
    let stage = database(Some("42"));
    pass(10_000).await;
    let hangs = std::sync::atomic::AtomicU32::new(0);
    stage.east().runs_by(Arc::new(move |_| {
        let first = hangs.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        first.then_some(crate::world::sim::Program::Hangs)
    }));
    stage.done("count", Effect::CheckSql(count())).await;
    insta::assert_snapshot!(stage.said().join("\n"), @"psql said nothing within 1m");
}

#[test]
fn a_drill_asks_its_own_database() {
    let mut own = CheckSql {
        site: "west".into(),
        ..count()
    };
    assert!(matches!(own.confine(&sandbox()), Confinement::Confined(_)));
    assert_eq!(own.of.namespace.as_deref(), Some("shop-drill-4k2"));
    let mut active = count();
    assert!(
        matches!(active.confine(&sandbox()), Confinement::Skipped(_)),
        "another site"
    );
}
