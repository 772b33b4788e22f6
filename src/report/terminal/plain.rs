//! One line per event, nothing redrawn: for logs, bad lines and screen readers.

use std::io::{self, Write};

use super::live::{Live, LiveOptions, Watch, stillness};
use super::said::{heading, said};
use super::{Line, Word, coloured};
use crate::report::units::clock;
use crate::run::{Entry, Event};

/// With a tick a second no silence is longer than ten.
const SILENCE_MS: u64 = 9_000;
/// Steps that are named when a silence is broken; the rest is a number.
const NAMED: usize = 3;

/// The plain renderer.
pub struct Plain<W> {
    out: W,
    watch: Watch,
    last_ms: u64,
}

impl<W: Write> Plain<W> {
    /// Writes to `out`.
    pub fn new(out: W, options: LiveOptions) -> Self {
        Self {
            out,
            watch: Watch::new(options),
            last_ms: 0,
        }
    }

    fn write(&mut self, now_ms: u64, lines: &[Line]) -> io::Result<()> {
        for line in lines {
            let text = format!("{}  {}", clock(now_ms), line.draw(self.watch.names));
            writeln!(
                self.out,
                "{}",
                coloured(&text, line.word, self.watch.options.colour)
            )?;
        }
        if !lines.is_empty() {
            self.last_ms = now_ms;
        }
        self.out.flush()
    }
}

impl<W: Write> Live for Plain<W> {
    fn catch_up(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.watch.push(entry);
        }
        self.last_ms = entries.last().map_or(0, |entry| entry.elapsed_ms);
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.watch.push(entry);
        if let Event::Began(_) = entry.event {
            for line in heading(&self.watch) {
                writeln!(self.out, "{line}")?;
            }
        }
        let lines = said(&self.watch, entry, true);
        self.write(entry.elapsed_ms, &lines)
    }

    fn progress(&mut self, step: u32, text: &str, now_ms: u64) -> io::Result<()> {
        self.watch.set_progress(step, text);
        self.tick(now_ms)
    }

    fn tick(&mut self, now_ms: u64) -> io::Result<()> {
        if now_ms.saturating_sub(self.last_ms) < SILENCE_MS {
            return Ok(());
        }
        let mut lines = self.watch.active(now_ms);
        if lines.len() > NAMED {
            let more = format!("and {} more steps are on their way", lines.len() - NAMED);
            lines.truncate(NAMED);
            lines.push(Line::new(Word::Now, "", "", &more));
        }
        if lines.is_empty()
            && let Some(fold) = &self.watch.fold
        {
            lines.push(Line::new(Word::Wait, "", "", &stillness(fold)));
        }
        lines.extend(self.watch.next().map(|next| Line::new(Word::Next, "", "", &next)));
        lines.extend(
            self.watch
                .course(now_ms)
                .map(|course| Line::new(Word::Rto, "", "", &course)),
        );
        self.write(now_ms, &lines)
    }

    fn only_appends(&self) -> bool {
        true
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
