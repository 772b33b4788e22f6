//! A few lines at the bottom that are redrawn: what runs, who is asked, what is next, the clock.
//!
//! ## Why
//!
//! The region is redrawn with four sequences that every terminal since the VT100 knows: carriage
//! return, erase line, cursor up, line feed. Each line is cut one column before the edge, because a
//! line that wraps would make "one up" wrong; and unless there is a new line to say, it is redrawn at
//! most five times a second, because a slow line must not be busy with a clock.

use std::io::{self, Write};

use super::live::{Live, LiveOptions, Watch};
use super::said::{heading, said};
use super::{Word, coloured};
use crate::report::lines::cut;
use crate::run::{Entry, Event};

/// Five times a second.
const REDRAW_MS: u64 = 200;
/// Steps that are shown at once. More would push what stays on the screen off a small terminal.
const ACTIVE: usize = 6;

/// The redrawing renderer.
pub struct Interactive<W> {
    out: W,
    watch: Watch,
    columns: usize,
    /// Lines of the region on the screen; the cursor is at the end of the last.
    drawn: usize,
    drawn_ms: Option<u64>,
}

impl<W: Write> Interactive<W> {
    /// Writes to a terminal of so many columns.
    pub fn new(out: W, options: LiveOptions, columns: usize) -> Self {
        Self {
            out,
            watch: Watch::new(options),
            columns,
            drawn: 0,
            drawn_ms: None,
        }
    }

    /// The terminal has another width now.
    pub const fn resize(&mut self, columns: usize) {
        self.columns = columns;
    }

    /// Erases the region, leaving the cursor where it began.
    fn erase(&mut self) -> io::Result<()> {
        for line in 0..self.drawn {
            let up = if line == 0 { "" } else { "\x1b[A" };
            write!(self.out, "{up}\r\x1b[2K")?;
        }
        self.drawn = 0;
        Ok(())
    }

    /// Draws the region below the cursor.
    fn draw(&mut self, now_ms: u64) -> io::Result<()> {
        let lines = self.region(now_ms);
        for (at, (line, word)) in lines.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            let line = self.fitted(line, *word);
            write!(self.out, "{end}{line}")?;
        }
        self.drawn = lines.len();
        self.drawn_ms = Some(now_ms);
        self.out.flush()
    }

    fn is_due(&self, now_ms: u64) -> bool {
        self.drawn_ms
            .is_none_or(|before| now_ms >= before.saturating_add(REDRAW_MS))
    }

    fn fitted(&self, line: &str, word: Option<Word>) -> String {
        let line = cut(line, self.columns.saturating_sub(1));
        word.map_or_else(
            || line.clone(),
            |word| coloured(&line, word, self.watch.options.colour),
        )
    }

    fn region(&self, now_ms: u64) -> Vec<(String, Option<Word>)> {
        let mut active = self.watch.active(now_ms);
        let hidden = active.len().saturating_sub(ACTIVE);
        active.truncate(ACTIVE);
        let mut lines: Vec<_> = active
            .iter()
            .map(|line| (format!("  {}", line.draw(self.watch.names)), Some(line.word)))
            .collect();
        if hidden > 0 {
            lines.push((format!("        … and {hidden} more"), None));
        }
        lines.extend(
            self.watch
                .next()
                .map(|next| (format!("  next  {next}"), Some(Word::Next))),
        );
        lines.extend(
            self.watch
                .course(now_ms)
                .map(|course| (format!("  RTO   {course}"), None)),
        );
        lines
    }
}

impl<W: Write> Live for Interactive<W> {
    fn catch_up(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.watch.push(entry);
        }
    }

    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.watch.push(entry);
        let lines = said(&self.watch, entry, false);
        let begins = matches!(entry.event, Event::Began(_));
        if lines.is_empty() && !begins && !self.is_due(entry.elapsed_ms) {
            return Ok(());
        }
        self.erase()?;
        if begins {
            for line in heading(&self.watch) {
                writeln!(self.out, "{line}")?;
            }
            writeln!(self.out)?;
        }
        for line in lines {
            let text = format!("  {}", line.draw(self.watch.names));
            writeln!(
                self.out,
                "{}",
                coloured(&text, line.word, self.watch.options.colour)
            )?;
        }
        self.draw(entry.elapsed_ms)
    }

    fn progress(&mut self, step: u32, text: &str, now_ms: u64) -> io::Result<()> {
        self.watch.set_progress(step, text);
        self.tick(now_ms)
    }

    fn tick(&mut self, now_ms: u64) -> io::Result<()> {
        if !self.is_due(now_ms) || self.watch.fold.is_none() {
            return Ok(());
        }
        self.erase()?;
        self.draw(now_ms)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.erase()?;
        self.out.flush()
    }
}
