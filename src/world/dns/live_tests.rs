//! Against a real BIND of the lab, with its own log and `dig` as witnesses:
//! `LIFEBOAT_LAB=<folder> cargo test --lib -- --ignored live`. A machine without Debian's packages has no name server
//! in its lab; then these tests fail.

use std::process::Command;

use super::*;
use crate::world::lab::{Lab, fresh};

/// The lab's name server.
struct Witness {
    lab: Lab,
}

impl Witness {
    async fn open() -> Self {
        let lab = Lab::open().await;
        let there = lab.about.get("names").is_some();
        assert!(there, "there is no name server: {}", lab.about["noNames"]);
        Self { lab }
    }

    fn primary(&self, key: &str, zones: &[&str]) -> Primary {
        let at = Rfc2136 {
            server: self.lab.text("/names/address"),
            key_file: self.lab.text(key).into(),
        };
        let zones: Vec<DomainName> = zones.iter().map(|zone| zone.parse().unwrap()).collect();
        Primary::new("names", &at, &zones)
    }

    fn ours(&self) -> Primary {
        self.primary("/names/key", &["acme.example"])
    }

    /// What another program than ours is told.
    fn dig(&self, name: &DomainName, kind: &str) -> String {
        let address = self.lab.text("/names/address");
        let (host, port) = address.rsplit_once(':').unwrap();
        let environment = self.lab.text("/names/environment");
        let (variable, value) = environment.split_once('=').unwrap();
        let said = Command::new(self.lab.text("/names/dig"))
            .env(variable, value)
            .args([
                &format!("@{host}"),
                "-p",
                port,
                "+tcp",
                "+norecurse",
                "+noall",
                "+answer",
            ])
            .args([name.as_str(), kind])
            .output()
            .unwrap();
        assert!(said.status.success(), "{said:?}");
        let text = String::from_utf8(said.stdout).unwrap();
        let mut lines: Vec<String> = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        lines.sort();
        lines.join("\n")
    }

    /// Lines of the server's own log about a name.
    async fn log(&self, name: &DomainName) -> Vec<String> {
        let text = tokio::fs::read_to_string(self.lab.text("/names/updates"))
            .await
            .unwrap();
        let lines = text.lines().filter(|line| line.contains(name.as_str()));
        lines.map(str::to_owned).collect()
    }
}

/// A name of the lab's zone that nobody else uses.
fn new_name() -> DomainName {
    format!("{}.acme.example", fresh("t")).parse().unwrap()
}

fn at(addresses: &[&str], ttl_s: u32) -> Records {
    let all: Vec<std::net::IpAddr> = addresses.iter().map(|one| one.parse().unwrap()).collect();
    Records::addresses(&all, ttl_s)
}

