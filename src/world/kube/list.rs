//! Reading all objects of a kind: pages of one and the same moment, or an error.
//!
//! ## Why
//!
//! A list is what a backup is made of, so "some of it" must not look like "all of it". The first page
//! decides the resource version; the server serves the following ones from the same state, or answers
//! 410 when it has forgotten it. Then everything read so far is thrown away and reading begins anew.
//! The 410 carries a token to go on with at a *newer* state: using it would mix two moments.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::call::Call;
use super::path;
use super::wire::Wire;
use crate::effect::{ErrorKind, WorldError};
use crate::objects::ApiKind;

/// Objects per page: kubectl's and Velero's number too. The server answers one in well under a
/// second, and holds one page in memory at a time.
const PAGE: usize = 500;

/// How often a list may expire under its own pages before that is an error. A server remembers a state
/// for five minutes, so one restart is rare and three mean that reading is too slow to ever end.
const RESTARTS_MAX: u32 = 3;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    // `null` where a Go server has an empty list.
    #[serde(default)]
    items: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PageMetadata {
    resource_version: String,
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// All objects of a kind as of one moment.
pub(super) async fn all(
    wire: &Wire,
    kind: &ApiKind,
    namespace: Option<&str>,
) -> Result<Vec<Value>, WorldError> {
    for _ in 0..=RESTARTS_MAX {
        if let Some(items) = try_all(wire, kind, namespace).await? {
            return Ok(items);
        }
    }
    let tries = RESTARTS_MAX + 1;
    let message = format!(
        "list {}: the list expired while its pages were read, {tries} times",
        kind.resource()
    );
    Err(wire.error(ErrorKind::Busy, message))
}

/// `None`: the state that the first page showed is gone; nothing of what was read may be used.
async fn try_all(
    wire: &Wire,
    kind: &ApiKind,
    namespace: Option<&str>,
) -> Result<Option<Vec<Value>>, WorldError> {
    let mut items = Vec::new();
    let mut version: Option<String> = None;
    let mut next: Option<String> = None;
    loop {
        let call = call(kind, namespace, next.as_deref());
        let reply = wire.send(&call).await?;
        if reply.status == StatusCode::GONE {
            return Ok(None);
        }
        if !reply.status.is_success() {
            return Err(wire.refused(&call, &reply));
        }
        let page: Page = wire.read(&call, &reply)?;
        let same = version.get_or_insert_with(|| page.metadata.resource_version.clone());
        if *same != page.metadata.resource_version {
            return Ok(None);
        }
        items.extend(page.items.into_iter().flatten().map(|item| named(kind, item)));
        next = page.metadata.next.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(Some(items));
        }
    }
}

fn call(kind: &ApiKind, namespace: Option<&str>, next: Option<&str>) -> Call {
    let collection = path::collection(kind, namespace);
    let next = next.map(|token| format!("&continue={}", path::segment(token)));
    let url = format!("{collection}?limit={PAGE}{}", next.unwrap_or_default());
    Call::new(Method::GET, "list", &kind.resource(), namespace, url)
}

/// Items of built-in kinds come without apiVersion and kind: the list says them once for all.
fn named(kind: &ApiKind, mut item: Value) -> Value {
    if let Value::Object(fields) = &mut item {
        fields
            .entry("apiVersion")
            .or_insert_with(|| kind.api_version().into());
        fields.entry("kind").or_insert_with(|| kind.kind.clone().into());
    }
    item
}
