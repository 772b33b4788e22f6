//! Whether a rule means an object.
//!
//! ## Why
//!
//! Velero's `groupResource` is a glob in which `*` stops at a dot: `*.apps` is every kind of the group
//! `apps`, and `*` alone is every kind of the core group. It becomes a regular expression here, so that
//! it takes linear time whatever was written.

use regex::{Regex, escape};
use serde_json::Value;

use super::rule::{Match, When};
use crate::objects::json::{name, text};
use crate::objects::pattern::glob;

/// Conditions with their patterns made ready.
pub(super) struct Test {
    when: When,
    group_resource: Option<Regex>,
    name: Option<Regex>,
}

impl Test {
    /// # Errors
    ///
    /// A pattern or a place that cannot be read, as a lowercase fragment.
    pub(super) fn of(when: &When) -> Result<Self, String> {
        for one in &when.matches {
            check_place(&one.path)?;
        }
        let regex = |pattern: &String| {
            Regex::new(pattern).map_err(|_| format!("`{pattern}` is not a regular expression"))
        };
        let resource = |pattern: &String| {
            let regex = whole(pattern).and_then(|regex| Regex::new(&regex).ok());
            regex.ok_or_else(|| format!("`{pattern}` is not a pattern of kinds"))
        };
        Ok(Self {
            when: when.clone(),
            group_resource: when.group_resource.as_ref().map(resource).transpose()?,
            name: when.name_regex.as_ref().map(regex).transpose()?,
        })
    }

    /// `namespace` is the one in the backup; the object has been mapped already.
    pub(super) fn takes(&self, resource: &str, namespace: Option<&str>, object: &Value) -> bool {
        let when = &self.when;
        let among = |patterns: &[String], name: &str| patterns.iter().any(|one| glob(one, name));
        self.takes_kind(resource)
            && self.takes_namespace(namespace, object)
            && (when.names.is_empty() || among(&when.names, name(object)))
            && self
                .name
                .as_ref()
                .is_none_or(|regex| regex.is_match(name(object)))
            && when.labels.as_ref().is_none_or(|labels| labels.matches(object))
            && when.matches.iter().all(|one| holds(one, object))
    }

    fn takes_kind(&self, resource: &str) -> bool {
        let kinds = &self.when.kinds;
        (kinds.is_empty() || kinds.iter().any(|one| one == resource))
            && self
                .group_resource
                .as_ref()
                .is_none_or(|regex| regex.is_match(resource))
    }

    fn takes_namespace(&self, namespace: Option<&str>, object: &Value) -> bool {
        let wanted = &self.when.namespaces;
        let in_none = text(object, "/metadata/namespace").is_none_or(str::is_empty);
        if wanted.is_empty() || (in_none && self.group_resource.is_some()) {
            return true;
        }
        namespace.is_some_and(|name| wanted.iter().any(|one| glob(one, name)))
    }
}

fn holds(one: &Match, object: &Value) -> bool {
    object.pointer(&one.path).unwrap_or(&Value::Null) == &one.value.0
}

/// # Errors
///
/// The text is no JSON pointer to a part of an object.
pub(super) fn check_place(path: &str) -> Result<(), String> {
    let escaped = |part: &str| part.is_empty() || part.starts_with(['0', '1']);
    if path.starts_with('/')
        && path
            .split('~')
            .skip(1)
            .all(|part| !part.is_empty() && escaped(part))
    {
        return Ok(());
    }
    Err(format!(
        "`{path}` is not a place: write it like /spec/replicas, with ~1 for a / in a name"
    ))
}

