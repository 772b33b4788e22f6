//! The board for a monitoring system, as `OpenMetrics` text.
//!
//! ## Why absent rather than zero
//!
//! What is not known has no sample: a service that was never proven has no time of its last proof, and nobody can
//! take the year 1970 for one. So an alarm asks for `lifeboat_service_state`, or for the absence of the rest.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::board::{Board, Line, Service};
use crate::report::{Ready, Why};

/// What a server of metrics has to say of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The text.
///
/// # Errors
///
/// Only where memory cannot take it.
pub fn metrics(board: &Board) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("lifeboat");
    registry.register_collector(Box::new(Shown(board.clone())));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Shown(Board);

/// A number with its labels.
type Sample = (Vec<(&'static str, String)>, f64);

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for family in families(&self.0) {
            family.encode(&mut encoder)?;
        }
        Ok(())
    }
}

struct Family {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    counts: bool,
    samples: Vec<Sample>,
}

impl Family {
    const fn gauge(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Self {
        Self {
            name,
            help,
            unit: None,
            counts: false,
            samples,
        }
    }

    fn seconds(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Self {
        Self {
            unit: Some(Unit::Seconds),
            ..Self::gauge(name, help, samples)
        }
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let kind = if self.counts {
            MetricType::Counter
        } else {
            MetricType::Gauge
        };
        let mut metric = encoder.encode_descriptor(self.name, self.help, self.unit.as_ref(), kind)?;
        for (labels, value) in &self.samples {
            one(metric.encode_family(labels)?, self.counts, *value)?;
        }
        Ok(())
    }
}

fn one(encoder: MetricEncoder<'_>, counts: bool, value: f64) -> Result<(), std::fmt::Error> {
    if counts {
        ConstCounter::new(value).encode(encoder)
    } else {
        ConstGauge::new(value).encode(encoder)
    }
}

fn families(board: &Board) -> Vec<Family> {
    let mut all = vec![
        Family::gauge(
            "build_info",
            "Which lifeboat this is",
            vec![(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1.0)],
        ),
        Family::seconds(
            "looked_timestamp",
            "When schedules and runs were last looked at",
            vec![(Vec::new(), seconds(board.at))],
        ),
        Family::gauge(
            "troubles",
            "What keeps the server itself from doing its work",
            vec![(Vec::new(), number(board.troubles.len()))],
        ),
    ];
    all.extend(of_services(board));
    all.extend(of_proofs(board));
    all.extend(of_lines(board));
    all
}

fn of_services(board: &Board) -> Vec<Family> {
    let states = [
        Ready::Ready,
        Ready::NeedsAttention,
        Ready::NotReady,
        Ready::NeverProven,
    ];
    let state = |service: &Service| {
        let is = service.readiness.state;
        let sample = |one: Ready| (vec![label(service), ("state", code(&one))], truth(one == is));
        states.into_iter().map(sample).collect::<Vec<_>>()
    };
    let reasons = |service: &Service| {
        let mut whys: Vec<Why> = Vec::new();
        for reason in &service.readiness.because {
            if !whys.contains(&reason.code) {
                whys.push(reason.code);
            }
        }
        let sample = |why: Why| (vec![label(service), ("reason", code(&why))], 1.0);
        whys.into_iter().map(sample).collect::<Vec<_>>()
    };
    let under_way = |service: &Service| vec![(vec![label(service)], truth(service.under_way.is_some()))];
    let broken = |service: &Service| vec![(vec![label(service)], truth(service.broken.is_none()))];
    vec![
        Family::gauge(
            "service_state",
            "Whether a service could be recovered now: 1 for its state, 0 for the others",
            each(board, state),
        ),
        Family::gauge(
            "service_reason",
            "Why a service is not simply ready",
            each(board, reasons),
        ),
        Family::gauge(
            "run_under_way",
            "Whether a run of the schedule is under way",
            each(board, under_way),
        ),
        Family::gauge(
            "runbook_readable",
            "Whether the runbook can be read now",
            each(board, broken),
        ),
    ]
}

fn of_proofs(board: &Board) -> Vec<Family> {
    let of = |found: fn(&Service) -> Option<f64>| {
        each(board, move |service| {
            found(service)
                .map(|value| (vec![label(service)], value))
                .into_iter()
                .collect()
        })
    };
    vec![
        Family::seconds(
            "last_proof_timestamp",
            "When a run last showed that the service can be recovered",
            of(|service| Some(seconds(service.readiness.proof.as_ref()?.at))),
        ),
        Family::seconds(
            "proof_good_for",
            "For how long such a proof is good",
            of(|service| Some(of_ms(service.proof_ms))),
        ),
        Family::seconds(
            "last_proof_recovery_time",
            "How long recovery took then",
            of(|service| service.readiness.proof.as_ref()?.rto.measured_ms.map(of_ms)),
        ),
        Family::seconds(
            "last_proof_data_loss",
            "How much data, in time, would have been lost then",
            of(|service| service.readiness.proof.as_ref()?.rpo.measured_ms.map(of_ms)),
        ),
        Family::seconds(
            "objective_recovery_time",
            "The recovery time objective",
            of(|service| service.readiness.objectives.rto_ms.map(of_ms)),
        ),
        Family::seconds(
            "objective_data_loss",
            "The recovery point objective",
            of(|service| service.readiness.objectives.rpo_ms.map(of_ms)),
        ),
    ]
}

fn of_lines(board: &Board) -> Vec<Family> {
    let next = |service: &Service| {
        let lines = service.lines.iter();
        let sample = |line: &Line| Some((labels(service, line), seconds(line.next?)));
        lines.filter_map(sample).collect::<Vec<_>>()
    };
    let counts = |service: &Service| {
        let of = |line: &Line| {
            let counts = line.counts;
            let sample = |(end, count): (&str, u64)| {
                let mut labels = labels(service, line);
                labels.push(("end", end.to_owned()));
                (labels, exact(count))
            };
            let all = [
                ("fired", counts.fired),
                ("skipped", counts.skipped),
                ("missed", counts.missed),
            ];
            all.map(sample)
        };
        service.lines.iter().flat_map(of).collect::<Vec<_>>()
    };
    let held = |service: &Service| {
        let sample = |line: &Line| (labels(service, line), truth(line.held.is_some()));
        service.lines.iter().map(sample).collect::<Vec<_>>()
    };
    vec![
        Family::seconds(
            "next_due_timestamp",
            "When a line of a schedule may begin next",
            each(board, next),
        ),
        Family::gauge(
            "due_time_held",
            "Whether a due time waits for something",
            each(board, held),
        ),
        Family {
            counts: true,
            ..Family::gauge(
                "due_times",
                "Due times by what became of them; each ends once",
                each(board, counts),
            )
        },
    ]
}

fn each(board: &Board, samples: impl Fn(&Service) -> Vec<Sample>) -> Vec<Sample> {
    board.services.iter().flat_map(samples).collect()
}

fn label(service: &Service) -> (&'static str, String) {
    ("service", service.readiness.service.clone())
}

fn labels(service: &Service, line: &Line) -> Vec<(&'static str, String)> {
    vec![
        label(service),
        ("line", line.name.clone()),
        ("mode", line.mode.word().to_owned()),
    ]
}

/// The word that JSON has for it.
fn code(value: &impl serde::Serialize) -> String {
    let word = serde_json::to_value(value).ok();
    word.and_then(|word| word.as_str().map(str::to_owned))
        .unwrap_or_default()
}

const fn truth(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

fn number(count: usize) -> f64 {
    exact(u64::try_from(count).unwrap_or(u64::MAX))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "nothing here is counted beyond what a float holds exactly"
)]
const fn exact(count: u64) -> f64 {
    count as f64
}

fn of_ms(ms: u64) -> f64 {
    exact(ms) / 1000.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 are far below 2^53"
)]
fn seconds(at: jiff::Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