async fn has(primary: &Primary, name: &DomainName) -> Records {
    primary.look(name).await.unwrap().unwrap().records
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_dns_a_name_is_made_changed_and_taken_away_and_dig_sees_it() {
    let witness = Witness::open().await;
    let (primary, name) = (witness.ours(), new_name());
    let nothing = primary.look(&name).await.unwrap().unwrap();
    assert_eq!((nothing.zone.as_str(), nothing.absent_s), ("acme.example", 30));
    assert!(nothing.records.is_empty());

    let old = at(&["192.0.2.10", "192.0.2.11", "2001:db8::10"], 300);
    primary.swap(&name, &nothing.records, &old).await.unwrap();
    assert_eq!(has(&primary, &name).await, old);
    assert_eq!(
        witness.dig(&name, "A"),
        format!("{name}. 300 IN A 192.0.2.10\n{name}. 300 IN A 192.0.2.11")
    );
    assert_eq!(
        witness.dig(&name, "AAAA"),
        format!("{name}. 300 IN AAAA 2001:db8::10")
    );

    let new = at(&["198.51.100.7"], 60);
    primary.swap(&name, &old, &new).await.unwrap();
    assert_eq!(witness.dig(&name, "A"), format!("{name}. 60 IN A 198.51.100.7"));
    assert_eq!(witness.dig(&name, "AAAA"), "", "nobody is left on the old side");

    let alias = Records::alias(&"front.west.example".parse().unwrap(), 30);
    primary.swap(&name, &new, &alias).await.unwrap();
    assert_eq!(has(&primary, &name).await, alias);
    assert_eq!(
        witness.dig(&name, "A"),
        format!("{name}. 30 IN CNAME front.west.example.")
    );

    primary.swap(&name, &alias, &old).await.unwrap();
    assert_eq!(has(&primary, &name).await, old);
    primary.swap(&name, &old, &Records::default()).await.unwrap();
    assert_eq!(witness.dig(&name, "ANY"), "");
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_dns_a_ttl_alone_is_changed() {
    let witness = Witness::open().await;
    let (primary, name) = (witness.ours(), new_name());
    let old = at(&["192.0.2.10"], 300);
    primary.swap(&name, &Records::default(), &old).await.unwrap();
    primary.swap(&name, &old, &at(&["192.0.2.10"], 5)).await.unwrap();
    assert_eq!(witness.dig(&name, "A"), format!("{name}. 5 IN A 192.0.2.10"));
    primary
        .swap(&name, &at(&["192.0.2.10"], 5), &Records::default())
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_dns_what_is_not_as_it_was_seen_is_refused_by_the_server_and_stays() {
    let witness = Witness::open().await;
    let (primary, name) = (witness.ours(), new_name());
    let there = at(&["192.0.2.10", "2001:db8::10"], 300);
    primary.swap(&name, &Records::default(), &there).await.unwrap();
    let wanted = at(&["198.51.100.7"], 60);
    for (seen, code) in [
        (at(&["192.0.2.10"], 300), "YXRRSET"),
        (at(&["192.0.2.9", "2001:db8::10"], 300), "NXRRSET"),
        (at(&["192.0.2.10", "192.0.2.11", "2001:db8::10"], 300), "NXRRSET"),
        (Records::default(), "YXRRSET"),
        (Records::alias(&"a.example".parse().unwrap(), 60), "YXRRSET"),
    ] {
        for error in [
            primary.swap(&name, &seen, &wanted).await.unwrap_err(),
            primary.check(&name, &seen, &wanted).await.unwrap_err(),
        ] {
            assert_eq!(error.kind, ErrorKind::Conflict, "{seen}: {error}");
            assert!(error.message.contains(code), "{seen}: {error}");
        }
        assert_eq!(has(&primary, &name).await, there);
    }
    primary.check(&name, &there, &wanted).await.unwrap();
    let log = witness.log(&name).await;
    let changes = log
        .iter()
        .filter(|line| line.contains("adding an RR") || line.contains("deleting"));
    assert_eq!(changes.count(), 2, "the two records that were made: {log:#?}");
    primary.swap(&name, &there, &Records::default()).await.unwrap();
}

/// BIND would take the addresses away and leave the alias out, without a word.
#[tokio::test]
#[ignore = "needs the lab"]
async fn live_dns_a_name_that_has_more_does_not_become_an_alias_and_keeps_its_addresses() {
    let witness = Witness::open().await;
    let primary = witness.ours();
    let name: DomainName = "texted.acme.example".parse().unwrap();
    let there = at(&["192.0.2.10"], 300);
    assert_eq!(has(&primary, &name).await, there);
    let alias = Records::alias(&"front.west.example".parse().unwrap(), 30);
    for error in [
        primary.check(&name, &there, &alias).await.unwrap_err(),
        primary.swap(&name, &there, &alias).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, ErrorKind::Conflict, "{error}");
        assert!(
            error.message.contains("it has more than was seen (YXRRSET)"),
            "{error}"
        );
    }
    assert_eq!(
        witness.dig(&name, "A"),
        "texted.acme.example. 300 IN A 192.0.2.10"
    );
    primary
        .check(&name, &there, &at(&["198.51.100.7"], 60))
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_dns_of_twenty_who_change_a_name_at_once_one_does() {
    let witness = Witness::open().await;
    let (primary, name) = (witness.ours(), new_name());
    let old = at(&["192.0.2.10"], 60);
    primary.swap(&name, &Records::default(), &old).await.unwrap();
    let wanted: Vec<Records> = (1..=20)
        .map(|one| at(&[&format!("198.51.100.{one}")], 60))
        .collect();
    let all = wanted.iter().map(|new| primary.swap(&name, &old, new));
    let answers = futures::future::join_all(all).await;
    let won: Vec<usize> = (0..20).filter(|&at| answers[at].is_ok()).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    let lost = answers.iter().filter_map(|answer| answer.as_ref().err());
    assert!(
        lost.clone().all(|error| error.kind == ErrorKind::Conflict),
        "{answers:?}"
    );
    assert_eq!(has(&primary, &name).await, wanted[won[0]]);
    primary
        .swap(&name, &wanted[won[0]], &Records::default())
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_dns_who_may_not_is_told_why() {
    let witness = Witness::open().await;
    let (nothing, to) = (Records::default(), at(&["198.51.100.7"], 60));
    let mut said = Vec::new();
    let name = |text: &str| -> DomainName { text.parse().unwrap() };
    for (key, zone, of) in [
        ("/names/strangeKey", "acme.example", "new.acme.example"),
        ("/names/key", "fixed.example", "new.fixed.example"),
        ("/names/key", "narrow.example", "new.narrow.example"),
        ("/names/key", "copy.example", "new.copy.example"),
        ("/names/key", "nowhere.example", "new.nowhere.example"),
    ] {
        let primary = witness.primary(key, &[zone]);
        let error = primary.swap(&name(of), &nothing, &to).await.unwrap_err();
        said.push(format!(
            "{:?}: {}",
            error.kind,
            error.message.replace(&primary.server, "<server>")
        ));
    }
    insta::assert_snapshot!(said.join("\n"), @"
    Forbidden: it does not let this key change new.acme.example (REFUSED)
    Forbidden: it does not let this key change new.fixed.example (REFUSED)
    Forbidden: it does not let this key change new.narrow.example (REFUSED)
    Forbidden: it does not let this key change new.copy.example (REFUSED)
    WrongTarget: <server> is not a server of the zone nowhere.example (NOTAUTH)
    ");
    // The one name of that zone that the key may change.
    let narrow = witness.primary("/names/key", &["narrow.example"]);
    let shop = name("shop.narrow.example");
    let old = has(&narrow, &shop).await;
    narrow.swap(&shop, &old, &to).await.unwrap();
    narrow.swap(&shop, &to, &old).await.unwrap();
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_dns_a_key_that_is_wrong_is_told_from_one_that_is_unknown() {
    let witness = Witness::open().await;
    let text = tokio::fs::read_to_string(witness.lab.text("/names/key"))
        .await
        .unwrap();
    let secret = text.split('"').nth(3).unwrap();
    let other = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let mut said = Vec::new();
    for changed in [
        text.replace(secret, other),
        text.replace("lifeboat-lab", "nobody"),
        text.replace("hmac-sha256", "hmac-sha512"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wrong.key");
        tokio::fs::write(&file, changed).await.unwrap();
        let mut primary = witness.ours();
        primary.key_file = file;
        let error = primary
            .look(&"shop.acme.example".parse().unwrap())
            .await
            .unwrap_err();
        said.push(format!(
            "{:?}: {}; {}",
            error.kind,
            error.message,
            error.hints.join("; ")
        ));
    }
    insta::assert_snapshot!(said.join("\n"), @"
    Unauthenticated: it has another secret for the key lifeboat-lab (BADSIG); copy the key's file from the server anew
    Unauthenticated: it does not know the key nobody with that algorithm (BADKEY); compare its name and algorithm in the key's file with the server's configuration
    Unauthenticated: it does not know the key lifeboat-lab with that algorithm (BADKEY); compare its name and algorithm in the key's file with the server's configuration
    ");
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_dns_what_is_not_its_to_say_or_to_swap_is_said() {
    let witness = Witness::open().await;
    let primary = witness.ours();
    let name = |text: &str| -> DomainName { text.parse().unwrap() };
    let error = primary.look(&name("shop.child.acme.example")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::WrongTarget);
    let said = error.message.replace(&primary.server, "<server>");
    insta::assert_snapshot!(said, @"<server> hands shop.child.acme.example on to other servers");
    // A wildcard answers for a name that has no records of its own: the server's comparison knows.
    let wild = name(&format!("{}.wild.acme.example", fresh("w")));
    let found = has(&primary, &wild).await;
    assert_eq!(found, at(&["192.0.2.99"], 60));
    let error = primary
        .check(&wild, &found, &at(&["198.51.100.7"], 60))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict);
    assert!(error.message.contains("NXRRSET"), "{error}");
}
