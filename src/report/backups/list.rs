//! `lifeboat backups`: one store after the other, two lines for each backup.

use jiff::Timestamp;

use super::{old, scope};
use crate::effect::WorldError;
use crate::report::lines::{clean, each, ends, hang, text};
use crate::report::table::table;
use crate::report::units::{bytes, count};
use crate::world::Lost;
use crate::world::library::{Card, LockHeld, State, Writer};

/// A store and what is in it, or why that is not known.
#[derive(Debug)]
pub struct StoreCards {
    /// Its name in the inventory.
    pub store: String,
    /// Where it is, for people.
    pub address: String,
    /// The oldest first.
    pub cards: Result<Vec<Card>, WorldError>,
    /// What lies under delete markers.
    pub lost: Result<Vec<Lost>, WorldError>,
}

/// All of them, the newest backup of each store first, with a line break at its end.
pub fn backup_list(stores: &[StoreCards], now: Timestamp, columns: usize) -> String {
    let mut out = Vec::new();
    for one in stores {
        if !out.is_empty() {
            out.push(String::new());
        }
        let name = format!("Store {}", clean(&one.store));
        out.push(ends(&name, &clean(&one.address), columns));
        match &one.cards {
            Ok(cards) if cards.is_empty() => out.push("  no backup".to_owned()),
            Ok(cards) => out.extend(shelf(cards, now, columns)),
            Err(error) => {
                let why = format!(
                    "did not answer: {}; what it holds is not known",
                    clean(&error.message)
                );
                out.push(hang("  ", &why, columns));
            }
        }
        if one.cards.is_ok() {
            out.extend(under_markers(one).map(|line| hang("  ", &line, columns)));
        }
    }
    out.push(sum(stores));
    text(&out)
}

/// What is hidden, where versions are kept: each by name that lifeboat did not delete.
fn under_markers(one: &StoreCards) -> impl Iterator<Item = String> {
    let (lost, unknown) = match &one.lost {
        Ok(lost) => (lost.as_slice(), None),
        Err(error) => {
            let why = clean(&error.message);
            (
                &[][..],
                Some(format!("What lies under delete markers is not known: {why}")),
            )
        }
    };
    let store = clean(&one.store);
    let named = lost.iter().filter(|lost| !lost.noted).map(move |lost| {
        let name = clean(&lost.name);
        format!(
            "Hidden: {name} lies under delete markers, and lifeboat did not delete it; {} ({}) are there. To bring it back: lifeboat backup recover {name} --store {store}",
            count(usize::try_from(lost.older.versions).unwrap_or(usize::MAX), "object"),
            bytes(lost.older.bytes)
        )
    });
    let noted: Vec<&Lost> = lost.iter().filter(|lost| lost.noted).collect();
    let rest = (!noted.is_empty()).then(|| {
        let size: u64 = noted.iter().map(|lost| lost.older.bytes).sum();
        format!(
            "Deleted and still there as older versions: {} ({})",
            count(noted.len(), "backup"),
            bytes(size)
        )
    });
    named.chain(rest).chain(unknown)
}

fn shelf(cards: &[Card], now: Timestamp, columns: usize) -> Vec<String> {
    let heading = ["NAME", "AGE", "OBJECTS", "SIZE", "STATE"].map(str::to_owned);
    let newest_first: Vec<&Card> = cards.iter().rev().collect();
    let rows: Vec<Vec<String>> = std::iter::once(heading.to_vec())
        .chain(newest_first.iter().map(|card| row(card, now)))
        .collect();
    let mut lines = table(&rows).into_iter().map(|line| format!("  {line}"));
    let mut out = Vec::from_iter(lines.next());
    for (card, line) in newest_first.into_iter().zip(lines) {
        out.push(line);
        out.push(hang("    ", &about(card), columns));
        out.extend(why(&card.state).map(|why| hang("    ", &clean(&why), columns)));
    }
    out
}

fn row(card: &Card, now: Timestamp) -> Vec<String> {
    let known = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    vec![
        clean(&card.name),
        known(card.consistent_at.map(|at| old(at, now))),
        known(card.objects.map(|count| count.to_string())),
        bytes(card.bytes),
        state(&card.state, now),
    ]
}

/// The state in a few words.
pub(super) fn state(state: &State, now: Timestamp) -> String {
    match state {
        State::Verified { verified_at } => match old(*verified_at, now) {
            age if age.starts_with("in ") => format!("verified {age}"),
            age => format!("verified {age} ago"),
        },
        State::NotVerified => "not verified".to_owned(),
        State::Unfinished { .. } => "not finished".to_owned(),
        State::Damaged { .. } => "damaged".to_owned(),
        State::Velero { phase, .. } => format!("Velero: {}", clean(phase)),
        State::Unusable { .. } => "unusable".to_owned(),
        State::Unread { .. } => "not readable".to_owned(),
    }
}

