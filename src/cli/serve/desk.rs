//! The desk: the one task that has the ledger. It looks at the clock, begins what is due, takes in what the tasks
//! tell, and says how everything stands.

mod show;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::known::Known;
use super::shelf::Shelf;
use super::work::{self, Job, News, SERVER};
use super::{Arguments, say};
use crate::cli::{CommandError, Exit, Settings, readiness, runs};
use crate::report::{self, State, Stock};
use crate::run::{Journal, JournalError, Order, Placed, RunId, What, waits_for_login};
use crate::serve::{self, Board, Book, BookError, Ready, Record, Schedules, Trace};

/// The clock is looked at so often, because it may be set; and so are runbooks, because people change them.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Stores are asked so often what they hold.
const STOCKS_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// After a refusal the next try comes after this, then after twice as long, up to [`TRY_MAX_S`].
const TRY_S: i64 = 15;

/// A cluster that comes back is noticed within so many seconds.
const TRY_MAX_S: i64 = 240;

/// How long runs may take to pause when the server ends: shorter than the half minute that Kubernetes allows.
const LEAVE_LIMIT: Duration = Duration::from_secs(20);

/// What the page shows, for whoever serves it.
pub(super) type Window = Arc<Mutex<Board>>;

/// What keeps a line's due time from beginning.
struct Hold {
    why: String,
    tries: u32,
    again_at: Timestamp,
}

/// A service on which a task works.
struct Work {
    /// The line and the due time that it is about; none where a run goes on.
    on: Option<(String, Timestamp)>,
    /// The run, once it is known.
    run: Option<String>,
    since: Timestamp,
    orders: Option<mpsc::UnboundedSender<Placed>>,
    /// The line whose run was intended and of which nobody has said yet that it began.
    beginning: Option<String>,
}

/// The desk.
pub(super) struct Desk {
    paths: Vec<PathBuf>,
    settings: Settings,
    at_once: usize,
    book: Book,
    shelf: Shelf,
    schedules: Schedules,
    known: Known,
    holds: BTreeMap<String, Hold>,
    working: BTreeMap<String, Work>,
    stocks: BTreeMap<String, Vec<Stock>>,
    stocks_at: Option<Timestamp>,
    tasks: JoinSet<()>,
    news: (mpsc::UnboundedSender<News>, mpsc::UnboundedReceiver<News>),
    asked: JoinSet<Vec<(String, Vec<Stock>)>>,
    window: Window,
    closing: bool,
}

impl Desk {
    /// Reads runbooks and the ledger.
    pub(super) fn open(arguments: &Arguments, settings: &Settings) -> Result<Self, CommandError> {
        let shelf = Shelf::open(&arguments.runbooks, settings)?;
        let book =
            Book::open(&settings.state, &crate::cli::operator()).map_err(|error| book_error(&error))?;
        let now = crate::cli::now();
        Ok(Self {
            paths: arguments.runbooks.clone(),
            settings: settings.clone(),
            at_once: usize::try_from(arguments.at_once).unwrap_or(1),
            book,
            schedules: shelf.schedules(),
            shelf,
            known: Known::default(),
            holds: BTreeMap::new(),
            working: BTreeMap::new(),
            stocks: BTreeMap::new(),
            stocks_at: None,
            tasks: JoinSet::new(),
            news: mpsc::unbounded_channel(),
            asked: JoinSet::new(),
            window: Arc::new(Mutex::new(Board::empty(now, settings.zone()))),
            closing: false,
        })
    }

    /// Where the page finds what it shows.
    #[cfg_attr(not(feature = "page"), expect(dead_code, reason = "nothing serves a page"))]
    pub(super) fn window(&self) -> Window {
        self.window.clone()
    }

