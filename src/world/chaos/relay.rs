//! Takes requests, passes them on, and breaks those that it was told to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::breakage::{Breakage, Fault};
use crate::effect::{ErrorKind, WorldError};
use crate::world::transport;

/// A request has at most so many bytes: to S3 they have up to 8 MiB, an object of Kubernetes at most 3.
const REQUEST_MAX: usize = 64 * 1024 * 1024;

/// Of a connection and not of a message (RFC 9110 §7.6.1): every hop says its own.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
    header::PROXY_AUTHORIZATION,
];

type Body = UnsyncBoxBody<Bytes, std::io::Error>;
type Reply = Response<Body>;

/// The server behind the proxy.
#[derive(Clone)]
pub struct Upstream {
    client: reqwest::Client,
    /// Without a `/` at the end.
    url: String,
}

impl Upstream {
    /// An address, and the file of who vouches for it where the machine's own authorities do not.
    ///
    /// # Errors
    ///
    /// `Rejected`: the address or the file is none.
    pub fn new(url: &str, authorities: Option<&Path>) -> Result<Self, WorldError> {
        transport::install_tls_provider();
        let wrong = |why: String| WorldError::new(ErrorKind::Rejected, url, why);
        let parsed = reqwest::Url::parse(url).map_err(|error| wrong(format!("not an address: {error}")))?;
        if !matches!(parsed.scheme(), "http" | "https") || parsed.path() != "/" {
            return Err(wrong("say it as `https://host:port`, without a path".to_owned()));
        }
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .http1_only();
        if let Some(file) = authorities {
            let shown = file.display();
            #[expect(clippy::disallowed_methods, reason = "this is an adapter")]
            let pem = std::fs::read(file).map_err(|error| wrong(format!("cannot read {shown}: {error}")))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| wrong(format!("{shown} holds no certificates: {error}")))?;
            builder = builder.tls_certs_only(certificates);
        }
        let client = builder.build().map_err(|error| {
            wrong(format!(
                "cannot set up a client: {}",
                transport::innermost(&error)
            ))
        })?;
        Ok(Self {
            client,
            url: url.trim_end_matches('/').to_owned(),
        })
    }
}

/// One request that came, for the log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Met {
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub path: String,
    /// Its number among those that are counted; 0: it is not.
    pub number: u64,
    /// What was done to it.
    pub fault: Option<String>,
    /// What the server answered, if it was asked and did.
    pub status: Option<u16>,
}

/// Where each request is told, when it is over for the proxy.
pub type Told = Arc<dyn Fn(&Met) + Send + Sync>;

/// The proxy. Clones share its counts.
#[derive(Clone)]
pub struct Proxy {
    upstream: Upstream,
    breakage: Option<Breakage>,
    counted: Arc<Mutex<u64>>,
    told: Told,
}

/// Where the proxy listens: on this machine's own interface, because credentials pass through it in the clear.
pub struct Door(TcpListener);

impl Door {
    /// Opens one; port 0 is any that is free.
    ///
    /// # Errors
    ///
    /// `Rejected`: it cannot be opened, or others than this machine could reach it.
    pub async fn open(at: &str) -> Result<Self, WorldError> {
        let wrong = |why: String| WorldError::new(ErrorKind::Rejected, at, why);
        let listener = TcpListener::bind(at)
            .await
            .map_err(|error| wrong(format!("cannot listen there: {error}")))?;
        let door = Self(listener);
        match door.address() {
            Some(address) if address.ip().is_loopback() => Ok(door),
            _ => Err(wrong(
                "other machines could reach it, and credentials pass through it in the clear; listen on 127.0.0.1"
                    .to_owned(),
            )),
        }
    }

    /// Where it is.
    pub fn address(&self) -> Option<SocketAddr> {
        self.0.local_addr().ok()
    }
}

/// A request, apart from its connection.
#[derive(Clone)]
struct Taken {
    method: hyper::Method,
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

/// The caller's connection closes: hyper does that when a service fails.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
struct HangUp;

impl Proxy {
    /// Breaks so what it passes on; without a breakage it only passes on.
    pub fn new(upstream: Upstream, breakage: Option<Breakage>, told: Told) -> Self {
        Self {
            upstream,
            breakage,
            counted: Arc::default(),
            told,
        }
    }

