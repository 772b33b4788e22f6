//! From records to messages, and from messages to records.

use std::net::IpAddr;

use hickory_proto::op::{Message, OpCode, Query};
use hickory_proto::rr::rdata::CNAME;
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use crate::effect::{RecordKind, RecordSet, Records};
use crate::text::DomainName;

/// What a name that customers use may have besides. A server takes no alias where any of it stands and says nothing
/// (RFC 2136, 3.4.2.2), while what made way for the alias is gone: so that none of it is there is a condition too.
const BESIDE: [RecordType; 12] = [
    RecordType::NS,
    RecordType::PTR,
    RecordType::MX,
    RecordType::TXT,
    RecordType::SRV,
    RecordType::NAPTR,
    RecordType::SSHFP,
    RecordType::TLSA,
    RecordType::SVCB,
    RecordType::HTTPS,
    RecordType::CAA,
    RecordType::HINFO,
];

const fn kind_of(kind: RecordKind) -> RecordType {
    match kind {
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
        RecordKind::Cname => RecordType::CNAME,
    }
}

fn wire_name(name: &str) -> Result<Name, String> {
    Name::from_ascii(format!("{name}.")).map_err(|error| format!("{name}: {error}"))
}

/// A question for what the server itself knows.
pub(super) fn question(name: &DomainName, kind: RecordType) -> Result<Message, String> {
    let mut message = Message::query();
    message.metadata.recursion_desired = false;
    message.add_query(Query::query(wire_name(name.as_str())?, kind));
    Ok(message)
}

/// The conditions of a change alone: the name has exactly these records, and nothing that an alias cannot bear.
pub(super) fn conditions(
    zone: &DomainName,
    name: &DomainName,
    from: &Records,
    to: &Records,
) -> Result<Message, String> {
    let owner = wire_name(name.as_str())?;
    let mut message = Message::query();
    message.metadata.op_code = OpCode::Update;
    message.metadata.recursion_desired = false;
    message.add_query(Query::query(wire_name(zone.as_str())?, RecordType::SOA));
    for kind in RecordKind::ALL {
        match from.set(kind) {
            // The whole set has to be equal; TTLs are zero here and do not count (RFC 2136, 2.4.2).
            Some(set) => message.add_answers(written(&owner, set, 0)?),
            None => message.add_answer(bare(&owner, kind_of(kind), DNSClass::NONE)),
        };
    }
    if to.set(RecordKind::Cname).is_some() {
        message.add_answers(BESIDE.map(|kind| bare(&owner, kind, DNSClass::NONE)));
    }
    Ok(message)
}

/// A change with its conditions: one message, which the server does as a whole or not at all.
pub(super) fn update(
    zone: &DomainName,
    name: &DomainName,
    from: &Records,
    to: &Records,
) -> Result<Message, String> {
    let owner = wire_name(name.as_str())?;
    let mut message = conditions(zone, name, from, to)?;
    let changed = || {
        RecordKind::ALL
            .into_iter()
            .filter(|&kind| from.set(kind) != to.set(kind))
    };
    // What goes, goes first: beside an alias nothing may stand.
    let gone = changed().filter(|&kind| from.set(kind).is_some());
    message.add_authorities(
        gone.map(|kind| bare(&owner, kind_of(kind), DNSClass::ANY))
            .collect::<Vec<_>>(),
    );
    for set in changed().filter_map(|kind| to.set(kind)) {
        message.add_authorities(written(&owner, set, set.ttl_s)?);
    }
    Ok(message)
}

/// A record without data: a condition, or a whole set that goes.
fn bare(owner: &Name, kind: RecordType, class: DNSClass) -> Record {
    let mut record = Record::update0(owner.clone(), 0, kind);
    record.dns_class = class;
    record
}

fn written(owner: &Name, set: &RecordSet, ttl_s: u32) -> Result<Vec<Record>, String> {
    let one = |value: &String| {
        let data = data(set.kind, value)?;
        Ok(Record::from_rdata(owner.clone(), ttl_s, data))
    };
    set.values.iter().map(one).collect()
}

fn data(kind: RecordKind, value: &str) -> Result<RData, String> {
    let wrong = || format!("{value} is not the data of a record of type {}", kind.word());
    match (kind, value.parse()) {
        (RecordKind::Cname, _) => Ok(RData::CNAME(CNAME(wire_name(value)?))),
        (RecordKind::A, Ok(IpAddr::V4(address))) => Ok(RData::A(address.into())),
        (RecordKind::Aaaa, Ok(IpAddr::V6(address))) => Ok(RData::AAAA(address.into())),
        _ => Err(wrong()),
    }
}

/// What an answer holds of this very name.
///
/// # Errors
///
/// An alias of a name that is none of a host.
pub(super) fn records(answer: &Message, name: &DomainName) -> Result<Vec<(RecordKind, u32, String)>, String> {
    let owner = wire_name(name.as_str())?;
    let mut found = Vec::new();
    for record in answer.answers.iter().filter(|record| record.name == owner) {
        let (kind, value) = match &record.data {
            RData::A(address) => (RecordKind::A, address.0.to_string()),
            RData::AAAA(address) => (RecordKind::Aaaa, address.0.to_string()),
            RData::CNAME(alias) => {
                let alias: DomainName = alias.0.to_ascii().parse()?;
                (RecordKind::Cname, alias.to_string())
            }
            _ => continue,
        };
        found.push((kind, record.ttl, value));
    }
    Ok(found)
}

