//! Whether a service is in an incident, or was moved by one: then nothing begins by itself.
//!
//! ## Why the runbook has to agree
//!
//! After a failover the runbook still says where the service was before, until somebody changes it or it is
//! taken back. A backup by that word would be one of the side that nobody uses any more, and the newest one: what
//! the next recovery restores. So what is scheduled waits until run and runbook agree.

use super::known::Known;
use crate::cli::{Settings, declare, launch, mirrors};
use crate::report::{self, Ending, Summary};
use crate::run::{self, Fleet};
use crate::runbook::{ACTIVE, Runbook, STANDBY};

/// How a service stands for what is scheduled.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing speaks against it.
    Calm,
    /// A run is under way, or people are about to begin one, that goes before what is scheduled.
    Incident(String),
    /// The service is not where its runbook says.
    Moved(String),
    /// It cannot be found out now.
    Unknown(String),
}

/// From the runs of this machine and from what the mirrors of journals hold of others.
pub(super) async fn standing(runbook: &Runbook, known: &[Summary], fleet: Option<&Fleet>) -> Standing {
    let mut all: Vec<Summary> = known.to_vec();
    if let Some(fleet) = fleet {
        match elsewhere(&runbook.name.value, fleet).await {
            Ok(Some(run)) => {
                // Another machine may have gone on with a run of this one.
                all.retain(|one| one.run != run.run || one.last_at > run.last_at);
                if all.iter().all(|one| one.run != run.run) {
                    all.push(run);
                }
            }
            Ok(None) => {}
            Err(why) => return Standing::Unknown(why),
        }
    }
    judge(runbook, &all)
}

/// Runs of a service that change what customers use.
pub(super) fn incidents(known: &Known, service: &str) -> Result<Vec<Summary>, String> {
    if let Some((name, why)) = known.unreadable_incident(service) {
        return Err(format!("whether {name} has ended is not known: {why}"));
    }
    let of = known.of(service);
    Ok(of
        .filter(|run| mirrors::holds_the_group(run.mode))
        .cloned()
        .collect())
}

/// Whether an incident is declared, by this machine's records and by those of mirrors.
pub(super) async fn declared(group: &str, fleet: Option<&Fleet>, settings: &Settings) -> Standing {
    let (incident, silent) = match declare::gathered(group, fleet, settings).await {
        Ok(found) => found,
        Err(error) => return Standing::Unknown(format!("what was declared cannot be read: {error}")),
    };
    if fleet.is_some_and(|fleet| too_few_heard(fleet, silent.len())) {
        let said = silent
            .iter()
            .map(|(mirror, error)| format!("{mirror}: {}", error.message));
        let said: Vec<String> = said.collect();
        return Standing::Unknown(format!(
            "whether an incident is declared is not known: {}",
            said.join("; ")
        ));
    }
    match incident {
        Some(incident) => Standing::Incident(format!(
            "an incident is declared since {}, by {}",
            report::instant(incident.declared.at, &settings.zone()),
            incident.declared.by
        )),
        None => Standing::Calm,
    }
}

/// Whether fewer mirrors have answered than the inventory asks for.
fn too_few_heard(fleet: &Fleet, silent: usize) -> bool {
    let all = fleet.shelves.len();
    all.saturating_sub(silent) < fleet.release.needed(all)
}

/// The run that claimed the group last, as mirrors hold it.
async fn elsewhere(group: &str, fleet: &Fleet) -> Result<Option<Summary>, String> {
    let (claim, silent) = run::newest_claim(fleet, group).await;
    if too_few_heard(fleet, silent.len()) {
        return Err(format!(
            "whether an incident is under way is not known: {}",
            silent.join("; ")
        ));
    }
    let Some(claim) = claim else { return Ok(None) };
    let found = run::gather(fleet, &claim.group, &claim.run)
        .await
        .map_err(|_| format!("mirrors do not say how {} stands", claim.run))?;
    launch::summary(&found.history)
        .map(Some)
        .map_err(|error| error.message)
}

fn judge(runbook: &Runbook, incidents: &[Summary]) -> Standing {
    if let Some(open) = incidents.iter().find(|run| !run.is_over()) {
        return Standing::Incident(format!("{} {} has not ended", open.mode, open.run));
    }
    let Some(last) = incidents.iter().max_by_key(|run| run.began_at) else {
        return Standing::Calm;
    };
    let (mode, run) = (last.mode, &last.run);
    match last.ending() {
        Ending::Undone => Standing::Calm,
        Ending::Recovered | Ending::RecoveredWithFailures => {
            match (last.roles.get(STANDBY), runbook.roles.get(ACTIVE)) {
                (Some(is), Some(said)) if *is != said.value => Standing::Moved(format!(
                    "{mode} {run} moved it to {is}, and the runbook says that {} is active",
                    said.value
                )),
                _ => Standing::Calm,
            }
        }
        _ if last.subject.digest == runbook.digest => Standing::Moved(format!(
            "{mode} {run} did not recover it, and nobody has changed the runbook since to say where it is"
        )),
        _ => Standing::Calm,
    }
}
