//! Addresses that nobody may read: taken out of what is said of them.

use crate::effect::{ErrorKind, WorldError};

/// Parts of an address that are shorter are words of everyday life, and not what it hides.
const TELLING: usize = 6;

/// What ends the host, a backslash included: whoever parses an address takes it for a slash.
const ENDS: [char; 4] = ['/', '\\', '?', '#'];

/// An error of the network without the address that it is about: only its host is left.
pub(super) fn clean(error: &WorldError, name: &str, url: &str) -> WorldError {
    let host = host_and_port(url).unwrap_or_else(|| "its address".to_owned());
    let cleaned = |text: &String| Some(text.replace(url, &host)).filter(|text| !tells(text, url));
    WorldError {
        kind: error.kind,
        target: name.to_owned(),
        message: cleaned(&error.message).unwrap_or_else(|| generic(error.kind).to_owned()),
        causes: error.causes.iter().filter_map(cleaned).collect(),
        hints: error.hints.iter().filter_map(cleaned).collect(),
        retry_after_ms: error.retry_after_ms,
    }
}

/// Whether a text holds something of an address that could be a secret.
pub(super) fn tells(text: &str, url: &str) -> bool {
    parts(url).any(|part| text.contains(part))
}

/// Everything behind the host that could be a secret. The host is none: it is looked up and connected to in the open.
fn parts(url: &str) -> impl Iterator<Item = &str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (authority, path) = rest.split_at(rest.find(ENDS).unwrap_or(rest.len()));
    let login = authority.rsplit_once('@').map_or("", |(login, _)| login);
    let all = path
        .split(['/', '\\', '?', '#', '&', '='])
        .chain(login.split(':'));
    all.filter(|part| part.len() >= TELLING)
}

const fn generic(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unreachable => "it cannot be reached",
        ErrorKind::LostReply => "no answer came; perhaps it was told",
        _ => "it did not take it",
    }
}

/// `host:port` of an address.
pub(super) fn host_and_port(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let port = if scheme.eq_ignore_ascii_case("http") {
        80
    } else {
        443
    };
    let authority = rest.split(ENDS).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match (host.is_empty(), has_port) {
        (true, _) => None,
        (_, true) => Some(host.to_owned()),
        (_, false) => Some(format!("{host}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://hooks.example/services/T0001/B0001/aVerySecretToken";

    #[test]
    fn nothing_of_an_address_but_its_host_is_left_in_an_error() {
        let error = |message: &str| WorldError::new(ErrorKind::Unreachable, URL, message);
        let said = |message: &str| clean(&error(message), "on-call", URL).to_string();
        assert_eq!(
            said(&format!("cannot connect to {URL}: refused")),
            "on-call: cannot connect to hooks.example:443: refused"
        );
        assert_eq!(
            said("dns error: hooks.example"),
            "on-call: dns error: hooks.example"
        );
        assert_eq!(
            said("cannot connect to https://hooks.example:443/services/T0001/B0001/aVerySecretToken"),
            "on-call: it cannot be reached"
        );
        let mut caused = error("refused");
        caused.causes = vec!["at /B0001/aVerySecretToken".into(), "connection refused".into()];
        caused.hints = vec!["look at /services/T0001/B0001".into()];
        let cleaned = clean(&caused, "on-call", URL);
        assert_eq!(cleaned.causes, ["connection refused"]);
        assert!(cleaned.hints.is_empty());
    }

    #[test]
    fn a_connection_goes_to_the_host_and_its_port() {
        for (url, wanted) in [
            (URL, Some("hooks.example:443")),
            ("http://127.0.0.1:8080/x", Some("127.0.0.1:8080")),
            ("http://[::1]/x", Some("[::1]:80")),
            ("https://a:b@hooks.example?x", Some("hooks.example:443")),
            (
                "https://hooks.example\\aVerySecretToken",
                Some("hooks.example:443"),
            ),
            ("nothing", None),
            ("https:///x", None),
        ] {
            assert_eq!(host_and_port(url).as_deref(), wanted, "{url}");
        }
    }
}
