//! How a process of an incident comes to a run: begun, resumed, or adopted, by the functions of the commands.

use std::path::PathBuf;
use std::sync::Arc;

use super::chronicle::Happening;
use super::dice::Dice;
use super::incident::{Incident, NotCarried, Registered};
use super::mutant::Mutant;
use super::script::{self, GROUP};
use super::wire::{Plug, pass};
use crate::cli::{launch, resume};
use crate::plan::Digest;
use crate::run::{
    Beginning, Entry, Event, Fleet, Journal, Kept, Lost, Run, RunError, RunId, Timekeeper, free, gather,
    put_back,
};

/// So long a person may read a plan before saying yes.
const READS_MS: u64 = 4 * 60 * 1000;

impl Incident {
    pub(super) async fn begin(&self, machine: usize, plug: &Plug) -> Result<(String, Run), NotCarried> {
        let name = format!("{GROUP}-f-{}", plug.who.replace('/', ""));
        let mut dice = Dice::stream(self.seed, &name);
        let plan = script::plan(&name, &mut dice, &self.world);
        let registered = Registered {
            plan: Arc::new(plan.clone()),
            home: machine,
            ended: false,
        };
        self.runs.lock().unwrap().insert(name.clone(), registered);
        let planned = Happening::Planned {
            run: name.clone(),
            stands: script::stands(&self.world),
        };
        plug.chronicle.write(&plug.who, planned);
        // Somebody reads it first; and others are at work meanwhile.
        let read_for_ms = if dice.permille(500) { READS_MS } else { 100 };
        pass(dice.below(read_for_ms)).await;
        let beginning = Beginning {
            format: Beginning::FORMAT,
            tool: crate::TOOL.to_owned(),
            run: RunId(name.clone()),
            digest: Digest::of(&plan),
            operator: self.operator(machine),
            concurrency: u32::try_from(dice.between(1, 4)).unwrap(),
            journal: None,
            declared: None,
            plan,
        };
        let runs = &self.machines[machine].runs;
        let clock = Timekeeper::simulated(self.wall_clock(plug));
        let fleet = self.fleet(plug);
        let run = match (self.mutant, fleet) {
            (Some(Mutant::NoEpoch | Mutant::EpochLookedAtOnce), Some(fleet)) => {
                self.begin_without_a_claim(beginning, fleet, (runs, clock))
                    .await?
            }
            (_, fleet) => launch::set_out(beginning, fleet.as_ref(), runs, clock).await?,
        };
        Ok((name, run))
    }

    async fn begin_without_a_claim(
        &self,
        beginning: Beginning,
        fleet: Fleet,
        (runs, clock): (&PathBuf, Timekeeper),
    ) -> Result<Run, NotCarried> {
        if self.mutant == Some(Mutant::EpochLookedAtOnce) {
            let wanted = crate::cli::mirrors::wanted(&beginning, &beginning.operator, false);
            free(&fleet, &wanted)
                .await
                .map_err(|denied| NotCarried::Refused(denied.to_string()))?;
        }
        let nothing = vec![Kept::NOTHING; fleet.shelves.len()];
        let run =
            Run::begin(runs, beginning, clock).map_err(|error| NotCarried::Refused(error.to_string()))?;
        Ok(run.mirrored(fleet, nothing))
    }

    pub(super) async fn take_up(
        &self,
        machine: usize,
        plug: &Plug,
        name: &str,
        adopt: bool,
    ) -> Result<(String, Run), NotCarried> {
        let folder = self.machines[machine].runs.join(name);
        let fleet = self.fleet(plug);
        let refused = |error: &dyn std::fmt::Display| NotCarried::Refused(error.to_string());
        let history = if let Ok(history) = Journal::read(&folder) {
            history
        } else {
            let fleet = fleet.as_ref().ok_or(NotCarried::Nothing)?;
            self.fetch(machine, fleet, (name, &folder), adopt).await?;
            Journal::read(&folder).map_err(|error| refused(&error))?
        };
        let who = self.operator(machine);
        let held = resume::level(&history, &folder, fleet.as_ref(), (&who, adopt)).await?;
        let now = self.wall_clock(plug);
        let clock = |entries: &[Entry]| Timekeeper::simulated_resume(entries, now);
        let run = match Run::resume(&folder, &who, clock) {
            Ok(run) => run,
            Err(RunError::Ended(_)) => {
                let over = Happening::Over { run: name.to_owned() };
                plug.chronicle.write(&plug.who, over);
                if let Some(fleet) = &fleet {
                    let _ = Run::bring_mirrors_up(&folder, &who, fleet, &held).await;
                }
                self.has_ended(name);
                return Err(NotCarried::Over);
            }
            Err(error) => return Err(refused(&error)),
        };
        let unclaimed = matches!(self.mutant, Some(Mutant::NoEpoch | Mutant::EpochLookedAtOnce));
        let run = match fleet {
            Some(fleet) if unclaimed => run.mirrored(fleet, held),
            fleet => resume::bound(run, fleet.as_ref(), held, (&who, adopt)),
        };
        Ok((name.to_owned(), run))
    }

    /// Takes the journal of a run from the mirrors, as `resume` and `adopt` do.
    async fn fetch(
        &self,
        machine: usize,
        fleet: &Fleet,
        (name, folder): (&str, &PathBuf),
        adopt: bool,
    ) -> Result<(), NotCarried> {
        let run = RunId(name.to_owned());
        let found = match gather(fleet, GROUP, &run).await {
            Ok(found) => found,
            Err(Lost::Nowhere(_)) => return Err(NotCarried::Nothing),
            Err(lost) => return Err(crate::cli::mirrors::lost_error(&run, &lost).into()),
        };
        let who = self.operator(machine);
        let Some(Event::Began(begun)) = found.history.entries.first().map(|entry| &entry.event) else {
            return Err(NotCarried::Nothing);
        };
        let wanted = crate::cli::mirrors::wanted(begun, &who, adopt);
        free(fleet, &wanted)
            .await
            .map_err(|denied| NotCarried::Refused(denied.to_string()))?;
        let doubt = found.in_doubt(fleet.release);
        if !doubt.is_empty() {
            return Err(NotCarried::Refused(format!("in doubt: {doubt:?}")));
        }
        put_back(folder, &found.bytes, &who).map_err(|error| NotCarried::Refused(error.to_string()))?;
        Ok(())
    }
}
