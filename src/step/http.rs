//! `http`: send one HTTP request that may change something.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::hands::in_words;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{Body, CallHttp, Effect, Method};
use crate::text::{Millis, Text, shell_word};

/// Headers that are secrets, or that the request itself has to set; in lower case.
const NOT_TO_BE_SET: [(&str, &str); 7] = [
    ("authorization", "it is a secret; use `token_file`"),
    ("proxy-authorization", "it is a secret, and no proxy is used"),
    ("cookie", "it is a secret; use `token_file`"),
    ("x-api-key", "it is a secret; use `token_file`"),
    ("host", "the address says it"),
    ("content-length", "the body says it"),
    (
        "idempotency-key",
        "every attempt of this step sends the same one by itself",
    ),
];

/// The kind.
#[derive(Debug)]
pub(super) struct Http;

/// What to send, where to, and what a good answer is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// `http://` or `https://`. Name the namespace in it with `${namespaces.<name>}`, so that a drill
    /// reaches its own.
    url: Text,
    /// How. To look without changing anything is a `probe`.
    #[serde(default = "post")]
    method: Method,
    /// Further headers. Never secrets: plans and reports show them.
    #[serde(default)]
    headers: BTreeMap<String, Text>,
    /// A JSON object of texts to send, which may hold `${steps.…}`; or use `body`.
    json: Option<BTreeMap<String, Text>>,
    /// The text to send, as it is; or use `json`.
    body: Option<String>,
    /// A file, named from the root, whose text is sent as a bearer token. It is read when the request is sent,
    /// by the machine that sends it; over `http://` it goes to this machine only.
    token_file: Option<PathBuf>,
    /// What a good answer is. Without it: any status of 200 to 299.
    expect: Option<Expect>,
    /// The time allowed for one answer.
    #[serde(default = "thirty_seconds")]
    answer_within: Millis,
    /// Sending it twice is the same as sending it once, so it may be tried again by itself after a lost
    /// answer. Without it, a person decides then: whether it did anything cannot be asked.
    #[serde(default)]
    repeatable: bool,
}

/// A good answer.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// Exactly this HTTP status.
    #[schemars(range(min = 100, max = 599))]
    status: Option<u16>,
    /// The body holds this text.
    body: Option<String>,
}

const fn post() -> Method {
    Method::Post
}

/// A freeze or a flush may take a while; what takes longer should answer 202 and be waited for.
const fn thirty_seconds() -> Millis {
    Millis(30_000)
}

