//! What the order of restoring has to know of an object: a hundred bytes or two, so that it can be
//! known of all objects of a backup while the objects themselves stay in the archive.

use serde_json::Value;

use super::json::{group, group_kind, list, name, pod_template, text};
use super::names::Names;
use super::references::{Key, bound_accounts, converter, namespace, references};

/// An object as others name it, in numbers of [`Names`]: no version, because references and objects
/// may use different ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Handle {
    /// API group.
    pub group: u32,
    /// Kind.
    pub kind: u32,
    /// Namespace; the number of the empty text for cluster-scoped objects.
    pub namespace: u32,
    /// Name.
    pub name: u32,
}

impl Handle {
    /// In the numbers of these names.
    pub fn of(names: &mut Names, group: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            group: names.number(group),
            kind: names.number(kind),
            namespace: names.number(namespace),
            name: names.number(name),
        }
    }

    fn of_key(names: &mut Names, key: &Key<'_>) -> Self {
        Self::of(names, key.group, key.kind, key.namespace, key.name)
    }
}

/// One object as the order sees it.
#[derive(Debug)]
pub struct Outline {
    /// Its own name.
    pub handle: Handle,
    /// Where it stands if nothing else decides.
    pub(super) rank: u8,
    pub(super) role: Role,
    /// What it names, its owners first and its namespace last.
    pub(super) needs: Box<[Handle]>,
    /// How many of `needs` are its owners.
    pub(super) owners: usize,
    pub(super) rare: Option<Box<Rare>>,
}

/// What an object is to the other objects of its namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// What workloads of a namespace should find when they start, named by them or not.
    Configuration,
    /// Has pods.
    Workload,
    /// A custom resource without pods.
    Custom,
    Other,
}

/// What only few objects have.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Rare {
    /// A definition: group and kind of its custom resources.
    pub(super) defines: Option<(u32, u32)>,
    /// A definition: the service that converts its custom resources between versions.
    pub(super) converted_by: Option<Handle>,
    /// A claim as a stateful set names them, `<template>-<set>-<number>`: its name without the number.
    pub(super) numbered: Option<u32>,
    /// A stateful set: names of its claims, without the number.
    pub(super) claims: Vec<u32>,
    /// A cluster-wide binding: namespaces of the accounts that get rights.
    pub(super) accounts_in: Vec<u32>,
    /// What makes the API server ask a workload before it accepts others: namespaces of the services.
    pub(super) answers_in: Vec<u32>,
    /// A configuration of webhooks: from then on, others may be refused.
    pub(super) admits: bool,
}

impl Outline {
    /// Reads it off an object whose owner references are still there.
    pub fn of(object: &Value, names: &mut Names) -> Self {
        let key = Key::of(object);
        let keys = references(object);
        let home = (!key.namespace.is_empty()).then(|| Key::core("Namespace", "", key.namespace));
        let needs = keys.iter().chain(&home);
        let rare = Rare::of(object, &keys, names);
        Self {
            handle: Handle::of_key(names, &key),
            rank: rank(&key),
            role: Role::of(object),
            needs: needs.map(|key| Handle::of_key(names, key)).collect(),
            owners: owner_keys(object),
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
        }
    }
}

/// How many keys `references` gives first, for the owners: an owner's scope is not said, so an object
/// in a namespace has two for each.
fn owner_keys(object: &Value) -> usize {
    let named = |owner: &&Value| text(owner, "/kind").is_some() && text(owner, "/name").is_some();
    let each = if namespace(object).is_empty() { 1 } else { 2 };
    each * list(object, "/metadata/ownerReferences").filter(named).count()
}

impl Role {
    fn of(object: &Value) -> Self {
        if is_configuration(object) {
            Self::Configuration
        } else if pod_template(object).is_some() {
            Self::Workload
        } else if is_custom(object) {
            Self::Custom
        } else {
            Self::Other
        }
    }
}

impl Rare {
    fn of(object: &Value, keys: &[Key<'_>], names: &mut Names) -> Self {
        let mut rare = Self::default();
        match group_kind(object) {
            ("apiextensions.k8s.io", "CustomResourceDefinition") => {
                let brings = (text(object, "/spec/group"), text(object, "/spec/names/kind"));
                if let (Some(group), Some(kind)) = brings {
                    rare.defines = Some((names.number(group), names.number(kind)));
                }
                rare.converted_by = converter(object).map(|key| Handle::of_key(names, &key));
            }
            ("", "PersistentVolumeClaim") => {
                let numbered = name(object).rsplit_once('-');
                let numbered = numbered.filter(|(_, number)| number.parse::<u32>().is_ok());
                rare.numbered = numbered.map(|(base, _)| names.number(base));
            }
            ("apps", "StatefulSet") => {
                let templates = list(object, "/spec/volumeClaimTemplates");
                let bases = templates.map(|template| format!("{}-{}", name(template), name(object)));
                rare.claims = bases.map(|base| names.number(&base)).collect();
            }
            ("rbac.authorization.k8s.io", "ClusterRoleBinding") => {
                let accounts = bound_accounts(object);
                rare.accounts_in = accounts.map(|account| names.number(account.namespace)).collect();
            }
            (group @ ("admissionregistration.k8s.io" | "apiregistration.k8s.io"), kind) => {
                rare.admits =
                    group == "admissionregistration.k8s.io" && kind.ends_with("WebhookConfiguration");
                let services = keys.iter().filter(|key| key.kind == "Service");
                rare.answers_in = services.map(|key| names.number(key.namespace)).collect();
            }
            _ => {}
        }
        rare
    }
}

fn is_configuration(object: &Value) -> bool {
    matches!(
        group_kind(object),
        (
            "",
            "Secret" | "ConfigMap" | "ServiceAccount" | "LimitRange" | "ResourceQuota"
        ) | ("networking.k8s.io", "NetworkPolicy")
            | ("rbac.authorization.k8s.io", "Role" | "RoleBinding")
    )
}

fn is_custom(object: &Value) -> bool {
    let group = group(object);
    group.contains('.') && !group.ends_with(".k8s.io")
}

const RANK_OTHER: u8 = 150;

/// The order among objects that need each other.
fn rank(key: &Key<'_>) -> u8 {
    match (key.group, key.kind) {
        ("", "Namespace") => 0,
        ("apiextensions.k8s.io", _) => 1,
        ("storage.k8s.io" | "scheduling.k8s.io", _) => 2,
        ("", "PersistentVolume") => 3,
        ("", "PersistentVolumeClaim") => 4,
        ("", "Secret") => 5,
        ("", "ConfigMap") => 6,
        ("", "ServiceAccount") => 7,
        ("rbac.authorization.k8s.io", "ClusterRole" | "Role") => 8,
        ("rbac.authorization.k8s.io", _) => 9,
        ("", "Service") => 10,
        ("admissionregistration.k8s.io" | "apiregistration.k8s.io", _) => u8::MAX,
        _ => RANK_OTHER,
    }
}
