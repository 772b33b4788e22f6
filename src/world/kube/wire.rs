//! One request to an API server and its answer, with nothing hidden: the status code, the server's
//! own words, and whether anything was sent.
//!
//! ## Why not `kube::Api`
//!
//! It hides what this tool decides on: 201 against 200 (created or changed), `Retry-After`, and whether
//! a failed request was sent. Since 4.0 the client also repeats every verb up to 15 times on 429, 503
//! and 504; a create by generated name then made four objects and said `Ok`. [`super::config`] turns
//! that off, a test here counts requests, and only the engine retries.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::StatusCode;
use http::header::RETRY_AFTER;
use http_body_util::BodyExt;
use kube::client::AuthError;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::call::{Call, Reply};
use super::error::{Place, no_credentials, refused};
use super::login::{LoggedIn, Login, Logins};
use crate::effect::{ErrorKind, WorldError};
use crate::runbook::{PLAIN_HTTP, SYSTEM_AUTHORITIES};
use crate::text::sha256_hex;
use crate::world::pinned::UNVERIFIED;
use crate::world::{tally, transport};

/// To open a connection, TLS included. Ten times what a healthy server on another continent needs.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Silence after which a connection is given up. An API server answers any of our requests within
/// this, or not at all: it ends its own work on one after 60 s, but every page here is small.
pub(super) const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// A connection pool to one API server.
pub(super) struct Wire {
    /// With what each client was made of: a connection for long silences is another one.
    logins: Logins,
    /// The site's name.
    site: String,
    /// Address of the server, for people.
    pub(super) server: String,
    /// `kubectl --context east`: how a person reaches the same server.
    kubectl: String,
}

impl Wire {
    pub(super) fn new(
        client: kube::Client,
        config: kube::Config,
        site: &str,
        server: String,
        kubectl: String,
    ) -> Self {
        Self {
            logins: Logins::new(client, config),
            site: site.to_owned(),
            server,
            kubectl,
        }
    }

    /// The same, with a login that can be had again.
    pub(super) fn renewable(mut self, login: Login) -> Self {
        self.logins.source = Some(login);
        self
    }

    pub(super) fn logged_in(&self) -> Arc<LoggedIn> {
        self.logins.now()
    }

    /// Who may vouch for the server.
    pub(super) fn authorities(&self) -> Vec<String> {
        let logged_in = self.logged_in();
        let config = &logged_in.config;
        if config.cluster_url.scheme_str() == Some("http") {
            return vec![PLAIN_HTTP.to_owned()];
        }
        if config.accept_invalid_certs {
            return vec![UNVERIFIED.to_owned()];
        }
        match &config.root_cert {
            Some(certificates) => {
                let digest = |der: &Vec<u8>| format!("sha256:{}", sha256_hex(der));
                certificates.iter().map(digest).collect()
            }
            None => vec![SYSTEM_AUTHORITIES.to_owned()],
        }
    }

    /// A client that bears longer silences. It may run the login program, as the first one did.
    pub(super) async fn patient(&self) -> Result<kube::Client, WorldError> {
        let mut config = self.logged_in().config.clone();
        config.read_timeout = Some(super::run::SILENCE_LIMIT);
        let made = tokio::task::spawn_blocking(move || kube::Client::try_from(config)).await;
        let made = made.map_err(|error| self.error(ErrorKind::Internal, error.to_string()))?;
        made.map_err(|error| match &error {
            kube::Error::Auth(auth) => no_credentials(&self.site, &self.kubectl, auth),
            other => self.error(ErrorKind::Internal, other.to_string()),
        })
    }

    /// The same server for whoever bears this token: nothing of the kubeconfig's own login goes with it.
    pub(super) fn bearing(&self, token: &str, user: &str) -> Result<Self, WorldError> {
        let mut config = self.logged_in().config.clone();
        config.auth_info = kube::config::AuthInfo {
            token: Some(token.to_owned().into()),
            ..kube::config::AuthInfo::default()
        };
        super::config::client(&self.site, config, format!("{} --as {user}", self.kubectl))
    }

