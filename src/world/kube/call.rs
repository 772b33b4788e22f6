//! A request to an API server as data, and what the server answered.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use kube::client::Body;

/// A request as data.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// With its query.
    pub(super) path: String,
    /// In Kubernetes' words (`list`, `patch`): for people.
    verb: &'static str,
    resource: String,
    namespace: Option<String>,
    accept: &'static str,
    body: Option<(&'static str, Bytes)>,
}

const JSON: &str = "application/json";

impl Call {
    pub(super) fn new(
        method: Method,
        verb: &'static str,
        resource: &str,
        namespace: Option<&str>,
        path: String,
    ) -> Self {
        Self {
            method,
            path,
            verb,
            resource: resource.to_owned(),
            namespace: namespace.map(str::to_owned),
            accept: JSON,
            body: None,
        }
    }

    /// A `GET` outside the resources, such as `/version`.
    pub(super) fn get(path: &str) -> Self {
        Self::new(Method::GET, "get", path, None, path.to_owned())
    }

    pub(super) fn accept(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }

    pub(super) fn body(mut self, content_type: &'static str, json: &serde_json::Value) -> Self {
        self.body = Some((content_type, Bytes::from(json.to_string())));
        self
    }

    /// Whether it asks for a change.
    pub(super) fn mutating(&self) -> bool {
        self.method != Method::GET
    }

    /// `list configmaps --namespace shop`: as `kubectl auth can-i` takes it.
    pub(super) fn what(&self) -> String {
        let namespace = self.namespace.as_ref().map(|name| format!(" --namespace {name}"));
        format!("{} {}{}", self.verb, self.resource, namespace.unwrap_or_default())
    }

    pub(super) fn request(&self) -> Result<Request<Body>, http::Error> {
        let request = Request::builder()
            .method(self.method.clone())
            .uri(self.path.as_str())
            .header(ACCEPT, self.accept);
        match &self.body {
            Some((content_type, json)) => request
                .header(CONTENT_TYPE, *content_type)
                .body(Body::from(json.clone())),
            None => request.body(Body::empty()),
        }
    }
}

/// What the server answered, whatever it was.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) retry_after_ms: Option<u64>,
    pub(super) body: Bytes,
}
