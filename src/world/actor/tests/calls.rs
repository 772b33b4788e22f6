//! Requests to an address: what is sent, what an answer means, and what nobody knows afterwards.

use std::collections::BTreeMap;

use super::*;
use crate::effect::{Body, CallHttp, Method};
use crate::text::Text;

fn call(path: &str) -> CallHttp {
    CallHttp {
        method: Method::Post,
        url: Text::known(format!("http://east.embedded/{path}")),
        headers: BTreeMap::new(),
        body: Body::Json(BTreeMap::from([("by".to_owned(), Text::known("me \"two\""))])),
        token_file: None,
        status: None,
        holds: None,
        answer_within_ms: 30_000,
        repeatable: false,
    }
}

async fn ready() -> Stage {
    let stage = Stage::new();
    pass(10_000).await;
    stage
}

#[tokio::test(start_paused = true)]
async fn what_arrives_is_what_the_plan_said_with_the_key_of_the_attempt() {
    let stage = ready().await;
    let receipt = stage
        .done("freeze", Effect::CallHttp(call("shop/hooks/freeze")))
        .await;
    assert_eq!(receipt.summary, "answered 200");
    assert_eq!(
        (&*receipt.outputs["status"], &*receipt.outputs["body"]),
        ("200", "ok")
    );
    let arrived = stage.embedded.calls();
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0].line, "POST http://east.embedded/shop/hooks/freeze");
    assert_eq!(arrived[0].key.as_deref(), Some("shop-d-4k2/freeze/0"));
    assert_eq!(arrived[0].body, r#"{"by":"me \"two\""}"#);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_the_expected_one_is_a_failure_of_its_kind() {
    let stage = ready().await;
    let (kind, message) = refused(stage.perform("n", Effect::CallHttp(call("nowhere"))).await);
    assert_eq!(kind, ErrorKind::NotFound);
    assert_eq!(message, "answered 404 instead of 2xx: not found");
    let wanted = CallHttp {
        status: Some(202),
        holds: Some("queued".into()),
        ..call("shop/hooks/freeze")
    };
    let (kind, message) = refused(stage.perform("w", Effect::CallHttp(wanted)).await);
    assert_eq!(kind, ErrorKind::Rejected);
    assert_eq!(message, "answered 200 instead of 202 with \"queued\": ok");
    // No Deployment `web`: the front is not well and says 503, of which nobody knows what it did.
    let (kind, message) = refused(
        stage
            .perform("u", Effect::CallHttp(call("none/hooks/freeze")))
            .await,
    );
    assert_eq!(kind, ErrorKind::LostReply);
    assert_eq!(
        message,
        "answered 503 instead of 2xx; whether the request was carried out is not known: no web"
    );
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_answer_nobody_can_tell_whether_it_was_done() {
    let stage = ready().await;
    stage.fails(vec![fault(
        "east",
        "call",
        "freeze",
        1,
        FaultError::LostReplyAfterCommit,
    )]);
    let effect = Effect::CallHttp(call("shop/hooks/freeze"));
    let (kind, _) = refused(stage.perform("f", effect.clone()).await);
    assert_eq!(kind, ErrorKind::LostReply);
    assert!(matches!(
        stage.resolve("f", effect).await,
        Resolution::CannotTell(_)
    ));
    assert!(stage.embedded.calls()[0].done);
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "a token is in a file")]
async fn a_token_is_read_when_it_is_sent_and_never_in_the_clear() {
    let stage = ready().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("token");
    let with_token = || {
        Effect::CallHttp(CallHttp {
            token_file: Some(file.clone()),
            ..call("shop/hooks/freeze")
        })
    };
    let (kind, message) = refused(stage.perform("t", with_token()).await);
    assert_eq!(kind, ErrorKind::Rejected);
    assert_eq!(message, "a token would go over the network for everybody to read");
    let with_token = || {
        let Effect::CallHttp(effect) = with_token() else {
            unreachable!()
        };
        Effect::CallHttp(CallHttp {
            url: Text::known("https://shop.example/freeze"),
            ..effect
        })
    };
    let (_, message) = refused(stage.perform("t", with_token()).await);
    assert!(message.starts_with("cannot read the token in "), "{message}");
    std::fs::write(&file, "\n").expect("written");
    let (_, message) = refused(stage.perform("t", with_token()).await);
    assert!(
        message.ends_with(" is empty, and should hold a token"),
        "{message}"
    );
    std::fs::write(&file, "x".repeat(17 * 1024)).expect("written");
    let (_, message) = refused(stage.perform("t", with_token()).await);
    assert!(
        message.ends_with("has 17408 bytes, and a token at most 16384"),
        "{message}"
    );
    assert_eq!(stage.embedded.calls(), []);
}
