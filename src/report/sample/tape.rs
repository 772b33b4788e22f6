//! A journal in the making, entry by entry. Only for tests.

use super::*;

/// A journal in the making.
pub(crate) struct Tape {
    pub(crate) entries: Vec<Entry>,
    pub(super) began: Timestamp,
    pub(super) prev: String,
}

impl Tape {
    pub(crate) fn begin(plan: Plan, run: &str) -> Self {
        let mut tape = Self {
            entries: Vec::new(),
            began: now(),
            prev: String::new(),
        };
        let beginning = Beginning {
            format: Beginning::FORMAT,
            tool: plan.tool.clone(),
            run: RunId(run.into()),
            digest: Digest::of(&plan),
            operator: operator("anna"),
            concurrency: 8,
            journal: None,
            declared: None,
            plan,
        };
        tape.push(0, Event::Began(Box::new(beginning)));
        tape
    }

    pub(crate) fn push(&mut self, elapsed_ms: u64, event: Event) -> &mut Self {
        let at = self.began + SignedDuration::from_millis(i64::try_from(elapsed_ms).unwrap());
        let seq = self.entries.len() as u64;
        let entry = Entry {
            seq,
            at,
            elapsed_ms,
            prev: self.prev.clone(),
            event,
        };
        let line = serde_json::to_vec(&entry).unwrap();
        self.prev = sha256_hex(&line);
        self.entries.push(entry);
        self
    }

    pub(crate) fn intend(&mut self, at: u64, step: u32, attempt: u32) -> &mut Self {
        self.push(
            at,
            Event::Intended {
                step,
                phase: Phase::Forward,
                effect: 0,
                attempt,
            },
        )
    }

    pub(crate) fn perform(&mut self, at: u64, step: u32, attempt: u32, receipt: Receipt) -> &mut Self {
        let receipt = Box::new(receipt);
        self.push(
            at,
            Event::Performed {
                step,
                phase: Phase::Forward,
                effect: 0,
                attempt,
                receipt,
            },
        )
    }

    pub(crate) fn fail(
        &mut self,
        at: u64,
        step: u32,
        attempt: u32,
        error: WorldError,
        again: Option<u64>,
    ) -> &mut Self {
        let event = Event::Failed {
            step,
            phase: Phase::Forward,
            effect: 0,
            attempt,
            error,
            retry_at_ms: again,
        };
        self.push(at, event)
    }

    pub(crate) fn end(&mut self, at: u64, step: u32, outcome: Outcome) -> &mut Self {
        self.push(at, Event::Ended { step, outcome })
    }

    /// One attempt that works, and the step's end with it.
    pub(crate) fn ok(&mut self, from: u64, to: u64, step: u32, receipt: Receipt) -> &mut Self {
        self.intend(from, step, 1);
        self.perform(to, step, 1, receipt);
        self.end(to, step, Outcome::Succeeded)
    }

    pub(crate) fn skip(&mut self, at: u64, step: u32, why: &str, releases: bool) -> &mut Self {
        self.end(
            at,
            step,
            Outcome::Skipped {
                why: why.into(),
                releases,
            },
        )
    }

    pub(crate) fn finish(&mut self, at: u64, verdict: Verdict) -> &mut Self {
        self.push(at, Event::Finished { verdict })
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.clone()
    }
}