/// The regular expression of a glob over the whole text; `None` where it is none.
fn whole(pattern: &str) -> Option<String> {
    let mut out = String::from("^(?:");
    let mut letters = pattern.chars().peekable();
    let mut open = 0_usize;
    while let Some(letter) = letters.next() {
        match letter {
            '*' if letters.next_if_eq(&'*').is_some() => out.push_str(".*"),
            '*' => out.push_str("[^.]*"),
            '?' => out.push_str("[^.]"),
            '[' => out.push_str(&class(&mut letters)?),
            '{' => {
                open += 1;
                out.push_str("(?:");
            }
            '}' => {
                open = open.checked_sub(1)?;
                out.push(')');
            }
            ',' if open > 0 => out.push('|'),
            '\\' => out.push_str(&escape(letters.next()?.encode_utf8(&mut [0; 4]))),
            other => out.push_str(&escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push_str(")$");
    (open == 0).then_some(out)
}

/// `[abc]`, `[a-z]`, and `[!abc]` for all others.
fn class(letters: &mut impl Iterator<Item = char>) -> Option<String> {
    let inner: String = letters.take_while(|letter| *letter != ']').collect();
    let (not, inner) = match inner.strip_prefix('!') {
        Some(rest) => ("^", rest),
        None => ("", inner.as_str()),
    };
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '.';
    (!inner.is_empty() && inner.chars().all(plain)).then(|| format!("[{not}{inner}]"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn takes(when: Value, resource: &str, object: &Value) -> bool {
        let when: When = serde_json::from_value(when).unwrap();
        let test = Test::of(&when).unwrap();
        test.takes(resource, Some("shop"), object)
    }

    fn web() -> Value {
        json!({"kind": "Deployment", "spec": {"replicas": 3, "template": {"metadata": {"annotations": {"a/b": "x"}}}},
               "metadata": {"name": "web-1", "namespace": "shop-eu", "labels": {"app": "web"}}})
    }

    #[test]
    fn all_conditions_must_hold() {
        let deployments = |when: Value| takes(when, "deployments.apps", &web());
        for yes in [
            json!({}),
            json!({"kinds": ["pods", "deployments.apps"]}),
            json!({"namespaces": ["sh*"]}),
            json!({"names": ["db", "web-*"]}),
            json!({"nameRegex": "^web-[0-9]+$"}),
            json!({"nameRegex": "eb"}),
            json!({"labels": {"matchLabels": {"app": "web"}}}),
            json!({"matches": [{"path": "/spec/replicas", "value": 3}, {"path": "/spec/paused", "value": null}]}),
            json!({"matches": [{"path": "/spec/template/metadata/annotations/a~1b", "value": "x"}]}),
        ] {
            assert!(deployments(yes.clone()), "{yes}");
        }
        for no in [
            json!({"kinds": ["deployments"]}),
            json!({"namespaces": ["shop-eu"]}),
            json!({"names": ["web"]}),
            json!({"nameRegex": "^web$"}),
            json!({"labels": {"matchLabels": {"app": "db"}}}),
            json!({"matches": [{"path": "/spec/replicas", "value": "3"}]}),
            json!({"matches": [{"path": "/spec/replicas", "value": 3}, {"path": "/spec/replicas", "value": null}]}),
            json!({"names": ["web-*"], "kinds": ["pods"]}),
        ] {
            assert!(!deployments(no.clone()), "{no}");
        }
    }

    #[test]
    fn velero_s_wildcards_stop_at_a_dot() {
        let met = |pattern: &str, resource: &str| takes(json!({"groupResource": pattern}), resource, &web());
        for (pattern, resource, wanted) in [
            ("pods", "pods", true),
            ("pods", "pods.metrics.k8s.io", false),
            ("*", "pods", true),
            ("*", "deployments.apps", false),
            ("*.apps", "deployments.apps", true),
            ("*.apps", "jobs.batch", false),
            ("*.*", "deployments.apps", true),
            ("*.*", "ingresses.networking.k8s.io", false),
            ("*.**", "ingresses.networking.k8s.io", true),
            ("*.networking.k8s.io", "ingresses.networking.k8s.io", true),
            ("{deployments,statefulsets}.apps", "statefulsets.apps", true),
            ("{deployments,statefulsets}.apps", "daemonsets.apps", false),
            ("pod?", "pods", true),
            ("[!p]ods", "pods", false),
            ("[a-p]ods", "pods", true),
        ] {
            assert_eq!(met(pattern, resource), wanted, "{pattern} {resource}");
        }
    }

    #[test]
    fn velero_s_namespaces_say_nothing_about_what_is_in_none() {
        let class = json!({"kind": "StorageClass", "metadata": {"name": "fast"}});
        let theirs = json!({"groupResource": "*.**", "namespaces": ["bank"]});
        assert!(takes(theirs.clone(), "storageclasses.storage.k8s.io", &class));
        assert!(!takes(theirs, "deployments.apps", &web()));
        let ours = json!({"namespaces": ["bank"]});
        assert!(!takes(ours, "storageclasses.storage.k8s.io", &class));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for wrong in [
            json!({"nameRegex": "("}),
            json!({"groupResource": "{pods"}),
            json!({"groupResource": "pods}"}),
            json!({"groupResource": "[]"}),
            json!({"matches": [{"path": "spec", "value": 1}]}),
            json!({"matches": [{"path": "/a~2", "value": 1}]}),
            json!({"matches": [{"path": "/a~", "value": 1}]}),
        ] {
            let when: When = serde_json::from_value(wrong.clone()).unwrap();
            assert!(Test::of(&when).is_err(), "{wrong}");
        }
    }
}
