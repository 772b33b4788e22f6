//! `lifeboat backup delete`: take one backup away, if it is safe to.

use jiff::Timestamp;

use super::{Named, at};
use crate::cli::start::{self, Question};
use crate::cli::{CommandError, Exit, Settings, context, now, operator, output, world};
use crate::effect::ErrorKind;
use crate::report;
use crate::world::library::{Card, Library, State, Verdict, Writer};
use crate::world::{Gone, Keeper, Obituary};

/// Nobody writes one backup for so long; what is younger and not finished may still be being written.
const UNFINISHED_H: i64 = 24;

/// Delete one backup: its manifest first, so that it counts no longer, and its bytes last
///
/// Refused are the only verified backup of its namespaces (another one is read to its end first), what
/// may still be being written, and Velero's (that is `velero backup delete`). Who, when and why is kept
/// in the store. Several may delete in one store at once: none takes away what another relies on. Before
/// anything goes, the store is asked for a lock on each object: if it says that one is locked, or does not
/// say, nothing is deleted. What it refuses nevertheless is named; in both cases the exit code is 3 or 5.
/// A bucket that keeps versions only hides what is deleted, and that is said.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    backup: Named,
    /// Why; it is kept in the store
    #[arg(long, value_name = "WHY")]
    reason: String,
    /// The backup's name once more, instead of typing it
    #[arg(long, value_name = "BACKUP")]
    confirm: Option<String>,
}

pub(super) fn run(arguments: &Arguments, settings: &Settings) -> Result<Exit, CommandError> {
    let (sites, _) = context::inventory(settings)?;
    let (store, gone) = crate::cli::block_on(async {
        let library = world::library(&sites, None).await?;
        let (store, name) = at(&library, &arguments.backup)?;
        let card = library.show(store, name).await?.card;
        let stand_in = may_go(&library, &card, now()).await?;
        output::note(&report::backup_line(&card, now(), settings.columns()));
        start::typed(&Question {
            what: "deleting a backup",
            ask: "Type the name of the backup to delete it",
            object: "the backup",
            wanted: name,
            given: arguments.confirm.as_deref(),
        })?;
        let keeper = world::keeper(&sites).await?;
        let gone = take_away(&keeper, store, name, &arguments.reason, stand_in.as_deref()).await?;
        Ok((store.to_owned(), gone))
    })?;
    Ok(tell(&store, &gone, settings))
}

/// Deletes, and signs for it. Exit code 5 where what was to stand in for it is going too.
pub(super) async fn take_away(
    keeper: &Keeper,
    store: &str,
    name: &str,
    reason: &str,
    stand_in: Option<&str>,
) -> Result<Gone, CommandError> {
    let obituary = Obituary {
        backup: name.to_owned(),
        at: now(),
        by: operator().name,
        reason: reason.to_owned(),
        tool: crate::TOOL.to_owned(),
    };
    keeper.delete(store, &obituary, stand_in).await.map_err(|error| {
        let refused = error.kind == ErrorKind::Conflict;
        let told = CommandError::from(error);
        let exit = if refused { Exit::Refused } else { told.exit };
        CommandError { exit, ..told }
    })
}

/// Says what became of it.
fn tell(store: &str, gone: &Gone, settings: &Settings) -> Exit {
    output::text(&report::backup_gone(store, gone, settings.columns()));
    if gone.remains.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    }
}

/// Refuses what must not go, and says which other backup stands in for what may.
async fn may_go(library: &Library, card: &Card, now: Timestamp) -> Result<Option<String>, CommandError> {
    let refused = |why: String| CommandError::refused(why).detail("Nothing was changed.");
    let name = &card.name;
    if card.writer == Writer::Velero {
        return Err(refused(format!(
            "{name} is Velero's, and has data elsewhere that only Velero finds"
        ))
        .hint(format!("velero backup delete {name}")));
    }
    if card.locked == Some(true) {
        return Err(refused(format!("{name} is {}", report::backup_lock(card))));
    }
    match &card.state {
        State::Verified { .. } | State::NotVerified => replaceable(library, card).await.map(Some),
        State::Damaged { .. } => Ok(None),
        // What somebody began to delete is not being written: the rest of it may go at once.
        State::Unfinished { .. } if !card.going.is_empty() => Ok(None),
        State::Unfinished { .. } => match card.written_at {
            Some(at) if now.duration_since(at).as_hours() >= UNFINISHED_H => Ok(None),
            _ => Err(refused(format!(
                "{name} is not finished, and nothing shows that it is not being written right now"
            ))
            .hint(format!(
                "it may go when its newest file is {UNFINISHED_H} h old; `lifeboat status` shows what runs here"
            ))),
        },
        State::Unread { why } | State::Unusable { why } => {
            Err(refused(format!("what {name} is cannot be known: {why}")))
        }
        State::Velero { .. } => Err(refused(format!("{name} is Velero's"))),
    }
}

/// Another verified backup of the same cluster holds the same namespaces, and is whole today: its name.
async fn replaceable(library: &Library, card: &Card) -> Result<String, CommandError> {
    let all = library.list(&card.store).await?;
    let mut others: Vec<&Card> = all.iter().filter(|other| stands_in(other, card)).collect();
    others.reverse();
    let mut damaged = Vec::new();
    for other in others {
        output::note(&format!(
            "Reading {} to its end, which is to stand in for it.",
            other.name
        ));
        let found = library.verify(&card.store, &other.name).await?;
        if found.verdict == Verdict::Whole {
            return Ok(other.name.clone());
        }
        damaged.push(format!(
            "  {} is verified no longer: {}",
            other.name,
            found.wrong.join("; ")
        ));
    }
    let error = CommandError::refused(format!(
        "no other verified backup in store {} holds what {} holds",
        card.store, card.name
    ));
    let error = damaged.into_iter().fold(error, CommandError::detail);
    Err(error
        .detail("Nothing was changed.")
        .hint("make another one first: lifeboat backup create, or lifeboat protect <runbook>"))
}

fn stands_in(other: &Card, card: &Card) -> bool {
    let uid = |card: &Card| card.origin.as_ref().map(|origin| origin.uid.clone());
    let (Some(theirs), Some(ours)) = (&other.namespaces, &card.namespaces) else {
        return false;
    };
    other.name != card.name
        && other.going.is_empty()
        && matches!(other.state, State::Verified { .. })
        && uid(other).is_some()
        && uid(other) == uid(card)
        && (other.narrowed.is_empty() || other.narrowed == card.narrowed)
        && !ours.is_empty()
        && ours.iter().all(|name| theirs.contains(name))
}