    /// Serves until Ctrl-C or SIGTERM.
    pub(super) async fn serve(mut self) -> Result<Exit, CommandError> {
        self.hello();
        let mut signals = signals();
        let mut look_at = tokio::time::Instant::now();
        loop {
            tokio::select! {
                biased;
                Some(()) = signals.recv() => return Box::pin(self.leave(signals)).await,
                Some(news) = self.news.1.recv() => {
                    self.hear(news)?;
                    // What is free now may be used at once.
                    look_at = tokio::time::Instant::now();
                }
                Some(stocks) = self.asked.join_next() => self.stocks.extend(stocks.unwrap_or_default()),
                Some(_) = self.tasks.join_next() => {}
                () = tokio::time::sleep_until(look_at) => {
                    let wait = self.look()?;
                    look_at = tokio::time::Instant::now() + wait;
                }
            }
        }
    }

    fn hello(&self) {
        let lines = self.schedules.len();
        let services = self.shelf.served.len();
        say(&format!(
            "serving {lines} line(s) of the schedules of {services} service(s); ledger: {}",
            self.book.path().display()
        ));
    }

    /// One look at everything. How long to wait for the next.
    fn look(&mut self) -> Result<Duration, CommandError> {
        // While a run is beginning, its line stays what it is.
        if self.working.values().all(|work| work.beginning.is_none()) {
            self.shelf.renew(&self.paths, &self.settings);
            self.schedules = self.shelf.schedules();
        }
        self.known.refresh(&self.settings);
        let now = crate::cli::now();
        self.settle(now)?;
        self.take_up_again(now);
        let mut wake = None;
        let mut ready = Vec::new();
        for name in self.schedules.keys().cloned().collect::<Vec<_>>() {
            let turn = self.turn(&name, now)?;
            ready.extend(turn.ready.map(|ready| (ready.since, name, ready)));
            wake = [wake, turn.wake].into_iter().flatten().min();
        }
        ready.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        for (_, name, ready) in ready {
            wake = [wake, self.begin(&name, ready, now)].into_iter().flatten().min();
        }
        self.ask_stores(now);
        self.show(now);
        Ok(wait(now, wake))
    }

    fn settle(&mut self, now: Timestamp) -> Result<(), CommandError> {
        let folder = runs::folder(&self.settings);
        let trace = |run: &str| trace(&folder.join(run));
        let records = serve::settle(&self.book.ledger, &self.schedules, now, &trace);
        for record in &records {
            if let Record::SetBack { at } = record {
                say(&format!(
                    "the clock was set back to {at:.0}: what had not fired by then is open again"
                ));
            }
        }
        self.append(&records, now)
    }

    /// What is due of one line, with what was missed recorded.
    fn turn(&mut self, name: &str, now: Timestamp) -> Result<serve::Turn, CommandError> {
        let (Some(said), Some(line)) = (self.schedules.get(name), self.book.ledger.lines.get(name)) else {
            return Ok(serve::Turn::default());
        };
        let held = self.holds.get(name).map(|hold| hold.why.as_str());
        let turn = serve::look(name, said, line, now, held);
        self.append(&turn.records, now)?;
        for record in &turn.records {
            if let Record::Missed { due, count, why, .. } = record {
                say(&format!(
                    "{name}: {count} due time(s) from {due} on missed: {why}"
                ));
            }
        }
        if turn.ready.is_none() {
            self.holds.remove(name);
        }
        Ok(turn)
    }

    /// Begins what is due, where its service and the machine are free. When to look again otherwise.
    fn begin(&mut self, name: &str, ready: Ready, now: Timestamp) -> Option<Timestamp> {
        if let Some(hold) = self.holds.get(name)
            && hold.again_at > now
        {
            return Some(hold.again_at);
        }
        let (service, _) = name.split_once('/')?;
        let on = self.working.get(service).and_then(|work| work.on.as_ref());
        if on.is_some_and(|(line, due)| line == name && *due == ready.due) {
            return None;
        }
        if let Some(why) = self.busy(service) {
            // Tried again as soon as something has ended.
            let (tries, again_at) = (0, now);
            self.holds.insert(name.to_owned(), Hold { why, tries, again_at });
            return None;
        }
        let said = self.schedules.get(name)?.clone();
        let job = self.job(service, name)?;
        let folder = runs::folder(&self.settings);
        let mut ready = ready;
        while trace(&folder.join(RunId::new(service, said.mode, &ready.id).0)) == Trace::Wordless {
            ready = serve::renamed(name, &ready);
        }
        self.work_on(service, Some((name.to_owned(), ready.due)), None, now);
        self.tasks.spawn(work::due(job, said, ready));
        None
    }

