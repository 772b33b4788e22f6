//! The continuity plan of a service, and its card: what people read when a screen shows nothing.
//!
//! The outline is that of NIST SP 800-34r1, appendix A.3. Three sources, kept apart: the runbook and the
//! inventory, the journals of earlier runs, and Markdown files that people wrote beside the runbook. What
//! should be there and is not is listed as missing; every figure says where it is from.
//!
//! ## Why
//!
//! - **Without a network.** A plan is printed and kept in a safe; it describes what the runbook says, not
//!   what a cluster happened to look like that day.
//! - **Prose in files of its own**, so that writing the plan again never overwrites a person's words.

mod appendix;
mod card;
mod intro;
mod parts;
mod past;
mod people;
mod reconstitution;
mod recovery;
mod sequence;
mod summary;

pub use parts::{PARTS, Part, Prose};
pub use past::Past;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::document::{Block, Document, Look, Marked, Section};
use super::draw::Tone;
use super::readiness::{Readiness, Ready, readiness};
use super::units::moment;
use crate::runbook::{Mode, Runbook, Sites, Step};
use crate::step::{Bound, Hand, KINDS, Kind, Place};
use crate::text::shell_word;
use sequence::Sequence;

/// Everything that a plan is made from.
#[derive(Clone, Copy)]
pub struct Paper<'a> {
    /// The runbook.
    pub runbook: &'a Runbook,
    /// The inventory.
    pub sites: &'a Sites,
    /// Its steps, read with today's roles.
    pub bound: &'a Bound,
    /// What people wrote beside it.
    pub prose: &'a Prose,
    /// What earlier runs say.
    pub past: &'a Past,
    /// The runbook as a command takes it: `playbooks/shop`.
    pub path: &'a str,
    /// When the plan is written.
    pub now: Timestamp,
    /// In which zone times are shown.
    pub zone: &'a TimeZone,
}

/// A document in both forms.
#[derive(Clone, Debug)]
pub struct Pages {
    /// One file, for screen and paper.
    pub html: String,
    /// For repositories and wikis.
    pub markdown: String,
    /// What is missing, each a sentence that begins with its section.
    pub gaps: Vec<String>,
    /// How the service stands, by the runs that are known.
    pub readiness: Readiness,
}

/// The continuity plan.
pub fn plan(paper: &Paper<'_>) -> Pages {
    let mut desk = Desk::of(paper);
    let mut sections = vec![
        intro::introduction(&mut desk),
        intro::concept(&mut desk),
        people::activation(&mut desk),
        recovery::section(&mut desk),
        reconstitution::section(&mut desk),
    ];
    sections.extend(appendix::sections(&mut desk));
    desk.gaps.extend(parts::strangers(paper.prose));
    sections.insert(0, summary::section(&desk));
    sections.push(summary::gaps(&desk));
    desk.pages(Look::Plan, "Continuity plan", sections)
}

/// One page for offline use.
pub fn card(paper: &Paper<'_>) -> Pages {
    let desk = Desk::of(paper);
    let sections = card::sections(&desk);
    desk.pages(Look::Card, "Recovery card", sections)
}

/// The paper on the desk, and what turned out to be missing so far.
struct Desk<'a> {
    paper: &'a Paper<'a>,
    sequence: Sequence,
    readiness: Readiness,
    gaps: Vec<String>,
}

impl<'a> Desk<'a> {
    fn of(paper: &'a Paper<'a>) -> Self {
        Self {
            paper,
            sequence: Sequence::of(paper.runbook, &paper.past.records),
            readiness: readiness(paper.runbook, &paper.past.runs, &[], paper.now),
            gaps: Vec::new(),
        }
    }

