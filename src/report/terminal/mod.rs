//! A run on a terminal: its lines while it runs, the block at its end, `status` and `explain`.
//!
//! Renderers take entries and transient progress and write to what they are given. They hold no
//! clock: whoever drives them calls [`Live::tick`] and says what time it is on the run's clock.

mod closing;
mod explain;
mod interactive;
mod live;
mod plain;
mod said;
mod status;
#[cfg(test)]
mod tests;

pub use closing::{Where, closing};
pub use explain::{NoSuchStep, explain};
pub use interactive::Interactive;
pub use live::{Live, LiveOptions};
pub use plain::Plain;
pub use status::status;

use anstyle::{AnsiColor, Effects, Style};

use super::lines::{clean, pad};

/// Shortest and longest column for names: longer names push their line to the right.
const NAME: (usize, usize) = (8, 20);

/// One line of a run: what is going on with which step, since when, in which words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    word: Word,
    name: String,
    time: String,
    text: String,
}

/// The first word of a line: all that colour repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Ok,
    Now,
    Wait,
    Next,
    Fail,
    Skip,
    Ask,
    Note,
    Rto,
}

impl Word {
    const fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Now => "now",
            Self::Wait => "wait",
            Self::Next => "next",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Ask => "ask",
            Self::Note => "note",
            Self::Rto => "RTO",
        }
    }

    const fn style(self) -> Style {
        match self {
            Self::Ok => AnsiColor::Green.on_default(),
            Self::Now | Self::Next => AnsiColor::Cyan.on_default(),
            Self::Wait | Self::Ask => AnsiColor::Yellow.on_default(),
            Self::Fail => AnsiColor::Red.on_default().effects(Effects::BOLD),
            Self::Skip | Self::Note | Self::Rto => Style::new(),
        }
    }
}

impl Line {
    fn new(word: Word, name: &str, time: impl Into<String>, text: &str) -> Self {
        Self {
            word,
            name: clean(name),
            time: time.into(),
            text: clean(text),
        }
    }

    /// `ok    restore    2.1 s   31 created`, without colour and not cut.
    fn draw(&self, names: usize) -> String {
        let word = pad(self.word.text(), 5);
        let line = format!(
            "{word} {}  {}  {}",
            pad(&self.name, names),
            pad(&self.time, 8),
            self.text
        );
        line.trim_end().to_owned()
    }
}

/// Colours the first word of a drawn line if that is wanted.
fn coloured(line: &str, word: Word, colour: bool) -> String {
    let style = word.style();
    match line.split_once(word.text()) {
        Some((before, after)) if colour => format!("{before}{style}{}{style:#}{after}", word.text()),
        _ => line.to_owned(),
    }
}