    /// Why nothing can begin for a service now.
    fn busy(&self, service: &str) -> Option<String> {
        if let Some(work) = self.working.get(service) {
            let run = work.run.as_deref().unwrap_or("another line of its schedule");
            return Some(format!("{run} was under way"));
        }
        if self.working.len() >= self.at_once {
            return Some(format!(
                "{} other services were worked on (--at-once)",
                self.at_once
            ));
        }
        let waiting = self.own_runs(service).find(|run| !run.is_over())?;
        Some(if is_interrupted(waiting) {
            format!("{} was interrupted, and could not be gone on with", waiting.run)
        } else {
            format!("{} waits for a person", waiting.run)
        })
    }

    /// The newest runs that the lines of a service fired.
    fn own_runs(&self, service: &str) -> impl Iterator<Item = &report::Summary> {
        let lines = self.book.ledger.lines.iter();
        let of = lines.filter(move |(name, _)| name.split_once('/').is_some_and(|(of, _)| of == service));
        of.filter_map(|(_, line)| self.known.run(&line.run.as_ref()?.1))
    }

    /// Goes on with what this server began and did not end.
    fn take_up_again(&mut self, now: Timestamp) {
        let folder = runs::folder(&self.settings);
        let names: Vec<String> = self.book.ledger.lines.keys().cloned().collect();
        for name in names {
            let Some((service, _)) = name.split_once('/') else {
                continue;
            };
            let line = self.book.ledger.lines.get(&name);
            let Some(run) = line.and_then(|line| self.known.run(&line.run.as_ref()?.1)) else {
                continue;
            };
            let (run, goes_on) = (run.run.0.clone(), is_interrupted(run));
            if !goes_on {
                self.holds.remove(&run);
                continue;
            }
            let free = !self.working.contains_key(service) && self.working.len() < self.at_once;
            let waits = self.holds.get(&run).is_some_and(|hold| hold.again_at > now);
            if !free || waits || Journal::is_held(&folder.join(&run)) {
                continue;
            }
            if let Some(job) = self.job(service, &run) {
                say(&format!("{run}: interrupted; it goes on"));
                self.work_on(service, None, Some(run.clone()), now);
                self.tasks.spawn(work::again(job, run));
            }
        }
    }

    fn job(&self, service: &str, line: &str) -> Option<Job> {
        Some(Job {
            service: service.to_owned(),
            line: line.to_owned(),
            runbook: self.shelf.served.get(service)?.path.clone(),
            settings: self.settings.clone(),
            news: self.news.0.clone(),
        })
    }

    fn work_on(
        &mut self,
        service: &str,
        on: Option<(String, Timestamp)>,
        run: Option<String>,
        since: Timestamp,
    ) {
        let work = Work {
            on,
            run,
            since,
            orders: None,
            beginning: None,
        };
        self.working.insert(service.to_owned(), work);
    }

    fn hear(&mut self, news: News) -> Result<(), CommandError> {
        let now = crate::cli::now();
        match news {
            News::Begins {
                line,
                ready,
                run,
                answer,
            } => self.allow(&line, &ready, run, answer, now),
            News::Begun { line, due, run } => self.begun(&line, due, run, now),
            News::Skip { line, ready, why } => self.skip(&line, &ready, why, now),
            News::Held { line, why } => {
                if self.holds.get(&line).is_none_or(|hold| hold.why != why) {
                    say(&format!("{line}: cannot go on now: {why}"));
                }
                self.hold(&line, &why, now);
                Ok(())
            }
            News::Carried { service, run, orders } => {
                if let Some(work) = self.working.get_mut(&service) {
                    (work.run, work.orders) = (Some(run), Some(orders));
                }
                Ok(())
            }
            News::Over { service } => {
                self.working.remove(&service);
                // It may have made a backup or pruned one: what stores said before is no longer so.
                self.stocks_at = None;
                Ok(())
            }
        }
    }