/// The reason, where a state has one.
pub(super) fn why(state: &State) -> Option<String> {
    match state {
        State::Unfinished { why }
        | State::Damaged { why }
        | State::Unusable { why }
        | State::Unread { why } => Some(why.clone()),
        State::Velero { errors, .. } if *errors > 0 => {
            let errors = usize::try_from(*errors).unwrap_or(usize::MAX);
            Some(format!("Velero counted {}", count(errors, "error")))
        }
        State::Verified { .. } | State::NotVerified | State::Velero { .. } => None,
    }
}

/// `shop of east; read by lifeboat and Velero; not encrypted; lock not known`.
pub(super) fn about(card: &Card) -> String {
    let writer = match card.writer {
        Writer::Velero => "; written by Velero",
        Writer::Lifeboat | Writer::Unknown => "",
    };
    clean(&format!(
        "{}{writer}; {}{}",
        source(card),
        keeping(card),
        going(card)
    ))
}

/// `; being deleted since 2026-11-23 07:17:49 UTC by anna`, where that is so.
pub(super) fn going(card: &Card) -> String {
    each(&card.going, |note| format!("; being deleted {}", note.words()))
}

/// `shop of east`, `shop (only configmaps) of east`.
fn source(card: &Card) -> String {
    match (&card.namespaces, &card.origin) {
        (Some(names), Some(origin)) => format!("{} of {}", scope(names, &card.narrowed), origin.site),
        (Some(names), None) => format!("{}, site not recorded", scope(names, &card.narrowed)),
        (None, _) => "namespaces not known".to_owned(),
    }
}

/// `locked until 2026-12-23 07:17 UTC (compliance)`, as the store says.
pub fn lock(card: &Card) -> String {
    match (card.locked, &card.lock) {
        (_, Some(LockHeld::Until { at, mode })) => format!(
            "locked until {} UTC ({})",
            at.strftime("%Y-%m-%d %H:%M"),
            mode.word()
        ),
        (_, Some(LockHeld::LegalHold)) => "locked by a legal hold".to_owned(),
        (_, Some(LockHeld::NotKnown(why))) => format!("lock not known ({why})"),
        (Some(false), None) => "not locked".to_owned(),
        (Some(true) | None, None) => "lock not known".to_owned(),
    }
}

/// Who can read it, and what keeps it: `read by lifeboat and Velero; lock not known; not encrypted`.
pub(super) fn keeping(card: &Card) -> String {
    let readers = match (card.lifeboat_reads, card.velero_reads) {
        (true, true) => "read by lifeboat and Velero",
        (true, false) => "read by lifeboat only",
        (false, true) => "read by Velero only",
        (false, false) => "read by nobody",
    };
    let known = |yes: &str, no: &str, what: &str, value: Option<bool>| match value {
        Some(true) => yes.to_owned(),
        Some(false) => no.to_owned(),
        None => format!("{what} not known"),
    };
    let lock = lock(card);
    let encrypted = known("encrypted", "not encrypted", "encryption", card.encrypted);
    format!("{readers}; {lock}; {encrypted}")
}

