//! Acting as a service account, and asking what one may. Keeps no token beyond the connection that bears it.

use std::sync::Arc;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::KubeCluster;
use super::call::Call;
use super::path;
use super::wire::Wire;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::builtin;
use crate::world::port::{Account, Acting, Right};

/// What of a `TokenRequest`'s answer matters. No `Debug`: it holds a secret.
#[derive(Deserialize)]
struct Answered {
    spec: Spec,
    status: Granted,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    expiration_seconds: u64,
}

#[derive(Deserialize)]
struct Granted {
    token: String,
}

/// The server in the hands of an account.
pub(super) async fn act_as(wire: &Wire, account: &Account<'_>) -> Result<Acting, WorldError> {
    let (wire, lifetime_s) = hands(wire, account).await?;
    Ok(Acting {
        cluster: Arc::new(KubeCluster { wire }),
        lifetime_s,
    })
}

/// A connection with the account's token, and for how many seconds it is good.
pub(super) async fn hands(wire: &Wire, account: &Account<'_>) -> Result<(Wire, u64), WorldError> {
    let unknown = || wire.error(ErrorKind::Internal, "service accounts are not built in");
    let kind = builtin("ServiceAccount").ok_or_else(unknown)?;
    let namespace = Some(account.namespace);
    let path = path::object(&kind, namespace, account.name, Some("token"));
    let wanted = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": { "expirationSeconds": account.lifetime_s },
    });
    let call = Call::new(Method::POST, "create", "serviceaccounts/token", namespace, path)
        .body("application/json", &wanted);
    let (_, answered): (_, Answered) = wire.json(&call).await?;
    let user = format!("system:serviceaccount:{}:{}", account.namespace, account.name);
    let wire = wire.bearing(&answered.status.token, &user)?;
    Ok((wire, answered.spec.expiration_seconds))
}

/// What the server answers about the caller's own rights.
pub(super) async fn may(wire: &Wire, right: &Right<'_>) -> Result<bool, WorldError> {
    let (resource, subresource) = right.resource.split_once('/').unwrap_or((right.resource, ""));
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": {
            "verb": right.verb,
            "group": right.group,
            "resource": resource,
            "subresource": subresource,
            // The API's own words: an empty one is every namespace.
            "namespace": right.namespace.unwrap_or_default(),
        } },
    });
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".to_owned();
    let call = Call::new(
        Method::POST,
        "create",
        "selfsubjectaccessreviews.authorization.k8s.io",
        None,
        path,
    )
    .body("application/json", &review);
    let (_, answer): (_, Value) = wire.json(&call).await?;
    let allowed = answer.pointer("/status/allowed").and_then(Value::as_bool);
    allowed.ok_or_else(|| wire.error(ErrorKind::Damaged, "the answer to an access review says nothing"))
}