    /// Whether a due time is still what is due: planning took a while.
    fn still_due(&mut self, line: &str, ready: &Ready, now: Timestamp) -> Result<bool, CommandError> {
        self.settle(now)?;
        let turn = self.turn(line, now)?;
        Ok(turn.ready.is_some_and(|now| now.due == ready.due))
    }

    /// The word that a run may begin, durable before it is given.
    fn allow(
        &mut self,
        line: &str,
        ready: &Ready,
        run: String,
        answer: oneshot::Sender<bool>,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        let yes = !self.closing && self.still_due(line, ready, now)?;
        if yes {
            let intended = Record::Intended {
                line: line.to_owned(),
                due: ready.due,
                run,
                attempt: ready.attempt,
            };
            self.append(&[intended], now)?;
            if let Some((service, _)) = line.split_once('/')
                && let Some(work) = self.working.get_mut(service)
            {
                work.beginning = Some(line.to_owned());
            }
        }
        // Whoever asked may be gone with the server.
        let _ = answer.send(yes);
        Ok(())
    }

    fn begun(&mut self, line: &str, due: Timestamp, run: String, now: Timestamp) -> Result<(), CommandError> {
        say(&format!("{line}: due {due}, fired as {run}"));
        self.holds.remove(line);
        if let Some((service, _)) = line.split_once('/')
            && let Some(work) = self.working.get_mut(service)
        {
            work.beginning = None;
        }
        let known = self.book.ledger.lines.get(line);
        if known.is_some_and(|known| known.has_fired(due)) {
            return Ok(());
        }
        let line = line.to_owned();
        self.append(&[Record::Fired { line, due, run }], now)
    }

    fn skip(&mut self, line: &str, ready: &Ready, why: String, now: Timestamp) -> Result<(), CommandError> {
        if self.still_due(line, ready, now)? {
            say(&format!("{line}: due {}, skipped: {why}", ready.due));
            self.holds.remove(line);
            let record = Record::Skipped {
                line: line.to_owned(),
                due: ready.due,
                why,
            };
            self.append(&[record], now)?;
        }
        Ok(())
    }

    fn hold(&mut self, line: &str, why: &str, now: Timestamp) {
        let tries = self
            .holds
            .get(line)
            .filter(|hold| hold.why == why)
            .map_or(0, |hold| hold.tries);
        let wait_s = TRY_S
            .saturating_mul(1_i64.checked_shl(tries.min(8)).unwrap_or(1))
            .min(TRY_MAX_S);
        let hold = Hold {
            why: why.to_owned(),
            tries: tries.saturating_add(1),
            again_at: now
                .saturating_add(SignedDuration::from_secs(wait_s))
                .unwrap_or(now),
        };
        self.holds.insert(line.to_owned(), hold);
    }

    fn append(&mut self, records: &[Record], now: Timestamp) -> Result<(), CommandError> {
        self.book.append(records, now).map_err(|error| book_error(&error))
    }

    /// Asks stores what they hold, in a task of its own: one that does not answer keeps nobody waiting.
    fn ask_stores(&mut self, now: Timestamp) {
        let fresh = self
            .stocks_at
            .is_some_and(|at| at <= now && now.duration_since(at) < STOCKS_EVERY);
        if fresh || !self.asked.is_empty() {
            return;
        }
        self.stocks_at = Some(now);
        let paths: Vec<(String, PathBuf)> = self
            .shelf
            .served
            .iter()
            .map(|(name, served)| (name.clone(), served.path.clone()))
            .collect();
        let settings = self.settings.clone();
        self.asked.spawn(async move {
            let mut all = Vec::new();
            for (name, path) in paths {
                if let Ok(documents) = crate::cli::context::load(&path, &settings)
                    && let Ok(stocks) = readiness::stocks(&documents).await
                {
                    all.push((name, stocks));
                }
            }
            all
        });
    }

