//! Who can be told: webhooks that take signed messages, and Slack.
//!
//! ## Why
//!
//! - **The scheme is not ours.** [Standard Webhooks](https://www.standardwebhooks.com) says which headers there are
//!   and what is signed, and receivers have libraries that check it: `webhook-id`, `webhook-timestamp`, and
//!   `webhook-signature: v1,<base64>`, the HMAC-SHA256 of `id.timestamp.body`. A receiver that keeps ids drops what it
//!   has heard, and one that looks at the time drops what somebody kept and sent again.
//! - **Addresses are secrets too.** Slack's is nothing else, and others hold a token. None of them, nor a part of
//!   one, leaves this module in an error: what a client says of an address is cleaned of it first.
//! - **Secrets are read for each message**, so that one that was replaced is used at once.

mod address;
mod slack;
#[cfg(test)]
mod tests;
mod webhook;

use std::path::PathBuf;
use std::sync::Arc;

use super::port::{Answer, Notice, Outgoing, Page, Receiver, Web};
use super::secret;
use crate::effect::{ErrorKind, Method, WorldError};
use crate::runbook::{self, Address, ReceiverEndpoint};
use crate::text::is_private;

/// A receiver that is reached over HTTP.
pub struct Hook {
    name: String,
    web: Arc<dyn Web>,
    url: Address,
    form: Form,
}

/// What it takes.
enum Form {
    /// A message of Standard Webhooks, signed with the key in this file.
    Signed(PathBuf),
    /// Slack's own.
    Slack,
}

impl Hook {
    /// The receiver called `name`; `None` for one that is nobody.
    pub fn of(name: &str, receiver: &runbook::Receiver, web: Arc<dyn Web>) -> Option<Self> {
        let (url, form) = match &receiver.endpoint {
            ReceiverEndpoint::Webhook { url, key_file } => (url.clone(), Form::Signed(key_file.clone())),
            ReceiverEndpoint::Slack { url_file } => (Address::File(url_file.clone()), Form::Slack),
            ReceiverEndpoint::Embedded => return None,
        };
        Some(Self {
            name: name.to_owned(),
            web,
            url,
            form,
        })
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> WorldError {
        WorldError::new(kind, &self.name, message)
    }

    async fn secret(&self, file: &std::path::Path, what: &str) -> Result<String, WorldError> {
        let read = secret::read(file, what).await;
        read.map_err(|why| self.error(ErrorKind::Unauthenticated, why).hint(secret::HINT))
    }

    async fn url(&self) -> Result<String, WorldError> {
        let url = match &self.url {
            Address::Known(url) => return Ok(url.clone()),
            Address::File(file) => self.secret(file, "URL").await?,
        };
        if is_private(&url) {
            return Ok(url);
        }
        let message = "its address is neither https nor of this machine, so everybody could read along";
        Err(self.error(ErrorKind::Unauthenticated, message))
    }

    async fn sent(&self, notice: &Notice) -> Result<(), WorldError> {
        let url = self.url().await?;
        let (mut headers, body) = match &self.form {
            Form::Signed(file) => {
                let key = self.secret(file, "key").await?;
                webhook::signed(notice, &key).map_err(|why| {
                    let why = format!("{} holds no key for webhooks: {why}", file.display());
                    self.error(ErrorKind::Unauthenticated, why)
                })?
            }
            Form::Slack => (Vec::new(), slack::body(notice)),
        };
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        let request = Outgoing {
            method: Method::Post,
            url,
            headers,
            body,
        };
        match self.web.send(&request).await {
            Ok(page) => self.judge(&page, &request.url),
            Err(error) => Err(address::clean(error, &self.name, &request.url)),
        }
    }

    fn judge(&self, page: &Page, url: &str) -> Result<(), WorldError> {
        let kind = match page.status {
            200..=299 => return Ok(()),
            401 => ErrorKind::Unauthenticated,
            403 => ErrorKind::Forbidden,
            404 | 410 => ErrorKind::NotFound,
            408 | 500..=502 | 504..=599 => ErrorKind::LostReply,
            425 | 429 | 503 => ErrorKind::Busy,
            _ => ErrorKind::Rejected,
        };
        let mut error = self.error(
            kind,
            format!("answered {}{}", page.status, super::actor::quoted(&page.body)),
        );
        error.retry_after_ms = page.retry_after_ms;
        Err(address::clean(error, &self.name, url))
    }

    /// As far as one can go without telling anybody.
    async fn tried(&self) -> Result<(), WorldError> {
        let url = self.url().await?;
        if let Form::Signed(file) = &self.form {
            let key = self.secret(file, "key").await?;
            webhook::key(&key).map_err(|why| {
                let why = format!("{} holds no key for webhooks: {why}", file.display());
                self.error(ErrorKind::Unauthenticated, why)
            })?;
        }
        let Some(host) = address::host_and_port(&url) else {
            return Err(self.error(ErrorKind::Rejected, "its address is none"));
        };
        let opened = self.web.connect(&host).await;
        opened.map_err(|error| address::clean(error, &self.name, &url))
    }
}

impl Receiver for Hook {
    fn tell<'a>(&'a self, notice: &'a Notice) -> Answer<'a, ()> {
        Box::pin(self.sent(notice))
    }

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(self.tried())
    }
}
