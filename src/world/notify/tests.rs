//! What is sent, and what is said of it afterwards. Real servers are told things in `tests/it/notify.rs`.

use std::path::PathBuf;
use std::sync::Mutex;

use super::*;
use crate::text::Spanned;

/// Remembers what it was sent, and answers as it is told.
struct Post {
    answer: Result<Page, WorldError>,
    sent: Mutex<Vec<Outgoing>>,
}

impl Web for Post {
    fn get<'a>(&'a self, url: &'a str) -> Answer<'a, Page> {
        Box::pin(async move { Err(WorldError::new(ErrorKind::Internal, url, "nobody looks")) })
    }

    fn send<'a>(&'a self, request: &'a Outgoing) -> Answer<'a, Page> {
        self.sent.lock().unwrap().push(request.clone());
        Box::pin(async { self.answer.clone() })
    }

    fn connect<'a>(&'a self, address: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let message = format!("cannot connect to {address}");
            Err(WorldError::new(ErrorKind::Unreachable, address, message))
        })
    }
}

const URL: &str = "https://hooks.example/services/T0001/aVerySecretToken";

fn page(status: u16, body: &str) -> Page {
    Page {
        status,
        retry_after_ms: None,
        body: body.to_owned(),
    }
}

/// A folder with an address and a key, and a receiver that has them.
struct Desk {
    folder: tempfile::TempDir,
    post: Arc<Post>,
}

impl Desk {
    fn new(answer: Result<Page, WorldError>) -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
            post: Arc::new(Post {
                answer,
                sent: Mutex::default(),
            }),
        };
        desk.write("url", URL);
        desk.write("key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
        desk
    }

    #[expect(clippy::disallowed_methods, reason = "secrets are in files")]
    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.file(file), text).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn hook(&self, endpoint: ReceiverEndpoint) -> Hook {
        let receiver = runbook::Receiver {
            name: Spanned::new("on-call".to_owned(), crate::text::Span::default()),
            endpoint,
        };
        Hook::of("on-call", &receiver, self.post.clone()).unwrap()
    }

    fn webhook(&self) -> Hook {
        self.hook(ReceiverEndpoint::Webhook {
            url: Address::Secret(Secret::File(self.file("url"))),
            key: Secret::File(self.file("key")),
        })
    }

    fn slack(&self) -> Hook {
        self.hook(ReceiverEndpoint::Slack {
            url: Secret::File(self.file("url")),
        })
    }

    fn sent(&self) -> Vec<Outgoing> {
        self.post.sent.lock().unwrap().clone()
    }
}

fn notice() -> Notice {
    Notice {
        id: "0011223344".into(),
        at: "2026-11-27T03:00:00Z".parse().unwrap(),
        run: "shop-f-4k2".into(),
        step: "is-back".into(),
        text: "<!channel> the shop is \"back\" & well".into(),
        drill: false,
    }
}

/// The signature, counted by hand from the standard's definition.
fn expected(request: &Outgoing, header: impl Fn(&str) -> String) -> String {
    use base64ct::{Base64, Encoding as _};
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let key = Base64::decode_vec("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
    for part in [
        &header("webhook-id"),
        ".",
        &header("webhook-timestamp"),
        ".",
        &request.body,
    ] {
        mac.update(part.as_bytes());
    }
    format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_message_is_signed_as_receivers_of_standard_webhooks_check_it() {
    let desk = Desk::new(Ok(page(204, "")));
    desk.webhook().tell(&notice()).await.unwrap();
    let [request] = desk.sent().try_into().unwrap();
    let header = |name: &str| {
        let found = request.headers.iter().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("{name}")).1.clone()
    };
    assert_eq!(request.url, URL);
    assert_eq!(header("webhook-id"), "0011223344");
    assert_eq!(header("webhook-timestamp"), "1795748400");
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("webhook-signature"), expected(&request, header));
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({
            "type": "lifeboat.notice",
            "timestamp": "2026-11-27T03:00:00Z",
            "data": {
                "run": "shop-f-4k2", "step": "is-back", "drill": false,
                "text": "<!channel> the shop is \"back\" & well",
            },
        })
    );
}

#[tokio::test]
async fn slack_gets_a_text_in_which_nobody_is_mentioned() {
    let desk = Desk::new(Ok(page(200, "ok")));
    desk.slack().tell(&notice()).await.unwrap();
    let [request] = desk.sent().try_into().unwrap();
    assert!(
        request
            .headers
            .iter()
            .all(|(name, _)| !name.starts_with("webhook"))
    );
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(
        body["text"],
        "&lt;!channel&gt; the shop is \"back\" &amp; well\nshop-f-4k2 · is-back"
    );
}

#[tokio::test]
async fn what_an_answer_means_follows_from_its_status() {
    for (status, wanted) in [
        (302, ErrorKind::Rejected),
        (400, ErrorKind::Rejected),
        (401, ErrorKind::Unauthenticated),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (410, ErrorKind::NotFound),
        (429, ErrorKind::Busy),
        (500, ErrorKind::LostReply),
        (503, ErrorKind::Busy),
    ] {
        let desk = Desk::new(Ok(page(status, "no_service")));
        let error = desk.slack().tell(&notice()).await.unwrap_err();
        assert_eq!(error.kind, wanted, "{status}");
        let redirect = if status == 302 {
            ", and redirects are not followed"
        } else {
            ""
        };
        assert_eq!(
            error.to_string(),
            format!("on-call: answered {status}{redirect}: no_service")
        );
    }
}

#[tokio::test]
async fn no_secret_is_in_what_went_wrong() {
    let lost = WorldError::new(ErrorKind::LostReply, URL, format!("no answer from {URL}: reset"));
    let desk = Desk::new(Err(lost));
    let error = desk.webhook().tell(&notice()).await.unwrap_err();
    insta::assert_snapshot!(error, @"on-call: no answer from hooks.example:443: reset");
    let echo = Desk::new(Ok(page(404, &format!("nothing at {URL}"))));
    let error = echo.webhook().tell(&notice()).await.unwrap_err();
    assert!(
        !serde_json::to_string(&error).unwrap().contains("aVerySecret"),
        "{error:?}"
    );
    desk.write("key", "whsec_thisIsNoBase64!");
    let error = desk.webhook().tell(&notice()).await.unwrap_err();
    assert!(
        error
            .message
            .ends_with("holds no key for webhooks: it is written whsec_<base64>"),
        "{error}"
    );
    desk.write("url", "http://hooks.example/services/aVerySecretToken");
    let error = desk.webhook().tell(&notice()).await.unwrap_err();
    insta::assert_snapshot!(error, @"on-call: its address is neither https nor of this machine, so everybody could read along");
    assert_eq!(desk.sent().len(), 1, "only the first was sent");
}

#[tokio::test]
async fn to_try_is_to_read_the_secrets_and_to_connect_and_nothing_is_sent() {
    let desk = Desk::new(Ok(page(200, "ok")));
    let error = desk.webhook().check().await.unwrap_err();
    insta::assert_snapshot!(error, @"on-call: cannot connect to hooks.example:443");
    desk.write("key", "");
    let error = desk.webhook().check().await.unwrap_err();
    assert!(
        error.message.ends_with("is empty, and should hold a key"),
        "{error}"
    );
    assert_eq!(desk.sent().len(), 0);
}