    /// Lets runs pause, and begins nothing more. A second signal, or the time, leaves them where they are: their
    /// journals are as after a kill, and go on the same way.
    async fn leave(mut self, mut signals: mpsc::UnboundedReceiver<()>) -> Result<Exit, CommandError> {
        self.closing = true;
        say("stopping: what is under way is paused, and goes on at the next start; once more leaves at once");
        let mut told: Vec<String> = Vec::new();
        let late = tokio::time::Instant::now() + LEAVE_LIMIT;
        loop {
            for (service, work) in &self.working {
                if let Some(orders) = work.orders.as_ref().filter(|_| !told.contains(service)) {
                    let order = Order {
                        by: SERVER.to_owned(),
                        reason: "the server was stopped".to_owned(),
                        what: What::Pause,
                        seen: None,
                        from: None,
                    };
                    let _ = orders.send(Placed { order, reply: None });
                    told.push(service.clone());
                }
            }
            if self.working.is_empty() {
                break;
            }
            tokio::select! {
                Some(news) = self.news.1.recv() => self.hear(news)?,
                Some(()) = signals.recv() => break,
                () = tokio::time::sleep_until(late) => break,
            }
        }
        for work in self.working.values() {
            let run = work.run.as_deref().unwrap_or("a run that was being planned");
            say(&format!("{run}: left where it was"));
        }
        self.tasks.shutdown().await;
        say("stopped");
        Ok(Exit::Done)
    }
}

/// Ctrl-C and SIGTERM, from now on: none is lost while something else is done.
fn signals() -> mpsc::UnboundedReceiver<()> {
    let (heard, signals) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while crate::cli::interrupted().await {
            if heard.send(()).is_err() {
                return;
            }
        }
    });
    signals
}

/// Whether a run of ours stopped for no reason of its own.
fn is_interrupted(run: &report::Summary) -> bool {
    match &run.state {
        State::Open | State::Stopping { .. } | State::Unwinding { .. } => true,
        // A login comes back without anybody's doing, or is renewed where runs are not looked at.
        State::Paused { by, reason } => by == SERVER || waits_for_login(by, reason),
        State::Ended { .. } => false,
    }
}

/// What is on the disk of a run that was intended.
fn trace(folder: &std::path::Path) -> Trace {
    if !folder.exists() {
        return Trace::Absent;
    }
    match Journal::read(folder) {
        Err(JournalError::Missing { .. } | JournalError::Empty { .. }) => Trace::Wordless,
        // Damaged or not: its first record was written, and something may have been done.
        _ => Trace::Begun,
    }
}

fn wait(now: Timestamp, wake: Option<Timestamp>) -> Duration {
    let until = wake.map(|wake| wake.duration_since(now));
    let until = until.and_then(|until| Duration::try_from(until).ok());
    // A moment that has passed is looked at again at once, but not in a circle.
    until
        .unwrap_or(LOOK_EVERY)
        .clamp(Duration::from_millis(20), LOOK_EVERY)
}

fn book_error(error: &BookError) -> CommandError {
    let message = error.to_string();
    match error {
        BookError::Journal(JournalError::Held { .. }) => CommandError::refused(message)
            .detail("Nothing was begun.")
            .hint("one server serves a state folder; see what the other one says, or give another --state"),
        BookError::Journal(JournalError::Io { .. } | JournalError::Poisoned { .. }) => {
            CommandError::new(Exit::Unwritten, message).detail("Nothing more was begun.")
        }
        BookError::Journal(JournalError::Damaged { .. }) => CommandError::new(Exit::Broken, message)
            .detail("Nothing was begun: a due time might fire twice.")
            .hint("keep the file for an inquiry and move it away; due times then count from the next start"),
        _ => CommandError::new(Exit::Broken, message).detail("Nothing more was begun."),
    }
}
