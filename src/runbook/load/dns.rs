//! The inventory's DNS servers.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use super::sites::check_one_of;
use super::{list, millis, path, spanned, words};
use crate::effect::Records;
use crate::runbook::{DnsEndpoint, DnsServer, Rfc2136};
use crate::text::{Diagnostic, Diagnostics, DomainName, Key, Node, Span, codes, quote};

/// Where every DNS server listens, unless it is said otherwise.
const PORT: u16 = 53;

/// How long a cache may keep a record that begins here, where nothing is said: a minute.
const TTL_S: u32 = 60;

/// Reads one server of a document that has been held against the schema.
pub(super) fn read(key: &Key, node: &Node, folder: &Path, found: &mut Diagnostics) -> Option<DnsServer> {
    let zones: Vec<DomainName> = words(node, "zones")
        .iter()
        .filter_map(|zone| zone.parse().ok())
        .collect();
    let endpoint = match (node.get("rfc2136"), node.get("embedded")) {
        (Some(node), _) => DnsEndpoint::Rfc2136(rfc2136(node, folder, found)?),
        (None, Some(node)) => DnsEndpoint::Embedded(records(node, &zones, found)),
        (None, None) => return None,
    };
    Some(DnsServer {
        name: key.clone(),
        endpoint,
        zones,
        failure_domain: words(node, "failureDomain"),
    })
}

fn rfc2136(node: &Node, folder: &Path, found: &mut Diagnostics) -> Option<Rfc2136> {
    let server = spanned(node, "server")?;
    let Some(address) = with_port(&server.value) else {
        let message = format!("{} is not the address of a server", quote(&server.value));
        let wrong = Diagnostic::error(codes::BAD_ADDRESS, message, server.span, "not an address");
        found.push(
            wrong.help("write it like 10.0.0.53, 10.0.0.53:5353, [2001:db8::53]:53 or ns1.acme.example"),
        );
        return None;
    };
    Some(Rfc2136 {
        server: address,
        key_file: path(node, "keyFile", folder)?,
    })
}

/// `host:port`.
fn with_port(server: &str) -> Option<String> {
    if let Ok(whole) = server.parse::<SocketAddr>() {
        return Some(whole.to_string());
    }
    if let Ok(ip) = server.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, PORT).to_string());
    }
    let (host, port) = match server.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (server, PORT),
    };
    let host: DomainName = host.parse().ok()?;
    Some(format!("{host}:{port}"))
}

fn records(node: &Node, zones: &[DomainName], found: &mut Diagnostics) -> BTreeMap<DomainName, Records> {
    let mut all = BTreeMap::new();
    for one in list(node, "records") {
        let Some(name) = spanned(one, "name") else {
            continue;
        };
        check_one_of(&name, one, &["addresses", "alias"], found);
        let Ok(domain) = name.value.parse::<DomainName>() else {
            continue;
        };
        if domain.zone_of(zones).is_none() {
            found.push(outside(&domain, name.span, zones));
        }
        let ttl_s = millis(one, "ttl").map_or(TTL_S, |ms| u32::try_from(ms / 1000).unwrap_or(u32::MAX));
        let alias = spanned(one, "alias").and_then(|alias| alias.value.parse().ok());
        let records = alias.map_or_else(
            || Records::addresses(&addresses(one), ttl_s),
            |alias| Records::alias(&alias, ttl_s),
        );
        all.insert(domain, records);
    }
    all
}

fn addresses(node: &Node) -> Vec<IpAddr> {
    let words = words(node, "addresses");
    words.iter().filter_map(|one| one.parse().ok()).collect()
}

