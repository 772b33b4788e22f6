//! The real network, as [`Web`]: one request or one connection, as a customer's machine would make it.
//!
//! ## Why
//!
//! - **Every look is a new connection**, with a new name lookup: a kept connection would go on working
//!   after the name or the listener behind it has gone.
//! - **No redirects, no retries, no proxy from the environment, no cookies.** What is in the way between
//!   this machine and the address is the operator's; a proxy that answers 200 would be believed.
//! - **Certificates are checked against the machine's own authorities** (`SSL_CERT_FILE` and
//!   `SSL_CERT_DIR` name others), so that a company's own authority works. An image without any can
//!   look at `http://` only, and says so when asked for `https://`.
//! - **A request that may change something is sent once**, on a connection of its own, so that it cannot meet
//!   one that the other side has just given up; only where no connection was made is it known not to be sent.
//! - **No deadline**: the caller has one for each look, and dropping the future ends it.

use std::error::Error;

use futures::StreamExt;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};

use super::port::{Answer, BODY_MAX, Outgoing, Page, Web};
use super::transport;
use crate::effect::{ErrorKind, Method, WorldError};

/// Who we are in a server's log.
const USER_AGENT: &str = concat!("lifeboat/", env!("CARGO_PKG_VERSION"));

/// The network of this machine.
pub struct Network {
    client: Client,
    /// Why `https://` cannot be looked at, if so.
    no_tls: Option<String>,
}

impl Network {
    /// Reads the machine's authorities; sends nothing.
    ///
    /// # Errors
    ///
    /// `Internal`: no client can be built at all.
    pub fn new() -> Result<Self, WorldError> {
        transport::install_tls_provider();
        let (built, no_tls) = match builder().build() {
            Ok(client) => (Ok(client), None),
            // Without any authority the first attempt fails, although `http://` needs none.
            Err(error) => (
                builder().tls_certs_only([]).build(),
                Some(transport::innermost(&error)),
            ),
        };
        match built {
            Ok(client) => Ok(Self { client, no_tls }),
            Err(error) => {
                let message = format!("cannot set up an HTTP client: {}", transport::innermost(&error));
                Err(WorldError::new(ErrorKind::Internal, "network", message))
            }
        }
    }

    async fn look(&self, address: &str) -> Result<Page, WorldError> {
        let url = self.checked(address)?;
        let answer = self.client.get(url).send().await;
        let answer = answer.map_err(|error| lost(address, &error.without_url()))?;
        page(answer)
            .await
            .map_err(|error| lost(address, &error.without_url()))
    }

    async fn sent(&self, request: &Outgoing) -> Result<Page, WorldError> {
        let address = &request.url;
        let url = self.checked(address)?;
        let method = match request.method {
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut outgoing = self.client.request(method, url).headers(headers(request)?);
        if !request.body.is_empty() {
            outgoing = outgoing.body(request.body.clone());
        }
        let in_doubt =
            |error: reqwest::Error| transport::no_answer(address, address, true, &error.without_url());
        let answer = outgoing.send().await.map_err(in_doubt)?;
        page(answer).await.map_err(in_doubt)
    }

    fn checked(&self, address: &str) -> Result<Url, WorldError> {
        let wrong = |why: &str| WorldError::new(ErrorKind::Rejected, address, why);
        let url = Url::parse(address).map_err(|error| wrong(&format!("not an address: {error}")))?;
        match (url.scheme(), &self.no_tls) {
            ("http", _) | ("https", None) => Ok(url),
            ("https", Some(why)) => Err(wrong(&format!("https cannot be checked on this machine: {why}"))
                .hint("install the package `ca-certificates`, or name a bundle in SSL_CERT_FILE")),
            (scheme, _) => Err(wrong(&format!(
                "a `{scheme}` address cannot be looked at; use http or https"
            ))),
        }
    }
}

/// An answer, with the beginning of its body.
async fn page(answer: Response) -> Result<Page, reqwest::Error> {
    let status = answer.status().as_u16();
    let wait = answer.headers().get("retry-after");
    let retry_after_ms = transport::retry_after_ms(wait.and_then(|value| value.to_str().ok()));
    // `bytes_stream` would read the same; this needs no further feature.
    let mut body = Vec::new();
    let mut chunks = std::pin::pin!(futures::stream::unfold(answer, |mut answer| async move {
        let chunk = answer.chunk().await.transpose()?;
        Some((chunk, answer))
    }));
    while body.len() < BODY_MAX {
        let Some(chunk) = chunks.next().await else { break };
        body.extend_from_slice(&chunk?);
    }
    body.truncate(BODY_MAX);
    Ok(Page {
        status,
        retry_after_ms,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// What HTTP cannot carry is refused before anything is sent, without its value: it may be a token.
fn headers(request: &Outgoing) -> Result<HeaderMap, WorldError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let wrong = |what: &str| {
            let message = format!("the {what} of the header {name:?} cannot be sent");
            WorldError::new(ErrorKind::Rejected, &request.url, message)
        };
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("name"))?;
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong("value"))?;
        value.set_sensitive(known == "authorization");
        headers.insert(known, value);
    }
    Ok(headers)
}

