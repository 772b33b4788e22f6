//! From what an API server answered to a [`WorldError`].
//!
//! ## Why
//!
//! A `Status` body proves that the API server itself spoke. A 5xx without one comes from something
//! between us (a load balancer, the aggregation proxy) which may have passed the request on before it
//! gave up: for a change that is a lost reply, even where the number says "busy".
//!
//! A 500 of the API server itself is a lost reply too: that is what it makes of an etcd that did not
//! answer in time. Two of its texts are known to come before anything is stored; see
//! [`BEFORE_STORAGE`].

use http::StatusCode;
use kube::client::AuthError;
use serde::Deserialize;

use super::call::{Call, Reply};
use crate::effect::{ErrorKind, WorldError};

/// Kubernetes' own error body, of which these parts matter.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Status {
    pub(super) kind: String,
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) details: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Details {
    pub(super) retry_after_seconds: u64,
    pub(super) causes: Vec<Cause>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cause {
    pub(super) reason: String,
    pub(super) message: String,
    pub(super) field: String,
}

impl Status {
    /// The body as a `Status`; `None` where somebody else than the API server spoke.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body)
            .ok()
            .filter(|status: &Self| status.kind == "Status")
    }
}

/// Foreign answers may be whole web pages; this much of one is enough to recognise it.
const FOREIGN_TEXT_MAX: usize = 200;

/// Texts of a 500 which say that the request never reached storage, and what each means. Should the
/// server change its wording, the answer becomes a lost reply again, which is slower but as safe.
const BEFORE_STORAGE: [(&str, ErrorKind); 2] = [
    // Server-side apply of a field that the kind does not have (1.37 still answers 500).
    ("failed to create typed patch object", ErrorKind::Rejected),
    // Admission comes before storage, and a webhook may come back.
    ("Internal error occurred: failed calling webhook", ErrorKind::Busy),
];

/// Where an error is: the site and how kubectl reaches it.
pub(super) struct Place<'a> {
    pub(super) site: &'a str,
    pub(super) kubectl: &'a str,
}

/// What an answer other than 2xx means.
pub(super) fn refused(place: &Place<'_>, call: &Call, reply: &Reply) -> WorldError {
    let status = Status::read(&reply.body);
    let kind = kind(call.mutating(), reply.status, status.as_ref());
    let mut error = WorldError::new(kind, place.site, message(call, reply, status.as_ref()));
    error.causes = causes(call, reply, status.as_ref());
    error.hints = hints(place, call, kind, &error.message);
    error.retry_after_ms = reply.retry_after_ms.or_else(|| asked_to_wait(status.as_ref()));
    error
}

fn kind(mutating: bool, code: StatusCode, status: Option<&Status>) -> ErrorKind {
    match code.as_u16() {
        401 => ErrorKind::Unauthenticated,
        403 => forbidden(status),
        404 => ErrorKind::NotFound,
        409 | 412 => ErrorKind::Conflict,
        // 429: nothing was stored, the server counts requests before it handles them. 410: a list that
        // expired; `list` begins anew and this is seen only if it happens somewhere else.
        410 | 429 => ErrorKind::Busy,
        500..=599 => failure(mutating, code, status),
        300..=399 => ErrorKind::WrongTarget,
        _ => ErrorKind::Rejected,
    }
}

fn failure(mutating: bool, code: StatusCode, status: Option<&Status>) -> ErrorKind {
    if !mutating || code == StatusCode::SERVICE_UNAVAILABLE && status.is_some() {
        return ErrorKind::Busy;
    }
    let message = status.map_or("", |status| status.message.as_str());
    let known = BEFORE_STORAGE.iter().find(|(text, _)| message.starts_with(text));
    known.map_or(ErrorKind::LostReply, |(_, kind)| *kind)
}

/// 403 is also how admission says no, and how a namespace says that it is being deleted.
fn forbidden(status: Option<&Status>) -> ErrorKind {
    let Some(status) = status else {
        return ErrorKind::Forbidden;
    };
    let ending = |cause: &Cause| cause.reason == "NamespaceTerminating";
    if status.details.causes.iter().any(ending) {
        ErrorKind::NotYet
    } else if status.message.contains(" cannot ") {
        ErrorKind::Forbidden
    } else {
        ErrorKind::Rejected
    }
}

fn message(call: &Call, reply: &Reply, status: Option<&Status>) -> String {
    match status {
        Some(status) if !status.message.is_empty() => status.message.clone(),
        Some(status) if !status.reason.is_empty() => format!("{}: {}", call.what(), status.reason),
        _ => {
            let text = String::from_utf8_lossy(&reply.body);
            let text: String = text.trim().chars().take(FOREIGN_TEXT_MAX).collect();
            let heard = if text.is_empty() { "no text" } else { &text };
            format!(
                "{}: {} without a Kubernetes status: {heard}",
                call.what(),
                reply.status
            )
        }
    }
}

