//! A DNS server that takes dynamic updates (RFC 2136), signed with TSIG (RFC 8945), as [`Names`].
//!
//! ## Why
//!
//! - **TCP only**, which every server has to speak (RFC 7766). A connection that was not made is known to have carried
//!   nothing; of a lost datagram nobody knows. No answer is cut off, and nothing is sent a second time by itself.
//! - **Questions are signed too.** Then the answers are, and whoever signs them holds the key: it says who the server is
//!   as a pin does, at every look. An answer without its signature is not believed, whatever it says, unless it refuses
//!   what would have changed nothing: what a server says of a key that it does not know, it cannot sign. After a change
//!   even an unsigned no leaves open what was done, and a look tells.
//! - **One message, all or nothing.** The conditions name all records of every kind that is changed, so the server
//!   compares and changes under its own lock; and for an alias, that nothing stands beside it.
//! - **A signature is good for five minutes**, so a request that was lost on the way changes nothing later than that.
//! - **The key is read for each connection**, so that one that was replaced is used at once.

mod key;
#[cfg(test)]
mod live_tests;
mod message;
#[cfg(test)]
mod tests;
mod wire;
mod words;

use std::path::PathBuf;

use hickory_proto::rr::RecordType;

use self::wire::Line;
use super::port::{Answer, Names};
use crate::effect::{ErrorKind, NameSeen, Records, WorldError};
use crate::runbook::Rfc2136;
use crate::text::DomainName;

/// The primary server of some zones.
pub struct Primary {
    name: String,
    server: String,
    key_file: PathBuf,
    zones: Vec<DomainName>,
    limits: Limits,
}

/// How long a server may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    connect_ms: u64,
    answer_ms: u64,
}

/// A server that is there takes a connection in milliseconds, and answers for its own zones as fast; an update waits
/// for its disk. Three or four questions have to fit into the time that people and the engine give one look.
const LIMITS: Limits = Limits {
    connect_ms: 5_000,
    answer_ms: 5_000,
};

impl Primary {
    /// The server called `name`; sends nothing.
    pub fn new(name: &str, at: &Rfc2136, zones: &[DomainName]) -> Self {
        Self {
            name: name.to_owned(),
            server: at.server.clone(),
            key_file: at.key_file.clone(),
            zones: zones.to_vec(),
            limits: LIMITS,
        }
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> WorldError {
        WorldError::new(kind, &self.name, message)
    }

    fn zone(&self, name: &DomainName) -> Result<&DomainName, WorldError> {
        name.zone_of(&self.zones).ok_or_else(|| {
            let message = format!("{name} is in none of the zones that the inventory names for it");
            self.error(ErrorKind::WrongTarget, message)
        })
    }

    /// An alias has nothing beside it, so where there is one the rest is not asked for.
    async fn seen(&self, name: &DomainName) -> Result<Option<NameSeen>, WorldError> {
        let Some(zone) = name.zone_of(&self.zones) else {
            return Ok(None);
        };
        let mut line = Line::open(self).await?;
        let about_zone = line.look(zone, RecordType::SOA).await?;
        let Some(absent_s) = message::absent_s(&about_zone, zone) else {
            return Err(words::not_primary(self, zone));
        };
        let mut found = message::records(&line.look(name, RecordType::CNAME).await?, name)
            .map_err(|why| self.error(ErrorKind::Rejected, why))?;
        if found.is_empty() {
            for kind in [RecordType::A, RecordType::AAAA] {
                let answer = line.look(name, kind).await?;
                let more = message::records(&answer, name);
                found.extend(more.map_err(|why| self.error(ErrorKind::Rejected, why))?);
            }
        }
        Ok(Some(NameSeen {
            zone: zone.clone(),
            records: Records::of(found),
            absent_s,
        }))
    }

    /// Sends the conditions, and with them the change, if it is to be made.
    async fn update(
        &self,
        name: &DomainName,
        (from, to): (&Records, &Records),
        changes: bool,
    ) -> Result<(), WorldError> {
        let zone = self.zone(name)?;
        let request = if changes {
            message::update(zone, name, from, to)
        } else {
            message::conditions(zone, name, from, to)
        };
        let request = request.map_err(|why| self.error(ErrorKind::Internal, why))?;
        let mut line = Line::open(self).await?;
        line.update(zone, name, request, changes).await
    }
}

impl Names for Primary {
    fn look<'a>(&'a self, name: &'a DomainName) -> Answer<'a, Option<NameSeen>> {
        Box::pin(self.seen(name))
    }

    fn check<'a>(&'a self, name: &'a DomainName, from: &'a Records, to: &'a Records) -> Answer<'a, ()> {
        Box::pin(self.update(name, (from, to), false))
    }

    fn swap<'a>(&'a self, name: &'a DomainName, from: &'a Records, to: &'a Records) -> Answer<'a, ()> {
        Box::pin(self.update(name, (from, to), true))
    }
}
