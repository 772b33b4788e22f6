//! `lifeboat doctor`: what the stores can really do, found out by experiment.

use std::path::PathBuf;
use std::sync::Arc;

use futures::future::join_all;
use jiff::SignedDuration;

use super::{CommandError, Exit, Settings, block_on, context, output, world};
use crate::effect::{ErrorKind, WorldError};
use crate::report;
use crate::run::short_id;
use crate::world::doctor::{Examination, examine, examine_for_journal};
use crate::world::port::Store;

/// Find out by experiment what each store really does, and what breaks where it does not
///
/// Writes small objects under `metadata/lifeboat-probe/` and deletes them again: races of eight writers,
/// changes under conditions, wrong checksums, locks. Ends with 3 if a mirror of the journal cannot hold one,
/// or if a store did not answer.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only this store
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// A server is not exchanged or set up anew between two steps, but it may be overnight.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let (sites, _) = context::inventory(settings)?;
    let names: Vec<String> = match &arguments.store {
        Some(name) if sites.stores.contains_key(name) => vec![name.clone()],
        Some(name) => {
            let known: Vec<&str> = sites.stores.keys().map(String::as_str).collect();
            let error = CommandError::input(format!("the inventory has no store `{name}`"));
            return Err(error.hint(format!("known here: {}", known.join(", "))));
        }
        None => sites.stores.keys().cloned().collect(),
    };
    let found = block_on(async {
        let stores = world::bare(&sites, &names).await;
        for (_, store) in &stores {
            let stranger = |error: &WorldError| error.kind == ErrorKind::WrongIdentity;
            let answer = store.list("metadata/lifeboat-probe/").await;
            if let Some(error) = answer.err().filter(stranger) {
                return Err(CommandError::from(error).detail("Nothing was written to it."));
            }
        }
        Ok(join_all(stores.iter().map(|(name, store)| thoroughly(name, &**store))).await)
    })?;
    for one in &found {
        remember(one, settings);
    }
    if arguments.json {
        output::json(&found)?;
    } else {
        output::text(&report::doctor(&found, settings.columns()));
    }
    let mirrors = sites.journal.map(|places| places.mirrors).unwrap_or_default();
    let bad = |one: &Examination| !one.fit() && (mirrors.contains(&one.store) || one.unfit().is_none());
    Ok(if found.iter().any(bad) {
        Exit::Failed
    } else {
        Exit::Done
    })
}

async fn thoroughly(name: &str, store: &dyn Store) -> Examination {
    examine(name, store, &id(), &super::now).await
}

fn id() -> String {
    format!("{}-{}", super::now().as_millisecond(), short_id())
}

/// Sees that every mirror can hold a journal, by what was found out within a day, else by experiment.
///
/// One that cannot be reached now is not refused: whether it is needed is for the journal's rule to say.
pub(super) async fn mirrors_are_fit(
    mirrors: &[(String, Arc<dyn Store>)],
    settings: &Settings,
) -> Result<(), CommandError> {
    let found = join_all(
        mirrors
            .iter()
            .map(|(name, store)| lately(name, &**store, settings)),
    )
    .await;
    let Some((one, why)) = found.iter().find_map(|one| Some((one, one.unfit()?))) else {
        return Ok(());
    };
    Err(CommandError::refused(format!(
        "{} cannot hold a journal: `{}` fails",
        one.store,
        why.property.word()
    ))
    .detail(format!("  seen at {}: {}", one.address, why.seen))
    .detail(format!("  so {}", why.property.breaks()))
    .detail("Nothing was begun.")
    .hint(format!(
        "take it out of `journal` in the inventory, or mend it and look again: lifeboat doctor --store {}",
        one.store
    )))
}

async fn lately(name: &str, store: &dyn Store, settings: &Settings) -> Examination {
    if let Some(known) = recall(name, store, settings) {
        return known;
    }
    let found = examine_for_journal(name, store, &id(), &super::now).await;
    remember(&found, settings);
    found
}

fn file(name: &str, settings: &Settings) -> PathBuf {
    settings.state.join("probes").join(format!("{name}.json"))
}

