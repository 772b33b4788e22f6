//! Which objects outside of namespaces belong to captured ones: what those name, and what gives rights
//! to their service accounts.
//!
//! ## Why
//!
//! - Collected while objects pass by, because nobody holds all of them: only names are kept.
//! - Only kinds of [`RELATED`] are looked for. An owner of another cluster-scoped kind is not: that would
//!   mean listing every kind that a cluster has, for what `cluster: all` says in one word.
//! - A binding counts where it names an account, or all accounts of a captured namespace. One for all
//!   accounts of the cluster (`system:serviceaccounts`) says nothing about these.
//! - A webhook and an API service count where a service of a captured namespace answers for them: without
//!   them an operator that was restored does nothing.
//! - What an aggregated role gathers by labels does not count: its cluster fills it again.
//! - A backup asks for the kinds in order; in an archive they come in the order of their names. So a
//!   restore notes candidates and decides at the end ([`Candidates`]).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::json::{group, group_kind, kind, list, name, text};
use super::references::{Key, bound_accounts, references};
use super::{ApiKind, builtin};

/// Group and kind of what can be related, in the order in which it has to be asked: a binding names
/// its role, a volume its class.
pub const RELATED: [(&str, &str); 11] = [
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
    ("", "PersistentVolume"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("networking.k8s.io", "IngressClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "StorageClass"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("apiregistration.k8s.io", "APIService"),
];

/// What captured objects name outside of their namespaces.
#[derive(Clone, Debug, Default)]
pub struct Related {
    /// Index into [`RELATED`], and name.
    named: BTreeSet<(usize, String)>,
    /// Captured service accounts: namespace and name.
    accounts: BTreeSet<(String, String)>,
    /// Captured namespaces.
    namespaces: BTreeSet<String>,
    /// Custom kinds, as `plural.group`: the name of their definition.
    custom: BTreeSet<String>,
}

impl Related {
    /// Notes what a captured object names.
    pub fn note(&mut self, of: &ApiKind, object: &Value) {
        if builtin(&of.kind).as_ref() != Some(of) {
            let resource = of.resource();
            if !self.custom.contains(&resource) {
                self.custom.insert(resource);
            }
        }
        match (of.group.as_str(), of.kind.as_str()) {
            ("", "Namespace") => {
                self.namespaces.insert(name(object).to_owned());
            }
            ("", "ServiceAccount") => {
                let place = text(object, "/metadata/namespace").unwrap_or_default();
                self.accounts.insert((place.to_owned(), name(object).to_owned()));
            }
            _ => {}
        }
        for key in references(object) {
            if let Some(at) = number(key.group, key.kind).filter(|_| key.namespace.is_empty()) {
                self.named.insert((at, key.name.to_owned()));
            }
        }
    }

    /// Whether captured objects name this one.
    pub fn names(&self, object: &Value) -> bool {
        let Some(at) = number(group(object), kind(object)) else {
            return false;
        };
        match kind(object) {
            "ClusterRoleBinding" => self.binds(object),
            "CustomResourceDefinition" => self.custom.contains(name(object)),
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" | "APIService" => {
                let mut services = services(object);
                services.any(|namespace| self.namespaces.contains(namespace))
            }
            _ => self.named.contains(&(at, name(object).to_owned())),
        }
    }

    fn binds(&self, binding: &Value) -> bool {
        let account = |key: Key<'_>| {
            self.accounts
                .contains(&(key.namespace.to_owned(), key.name.to_owned()))
        };
        let of_namespace = |subject: &Value| {
            text(subject, "/kind") == Some("Group")
                && text(subject, "/name")
                    .and_then(|name| name.strip_prefix("system:serviceaccounts:"))
                    .is_some_and(|namespace| self.namespaces.contains(namespace))
        };
        bound_accounts(binding).any(account) || list(binding, "/subjects").any(of_namespace)
    }
}