fn sum(stores: &[StoreCards]) -> String {
    let answered = stores.iter().filter_map(|one| one.cards.as_ref().ok());
    let cards: Vec<&Card> = answered.flatten().collect();
    let verified = |card: &&&Card| matches!(card.state, State::Verified { .. });
    let silent = stores.iter().filter(|one| one.cards.is_err()).count();
    let silence = match silent {
        0 => String::new(),
        silent => format!("; {} did not answer", count(silent, "store")),
    };
    format!(
        "{}, {} verified{silence}.",
        count(cards.len(), "backup"),
        cards.iter().filter(verified).count()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::ErrorKind;
    use crate::world::Older;
    use crate::world::library::Origin;

    fn card(name: &str, state: State) -> Card {
        Card {
            store: "vault".into(),
            name: name.into(),
            writer: Writer::Lifeboat,
            state,
            consistent_at: Some("2026-11-22T22:00:00Z".parse().unwrap()),
            objects: Some(25),
            bytes: 12_345,
            namespaces: Some(vec!["shop".into()]),
            narrowed: Vec::new(),
            origin: Some(Origin {
                site: "east".into(),
                uid: "u".into(),
            }),
            lifeboat_reads: true,
            velero_reads: true,
            encrypted: Some(false),
            locked: None,
            lock: None,
            written_at: None,
            going: Vec::new(),
        }
    }

    fn velero(name: &str) -> Card {
        let state = State::Velero {
            phase: "PartiallyFailed".into(),
            errors: 2,
            warnings: 0,
        };
        Card {
            writer: Writer::Velero,
            origin: None,
            namespaces: Some(Vec::new()),
            encrypted: None,
            ..card(name, state)
        }
    }

    fn rubbish(name: &str) -> Card {
        let state = State::Unfinished {
            why: "it has neither a manifest nor velero-backup.json".into(),
        };
        Card {
            writer: Writer::Unknown,
            consistent_at: None,
            objects: None,
            namespaces: None,
            origin: None,
            lifeboat_reads: false,
            velero_reads: false,
            encrypted: None,
            ..card(name, state)
        }
    }

    fn lost(name: &str, noted: bool) -> Lost {
        let older = Older {
            versions: 9,
            bytes: 12_345,
            unknown: None,
        };
        Lost {
            name: name.into(),
            older,
            noted,
        }
    }

    #[test]
    #[expect(
        clippy::too_many_lines,
        reason = "a picture of everything that a list can say"
    )]
    fn every_state_is_told_and_a_silent_store_hides_no_other() {
        let verified = State::Verified {
            verified_at: "2026-11-22T22:00:07Z".parse().unwrap(),
        };
        let damaged = State::Damaged {
            why: "backups/shop-b/shop-b.tar.gz: it has 7 bytes instead of 4711".into(),
        };
        let stores = [
            StoreCards {
                store: "second".into(),
                address: "s3://acme-second".into(),
                cards: Err(WorldError::new(
                    ErrorKind::Unreachable,
                    "second",
                    "connection refused",
                )),
                lost: Ok(Vec::new()),
            },
            StoreCards {
                store: "usb".into(),
                address: "/mnt/usb".into(),
                cards: Ok(Vec::new()),
                lost: Ok(vec![
                    lost("shop-2026-11-21t220000z", false),
                    lost("shop-a", true),
                    lost("shop-d", true),
                ]),
            },
            StoreCards {
                store: "vault".into(),
                address: "s3://acme-vault/shop/".into(),
                cards: Ok(vec![
                    rubbish("shop-x"),
                    velero("nightly"),
                    Card {
                        lifeboat_reads: false,
                        ..card("shop-b", damaged)
                    },
                    card("shop-c", State::NotVerified),
                    card("shop-2026-11-22t220000z", verified),
                ]),
                lost: Err(WorldError::new(ErrorKind::Forbidden, "vault", "AccessDenied: no")),
            },
        ];
        let now = "2026-11-23T01:51:00Z".parse().unwrap();
        let drawn = backup_list(&stores, now, 80);
        assert!(
            drawn.lines().all(|line| crate::report::lines::width(line) <= 80),
            "{drawn}"
        );
        insta::assert_snapshot!(drawn, @"
        Store second                                                    s3://acme-second
          did not answer: connection refused; what it holds is not known

        Store usb                                                               /mnt/usb
          no backup
          Hidden: shop-2026-11-21t220000z lies under delete markers, and lifeboat did
          not delete it; 9 objects (12.1 KiB) are there. To bring it back: lifeboat
          backup recover shop-2026-11-21t220000z --store usb
          Deleted and still there as older versions: 2 backups (24.2 KiB)

        Store vault                                                s3://acme-vault/shop/
          NAME                     AGE       OBJECTS  SIZE      STATE
          shop-2026-11-22t220000z  3 h 51 m  25       12.1 KiB  verified 3 h 51 m ago
            shop of east; read by lifeboat and Velero; lock not known; not encrypted
          shop-c                   3 h 51 m  25       12.1 KiB  not verified
            shop of east; read by lifeboat and Velero; lock not known; not encrypted
          shop-b                   3 h 51 m  25       12.1 KiB  damaged
            shop of east; read by Velero only; lock not known; not encrypted
            backups/shop-b/shop-b.tar.gz: it has 7 bytes instead of 4711
          nightly                  3 h 51 m  25       12.1 KiB  Velero: PartiallyFailed
            all namespaces, site not recorded; written by Velero; read by lifeboat and
            Velero; lock not known; encryption not known
            Velero counted 2 errors
          shop-x                   –         –        12.1 KiB  not finished
            namespaces not known; read by nobody; lock not known; encryption not known
            it has neither a manifest nor velero-backup.json
          What lies under delete markers is not known: AccessDenied: no
        5 backups, 1 verified; 1 store did not answer.
        ");
    }
}
