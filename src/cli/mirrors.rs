//! Mirrors of journals as the commands use them: which there are, what they hold, and the way back.

use std::path::{Path, PathBuf};

use super::context::{self, Origin};
use super::{CommandError, Exit, Settings, output, runs, world};
use crate::effect::ErrorKind;
use crate::plan::Plan;
use crate::run::{
    self, Beginning, Denied, Event, Fate, Fleet, Found, History, JournalError, Kept, Lost, Operator, RunId,
    Wanted,
};
use crate::runbook::{JournalPlaces, Mode};

/// A run that mirrors know and this machine does not.
pub(super) struct Elsewhere {
    pub(super) run: RunId,
    pub(super) found: Found,
    fleet: Fleet,
    /// The inventory.
    file: PathBuf,
}

/// The inventory's mirrors; `None` where it names none, or there is no inventory.
async fn known(settings: &Settings) -> Result<Option<(Fleet, PathBuf)>, CommandError> {
    let given = settings.sites.is_some() || Path::new(context::SITES_FILE).is_file();
    if !given {
        return Ok(None);
    }
    let (sites, file) = context::inventory(settings)?;
    Ok(world::fleet(&sites).await.map(|fleet| (fleet, file)))
}

/// All runs of which a mirror holds records, with their groups. A mirror that does not answer is said.
pub(super) async fn list(settings: &Settings) -> Result<Option<Vec<(String, RunId)>>, CommandError> {
    let Some((fleet, _)) = known(settings).await? else {
        return Ok(None);
    };
    all(&fleet).await.map(Some)
}

