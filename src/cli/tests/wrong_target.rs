//! Situations in which a recovery is meant for something else than what it would change. Each has to end before
//! anything is written, as the sites and stores themselves wrote down: their audit lists and their keys know nothing
//! of the engine.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use futures::future::BoxFuture;
use tempfile::TempDir;

use crate::cli::context;
use crate::cli::world::{self, Connected};
use crate::cli::{Colour, CommandError, Exit, Settings, start};
use crate::effect::{Effect, Permission, Rehearsal, Rehearser, WorldError};
use crate::run::{Fleet, Shelf};
use crate::runbook::{Mode, Pins, Release, Said, SitePin, StorePin};
use crate::world::fence::{FencedWorld, Fences};
use crate::world::port::Cluster;
use crate::world::sim::Embedded;
use crate::world::{StoreShelf, Understudy, World, pinned};

/// A command line as it is typed.
#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    arguments: start::Arguments,
}

/// The shop at two embedded sites, with a backup and everything pinned.
struct Scene {
    folder: TempDir,
    embedded: Embedded,
    pins: Pins,
    /// Who may do what; `None`: everything.
    denied: Option<&'static str>,
    /// Site → the one that its way in the inventory leads to.
    leads_to: BTreeMap<&'static str, &'static str>,
    /// Journals are mirrored in the vault.
    mirrored: bool,
}

fn settings(state: &Path) -> Settings {
    Settings {
        sites: None,
        state: state.to_owned(),
        plain: true,
        color: Colour::Never,
    }
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shop = folder.path().join("shop");
        std::fs::create_dir_all(&shop).unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("playbooks/shop");
        for file in ["runbook.yaml", "sites.yaml", "platform.yaml", "app.yaml"] {
            std::fs::copy(from.join(file), shop.join(file)).unwrap();
        }
        let documents = context::load(&shop, &settings(folder.path())).unwrap();
        let scene = Self {
            embedded: world::simulated(&documents.sites).unwrap(),
            folder,
            pins: Pins::default(),
            denied: None,
            leads_to: BTreeMap::new(),
            mirrored: false,
        };
        assert_eq!(scene.begin(Mode::Protect, &[]).await.unwrap(), Exit::Done);
        scene.pinned().await
    }

    async fn pinned(mut self) -> Self {
        for site in ["east", "west"] {
            let uid = self.embedded.cluster(site).unwrap().identity().await.unwrap().uid;
            assert!(!uid.is_empty());
            let pin = SitePin {
                uid,
                authorities: Vec::new(),
                said: Said::default(),
            };
            self.pins.sites.insert(site.to_owned(), pin);
        }
        assert_ne!(self.pins.sites["east"].uid, self.pins.sites["west"].uid);
        self
    }

    /// The world as the command line connects to it, by the inventory and its pins.
    fn connected(&self) -> Connected {
        let plain = self.embedded.world();
        let mut world = plain.clone();
        for (name, cluster) in &mut world.clusters {
            let leads_to = self.leads_to.get(name.as_str()).copied().unwrap_or(name);
            *cluster = pinned::site(name, plain.clusters[leads_to].clone(), &self.pins);
        }
        for (name, store) in &mut world.stores {
            *store = pinned::store(name, store.clone(), &self.pins);
        }
        let rehearser: Arc<dyn Rehearser> = match self.denied {
            Some(resource) => Arc::new(Denies(resource)),
            None => Arc::new(Understudy::of(world.clone())),
        };
        Connected {
            rehearser,
            fences: Fences::default(),
            embedded: vec!["east".to_owned(), "west".to_owned()],
            fleet: self.mirrored.then(|| fleet(&world)),
            mirrors: Vec::new(),
            actor: Arc::new(FencedWorld {
                world,
                fences: Fences::default(),
            }),
        }
    }

    async fn begin(&self, mode: Mode, extra: &[&str]) -> Result<Exit, CommandError> {
        self.begin_on("here", mode, extra).await
    }

    /// The same from a machine with a state of its own.
    async fn begin_on(&self, machine: &str, mode: Mode, extra: &[&str]) -> Result<Exit, CommandError> {
        let shop = self.folder.path().join("shop");
        let words = ["begin", shop.to_str().unwrap(), "--questions", "pause"];
        let line = Line::parse_from(words.iter().chain(extra));
        let documents = context::load(&shop, &settings(self.folder.path())).unwrap();
        let state = self.folder.path().join(machine);
        let world = self.connected();
        Box::pin(start::go(
            &line.arguments,
            mode,
            (documents, world),
            &settings(&state),
        ))
        .await
    }

    /// The digest that `plan` would show.
    async fn digest(&self, mode: Mode) -> String {
        let wrong = self.begin(mode, &["--plan", "00000000"]).await.unwrap_err();
        let words: Vec<&str> = wrong.message.split(&[' ', ','][..]).collect();
        let at = words.iter().position(|word| *word == "digest").unwrap();
        words[at + 1].to_owned()
    }

    #[expect(clippy::disallowed_methods, reason = "a person edits a file")]
    fn rewrite(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.path().join("shop").join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// What sites and stores wrote down of changes that they were asked for.
    fn written(&self) -> Vec<String> {
        let mut all = Vec::new();
        for site in ["east", "west"] {
            let audit = self.embedded.cluster(site).unwrap().audit();
            all.extend(audit.iter().map(|entry| format!("{site}: {entry:?}")));
        }
        let vault = self.embedded.store("vault").unwrap();
        all.extend(vault.keys().into_iter().map(|key| format!("vault: {key}")));
        all
    }

    fn journals(&self) -> usize {
        let runs = std::fs::read_dir(self.folder.path().join("here/runs"));
        runs.map_or(0, Iterator::count)
    }
}

