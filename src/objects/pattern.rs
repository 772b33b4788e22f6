//! How people name many namespaces at once, and kinds as `plural.group`. Pure shapes; whether such a
//! thing exists is for a site to say.

use crate::text::is_name;

/// Whether a text names many: it holds a `*`.
pub fn is_glob(pattern: &str) -> bool {
    pattern.contains('*')
}

/// Whether a text can choose namespaces: a name, or one with `*` in it, each standing for any letters.
pub fn is_namespace_pattern(pattern: &str) -> bool {
    // A `*` stands for any part of a name, so with something in its place it has to be one.
    is_name(&pattern.replace('*', "x"))
}

/// Whether a name is meant by a pattern. `*` stands for any letters, none included.
pub fn glob(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    // What follows the last `*` has to stand at the end; everything before it as early as it can.
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = left.split_at(at + part.len()).1;
    }
    left.ends_with(last)
}

/// Whether a text can be a kind as `plural.group`: `pods`, `deployments.apps`.
pub fn is_resource(text: &str) -> bool {
    let (plural, group) = text.split_once('.').unwrap_or((text, "x"));
    is_name(plural) && is_subdomain(group)
}

/// A DNS subdomain: names joined by dots, at most 253 characters.
pub(super) fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, name) in [
            ("*", "shop"),
            ("shop-*", "shop-eu"),
            ("shop-*", "shop-"),
            ("*-eu", "shop-eu"),
            ("s*p-*u", "shop-eu"),
            ("a*a", "aa"),
            ("shop", "shop"),
            ("*ab*ab", "xabab"),
        ] {
            assert!(glob(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("shop-*", "shop"),
            ("shop", "shop-eu"),
            ("a*a", "a"),
            ("*-eu", "shop-us"),
            ("*ab*ab", "xab"),
            ("s*p", "shops"),
        ] {
            assert!(!glob(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn shapes_are_told_without_a_site() {
        for good in ["shop", "shop-*", "*", "*-eu", "s*p"] {
            assert!(is_namespace_pattern(good), "{good}");
        }
        for bad in ["", "Shop", "shop_*", "shop/*", "-*", "shop-?"] {
            assert!(!is_namespace_pattern(bad), "{bad}");
        }
        for good in ["pods", "deployments.apps", "coupons.shop.example.com"] {
            assert!(is_resource(good), "{good}");
        }
        for bad in [
            "",
            "Pod",
            "apps/v1",
            "deployments.",
            ".apps",
            "deployments.apps/scale",
        ] {
            assert!(!is_resource(bad), "{bad}");
        }
    }

    /// The slow way, from the definition.
    fn slow(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => slow(rest, name) || !name.is_empty() && slow(pattern, &name[1..]),
            ([a, rest @ ..], [b, left @ ..]) => a == b && slow(rest, left),
            _ => false,
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

        #[test]
        fn patterns_mean_what_their_definition_says(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
            prop_assert_eq!(glob(&pattern, &name), slow(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