/// That a name is in none of a server's zones.
pub(crate) fn outside(name: &DomainName, span: Span, zones: &[DomainName]) -> Diagnostic {
    let zones: Vec<&str> = zones.iter().map(DomainName::as_str).collect();
    let message = format!("{} is in no zone of this DNS server", quote(name.as_str()));
    Diagnostic::error(codes::OUTSIDE_ZONE, message, span, "in none of its zones")
        .help(format!("its `zones` in the inventory: {}", zones.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{load_text, rendered};
    use crate::runbook::{DnsEndpoint, Rfc2136};

    fn inventory(dns: &str) -> String {
        format!(
            "apiVersion: lifeboat.dev/v1alpha1\nkind: Sites\nmetadata: {{ name: acme }}\nspec:\n  \
             sites: {{ east: {{ embedded: {{}} }} }}\n  dns:\n    {dns}\n"
        )
    }

    fn server(address: &str) -> Option<String> {
        let text = inventory(&format!(
            "corp: {{ rfc2136: {{ server: '{address}', keyFile: keys/corp.key }}, zones: [Acme.Example.] }}"
        ));
        let (loaded, _) = load_text(&text);
        let corp = loaded.sites?.dns.remove("corp")?;
        assert_eq!(corp.zones[0].as_str(), "acme.example");
        match corp.endpoint {
            DnsEndpoint::Rfc2136(Rfc2136 { server, key_file }) => {
                assert!(key_file.ends_with("keys/corp.key"), "{key_file:?}");
                Some(server)
            }
            DnsEndpoint::Embedded(_) => None,
        }
    }

    #[test]
    fn a_server_has_the_usual_port_unless_another_is_said() {
        for (written, wanted) in [
            ("10.0.0.53", "10.0.0.53:53"),
            ("10.0.0.53:5353", "10.0.0.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
            ("ns1.acme.example", "ns1.acme.example:53"),
            ("ns1.acme.example:5353", "ns1.acme.example:5353"),
        ] {
            assert_eq!(server(written).as_deref(), Some(wanted), "{written}");
        }
        for wrong in ["", "10.0.0.53:x", "a b", "10.0.0.53:70000"] {
            assert_eq!(server(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn records_of_an_embedded_server_are_held_against_its_zones() {
        let text = inventory(
            "toy:\n      zones: [acme.example, ü.example]\n      embedded:\n        records:\n          \
             - { name: shop.acme.example, addresses: [192.0.2.10, x] }\n          \
             - { name: shop.other.example, alias: front.acme.example }\n          \
             - { name: both.acme.example, addresses: [192.0.2.10], alias: a.b }\n    \
             gone: { rfc2136: { server: 'no good', keyFile: k }, zones: [a.b] }\n    \
             none: { zones: [a.b] }",
        );
        insta::assert_snapshot!(rendered(&text), @"
        error[L048]: `ü.example` is not a domain name: letters outside of ASCII are written as DNS has them, `xn--…`
         --> shop/runbook.yaml:8:29
          |
        8 |       zones: [acme.example, ü.example]
          |                             ^^^^^^^^^ not a domain name

        error[L052]: `x` is not an IP address
          --> shop/runbook.yaml:11:64
           |
        11 |           - { name: shop.acme.example, addresses: [192.0.2.10, x] }
           |                                                                ^ neither IPv4 nor IPv6

        error[L051]: `shop.other.example` is in no zone of this DNS server
          --> shop/runbook.yaml:12:21
           |
        12 |           - { name: shop.other.example, alias: front.acme.example }
           |                     ^^^^^^^^^^^^^^^^^^ in none of its zones
           |
           = help: its `zones` in the inventory: acme.example

        error[L034]: exactly one of addresses, alias has to be here
          --> shop/runbook.yaml:13:21
           |
        13 |           - { name: both.acme.example, addresses: [192.0.2.10], alias: a.b }
           |                     ^^^^^^^^^^^^^^^^^ not exactly one

        error[L052]: `no good` is not the address of a server
          --> shop/runbook.yaml:14:32
           |
        14 |     gone: { rfc2136: { server: 'no good', keyFile: k }, zones: [a.b] }
           |                                ^^^^^^^^^ not an address
           |
           = help: write it like 10.0.0.53, 10.0.0.53:5353, [2001:db8::53]:53 or ns1.acme.example

        error[L034]: exactly one of rfc2136, embedded has to be here
          --> shop/runbook.yaml:15:5
           |
        15 |     none: { zones: [a.b] }
           |     ^^^^ not exactly one

        6 errors in 1 file.
        ");
    }
}
