//! Performs [`SwapRecords`].
//!
//! ## Why
//!
//! - **Look, swap, look.** The first look only finds words for what is wrong; the server's own comparison decides.
//!   The last one is the proof: that a change was taken is not yet that it is answered.
//! - **What a lost reply hides is looked for by what the name has.** The old records: it was not done, and if the
//!   lost request still arrives after a second one, its conditions fail. The new ones: it is done, by whomever. Anything
//!   else is a third person's work, and a person has to look at it.
//! - **TTLs do not count in comparisons**, as they do not in the server's: some servers raise what they are given.
//!   Where only the TTL is to change, it does.

use jiff::{SignedDuration, Timestamp};

use super::World;
use super::pace::{Look, until_limit};
use super::site::missing;
use crate::effect::{
    Attempt, ErrorKind, NameSeen, Receipt, RecordKind, Records, Resolution, Seen, SwapRecords, WorldError,
};
use crate::text::{DomainName, Millis};
use crate::world::port::Names;

/// How long the server may take to answer with what it has taken. It has changed its zone before it says yes; ten
/// seconds are for a front that spreads questions over several machines.
const READ_BACK_MS: u64 = 10_000;

/// What no asking shows: servers compare the conditions, then look who may change what, name by name.
pub(super) const OPEN: &str = "whether the key may change this very name, only a change shows";

impl World {
    fn server<'a>(&'a self, name: &'a str) -> Result<Server<'a>, WorldError> {
        let names = self.names.get(name).ok_or_else(|| missing(name, "DNS server"))?;
        Ok(Server {
            name,
            names: &**names,
        })
    }

    pub(super) async fn see_name(&self, server: &str, name: &DomainName) -> Result<Seen, WorldError> {
        Ok(Seen::Name(self.server(server)?.names.look(name).await?))
    }

    pub(super) async fn swap_records(
        &self,
        effect: &SwapRecords,
        attempt: &Attempt,
    ) -> Result<Receipt, WorldError> {
        let server = self.server(&effect.server)?;
        (attempt.progress)(format!("asking {} for {}", server.name, effect.name));
        let found = server.look(&effect.name).await?;
        if effect.only_ask {
            return server.ask(effect, &found).await;
        }
        if is_done(effect, &found.records) {
            let mut receipt = done(effect, (self.now)());
            receipt.summary.push_str(" (it already was)");
            return Ok(receipt);
        }
        server.compare(effect, &found)?;
        (attempt.progress)(format!("changing {}", effect.name));
        server.swap(effect).await?;
        let changed_at = (self.now)();
        let found = server.read_back(effect, attempt).await?;
        let mut receipt = done(effect, changed_at);
        receipt.warnings.extend(other_ttl(effect, &found.records));
        Ok(receipt)
    }

    /// Whether the server would do it now; a `Conflict` where the name has something else.
    pub(super) async fn would_swap(&self, effect: &SwapRecords) -> Result<(), WorldError> {
        let server = self.server(&effect.server)?;
        let found = server.look(&effect.name).await?;
        if !found.records.lead_as(&effect.from) && !found.records.lead_as(&effect.to) {
            let changed = server.changed(effect, &found.records);
            return Err(WorldError {
                kind: ErrorKind::Conflict,
                ..changed
            });
        }
        server.ask(effect, &found).await.map(|_| ())
    }

    pub(super) async fn resolve_swap(&self, effect: &SwapRecords) -> Result<Resolution, WorldError> {
        let server = self.server(&effect.server)?;
        let found = server.look(&effect.name).await?;
        Ok(if effect.only_ask {
            Resolution::NotDone
        } else if is_done(effect, &found.records) {
            Resolution::Done(Box::new(done(effect, (self.now)())))
        } else if found.records.lead_as(&effect.from) {
            Resolution::NotDone
        } else {
            Resolution::CannotTell(format!(
                "{} has {}: neither what it had nor what it was to get, so somebody else has changed it",
                effect.name, found.records
            ))
        })
    }
}

/// One DNS server in the hands of one effect.
#[derive(Clone, Copy)]
struct Server<'a> {
    name: &'a str,
    names: &'a dyn Names,
}

