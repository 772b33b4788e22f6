//! `lifeboat declare`: the clock of an incident starts before anybody has decided what to do.

use std::path::PathBuf;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;

use super::{CommandError, Exit, Settings, context, output, world};
use crate::effect::WorldError;
use crate::plan::Plan;
use crate::report;
use crate::run::{self, Declaration, Fleet, Happened, Incident, Incidents, Notice, RunId, short_id};
use crate::runbook::{Mode, Runbook};

/// Say that a service is down and has to be recovered: the clock of its recovery time starts
///
/// The time to decide is a part of what customers wait. It is written down here and in the mirrors of journals; the
/// next failover or switchover of this runbook takes it up, shows how long ago it was, and is measured from there.
/// A drill does not. It stands until such a run has recovered the service, or until it is withdrawn.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A runbook file, or a folder that holds runbook.yaml
    #[arg(value_name = "RUNBOOK")]
    runbook: PathBuf,
    /// Why; it stands in the report
    #[arg(long, value_name = "WHY")]
    reason: String,
    /// Your name [default: your account on this machine]
    #[arg(long = "as", value_name = "NAME")]
    by: Option<String>,
    /// When it was declared, if not now: 03:02, 2026-11-22T03:02, or with a zone
    #[arg(long, value_name = "TIME", conflicts_with = "withdraw")]
    at: Option<String>,
    /// Take the standing declaration back: it was no incident, or it is over without a run
    #[arg(long)]
    withdraw: bool,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    super::block_on(say(arguments, settings))
}

async fn say(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    if arguments.reason.trim().is_empty() {
        return Err(CommandError::input("a declaration needs a reason").hint("give it with --reason \"…\""));
    }
    let documents = context::load(&arguments.runbook, settings)?;
    let fleet = world::fleet(&documents.sites).await;
    let runbook = &documents.runbook;
    let standing = look(&runbook.name.value, fleet.as_ref(), settings).await?;
    match (arguments.withdraw, standing) {
        (false, None) => declare(arguments, runbook, fleet.as_ref(), settings).await,
        (false, Some(incident)) => Err(already(&runbook.name.value, &incident, settings)),
        (true, Some(incident)) => withdraw(arguments, runbook, &incident, fleet.as_ref(), settings).await,
        (true, None) => Err(CommandError::refused(format!(
            "no incident of {} is declared",
            runbook.name.value
        ))
        .detail("Nothing was changed.")),
    }
}

async fn declare(
    arguments: &Arguments,
    runbook: &Runbook,
    fleet: Option<&Fleet>,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let (now, zone) = (super::now(), settings.zone());
    let at = match &arguments.at {
        Some(text) => moment(text, now, &zone)?,
        None => now,
    };
    let operator = super::operator();
    let declared = Declaration {
        id: short_id(),
        at,
        recorded_at: now,
        by: arguments.by.clone().unwrap_or(operator.name),
        host: operator.host,
        reason: arguments.reason.clone(),
        decide_within_ms: runbook.continuity.activation.decide_within_ms,
    };
    let notice = notice(&runbook.name.value, now, Happened::Declared(declared.clone()));
    let held = keep(&notice, fleet, settings).await?;
    output::text(&report::declared(&declared, runbook, now, &zone));
    output::line(&places(&held));
    if let Some(line) = stranger(runbook, &declared.by) {
        output::note(&line);
    }
    output::note(&format!(
        "hint: what it would do: lifeboat plan {0} --mode failover; do it: lifeboat failover {0}",
        arguments.runbook.display()
    ));
    Ok(Exit::Done)
}

async fn withdraw(
    arguments: &Arguments,
    runbook: &Runbook,
    incident: &Incident,
    fleet: Option<&Fleet>,
    settings: &Settings,
) -> Result<Exit, CommandError> {
    let by = arguments.by.clone().unwrap_or_else(|| super::operator().name);
    let what = Happened::Withdrawn {
        id: incident.declared.id.clone(),
        by: by.clone(),
        reason: arguments.reason.clone(),
    };
    let held = keep(&notice(&runbook.name.value, super::now(), what), fleet, settings).await?;
    output::line(&format!(
        "Withdrawn by {by}: the incident of {}, {}.",
        runbook.name.value,
        report::declared_when(&incident.declared, super::now())
    ));
    output::line(&places(&held));
    for run in &incident.runs {
        output::note(&format!(
            "{run} took it up; its report is measured from the declaration all the same."
        ));
    }
    Ok(Exit::Done)
}

