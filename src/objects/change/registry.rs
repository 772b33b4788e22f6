//! Images from another registry.
//!
//! ## Why
//!
//! - What is compared is the whole name of an image as a node reads it: `nginx` is
//!   `docker.io/library/nginx`. People who map `docker.io` mean all that comes from there.
//! - Whole parts of a path only, the longest that fits: `registry.example/team` is not
//!   `registry.example/team-b`.
//! - Tags and digests stay: they say which image, not from where. An image that is not mapped stays as
//!   it was written.
//! - Pull secrets are not changed: they hold credentials of the registry that was.

use std::collections::BTreeMap;

use serde_json::Value;

use super::apply::Used;
use crate::objects::json::{CONTAINER_LISTS, list_mut, pod_template};

/// Where an image without a registry comes from.
const DEFAULT: &str = "docker.io";
/// Other names of it.
const DEFAULT_ALIASES: [&str; 2] = ["index.docker.io", "registry-1.docker.io"];
/// Where a name without a path is there.
const OFFICIAL: &str = "library";

/// Puts the other registries in, wherever pods are described.
pub(super) fn map(object: &mut Value, names: &BTreeMap<String, String>, used: &mut Used) {
    if names.is_empty() {
        return;
    }
    let Some(template) = pod_template(object) else {
        return;
    };
    for containers in CONTAINER_LISTS {
        for container in list_mut(object, &format!("{template}/spec{containers}")) {
            if let Some(image) = container.get_mut("image") {
                map_image(image, names, used);
            }
        }
    }
    for volume in list_mut(object, &format!("{template}/spec/volumes")) {
        if let Some(image) = volume.pointer_mut("/image/reference") {
            map_image(image, names, used);
        }
    }
}

fn map_image(image: &mut Value, names: &BTreeMap<String, String>, used: &mut Used) {
    let Value::String(image) = image else {
        return;
    };
    if let Some((key, new)) = mapped(image, names) {
        used.note(key, format!("image {image} becomes {new}"));
        *image = new;
    }
}

/// The entry that was used, and the image's new name.
fn mapped<'a>(image: &str, names: &'a BTreeMap<String, String>) -> Option<(&'a str, String)> {
    let (path, version) = cut(image);
    let whole = whole(path)?;
    let rest_after = |key: &str| match whole.strip_prefix(key) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Some(rest.to_owned()),
        _ => None,
    };
    let fits = names
        .iter()
        .filter_map(|(from, to)| Some((from, to, rest_after(&plain(from))?)));
    let (from, to, rest) = fits.min_by_key(|(_, _, rest)| rest.len())?;
    Some((from, format!("{to}{rest}{version}")))
}

/// The name and, with its mark, the tag and digest.
fn cut(image: &str) -> (&str, &str) {
    let name = image.find('@').unwrap_or(image.len());
    let last = image[..name].rfind('/').map_or(0, |slash| slash + 1);
    let at = image[last..name].find(':').map_or(name, |colon| last + colon);
    image.split_at(at)
}

/// The name with its registry; `None` where it is none.
fn whole(path: &str) -> Option<String> {
    let sound = |part: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
        !part.is_empty() && part.bytes().all(letter)
    };
    if !path.split('/').all(sound) {
        return None;
    }
    let (host, rest) = match path.split_once('/') {
        Some((host, rest)) if is_host(host) => (host, rest),
        _ => (DEFAULT, path),
    };
    if host != DEFAULT && !DEFAULT_ALIASES.contains(&host) {
        return Some(path.to_owned());
    }
    if rest.contains('/') {
        Some(format!("{DEFAULT}/{rest}"))
    } else {
        Some(format!("{DEFAULT}/{OFFICIAL}/{rest}"))
    }
}

/// A registry, with the default one under its one name.
fn plain(registry: &str) -> String {
    let (host, rest) = registry.split_at(registry.find('/').unwrap_or(registry.len()));
    if DEFAULT_ALIASES.contains(&host) {
        format!("{DEFAULT}{rest}")
    } else {
        registry.to_owned()
    }
}

/// What makes the first part of an image's name a registry rather than a path of the default one.
fn is_host(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost"
}

