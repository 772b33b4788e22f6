//! An order that people declare: this object before that one, beyond what the objects name themselves.
//!
//! In the runbook it is said of a restore (`order`), and on an object by the annotation [`AFTER`]. Both
//! become edges of the same graph as references: see `order`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::builtin;
use super::json::annotation;

/// What is to be restored before the object that has this annotation: names, separated by commas.
pub const AFTER: &str = "lifeboat.dev/restore-after";

/// An object as people name it: `<kind>/<name>`, or `<kind>/<namespace>/<name>`. No group: the kind's
/// name in any group is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Named {
    /// As the cluster spells it where it is built in, else as it was written.
    kind: String,
    /// Where; `None`: wherever there is one of this name.
    pub namespace: Option<String>,
    name: String,
}

impl TryFrom<String> for Named {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parts: Vec<&str> = text.trim().split('/').collect();
        let (kind, namespace, name) = match parts[..] {
            [kind, name] => (kind, None, name),
            [kind, namespace, name] => (kind, Some(namespace), name),
            _ => ("", None, ""),
        };
        let is_part = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
        if [kind, name].into_iter().chain(namespace).all(is_part) {
            Ok(Self {
                kind: builtin(kind).map_or_else(|| kind.to_owned(), |known| known.kind),
                namespace: namespace.map(str::to_owned),
                name: name.to_owned(),
            })
        } else {
            Err(format!(
                "`{text}` is not an object; write <kind>/<name> or <kind>/<namespace>/<name>, such as ConfigMap/settings"
            ))
        }
    }
}

impl From<Named> for String {
    fn from(named: Named) -> Self {
        named.to_string()
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{}/{namespace}/{}", self.kind, self.name),
            None => write!(f, "{}/{}", self.kind, self.name),
        }
    }
}

impl Named {
    /// What the annotation of an object says; `Err`: the part of it that names nothing.
    pub fn after(object: &Value) -> Vec<Result<Self, String>> {
        let said = annotation(object, AFTER).unwrap_or("");
        let parts = said.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| Self::try_from(part.to_owned())).collect()
    }

    fn key(&self) -> Key {
        (self.kind.to_lowercase(), self.name.clone())
    }
}

/// Kind in lower case, and name.
type Key = (String, String);

/// One wish.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What comes first; its namespace as at the target.
    pub first: Named,
    /// What comes then.
    pub then: Then,
}

/// What comes after something.
#[derive(Clone, Debug)]
pub enum Then {
    /// What has this name.
    Named(Named),
    /// The object at this position, which says so itself.
    At(usize),
}

/// Where the objects are that wishes are about.
#[derive(Debug, Default)]
pub struct Places(BTreeMap<Key, Vec<(usize, String)>>);

impl Places {
    /// Looks for them among objects, each with its kind, namespace (empty: none) and name. `objects` is
    /// only gone through where there are wishes.
    pub fn of<'a>(
        wishes: &[Wish],
        objects: impl Iterator<Item = (usize, &'a str, &'a str, &'a str)>,
    ) -> Self {
        let mut places = Self::default();
        let named = wishes.iter().flat_map(|wish| {
            let then = match &wish.then {
                Then::Named(named) => Some(named.key()),
                Then::At(_) => None,
            };
            std::iter::once(wish.first.key()).chain(then)
        });
        let wanted: BTreeSet<Key> = named.collect();
        if wanted.is_empty() {
            return places;
        }
        for (at, kind, namespace, name) in objects {
            let key = (kind.to_lowercase(), name.to_owned());
            if wanted.contains(&key) {
                places.0.entry(key).or_default().push((at, namespace.to_owned()));
            }
        }
        places
    }

    fn find(&self, named: &Named) -> Vec<(usize, &str)> {
        let all = self.0.get(&named.key()).into_iter().flatten();
        let meant = all.filter(|(_, namespace)| named.namespace.as_ref().is_none_or(|one| one == namespace));
        meant.map(|(at, namespace)| (*at, namespace.as_str())).collect()
    }

