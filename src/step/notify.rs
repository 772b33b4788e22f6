//! `notify`: tell people or machines that something has happened.

use schemars::JsonSchema;
use serde::Deserialize;

use super::hands::in_words;
use super::params::ReceiverName;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{Effect, InDrill, Manner, Tell};
use crate::runbook::{Address, ReceiverEndpoint, Secret};
use crate::text::{Text, shell_word};

/// The kind.
#[derive(Debug)]
pub(super) struct Notify;

/// Who is told, and what.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Who, as the inventory names them under `notify`. Their addresses and keys are not in the runbook.
    to: ReceiverName,
    /// What is said, which may hold `${steps.…}`. It is also in the plan and in the report.
    #[schemars(length(min = 1))]
    text: Text,
    /// What a drill does with it.
    #[serde(default)]
    in_drill: InDrill,
}

impl StepKind for Notify {
    const NAME: &'static str = "notify";
    const SUMMARY: &'static str =
        "Tell people or machines what has happened; never fails, and waits for 10 s at most.";
    const EXAMPLE: &'static str = include_str!("../../examples/notify.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        vec![Effect::Tell(Tell {
            receiver: "on-call".to_owned(),
            text: Text::known("The shop is served by west now."),
            in_drill: InDrill::default(),
            manner: Manner::default(),
        })]
    }

    fn needs_ms(_: &Params) -> u64 {
        Tell::LIMIT_MS
    }

    fn script(params: &Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        let effect = Tell {
            receiver: params.to.0.clone(),
            text: params.text.clone(),
            in_drill: params.in_drill,
            manner: Manner::Real,
        };
        Ok(Script {
            effects: vec![Effect::Tell(effect)],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let name = &params.to.0;
        let text = in_words(&params.text);
        let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
        let receiver = place.sites.notify.get(name);
        let mut hands = vec![Hand::say(format!("Tell {name}: \u{201c}{text}\u{201d}{stop}"))];
        hands.extend(match receiver.map(|receiver| &receiver.endpoint) {
            Some(ReceiverEndpoint::Slack { url }) => vec![Hand::run(posted(
                &[],
                &shell_word(&serde_json::json!({ "text": Tell::for_slack(&text) }).to_string()),
                &Address::Secret(url.clone()),
            ))],
            Some(ReceiverEndpoint::Webhook { url, key }) => signed(&text, url, key),
            Some(ReceiverEndpoint::Embedded) | None => Vec::new(),
        });
        hands
    }
}

/// What its receiver takes only if it is signed: by the rules of Standard Webhooks.
fn signed(text: &str, url: &Address, key: &Secret) -> Vec<Hand> {
    let body = serde_json::json!({ "type": Tell::TYPE, "data": { "text": text } }).to_string();
    let key = fetched(key);
    let headers = [
        "webhook-id: $ID",
        "webhook-timestamp: $AT",
        "webhook-signature: v1,$SIGNATURE",
    ];
    vec![
        Hand::say(
            "Only a signed message is taken. The key stands in the list of processes for a moment: use a machine of your own.",
        ),
        Hand::run(format!("BODY={}", shell_word(&body))),
        Hand::run("AT=$(date +%s); ID=by-hand-$AT"),
        Hand::run(format!(
            "KEY=$(printf %s {key} | sed 's/^whsec_//' | base64 -d | od -A n -v -t x1 | tr -d ' \\n')"
        )),
        Hand::run(
            "SIGNATURE=$(printf %s \"$ID.$AT.$BODY\" | openssl dgst -sha256 -mac HMAC -macopt hexkey:\"$KEY\" -binary | base64)",
        ),
        Hand::run(posted(&headers, "\"$BODY\"", url)),
    ]
}

/// A secret address comes to curl by a pipe: what stands in a command line, everybody on the machine can read.
fn posted(headers: &[&str], body: &str, url: &Address) -> String {
    let headers = headers
        .iter()
        .fold(String::new(), |all, header| format!("{all} -H \"{header}\""));
    let curl = format!(
        "curl -sS --max-time {} -w '\\n%{{http_code}}\\n' -H 'Content-Type: application/json'{headers} --data-raw {body}",
        Tell::LIMIT_MS / 1000
    );
    match url {
        Address::Known(url) => format!("{curl} {}", shell_word(url)),
        Address::Secret(secret) => format!("printf 'url = \"%s\"' {} | {curl} -K -", fetched(secret)),
    }
}

/// As a word of a shell.
fn fetched(secret: &Secret) -> String {
    match secret {
        Secret::File(file) => format!("\"$(cat {})\"", shell_word(&file.display().to_string())),
        Secret::Env(name) => format!("\"${name}\""),
    }
}