impl Server<'_> {
    fn error(&self, kind: ErrorKind, message: String) -> WorldError {
        WorldError::new(kind, self.name, message)
    }

    async fn look(&self, name: &DomainName) -> Result<NameSeen, WorldError> {
        let found = self.names.look(name).await?;
        found.ok_or_else(|| {
            let message = format!("{name} is in none of the zones that the inventory names for it");
            self.error(ErrorKind::WrongTarget, message)
        })
    }

    fn compare(&self, effect: &SwapRecords, found: &NameSeen) -> Result<(), WorldError> {
        if found.records.lead_as(&effect.from) {
            return Ok(());
        }
        Err(self.changed(effect, &found.records))
    }

    /// What the plan did not see, nobody has decided about.
    fn changed(&self, effect: &SwapRecords, found: &Records) -> WorldError {
        let message = format!(
            "{} has {found}; the plan saw {} and wants {}",
            effect.name, effect.from, effect.to
        );
        // A second try would meet the same: no conflict that passes.
        self.error(ErrorKind::Rejected, message)
            .hint("find out who has changed it; then plan again")
    }

    /// Asks whether it would do it; nothing is changed.
    async fn ask(&self, effect: &SwapRecords, found: &NameSeen) -> Result<Receipt, WorldError> {
        // Perhaps it is done already.
        let has = if found.records.lead_as(&effect.to) {
            &effect.to
        } else {
            self.compare(effect, found)?;
            &effect.from
        };
        match self.names.check(&effect.name, has, &effect.to).await {
            Err(error) if error.kind == ErrorKind::Conflict => Err(self.refused(effect, error).await),
            Err(error) => Err(error),
            Ok(()) => Ok(Receipt {
                summary: format!("{} has {has}, and {} takes the key", effect.name, self.name),
                skipped: vec![format!("the change itself: it was only asked; {OPEN}")],
                ..Receipt::default()
            }),
        }
    }

    async fn swap(&self, effect: &SwapRecords) -> Result<(), WorldError> {
        match self.names.swap(&effect.name, &effect.from, &effect.to).await {
            Err(error) if error.kind == ErrorKind::Conflict => Err(self.refused(effect, error).await),
            answer => answer,
        }
    }

    /// The server does not find there what it is told to replace.
    async fn refused(&self, effect: &SwapRecords, error: WorldError) -> WorldError {
        let now = self.look(&effect.name).await;
        match now {
            Ok(found) if !found.records.lead_as(&effect.from) => {
                let mut changed = self.changed(effect, &found.records);
                changed.causes.push(error.message);
                changed
            }
            // It has more than it was asked for, or answers with what it does not have.
            _ => WorldError {
                kind: ErrorKind::Rejected,
                ..error
            }
            .hint(unseen(effect)),
        }
    }

    async fn read_back(&self, effect: &SwapRecords, attempt: &Attempt) -> Result<NameSeen, WorldError> {
        let seen = until_limit(attempt, READ_BACK_MS, || {
            Box::pin(async {
                let found = self.look(&effect.name).await?;
                Ok(if found.records.lead_as(&effect.to) {
                    Look::Done(found)
                } else {
                    Look::Waiting(format!("{} still answers with {}", self.name, found.records))
                })
            })
        });
        seen.await?.map_err(|last| {
            let message = format!(
                "it took the change of {} and does not answer with it after {}: {last}",
                effect.name,
                Millis(READ_BACK_MS)
            );
            self.error(ErrorKind::Damaged, message)
                .hint("name the zone's primary server itself in the inventory, not what stands before it")
        })
    }
}

/// Whether the name has what it was to get. Where only the TTL is to change, it has to have changed.
fn is_done(effect: &SwapRecords, found: &Records) -> bool {
    if effect.from.lead_as(&effect.to) {
        return *found == effect.to;
    }
    found.lead_as(&effect.to)
}

/// What no look at addresses and aliases shows.
fn unseen(effect: &SwapRecords) -> String {
    let name = &effect.name;
    if effect.to.set(RecordKind::Cname).is_some() {
        return format!(
            "`dig +norecurse @<server> {name} ANY` tells what else it has, TXT or MX: beside an alias nothing may stand, so \
             take it away, or give the name `addresses`"
        );
    }
    format!(
        "ask the server: `dig +norecurse @<server> {name}`; where a wildcard answers for the name, give the name \
         records of its own first"
    )
}

fn done(effect: &SwapRecords, at: Timestamp) -> Receipt {
    let until = at.saturating_add(SignedDuration::from_secs(i64::from(effect.outlives_s)));
    let until = until.unwrap_or(Timestamp::MAX);
    let caches = match effect.outlives_s {
        0 => String::new(),
        _ => format!(
            "; caches may give the old answer until {}",
            until.strftime("%Y-%m-%d %H:%M:%S UTC")
        ),
    };
    let mut receipt = Receipt {
        summary: format!("{}, read back from {}{caches}", effect.change(), effect.server),
        ..Receipt::default()
    };
    let whole = until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    receipt.outputs.insert("caches_until".to_owned(), whole);
    receipt
}

/// Customers come as fast as the TTL lets them, the next time too.
fn other_ttl(effect: &SwapRecords, found: &Records) -> Option<String> {
    let (wanted, given) = (effect.to.ttl_s()?, found.ttl_s()?);
    (wanted != given).then(|| {
        format!(
            "{} answers with a TTL of {} instead of {}",
            effect.server,
            Millis::of_seconds(given),
            Millis::of_seconds(wanted)
        )
    })
}
