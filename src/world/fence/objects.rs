//! What an installation consists of, as objects. Pure.
//!
//! ## Why
//!
//! - **One policy for all groups**, in which each group has an entry. A policy for each group would have to be
//!   installed for each, and a runbook that nobody thought of would not be fenced. A group that has no entry yet is
//!   refused, until its first epoch writes one.
//! - **The epochs stand in the policy itself**, not in a `ConfigMap` that is its parameter. That was tried: an API server
//!   looks for parameters before it asks whom the policy is about. With `parameterNotFoundAction: Deny` and the `ConfigMap`
//!   gone it refused every write of everybody, the controllers included, and also the one that would have brought the
//!   `ConfigMap` back; with `Allow` it would refuse nobody. Without parameters nobody but the accounts of epochs can be
//!   refused by it. The price is that a change takes up to a second to be in force, by a refresh that an API server does
//!   once in a second; the proof waits for it.
//! - **`*/*` alone**: an API server takes no other entry beside it. It means every kind and every subresource.
//! - **Dry runs pass the guard**: they change nothing, and the witness has to get as far as the other policy.
//! - **The role names its verbs.** `*` would mean `impersonate` too, by which an old epoch could act as somebody
//!   to whom the policy does not apply, and `escalate` and `bind`.
//! - **Left out of backups**, by the label that Velero and lifeboat heed: a restore must not bring the epochs of
//!   another day or of another site.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::epochs::Known;
use super::names::{
    AT, GUARD, LABEL, OVER, PLACE, POLICY, PREFIX, RECORD, ROLE, UNKNOWN, WITNESS, WITNESS_ROLE, account,
};
use crate::objects::{ApiKind, builtin};
use crate::text::is_name;

/// The API group of admission policies.
const ADMISSION: &str = "admissionregistration.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";

/// An object and its kind.
#[derive(Clone, Debug)]
pub(in crate::world) struct Piece {
    pub(in crate::world) kind: ApiKind,
    pub(in crate::world) object: Value,
}

impl Piece {
    fn of(kind: ApiKind, mut object: Value) -> Self {
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = kind.kind.clone().into();
        object["metadata"]["labels"] = labels();
        Self { kind, object }
    }

    pub(super) fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> Option<&str> {
        self.object["metadata"]["namespace"].as_str()
    }

    /// Whether it is the policy in which the epochs stand.
    pub(super) fn is_fence(&self) -> bool {
        self.kind.kind == "ValidatingAdmissionPolicy" && self.name() == POLICY
    }

    /// `ServiceAccount lifeboat-system/lifeboat.witness`.
    pub(super) fn title(&self) -> String {
        let place = self.namespace().map(|name| format!("{name}/"));
        format!("{} {}{}", self.kind.kind, place.unwrap_or_default(), self.name())
    }
}

fn labels() -> Value {
    json!({ LABEL: "true", "velero.io/exclude-from-backup": "true" })
}

/// Whether an installation made this object.
pub(super) fn is_ours(object: &Value) -> bool {
    object["metadata"]["labels"][LABEL] == "true"
}

pub(super) fn kind(name: &str) -> ApiKind {
    // Not among the built-in ones: older servers do not have them.
    let policy = |kind: &str, plural: &str| ApiKind {
        group: ADMISSION.to_owned(),
        version: "v1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
        namespaced: false,
    };
    match name {
        "ValidatingAdmissionPolicy" => policy(name, "validatingadmissionpolicies"),
        "ValidatingAdmissionPolicyBinding" => policy(name, "validatingadmissionpolicybindings"),
        _ => builtin(name).unwrap_or_else(|| policy(name, name)),
    }
}