async fn all(fleet: &Fleet) -> Result<Vec<(String, RunId)>, CommandError> {
    let answers = futures::future::join_all(fleet.shelves.iter().map(run::mirrored_runs)).await;
    let (mut found, mut silent) = (Vec::new(), Vec::new());
    for (shelf, answer) in fleet.shelves.iter().zip(answers) {
        match answer {
            Ok(runs) => found.extend(runs),
            // Nothing of a stranger is believed, not even that there are runs.
            Err(error) if error.kind == ErrorKind::WrongIdentity => return Err(error.into()),
            Err(error) => silent.push(format!("mirror {}: {}", shelf.name(), error.message)),
        }
    }
    if silent.len() == fleet.shelves.len() {
        let error = CommandError::new(Exit::Failed, "no mirror of the journal answers");
        return Err(silent
            .into_iter()
            .fold(error, |error, line| error.detail(format!("  {line}"))));
    }
    for line in silent {
        output::note(&line);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// A run by its name, or by an unmistakable beginning or end of it; `None`: no mirror knows it.
pub(super) async fn find(name: &str, settings: &Settings) -> Result<Option<Elsewhere>, CommandError> {
    let Some((fleet, file)) = known(settings).await? else {
        return Ok(None);
    };
    let all = all(&fleet).await?;
    let names: Vec<&str> = all.iter().map(|(_, run)| run.0.as_str()).collect();
    let Some(at) = runs::choose(name, &names)? else {
        return Ok(None);
    };
    let Some((group, run)) = all.get(at).cloned() else {
        return Ok(None);
    };
    let found = run::gather(&fleet, &group, &run)
        .await
        .map_err(|lost| lost_error(&run, &lost))?;
    Ok(Some(Elsewhere {
        run,
        found,
        fleet,
        file,
    }))
}

impl Elsewhere {
    /// Says where it comes from, and which mirrors are not to be trusted.
    pub(super) fn say(&self) {
        self.say_where();
        say_unusable(&self.found.fates);
    }

    fn say_where(&self) {
        output::note(&format!(
            "{}: read from mirror {} ({} records); this machine has no journal of it.",
            self.run,
            self.found.from,
            self.found.history.entries.len()
        ));
    }

    /// Puts the journal where this machine keeps runs, so that the run can be gone on with.
    ///
    /// What only a mirror holds that cannot be read would be missing, and be done again. So a person has to
    /// name each such mirror.
    pub(super) fn take_back(
        &self,
        without: &[String],
        settings: &Settings,
    ) -> Result<(PathBuf, String), CommandError> {
        let doubt = self.found.in_doubt(self.fleet.release);
        let open: Vec<&str> = doubt
            .into_iter()
            .filter(|name| !without.iter().any(|other| other == name))
            .collect();
        if !open.is_empty() {
            return Err(self.doubtful(&open));
        }
        self.say_where();
        let folder = runs::folder(settings).join(&self.run.0);
        let aside = run::put_back(&folder, &self.found.bytes, &super::operator())
            .map_err(|error| journal_error(&error))?;
        if let Some(aside) = aside {
            output::note(&format!(
                "The journal that was here is kept as {}.",
                aside.display()
            ));
        }
        let origin = Origin {
            runbook: self.file.clone(),
            sites: Some(self.file.clone()),
            generated: None,
        };
        runs::remember(&folder, &origin)?;
        Ok((folder, self.run.0.clone()))
    }

    /// Whether this process may carry it.
    pub(super) async fn may_be_carried(&self, adopt: bool) -> Result<(), CommandError> {
        match beginning(&self.found.history) {
            Some(begun) => may_be_carried(&self.fleet, &wanted(begun, &super::operator(), adopt)).await,
            None => Ok(()),
        }
    }

    fn doubtful(&self, open: &[&str]) -> CommandError {
        let message = format!("it is not known whether the journal of {} is complete", self.run);
        let mut error = CommandError::refused(message);
        for (name, fate) in &self.found.fates {
            error = error.detail(format!("  mirror {name} {fate}"));
        }
        if open.contains(&run::MACHINE) {
            error = error.detail("  the machine that carried it (`machine`) is gone with its disk");
        }
        let flags: Vec<String> = open.iter().map(|name| format!("--without {name}")).collect();
        error
            .detail(format!(
                "  By the rule `{}`, what was done last may be recorded only where nobody can look now,",
                self.fleet.release.word()
            ))
            .detail("  and would be done again.")
            .detail("Nothing was changed.")
            .hint(format!(
                "if that will not come back, accept it: {}",
                flags.join(" ")
            ))
    }
}

/// Whether mirrors can take the journal of a run that begins now.
pub(super) async fn ready(fleet: &Fleet, plan: &Plan, run: &RunId) -> Result<(), CommandError> {
    let taken = |what: String| {
        CommandError::refused(what)
            .detail("Nothing was begun.")
            .hint("a drill's plan holds the names of one sandbox; make another plan, or go on with `lifeboat resume`")
    };
    let fates = match run::gather(fleet, &plan.runbook.name, run).await {
        Ok(found) => return Err(taken(format!("mirror {} holds a run {run} already", found.from))),
        Err(Lost::Forked { one, .. }) => {
            return Err(taken(format!("mirror {one} holds a run {run} already")));
        }
        Err(Lost::Nowhere(fates)) => fates,
    };
    enough(fleet, &fates)?;
    say_unusable(&fates);
    Ok(())
}

/// Refuses where fewer mirrors can be used than have to hold a record: the run would stop at its first one.
fn enough(fleet: &Fleet, fates: &[(String, Fate)]) -> Result<(), CommandError> {
    let bad: Vec<&(String, Fate)> = unusable(fates).collect();
    let (good, needed) = (fates.len() - bad.len(), fleet.release.needed(fates.len()));
    if good >= needed {
        return Ok(());
    }
    let error = CommandError::refused(format!(
        "`{}` asks for {needed} of the journal's mirrors, and {good} can be used",
        fleet.release.word()
    ));
    let lines = bad.iter().map(|(name, fate)| format!("  mirror {name} {fate}"));
    let error = lines.fold(error, CommandError::detail);
    Err(error
        .detail("Nothing was begun.")
        .hint("in an emergency take the mirror out of `journal` in the inventory, or write `release: local`"))
}

fn unusable(fates: &[(String, Fate)]) -> impl Iterator<Item = &(String, Fate)> {
    fates.iter().filter(|(_, fate)| !matches!(fate, Fate::Holds(_)))
}

fn say_unusable(fates: &[(String, Fate)]) {
    for (name, fate) in unusable(fates) {
        output::note(&format!("warning: mirror {name} {fate}"));
    }
}

/// Brings this machine's journal and the mirrors to one story, and sees that enough of them can be used, before the run goes on. Gives back what each
/// mirror holds, where that is known.
///
/// Where the two tell different stories, whoever adopts the run takes that of the mirrors: what is only here
/// was never released.
pub(super) async fn level(
    fleet: &Fleet,
    folder: &Path,
    begun: &Beginning,
    adopt: bool,
) -> Result<Vec<Kept>, CommandError> {
    let run = &begun.run;
    let fates = match run::gather(fleet, &begun.plan.runbook.name, run).await {
        Ok(found) => {
            if adopt {
                prefer(&found, folder)?;
            }
            let taken = run::bring_up(folder, &found.bytes, &super::operator())
                .map_err(|error| journal_error(&error))?;
            if taken > 0 {
                output::note(&format!(
                    "{taken} records that this machine lacked were taken from mirror {}.",
                    found.from
                ));
            }
            found.fates
        }
        Err(Lost::Nowhere(fates)) => fates,
        Err(lost) => return Err(lost_error(run, &lost)),
    };
    enough(fleet, &fates)?;
    say_unusable(&fates);
    Ok(fates.iter().map(|(_, fate)| fate.kept()).collect())
}

/// Takes a local journal out of use that is not a beginning of what mirrors hold, nor the other way round.
fn prefer(found: &Found, folder: &Path) -> Result<(), CommandError> {
    let who = super::operator();
    match run::bring_up(folder, &found.bytes, &who) {
        Err(JournalError::Forked { .. }) => {}
        Err(error) => return Err(journal_error(&error)),
        Ok(_) => return Ok(()),
    }
    let aside = run::set_aside(folder, &who).map_err(|error| journal_error(&error))?;
    output::note(&format!(
        "The journal here and mirror {} tell different stories; the mirror's is taken, this one is kept as {}.",
        found.from,
        aside.display()
    ));
    run::put_back(folder, &found.bytes, &who).map_err(|error| journal_error(&error))?;
    Ok(())
}

/// How a run began.
pub(super) fn beginning(history: &History) -> Option<&Beginning> {
    match &history.entries.first()?.event {
        Event::Began(begun) => Some(begun),
        _ => None,
    }
}

/// Whether a run changes what customers use, so that only one of a group may go on at a time.
pub(super) const fn holds_the_group(mode: Mode) -> bool {
    match mode {
        Mode::Drill | Mode::Protect => false,
        Mode::Switchover | Mode::Failover | Mode::Failback => true,
    }
}

/// Whether nothing follows in a run.
pub(super) fn has_ended(history: &History) -> bool {
    let last = history.entries.last();
    last.is_some_and(|entry| matches!(entry.event, Event::Finished { .. }))
}

/// What has to be claimed to carry a run. Runs that change what customers use keep each other out; a drill and
/// a backup must not keep a failover waiting, and are claimed only against a second process of their own.
pub(super) fn wanted(begun: &Beginning, who: &Operator, adopt: bool) -> Wanted {
    let group = begun.plan.runbook.name.clone();
    let scope = if holds_the_group(begun.plan.mode) {
        group.clone()
    } else {
        format!("{group}/{}", begun.run)
    };
    Wanted {
        scope,
        group,
        run: begun.run.clone(),
        plan: begun.digest.clone(),
        operator: who.clone(),
        adopt,
        above: 0,
    }
}

/// Refuses where another run holds the group, or another machine this run.
pub(super) async fn may_be_carried(fleet: &Fleet, wanted: &Wanted) -> Result<(), CommandError> {
    run::free(fleet, wanted)
        .await
        .map_err(|denied| denied_error(&denied))
}

/// Why a run may not be carried here.
pub(super) fn denied_error(denied: &Denied) -> CommandError {
    let error = match denied {
        Denied::Held(claim) => CommandError::refused(format!("{} is held by another process", claim.group))
            .detail(format!("  {denied}"))
            .hint(format!("see how it goes on: lifeboat status {}", claim.run))
            .hint(format!(
                "if that process is gone, take the run over: lifeboat adopt {}",
                claim.run
            )),
        Denied::TooFew { .. } => CommandError::refused(denied.to_string())
            .hint("when the mirrors answer again, `lifeboat resume` goes on"),
    };
    error.detail("Nothing was begun.")
}

/// As a run's first record names them.
pub(super) fn places(fleet: &Fleet) -> JournalPlaces {
    JournalPlaces {
        mirrors: fleet
            .shelves
            .iter()
            .map(|shelf| shelf.name().to_owned())
            .collect(),
        release: fleet.release,
    }
}

pub(super) fn lost_error(run: &RunId, lost: &Lost) -> CommandError {
    match lost {
        Lost::Forked {
            one,
            other,
            record,
            open,
            fates,
        } => forked(run, (one, other, *record), *open, fates),
        Lost::Nowhere(fates) => {
            let error = CommandError::new(Exit::Failed, format!("no mirror holds a good journal of {run}"));
            fates.iter().fold(error, |error, (name, fate)| {
                error.detail(format!("  mirror {name} {fate}"))
            })
        }
    }
}

/// Which mirrors a person has to take out, and what that costs.
fn forked(
    run: &RunId,
    (one, other, record): (&str, &str, u64),
    open: bool,
    fates: &[(String, Fate)],
) -> CommandError {
    let error = CommandError::refused(format!(
        "mirrors {one} and {other} tell different stories of {run} from record {record} on"
    ));
    let lines = unusable(fates).map(|(name, fate)| format!("  mirror {name} {fate}"));
    let error = lines
        .fold(error, CommandError::detail)
        .detail("Nothing was changed.");
    let named = |fits: fn(&Fate) -> bool| -> Vec<&str> {
        let fits = fates.iter().filter(|(_, fate)| fits(fate));
        fits.map(|(name, _)| name.as_str()).collect()
    };
    let silent = named(|fate| matches!(fate, Fate::Unread(_)));
    if open && !silent.is_empty() {
        return error.hint(format!(
            "{} may hold what decides it: try again when that can be read; if it will not come back, take it out of the inventory",
            silent.join(", ")
        ));
    }
    let astray = named(|fate| matches!(fate, Fate::Astray(_)));
    let others = [vec!["the other one"], astray].concat().join(", and ");
    let why = if open {
        "two processes went on with it without seeing each other: look at both sites which of them worked there"
    } else {
        "two processes went on with it without seeing each other, and began nothing because of these records"
    };
    error.hint(why).hint(format!(
        "keep one of {one} and {other}, and take {others} out of the inventory, all at once"
    ))
}

pub(super) fn journal_error(error: &JournalError) -> CommandError {
    match error {
        JournalError::Forked { .. } => CommandError::refused(error.to_string())
            .detail("Nothing was changed.")
            .hint("another process went on with this run; only one of the two may: move this machine's folder of the run away, or take that mirror out of the inventory"),
        _ => CommandError::new(Exit::Broken, error.to_string()),
    }
}
