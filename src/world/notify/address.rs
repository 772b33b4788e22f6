//! Addresses that nobody may read: taken out of what is said of them.

use crate::effect::{ErrorKind, WorldError};

/// Parts of an address that are shorter are words of everyday life, and not what it hides.
const TELLING: usize = 6;

/// An error without the address that it is about.
pub(super) fn clean(error: WorldError, name: &str, url: &str) -> WorldError {
    let cleaned = |text: &str| text.replace(url, "its address");
    let message = cleaned(&error.message);
    let causes: Vec<String> = error.causes.iter().map(|cause| cleaned(cause)).collect();
    let tells = |text: &String| parts(url).any(|part| text.contains(part));
    let message = if tells(&message) {
        generic(error.kind).to_owned()
    } else {
        message
    };
    WorldError {
        kind: error.kind,
        target: name.to_owned(),
        message,
        causes: causes.into_iter().filter(|cause| !tells(cause)).collect(),
        hints: error.hints.into_iter().filter(|hint| !tells(hint)).collect(),
        retry_after_ms: error.retry_after_ms,
    }
}

/// Everything behind the host that could be a secret. The host is none: it is looked up and connected to in the open.
fn parts(url: &str) -> impl Iterator<Item = &str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let login = authority.rsplit_once('@').map_or("", |(login, _)| login);
    let all = path.split(['/', '?', '#', '&', '=']).chain(login.split(':'));
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
    let port = if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 };
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
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
        let said = |message: &str| clean(error(message), "on-call", URL).to_string();
        assert_eq!(
            said(&format!("cannot connect to {URL}: refused")),
            "on-call: cannot connect to its address: refused"
        );
        assert_eq!(said("dns error: hooks.example"), "on-call: dns error: hooks.example");
        assert_eq!(
            said("cannot connect to https://hooks.example:443/services/T0001/B0001/aVerySecretToken"),
            "on-call: it cannot be reached"
        );
        let mut caused = error("refused");
        caused.causes = vec!["at /B0001/aVerySecretToken".into(), "connection refused".into()];
        caused.hints = vec![format!("look at {URL}")];
        let cleaned = clean(caused, "on-call", URL);
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
            ("nothing", None),
            ("https:///x", None),
        ] {
            assert_eq!(host_and_port(url).as_deref(), wanted, "{url}");
        }
    }
}