fn already(group: &str, incident: &Incident, settings: &Settings) -> CommandError {
    let declared = &incident.declared;
    let message = format!(
        "an incident of {group} was {} already",
        report::declared_when(declared, super::now())
    );
    let mut error = CommandError::refused(message).detail(format!(
        "  {}, by {}: {}",
        report::instant(declared.at, &settings.zone()),
        declared.by,
        declared.reason
    ));
    if !incident.runs.is_empty() {
        let runs: Vec<&str> = incident.runs.iter().map(|run| run.0.as_str()).collect();
        error = error.detail(format!("  taken up by {}", runs.join(", ")));
    }
    error
        .detail("Nothing was changed: its clock runs on.")
        .hint("if that one is over or was none: lifeboat declare <runbook> --withdraw --reason \"…\"")
}

/// Whoever declares may do so by the runbook. Starting a clock harms nobody, so it is said and not refused.
fn stranger(runbook: &Runbook, by: &str) -> Option<String> {
    let roles = &runbook.continuity.activation.by;
    let lists = roles.iter().filter_map(|role| runbook.people.get(role));
    let names: Vec<&str> = lists.flatten().map(String::as_str).collect();
    if names.is_empty() || names.contains(&by) {
        return None;
    }
    Some(format!(
        "note: by the runbook {} may declare ({}), and {by} is not among them; it is recorded all the same",
        roles.join(" or "),
        names.join(", ")
    ))
}

