//! What the suite is about: every shipped runbook in every mode that it has, planned in a world in memory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::stage::Stage;
use super::trap::Snare;
use crate::cli::context::Documents;
use crate::cli::{Colour, Settings, context, planning, world};
use crate::plan::{Look, Plan};
use crate::run::Verdict;
use crate::runbook::Mode;
use crate::world::sim::Embedded;

/// Where runbooks are that anybody may begin with, and those that only tests need.
const FOLDERS: [&str; 3] = ["playbooks", "examples", "tests/it/cases"];

/// A world and a plan of what is to be done in it. Nothing of the plan was begun.
pub(super) struct Base {
    pub(super) name: String,
    pub(super) world: Embedded,
    pub(super) plan: Plan,
}

/// Every runbook that there is: new ones are found, not listed.
pub(super) fn runbooks() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in FOLDERS {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if is_whole_runbook(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A folder with a runbook and its inventory, or one file with both. One with mistakes is for other tests.
fn is_whole_runbook(path: &Path) -> bool {
    let file = if path.is_dir() {
        path.join("runbook.yaml")
    } else {
        path.to_owned()
    };
    if file.extension().is_none_or(|extension| extension != "yaml") || !file.is_file() {
        return false;
    }
    let text = context::read(&file).unwrap();
    let both = text.contains("kind: Runbook") && (path.is_dir() || text.contains("kind: Sites"));
    both && !context::check(path, &settings()).is_ok_and(|checked| checked.found.has_errors())
}

/// The modes in which a runbook does anything. An example is there for one kind of step, whose effects are
/// the same in every recovery: one recovery is enough of it. And a failback that has the steps of a switchover is
/// one, the other way round.
pub(super) fn modes(path: &Path) -> Vec<Mode> {
    let documents = context::load(path, &settings()).unwrap();
    let steps = &documents.runbook.steps;
    let has = |mode: &Mode| steps.iter().any(|step| step.modes.contains(mode));
    let example = path.parent().is_some_and(|folder| folder.ends_with("examples"));
    let takes_part = |mode: Mode| steps.iter().map(move |step| step.modes.contains(&mode));
    let twice = takes_part(Mode::Switchover).eq(takes_part(Mode::Failback));
    let wanted = |mode: &Mode| match mode {
        Mode::Switchover => !example && !twice,
        Mode::Failback => !example,
        Mode::Drill | Mode::Failover | Mode::Protect => true,
    };
    Mode::ALL
        .into_iter()
        .filter(|mode| has(mode) && wanted(mode))
        .collect()
}

/// The world of a runbook, with the backup that a recovery needs, and the plan.
pub(super) async fn base(path: &Path, mode: Mode) -> Base {
    let documents = context::load(path, &settings()).unwrap();
    let world = world::simulated(&documents.sites).unwrap();
    let name = format!("{} {mode}", path.file_stem().unwrap().display());
    calm_down().await;
    for before in before(mode, &modes(path)) {
        let plan = plan(&documents, before, &world).await;
        let mut stage = Stage::new(&world, &plan, Snare::None);
        assert_eq!(stage.play().await, Verdict::Recovered, "{name}: its {before}");
        calm_down().await;
    }
    let plan = plan(&documents, mode, &world).await;
    Base { name, world, plan }
}

/// What has to come first: a backup before a recovery, and a failover before the way back.
fn before(mode: Mode, has: &[Mode]) -> Vec<Mode> {
    let needed: &[Mode] = match mode {
        Mode::Protect => &[],
        Mode::Drill | Mode::Switchover | Mode::Failover => &[Mode::Protect],
        Mode::Failback => &[Mode::Protect, Mode::Failover],
    };
    needed.iter().filter(|mode| has.contains(mode)).copied().collect()
}

/// Lets controllers end what they began.
pub(super) async fn calm_down() {
    tokio::time::sleep_until(Instant::now() + Duration::from_mins(1)).await;
}

async fn plan(documents: &Documents, mode: Mode, inside: &Embedded) -> Plan {
    let observer = inside.world();
    let given = given(documents, mode);
    planning::of(documents, &given, (mode, Look::Closely), &observer, &settings())
        .await
        .unwrap_or_else(|refused| panic!("{}", refused.to_string()))
}

/// What a person has to give in such a run: what the runbook takes where nobody is there.
fn given(documents: &Documents, mode: Mode) -> Vec<String> {
    let inputs = documents.runbook.inputs.iter();
    let missing = inputs.filter(|(_, input)| input.fallback(mode).is_none());
    missing
        .map(|(name, input)| format!("{name}={}", input.unattended.as_ref().unwrap().as_str().unwrap()))
        .collect()
}

fn settings() -> Settings {
    Settings {
        sites: None,
        state: PathBuf::new(),
        plain: true,
        color: Colour::Never,
    }
}
