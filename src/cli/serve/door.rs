//! The page, the metrics and the health of the server, over HTTP/1.1. Only reads: nothing can be ordered here.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::desk::Window;
use super::say;
use crate::cli::{CommandError, Settings, runs};
use crate::serve::{self, Board};

/// Callers at the same time: some monitoring systems and some people. More wait.
const CALLERS_MAX: usize = 64;

/// Who sends no request for so long is hung up on.
const PATIENCE: Duration = Duration::from_secs(10);

/// A desk that has not looked for so long is not well: it looks every quarter of a minute.
const STALE_MS: i64 = 90_000;

/// Serves for as long as it is held.
pub(super) struct Door(JoinHandle<()>);

impl Drop for Door {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens it.
pub(super) async fn open(at: &str, window: Window, settings: &Settings) -> Result<Door, CommandError> {
    let wrong = |why: String| {
        CommandError::input(format!("cannot listen on {at}: {why}"))
            .hint("give another address: --listen 127.0.0.1:8765; port 0 is any that is free")
    };
    let listener = TcpListener::bind(at)
        .await
        .map_err(|error| wrong(error.to_string()))?;
    let address = listener.local_addr().map_err(|error| wrong(error.to_string()))?;
    say(&format!("overview: http://{address}/"));
    if !address.ip().is_loopback() {
        say(
            "whoever reaches this address may read everything on it: put a proxy in front that asks who they are",
        );
    }
    let house = House {
        window,
        runs: runs::folder(settings),
        address,
    };
    Ok(Door(tokio::spawn(house.serve(listener))))
}

#[derive(Clone)]
struct House {
    window: Window,
    runs: PathBuf,
    address: SocketAddr,
}

type Reply = Response<Full<Bytes>>;

impl House {
    async fn serve(self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(CALLERS_MAX));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let house = self.clone();
                    drop(tokio::spawn(async move {
                        house.meet(stream).await;
                        drop(place);
                    }));
                }
                Err(error) => {
                    tracing::warn!(%error, address = %self.address, "a connection was not accepted");
                }
            }
        }
    }

    async fn meet(self, stream: TcpStream) {
        let service = service_fn(|request: Request<Incoming>| {
            let reply = self.answer(request.method(), request.uri().path());
            async move { Ok::<_, Infallible>(reply) }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = connection {
            tracing::debug!(%error, "a connection ended");
        }
    }

    fn answer(&self, method: &Method, path: &str) -> Reply {
        if method != Method::GET && method != Method::HEAD {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        }
        match path {
            "/" => reply(StatusCode::OK, HTML, serve::page(&self.board())),
            "/metrics" => match serve::metrics(&self.board()) {
                Ok(text) => reply(StatusCode::OK, serve::CONTENT_TYPE, text),
                Err(_) => plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the metrics cannot be written\n",
                ),
            },
            "/healthz" => self.health(),
            _ => self.report(path),
        }
    }

    fn board(&self) -> Board {
        self.window.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the desk looks at schedules. Whether services could be recovered is another question.
    fn health(&self) -> Reply {
        let looked = self.board().at;
        let ago_ms = crate::cli::now()
            .as_millisecond()
            .saturating_sub(looked.as_millisecond());
        if ago_ms > STALE_MS {
            let text = format!("schedules were last looked at {looked:.0}\n");
            return reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, text);
        }
        plain(StatusCode::OK, "ok\n")
    }

    /// The report of a run on the board: no other name leads into the file system.
    #[expect(clippy::disallowed_methods, reason = "reports are files")]
    fn report(&self, path: &str) -> Reply {
        let board = self.board();
        let mut runs = board.services.iter().flat_map(|service| &service.runs);
        let run = runs.find(|run| serve::report_of(&run.run.0) == path);
        let text = run.and_then(|run| {
            let file = self.runs.join(&run.run.0).join("report.html");
            std::fs::read_to_string(file).ok()
        });
        match text {
            Some(text) => reply(StatusCode::OK, HTML, text),
            None => plain(StatusCode::NOT_FOUND, "there is no such page\n"),
        }
    }
}

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

fn plain(status: StatusCode, text: &'static str) -> Reply {
    reply(status, TEXT, text.to_owned())
}

fn reply(status: StatusCode, kind: &'static str, text: String) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(text)));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_SECURITY_POLICY, policy),
    ] {
        headers.insert(name, hyper::header::HeaderValue::from_static(value));
    }
    reply
}