fn fleet(world: &World) -> Fleet {
    let shelf: Arc<dyn Shelf> = Arc::new(StoreShelf::new("vault", world.stores["vault"].clone()));
    Fleet {
        shelves: vec![shelf],
        release: Release::LocalAndOne,
    }
}

/// An identity that may do everything but one thing.
struct Denies(&'static str);

impl Rehearser for Denies {
    fn rehearse<'a>(&'a self, _: &'a Effect) -> BoxFuture<'a, Result<Rehearsal, WorldError>> {
        Box::pin(async { Ok(Rehearsal::Not("nobody asks".into())) })
    }

    fn may<'a>(&'a self, right: &'a Permission) -> BoxFuture<'a, Result<bool, WorldError>> {
        Box::pin(async { Ok(right.resource != self.0) })
    }
}

/// One situation: what is wrong, the command, and the words that a person must see.
struct Situation {
    name: &'static str,
    mode: Mode,
    arguments: &'static [&'static str],
    wrong: fn(&mut Scene),
    says: &'static str,
}

const RIGHT: &[&str] = &["--confirm", "west standby"];

fn nothing(_: &mut Scene) {}

fn situation(
    name: &'static str,
    mode: Mode,
    arguments: &'static [&'static str],
    wrong: fn(&mut Scene),
    says: &'static str,
) -> Situation {
    Situation {
        name,
        mode,
        arguments,
        wrong,
        says,
    }
}

/// Somebody else answers than is meant.
fn somebody_else() -> Vec<Situation> {
    vec![
        situation(
            "a stale kubeconfig: the cluster was made anew",
            Mode::Failover,
            RIGHT,
            |scene| "of-before".clone_into(&mut scene.pins.sites.get_mut("west").unwrap().uid),
            "it is not the cluster that is pinned",
        ),
        situation(
            "the ways to both sites are swapped",
            Mode::Failover,
            RIGHT,
            |scene| scene.leads_to = [("east", "west"), ("west", "east")].into(),
            "are mixed up",
        ),
        situation(
            "both names lead to one cluster",
            Mode::Switchover,
            RIGHT,
            |scene| scene.leads_to = [("west", "east")].into(),
            "that is east by its pin",
        ),
        situation(
            "another store in the place of the vault",
            Mode::Failover,
            RIGHT,
            |scene| {
                let pin = StorePin {
                    id: "of-before".into(),
                    said: Said::default(),
                };
                scene.pins.stores.insert("vault".into(), pin);
            },
            "it is not the store that is pinned",
        ),
    ]
}