    fn runbook(&self) -> &'a Runbook {
        self.paper.runbook
    }

    /// Notes a gap and says it in its place.
    fn missing(&mut self, section: &str, text: impl Into<String>) -> Block {
        let text = text.into();
        self.gaps.push(format!("{section}: {text}"));
        Block::Missing(text)
    }

    /// What a person wrote for this part, else that it is missing.
    fn part(&mut self, name: &str) -> Vec<Block> {
        if let Some(text) = self.paper.prose.parts.get(name) {
            return vec![Block::Prose(text.clone())];
        }
        let Some(part) = PARTS.iter().find(|part| part.name == name) else {
            return Vec::new();
        };
        if !part.required {
            return Vec::new();
        }
        let file = self.paper.prose.file(name);
        vec![self.missing(part.section, format!("{} Write it in {file}.", part.asks))]
    }

    /// `active (west)`, else the role alone.
    fn role(&self, role: &str) -> String {
        match self.runbook().roles.get(role) {
            Some(site) => format!("{} ({role})", site.value),
            None => role.to_owned(),
        }
    }

    /// Where a step acts, by the role that it names.
    fn place_of(&self, step: &Step) -> String {
        let site = step.params.get("site").and_then(|node| node.as_str());
        site.map_or_else(String::new, |role| self.role(role))
    }

    /// A command about this runbook in such a mode, with what has to be given.
    fn command(&self, verb: &str, mode: Mode) -> String {
        let inputs = self.runbook().inputs.iter();
        let missing = inputs.filter(|(_, input)| input.fallback(mode).is_none());
        let given = missing.map(|(name, _)| format!(" --input {}", shell_word(&format!("{name}=<{name}>"))));
        format!(
            "lifeboat {verb} {}{}",
            shell_word(self.paper.path),
            given.collect::<String>()
        )
    }

    /// How a step is done by hand.
    fn by_hand(&self, at: usize) -> Vec<Hand> {
        let step = &self.runbook().steps[at];
        let place = Place {
            runbook: self.paper.runbook,
            sites: self.paper.sites,
            step: &step.name.value,
            timeout_ms: step.policy.timeout_ms,
        };
        let ready = self.paper.bound.steps.get(at).and_then(Option::as_ref);
        ready.map_or_else(Vec::new, |ready| ready.by_hand(&place))
    }

    /// The line that says of when the paper is.
    fn written(&self) -> String {
        format!("written {}", moment(self.paper.now, self.paper.zone))
    }

    fn pages(self, look: Look, what: &str, sections: Vec<Section>) -> Pages {
        let runbook = self.runbook();
        let short = runbook.recovery.get(..8).unwrap_or_default();
        let document = Document {
            look,
            title: format!("{what}: {}", runbook.title),
            subtitle: format!("{} · {}", runbook.name.value, self.written()),
            verdict: verdict(&self.readiness),
            sections,
            tool: crate::TOOL.to_owned(),
            footer: format!(
                "{what} {} · recovery {short} · {} · {}",
                runbook.name.value,
                self.written(),
                crate::TOOL
            ),
        };
        Pages {
            html: document.html(),
            markdown: document.markdown(),
            gaps: self.gaps,
            readiness: self.readiness,
        }
    }
}

/// The badge.
fn verdict(readiness: &Readiness) -> Marked {
    let tone = match readiness.state {
        Ready::Ready => Tone::Good,
        Ready::NeedsAttention => Tone::Doubt,
        Ready::NotReady | Ready::NeverProven => Tone::Bad,
    };
    let text = match readiness.state {
        Ready::Ready => "Proved by a drill, lately, and unchanged since.",
        Ready::NeedsAttention => "Proved once; something needs attention.",
        Ready::NotReady => "Not ready: the newest run did not recover it.",
        Ready::NeverProven => "Never proven: no run has ever recovered it.",
    };
    Marked::new(text, tone)
}

/// The kind of a step.
fn kind_of(step: &Step) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == step.kind.value)
}

/// What a step is for: its own sentence, else its kind's.
fn purpose(step: &Step) -> String {
    match (&step.description, kind_of(step)) {
        (Some(text), _) => text.clone(),
        (None, Some(kind)) => kind.summary.to_owned(),
        (None, None) => step.kind.value.clone(),
    }
}

/// `drill, failover`.
fn modes(step: &Step) -> String {
    let words: Vec<&str> = step.modes.iter().map(|mode| mode.word()).collect();
    words.join(", ")
}

/// The recovery that a plan is about: the failover, else whatever there is.
fn main_mode(runbook: &Runbook) -> Mode {
    let order = [Mode::Failover, Mode::Switchover, Mode::Drill, Mode::Failback];
    let used = |mode: &Mode| runbook.steps.iter().any(|step| step.modes.contains(mode));
    order.into_iter().find(used).unwrap_or(Mode::Protect)
}

#[cfg(test)]
mod tests;
