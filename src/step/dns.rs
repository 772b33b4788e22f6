//! `dns`: let a domain name lead elsewhere.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;

use super::params::DnsName;
use super::{Hand, Observed, Place, Refusal, Scene, Script, StepKind};
use crate::effect::{Effect, NameSeen, Pause, Query, RecordKind, Records, Seen, SwapRecords};
use crate::runbook::DnsEndpoint;
use crate::text::{DomainName, Millis, shell_word};

/// Of a name that has nothing yet, where the runbook says nothing: what a recovery can wait for.
const TTL_S: u32 = 60;

/// No cache keeps an answer for longer than a week, whatever it is told.
const TTL_MAX_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// The kind.
#[derive(Debug)]
pub(super) struct Dns;

/// Which name, and where it leads.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// The DNS server, as the inventory names it under `dns`.
    server: DnsName,
    /// The name that customers use, in one of that server's zones.
    name: DomainName,
    /// All addresses that the name is to have, IPv4 and IPv6; or use `alias`. Write them down as values of the
    /// sites and refer to them by the role, `${sites.standby.address}`: then a failback leads back.
    #[schemars(length(min = 1))]
    addresses: Option<Vec<IpAddr>>,
    /// The name that it becomes an alias of (CNAME); or use `addresses`.
    alias: Option<DomainName>,
    /// For how long caches may keep the new answer, in whole seconds. Without it: for as long as the old one, and 1m
    /// where there is none.
    ttl: Option<Millis>,
    /// Whether the step goes on until caches should have forgotten the old answer. Its `timeout` has to be longer.
    #[serde(default)]
    wait_for_caches: bool,
}

impl StepKind for Dns {
    const NAME: &'static str = "dns";
    const SUMMARY: &'static str = "Let a domain name lead elsewhere, if it leads exactly where the plan saw it lead; done when its server answers so.";
    const OUTPUTS: &'static [&'static str] = &["caches_until"];
    const TAKES_OVER: bool = true;
    const EXAMPLE: &'static str = include_str!("../../examples/dns.yaml");
    type Params = Params;

    fn specimen() -> Vec<Effect> {
        let records = |address: [u8; 4]| Records::addresses(&[IpAddr::from(address)], TTL_S);
        let (from, to) = (records([192, 0, 2, 10]), records([198, 51, 100, 7]));
        let Ok(name) = "shop.acme.example".parse() else {
            return Vec::new();
        };
        vec![Effect::SwapRecords(SwapRecords {
            server: "corp".to_owned(),
            name,
            outlives_s: from.outlive_s(&to, 0),
            from,
            to,
            only_ask: false,
        })]
    }

    fn check(params: &Params) -> Result<(), String> {
        if params.addresses.is_some() == params.alias.is_some() {
            return Err("say where the name leads: `addresses` or `alias`, and not both".into());
        }
        match params.ttl {
            Some(Millis(ms)) if ms % 1000 != 0 || ms == 0 || ms > TTL_MAX_MS => {
                Err("`ttl` is whole seconds, from 1s to 168h: caches keep nothing for longer".into())
            }
            _ => Ok(()),
        }
    }

    fn queries(params: &Params, _: &Scene<'_>) -> Vec<Query> {
        vec![params.question()]
    }

    fn script(params: &Params, _: &Scene<'_>, seen: &Observed) -> Result<Script, Refusal> {
        let Seen::Name(Some(found)) = seen.get(&params.question())? else {
            return Err(params.nowhere());
        };
        if params.alias.is_some() && found.zone == params.name {
            return Err(Refusal::no(
                format!("{} is a zone itself, and a zone cannot be an alias", params.name),
                "give it `addresses`",
            ));
        }
        let swap = params.swap(found);
        // Also where nothing is to be changed: the run sees to it that it is so.
        let undo = (swap.from != swap.to).then(|| Effect::SwapRecords(swap.reversed(found.absent_s)));
        let pause = params.wait_for_caches.then(|| {
            Effect::Pause(Pause {
                for_ms: Millis::of_seconds(swap.outlives_s).0,
                reason: format!("caches to forget where {} led", swap.name),
                after_change: true,
            })
        });
        Ok(Script {
            effects: std::iter::once(Effect::SwapRecords(swap)).chain(pause).collect(),
            undo: undo.into_iter().collect(),
        })
    }

    fn by_hand(params: &Params, place: &Place<'_>) -> Vec<Hand> {
        let dig = Hand::run(params.dig(place));
        let mut hands = vec![
            Hand::say("Write down what the name has now, with its TTL (the number), to be able to go back:"),
            dig.clone(),
        ];
        if params.alias.is_some() {
            hands.push(Hand::say(
                "Beside an alias nothing may stand: if this answers with TXT, MX or anything else than A, AAAA and CNAME, stop:",
            ));
            hands.push(Hand::run(params.dig_all(place)));
        }
        if params.ttl.is_none() {
            hands.push(Hand::run("TTL=<the number, in seconds>"));
        }
        hands.extend([
            Hand::run(params.nsupdate(place)),
            Hand::say("It is done when the server answers with it:"),
            dig,
            Hand::say("Caches may give the old answer for as long as the old TTL said."),
        ]);
        hands
    }
}

