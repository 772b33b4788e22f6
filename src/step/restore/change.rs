//! How a step says what is changed on the way: `map`, `change`, and Velero's `modifiers`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::{Map as Fields, Value, json};

use crate::objects::{self, Changes, Fragment, Mapping, Rule, When};
use crate::step::params::NamespaceName;
use crate::step::select::{KindName, Labels, NamespacePattern, check_labels, kinds, selectors};

/// Names that mean something else at the site: name in the backup, name there. Each is looked up once.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Map {
    /// Namespaces that this step restores. Accounts, role bindings, network policies and the like follow;
    /// whole names of services in configuration (`db.shop.svc`) do not, and are pointed out. Other steps,
    /// and `${namespaces.…}`, use the name there, and in a drill get the drill's namespace for it.
    #[serde(default)]
    namespaces: BTreeMap<String, NamespaceName>,
    /// Storage classes: in claims, templates of claims, ephemeral volumes and quotas. A claim without a
    /// class stays without one.
    #[serde(default)]
    storage_classes: BTreeMap<String, String>,
    /// Registries, perhaps with the beginning of a path: `registry.a.example: registry.b.example/mirror`.
    /// In every container of every pod or template of pods; tags and digests stay, the longest entry wins.
    /// An image without a registry is of docker.io, `nginx` is docker.io/library/nginx. Pull secrets are
    /// not changed.
    #[serde(default)]
    registries: BTreeMap<String, String>,
    /// Host names of Ingresses, and of routes and listeners of the Gateway API. `*.example.com:
    /// *.example.org` moves everything that ends so; without `*.` it is that name alone, and goes first.
    /// Names in annotations, certificates and configuration are not changed.
    #[serde(default)]
    hosts: BTreeMap<String, String>,
}

impl Map {
    /// The name of a namespace at the site.
    pub(super) fn namespace<'a>(&'a self, name: &'a str) -> &'a str {
        self.namespaces.get(name).map_or(name, |target| target.0.as_str())
    }

    /// What becomes what, for a person who does it by hand.
    pub(super) fn in_words(&self) -> Vec<String> {
        let namespaces = self.namespaces.iter();
        let namespaces = namespaces.map(|(from, to)| {
            format!(
                "where an object names namespace {from} in its own text, {from} becomes {}",
                to.0
            )
        });
        let pairs = |what: &'static str, map: &BTreeMap<String, String>| {
            let one = move |(from, to): (&String, &String)| format!("{what} {from} becomes {to}");
            map.iter().map(one).collect::<Vec<_>>()
        };
        let mut all: Vec<String> = namespaces.collect();
        all.extend(pairs("storage class", &self.storage_classes));
        all.extend(pairs("registry", &self.registries));
        all.extend(pairs("host", &self.hosts));
        all
    }
}

/// One patch and the objects that it is for. All conditions must hold; they look at the object after `map`
/// and before the first patch.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Change {
    /// Kinds, as `plural.group`.
    #[schemars(length(min = 1))]
    kinds: Vec<KindName>,
    /// Namespaces by their names in the backup, or patterns such as `shop-*`; without it: all.
    #[serde(default)]
    namespaces: Vec<NamespacePattern>,
    /// Names, or patterns with `*` for any letters, such as `web-*`; without it: all.
    #[serde(default)]
    names: Vec<String>,
    /// A regular expression that finds something in the name, such as `^web-[0-9]+$`.
    name_regex: Option<String>,
    /// A label selector.
    labels: Option<Labels>,
    /// Values that must be at places.
    #[serde(default)]
    matches: Vec<Match>,
    /// JSON Patch: all operations or none. Where a `test` fails, the object stays as it is; where another
    /// operation does not go, the restore is refused.
    patch: Option<Vec<Operation>>,
    /// A merge patch: what is written is put over the object, `null` removes. Lists are replaced.
    merge: Option<Fields<String, Value>>,
    /// A strategic merge patch: like `merge`, and lists such as containers, ports, volumes and env are
    /// merged by their keys; with `$patch: delete` or `replace`. Not for custom kinds.
    strategic: Option<Fields<String, Value>>,
}

/// A value at a place.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Match {
    /// A JSON pointer, such as `/spec/type`; a `/` in a name is written `~1`.
    path: String,
    /// The very value; `null`: nothing is there.
    value: Value,
}

