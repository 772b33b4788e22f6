//! What the desk has to say about every service, as the page and the metrics show it. It decides nothing.

use std::sync::PoisonError;

use jiff::Timestamp;

use super::Desk;
use crate::cli::runs;
use crate::report;
use crate::run::Journal;
use crate::serve::board::{Line, Service};
use crate::serve::{self, Board, RUNS_SHOWN};

impl Desk {
    pub(super) fn show(&self, now: Timestamp) {
        let mut board = Board::empty(now, self.settings.zone());
        board.services = self
            .shelf
            .served
            .keys()
            .map(|name| self.service(name, now))
            .collect();
        board.troubles = self.troubles();
        board.sort();
        *self.window.lock().unwrap_or_else(PoisonError::into_inner) = board;
    }

    fn troubles(&self) -> Vec<String> {
        let unread = self.shelf.unread.iter();
        let unread = unread.map(|(path, why)| format!("{} cannot be read: {why}", path.display()));
        let damaged = self.known.unreadable();
        let damaged = damaged.map(|(name, why)| format!("run {name} cannot be read: {why}"));
        unread.chain(damaged).collect()
    }

    fn service(&self, name: &str, now: Timestamp) -> Service {
        let served = &self.shelf.served[name];
        let runbook = &served.documents.runbook;
        let mut runs: Vec<report::Summary> = self.known.of(name).cloned().collect();
        // What is under way is no reason to worry.
        let folder = runs::folder(&self.settings);
        let carried = |run: &report::Summary| !run.is_over() && Journal::is_held(&folder.join(&run.run.0));
        let settled: Vec<report::Summary> = runs.iter().filter(|run| !carried(run)).cloned().collect();
        let stocks = self.stocks.get(name).map_or(&[] as &[_], Vec::as_slice);
        let readiness = report::readiness(runbook, &settled, stocks, now);
        runs.sort_by_key(|run| std::cmp::Reverse(run.began_at));
        runs.truncate(RUNS_SHOWN);
        let under_way = self.working.get(name);
        Service {
            readiness,
            proof_ms: runbook.continuity.proof_ms(),
            lines: runbook
                .schedule
                .iter()
                .map(|said| self.line(name, said, now))
                .collect(),
            under_way: under_way.and_then(|work| Some((work.run.clone()?, work.since))),
            broken: served.broken.clone(),
            runs,
        }
    }

    fn line(&self, service: &str, said: &crate::runbook::Scheduled, now: Timestamp) -> Line {
        let name = format!("{service}/{}", said.name.value);
        let known = self.book.ledger.lines.get(&name);
        Line {
            next: serve::next_after(&name, said, now),
            last: known.and_then(|line| line.last.clone()),
            counts: known.map(|line| line.counts).unwrap_or_default(),
            held: self.held(&name, known),
            ..Line::of(said)
        }
    }

    /// What keeps a line, or the run that it began, from going on.
    fn held(&self, name: &str, known: Option<&serve::Line>) -> Option<String> {
        let run = known.and_then(|line| line.run.as_ref()).map(|(_, run)| run);
        let carried = |run: &&String| self.working.values().any(|work| work.run.as_ref() == Some(*run));
        let run = run
            .filter(|run| !carried(run))
            .and_then(|run| self.holds.get(run));
        let hold = self.holds.get(name).or(run)?;
        Some(hold.why.clone())
    }
}