/// A person says another thing than is meant, or may not do it.
fn another_word() -> Vec<Situation> {
    vec![
        situation(
            "the other site is typed",
            Mode::Failover,
            &["--confirm", "east standby"],
            nothing,
            "the target is \"west standby\", and \"east standby\" was given",
        ),
        situation(
            "the role that the site does not have is typed",
            Mode::Switchover,
            &["--confirm", "west active"],
            nothing,
            "the target is \"west standby\", and \"west active\" was given",
        ),
        situation(
            "a failback where no failover was: the shop is not where it should be stopped",
            Mode::Failback,
            &["--confirm", "east standby"],
            nothing,
            "there is no namespace shop on west",
        ),
        situation(
            "nothing is typed",
            Mode::Failover,
            &["--confirm", ""],
            nothing,
            "the target is \"west standby\", and \"\" was given",
        ),
        situation(
            "the plan of another runbook was approved",
            Mode::Failover,
            &["--plan", "7f3a91c2", "--confirm", "west standby"],
            nothing,
            "and 7f3a91c2 was asked for",
        ),
        situation(
            "an identity that may not write at the target",
            Mode::Failover,
            RIGHT,
            |scene| scene.denied = Some("deployments"),
            "the preflight found what would surely fail",
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_wrong_target_is_refused_before_anything_is_written() {
    for situation in somebody_else().into_iter().chain(another_word()) {
        let mut scene = Scene::new().await;
        (situation.wrong)(&mut scene);
        let (before, journals) = (scene.written(), scene.journals());
        let refused = scene.begin(situation.mode, situation.arguments).await;
        let refused = refused.expect_err(situation.name);
        let said = refused.to_string();
        assert_eq!(refused.exit, Exit::Refused, "{}: {said}", situation.name);
        assert!(said.contains(situation.says), "{}: {said}", situation.name);
        assert_eq!(scene.written(), before, "{}", situation.name);
        assert_eq!(scene.journals(), journals, "{}: a run was begun", situation.name);
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_command_without_a_mistake_does_write() {
    let scene = Scene::new().await;
    let before = scene.written();
    let digest = scene.digest(Mode::Failover).await;
    assert_eq!(scene.written(), before, "asking for the digest changes nothing");
    let right = ["--plan", &digest, "--confirm", "west  standby"];
    assert_eq!(scene.begin(Mode::Failover, &right).await.unwrap(), Exit::Paused);
    let written = scene.written().len() - before.len();
    assert!(written > 10, "the audit lists see what is written: {written}");
}

#[tokio::test(start_paused = true)]
async fn a_runbook_that_was_changed_after_its_plan_was_shown_is_refused() {
    let scene = Scene::new().await;
    let digest = scene.digest(Mode::Failover).await;
    scene.rewrite("runbook.yaml", "default: 3", "default: 2");
    let before = scene.written();
    let refused = scene
        .begin(Mode::Failover, &["--plan", &digest, "--confirm", "west standby"])
        .await
        .unwrap_err();
    assert_eq!(refused.exit, Exit::Refused);
    assert!(
        refused.to_string().contains("look again: lifeboat plan"),
        "{}",
        refused
    );
    assert_eq!(scene.written(), before);
}

#[tokio::test(start_paused = true)]
async fn a_failover_of_a_group_that_another_machine_carries_is_refused() {
    let mut scene = Scene::new().await;
    scene.mirrored = true;
    assert_eq!(
        scene.begin_on("there", Mode::Failover, RIGHT).await.unwrap(),
        Exit::Paused
    );
    let before = scene.written();
    let refused = scene.begin(Mode::Failover, RIGHT).await.unwrap_err();
    assert_eq!(refused.exit, Exit::Refused, "{refused}");
    assert!(
        refused.to_string().contains("shop is held by another process"),
        "{refused}"
    );
    assert_eq!(scene.written(), before);
}