/// One operation of JSON Patch (RFC 6902).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Operation {
    /// What it does.
    op: Op,
    /// A JSON pointer, such as `/spec/replicas`; a `/` in a name is written `~1`.
    path: String,
    /// Where from, for `move` and `copy`.
    from: Option<String>,
    /// For `add`, `replace` and `test`.
    #[serde(default, deserialize_with = "given")]
    value: Option<Value>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Op {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
}

/// `value: null` is a value.
fn given<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(reader).map(Some)
}

impl Map {
    fn mapping(&self) -> Mapping {
        let spaces = self.namespaces.iter();
        Mapping {
            namespaces: spaces.map(|(from, to)| (from.clone(), to.0.clone())).collect(),
            storage_classes: self.storage_classes.clone(),
            registries: self.registries.clone(),
            hosts: self.hosts.clone(),
        }
    }
}

/// What is wrong with both.
///
/// # Errors
///
/// The first mistake, as a lowercase fragment.
pub(super) fn check(map: &Map, change: &[Change], restored: &[String]) -> Result<(), String> {
    map.mapping().check(restored)?;
    for (at, one) in change.iter().enumerate() {
        check_labels(one.labels.as_slice())
            .and_then(|()| one.rule(at)?.check())
            .map_err(|why| format!("{}: {why}", name(at)))?;
    }
    Ok(())
}

/// Everything that is changed. Velero's rules come first, so that those of the runbook have the last word.
///
/// # Errors
///
/// As [`check`].
pub(super) fn changes(
    map: &Map,
    modifiers: Vec<Rule>,
    change: &[Change],
    restored: &[String],
) -> Result<Changes, String> {
    let map = map.mapping();
    map.check(restored)?;
    let own = change.iter().enumerate().map(|(at, one)| one.rule(at));
    let own: Vec<Rule> = own.collect::<Result<_, _>>()?;
    Ok(Changes {
        map,
        rules: modifiers.into_iter().chain(own).collect(),
    })
}

fn name(at: usize) -> String {
    format!("change {}", at + 1)
}

impl Change {
    fn rule(&self, at: usize) -> Result<Rule, String> {
        let labels = self.labels.as_slice();
        let matches = self.matches.iter().map(|one| objects::Match {
            path: one.path.clone(),
            value: Fragment(one.value.clone()),
        });
        Ok(Rule {
            name: name(at),
            when: When {
                kinds: kinds(&self.kinds),
                namespaces: self.namespaces.iter().map(|one| one.0.clone()).collect(),
                names: self.names.clone(),
                name_regex: self.name_regex.clone(),
                labels: selectors(labels).pop(),
                matches: matches.collect(),
                ..When::default()
            },
            patch: self.patch()?,
        })
    }

    fn patch(&self) -> Result<objects::Patch, String> {
        let one = |map: &Fields<String, Value>| vec![Fragment(Value::Object(map.clone()))];
        match (&self.patch, &self.merge, &self.strategic) {
            (Some(operations), None, None) if operations.is_empty() => Err("its patch is empty".into()),
            (Some(operations), None, None) => Ok(objects::Patch::Json(
                operations.iter().map(Operation::fragment).collect(),
            )),
            (None, Some(merge), None) => Ok(objects::Patch::Merge(one(merge))),
            (None, None, Some(merge)) => Ok(objects::Patch::Strategic(one(merge))),
            _ => Err("exactly one of `patch`, `merge` and `strategic` is meant".into()),
        }
    }
}

impl Operation {
    fn fragment(&self) -> Fragment {
        let op = match self.op {
            Op::Add => "add",
            Op::Remove => "remove",
            Op::Replace => "replace",
            Op::Move => "move",
            Op::Copy => "copy",
            Op::Test => "test",
        };
        let mut fields = json!({"op": op, "path": self.path});
        if let Some(from) = &self.from {
            fields["from"] = from.clone().into();
        }
        if let Some(value) = &self.value {
            fields["value"] = value.clone();
        }
        Fragment(fields)
    }
}

#[cfg(test)]
mod tests {
    use crate::runbook::load;
    use crate::step::{KINDS, check, kind_names};
    use crate::text::Sources;

    const HEAD: &str = "\
apiVersion: lifeboat.dev/v1alpha1
kind: Sites
metadata: { name: acme }
spec:
  sites:
    east: { embedded: {} }
    west: { embedded: {} }
  stores:
    vault: { directory: vault }
---
apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: { name: shop }
spec:
  title: Shop
  owner: { team: commerce }
  objectives: { rto: 30m, rpo: 15m }
  roles: { active: east, standby: west }
  inputs:
    size: { type: integer, default: 2 }
  steps:
    - name: stop-active
      fence: { site: active, namespaces: [shop, bank] }
    - name: restore
      needs: [stop-active]
      restore:
        site: standby
        from: vault
        namespaces: [shop, bank]
";

