//! What a run shows while it runs. Drawing happens in a task of its own, so that a slow terminal never
//! holds the run up.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::keyboard::Keyboard;
use super::{Settings, history, output};
use crate::report::{Estimates, Interactive, Live, LiveOptions, Plain};
use crate::run::{Entry, Event, Lag, Watch};

/// Often enough that a clock on the screen looks alive.
const TICK: Duration = Duration::from_millis(250);

enum Shown {
    Entry(Box<Entry>),
    Progress(u32, String),
}

/// An open screen.
pub(super) struct Screen {
    watch: Arc<Wire>,
    lags: Arc<Mutex<Vec<Lag>>>,
    task: JoinHandle<()>,
}

struct Wire(mpsc::UnboundedSender<Shown>, Arc<Mutex<Vec<Lag>>>);

impl Watch for Wire {
    fn recorded(&self, entry: &Entry) {
        // The screen may be gone; the run goes on without it.
        let _ = self.0.send(Shown::Entry(Box::new(entry.clone())));
    }

    fn progress(&self, step: u32, words: &str) {
        let _ = self.0.send(Shown::Progress(step, words.to_owned()));
    }

    fn left_behind(&self, lag: &Lag) {
        self.1
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(lag.clone());
    }
}

/// Opens the screen of a run, with what is known of it so far.
pub(super) fn open(entries: &[Entry], journal: &str, keyboard: Keyboard, settings: &Settings) -> Screen {
    let options = LiveOptions {
        journal: journal.to_owned(),
        estimates: estimates(entries, settings),
        colour: settings.colour_err(),
    };
    let mut live: Box<dyn Live + Send> = if settings.redraws() {
        Box::new(Interactive::new(std::io::stderr(), options, settings.columns()))
    } else {
        Box::new(Plain::new(std::io::stderr(), options))
    };
    let clock = RunClock::at(entries);
    // One entry is a run that begins now: that is shown. More are a run that is taken up again.
    match entries {
        [first] => drop(live.entry(first)),
        known => live.catch_up(known),
    }
    let (send, receive) = mpsc::unbounded_channel();
    let task = tokio::spawn(draw(live, receive, clock, keyboard));
    let lags: Arc<Mutex<Vec<Lag>>> = Arc::default();
    Screen {
        watch: Arc::new(Wire(send, lags.clone())),
        lags,
        task,
    }
}

/// What earlier runs say of this one's steps.
pub(super) fn estimates(entries: &[Entry], settings: &Settings) -> Estimates {
    let plan = entries.iter().find_map(|entry| match &entry.event {
        Event::Began(beginning) => Some(&beginning.plan),
        _ => None,
    });
    plan.map_or_else(Estimates::default, |plan| history::of(plan, settings))
}

impl Screen {
    /// Where the driver tells what happens.
    pub(super) fn watch(&self) -> Arc<dyn Watch> {
        self.watch.clone()
    }

    /// Waits until everything is drawn; gives back the mirrors that were left behind.
    pub(super) async fn close(self) -> Vec<Lag> {
        drop(self.watch);
        let _ = self.task.await;
        std::mem::take(&mut *self.lags.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The run's clock as the screen knows it.
struct RunClock {
    elapsed_ms: u64,
    seen: Instant,
}

impl RunClock {
    fn at(entries: &[Entry]) -> Self {
        Self {
            elapsed_ms: entries.last().map_or(0, |entry| entry.elapsed_ms),
            seen: Instant::now(),
        }
    }

    fn now_ms(&self) -> u64 {
        let since = u64::try_from(self.seen.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.elapsed_ms.saturating_add(since)
    }
}

async fn draw(
    mut live: Box<dyn Live + Send>,
    mut shown: mpsc::UnboundedReceiver<Shown>,
    mut clock: RunClock,
    mut keyboard: Keyboard,
) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        // A terminal that cannot be written to is no reason to disturb the run.
        let _ = tokio::select! {
            next = shown.recv() => match next {
                Some(Shown::Entry(entry)) => {
                    clock = RunClock::at(std::slice::from_ref(&*entry));
                    let drawn = live.entry(&entry);
                    match keyboard.heard(&entry) {
                        // Nothing may be redrawn over what a person is typing.
                        Some(question) => live.finish().map(|()| output::note(&question)),
                        None => drawn,
                    }
                }
                Some(Shown::Progress(..)) if keyboard.is_asking() && !live.only_appends() => Ok(()),
                Some(Shown::Progress(step, words)) => live.progress(step, &words, clock.now_ms()),
                None => break,
            },
            _ = ticks.tick(), if live.only_appends() || !keyboard.is_asking() => live.tick(clock.now_ms()),
        };
    }
    let _ = live.finish();
}
