//! A scripted HTTP server for tests of the adapters: it counts every request that reaches it, and can
//! do what real servers do only on a bad day. Not a fake of Kubernetes or S3: those are in the lab.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What the server does with a request that it has read to its end.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answers and keeps the connection.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Answers and then closes without having said so: the client finds a dead pooled connection.
    AnswerAndHangUp(u16, Vec<u8>),
    /// Closes without an answer.
    HangUp,
    /// Announces more bytes than it sends, and closes.
    CutShort(u16, Vec<u8>),
    /// Says nothing for ever.
    Silence,
}

/// A JSON answer.
pub(crate) fn answer(status: u16, body: &serde_json::Value) -> Act {
    let json = ("content-type", "application/json".to_owned());
    Act::Answer(status, vec![json], body.to_string().into_bytes())
}

/// Gives something that must not happen, or happens in the background, the time to happen.
#[expect(clippy::disallowed_methods, reason = "there is nothing else to wait for")]
pub(crate) async fn pause(limit: Duration) {
    tokio::time::sleep(limit).await;
}

/// A running server; it ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts on a free port of the loopback interface. The script is given the request and its number,
    /// from 0.
    pub(crate) async fn start(script: impl Fn(&Request, usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log) = (Arc::new(script), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Self { url, seen }
    }

    /// Everything that has reached it, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve<S>(stream: TcpStream, script: Arc<S>, log: Arc<Mutex<Vec<Request>>>)
where
    S: Fn(&Request, usize) -> Act,
{
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let number = {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push(request.clone());
            log.len() - 1
        };
        let (head, body, keep) = match script(&request, number) {
            Act::Answer(status, headers, body) => (head(status, &headers, body.len()), body, true),
            Act::AnswerAndHangUp(status, body) => (head(status, &[], body.len()), body, false),
            Act::CutShort(status, body) => (head(status, &[], body.len() + 100), body, false),
            Act::HangUp => return,
            Act::Silence => std::future::pending().await,
        };
        let body = if request.method == "HEAD" {
            Vec::new()
        } else {
            body
        };
        let sent = stream.write_all(&[head.into_bytes(), body].concat()).await;
        if sent.is_err() || stream.flush().await.is_err() || !keep {
            return;
        }
    }
}

fn head(status: u16, headers: &[(&str, String)], length: usize) -> String {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head + "\r\n"
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    if headers
        .iter()
        .any(|(name, value)| name == "expect" && value == "100-continue")
    {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request {
        method: first.next()?.to_owned(),
        path: first.next()?.to_owned(),
        headers,
        body,
    })
}
