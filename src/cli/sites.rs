//! `lifeboat sites`: who sites and stores are, pinned and compared.

use std::collections::BTreeMap;
use std::path::Path;

use futures::future::join_all;

use super::world::{self, Reached};
use super::{CommandError, Exit, Settings, block_on, context, output};
use crate::effect::WorldError;
use crate::report;
use crate::runbook::{Pins, Said, SitePin, Sites, StorePin};
use crate::world::pinned::{UNVERIFIED, pin_store, read_identity};
use crate::world::port::{Cluster, Store};

/// Who the inventory's sites and stores are.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Pin(Arguments),
    Show(Show),
}

/// Record who each site and store is, so that whoever else answers in its place is refused
///
/// Written beside the inventory (sites.yaml: sites.pins.yaml), to be looked through and committed. A site is
/// its namespace kube-system's uid and the authorities that its kubeconfig trusts; a store gets one small
/// object with a random id, metadata/lifeboat-identity.json, unless it has one. In the sites nothing is
/// written.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only these sites and stores [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Replace pins that do not fit any more: it was made anew, or moved
    #[arg(long, requires = "reason")]
    repin: bool,
    /// Why; it is kept in the file
    #[arg(long, value_name = "WHY")]
    reason: Option<String>,
}

/// Compare who answers now with who is pinned; writes nothing
#[derive(Debug, clap::Args)]
pub(super) struct Show {}

/// What one site or store came to.
struct Found {
    name: String,
    state: State,
    said: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As it was pinned before.
    Same,
    /// Pinned now, for the first time.
    New,
    /// Pinned now, in place of another pin.
    Repinned,
    /// It answers, and nobody pinned it.
    Unpinned,
    /// Somebody else.
    Stranger,
    /// Nobody can tell.
    Silent,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Same => "as pinned",
            Self::New => "pinned",
            Self::Repinned => "pinned anew",
            Self::Unpinned => "not pinned",
            Self::Stranger => "SOMEBODY ELSE",
            Self::Silent => "not known",
        }
    }
}

impl Command {
    pub(super) fn run(self, settings: &Settings) -> Result<Exit, CommandError> {
        let (sites, file) = context::inventory(settings)?;
        match self {
            Self::Pin(arguments) => pin(&arguments, &sites, &file),
            Self::Show(_) => show(&sites),
        }
    }
}

fn names(given: &[String], sites: &Sites) -> Result<Vec<String>, CommandError> {
    let all = sites.sites.keys().chain(sites.stores.keys());
    let all: Vec<String> = all.cloned().collect();
    match given.iter().find(|name| !all.contains(name)) {
        Some(name) => {
            let error = CommandError::input(format!("the inventory has no site or store `{name}`"));
            Err(error.hint(format!("known here: {}", all.join(", "))))
        }
        None if given.is_empty() => Ok(all),
        None => Ok(given.to_vec()),
    }
}

fn show(sites: &Sites) -> Result<Exit, CommandError> {
    let found = block_on(async {
        let reached = world::whoever(sites, &names(&[], sites)?).await;
        Ok(look(&reached, &sites.pins).await)
    })?;
    table(&found);
    let bad = |one: &Found| matches!(one.state, State::Stranger | State::Silent);
    Ok(if found.iter().any(bad) {
        Exit::Failed
    } else {
        Exit::Done
    })
}

async fn look(reached: &Reached, pins: &Pins) -> Vec<Found> {
    let sites = reached.clusters.iter().map(|(name, cluster)| async move {
        let authorities = cluster.authorities();
        let pinned = |pin: &SitePin| authorities.iter().all(|one| pin.authorities.contains(one));
        if pins.sites.get(name).is_some_and(|pin| !pinned(pin)) {
            // Such a server is not even asked.
            return Found {
                name: name.clone(),
                state: State::Stranger,
                said: format!("its kubeconfig trusts {}", authorities.join(", ")),
            };
        }
        let seen = who(&**cluster, Said::default()).await;
        let fits = |pin: &SitePin| seen.as_ref().map(|seen| fits(pin, seen)).map_err(Clone::clone);
        judged(
            name,
            pins.sites.get(name).map(fits),
            seen.as_ref().map(told).map_err(Clone::clone),
        )
    });
    let stores = reached.stores.iter().map(|(name, store)| async move {
        let seen = read_identity(&**store).await;
        let id = |seen: &Result<Option<_>, WorldError>| -> Result<Option<String>, WorldError> {
            let seen = seen.as_ref().map_err(Clone::clone)?;
            Ok(seen
                .as_ref()
                .map(|one: &crate::world::pinned::StoreIdentity| one.id.clone()))
        };
        let id = id(&seen);
        let fits = |pin: &StorePin| {
            id.as_ref()
                .map(|id| id.as_ref() == Some(&pin.id))
                .map_err(Clone::clone)
        };
        let told = id.as_ref().map(|id| match id {
            Some(id) => format!("identity {id}"),
            None => format!("no identity at {}", store.address()),
        });
        judged(name, pins.stores.get(name).map(fits), told.map_err(Clone::clone))
    });
    let (mut found, stores) = futures::future::join(join_all(sites), join_all(stores)).await;
    found.extend(stores);
    found
}