/// Everything, in the order in which it is made: what refuses comes last, when all that it needs is there.
pub(super) fn pieces(namespace: &str, known: &BTreeMap<String, Known>) -> Vec<Piece> {
    vec![
        Piece::of(kind("Namespace"), json!({ "metadata": { "name": namespace } })),
        service_account(namespace, WITNESS),
        placed(
            "Role",
            namespace,
            WITNESS_ROLE,
            json!({ "rules": [{ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"] }] }),
        ),
        placed(
            "RoleBinding",
            namespace,
            WITNESS_ROLE,
            json!({
                "roleRef": { "apiGroup": RBAC, "kind": "Role", "name": WITNESS_ROLE },
                "subjects": [{ "apiGroup": RBAC, "kind": "Group", "name": format!("system:serviceaccounts:{namespace}") }],
            }),
        ),
        wide("ClusterRole", ROLE, role()),
        with_note(
            wide("ValidatingAdmissionPolicy", POLICY, policy(namespace, known)),
            RECORD,
            &record(known),
        ),
        wide("ValidatingAdmissionPolicy", GUARD, guard(namespace)),
        with_note(binding(POLICY), PLACE, namespace),
        binding(GUARD),
    ]
}

/// An account; no pod gets its token by itself.
pub(super) fn service_account(namespace: &str, name: &str) -> Piece {
    let more = json!({ "automountServiceAccountToken": false });
    placed("ServiceAccount", namespace, name, more)
}

/// What gives an epoch its rights.
pub(in crate::world) fn role_binding(namespace: &str, group: &str, epoch: u64) -> Piece {
    let name = account(group, epoch);
    let more = json!({
        "roleRef": { "apiGroup": RBAC, "kind": "ClusterRole", "name": ROLE },
        "subjects": [{ "kind": "ServiceAccount", "namespace": namespace, "name": name }],
    });
    wide("ClusterRoleBinding", &name, more)
}

/// What a witness would make; nobody makes it.
pub(super) fn probe(namespace: &str) -> Piece {
    placed("ConfigMap", namespace, WITNESS, json!({}))
}

fn placed(kind_name: &str, namespace: &str, name: &str, mut more: Value) -> Piece {
    more["metadata"] = json!({ "name": name, "namespace": namespace });
    Piece::of(kind(kind_name), more)
}

fn wide(kind_name: &str, name: &str, mut more: Value) -> Piece {
    more["metadata"] = json!({ "name": name });
    Piece::of(kind(kind_name), more)
}

/// What restores and steps need: everything that is an object, and no power over other identities.
fn role() -> Value {
    let verbs = [
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
    ];
    json!({ "rules": [{ "apiGroups": ["*"], "resources": ["*"], "verbs": verbs }] })
}

fn everything() -> Value {
    json!({ "resourceRules": [{
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE", "DELETE", "CONNECT"],
        "resources": ["*/*"],
    }] })
}

fn of_epochs(namespace: &str) -> Value {
    let user = format!("system:serviceaccount:{namespace}:{PREFIX}");
    json!({
        "name": "an-account-of-an-epoch",
        "expression": format!("request.userInfo.username.startsWith('{user}')"),
    })
}

fn with_note(mut piece: Piece, name: &str, text: &str) -> Piece {
    piece.object["metadata"]["annotations"] = json!({ name: text });
    piece
}

/// The epochs as a policy's note has them.
pub(super) fn record(known: &BTreeMap<String, Known>) -> String {
    // Strings and numbers under strings can always be written.
    serde_json::to_string(known).unwrap_or_default()
}

/// What the policy's expressions refer to. Groups are DNS labels, so nothing has to be escaped.
pub(super) fn variables(known: &BTreeMap<String, Known>) -> Value {
    let entries = known
        .iter()
        .filter(|(group, _)| is_name(group))
        .map(|(group, known)| format!("'{group}': {}", known.epoch));
    let entries: Vec<String> = entries.collect();
    json!([
        { "name": "parts", "expression": "request.userInfo.username.split(':')[3].split('.')" },
        { "name": "epochs", "expression": format!("{{{}}}", entries.join(", ")) },
    ])
}

/// A policy with other epochs in it.
pub(super) fn with_epochs(mut policy: Value, known: &BTreeMap<String, Known>) -> Value {
    policy["metadata"]["annotations"][RECORD] = record(known).into();
    policy["spec"]["variables"] = variables(known);
    policy
}

fn policy(namespace: &str, known: &BTreeMap<String, Known>) -> Value {
    let holds = "size(variables.parts) == 3 && variables.parts[1] in variables.epochs && \
                 int(variables.parts[2]) >= variables.epochs[variables.parts[1]]";
    // Of an account that is not known, this cannot be said; then the server takes `message`.
    let says = format!(
        "'{OVER}: ' + variables.parts[1] + '{AT}' + string(variables.epochs[variables.parts[1]]) + ', and this is ' + variables.parts[2]"
    );
    json!({ "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": everything(),
        "matchConditions": [of_epochs(namespace)],
        "variables": variables(known),
        "validations": [{ "expression": holds, "message": UNKNOWN, "messageExpression": says, "reason": "Forbidden" }],
    } })
}

fn binding(policy: &str) -> Piece {
    let more = json!({ "spec": { "policyName": policy, "validationActions": ["Deny"] } });
    wide("ValidatingAdmissionPolicyBinding", policy, more)
}

/// Policies and their bindings are not among it: an API server does not let policies judge those.
fn guard(namespace: &str) -> Value {
    let name = "request.?name.orValue('')";
    let touches = [
        format!("request.?namespace.orValue('') == '{namespace}'"),
        format!("request.resource.resource == 'namespaces' && {name} == '{namespace}'"),
        "request.resource.resource == 'serviceaccounts' && request.?subResource.orValue('') == 'token'"
            .to_owned(),
        format!(
            "request.resource.group == '{RBAC}' && request.?namespace.orValue('') == '' && \
             ({name} == '{ROLE}' || {name}.startsWith('{PREFIX}'))"
        ),
    ];
    let touches: Vec<String> = touches.iter().map(|one| format!("({one})")).collect();
    json!({ "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": everything(),
        "matchConditions": [
            of_epochs(namespace),
            { "name": "no-dry-run", "expression": "!request.?dryRun.orValue(false)" },
        ],
        "validations": [{
            "expression": format!("!({})", touches.join(" || ")),
            "message": "an account of an epoch may not change the fence, nor ask for tokens",
            "reason": "Forbidden",
        }],
    } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::fence::names::NAMESPACE;

    #[test]
    fn an_installation_is_these_objects_and_all_of_them_are_marked() {
        let all = pieces(NAMESPACE, &BTreeMap::new());
        let titles: Vec<String> = all.iter().map(Piece::title).collect();
        insta::assert_snapshot!(titles.join("\n"), @r"
        Namespace lifeboat-system
        ServiceAccount lifeboat-system/lifeboat.witness
        Role lifeboat-system/lifeboat-witness
        RoleBinding lifeboat-system/lifeboat-witness
        ClusterRole lifeboat-epoch
        ValidatingAdmissionPolicy lifeboat-fence
        ValidatingAdmissionPolicy lifeboat-fence-guard
        ValidatingAdmissionPolicyBinding lifeboat-fence
        ValidatingAdmissionPolicyBinding lifeboat-fence-guard
        ");
        assert!(all.iter().all(|piece| is_ours(&piece.object)));
        let excluded =
            |piece: &Piece| piece.object["metadata"]["labels"]["velero.io/exclude-from-backup"] == "true";
        assert!(all.iter().all(excluded), "a restore must not bring old epochs");
    }

    #[test]
    fn the_policy_asks_for_the_group_and_the_epoch_in_the_name_of_the_account() {
        let at = |epoch| Known { epoch, holder: None };
        let known = BTreeMap::from([("shop".to_owned(), at(7)), ("shop-2".to_owned(), at(42))]);
        let spec = &policy(NAMESPACE, &known)["spec"];
        insta::assert_snapshot!(spec["matchConditions"][0]["expression"].as_str().unwrap(), @"request.userInfo.username.startsWith('system:serviceaccount:lifeboat-system:lifeboat.')");
        insta::assert_snapshot!(spec["variables"][1]["expression"].as_str().unwrap(), @"{'shop': 7, 'shop-2': 42}");
        insta::assert_snapshot!(spec["validations"][0]["expression"].as_str().unwrap(), @"size(variables.parts) == 3 && variables.parts[1] in variables.epochs && int(variables.parts[2]) >= variables.epochs[variables.parts[1]]");
        assert_eq!(spec["failurePolicy"], "Fail");
        let resources = &spec["matchConstraints"]["resourceRules"][0]["resources"];
        assert_eq!(resources, &json!(["*/*"]));
        let parameters =
            spec.get("paramKind").is_some() || binding(POLICY).object["spec"].get("paramRef").is_some();
        assert!(!parameters, "without its parameters a policy refuses everybody");
    }

    #[test]
    fn an_epoch_may_act_as_nobody_else() {
        let verbs = role()["rules"][0]["verbs"].to_string();
        for power in ["*", "impersonate", "escalate", "bind"] {
            assert!(!verbs.contains(&format!("\"{power}\"")), "{verbs}");
        }
    }
}
