//! Host names by which customers come in, by another name.
//!
//! `shop.example.com` is that name alone. `*.example.com` stands for everything that ends in
//! `.example.com`, `*.example.com` itself included and `example.com` not. A whole name goes before an
//! ending, and a longer ending before a shorter one.
//!
//! Not here: names in annotations, certificates, redirects and configuration. What they mean is known
//! only to whoever reads them; a rule can change them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::apply::Used;
use crate::objects::json::{group_kind, list_mut};
use crate::objects::pattern::is_subdomain;

/// Puts the other names in.
pub(super) fn map(object: &mut Value, names: &BTreeMap<String, String>, used: &mut Used) {
    if names.is_empty() {
        return;
    }
    match group_kind(object) {
        ("networking.k8s.io" | "extensions", "Ingress") => {
            for rule in list_mut(object, "/spec/rules") {
                if let Some(host) = rule.get_mut("host") {
                    map_host(host, names, used);
                }
            }
            for tls in list_mut(object, "/spec/tls") {
                for host in list_mut(tls, "/hosts") {
                    map_host(host, names, used);
                }
            }
        }
        ("gateway.networking.k8s.io", "HTTPRoute" | "GRPCRoute" | "TLSRoute") => {
            for host in list_mut(object, "/spec/hostnames") {
                map_host(host, names, used);
            }
        }
        ("gateway.networking.k8s.io", "Gateway") => {
            for listener in list_mut(object, "/spec/listeners") {
                if let Some(host) = listener.get_mut("hostname") {
                    map_host(host, names, used);
                }
            }
        }
        _ => {}
    }
}

fn map_host(host: &mut Value, names: &BTreeMap<String, String>, used: &mut Used) {
    let Value::String(host) = host else {
        return;
    };
    if let Some((key, new)) = mapped(host, names) {
        used.note(key, format!("host {host} becomes {new}"));
        *host = new;
    }
}

/// The entry that was used, and the new name.
fn mapped<'a>(host: &str, names: &'a BTreeMap<String, String>) -> Option<(&'a str, String)> {
    if let Some((from, to)) = names.get_key_value(host) {
        return Some((from, to.clone()));
    }
    let ending = |(from, to): (&'a String, &'a String)| {
        let head = host.strip_suffix(from.strip_prefix('*')?)?;
        Some((from.as_str(), head, to.strip_prefix('*')?))
    };
    let fits = names
        .iter()
        .filter_map(ending)
        .filter(|(_, head, _)| !head.is_empty());
    let (from, head, end) = fits.min_by_key(|(_, head, _)| head.len())?;
    Some((from, format!("{head}{end}")))
}

/// Whether one name can become the other.
///
/// # Errors
///
/// What is wrong, as a lowercase fragment.
pub(super) fn check(from: &str, to: &str) -> Result<(), String> {
    for name in [from, to] {
        if !is_subdomain(name.strip_prefix("*.").unwrap_or(name)) {
            return Err(format!("`{name}` is not the name of a host"));
        }
    }
    if from.starts_with('*') == to.starts_with('*') {
        return Ok(());
    }
    Err(format!(
        "`{from}` cannot become `{to}`: `*.` stands for many names, so both have it or neither"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names() -> BTreeMap<String, String> {
        [
            ("shop.example.com", "shop.eu.example.com"),
            ("*.example.com", "*.eu.example.net"),
            ("*.api.example.com", "*.api.eu.example.com"),
        ]
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .into()
    }

    #[test]
    fn a_whole_name_goes_before_an_ending() {
        let names = names();
        for (host, wanted) in [
            ("shop.example.com", "shop.eu.example.com"),
            ("bank.example.com", "bank.eu.example.net"),
            ("a.b.example.com", "a.b.eu.example.net"),
            ("v1.api.example.com", "v1.api.eu.example.com"),
            ("*.example.com", "*.eu.example.net"),
            ("*.b.example.com", "*.b.eu.example.net"),
            ("example.com", "example.com"),
            ("myexample.com", "myexample.com"),
            ("shop.example.org", "shop.example.org"),
            ("", ""),
        ] {
            let found = mapped(host, &names).map_or_else(|| host.to_owned(), |(_, new)| new);
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn rules_routes_and_listeners_follow() {
        let all = |host: &str| {
            [
                json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": {
                    "rules": [{"host": host}, {"http": {}}], "tls": [{"hosts": [host], "secretName": "tls"}]}}),
                json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "spec": {"hostnames": [host]}}),
                json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GRPCRoute", "spec": {"hostnames": [host]}}),
                json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "TLSRoute", "spec": {"hostnames": [host]}}),
                json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "spec": {
                    "listeners": [{"hostname": host}, {"name": "any"}]}}),
            ]
        };
        for (mut object, wanted) in all("shop.example.com")
            .into_iter()
            .zip(all("shop.eu.example.com"))
        {
            let mut used = Used::default();
            map(&mut object, &names(), &mut used);
            assert_eq!(object, wanted);
            assert_eq!(
                used.notes(),
                ["host shop.example.com becomes shop.eu.example.com"]
            );
        }
    }

    #[test]
    fn a_star_stands_on_both_sides_or_on_none() {
        assert_eq!(check("*.a.example", "*.b.example"), Ok(()));
        for (from, to) in [
            ("*.a.example", "b.example"),
            ("a.example", "*.b.example"),
            ("a*.example", "b.example"),
            ("A.example", "b.example"),
            ("a.example", ""),
        ] {
            assert!(check(from, to).is_err(), "{from} {to}");
        }
    }
}
