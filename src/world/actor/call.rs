//! Performs [`CallHttp`].
//!
//! ## Why
//!
//! - An answer of 500 to 599 is no refusal: a gateway says 502 or 504 of a request that went through, and an
//!   application says 500 of one that it did by half. So it is a lost reply, and for a request that must not
//!   be repeated a person decides.
//! - Every attempt carries the same `Idempotency-Key`: an address that knows it does a repeat once. That it
//!   does is not relied upon; only the runbook's `repeatable` is.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::World;
use super::command::{OUTPUT_MAX, beginning};
use super::probe::{known, quoted};
use crate::effect::{Attempt, Body, CallHttp, ErrorKind, Receipt, WorldError};
use crate::text::{Millis, is_private};
use crate::world::port::{Outgoing, Page};
use crate::world::secret;

impl World {
    pub(super) async fn call(&self, effect: &CallHttp, attempt: &Attempt) -> Result<Receipt, WorldError> {
        let request = outgoing(effect, attempt).await?;
        (attempt.progress)(format!("{request:?}"));
        let limit = Duration::from_millis(effect.answer_within_ms);
        let answer = tokio::time::timeout(limit, self.web.send(&request)).await;
        let page = answer.map_err(|_| {
            let limit = Millis(effect.answer_within_ms);
            let message = format!("no answer within {limit}; the request may have been carried out");
            WorldError::new(ErrorKind::LostReply, &request.url, message)
        })??;
        judge(effect, &request.url, &page)
    }
}

async fn outgoing(effect: &CallHttp, attempt: &Attempt) -> Result<Outgoing, WorldError> {
    let url = known(&effect.url)?;
    let mut headers = vec![("idempotency-key".to_owned(), attempt.key.clone())];
    if matches!(effect.body, Body::Json(_)) {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    for (name, value) in &effect.headers {
        // The last of a name is the one that is sent: an author's type of content stands.
        headers.push((name.to_lowercase(), known(value)?));
    }
    if let Some(file) = &effect.token_file {
        headers.push(("authorization".to_owned(), bearer(file, &url).await?));
    }
    Ok(Outgoing {
        method: effect.method,
        url,
        headers,
        body: body(&effect.body)?,
    })
}

fn body(body: &Body) -> Result<String, WorldError> {
    match body {
        Body::None => Ok(String::new()),
        Body::Text(text) => Ok(text.clone()),
        Body::Json(fields) => {
            let fields: BTreeMap<&str, String> = fields
                .iter()
                .map(|(name, value)| Ok((name.as_str(), known(value)?)))
                .collect::<Result<_, WorldError>>()?;
            Ok(serde_json::json!(fields).to_string())
        }
    }
}

async fn bearer(file: &Path, url: &str) -> Result<String, WorldError> {
    let wrong = |message: String| WorldError::new(ErrorKind::Unauthenticated, url, message);
    if !is_private(url) {
        // No login would help.
        let message = "a token would go over the network for everybody to read";
        let refused = WorldError::new(ErrorKind::Rejected, url, message);
        return Err(refused.hint("use an `https://` address, or leave `token_file` out"));
    }
    match secret::in_file(file, "token").await {
        Ok(token) => Ok(format!("Bearer {token}")),
        Err(why) => Err(wrong(why).hint(secret::HINT)),
    }
}

fn judge(effect: &CallHttp, url: &str, page: &Page) -> Result<Receipt, WorldError> {
    let status = page.status;
    let right = match effect.status {
        Some(wanted) => status == wanted,
        None => (200..300).contains(&status),
    };
    if right && effect.holds.as_ref().is_none_or(|text| page.body.contains(text)) {
        return Ok(receipt(page));
    }
    let (kind, doubt) = match status {
        401 => (ErrorKind::Unauthenticated, ""),
        403 => (ErrorKind::Forbidden, ""),
        404 => (ErrorKind::NotFound, ""),
        409 | 412 => (ErrorKind::Conflict, ""),
        425 | 429 => (ErrorKind::Busy, ""),
        408 | 500..=599 => (
            ErrorKind::LostReply,
            "; whether the request was carried out is not known",
        ),
        _ => (ErrorKind::Rejected, ""),
    };
    let message = format!(
        "answered {status} instead of {}{doubt}{}",
        effect.expected(),
        quoted(&page.body)
    );
    let mut error = WorldError::new(kind, url, message);
    error.retry_after_ms = page.retry_after_ms;
    Err(error)
}

fn receipt(page: &Page) -> Receipt {
    let (body, cut) = beginning(page.body.as_bytes());
    let mut receipt = Receipt {
        summary: format!("answered {}", page.status),
        ..Receipt::default()
    };
    if cut {
        receipt.warnings.push(format!(
            "the answer has more than {OUTPUT_MAX} bytes; the rest is not kept"
        ));
    }
    receipt
        .outputs
        .insert("status".to_owned(), page.status.to_string());
    receipt.outputs.insert("body".to_owned(), body);
    receipt
}