/// Namespaces of the services that answer for a webhook configuration or an API service.
fn services(object: &Value) -> impl Iterator<Item = &str> {
    let hooks = list(object, "/webhooks").filter_map(|hook| text(hook, "/clientConfig/service/namespace"));
    hooks.chain(text(object, "/spec/service/namespace"))
}

/// Cluster-scoped objects that may turn out to be related, each with a number of its caller's.
#[derive(Debug, Default)]
pub struct Candidates {
    related: Related,
    waiting: Vec<(usize, Gist)>,
}

/// What has to be known of a candidate, without the rest: definitions are large.
#[derive(Debug)]
pub struct Gist(Value);

impl Candidates {
    /// Whether objects of this kind can be related to others at all.
    pub fn may_be(object: &Value) -> bool {
        let (group, kind) = group_kind(object);
        number(group, kind).is_some()
    }

    /// Notes what a chosen object names.
    pub fn note(&mut self, of: &ApiKind, object: &Value) {
        self.related.note(of, object);
    }

    /// An object that counts only if others name it.
    pub fn wait(&mut self, number: usize, object: Gist) {
        self.waiting.push((number, object));
    }

    /// The numbers of those that nothing names, directly or through others of them.
    pub fn unnamed(mut self) -> BTreeSet<usize> {
        loop {
            let (named, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
                .into_iter()
                .partition(|(_, object)| self.related.names(&object.0));
            self.waiting = left;
            if named.is_empty() {
                break;
            }
            for (_, Gist(object)) in named {
                // A kind that every cluster has; as a custom one it would name a definition.
                if let Some(of) = builtin(kind(&object)) {
                    self.related.note(&of, &object);
                }
            }
        }
        self.waiting.into_iter().map(|(number, _)| number).collect()
    }
}

impl Gist {
    /// What [`Related`] reads of an object.
    pub fn of(object: &Value) -> Self {
        let hooks: Vec<Value> = list(object, "/webhooks")
            .filter_map(|hook| hook.pointer("/clientConfig/service"))
            .map(|service| json!({ "clientConfig": { "service": service } }))
            .collect();
        let part = |pointer: &str| object.pointer(pointer).cloned().unwrap_or_default();
        Self(json!({
            "apiVersion": part("/apiVersion"), "kind": part("/kind"),
            "metadata": { "name": name(object) },
            "roleRef": part("/roleRef"), "subjects": part("/subjects"),
            "spec": { "service": part("/spec/service") },
            "webhooks": hooks,
        }))
    }
}

/// Where this kind stands in [`RELATED`].
fn number(group: &str, kind: &str) -> Option<usize> {
    RELATED.iter().position(|one| *one == (group, kind))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn noted(objects: &[Value]) -> Related {
        let mut related = Related::default();
        for object in objects {
            let of = builtin(kind(object)).unwrap_or_else(|| ApiKind {
                group: group(object).into(),
                version: "v1".into(),
                kind: kind(object).into(),
                plural: "coupons".into(),
                namespaced: true,
            });
            related.note(&of, object);
        }
        related
    }

    fn named(api_version: &str, kind: &str, name: &str) -> Value {
        json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
    }

    #[test]
    fn classes_volumes_and_definitions_are_related_by_name() {
        let related = noted(&[
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"template": {"spec": {"containers": [], "priorityClassName": "high"}}}}),
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop"},
                "spec": {"volumeName": "pv-1", "storageClassName": "fast"}}),
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web", "namespace": "shop"},
                "spec": {"ingressClassName": "nginx"}}),
            json!({"apiVersion": "shop.example.com/v1", "kind": "Coupon", "metadata": {"name": "a", "namespace": "shop"}}),
        ]);
        for (api_version, kind, name, other) in [
            ("scheduling.k8s.io/v1", "PriorityClass", "high", "low"),
            ("v1", "PersistentVolume", "pv-1", "pv-2"),
            ("storage.k8s.io/v1", "StorageClass", "fast", "slow"),
            ("networking.k8s.io/v1", "IngressClass", "nginx", "other"),
            (
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                "coupons.shop.example.com",
                "others.shop.example.com",
            ),
        ] {
            assert!(related.names(&named(api_version, kind, name)), "{kind} {name}");
            assert!(!related.names(&named(api_version, kind, other)), "{kind} {other}");
        }
        assert!(
            !related.names(&named("v1", "Node", "high")),
            "only of its own kind"
        );
    }

    fn binding(name: &str, role: &str, subject: &Value) -> Value {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}, "subjects": [subject]})
    }

    #[test]
    fn bindings_are_related_by_their_accounts_and_roles_by_their_bindings() {
        let role = |name: &str| named("rbac.authorization.k8s.io/v1", "ClusterRole", name);
        let mut related = noted(&[
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": "shop"}}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "b", "namespace": "shop"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}}),
        ]);
        assert!(
            related.names(&role("view")),
            "a RoleBinding may name a ClusterRole"
        );
        let account =
            |namespace: &str| json!({"kind": "ServiceAccount", "name": "web", "namespace": namespace});
        let group = |name: &str| json!({"kind": "Group", "name": name});
        let ours = binding("ours", "reader", &account("shop"));
        assert!(related.names(&ours));
        assert!(related.names(&binding("group", "reader", &group("system:serviceaccounts:shop"))));
        for other in [
            account("bank"),
            group("system:serviceaccounts"),
            group("system:serviceaccounts:bank"),
        ] {
            assert!(!related.names(&binding("other", "reader", &other)));
        }
        assert!(
            !related.names(&role("reader")),
            "its binding was not captured yet"
        );
        related.note(&builtin("ClusterRoleBinding").unwrap(), &ours);
        assert!(related.names(&role("reader")));
    }

    fn service_of(namespace: &str) -> Value {
        json!({"name": "hook", "namespace": namespace})
    }

    #[test]
    fn what_a_captured_service_answers_for_is_related() {
        let related =
            noted(&[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})]);
        let hooks = |kind: &str, namespace: &str| {
            json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "h"}, "webhooks": [
                {"clientConfig": {"url": "https://elsewhere.example"}}, {"clientConfig": {"service": service_of(namespace)}}]})
        };
        let api = |namespace: &str| {
            json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.x"},
                "spec": {"service": service_of(namespace)}})
        };
        for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
            assert!(
                related.names(&hooks(kind, "shop")) && !related.names(&hooks(kind, "bank")),
                "{kind}"
            );
        }
        assert!(related.names(&api("shop")) && !related.names(&api("bank")));
        let local = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1."}, "spec": {}});
        assert!(!related.names(&local));
    }

    #[test]
    fn candidates_are_decided_at_the_end_in_whatever_order_they_came() {
        let account = json!({"kind": "ServiceAccount", "name": "web", "namespace": "shop"});
        let rbac = "rbac.authorization.k8s.io/v1";
        let waiting = [
            named(rbac, "ClusterRole", "reader"),
            named(rbac, "ClusterRole", "idle"),
            binding("ours", "reader", &account),
            binding("theirs", "idle", &json!({"kind": "User", "name": "eve"})),
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "coupons.shop.example.com"}}),
        ];
        let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": "shop"}});
        for backwards in [false, true] {
            let mut candidates = Candidates::default();
            let mut order: Vec<usize> = (0..waiting.len()).collect();
            if backwards {
                order.reverse();
            }
            for number in order {
                candidates.wait(number, Gist::of(&waiting[number]));
            }
            candidates.note(&builtin("ServiceAccount").unwrap(), &account);
            assert_eq!(candidates.unnamed(), BTreeSet::from([1, 3, 4]));
        }
        assert!(Candidates::may_be(&waiting[0]) && !Candidates::may_be(&account));
    }
}