/// What was found out of exactly this place, if that is still to be believed.
fn recall(name: &str, store: &dyn Store, settings: &Settings) -> Option<Examination> {
    let text = context::read(&file(name, settings)).ok()?;
    let known: Examination = serde_json::from_str(&text).ok()?;
    let age = super::now().duration_since(known.at);
    let fresh = (SignedDuration::ZERO..REMEMBERED).contains(&age);
    (fresh && known.fit() && known.address == store.address()).then_some(known)
}

/// Only what holds: a store that was mended must not be refused for another day. That it cannot be kept costs
/// the next run a second.
#[expect(clippy::disallowed_methods, reason = "what is remembered is a file")]
fn remember(found: &Examination, settings: &Settings) {
    let path = file(&found.store, settings);
    if !found.fit() {
        let _ = std::fs::remove_file(path);
        return;
    }
    let written = serde_json::to_string_pretty(found).map_err(std::io::Error::other);
    let kept = written.and_then(|text| {
        std::fs::create_dir_all(settings.state.join("probes"))?;
        std::fs::write(&path, text)
    });
    if let Err(error) = kept {
        tracing::warn!(%error, "what was found out of a store cannot be kept");
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at what is remembered")]
mod tests {
    use super::*;
    use crate::cli::Colour;
    use crate::world::sim::{Embedded, Flaw};

    fn settings(state: &std::path::Path) -> Settings {
        Settings {
            sites: None,
            state: state.to_owned(),
            plain: true,
            color: Colour::Never,
        }
    }

    fn mirror(flaw: Option<Flaw>) -> Vec<(String, Arc<dyn Store>)> {
        let world = Embedded::starting_at(super::super::now()).with_store("vault");
        let store = world.store("vault").cloned().unwrap();
        if let Some(flaw) = flaw {
            store.has_flaw(flaw);
        }
        vec![("vault".to_owned(), Arc::new(store))]
    }

    #[tokio::test]
    async fn a_mirror_that_fails_is_refused_with_the_property_and_what_breaks() {
        let state = tempfile::tempdir().unwrap();
        let settings = settings(state.path());
        let error = mirrors_are_fit(&mirror(Some(Flaw::Races)), &settings)
            .await
            .unwrap_err();
        assert_eq!(error.exit, Exit::Refused);
        insta::assert_snapshot!(error, @r"
        error: vault cannot hold a journal: `one winner` fails
          seen at memory:vault/: in race 1 of 10, 8 of 8 writers were told that they created one key
          so two processes can carry one run, each sure to be the only one: no journal, no epoch
        Nothing was begun.
        hint: take it out of `journal` in the inventory, or mend it and look again: lifeboat doctor --store vault
        ");
        let error = mirrors_are_fit(&mirror(Some(Flaw::Conditions)), &settings)
            .await
            .unwrap_err();
        assert_eq!(error.message, "vault cannot hold a journal: `create once` fails");
        assert!(
            mirrors_are_fit(&mirror(None), &settings).await.is_ok(),
            "what failed is not remembered"
        );
    }

    #[tokio::test]
    async fn what_holds_is_remembered_for_a_day_and_for_this_place_only() {
        let state = tempfile::tempdir().unwrap();
        let settings = settings(state.path());
        mirrors_are_fit(&mirror(None), &settings).await.unwrap();
        let file = file("vault", &settings);
        let flawed = mirror(Some(Flaw::Races));
        assert!(
            mirrors_are_fit(&flawed, &settings).await.is_ok(),
            "nothing is tried again"
        );
        let text = std::fs::read_to_string(&file).unwrap();
        let mut known: Examination = serde_json::from_str(&text).unwrap();
        for (at, address) in [
            (known.at - SignedDuration::from_hours(25), known.address.clone()),
            (known.at + SignedDuration::from_hours(1), known.address.clone()),
            (known.at, "memory:elsewhere/".to_owned()),
        ] {
            known.at = at;
            known.address = address;
            std::fs::write(&file, serde_json::to_string(&known).unwrap()).unwrap();
            assert!(mirrors_are_fit(&flawed, &settings).await.is_err(), "{known:?}");
        }
    }
}