fn causes(call: &Call, reply: &Reply, status: Option<&Status>) -> Vec<String> {
    let mut causes = vec![format!("{} {} answered {}", call.method, call.path, reply.status)];
    for cause in status.map(|status| &status.details.causes).into_iter().flatten() {
        match cause.field.as_str() {
            "" => causes.push(cause.message.clone()),
            field => causes.push(format!("{field}: {}", cause.message)),
        }
    }
    causes
}

fn asked_to_wait(status: Option<&Status>) -> Option<u64> {
    let seconds = status?.details.retry_after_seconds;
    (seconds > 0).then(|| seconds.saturating_mul(1000))
}

fn hints(place: &Place<'_>, call: &Call, kind: ErrorKind, message: &str) -> Vec<String> {
    let kubectl = place.kubectl;
    let hint = match kind {
        ErrorKind::Unauthenticated => format!("ask the server who you are: `{kubectl} auth whoami`"),
        _ if grants_more(message) => format!(
            "the API server lets nobody give rights that he does not have, except with the verbs `escalate` (on roles) and `bind` \
             (on bindings), which lifeboat does not ask for: have a cluster administrator make this object, or give this identity \
             the rights that it hands on; `{kubectl} auth whoami` says who it is"
        ),
        ErrorKind::Forbidden => format!("ask what is granted: `{kubectl} auth can-i {}`", call.what()),
        ErrorKind::NotYet => "wait until the namespace is gone, or use another one".to_owned(),
        ErrorKind::WrongTarget => {
            format!("this address redirects, which an API server does not: `{kubectl} config view --minify`")
        }
        _ if message.contains("failed calling webhook") => {
            format!(
                "an admission webhook did not answer: `{kubectl} get validatingwebhookconfigurations,mutatingwebhookconfigurations`"
            )
        }
        _ => return Vec::new(),
    };
    vec![hint]
}

/// The API server's own wall against escalation, in its words.
fn grants_more(message: &str) -> bool {
    message.contains("attempting to grant RBAC permissions not currently held")
        || message.contains("must have cluster-admin privileges to use an aggregationRule")
}