/// `03:02` is today's, if that is past: a time of day that is still to come may mean yesterday or a mistake,
/// and nobody guesses which.
fn moment(text: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, CommandError> {
    let local = now.to_zoned(zone.clone());
    let of_day = |time: civil::Time| local.date().to_datetime(time);
    let found = text.parse::<Timestamp>().ok().or_else(|| {
        let civil = text.parse::<civil::DateTime>().ok();
        let civil = civil.or_else(|| text.parse::<civil::Time>().ok().map(of_day))?;
        civil.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
    });
    match found {
        None => Err(CommandError::input(format!("`{text}` is not a time"))
            .hint("write it like 03:02, 2026-11-22T03:02 or 2026-11-22T03:02:10+01:00")),
        Some(at) if at > now => Err(CommandError::input(format!(
            "{} is still to come",
            report::instant(at, zone)
        ))
        .hint("write the day too: 2026-11-22T23:58")),
        Some(at) => Ok(at),
    }
}

fn notice(group: &str, now: Timestamp, what: Happened) -> Notice {
    Notice {
        format: Notice::FORMAT,
        group: group.to_owned(),
        recorded_at: now,
        what,
    }
}

/// Makes it durable here, then in as many mirrors as answer. Names the mirrors that have it.
async fn keep(
    notice: &Notice,
    fleet: Option<&Fleet>,
    settings: &Settings,
) -> Result<Vec<String>, CommandError> {
    let name = Incidents::of(&settings.state).keep(notice).map_err(|error| {
        let folder = settings.state.join("incidents");
        CommandError::new(
            Exit::Unwritten,
            format!("cannot write into {}: {error}", folder.display()),
        )
    })?;
    let Some(fleet) = fleet else { return Ok(Vec::new()) };
    let refused = run::spread(fleet, &name, notice).await;
    for (mirror, error) in &refused {
        output::note(&format!(
            "warning: mirror {mirror} does not have it: {}; another machine may not see it",
            error.message
        ));
    }
    let names = fleet.shelves.iter().map(|shelf| shelf.name().to_owned());
    Ok(names
        .filter(|name| refused.iter().all(|(mirror, _)| mirror != name))
        .collect())
}

fn places(mirrors: &[String]) -> String {
    match mirrors {
        [] => "Recorded on this machine.".to_owned(),
        some => format!("Recorded on this machine and in {}.", some.join(", ")),
    }
}

/// The incident of a group that stands, by this machine and by mirrors. One that does not answer is said.
pub(super) async fn look(
    group: &str,
    fleet: Option<&Fleet>,
    settings: &Settings,
) -> Result<Option<Incident>, CommandError> {
    let (incident, silent) = gathered(group, fleet, settings).await.map_err(|error| {
        CommandError::new(Exit::Broken, format!("what was declared cannot be read: {error}"))
            .hint("take the damaged file away, then declare again with --at")
    })?;
    for (mirror, error) in silent {
        output::note(&format!(
            "warning: whether an incident is declared in mirror {mirror} is not known: {}",
            error.message
        ));
    }
    Ok(incident)
}

/// The same, with the mirrors that did not answer.
///
/// # Errors
///
/// What this machine has cannot be read.
pub(super) async fn gathered(
    group: &str,
    fleet: Option<&Fleet>,
    settings: &Settings,
) -> std::io::Result<(Option<Incident>, Vec<(String, WorldError)>)> {
    let mut all = Incidents::of(&settings.state).read(group)?;
    let mut silent = Vec::new();
    if let Some(fleet) = fleet {
        let (found, unheard) = run::gathered(fleet, group).await;
        all.extend(found);
        silent = unheard;
    }
    Ok((run::standing(&all), silent))
}

/// Whether a run in this mode is what an incident is declared for.
const fn answers(mode: Mode) -> bool {
    match mode {
        Mode::Failover | Mode::Switchover => true,
        Mode::Drill | Mode::Failback | Mode::Protect => false,
    }
}

/// The incident that a run of this plan would take up. A record that cannot be read must not keep anybody from
/// recovering: it is said, and the run is measured from its own start.
pub(super) async fn for_plan(plan: &Plan, fleet: Option<&Fleet>, settings: &Settings) -> Option<Incident> {
    if !answers(plan.mode) {
        return None;
    }
    let found = look(&plan.runbook.name, fleet, settings).await;
    found.unwrap_or_else(|error| {
        output::note(&format!(
            "warning: {}; recovery time counts from the start of the run",
            error.message
        ));
        None
    })
}

/// Writes down that a run is measured from it. The run's own first record says so already, so that a full disk
/// does not keep a failover from beginning.
pub(super) async fn take_up(
    incident: &Declaration,
    (group, run): (&str, &RunId),
    fleet: Option<&Fleet>,
    settings: &Settings,
) {
    let what = Happened::TakenUp {
        id: incident.id.clone(),
        run: run.clone(),
    };
    tell(notice(group, super::now(), what), fleet, settings).await;
}

/// Writes down that the incident is over, if the run that took it up has recovered the service.
pub(super) async fn end(summary: &report::Summary, fleet: Option<&Fleet>, settings: &Settings) {
    let recovered = matches!(
        summary.ending(),
        report::Ending::Recovered | report::Ending::RecoveredWithFailures
    );
    let Some(declared) = summary.declared.as_ref().filter(|_| recovered) else {
        return;
    };
    // An ended run may be looked at often; it ends its incident once. Another machine may have declared it.
    let standing = look(&summary.subject.name, fleet, settings).await;
    let stands = |incident: Incident| incident.declared.id == declared.id;
    if !standing.is_ok_and(|incident| incident.is_some_and(stands)) {
        return;
    }
    let what = Happened::Recovered {
        id: declared.id.clone(),
        run: summary.run.clone(),
    };
    tell(notice(&summary.subject.name, super::now(), what), fleet, settings).await;
}

async fn tell(notice: Notice, fleet: Option<&Fleet>, settings: &Settings) {
    if let Err(error) = keep(&notice, fleet, settings).await {
        output::note(&format!("warning: {}", error.message));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_todays_and_never_one_that_is_still_to_come() {
        let now = "2026-11-22T03:05:00+01:00".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let read = |text: &str| moment(text, now, &zone).map(|at| at.to_string());
        assert_eq!(read("03:02").unwrap(), "2026-11-22T02:02:00Z");
        assert_eq!(read("2026-11-21T23:58").unwrap(), "2026-11-21T22:58:00Z");
        assert_eq!(read("2026-11-22T02:01:30Z").unwrap(), "2026-11-22T02:01:30Z");
        let error = |text: &str| read(text).unwrap_err().to_string();
        insta::assert_snapshot!(error("23:58"), @r"
        error: 2026-11-22 23:58:00 +01:00 is still to come
        hint: write the day too: 2026-11-22T23:58
        ");
        insta::assert_snapshot!(error("soon"), @r"
        error: `soon` is not a time
        hint: write it like 03:02, 2026-11-22T03:02 or 2026-11-22T03:02:10+01:00
        ");
    }
}