/// Whether a text can be a registry with the beginning of a path.
///
/// # Errors
///
/// What it lacks, as a lowercase fragment.
pub(super) fn check(text: &str) -> Result<(), String> {
    let (host, path) = text.split_once('/').unwrap_or((text, "x"));
    let word = |part: &str, more: &[u8]| {
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || more.contains(&byte);
        !part.is_empty() && part.bytes().all(letter)
    };
    let (name, port) = host.split_once(':').unwrap_or((host, "1"));
    let sound = word(name, b".-")
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && !port.is_empty()
        && path.split('/').all(|part| word(part, b"._-"));
    if sound && is_host(host) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is not a registry: write its host, perhaps with a path, as in registry.example.com/team"
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn names(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(from, to): &(&str, &str)| ((*from).to_owned(), (*to).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn becomes(image: &str, pairs: &[(&str, &str)]) -> String {
        let names = names(pairs);
        mapped(image, &names).map_or_else(|| image.to_owned(), |(_, new)| new)
    }

    #[test]
    fn tags_digests_and_paths_stay() {
        let pairs = [("registry.a.example", "registry.b.example/mirror")];
        for (image, wanted) in [
            ("registry.a.example/web", "registry.b.example/mirror/web"),
            (
                "registry.a.example/team/web:1.2",
                "registry.b.example/mirror/team/web:1.2",
            ),
            (
                "registry.a.example/web@sha256:ab",
                "registry.b.example/mirror/web@sha256:ab",
            ),
            (
                "registry.a.example/web:1@sha256:ab",
                "registry.b.example/mirror/web:1@sha256:ab",
            ),
            ("registry.a.example:5000/web", "registry.a.example:5000/web"),
            ("registry.a.example.org/web", "registry.a.example.org/web"),
            (
                "other.example/registry.a.example/web",
                "other.example/registry.a.example/web",
            ),
            ("nginx", "nginx"),
            ("", ""),
            ("registry.a.example//web", "registry.a.example//web"),
        ] {
            assert_eq!(becomes(image, &pairs), wanted);
        }
    }

    #[test]
    fn an_image_without_a_registry_is_docker_s() {
        let all = [("docker.io", "mirror.example:5000/hub")];
        for (image, wanted) in [
            ("nginx", "mirror.example:5000/hub/library/nginx"),
            ("nginx:1.27", "mirror.example:5000/hub/library/nginx:1.27"),
            ("docker.io/nginx", "mirror.example:5000/hub/library/nginx"),
            (
                "index.docker.io/library/nginx@sha256:ab",
                "mirror.example:5000/hub/library/nginx@sha256:ab",
            ),
            ("bitnami/redis:7", "mirror.example:5000/hub/bitnami/redis:7"),
            ("localhost/web", "localhost/web"),
            ("quay.io/web", "quay.io/web"),
        ] {
            assert_eq!(becomes(image, &all), wanted);
        }
        let one = [("index.docker.io/library/nginx", "registry.b.example/web-server")];
        assert_eq!(becomes("nginx:1", &one), "registry.b.example/web-server:1");
        assert_eq!(becomes("redis:7", &one), "redis:7");
    }

    #[test]
    fn the_longest_path_wins_and_only_whole_parts_count() {
        let pairs = [("r.example", "one.example"), ("r.example/team", "two.example/t")];
        assert_eq!(becomes("r.example/team/web", &pairs), "two.example/t/web");
        assert_eq!(becomes("r.example/team-b/web", &pairs), "one.example/team-b/web");
        assert_eq!(becomes("r.example/team:1", &pairs), "two.example/t:1");
        // Once: what became `one.example` is not looked up again.
        let chain = [("a.example", "b.example"), ("b.example", "c.example")];
        assert_eq!(becomes("a.example/web", &chain), "b.example/web");
    }

    #[test]
    fn every_list_of_containers_follows() {
        let image = |name: &str| json!([{"image": name}]);
        let pod = |name: &str| {
            json!({"containers": image(name), "initContainers": image(name), "ephemeralContainers": image(name),
                   "volumes": [{"image": {"reference": name}}]})
        };
        let job = |name: &str| {
            json!({"apiVersion": "batch/v1", "kind": "CronJob",
                   "spec": {"jobTemplate": {"spec": {"template": {"spec": pod(name)}}}}})
        };
        let mut object = job("a.example/web:1");
        let mut used = Used::default();
        map(&mut object, &names(&[("a.example", "b.example")]), &mut used);
        assert_eq!(object, job("b.example/web:1"));
        assert_eq!(used.notes(), ["image a.example/web:1 becomes b.example/web:1"]);
    }

    #[test]
    fn a_registry_has_a_host() {
        for good in [
            "registry.example",
            "registry.example:5000/a/b",
            "localhost",
            "localhost:5000",
            "docker.io/library",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "mirror",
            "mirror/a.b",
            "https://r.example",
            "r.example/",
            "r.example/web:1",
            "r.example:x",
            "R.example",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

        /// There and back, for every image that names its registry.
        #[test]
        fn a_mapping_can_be_taken_back(path in "[a-z]{1,4}(/[a-z]{1,4}){0,2}", version in "(:[a-z0-9]{1,3})?(@sha256:[0-9a-f]{4})?") {
            let image = format!("a.example/{path}{version}");
            let there = becomes(&image, &[("a.example", "b.example:5000/x")]);
            prop_assert_eq!(&there, &format!("b.example:5000/x/{path}{version}"));
            prop_assert_eq!(becomes(&there, &[("b.example:5000/x", "a.example")]), image);
        }
    }
}
