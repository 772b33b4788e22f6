//! URLs of resources. Pure.

use std::fmt::Write;

use crate::objects::ApiKind;

/// `/api/v1/namespaces/shop/configmaps`: a kind, in a namespace or in all of them.
pub(super) fn collection(kind: &ApiKind, namespace: Option<&str>) -> String {
    let root = if kind.group.is_empty() { "/api" } else { "/apis" };
    let namespace = namespace.filter(|_| kind.namespaced);
    let within = namespace.map(|name| format!("/namespaces/{}", segment(name)));
    let within = within.unwrap_or_default();
    format!("{root}/{}{within}/{}", kind.api_version(), kind.plural)
}

/// One object, or one of its subresources.
pub(super) fn object(
    kind: &ApiKind,
    namespace: Option<&str>,
    name: &str,
    subresource: Option<&str>,
) -> String {
    let subresource = subresource.map(|sub| format!("/{}", segment(sub)));
    let collection = collection(kind, namespace);
    format!(
        "{collection}/{}{}",
        segment(name),
        subresource.unwrap_or_default()
    )
}

/// Escapes everything that may mean something else in a path or in a query. Names of roles may hold
/// nearly anything, and a continue token is opaque.
pub(super) fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::builtin;

    #[test]
    fn core_and_grouped_kinds_have_their_own_roots() {
        let configmap = builtin("configmap").unwrap();
        assert_eq!(collection(&configmap, None), "/api/v1/configmaps");
        assert_eq!(
            collection(&configmap, Some("shop")),
            "/api/v1/namespaces/shop/configmaps"
        );
        let deployment = builtin("deployment").unwrap();
        assert_eq!(
            object(&deployment, Some("shop"), "web", Some("scale")),
            "/apis/apps/v1/namespaces/shop/deployments/web/scale"
        );
    }

    #[test]
    fn a_cluster_scoped_kind_has_no_namespace_in_its_path() {
        let role = builtin("clusterrole").unwrap();
        assert_eq!(
            object(&role, Some("shop"), "system:node", None),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node"
        );
    }

    #[test]
    fn a_name_cannot_leave_its_segment() {
        assert_eq!(segment("../../x?a=b#c d"), "..%2F..%2Fx%3Fa%3Db%23c%20d");
    }
}
