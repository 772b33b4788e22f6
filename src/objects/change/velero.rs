//! Velero's resource modifiers, as they are, read as rules.
//!
//! The text is a ConfigMap whose only key holds the rules, or the rules themselves (`version: v1`).
//! What is the same: conditions, wildcards, the spelling of values, the order, and that a failed `test`
//! leaves the object as it is. What is not: a patch that cannot be applied refuses the restore, where
//! Velero restores the object unpatched and notes an error.
//!
//! Not here: reading the file.
//!
//! ## Why
//!
//! - Velero's values are texts: `"3"` is a number, `"\"3\""` is a text, `"{…}"` is a map. What neither
//!   way can be read is refused here, where Velero fails at the first object.
//! - One rule is read after the other, so that a mistake is said with the number of its rule.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::fragment::Fragment;
use super::rule::{Match, Patch, Rule, When};
use crate::objects::LabelSelector;
use crate::objects::json::group_kind;
use crate::text::{Diagnostics, Severity, Sources, from_node, yaml};

/// The rules of a file of modifiers, given its documents. `file` is what people are told.
///
/// # Errors
///
/// What is wrong, as a lowercase fragment.
pub fn modifiers(documents: &[Value], file: &str) -> Result<Vec<Rule>, String> {
    let [document] = documents else {
        return Err(format!(
            "{file} holds {} documents; one is meant",
            documents.len()
        ));
    };
    let rules = if group_kind(document) == ("", "ConfigMap") {
        one_text(document)
            .and_then(parse)
            .map_err(|why| format!("the ConfigMap in {file}: {why}"))?
    } else {
        document.clone()
    };
    read(rules, file)
}

/// The text in a ConfigMap of modifiers.
fn one_text(map: &Value) -> Result<&str, String> {
    let data = map.get("data").and_then(Value::as_object);
    let mut texts = data.into_iter().flatten();
    match (texts.next(), texts.next()) {
        (Some((_, Value::String(text))), None) => Ok(text),
        _ => Err("one key in `data` is meant, which holds the rules".into()),
    }
}