/// The login of the kubeconfig failed, so nothing was sent.
pub(super) fn no_credentials(site: &str, kubectl: &str, error: &AuthError) -> WorldError {
    let message = match error {
        AuthError::AuthExecRun { out, .. } => {
            let stderr = String::from_utf8_lossy(&out.stderr);
            format!(
                "the kubeconfig's login program failed ({}): {}",
                out.status,
                stderr.trim()
            )
        }
        AuthError::ReadTokenFile(source, path) => {
            format!("cannot read the token file {}: {source}", path.display())
        }
        AuthError::AuthExecStart(source) => format!("cannot start the kubeconfig's login program: {source}"),
        // May quote the program's output, which is where the token stands.
        AuthError::AuthExecParse(_) => "the login program's answer is not an ExecCredential".to_owned(),
        other => other.to_string(),
    };
    WorldError::new(ErrorKind::Unauthenticated, site, message)
        .hint(format!("log in by hand and see: `{kubectl} auth whoami`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    fn error(method: &Method, code: u16, body: &str) -> WorldError {
        let call = Call::new(
            method.clone(),
            "list",
            "configmaps",
            Some("shop"),
            "/api/v1/x".into(),
        );
        let reply = Reply {
            status: StatusCode::from_u16(code).unwrap(),
            retry_after_ms: None,
            body: body.as_bytes().to_vec().into(),
        };
        let place = Place {
            site: "east",
            kubectl: "kubectl --context prod-east",
        };
        refused(&place, &call, &reply)
    }

    fn status(reason: &str, message: &str) -> String {
        serde_json::json!({"kind": "Status", "reason": reason, "message": message}).to_string()
    }

    #[test]
    fn a_missing_right_names_who_and_what_and_how_to_look() {
        let said = r#"configmaps is forbidden: User "weak" cannot list resource "configmaps" in API group "" in the namespace "shop""#;
        let error = error(&Method::GET, 403, &status("Forbidden", said));
        insta::assert_snapshot!(format!("{:?}\n{error}\n{}", error.kind, error.hints.join("\n")), @r#"
        Forbidden
        east: configmaps is forbidden: User "weak" cannot list resource "configmaps" in API group "" in the namespace "shop"
        ask what is granted: `kubectl --context prod-east auth can-i list configmaps --namespace shop`
        "#);
    }

    #[test]
    fn admission_that_answers_403_is_a_rejection_and_not_a_missing_right() {
        let said = r#"pods "web" is forbidden: exceeded quota: small, requested: pods=1"#;
        assert_eq!(
            error(&Method::POST, 403, &status("Forbidden", said)).kind,
            ErrorKind::Rejected
        );
    }

    #[test]
    fn a_role_that_gives_more_than_we_have_says_whose_wall_that_is() {
        let said = r#"clusterroles.rbac.authorization.k8s.io "a" is forbidden: user "weak" is attempting to grant RBAC permissions not currently held: {APIGroups:[""], Resources:["nodes"], Verbs:["delete"]}"#;
        let error = error(&Method::POST, 403, &status("Forbidden", said));
        assert_eq!(error.kind, ErrorKind::Rejected);
        insta::assert_snapshot!(error.hints.join("\n"), @"the API server lets nobody give rights that he does not have, except with the verbs `escalate` (on roles) and `bind` (on bindings), which lifeboat does not ask for: have a cluster administrator make this object, or give this identity the rights that it hands on; `kubectl --context prod-east auth whoami` says who it is");
    }

    #[test]
    fn a_namespace_that_is_going_away_is_not_yet_usable() {
        let body = serde_json::json!({"kind": "Status", "reason": "Forbidden",
            "message": "configmaps \"a\" is forbidden: unable to create new content in namespace shop because it is being terminated",
            "details": {"causes": [{"reason": "NamespaceTerminating", "message": "namespace shop is being terminated", "field": "metadata.namespace"}]}});
        let error = error(&Method::POST, 403, &body.to_string());
        assert_eq!(error.kind, ErrorKind::NotYet);
        assert_eq!(
            error.causes[1],
            "metadata.namespace: namespace shop is being terminated"
        );
    }

    #[test]
    fn a_503_of_the_server_is_busy_and_a_503_of_something_between_may_have_changed_something() {
        let own = status(
            "ServiceUnavailable",
            "the server is currently unable to handle the request",
        );
        assert_eq!(error(&Method::POST, 503, &own).kind, ErrorKind::Busy);
        let proxy = "upstream connect error or disconnect/reset before headers";
        assert_eq!(error(&Method::POST, 503, proxy).kind, ErrorKind::LostReply);
        assert_eq!(error(&Method::GET, 503, proxy).kind, ErrorKind::Busy);
    }

    #[test]
    fn a_server_error_on_a_change_is_a_lost_reply() {
        for code in [500, 502, 504] {
            assert_eq!(
                error(&Method::PATCH, code, "").kind,
                ErrorKind::LostReply,
                "{code}"
            );
            assert_eq!(error(&Method::GET, code, "").kind, ErrorKind::Busy, "{code}");
        }
    }

    #[test]
    fn a_server_error_that_came_before_storage_is_no_lost_reply() {
        let unknown = "failed to create typed patch object (shop/a; /v1, Kind=ConfigMap): .surprise: field not declared in schema";
        assert_eq!(
            error(&Method::PATCH, 500, &status("", unknown)).kind,
            ErrorKind::Rejected
        );
        let webhook = "Internal error occurred: failed calling webhook \"v.example\": connection refused";
        let error = error(&Method::POST, 500, &status("InternalError", webhook));
        assert_eq!(error.kind, ErrorKind::Busy);
        assert!(error.hints[0].contains("webhookconfigurations"), "{error:?}");
    }

    #[test]
    fn every_other_answer_has_its_kind() {
        let kinds = [
            (401, ErrorKind::Unauthenticated),
            (404, ErrorKind::NotFound),
            (409, ErrorKind::Conflict),
            (422, ErrorKind::Rejected),
            (400, ErrorKind::Rejected),
            (413, ErrorKind::Rejected),
            (429, ErrorKind::Busy),
            (302, ErrorKind::WrongTarget),
        ];
        for (code, kind) in kinds {
            assert_eq!(error(&Method::POST, code, &status("X", "x")).kind, kind, "{code}");
        }
    }

    #[test]
    fn the_servers_wish_to_wait_is_kept() {
        let body = serde_json::json!({"kind": "Status", "message": "slow down", "details": {"retryAfterSeconds": 7}});
        assert_eq!(
            error(&Method::POST, 429, &body.to_string()).retry_after_ms,
            Some(7000)
        );
    }

    #[test]
    fn a_foreign_page_is_quoted_only_in_part() {
        let error = error(&Method::GET, 404, &"<html>".repeat(1000));
        assert!(error.message.len() < 300, "{}", error.message);
        assert!(
            error
                .message
                .starts_with("list configmaps --namespace shop: 404 Not Found without a Kubernetes status")
        );
    }
}
