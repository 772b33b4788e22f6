//! Domain names, as DNS compares them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest label, and longest name without the dot at its end (RFC 1035).
const LABEL_MAX: usize = 63;
const NAME_MAX: usize = 253;

/// A domain name in lower case, without the dot at its end: `shop.acme.example`. Equal names are equal values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("format" = "domain"))]
pub struct DomainName(String);

impl DomainName {
    /// As people write it, without the dot at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this zone's own name or one below it.
    pub fn is_in(&self, zone: &Self) -> bool {
        let above = self.0.strip_suffix(&zone.0);
        above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
    }

    /// The innermost of these zones that it is in.
    pub fn zone_of<'z>(&self, zones: impl IntoIterator<Item = &'z Self>) -> Option<&'z Self> {
        let around = zones.into_iter().filter(|zone| self.is_in(zone));
        around.max_by_key(|zone| zone.0.len())
    }
}

impl std::str::FromStr for DomainName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let refused = |why: &str| Err(format!("`{text}` is not a domain name: {why}"));
        if !name.is_ascii() {
            return refused("letters outside of ASCII are written as DNS has them, `xn--…`");
        }
        if name.len() > NAME_MAX {
            return refused("it has more than 253 characters");
        }
        let rest = name.strip_prefix("*.").unwrap_or(&name);
        if rest.split('.').all(is_label) {
            return Ok(Self(name));
        }
        refused("between its dots stand 1 to 63 of a-z, 0-9, - and _")
    }
}

/// `_` is in no host name, and in names of services such as `_sip._tcp`.
fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    (1..=LABEL_MAX).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

impl TryFrom<String> for DomainName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<DomainName> for String {
    fn from(name: DomainName) -> Self {
        name.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DomainName {
        text.parse().unwrap()
    }

    #[test]
    fn the_same_name_is_the_same_value_however_it_is_written() {
        assert_eq!(name("Shop.ACME.example."), name("shop.acme.example"));
        assert_eq!(name("*.acme.example").as_str(), "*.acme.example");
        assert_eq!(name("_sip._tcp.acme").to_string(), "_sip._tcp.acme");
    }

    #[test]
    fn what_is_no_domain_name_is_refused_with_the_reason() {
        let long = format!("{}.example", "x".repeat(64));
        let longer = vec!["abcdefghi"; 26].join(".");
        for (text, why) in [
            ("", "between its dots"),
            (".", "between its dots"),
            ("a..b", "between its dots"),
            ("shop acme", "between its dots"),
            ("-a.example", "between its dots"),
            ("a.*.example", "between its dots"),
            (&long, "between its dots"),
            (&longer, "more than 253"),
            ("bücher.example", "xn--"),
        ] {
            let error = text.parse::<DomainName>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_name_belongs_to_the_innermost_zone_around_it() {
        let zones = [name("acme.example"), name("eu.acme.example"), name("me.example")];
        let zone = |of: &str| name(of).zone_of(&zones).map(DomainName::as_str);
        assert_eq!(zone("shop.eu.acme.example"), Some("eu.acme.example"));
        assert_eq!(zone("shop.acme.example"), Some("acme.example"));
        assert_eq!(zone("acme.example"), Some("acme.example"));
        assert_eq!(zone("ac.me.example"), Some("me.example"));
        assert_eq!(zone("acme.example.org"), None);
        assert_eq!(zone("xacme.example"), None);
    }
}
