//! `lifeboat backup diff`: two backups, or a backup and a live site.

use std::collections::BTreeMap;

use super::{Named, at};
use crate::cli::{CommandError, Exit, Settings, context, output, world};
use crate::objects::Difference;
use crate::report;
use crate::runbook::Sites;
use crate::world::library::Held;

/// Compare two backups, or a backup with a live site: objects that came, went and changed, and where
///
/// What a cluster assigns is ignored (uid, status, clusterIP, owner references), and what controllers make
/// again by themselves is not compared, and counted. Places are told, values are not: they may be
/// passwords. Exit codes: 0 equal, 3 different.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("against").required(true))]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    backup: Named,
    /// The backup to compare it with
    #[arg(value_name = "OTHER", group = "against")]
    other: Option<String>,
    /// The store of the other backup [default: the same]
    #[arg(long, value_name = "STORE", requires = "other")]
    other_store: Option<String>,
    /// Compare with what this site has now
    #[arg(long, value_name = "SITE", group = "against")]
    live: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// One side: its name for people and what it holds.
type Side = (String, Held);

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let (sites, _) = context::inventory(settings)?;
    let (before, after) = crate::cli::block_on(sides(arguments, &sites))?;
    let found = Difference::between(&before.1.objects, &after.1.objects);
    let mut not_compared: BTreeMap<String, u64> = before.1.not_compared;
    for (why, count) in after.1.not_compared {
        *not_compared.entry(why).or_default() += count;
    }
    if arguments.json {
        let mut value = serde_json::json!(found);
        value["before"] = before.0.into();
        value["after"] = after.0.into();
        value["notCompared"] = serde_json::json!(not_compared);
        output::json(&value)?;
    } else {
        let page = report::backup_diff(&found, &before.0, &after.0, &not_compared, settings.columns());
        output::text(&page);
    }
    Ok(if found.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

async fn sides(arguments: &Arguments, sites: &Sites) -> Result<(Side, Side), CommandError> {
    let live = arguments.live.as_deref();
    if let Some(site) = live {
        super::known("site", site, sites.sites.keys().map(String::as_str))?;
    }
    let library = world::library(sites, live).await?;
    let (store, name) = at(&library, &arguments.backup)?;
    let before = library.objects(store, name).await?;
    let after = match (live, &arguments.other) {
        (Some(site), _) => (format!("{site}, live"), library.live(site, &before).await?),
        (None, other) => {
            let other = other.as_deref().unwrap_or_default();
            let store = arguments.other_store.as_deref().unwrap_or(store);
            super::known("store", store, library.stores())?;
            (other.to_owned(), library.objects(store, other).await?)
        }
    };
    Ok(((name.to_owned(), before), after))
}