    /// Serves until the future is dropped.
    pub async fn serve(self, door: Door) -> Infallible {
        loop {
            match door.0.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(self.clone().carry(stream))),
                Err(error) => tracing::warn!(%error, "a connection was not accepted"),
            }
        }
    }

    async fn carry(self, stream: TcpStream) {
        let service = service_fn(|request| self.meet(request));
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = connection {
            tracing::debug!(%error, "a connection ended");
        }
    }

    async fn meet(&self, request: Request<Incoming>) -> Result<Reply, HangUp> {
        if request.headers().contains_key(header::UPGRADE) {
            return Ok(plain(
                StatusCode::NOT_IMPLEMENTED,
                "this proxy carries no upgraded connections\n",
            ));
        }
        let Some(taken) = take(request).await else {
            return Ok(plain(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the request is larger than this proxy holds\n",
            ));
        };
        let (number, fault) = self.count(&taken);
        let met = Met {
            method: taken.method.to_string(),
            path: taken.path.clone(),
            number,
            fault: fault.map(Fault::word),
            status: None,
        };
        match fault {
            None => self.pass(&taken, met).await,
            Some(fault) => self.spoil(fault, taken, met).await,
        }
    }

    fn count(&self, taken: &Taken) -> (u64, Option<Fault>) {
        let Some(breakage) = &self.breakage else {
            return (0, None);
        };
        if !breakage.pick.fits(taken.method.as_str(), &taken.path) {
            return (0, None);
        }
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        *counted += 1;
        (*counted, breakage.of(*counted))
    }

    async fn pass(&self, taken: &Taken, met: Met) -> Result<Reply, HangUp> {
        self.carried_out(taken, met).await.map(whole)
    }

    async fn spoil(&self, fault: Fault, taken: Taken, met: Met) -> Result<Reply, HangUp> {
        match fault {
            Fault::Refuse => {
                (self.told)(&met);
                Err(HangUp)
            }
            Fault::AnswerWith(status) => {
                (self.told)(&met);
                Ok(spoken(status))
            }
            Fault::Hold(time) => {
                let later = self.clone();
                drop(tokio::spawn(async move {
                    later.deliver_after(time, &taken, met).await;
                }));
                Err(HangUp)
            }
            Fault::DropReply => {
                to_its_end(self.carried_out(&taken, met).await?).await;
                Err(HangUp)
            }
            Fault::ReplyWith(status) => {
                to_its_end(self.carried_out(&taken, met).await?).await;
                Ok(spoken(status))
            }
            Fault::Truncate => Ok(half(self.carried_out(&taken, met).await?).await),
            Fault::Stall => {
                let _unread = self.carried_out(&taken, met).await?;
                std::future::pending().await
            }
        }
    }

    async fn deliver_after(&self, time: Duration, taken: &Taken, met: Met) {
        #[expect(clippy::disallowed_methods, reason = "to wait is what was asked for")]
        tokio::time::sleep(time).await;
        if let Ok(answer) = self.carried_out(taken, met).await {
            to_its_end(answer).await;
        }
    }

    /// The server's answer, which is told. Without one the caller sees what it would see without the proxy: a
    /// connection that breaks.
    async fn carried_out(&self, taken: &Taken, mut met: Met) -> Result<reqwest::Response, HangUp> {
        let url = format!("{}{}", self.upstream.url, taken.path);
        let request = self
            .upstream
            .client
            .request(taken.method.clone(), url)
            .headers(taken.headers.clone())
            .body(taken.body.clone());
        let answer = request.send().await;
        met.status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        (self.told)(&met);
        answer.map_err(|error| {
            tracing::warn!(error = %transport::innermost(&error), path = taken.path, "no answer from the server");
            HangUp
        })
    }
}

/// Reads an answer that nobody wants, so that what it answers is surely carried out.
async fn to_its_end(answer: reqwest::Response) {
    let _ = answer.bytes().await;
}

/// The whole request; `None`: it is too large, or broke off.
async fn take(request: Request<Incoming>) -> Option<Taken> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, REQUEST_MAX).collect().await.ok()?.to_bytes();
    let mut headers = head.headers;
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    Some(Taken {
        method: head.method,
        path: head
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str())
            .to_owned(),
        headers,
        body,
    })
}

/// The server's answer as it is, as a stream.
fn whole(answer: reqwest::Response) -> Reply {
    let (status, headers) = head(&answer);
    let chunks = futures::stream::unfold(answer, |mut answer| async move {
        let chunk = answer.chunk().await.transpose()?;
        Some((chunk.map(Frame::data).map_err(std::io::Error::other), answer))
    });
    reply(status, headers, StreamBody::new(chunks).boxed_unsync())
}

/// The first half of the answer's body under a head that announces all of it.
async fn half(answer: reqwest::Response) -> Reply {
    let (status, mut headers) = head(&answer);
    let body = answer.bytes().await.unwrap_or_default();
    headers.insert(header::CONTENT_LENGTH, body.len().max(2).into());
    let first = body.slice(..body.len() / 2);
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let frames = futures::stream::iter([Ok(Frame::data(first)), Err(broken)]);
    reply(status, headers, StreamBody::new(frames).boxed_unsync())
}

fn head(answer: &reqwest::Response) -> (StatusCode, HeaderMap) {
    let mut headers = answer.headers().clone();
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    (answer.status(), headers)
}

fn reply(status: StatusCode, headers: HeaderMap, body: Body) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    *reply.headers_mut() = headers;
    reply
}

/// An answer of the proxy's own, as something between a caller and a server would speak.
fn spoken(status: u16) -> Reply {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut reply = plain(status, "broken on purpose by lifeboat chaos-proxy\n");
    if matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) {
        reply.headers_mut().insert(header::RETRY_AFTER, 1.into());
    }
    reply
}

fn plain(status: StatusCode, text: &'static str) -> Reply {
    let body = Full::new(Bytes::from_static(text.as_bytes()));
    let body = body.map_err(|never: Infallible| match never {});
    reply(status, HeaderMap::new(), body.boxed_unsync())
}
