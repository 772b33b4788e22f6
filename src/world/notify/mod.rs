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

use std::sync::Arc;

use super::port::{Answer, Notice, Outgoing, Page, Receiver, Web};
use super::secret;
use crate::effect::{ErrorKind, Method, WorldError};
use crate::runbook::{self, Address, ReceiverEndpoint, Secret};
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
    /// A message of Standard Webhooks, signed with this key.
    Signed(Secret),
    /// Slack's own.
    Slack,
}

impl Hook {
    /// The receiver called `name`; `None` for one that is nobody.
    pub fn of(name: &str, receiver: &runbook::Receiver, web: Arc<dyn Web>) -> Option<Self> {
        let (url, form) = match &receiver.endpoint {
            ReceiverEndpoint::Webhook { url, key } => (url.clone(), Form::Signed(key.clone())),
            ReceiverEndpoint::Slack { url } => (Address::Secret(url.clone()), Form::Slack),
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

    async fn secret(&self, secret: &Secret, what: &str) -> Result<String, WorldError> {
        let read = secret::read(secret, what).await;
        read.map_err(|why| self.error(ErrorKind::Unauthenticated, why).hint(secret::HINT))
    }

    async fn url(&self) -> Result<String, WorldError> {
        let url = match &self.url {
            Address::Known(url) => url.clone(),
            Address::Secret(secret) => self.secret(secret, "URL").await?,
        };
        if is_private(&url) {
            return Ok(url);
        }
        let message = "its address is neither https nor of this machine, so everybody could read along";
        Err(self.error(ErrorKind::Rejected, message))
    }

    async fn key(&self, secret: &Secret) -> Result<webhook::Key, WorldError> {
        let text = self.secret(secret, "key").await?;
        webhook::Key::read(&text).map_err(|why| {
            let why = format!("{} holds no key for webhooks: {why}", secret::place(secret));
            self.error(ErrorKind::Unauthenticated, why)
        })
    }

    async fn sent(&self, notice: &Notice) -> Result<(), WorldError> {
        let url = self.url().await?;
        let (mut headers, body) = match &self.form {
            Form::Signed(secret) => webhook::signed(notice, &self.key(secret).await?),
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
            Err(error) => Err(address::clean(&error, &self.name, &request.url)),
        }
    }

    fn judge(&self, page: &Page, url: &str) -> Result<(), WorldError> {
        let (kind, why) = match page.status {
            200..=299 => return Ok(()),
            300..=399 => (ErrorKind::Rejected, ", and redirects are not followed"),
            401 => (ErrorKind::Unauthenticated, ""),
            403 => (ErrorKind::Forbidden, ""),
            404 | 410 => (ErrorKind::NotFound, ""),
            425 | 429 | 503 => (ErrorKind::Busy, ""),
            // A gateway says so of a message that went through, too.
            408 | 500..=599 => (ErrorKind::LostReply, ""),
            _ => (ErrorKind::Rejected, ""),
        };
        // Some answer with what they were asked.
        let body = Some(super::actor::quoted(&page.body)).filter(|body| !address::tells(body, url));
        let body = body.unwrap_or_default();
        let mut error = self.error(kind, format!("answered {}{why}{body}", page.status));
        error.retry_after_ms = page.retry_after_ms;
        Err(error)
    }

    /// As far as one can go without telling anybody.
    async fn tried(&self) -> Result<String, WorldError> {
        let url = self.url().await?;
        if let Form::Signed(secret) = &self.form {
            self.key(secret).await?;
        }
        let Some(host) = address::host_and_port(&url) else {
            return Err(self.error(ErrorKind::Rejected, "its address is none"));
        };
        let opened = self.web.connect(&host).await;
        opened.map_err(|error| address::clean(&error, &self.name, &url))?;
        Ok(format!("{host} answers, and what it needs is here"))
    }
}

impl Receiver for Hook {
    fn tell<'a>(&'a self, notice: &'a Notice) -> Answer<'a, ()> {
        Box::pin(self.sent(notice))
    }

    /// Slack shows a repeat a second time.
    fn knows_repeats(&self) -> bool {
        matches!(self.form, Form::Signed(_))
    }

    fn check(&self) -> Answer<'_, String> {
        Box::pin(self.tried())
    }
}