impl StepKind for Http {
    const NAME: &'static str = "http";
    const SUMMARY: &'static str = "Send one HTTP request that may change something.";
    const OUTPUTS: &'static [&'static str] = &["status", "body"];
    const EXAMPLE: &'static str = include_str!("../../examples/http.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        vec![Effect::CallHttp(CallHttp {
            method: post(),
            url: Text::known("https://shop.acme.example/admin/freeze"),
            headers: BTreeMap::new(),
            body: Body::None,
            token_file: None,
            status: None,
            holds: None,
            answer_within_ms: thirty_seconds().0,
            repeatable: false,
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        if params.json.is_some() && params.body.is_some() {
            return Err("say what to send: `json` or `body`, not both".into());
        }
        // Other files of a runbook are read when it is planned; this one later, perhaps by another machine.
        if params.token_file.as_ref().is_some_and(|file| !file.is_absolute()) {
            return Err("name `token_file` from the root (`/run/secrets/…`): whichever machine carries the run reads it there".into());
        }
        for name in params.headers.keys() {
            let lower = name.to_lowercase();
            if let Some((_, why)) = NOT_TO_BE_SET.iter().find(|(known, _)| *known == lower) {
                return Err(format!("the header `{name}` cannot be set here: {why}"));
            }
            if !is_token(name) {
                return Err(format!("`{name}` is not the name of a header"));
            }
        }
        Ok(())
    }

    fn script(params: &Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = CallHttp {
            method: params.method,
            url: params.url.clone(),
            headers: params.headers.clone(),
            body: params.sent(),
            token_file: params.token_file.clone(),
            status: params.expect.as_ref().and_then(|expect| expect.status),
            holds: params.expect.as_ref().and_then(|expect| expect.body.clone()),
            answer_within_ms: params.answer_within.0,
            repeatable: params.repeatable,
        };
        Ok(Script {
            effects: vec![Effect::CallHttp(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, _: &Place<'_>) -> Vec<Hand> {
        let expect = params.expect.clone().unwrap_or_default();
        let status = expect.status.map_or_else(
            || "a status of 200 to 299".to_owned(),
            |status| format!("status {status}"),
        );
        let body = expect.body.map_or_else(String::new, |body| {
            format!(" and a body that holds \u{201c}{body}\u{201d}")
        });
        vec![
            Hand::run(params.curl()),
            Hand::say(format!("It has worked if the answer has {status}{body}.")),
        ]
    }
}

impl Params {
    fn sent(&self) -> Body {
        match (&self.json, &self.body) {
            (Some(fields), _) => Body::Json(fields.clone()),
            (None, Some(text)) => Body::Text(text.clone()),
            (None, None) => Body::None,
        }
    }

    fn curl(&self) -> String {
        let mut command = format!(
            "curl -sS --max-time {} -w '\\n%{{http_code}}\\n' -X {}",
            self.answer_within.0.div_ceil(1000),
            self.method.word()
        );
        if let Some(file) = &self.token_file {
            let file = shell_word(&file.display().to_string());
            let _ = write!(command, " -H \"Authorization: Bearer $(cat {file})\"");
        }
        for (name, value) in &self.headers {
            let header = format!("{name}: {}", in_words(value));
            let _ = write!(command, " -H {}", shell_word(&header));
        }
        match self.sent() {
            Body::None => {}
            Body::Text(text) => {
                let _ = write!(command, " --data-raw {}", shell_word(&text));
            }
            Body::Json(fields) => {
                let fields: BTreeMap<_, _> = fields
                    .iter()
                    .map(|(name, value)| (name, in_words(value)))
                    .collect();
                let json = serde_json::json!(fields).to_string();
                let _ = write!(
                    command,
                    " -H 'Content-Type: application/json' --data-raw {}",
                    shell_word(&json)
                );
            }
        }
        let _ = write!(command, " {}", shell_word(&in_words(&self.url)));
        command
    }
}

/// A token of RFC 9110, which is what the name of a header is.
fn is_token(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(json: serde_json::Value) -> Params {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn secrets_and_what_the_request_sets_itself_are_no_headers() {
        let with = |name: &str| {
            Http::check(&params(
                serde_json::json!({ "url": "http://x/", "headers": { name: "a" } }),
            ))
        };
        assert_eq!(with("X-Reason"), Ok(()));
        assert_eq!(
            with("Authorization").unwrap_err(),
            "the header `Authorization` cannot be set here: it is a secret; use `token_file`"
        );
        for name in ["cookie", "Host", "Content-Length", "idempotency-key", "X-API-Key"] {
            assert!(with(name).is_err(), "{name}");
        }
        assert_eq!(with("a b").unwrap_err(), "`a b` is not the name of a header");
        assert!(with("").is_err());
    }

    #[test]
    fn by_hand_it_is_one_command_that_can_be_copied() {
        let params = params(serde_json::json!({
            "url": "https://shop/freeze", "method": "PUT", "headers": { "X-Why": "it's a backup" },
            "json": { "by": "me \"two\"" }, "token_file": "/run/shop token",
        }));
        insta::assert_snapshot!(params.curl(), @r#"curl -sS --max-time 30 -w '\n%{http_code}\n' -X PUT -H "Authorization: Bearer $(cat '/run/shop token')" -H 'X-Why: it'\''s a backup' -H 'Content-Type: application/json' --data-raw '{"by":"me \"two\""}' https://shop/freeze"#);
    }
}