    /// What `check` says of a restore step with these lines.
    fn checked(lines: &str) -> String {
        let mut sources = Sources::default();
        let id = sources.add("shop.yaml", format!("{HEAD}        {lines}\n"));
        let loaded = check(load(&sources, &[id], &kind_names(KINDS)), KINDS);
        loaded.0.diagnostics.render(&sources, false)
    }

    /// The first mistake.
    fn first(lines: &str) -> String {
        let said = checked(lines);
        let error = said.lines().find(|line| line.starts_with("error["));
        error.unwrap_or("no mistake").to_owned()
    }

    #[test]
    fn everything_that_can_be_changed_is_accepted() {
        for good in [
            "map: { namespaces: { shop: shop-eu }, storageClasses: { fast: standard }, registries: { docker.io: mirror.example:5000/hub }, hosts: { '*.example.com': '*.example.org' } }",
            "modifiers: modifiers.yaml",
            "change: [{ kinds: [services], patch: [{ op: replace, path: /spec/type, value: ClusterIP }] }]",
            "change: [{ kinds: [services], patch: [{ op: test, path: /spec/type, value: null }, { op: move, from: /spec/a, path: /spec/b }] }]",
            "change: [{ kinds: [deployments.apps], names: ['web-*'], nameRegex: '^web', labels: { matchLabels: { app: web } }, matches: [{ path: /spec/replicas, value: 3 }], merge: { spec: { replicas: '${inputs.size}', paused: null } } }]",
            "change: [{ kinds: [deployments.apps], namespaces: ['sh*'], strategic: { spec: { template: { spec: { containers: [{ name: web, $patch: delete }] } } } } }]",
        ] {
            assert_eq!(first(good), "no mistake", "{good}: {}", checked(good));
        }
    }

    #[test]
    fn nonsense_is_found_without_a_network() {
        let wrong = [
            "map: { namespaces: { shop: bank } }",
            "map: { namespaces: { shpo: shop-eu } }",
            "map: { namespaces: { shop: Shop } }",
            "map: { storageClass: { fast: standard } }",
            "map: { registries: { mirror: registry.example } }",
            "map: { hosts: { '*.example.com': example.org } }",
            "change: [{ kinds: [services] }]",
            "change: [{ kinds: [], merge: {} }]",
            "change: [{ kinds: [services], merge: {}, strategic: {} }]",
            "change: [{ kinds: [services], merge: [] }]",
            "change: [{ kinds: [services], nameRegex: '(', merge: {} }]",
            "change: [{ kinds: [services], labels: {}, merge: {} }]",
            "change: [{ kinds: [services], matches: [{ path: spec, value: 1 }], merge: {} }]",
            "change: [{ kinds: [services], patch: [{ op: delete, path: /spec }] }]",
            "change: [{ kinds: [services], patch: [{ op: add, path: /spec/a }] }]",
            "change: [{ kinds: [services], patch: [{ op: remove, path: spec }] }]",
            "change: [{ kinds: [services], patch: [] }]",
        ];
        insta::assert_snapshot!(wrong.map(first).join("\n"), @"
        error[L035]: two namespaces would become `bank`
        error[L035]: `map` names the namespace `shpo`, which this step does not restore
        error[L016]: `Shop` is not a name
        error[L009]: the key `storageClass` means nothing here
        error[L035]: `mirror` is not a registry: write its host, perhaps with a path, as in registry.example.com/team
        error[L035]: `*.example.com` cannot become `example.org`: `*.` stands for many names, so both have it or neither
        error[L035]: change 1: exactly one of `patch`, `merge` and `strategic` is meant
        error[L014]: at least 1 entry has to be here
        error[L035]: change 1: exactly one of `patch`, `merge` and `strategic` is meant
        error[L011]: expected a map, found a list
        error[L035]: change 1: `(` is not a regular expression
        error[L035]: change 1: a label selector without conditions chooses everything; leave it out
        error[L035]: change 1: `spec` is not a place: write it like /spec/replicas, with ~1 for a / in a name
        error[L013]: `delete` is not one of add, remove, replace, move, copy, test
        error[L035]: change 1: `add` lacks its `value`
        error[L035]: change 1: `spec` is not a place: write it like /spec/replicas, with ~1 for a / in a name
        error[L035]: change 1: its patch is empty
        ");
    }
}
