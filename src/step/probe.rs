//! `probe`: look from outside whether something answers.

use schemars::JsonSchema;
use serde::Deserialize;

use super::hands::in_words;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{self, Effect, HttpExpect, Target};
use crate::text::{Millis, Piece, Text};

/// The kind.
#[derive(Debug)]
pub(super) struct Probe;

/// What to ask and what a good answer is. The step's `timeout` says how long to go on asking.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// An address to `GET`; or use `tcp`. Name the namespace in it with `${namespaces.<name>}`, so that
    /// a drill looks at its own.
    http: Option<Text>,
    /// `host:port` to connect to; or use `http`.
    tcp: Option<Text>,
    /// With `http`: what a good answer is.
    expect: Option<Expect>,
    /// How many good answers in a row prove health.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 100))]
    successes: u32,
    /// Between two looks.
    #[serde(default = "one_second")]
    interval: Millis,
    /// The time allowed for one look.
    #[serde(default = "five_seconds")]
    look_timeout: Millis,
}

/// A good answer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// Exactly this HTTP status.
    #[serde(default = "ok")]
    #[schemars(range(min = 100, max = 599))]
    status: u16,
    /// The body holds this text.
    body: Option<String>,
}

/// One good answer can be luck while pods come and go; two in a row are a state.
const fn two() -> u32 {
    2
}

/// Often enough to measure recovery to the second.
const fn one_second() -> Millis {
    Millis(1000)
}

/// A page that needs longer does not serve customers.
const fn five_seconds() -> Millis {
    Millis(5000)
}

const fn ok() -> u16 {
    200
}

impl StepKind for Probe {
    const NAME: &'static str = "probe";
    const SUMMARY: &'static str = "Ask from outside until the service answers well several times in a row.";
    const PROVES_HEALTH: bool = true;
    const EXAMPLE: &'static str = include_str!("../../examples/probe.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        let url = Text::new(vec![
            Piece::Literal("https://west.acme.example/".to_owned()),
            Piece::Namespace("shop".to_owned()),
            Piece::Literal("/healthz".to_owned()),
        ]);
        vec![Effect::Probe(effect::Probe {
            target: Target::Http {
                url,
                expect: HttpExpect {
                    status: ok(),
                    body: Some("ok".to_owned()),
                },
            },
            successes: two(),
            interval_ms: one_second().0,
            look_timeout_ms: five_seconds().0,
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        params.check()
    }

    fn script(params: &Params, _: &Scene<'_>, _: &Observed) -> Result<Script, Refusal> {
        Ok(Script {
            effects: vec![Effect::Probe(params.effect())],
            undo: Vec::new(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let mut hands = params.look_by_hand();
        hands.push(Hand::say(format!(
            "Go on looking every {} for at most {}.",
            params.interval,
            place.timeout()
        )));
        hands
    }
}

impl Params {
    pub(super) fn check(&self) -> Result<(), String> {
        match (&self.http, &self.tcp, &self.expect) {
            (Some(_), None, _) | (None, Some(_), None) => Ok(()),
            (None, Some(_), Some(_)) => Err("`expect` goes with `http` only".into()),
            _ => Err("say what to ask: `http` or `tcp`, not both".into()),
        }
    }

    pub(super) fn effect(&self) -> effect::Probe {
        effect::Probe {
            target: self.target(),
            successes: self.successes,
            interval_ms: self.interval.0,
            look_timeout_ms: self.look_timeout.0,
        }
    }

    /// How a person looks once, and what is good.
    pub(super) fn look_by_hand(&self) -> Vec<Hand> {
        let seconds = self.look_timeout.0.div_ceil(1000);
        let times = match self.successes {
            1 => "once".to_owned(),
            n => format!("{n} times in a row"),
        };
        let word = |text: &Text| crate::text::shell_word(&in_words(text));
        let (good, command) = match (&self.http, &self.tcp) {
            (Some(url), _) => {
                let status = self.expect.as_ref().map_or_else(ok, |expect| expect.status);
                let body = self.expect.as_ref().and_then(|expect| expect.body.as_ref());
                let body = body.map_or_else(String::new, |body| {
                    format!(" and a body that holds \u{201c}{body}\u{201d}")
                });
                (
                    format!("A good answer has status {status}{body}, {times}."),
                    format!(
                        "curl -sS --max-time {seconds} -w '\\n%{{http_code}}\\n' {}",
                        word(url)
                    ),
                )
            }
            (None, address) => {
                let address = address.as_ref().map_or_else(String::new, in_words);
                let (host, port) = address.rsplit_once(':').unwrap_or((&address, ""));
                (
                    format!("Good is that the connection opens, {times}."),
                    format!("nc -vz -w {seconds} {} {port}", crate::text::shell_word(host)),
                )
            }
        };
        vec![Hand::run(command), Hand::say(good)]
    }

    fn target(&self) -> Target {
        match &self.http {
            Some(url) => Target::Http {
                url: url.clone(),
                expect: HttpExpect {
                    status: self.expect.as_ref().map_or_else(ok, |expect| expect.status),
                    body: self.expect.as_ref().and_then(|expect| expect.body.clone()),
                },
            },
            None => Target::Tcp {
                address: self.tcp.clone().unwrap_or_default(),
            },
        }
    }
}
