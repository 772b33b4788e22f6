//! Label selectors as Kubernetes has them: `matchLabels` and `matchExpressions`, all of which must hold.
//!
//! Pure: whether labels match, and the same selector as the text that an API server takes in a query.
//! The two have to agree, because a real server chooses by the text and an embedded one by the match.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which objects are meant, by their labels. Empty: all.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelector {
    /// Labels that must have these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further conditions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelRequirement>,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelRequirement {
    /// The label.
    pub key: String,
    /// What must be so.
    pub operator: LabelOperator,
    /// For `In` and `NotIn`: at least one. For the others: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// What a condition asks of its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LabelOperator {
    /// It is there and has one of the values.
    In,
    /// It is not there, or has none of the values.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

impl LabelSelector {
    /// Whether an object has the labels.
    pub fn matches(&self, object: &Value) -> bool {
        let label = |key: &str| super::json::label(object, key);
        self.match_labels
            .iter()
            .all(|(key, value)| label(key) == Some(value))
            && self
                .match_expressions
                .iter()
                .all(|one| one.holds(label(&one.key)))
    }

    /// What is wrong with it, as a lowercase fragment. A selector that a server would refuse, or that
    /// would choose everything, is a mistake to be found before anything is asked.
    ///
    /// # Errors
    ///
    /// The first mistake.
    pub fn check(&self) -> Result<(), String> {
        if self.match_labels.is_empty() && self.match_expressions.is_empty() {
            return Err("a label selector without conditions chooses everything; leave it out".into());
        }
        let values = self.match_labels.iter().map(|(key, value)| (key, Some(value)));
        let more = self.match_expressions.iter().flat_map(|one| {
            let key = std::iter::once((&one.key, None));
            key.chain(one.values.iter().map(|value| (&one.key, Some(value))))
        });
        for (key, value) in values.chain(more) {
            if !is_key(key) {
                return Err(format!("`{key}` cannot be the name of a label"));
            }
            if let Some(value) = value.filter(|value| !value.is_empty() && !is_name(value)) {
                return Err(format!("`{value}` cannot be the value of a label"));
            }
        }
        self.match_expressions
            .iter()
            .try_for_each(LabelRequirement::check)
    }
}

impl LabelRequirement {
    fn holds(&self, value: Option<&str>) -> bool {
        let among = || value.is_some_and(|value| self.values.iter().any(|one| one == value));
        match self.operator {
            LabelOperator::In => among(),
            LabelOperator::NotIn => !among(),
            LabelOperator::Exists => value.is_some(),
            LabelOperator::DoesNotExist => value.is_none(),
        }
    }

    fn check(&self) -> Result<(), String> {
        let wants_values = matches!(self.operator, LabelOperator::In | LabelOperator::NotIn);
        match (wants_values, self.values.is_empty()) {
            (true, true) => Err(format!("{:?} needs `values` for {}", self.operator, self.key)),
            (false, false) => Err(format!("{:?} takes no `values` for {}", self.operator, self.key)),
            _ => Ok(()),
        }
    }
}

/// As the query parameter `labelSelector` and `kubectl -l` take it.
impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let equal = self
            .match_labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        let more = self.match_expressions.iter().map(ToString::to_string);
        f.write_str(&equal.chain(more).collect::<Vec<_>>().join(","))
    }
}

impl fmt::Display for LabelRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values.join(",");
        match self.operator {
            LabelOperator::In => write!(f, "{} in ({values})", self.key),
            LabelOperator::NotIn => write!(f, "{} notin ({values})", self.key),
            LabelOperator::Exists => f.write_str(&self.key),
            LabelOperator::DoesNotExist => write!(f, "!{}", self.key),
        }
    }
}

/// `app` or `example.com/app`.
fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => super::pattern::is_subdomain(prefix) && is_name(name),
        None => is_name(key),
    }
}

/// Of a label's value, and of its name behind the prefix.
fn is_name(text: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    text.len() <= NAME_MAX
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// Kubernetes allows no more in a label.
const NAME_MAX: usize = 63;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selector(value: Value) -> LabelSelector {
        serde_json::from_value(value).unwrap()
    }

    fn labelled(labels: &Value) -> Value {
        json!({"metadata": {"name": "a", "labels": labels}})
    }

    #[test]
    fn all_conditions_of_a_selector_must_hold() {
        let web = selector(json!({
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["front", "edge"]},
                {"key": "canary", "operator": "DoesNotExist"},
            ],
        }));
        assert!(web.matches(&labelled(&json!({"app": "web", "tier": "edge"}))));
        for other in [
            json!({"app": "web"}),
            json!({"app": "db", "tier": "edge"}),
            json!({"app": "web", "tier": "edge", "canary": "1"}),
        ] {
            assert!(!web.matches(&labelled(&other)), "{other}");
        }
        assert!(
            !web.matches(&json!({"metadata": {"name": "a"}})),
            "no labels at all"
        );
        assert!(LabelSelector::default().matches(&labelled(&json!({}))));
    }

    #[test]
    fn not_in_holds_where_the_label_is_missing_as_on_a_server() {
        let not =
            selector(json!({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["x"]}]}));
        assert!(not.matches(&labelled(&json!({}))));
        assert!(not.matches(&labelled(&json!({"tier": "y"}))));
        assert!(!not.matches(&labelled(&json!({"tier": "x"}))));
    }

    #[test]
    fn a_selector_is_written_as_kubectl_takes_it() {
        let all = selector(json!({
            "matchLabels": {"app": "web", "example.com/team": "a"},
            "matchExpressions": [
                {"key": "t", "operator": "In", "values": ["a", "b"]},
                {"key": "u", "operator": "NotIn", "values": ["c"]},
                {"key": "v", "operator": "Exists"},
                {"key": "w", "operator": "DoesNotExist"},
            ],
        }));
        assert_eq!(all.check(), Ok(()));
        insta::assert_snapshot!(all, @"app=web,example.com/team=a,t in (a,b),u notin (c),v,!w");
    }

    #[test]
    fn a_selector_that_a_server_would_refuse_is_named() {
        let wrong = [
            json!({}),
            json!({"matchLabels": {"a b": "c"}}),
            json!({"matchLabels": {"a": "c,d=e"}}),
            json!({"matchLabels": {"Example.com/a": "c"}}),
            json!({"matchExpressions": [{"key": "t", "operator": "In"}]}),
            json!({"matchExpressions": [{"key": "t", "operator": "Exists", "values": ["a"]}]}),
        ];
        let said: Vec<String> = wrong.map(|one| selector(one).check().unwrap_err()).into();
        insta::assert_snapshot!(said.join("\n"), @"
        a label selector without conditions chooses everything; leave it out
        `a b` cannot be the name of a label
        `c,d=e` cannot be the value of a label
        `Example.com/a` cannot be the name of a label
        In needs `values` for t
        Exists takes no `values` for t
        ");
    }
}
