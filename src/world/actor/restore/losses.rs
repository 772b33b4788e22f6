//! What of a restore could not be made, and what is not begun because of that.
//!
//! ## Why
//!
//! - A failure takes along what *needs* the object, directly or not, and nothing else: in an incident
//!   nine services of ten are better than none. What needs what is said by the objects themselves (see
//!   `objects::Needers`); that something came in a later wave is no reason.
//! - A failure that says something of the whole site (it cannot be reached, it does not know us) ends the
//!   restore: nothing else would fare better, and a thousand refused requests help nobody.
//! - Every failure is kept with what was asked and the server's words. What is not begun is told by name
//!   only so far: the plan names every object, and a retry finds all of it again.

use std::collections::{BTreeMap, BTreeSet};

use super::index::{Hold, Index};
use crate::effect::{Attempt, ErrorKind, WorldError};
use crate::objects::ObjectId;
use crate::world::actor::marks::counted;
use crate::world::actor::pods::named;
use crate::world::actor::site::Site;

/// What is alike for many objects helps once; more would hide it.
const HINTS_MAX: usize = 5;

/// Objects that are not begun and still named: a journal's line has to stay readable, and a failed
/// namespace leaves thousands.
const NOT_BEGUN_NAMED: usize = 100;

/// One object that could not be made.
pub(super) struct Failed {
    pub(super) id: ObjectId,
    /// What was asked: `create`, `apply` …
    pub(super) request: &'static str,
    pub(super) error: WorldError,
}

impl Failed {
    pub(super) fn line(&self) -> String {
        format!("{} {}: {}", self.request, self.id, self.error.message)
    }
}

/// Everything that was lost so far.
#[derive(Default)]
pub(super) struct Losses {
    /// By position.
    failed: BTreeMap<usize, Failed>,
    /// Position of an object that is not begun → position of the object that it needs.
    waiting: BTreeMap<usize, usize>,
    /// Not begun because the whole site failed.
    unreached: usize,
}

/// Whether it says something of the whole site and not of one object.
pub(super) const fn is_of_site(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unreachable | ErrorKind::Unauthenticated | ErrorKind::WrongTarget | ErrorKind::Overtaken
    )
}

impl Losses {
    pub(super) fn is_empty(&self) -> bool {
        self.failed.is_empty()
    }

    /// Whether it failed, or needs something that did.
    pub(super) fn has(&self, at: usize) -> bool {
        self.failed.contains_key(&at) || self.waiting.contains_key(&at)
    }

    /// Takes in failures, and lets go of what needs them.
    pub(super) fn add(&mut self, failed: Vec<(usize, Failed)>, index: &Index, hold: &mut Hold) {
        let lost: Vec<usize> = failed.iter().map(|(at, _)| *at).collect();
        self.failed.extend(failed);
        let is_due = |at| index.is_to_do(at);
        index.order.needers.block(lost, is_due, &mut self.waiting);
        for at in self.waiting.keys() {
            hold.forget(*at);
        }
    }

    /// Counts what is not begun for the site's sake: all that is due, is not done, and waits for no
    /// object.
    pub(super) fn leave(&mut self, due: usize) {
        self.unreached = due.saturating_sub(self.failed.len() + self.waiting.len());
    }

    /// `; 2 failed, 5 need them`, or nothing.
    pub(super) fn said(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        format!(
            "; {} failed, {} not begun for want of them",
            self.failed.len(),
            self.waiting.len()
        )
    }

    /// One error that names every failure. Its kind is that of the first that will not pass by
    /// itself: repeating would meet it again.
    pub(super) fn error(self, index: &Index, site: &Site<'_>, attempt: &Attempt) -> WorldError {
        let failed: Vec<&Failed> = index.ordered().filter_map(|at| self.failed.get(&at)).collect();
        let mut lines: Vec<String> = failed.iter().map(|one| one.line()).collect();
        let errors = || failed.iter().map(|one| &one.error);
        let not_begun = self.waiting.len() + self.unreached;
        let done = index.count().saturating_sub(lines.len() + not_begun);
        let message = format!(
            "{} of {} could not be made, {not_begun} not begun, {done} done: {}",
            lines.len(),
            counted(index.count(), "object"),
            named(&lines)
        );
        let kinds = || errors().map(|error| error.kind);
        let lasting = kinds().find(|kind| !kind.passing());
        let kind = lasting.or(kinds().next()).unwrap_or(ErrorKind::Internal);
        let mut error = site.error(kind, message);
        error.retry_after_ms = errors().filter_map(|error| error.retry_after_ms).max();
        let hints: BTreeSet<&String> = errors().flat_map(|error| &error.hints).collect();
        error.hints = hints.into_iter().take(HINTS_MAX).cloned().collect();
        error.hints.push(format!(
            "a retry sends nothing for what is done: lifeboat retry {} {} --as <name> --reason \"…\"",
            attempt.run, attempt.step
        ));
        lines.extend(self.not_begun(index));
        error.causes = lines;
        error
    }

    fn not_begun(&self, index: &Index) -> Vec<String> {
        let in_order = index
            .ordered()
            .filter_map(|at| Some((at, self.waiting.get(&at)?)));
        let line = |(at, needed): (usize, &usize)| {
            format!("{} is not begun: it needs {}", index.id(at), index.id(*needed))
        };
        let mut lines: Vec<String> = in_order.take(NOT_BEGUN_NAMED).map(line).collect();
        let more = self.waiting.len() - lines.len();
        if more > 0 {
            lines.push(format!("{more} more are not begun: they need these"));
        }
        if self.unreached > 0 {
            let what = counted(self.unreached, "object");
            lines.push(format!("{what} not begun: the site failed, not the objects"));
        }
        lines
    }
}