    /// The pairs of positions that a wish means; `home` is the namespace of an object.
    ///
    /// Where neither name says a namespace, both objects are of the same, or one of them is of none.
    ///
    /// # Errors
    ///
    /// What of it is not there.
    pub fn pairs(&self, wish: &Wish, home: impl Fn(usize) -> String) -> Result<Vec<(usize, usize)>, String> {
        let firsts = self.find(&wish.first);
        let (thens, anywhere): (Vec<(usize, String)>, bool) = match &wish.then {
            Then::At(at) => (vec![(*at, home(*at))], wish.first.namespace.is_some()),
            Then::Named(named) => {
                let found = self.find(named).into_iter();
                let found = found.map(|(at, namespace)| (at, namespace.to_owned()));
                (
                    found.collect(),
                    wish.first.namespace.is_some() || named.namespace.is_some(),
                )
            }
        };
        if firsts.is_empty() {
            return Err(format!("no {} is restored", wish.first));
        }
        if let (Then::Named(named), []) = (&wish.then, &thens[..]) {
            return Err(format!("no {named} is restored"));
        }
        let mut pairs = Vec::new();
        for (first, one) in &firsts {
            let fits = |other: &String| anywhere || *one == other || one.is_empty() || other.is_empty();
            let after = thens.iter().filter(|(_, other)| fits(other));
            pairs.extend(after.map(|(then, _)| (*first, *then)));
        }
        if pairs.is_empty() {
            return Err(format!("{} is restored, and in another namespace", wish.first));
        }
        Ok(pairs)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn named(text: &str) -> Named {
        Named::try_from(text.to_owned()).unwrap()
    }

    /// `a` and `b` have both, the third object is of no namespace.
    const OBJECTS: [(usize, &str, &str, &str); 5] = [
        (0, "ConfigMap", "a", "settings"),
        (1, "Deployment", "a", "web"),
        (2, "Coupon", "", "spring"),
        (3, "ConfigMap", "b", "settings"),
        (4, "Deployment", "b", "web"),
    ];

    fn pairs(first: &str, then: Then) -> Result<Vec<(usize, usize)>, String> {
        let first = named(first);
        let wishes = [Wish { first, then }];
        let places = Places::of(&wishes, OBJECTS.into_iter());
        places.pairs(&wishes[0], |at| OBJECTS[at].2.to_owned())
    }

    fn by_name(first: &str, then: &str) -> Result<Vec<(usize, usize)>, String> {
        pairs(first, Then::Named(named(then)))
    }

    #[test]
    fn objects_without_a_namespace_are_meant_in_each() {
        assert_eq!(by_name("cm/settings", "deployment/web"), Ok(vec![(0, 1), (3, 4)]));
        assert_eq!(by_name("ConfigMap/a/settings", "deploy/b/web"), Ok(vec![(0, 4)]));
        assert_eq!(by_name("coupon/spring", "deploy/web"), Ok(vec![(2, 1), (2, 4)]));
        assert_eq!(pairs("cm/settings", Then::At(4)), Ok(vec![(3, 4)]));
        assert_eq!(pairs("cm/a/settings", Then::At(4)), Ok(vec![(0, 4)]));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let wrong = |first, then| by_name(first, then).unwrap_err();
        assert_eq!(wrong("Secret/x", "deploy/web"), "no Secret/x is restored");
        assert_eq!(
            wrong("cm/settings", "deploy/c/web"),
            "no Deployment/c/web is restored"
        );
    }

    #[test]
    fn an_annotation_names_several_and_its_mistakes_are_told() {
        let object =
            json!({ "metadata": { "annotations": { AFTER: "cm/settings, Job/shop/migrate,,nonsense" } } });
        let found: Vec<String> = Named::after(&object)
            .into_iter()
            .map(|one| one.map_or_else(|why| format!("! {why}"), |named| named.to_string()))
            .collect();
        insta::assert_snapshot!(found.join("\n"), @"
        ConfigMap/settings
        Job/shop/migrate
        ! `nonsense` is not an object; write <kind>/<name> or <kind>/<namespace>/<name>, such as ConfigMap/settings
        ");
        assert!(Named::after(&json!({})).is_empty());
    }
}
