//! Who can read what goes to an address.

/// Whether nobody between here and there can read along: TLS, or this machine itself. Only what surely is so counts:
/// whoever parses an address also takes `HTTP://`, a space before it, or `http:\\`, and goes there in the clear.
pub fn is_private(url: &str) -> bool {
    const TLS: &str = "https://";
    if url
        .get(..TLS.len())
        .is_some_and(|begins| begins.eq_ignore_ascii_case(TLS))
    {
        return true;
    }
    let Some(rest) = url.strip_prefix("http://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        // What stands before it looks like a host, and is none.
        return false;
    }
    let host = match authority.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, _)) => v6,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_and_this_machine_are_private() {
        for url in [
            "https://shop/",
            "HTTPS://shop/",
            "http://localhost:8/x",
            "http://127.0.0.1/",
            "http://[::1]:80/",
        ] {
            assert!(is_private(url), "{url}");
        }
        for url in [
            "http://shop/",
            "http://localhost.evil/",
            "http://127.0.0.1@evil/",
            "http://127.0.0.1:80@evil/",
            "http://10.0.0.1:80/",
            "http://[fd00::1]/",
            "HTTP://shop/",
            " http://shop/",
            "\thttp://shop/",
            "ht\ntp://shop/",
            "http:/shop/",
            "http:\\\\shop/",
            "http://localhost\\.evil/",
            "shop",
        ] {
            assert!(!is_private(url), "{url}");
        }
    }
}