fn builder() -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .pool_max_idle_per_host(0)
}

/// A look changes nothing, so a lost answer is no more than that.
fn lost(address: &str, error: &(dyn Error + 'static)) -> WorldError {
    let mut lost = transport::no_answer(address, address, false, error);
    if lost.kind == ErrorKind::WrongTarget {
        // For a customer that is an outage, and it may pass: certificates are being issued.
        lost.kind = ErrorKind::Unreachable;
    }
    lost
}

async fn open(address: &str) -> Result<(), WorldError> {
    match tokio::net::TcpStream::connect(address).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            let message = format!("not an address, which is `host:port`: {error}");
            Err(WorldError::new(ErrorKind::Rejected, address, message))
        }
        Err(error) => {
            let message = format!("cannot connect: {error}");
            Err(WorldError::new(ErrorKind::Unreachable, address, message))
        }
    }
}

impl Web for Network {
    fn get<'a>(&'a self, url: &'a str) -> Answer<'a, Page> {
        Box::pin(self.look(url))
    }

    fn send<'a>(&'a self, request: &'a Outgoing) -> Answer<'a, Page> {
        Box::pin(self.sent(request))
    }

    fn connect<'a>(&'a self, address: &'a str) -> Answer<'a, ()> {
        Box::pin(open(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::testserver::{Act, Server};

    async fn look(act: Act) -> (Result<Page, WorldError>, usize) {
        let server = Server::start(move |_, _| act.clone()).await;
        let page = Network::new()
            .unwrap()
            .get(&format!("{}/healthz", server.url))
            .await;
        (page, server.requests().len())
    }

    fn page(status: u16, body: &str) -> Page {
        Page {
            status,
            retry_after_ms: None,
            body: body.to_owned(),
        }
    }

    #[tokio::test]
    async fn an_answer_is_a_page_whatever_its_status() {
        let (answer, looks) = look(Act::Answer(503, Vec::new(), b"1 of 3".to_vec())).await;
        assert_eq!((answer.unwrap(), looks), (page(503, "1 of 3"), 1));
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_not_followed() {
        let to = vec![("location", "/elsewhere".to_owned())];
        let (answer, looks) = look(Act::Answer(302, to, Vec::new())).await;
        assert_eq!((answer.unwrap().status, looks), (302, 1));
    }

    #[tokio::test]
    async fn only_the_beginning_of_a_long_body_is_read() {
        let (answer, _) = look(Act::Answer(200, Vec::new(), vec![b'x'; 3 * BODY_MAX])).await;
        assert_eq!(answer.unwrap().body.len(), BODY_MAX);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_answer() {
        let (answer, looks) = look(Act::CutShort(200, b"ok".to_vec())).await;
        assert_eq!((answer.unwrap_err().kind, looks), (ErrorKind::Unreachable, 1));
    }

    #[tokio::test]
    async fn every_look_is_a_connection_of_its_own() {
        let server = Server::start(|_, _| Act::AnswerAndHangUp(200, b"ok".to_vec())).await;
        let network = Network::new().unwrap();
        for _ in 0..10 {
            assert_eq!(network.get(&server.url).await.unwrap(), page(200, "ok"));
        }
    }

    #[tokio::test]
    async fn nobody_listening_is_unreachable() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let network = Network::new().unwrap();
        assert_eq!(network.connect(&address).await, Ok(()));
        drop(listener);
        assert_eq!(
            network.connect(&address).await.unwrap_err().kind,
            ErrorKind::Unreachable
        );
        let error = network.get(&format!("http://{address}/")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert!(error.message.contains("cannot connect"), "{error}");
    }

    #[tokio::test]
    #[ignore = "needs the lab"]
    async fn live_a_certificate_that_nobody_here_vouches_for_is_no_answer() {
        let lab = crate::world::lab::Lab::open().await;
        let url = format!("{}/livez", lab.text("/sites/east/url"));
        let error = Network::new().unwrap().get(&url).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable);
        assert!(
            error.message.ends_with("is not trusted: UnknownIssuer"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn what_is_no_address_is_rejected() {
        let network = Network::new().unwrap();
        for wrong in ["shop", "ftp://shop/", "http://"] {
            assert_eq!(
                network.get(wrong).await.unwrap_err().kind,
                ErrorKind::Rejected,
                "{wrong}"
            );
        }
        assert_eq!(
            network.connect("shop").await.unwrap_err().kind,
            ErrorKind::Rejected
        );
    }

    #[tokio::test]
    async fn a_machine_without_authorities_can_still_look_at_http() {
        let server = Server::start(|_, _| Act::Answer(200, Vec::new(), b"ok".to_vec())).await;
        let client = builder().tls_certs_only([]).build().unwrap();
        let no_tls = Some("no CA certificates".to_owned());
        let network = Network { client, no_tls };
        assert_eq!(network.get(&server.url).await.unwrap().status, 200);
        let error = network.get("https://127.0.0.1:1/").await.unwrap_err();
        insta::assert_snapshot!(error, @"https://127.0.0.1:1/: https cannot be checked on this machine: no CA certificates");
    }

    fn freeze(url: &str, token: &str) -> Outgoing {
        Outgoing {
            method: Method::Post,
            url: format!("{url}/freeze"),
            headers: vec![("authorization".to_owned(), format!("Bearer {token}"))],
            body: "{}".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_request_is_sent_once_whatever_comes_of_it() {
        let acts = [
            (Act::Answer(204, Vec::new(), Vec::new()), Ok(204)),
            (Act::Answer(503, Vec::new(), Vec::new()), Ok(503)),
            (
                Act::Answer(307, vec![("location", "/elsewhere".to_owned())], Vec::new()),
                Ok(307),
            ),
            (Act::HangUp, Err(ErrorKind::LostReply)),
            (Act::CutShort(200, b"ok".to_vec()), Err(ErrorKind::LostReply)),
        ];
        for (act, wanted) in acts {
            let script = act.clone();
            let server = Server::start(move |_, _| script.clone()).await;
            let sent = Network::new().unwrap().send(&freeze(&server.url, "t")).await;
            let sent = sent.map(|page| page.status).map_err(|error| error.kind);
            assert_eq!(sent, wanted, "{act:?}");
            let requests = server.requests();
            assert_eq!(requests.len(), 1, "{act:?}");
            let request = &requests[0];
            assert_eq!(
                (request.method.as_str(), request.path.as_str()),
                ("POST", "/freeze")
            );
            assert_eq!(request.header("authorization"), Some("Bearer t"));
            assert_eq!(request.body, b"{}");
        }
    }

    #[tokio::test]
    async fn where_nobody_listens_a_request_was_surely_not_sent() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = Network::new()
            .unwrap()
            .send(&freeze(&url, "t"))
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    }

    #[tokio::test]
    async fn what_a_header_cannot_carry_is_not_sent_and_not_shown() {
        let server = Server::start(|_, _| Act::Answer(200, Vec::new(), Vec::new())).await;
        let request = freeze(&server.url, "secret\nX-Evil: 1");
        assert_eq!(format!("{request:?}"), format!("POST {}/freeze", server.url));
        let error = Network::new().unwrap().send(&request).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Rejected);
        assert_eq!(
            error.message,
            "the value of the header \"authorization\" cannot be sent"
        );
        assert_eq!(server.requests().len(), 0);
    }
}
