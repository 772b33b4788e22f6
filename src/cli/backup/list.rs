//! `lifeboat backups`: which backups there are, in all stores.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::cli::{CommandError, Exit, Settings, block_on, context, now, output, world};
use crate::report::{self, StoreCards};
use crate::world::library::Library;

/// List the backups of every store, lifeboat's and Velero's, with what is known of each
///
/// Ends with exit code 3 if a store did not answer; the others are listed all the same.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Only this store
    #[arg(long, value_name = "STORE")]
    store: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(in crate::cli) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let (sites, _) = context::inventory(settings)?;
    let found = block_on(async {
        let library = world::library(&sites, None).await?;
        let stores = match &arguments.store {
            Some(store) => vec![super::known("store", store, library.stores())?],
            None => library.stores(),
        };
        Ok(join_all(stores.into_iter().map(|store| look(&library, store))).await)
    })?;
    if arguments.json {
        output::json(&found.iter().map(as_json).collect::<Value>())?;
    } else {
        output::text(&report::backup_list(&found, now(), settings.columns()));
    }
    let mut exit = Exit::Done;
    for error in found.into_iter().filter_map(|one| one.cards.err()) {
        let hints = error.hints.clone();
        let error = CommandError::new(Exit::Failed, error.to_string());
        output::note(
            hints
                .into_iter()
                .fold(error, CommandError::hint)
                .to_string()
                .trim_end(),
        );
        exit = Exit::Failed;
    }
    Ok(exit)
}

async fn look(library: &Library, store: &str) -> StoreCards {
    StoreCards {
        store: store.to_owned(),
        address: library.address(store).unwrap_or_default(),
        cards: library.list(store).await,
        lost: library.lost(store).await,
    }
}

fn as_json(one: &StoreCards) -> Value {
    match &one.cards {
        Ok(cards) => json!({
            "store": one.store, "address": one.address, "backups": cards,
            "hidden": one.lost.as_ref().ok(), "hiddenError": one.lost.as_ref().err(),
        }),
        Err(error) => json!({"store": one.store, "address": one.address, "error": error}),
    }
}