    /// Sends once. Every answer of a server is `Ok`; an error means that there was none.
    pub(super) async fn send(&self, call: &Call) -> Result<Reply, WorldError> {
        let reply = self.send_for(call, None).await?;
        // Without a bound there is always one.
        reply.ok_or_else(|| self.error(ErrorKind::Internal, call.what()))
    }

    /// Sends once, for an answer of at most so many bytes; `None`: it had more. What a server refuses because
    /// it does not know who asks is sent again, once, by whoever the kubeconfig says by now.
    pub(super) async fn send_for(
        &self,
        call: &Call,
        most: Option<usize>,
    ) -> Result<Option<Reply>, WorldError> {
        let login = self.logged_in();
        let reply = self.send_by(&login.client, call, most).await?;
        if reply
            .as_ref()
            .is_none_or(|reply| reply.status != StatusCode::UNAUTHORIZED)
        {
            return Ok(reply);
        }
        match self.logins.after(&self.site, login.number).await? {
            Some(later) => self.send_by(&later.client, call, most).await,
            None => Ok(reply),
        }
    }

    async fn send_by(
        &self,
        client: &kube::Client,
        call: &Call,
        most: Option<usize>,
    ) -> Result<Option<Reply>, WorldError> {
        let request = call
            .request()
            .map_err(|error| self.error(ErrorKind::Internal, call.what()).caused_by(&error))?;
        tally::sent();
        let answer = client.send(request).await;
        let (head, mut body) = answer.map_err(|error| self.unsent(call, &error))?.into_parts();
        // In one buffer from the beginning: joined afterwards, a page would be in memory twice.
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.unsent(call, &error))?;
            bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data.as_ref()));
            if most.is_some_and(|most| bytes.len() > most) {
                return Ok(None);
            }
        }
        Ok(Some(Reply {
            status: head.status,
            retry_after_ms: transport::retry_after_ms(
                head.headers
                    .get(RETRY_AFTER)
                    .and_then(|value| value.to_str().ok()),
            ),
            body: bytes.freeze(),
        }))
    }

    /// Sends once and reads a 2xx as JSON; everything else is an error.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: &Call) -> Result<(StatusCode, T), WorldError> {
        let reply = self.send(call).await?;
        if reply.status.is_success() {
            self.read(call, &reply).map(|value| (reply.status, value))
        } else {
            Err(self.refused(call, &reply))
        }
    }

    /// The JSON of a 2xx answer; it may borrow from the answer.
    pub(super) fn read<'a, T: Deserialize<'a>>(
        &self,
        call: &Call,
        reply: &'a Reply,
    ) -> Result<T, WorldError> {
        serde_json::from_slice(&reply.body).map_err(|error| {
            // The number says that it was done; who said it is not sure.
            let kind = if call.mutating() {
                ErrorKind::LostReply
            } else {
                ErrorKind::Damaged
            };
            let message = format!(
                "{}: {} with a body that is not the JSON expected",
                call.what(),
                reply.status
            );
            self.error(kind, message).caused_by(&error)
        })
    }

    /// What an answer other than 2xx means.
    pub(super) fn refused(&self, call: &Call, reply: &Reply) -> WorldError {
        let place = Place {
            site: &self.site,
            kubectl: &self.kubectl,
        };
        refused(&place, call, reply)
    }

    /// An error of this site.
    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> WorldError {
        WorldError::new(kind, &self.site, message)
    }

    /// What it means that there is no answer.
    pub(super) fn unsent(&self, call: &Call, error: &kube::Error) -> WorldError {
        if let Some(auth) = transport::find::<AuthError>(error) {
            return no_credentials(&self.site, &self.kubectl, auth);
        }
        let lost = transport::no_answer(&self.site, &self.server, call.mutating(), error);
        match lost.kind {
            ErrorKind::WrongTarget => lost.hint(format!(
                "compare the authority with the one you trust: `{} config view --minify`",
                self.kubectl
            )),
            _ => lost,
        }
    }
}
