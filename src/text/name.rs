//! Names that become names of objects.

/// Longest DNS label.
const LABEL_MAX: usize = 63;

/// Whether this is a DNS label: a-z, 0-9 and `-`, beginning and ending with a letter or digit, 1 to 63
/// characters.
pub fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=LABEL_MAX).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn a_name_is_a_dns_label() {
        for good in ["a", "web-1", "0", &"x".repeat(63)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "ü", &"x".repeat(64)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