/// One document of YAML.
fn parse(text: &str) -> Result<Value, String> {
    let mut sources = Sources::default();
    let id = sources.add("", text);
    let mut found = Diagnostics::default();
    let mut nodes = yaml::load(&sources, id, &mut found).into_iter();
    if let Some(error) = found.iter().find(|one| one.severity == Severity::Error) {
        let at = error.labels.first().map(|label| sources.position(label.span));
        let line = at.map_or(String::new(), |at| format!("line {}: ", at.line));
        return Err(format!("{line}{}", error.message));
    }
    match (nodes.next(), nodes.next()) {
        (Some(node), None) => from_node(&node).map_err(|error| error.message),
        _ => Err("one document is meant".into()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Modifiers {
    version: String,
    #[serde(default, deserialize_with = "or_empty")]
    resource_modifier_rules: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Modifier {
    conditions: Conditions,
    #[serde(default, deserialize_with = "or_empty")]
    patches: Vec<Operation>,
    #[serde(default, deserialize_with = "or_empty")]
    merge_patches: Vec<Data>,
    #[serde(default, deserialize_with = "or_empty")]
    strategic_patches: Vec<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Conditions {
    group_resource: String,
    #[serde(default, deserialize_with = "or_empty")]
    namespaces: Vec<String>,
    #[serde(default, deserialize_with = "or_empty")]
    resource_name_regex: String,
    #[serde(default)]
    label_selector: Option<LabelSelector>,
    #[serde(default, deserialize_with = "or_empty")]
    matches: Vec<Place>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    path: String,
    #[serde(default, deserialize_with = "spelt")]
    value: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    #[serde(rename = "operation")]
    op: String,
    #[serde(default, deserialize_with = "or_empty")]
    from: String,
    path: String,
    #[serde(default, deserialize_with = "spelt")]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Data {
    patch_data: String,
}

/// A key with nothing behind it is an empty one.
fn or_empty<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(reader: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(reader)?.unwrap_or_default())
}

/// A number or a switch without quotes is its text.
fn spelt<'de, D: Deserializer<'de>>(reader: D) -> Result<String, D::Error> {
    match Value::deserialize(reader)? {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        plain @ (Value::Bool(_) | Value::Number(_)) => Ok(plain.to_string()),
        _ => Err(serde::de::Error::custom(
            "a value is a text; write a map or a list as JSON between quotes",
        )),
    }
}

fn read(rules: Value, file: &str) -> Result<Vec<Rule>, String> {
    let all: Modifiers = serde_json::from_value(rules)
        .map_err(|error| format!("{file} holds no resource modifiers: {error}"))?;
    if !all.version.eq_ignore_ascii_case("v1") {
        return Err(format!("{file} has version `{}`; `v1` is known", all.version));
    }
    if all.resource_modifier_rules.is_empty() {
        return Err(format!("{file} has no rules"));
    }
    let rules = all.resource_modifier_rules.into_iter().enumerate();
    rules
        .map(|(at, rule)| {
            let name = format!("rule {} of {file}", at + 1);
            let read = serde_json::from_value(rule).map_err(|error| error.to_string());
            let rule = read.and_then(|rule| translated(rule, &name));
            rule.and_then(|rule| rule.check().map(|()| rule))
                .map_err(|why| format!("{name}: {why}"))
        })
        .collect()
}

fn translated(rule: Modifier, name: &str) -> Result<Rule, String> {
    let conditions = rule.conditions;
    if conditions.group_resource.is_empty() {
        return Err("`groupResource` is empty".into());
    }
    let matches = conditions.matches.into_iter().map(|one| {
        let value = Fragment(value(&one.value)?);
        Ok(Match {
            path: one.path,
            value,
        })
    });
    let when = When {
        group_resource: Some(conditions.group_resource),
        namespaces: conditions.namespaces,
        name_regex: Some(conditions.resource_name_regex).filter(|regex| !regex.is_empty()),
        labels: conditions.label_selector,
        matches: matches.collect::<Result<_, String>>()?,
        ..When::default()
    };
    let patch = match (
        rule.patches.as_slice(),
        rule.merge_patches.as_slice(),
        rule.strategic_patches.as_slice(),
    ) {
        (operations, [], []) if !operations.is_empty() => {
            Patch::Json(operations.iter().map(operation).collect::<Result<_, _>>()?)
        }
        ([], merges, []) if !merges.is_empty() => Patch::Merge(data(merges)?),
        ([], [], merges) if !merges.is_empty() => Patch::Strategic(data(merges)?),
        ([], [], []) => return Err("it has no patch".into()),
        _ => return Err("it has more than one of patches, mergePatches and strategicPatches".into()),
    };
    Ok(Rule {
        name: name.to_owned(),
        when,
        patch,
    })
}

fn data(all: &[Data]) -> Result<Vec<Fragment>, String> {
    let one = |data: &Data| parse(&data.patch_data).map(Fragment);
    all.iter()
        .map(one)
        .collect::<Result<_, _>>()
        .map_err(|why| format!("`patchData`: {why}"))
}

fn operation(one: &Operation) -> Result<Fragment, String> {
    let op = one.op.to_ascii_lowercase();
    let mut fields = Map::from_iter([("op".to_owned(), json!(op)), ("path".to_owned(), json!(one.path))]);
    match op.as_str() {
        "move" | "copy" => {
            fields.insert("from".into(), json!(one.from));
        }
        "add" | "replace" | "test" => {
            fields.insert("value".into(), value(&one.value)?);
        }
        _ => {}
    }
    Ok(Fragment(Value::Object(fields)))
}

/// What a value's text means.
fn value(text: &str) -> Result<Value, String> {
    let unclear = || format!("the value `{text}` is neither JSON nor a text that Velero could read");
    if let Some(inner) = text.strip_prefix('"') {
        return inner.strip_suffix('"').map_or_else(|| plain(text), plain);
    }
    let as_json = || serde_json::from_str(text).map_err(|_| unclear());
    let looks_like_json = text.starts_with(['{', '['])
        || text == "null"
        || text.eq_ignore_ascii_case("true")
        || text.eq_ignore_ascii_case("false")
        || text.parse::<f64>().is_ok();
    if looks_like_json { as_json() } else { plain(text) }
}

/// Velero puts the text between quotes, so what JSON escapes there is escaped here.
fn plain(text: &str) -> Result<Value, String> {
    if !text.contains(['\\', '"']) {
        return Ok(Value::String(text.to_owned()));
    }
    serde_json::from_str::<String>(&format!("\"{text}\""))
        .map(Value::String)
        .map_err(|_| format!("the value `{text}` is no text that Velero could read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forms of Velero's documentation.
    const RULES: &str = r#"
version: v1
resourceModifierRules:
- conditions:
    groupResource: persistentvolumeclaims
    resourceNameRegex: "^mysql.*$"
    namespaces:
    - bar
    - foo
    labelSelector:
      matchLabels:
        foo: bar
    matches:
    - path: "/spec/storageClassName"
      value: "premium"
  patches:
  - operation: test
    path: "/spec/storageClassName"
    value: "premium"
  - operation: replace
    path: "/spec/storageClassName"
    value: "standard"
  - operation: remove
    path: "/metadata/labels/test"
- conditions:
    groupResource: deployments.apps
    namespaces:
  patches:
  - operation: add
    path: "/spec/template/spec/containers/0"
    value: "{\"name\": \"nginx\", \"image\": \"nginx:1.14.2\", \"ports\": [{\"containerPort\": 80}]}"
  - operation: copy
    from: "/spec/template/spec/containers/0"
    path: "/spec/template/spec/containers/1"
- conditions:
    groupResource: "*.*"
  mergePatches:
  - patchData: |
      {
        "metadata": { "annotations": { "foo": null } }
      }
- conditions:
    groupResource: pods
  strategicPatches:
  - patchData: |
      spec:
        containers:
        - name: nginx
          image: repo/nginx
"#;

    fn rules(text: &str) -> Result<Vec<Rule>, String> {
        modifiers(&[parse(text).unwrap()], "modifiers.yaml")
    }

    #[test]
    fn a_configmap_and_its_text_say_the_same() {
        let plain = rules(RULES).unwrap();
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "velero"},
                         "data": {"modifiers.yaml": RULES}});
        assert_eq!(modifiers(&[map], "modifiers.yaml").unwrap(), plain);
        let image = json!({"name": "nginx", "image": "nginx:1.14.2", "ports": [{"containerPort": 80}]});
        let class = "/spec/storageClassName";
        let (first, second) = (
            "/spec/template/spec/containers/0",
            "/spec/template/spec/containers/1",
        );
        assert_eq!(
            serde_json::to_value(&plain).unwrap(),
            json!([
                {"name": "rule 1 of modifiers.yaml",
                 "when": {"groupResource": "persistentvolumeclaims", "namespaces": ["bar", "foo"], "nameRegex": "^mysql.*$",
                          "labels": {"matchLabels": {"foo": "bar"}}, "matches": [{"path": class, "value": "premium"}]},
                 "patch": {"json": [{"op": "test", "path": class, "value": "premium"},
                                    {"op": "replace", "path": class, "value": "standard"},
                                    {"op": "remove", "path": "/metadata/labels/test"}]}},
                {"name": "rule 2 of modifiers.yaml", "when": {"groupResource": "deployments.apps"},
                 "patch": {"json": [{"op": "add", "path": first, "value": image},
                                    {"op": "copy", "from": first, "path": second}]}},
                {"name": "rule 3 of modifiers.yaml", "when": {"groupResource": "*.*"},
                 "patch": {"merge": [{"metadata": {"annotations": {"foo": null}}}]}},
                {"name": "rule 4 of modifiers.yaml", "when": {"groupResource": "pods"},
                 "patch": {"strategic": [{"spec": {"containers": [{"name": "nginx", "image": "repo/nginx"}]}}]}},
            ])
        );
    }

    #[test]
    fn values_are_read_as_velero_reads_them() {
        for (text, wanted) in [
            ("premium", json!("premium")),
            ("3", json!(3)),
            ("1.5", json!(1.5)),
            ("\"3\"", json!("3")),
            ("\"true\"", json!("true")),
            ("true", json!(true)),
            ("null", json!(null)),
            ("", json!("")),
            ("[\"a\", 1]", json!(["a", 1])),
            ("{\"a\": {}}", json!({"a": {}})),
            ("a\\nb", json!("a\nb")),
            ("1.2.3", json!("1.2.3")),
        ] {
            assert_eq!(value(text), Ok(wanted), "{text}");
        }
        for unclear in ["{a}", "True", "inf", "a\"b", "\"", "[1"] {
            assert!(value(unclear).is_err(), "{unclear}");
        }
        let number = rules(
            "version: v1\nresourceModifierRules:\n- conditions: { groupResource: pods, matches: [{ path: /a, value: 3 }] }\n  patches: [{ operation: add, path: /b, value: true }]\n",
        );
        let rule = &number.unwrap()[0];
        assert_eq!(rule.when.matches[0].value.0, json!(3));
        assert_eq!(
            rule.patch,
            Patch::Json(vec![Fragment(json!({"op": "add", "path": "/b", "value": true}))])
        );
    }

    #[test]
    fn what_velero_would_refuse_or_fail_at_is_refused() {
        let one =
            |rule: &str| rules(&format!("version: v1\nresourceModifierRules:\n- {rule}\n")).unwrap_err();
        let map = |data: Value| {
            modifiers(
                &[json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data})],
                "m.yaml",
            )
            .unwrap_err()
        };
        insta::assert_snapshot!(
            [
                rules("version: v2\nresourceModifierRules: [{}]").unwrap_err(),
                rules("version: v1\nresourceModifierRules: []").unwrap_err(),
                rules("kind: Deployment").unwrap_err(),
                modifiers(&[], "m.yaml").unwrap_err(),
                map(json!({"a": "", "b": ""})),
                map(json!({"a": "version: v1\nversion: v1"})),
                one("conditions: { groupKind: pods }"),
                one("conditions: { groupResource: pods }"),
                one("conditions: { groupResource: '' }\n  patches: [{ operation: remove, path: /a }]"),
                one("conditions: { groupResource: '{a' }\n  patches: [{ operation: remove, path: /a }]"),
                one("conditions: { groupResource: pods, resourceNameRegex: '(' }\n  patches: [{ operation: remove, path: /a }]"),
                one("conditions: { groupResource: pods }\n  patches: [{ operation: delete, path: /a }]"),
                one("conditions: { groupResource: pods }\n  patches: [{ operation: add, path: /a, value: { b: c } }]"),
                one("conditions: { groupResource: pods }\n  patches: [{ operation: remove, path: /a }]\n  mergePatches: [{ patchData: '{}' }]"),
                one("conditions: { groupResource: pods }\n  mergePatches: [{ patchData: '[]' }]"),
                one("conditions: { groupResource: pods }\n  mergePatches: [{ patchData: '{' }]"),
            ]
            .join("\n"),
            @"
        modifiers.yaml has version `v2`; `v1` is known
        modifiers.yaml has no rules
        modifiers.yaml holds no resource modifiers: unknown field `kind`, expected `version` or `resourceModifierRules`
        m.yaml holds 0 documents; one is meant
        the ConfigMap in m.yaml: one key in `data` is meant, which holds the rules
        the ConfigMap in m.yaml: line 2: the key `version` is there twice
        rule 1 of modifiers.yaml: unknown field `groupKind`, expected one of `groupResource`, `namespaces`, `resourceNameRegex`, `labelSelector`, `matches`
        rule 1 of modifiers.yaml: it has no patch
        rule 1 of modifiers.yaml: `groupResource` is empty
        rule 1 of modifiers.yaml: `{a` is not a pattern of kinds
        rule 1 of modifiers.yaml: `(` is not a regular expression
        rule 1 of modifiers.yaml: `delete` is not an operation of JSON Patch
        rule 1 of modifiers.yaml: a value is a text; write a map or a list as JSON between quotes
        rule 1 of modifiers.yaml: it has more than one of patches, mergePatches and strategicPatches
        rule 1 of modifiers.yaml: a merge patch is a map, written like the object
        rule 1 of modifiers.yaml: `patchData`: line 1: this is not YAML
        "
        );
    }
}