fn judged(name: &str, fits: Option<Result<bool, WorldError>>, told: Result<String, WorldError>) -> Found {
    let (state, said) = match (fits, told) {
        (_, Err(error)) => (State::Silent, error.message),
        (None, Ok(said)) => (State::Unpinned, said),
        (Some(Ok(true)), Ok(said)) => (State::Same, said),
        (Some(_), Ok(said)) => (State::Stranger, said),
    };
    Found {
        name: name.to_owned(),
        state,
        said,
    }
}

/// Who a cluster is now.
async fn who(cluster: &dyn Cluster, said: Said) -> Result<SitePin, WorldError> {
    let authorities = cluster.authorities();
    let seen = cluster.identity().await?;
    Ok(SitePin {
        uid: seen.uid,
        authorities,
        said,
    })
}

/// Trusting less than what is pinned is no change: a bundle loses its old authority one day.
fn fits(pin: &SitePin, seen: &SitePin) -> bool {
    pin.uid == seen.uid && seen.authorities.iter().all(|one| pin.authorities.contains(one))
}

fn told(seen: &SitePin) -> String {
    format!(
        "kube-system uid {}, vouched for by {}",
        seen.uid,
        seen.authorities.join(", ")
    )
}

fn table(found: &[Found]) {
    let row = |one: &Found| vec![one.name.clone(), one.state.word().to_owned(), one.said.clone()];
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    if !rows.is_empty() {
        output::text(&report::columns(&rows));
    }
}

fn pin(arguments: &Arguments, sites: &Sites, file: &Path) -> Result<Exit, CommandError> {
    let names = names(&arguments.names, sites)?;
    let operator = super::operator();
    let said = Said {
        by: format!("{}@{}", operator.name, operator.host),
        at: super::now().strftime("%FT%TZ").to_string(),
        reason: None,
    };
    let mut pinning = Pinning {
        pins: sites.pins.clone(),
        found: Vec::new(),
        said,
        repin: arguments.reason.clone().filter(|_| arguments.repin),
    };
    block_on(async {
        let reached = world::whoever(sites, &names).await;
        for (name, cluster) in &reached.clusters {
            pinning.site(name, &**cluster).await?;
        }
        for (name, store) in &reached.stores {
            pinning.store(name, &**store).await?;
        }
        Ok(())
    })?;
    let embedded = names.iter().filter(|name| {
        let site = sites.sites.get(*name);
        site.is_some_and(|site| matches!(site.kubernetes, crate::runbook::KubernetesSite::Embedded { .. }))
    });
    for name in embedded {
        output::note(&format!(
            "{name} is in lifeboat's own memory: there is nothing to pin."
        ));
    }
    let Pinning { pins, found, .. } = pinning;
    table(&found);
    if pins != sites.pins {
        let beside = Pins::beside(file);
        write(&beside, &pins.to_yaml(&sites.name, &called(file)))?;
        output::line(&format!(
            "Written: {}. Look it through and commit it.",
            beside.display()
        ));
    }
    let silent = found.iter().any(|one| one.state == State::Silent);
    Ok(if silent { Exit::Failed } else { Exit::Done })
}