impl Params {
    fn question(&self) -> Query {
        Query::Name {
            server: self.server.0.clone(),
            name: self.name.clone(),
        }
    }

    fn nowhere(&self) -> Refusal {
        Refusal::no(
            format!("{} is in none of the zones of {}", self.name, self.server.0),
            "if that server is its primary, add the zone to `zones` in the inventory",
        )
    }

    fn swap(&self, found: &NameSeen) -> SwapRecords {
        let ttl_s = match self.ttl {
            Some(Millis(ms)) => u32::try_from(ms / 1000).unwrap_or(u32::MAX),
            None => found.records.ttl_s().unwrap_or(TTL_S),
        };
        let to = self.records(ttl_s);
        SwapRecords {
            server: self.server.0.clone(),
            name: self.name.clone(),
            outlives_s: found.records.outlive_s(&to, found.absent_s),
            from: found.records.clone(),
            to,
            only_ask: false,
        }
    }

    fn records(&self, ttl_s: u32) -> Records {
        match &self.alias {
            Some(alias) => Records::alias(alias, ttl_s),
            None => Records::addresses(self.addresses.as_deref().unwrap_or_default(), ttl_s),
        }
    }

    /// Host and port of the server, as far as the inventory knows them.
    fn address<'p>(&self, place: &'p Place<'_>) -> (&'p str, &'p str) {
        let server = place.sites.dns.get(&self.server.0);
        match server.map(|server| &server.endpoint) {
            Some(DnsEndpoint::Rfc2136(at)) => at
                .server
                .rsplit_once(':')
                .map_or((at.server.as_str(), "53"), |(host, port)| {
                    (host.trim_start_matches('[').trim_end_matches(']'), port)
                }),
            Some(DnsEndpoint::Embedded(_)) | None => ("<the DNS server>", "53"),
        }
    }

    fn dig(&self, place: &Place<'_>) -> String {
        let (host, port) = self.address(place);
        let name = shell_word(self.name.as_str());
        let asked: Vec<String> = RecordKind::ALL
            .iter()
            .map(|kind| format!("{name} {}", kind.word()))
            .collect();
        format!(
            "dig {} -p {port} +norecurse +noall +answer {}",
            shell_word(&format!("@{host}")),
            asked.join(" ")
        )
    }

    /// By TCP: a server may say less by UDP.
    fn dig_all(&self, place: &Place<'_>) -> String {
        let (host, port) = self.address(place);
        let name = shell_word(self.name.as_str());
        format!(
            "dig {} -p {port} +tcp +norecurse +noall +answer {name} ANY",
            shell_word(&format!("@{host}"))
        )
    }

    /// All of it is one request, which the server does as a whole or not at all.
    fn nsupdate(&self, place: &Place<'_>) -> String {
        let (host, port) = self.address(place);
        let server = place.sites.dns.get(&self.server.0);
        let mut lines = vec![format!("server {host} {port}")];
        let zone = server.and_then(|server| self.name.zone_of(&server.zones));
        lines.extend(zone.map(|zone| format!("zone {zone}")));
        lines.extend(RecordKind::ALL.map(|kind| format!("update delete {} {}", self.name, kind.word())));
        let ttl = self.ttl.map(|Millis(ms)| (ms / 1000).to_string());
        for set in self.records(0).sets() {
            lines.extend(set.values.iter().map(|value| {
                let ttl = ttl.as_deref().unwrap_or("$TTL");
                format!("update add {} {ttl} {} {value}", self.name, set.kind.word())
            }));
        }
        lines.push("send".to_owned());
        let key = match server.map(|server| &server.endpoint) {
            Some(DnsEndpoint::Rfc2136(at)) => shell_word(&at.key_file.display().to_string()),
            Some(DnsEndpoint::Embedded(_)) | None => "<file of the key>".to_owned(),
        };
        let words: Vec<String> = lines.iter().map(|line| format!("\"{line}\"")).collect();
        format!("printf '%s\\n' {} | nsupdate -v -k {key}", words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn params(more: &serde_json::Value) -> Params {
        let mut json = serde_json::json!({ "server": "corp", "name": "shop.acme.example" });
        json.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        serde_json::from_value(json).unwrap()
    }

    fn scripted(params: &Params, has: Option<Records>) -> Result<Script, Refusal> {
        let seen = has.map(|records| NameSeen {
            zone: "acme.example".parse().unwrap(),
            records,
            absent_s: 900,
        });
        let mut observed = Observed::default();
        observed.insert(params.question(), Seen::Name(seen));
        let scene = Scene {
            runbook: "shop",
            folder: std::path::Path::new("."),
            step: "move",
            backups: &BTreeMap::new(),
        };
        Dns::script(params, &scene, &observed)
    }

    fn lines(script: &Script) -> Vec<String> {
        let effects = script.effects.iter().chain(&script.undo);
        effects
            .map(|effect| {
                let line = effect.meaning().line();
                format!("{} {}", line.symbol.glyph(), line.what)
            })
            .collect()
    }

    fn at(address: &str, ttl_s: u32) -> Records {
        Records::addresses(&[address.parse().unwrap()], ttl_s)
    }

    #[test]
    fn it_says_what_leads_where_and_how_long_caches_keep_the_old_answer() {
        let to = params(&serde_json::json!({ "addresses": ["198.51.100.7", "2001:db8::7"], "ttl": "30s" }));
        let script = scripted(&to, Some(at("192.0.2.10", 300))).unwrap();
        insta::assert_snapshot!(lines(&script).join("\n"), @"
        ~ shop.acme.example  A 192.0.2.10 → A 198.51.100.7; AAAA 2001:db8::7 (TTL 30s); caches may keep the old answer for 5m more
        ~ shop.acme.example  A 198.51.100.7; AAAA 2001:db8::7 → A 192.0.2.10 (TTL 5m); caches may keep the old answer for 30s more
        ");
    }

    #[test]
    fn a_name_that_has_nothing_is_made_and_taken_away_again() {
        let to = params(&serde_json::json!({ "alias": "front.west.acme.example.", "wait_for_caches": true }));
        let script = scripted(&to, Some(Records::default())).unwrap();
        insta::assert_snapshot!(lines(&script).join("\n"), @"
        + shop.acme.example  nothing → CNAME front.west.acme.example (TTL 1m); caches may keep the old answer for 15m more
        . 15m for caches to forget where shop.acme.example led
        - shop.acme.example  CNAME front.west.acme.example → nothing; caches may keep the old answer for 1m more
        ");
    }

    #[test]
    fn what_is_already_so_is_seen_to_and_not_taken_back() {
        let to = params(&serde_json::json!({ "addresses": ["192.0.2.10"], "wait_for_caches": true }));
        let script = scripted(&to, Some(at("192.0.2.10", 300))).unwrap();
        assert_eq!((script.effects.len(), script.undo.len()), (2, 0));
        assert!(
            lines(&script)[0].ends_with("→ A 192.0.2.10 (TTL 5m)"),
            "{script:?}"
        );
        assert!(lines(&script)[1].starts_with(". 0s for caches"), "{script:?}");
        let shorter = params(&serde_json::json!({ "addresses": ["192.0.2.10"], "ttl": "30s" }));
        let script = scripted(&shorter, Some(at("192.0.2.10", 300))).unwrap();
        assert_eq!(script.undo.len(), 1, "another TTL is a change");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let apex: Params = serde_json::from_value(
            serde_json::json!({ "server": "corp", "name": "acme.example", "alias": "front.example" }),
        )
        .unwrap();
        let refused = |refusal: Refusal| match refusal {
            Refusal::No { why, .. } => why,
            Refusal::Unanswered(error) => panic!("{error}"),
        };
        let why = refused(scripted(&apex, Some(Records::default())).unwrap_err());
        assert_eq!(
            why,
            "acme.example is a zone itself, and a zone cannot be an alias"
        );
        let to = params(&serde_json::json!({ "addresses": ["192.0.2.10"] }));
        let why = refused(scripted(&to, None).unwrap_err());
        assert_eq!(why, "shop.acme.example is in none of the zones of corp");
        for wrong in [
            serde_json::json!({}),
            serde_json::json!({ "addresses": ["192.0.2.1"], "alias": "a.b" }),
            serde_json::json!({ "addresses": ["192.0.2.1"], "ttl": "500ms" }),
            serde_json::json!({ "addresses": ["192.0.2.1"], "ttl": "169h" }),
        ] {
            assert!(Dns::check(&params(&wrong)).is_err(), "{wrong}");
        }
    }
}
