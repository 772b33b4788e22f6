//! `lifeboat status --watch`: what a run does, seen from another terminal or another machine.
//!
//! It reads the journal again and again, here or in the mirrors, and shows it by the same code as the terminal that
//! carries the run. It holds nothing and can disturb nothing.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::{CommandError, Exit, Settings, launch, mirrors, output, runs, screen};
use crate::report::{Interactive, Live, LiveOptions, Plain};
use crate::run::{Entry, Journal};

/// Often enough that a clock on the screen looks alive.
const TICK: Duration = Duration::from_millis(500);

/// A journal on this machine is a file: to look whether it has grown costs nothing.
const LOOK_HERE: Duration = Duration::from_millis(500);

/// A mirror is asked for every object of the run.
const LOOK_THERE: Duration = Duration::from_secs(5);

/// So many records are told from the beginning; of a longer run only what follows is.
const TOLD: usize = 500;

/// Where the journal is looked for.
enum Source<'a> {
    Here(&'a Path),
    Mirrors(&'a str),
}

impl Source<'_> {
    async fn read(&self, settings: &Settings) -> Result<Vec<Entry>, CommandError> {
        match self {
            Self::Here(folder) => runs::history(folder).map(|history| history.entries),
            Self::Mirrors(name) => match mirrors::find(name, settings).await? {
                Some(elsewhere) => Ok(elsewhere.found.history.entries),
                None => Err(CommandError::new(
                    Exit::Failed,
                    format!("no mirror has {name} any more"),
                )),
            },
        }
    }

    /// Whether a process carries it, as far as this machine can know.
    fn is_carried(&self) -> Option<bool> {
        match self {
            Self::Here(folder) => Some(Journal::is_held(folder)),
            Self::Mirrors(_) => None,
        }
    }

    const fn every(&self) -> Duration {
        match self {
            Self::Here(_) => LOOK_HERE,
            Self::Mirrors(_) => LOOK_THERE,
        }
    }
}

pub(super) fn run(run: &str, settings: &Settings) -> Result<Exit, CommandError> {
    let opened = runs::open(run, settings)?;
    let source = if opened.mirrored {
        Source::Mirrors(&opened.name)
    } else {
        Source::Here(&opened.folder)
    };
    super::block_on(async {
        let watched = watch(&source, opened.history.entries, settings);
        tokio::select! {
            done = watched => done?,
            _ = super::interrupted() => return Ok(Exit::Done),
        }
        let history = match &source {
            Source::Here(folder) => runs::history(folder)?,
            Source::Mirrors(name) => match mirrors::find(name, settings).await? {
                Some(elsewhere) => elsewhere.found.history,
                None => return Ok(Exit::Done),
            },
        };
        output::text(&launch::closing_of(&history, settings)?);
        Ok(Exit::Done)
    })
}

/// Shows the run until it has ended.
async fn watch(source: &Source<'_>, first: Vec<Entry>, settings: &Settings) -> Result<(), CommandError> {
    let mut viewer = Viewer::open(&first, settings);
    let mut trouble = None;
    let mut look = Instant::now() + source.every();
    let mut ticks = tokio::time::interval(TICK);
    while !viewer.ended {
        ticks.tick().await;
        if Instant::now() >= look {
            match source.read(settings).await {
                Ok(entries) => {
                    trouble = None;
                    viewer.take(&entries);
                }
                // What cannot be read now may be readable again; that it could not is said once.
                Err(error) => viewer.complain(&mut trouble, &error),
            }
            look = Instant::now() + source.every();
        }
        viewer.say_whether_carried(source.is_carried());
        viewer.tick();
    }
    let _ = viewer.live.finish();
    Ok(())
}

struct Viewer {
    live: Box<dyn Live + Send>,
    shown: usize,
    run: String,
    /// The run's clock at the newest entry, and that entry's time of day.
    newest: Option<(u64, jiff::Timestamp)>,
    carried: Option<bool>,
    ended: bool,
}

impl Viewer {
    fn open(entries: &[Entry], settings: &Settings) -> Self {
        let options = LiveOptions {
            journal: String::new(),
            estimates: screen::estimates(entries, settings),
            colour: settings.colour_out(),
        };
        let live: Box<dyn Live + Send> = if settings.redraws_out() {
            Box::new(Interactive::new(std::io::stdout(), options, settings.columns()))
        } else {
            Box::new(Plain::new(std::io::stdout(), options))
        };
        let run = entries.iter().find_map(|entry| match &entry.event {
            crate::run::Event::Began(begun) => Some(begun.run.0.clone()),
            _ => None,
        });
        let mut viewer = Self {
            live,
            shown: 0,
            run: run.unwrap_or_default(),
            newest: None,
            carried: None,
            ended: false,
        };
        if entries.len() > TOLD {
            let (before, rest) = entries.split_at(entries.len() - TOLD);
            output::note(&format!("{} records before these are not shown.", before.len()));
            viewer.live.catch_up(before);
            viewer.shown = before.len();
            viewer.tell(rest);
        } else {
            viewer.tell(entries);
        }
        viewer
    }

    /// Takes in a journal that may have grown. It never gets shorter: what was not durable is not read.
    fn take(&mut self, entries: &[Entry]) {
        if let Some(new) = entries.get(self.shown..) {
            self.tell(new);
        }
    }

    fn tell(&mut self, new: &[Entry]) {
        for entry in new {
            // Nobody listens any more: then the next tick finds out, too.
            let _ = self.live.entry(entry);
            self.newest = Some((entry.elapsed_ms, entry.at));
            self.ended |= matches!(entry.event, crate::run::Event::Finished { .. });
        }
        self.shown += new.len();
    }

    fn tick(&mut self) {
        let Some((elapsed_ms, at)) = self.newest else {
            return;
        };
        let since = super::now().duration_since(at).as_millis();
        let now_ms = elapsed_ms.saturating_add(u64::try_from(since).unwrap_or(0));
        if self.live.tick(now_ms).is_err() {
            self.ended = true;
        }
    }

    /// A run that nobody carries goes nowhere, and the clock runs on: that is said when it changes.
    fn say_whether_carried(&mut self, carried: Option<bool>) {
        if carried == Some(false) && self.carried != Some(false) && !self.ended {
            let _ = self.live.finish();
            output::line(&format!(
                "No process carries it now. Go on with: lifeboat resume {}",
                self.run
            ));
        }
        self.carried = carried;
    }

    fn complain(&mut self, before: &mut Option<String>, error: &CommandError) {
        let text = error.to_string();
        if before.as_deref() != Some(text.as_str()) {
            let _ = self.live.finish();
            output::note(text.trim_end());
        }
        *before = Some(text);
    }
}