fn called(file: &Path) -> String {
    file.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Pins as they become.
struct Pinning {
    pins: Pins,
    found: Vec<Found>,
    said: Said,
    /// The reason for which pins may be replaced.
    repin: Option<String>,
}

impl Pinning {
    async fn site(&mut self, name: &str, cluster: &dyn Cluster) -> Result<(), CommandError> {
        let mut seen = match who(cluster, self.said.clone()).await {
            Ok(seen) => seen,
            Err(error) => {
                self.tell(name, State::Silent, error.message);
                return Ok(());
            }
        };
        if seen.authorities.iter().any(|one| one == UNVERIFIED) {
            return Err(CommandError::refused(format!(
                "{name} cannot be pinned: nothing proves who answers there"
            ))
            .detail("  its kubeconfig says `insecure-skip-tls-verify`")
            .detail("Nothing was written.")
            .hint("give its kubeconfig the cluster's authority: certificate-authority-data"));
        }
        let same = |other: &(&String, &SitePin)| other.0 != name && other.1.uid == seen.uid;
        if let Some((other, _)) = self.pins.sites.iter().find(same) {
            return Err(CommandError::refused(format!("{name} and {other} are the same cluster"))
                .detail(format!("  both have kube-system uid {}", seen.uid))
                .detail("Nothing was written.")
                .hint("see where their contexts lead, or where they led when they were pinned: lifeboat sites show"));
        }
        let said = told(&seen);
        let state = match self.pins.sites.get(name) {
            Some(pin) if fits(pin, &seen) => {
                self.tell(name, State::Same, said);
                return Ok(());
            }
            Some(pin) => self.replace(name, &told(pin), &said)?,
            None => State::New,
        };
        seen.said.reason = self.repin.clone().filter(|_| state == State::Repinned);
        self.pins.sites.insert(name.to_owned(), seen);
        self.tell(name, state, said);
        Ok(())
    }

    async fn store(&mut self, name: &str, store: &dyn Store) -> Result<(), CommandError> {
        let before = match read_identity(store).await {
            Ok(before) => before,
            Err(error) => {
                self.tell(name, State::Silent, error.message);
                return Ok(());
            }
        };
        let state = match (self.pins.stores.get(name), &before) {
            (Some(pin), Some(seen)) if pin.id == seen.id => {
                self.tell(name, State::Same, format!("identity {}", seen.id));
                return Ok(());
            }
            (Some(pin), seen) => {
                let found = seen.as_ref().map_or("none", |seen| seen.id.as_str());
                self.replace(
                    name,
                    &format!("identity {}", pin.id),
                    &format!("{found} at {}", store.address()),
                )?
            }
            (None, _) => State::New,
        };
        let kept = match pin_store(store, &self.said.by, super::now()).await {
            Ok(kept) => kept,
            Err(error) => {
                self.tell(name, State::Silent, error.message);
                return Ok(());
            }
        };
        let made = if before.is_none() {
            "made now"
        } else {
            "found there"
        };
        let mut said = format!("identity {}, {made}", kept.id);
        let twin = self
            .pins
            .stores
            .iter()
            .find(|(other, pin)| *other != name && pin.id == kept.id);
        if let Some((other, _)) = twin {
            said =
                format!("{said}; {other} has the same: one store, or a copy, and they cannot be told apart");
        }
        let reason = self.repin.clone().filter(|_| state == State::Repinned);
        let pin = StorePin {
            id: kept.id,
            said: Said {
                reason,
                ..self.said.clone()
            },
        };
        self.pins.stores.insert(name.to_owned(), pin);
        self.tell(name, state, said);
        Ok(())
    }

    fn tell(&mut self, name: &str, state: State, said: String) {
        self.found.push(Found {
            name: name.to_owned(),
            state,
            said,
        });
    }

    /// Whether another pin may take the place of this one.
    fn replace(&self, name: &str, expected: &str, found: &str) -> Result<State, CommandError> {
        if self.repin.is_some() {
            return Ok(State::Repinned);
        }
        Err(
            CommandError::refused(format!("{name} is not the one that is pinned"))
                .detail(format!("  expected {expected}"))
                .detail(format!("  found    {found}"))
                .detail("Nothing was written.")
                .hint(format!(
                    "if it was made anew on purpose: lifeboat sites pin {name} --repin --reason \"…\""
                )),
        )
    }
}

/// Whole or not at all: half a file of pins would unpin the rest.
#[expect(clippy::disallowed_methods, reason = "pins are a file beside the inventory")]
fn write(file: &Path, text: &str) -> Result<(), CommandError> {
    let unfinished = file.with_extension("yaml.new");
    let written = std::fs::write(&unfinished, text).and_then(|()| std::fs::rename(&unfinished, file));
    written
        .map_err(|error| CommandError::new(Exit::Broken, format!("cannot write {}: {error}", file.display())))
}

/// Refuses where a site or a store of these is not the one that is pinned. What does not answer is passed over:
/// nothing is sent to it either before it has proved itself.
pub(super) async fn refuse_strangers(
    world: &world::Connected,
    plan: &crate::plan::Plan,
) -> Result<(), CommandError> {
    use crate::effect::{ErrorKind, Query};

    let mirrors = world.mirrors.iter().map(|(name, _)| name.as_str());
    let stores: BTreeMap<&str, Query> = plan
        .stores()
        .chain(mirrors)
        .map(|store| {
            (
                store,
                Query::Store {
                    store: store.to_owned(),
                },
            )
        })
        .collect();
    let sites = plan.roles.values().map(|site| Query::Site { site: site.clone() });
    let queries: Vec<Query> = sites.chain(stores.into_values()).collect();
    let answers = join_all(queries.iter().map(|query| world.actor.read(query))).await;
    let strange = |error: &WorldError| error.kind == ErrorKind::WrongIdentity;
    let strangers: Vec<WorldError> = answers
        .into_iter()
        .filter_map(Result::err)
        .filter(strange)
        .collect();
    let Some(first) = strangers.first() else {
        return Ok(());
    };
    let error = CommandError::refused(first.to_string());
    let error = strangers
        .iter()
        .skip(1)
        .fold(error, |error, one| error.detail(format!("  {one}")));
    let error = error.detail("Nothing was sent to it.");
    let hints = strangers.iter().flat_map(|one| &one.hints);
    Err(hints.fold(error, |error, hint| error.hint(hint.as_str())))
}