/// For how long a cache may keep that a name of the zone is not there (RFC 2308, 5); `None`: no word of the zone.
pub(super) fn absent_s(answer: &Message, zone: &DomainName) -> Option<u32> {
    let owner = wire_name(zone.as_str()).ok()?;
    let mut of_zone = answer.answers.iter().filter(|record| record.name == owner);
    of_zone.find_map(|record| match &record.data {
        RData::SOA(soa) => Some(soa.minimum.min(record.ttl)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        text.parse().unwrap()
    }

    fn drawn(message: &Message) -> String {
        let draw = |records: &[Record]| {
            let lines = records.iter().map(|one| {
                let data = match &one.data {
                    RData::Update0(_) => String::new(),
                    data => format!(" {data}"),
                };
                format!(
                    "  {} {} {} {}{data}",
                    one.name,
                    one.ttl,
                    one.dns_class,
                    one.record_type()
                )
            });
            lines.collect::<Vec<_>>().join("\n")
        };
        format!(
            "{:?} of {}\nif\n{}\nthen\n{}",
            message.op_code,
            message.queries[0].name,
            draw(&message.answers),
            draw(&message.authorities)
        )
    }

    fn addresses(all: &[&str], ttl_s: u32) -> Records {
        let all: Vec<IpAddr> = all.iter().map(|one| one.parse().unwrap()).collect();
        Records::addresses(&all, ttl_s)
    }

    #[test]
    fn every_kind_is_in_the_conditions_and_only_what_differs_is_changed() {
        let from = addresses(&["192.0.2.10", "2001:db8::1"], 300);
        let to = addresses(&["198.51.100.7", "198.51.100.8", "2001:db8::1"], 300);
        let message = update(&name("acme.example"), &name("shop.acme.example"), &from, &to).unwrap();
        insta::assert_snapshot!(drawn(&message), @"
        Update of acme.example.
        if
          shop.acme.example. 0 IN A 192.0.2.10
          shop.acme.example. 0 IN AAAA 2001:db8::1
          shop.acme.example. 0 NONE CNAME
        then
          shop.acme.example. 0 ANY A
          shop.acme.example. 300 IN A 198.51.100.7
          shop.acme.example. 300 IN A 198.51.100.8
        ");
    }

    #[test]
    fn an_alias_goes_before_the_addresses_that_take_its_place() {
        let from = Records::alias(&name("front.acme.example"), 60);
        let to = addresses(&["198.51.100.7"], 30);
        let message = update(&name("acme.example"), &name("shop.acme.example"), &from, &to).unwrap();
        insta::assert_snapshot!(drawn(&message), @"
        Update of acme.example.
        if
          shop.acme.example. 0 NONE A
          shop.acme.example. 0 NONE AAAA
          shop.acme.example. 0 IN CNAME front.acme.example.
        then
          shop.acme.example. 0 ANY CNAME
          shop.acme.example. 30 IN A 198.51.100.7
        ");
    }

    #[test]
    fn a_question_whether_is_the_conditions_alone() {
        let (from, to) = (Records::default(), addresses(&["198.51.100.7"], 30));
        let message = conditions(&name("acme.example"), &name("shop.acme.example"), &from, &to).unwrap();
        insta::assert_snapshot!(drawn(&message), @"
        Update of acme.example.
        if
          shop.acme.example. 0 NONE A
          shop.acme.example. 0 NONE AAAA
          shop.acme.example. 0 NONE CNAME
        then
        ");
    }

    #[test]
    fn an_alias_is_asked_for_only_where_nothing_stands_beside_it() {
        let from = addresses(&["192.0.2.10"], 300);
        let to = Records::alias(&name("front.west.example"), 60);
        let message = update(&name("acme.example"), &name("shop.acme.example"), &from, &to).unwrap();
        insta::assert_snapshot!(drawn(&message), @"
        Update of acme.example.
        if
          shop.acme.example. 0 IN A 192.0.2.10
          shop.acme.example. 0 NONE AAAA
          shop.acme.example. 0 NONE CNAME
          shop.acme.example. 0 NONE NS
          shop.acme.example. 0 NONE PTR
          shop.acme.example. 0 NONE MX
          shop.acme.example. 0 NONE TXT
          shop.acme.example. 0 NONE SRV
          shop.acme.example. 0 NONE NAPTR
          shop.acme.example. 0 NONE SSHFP
          shop.acme.example. 0 NONE TLSA
          shop.acme.example. 0 NONE SVCB
          shop.acme.example. 0 NONE HTTPS
          shop.acme.example. 0 NONE CAA
          shop.acme.example. 0 NONE HINFO
        then
          shop.acme.example. 0 ANY A
          shop.acme.example. 60 IN CNAME front.west.example.
        ");
    }
}
