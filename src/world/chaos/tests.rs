//! The proxy between a real client and a scripted server that counts what reaches it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::effect::{ErrorKind, Method};
use crate::world::http::Network;
use crate::world::port::{Outgoing, Web as _};
use crate::world::testserver::{Act, Server, pause};

struct Between {
    url: String,
    server: Server,
    met: Arc<Mutex<Vec<Met>>>,
}

impl Between {
    async fn of(fault: Fault, nth: u64) -> Self {
        let server = Server::start(|request, _| match request.path.as_str() {
            "/long" => Act::Answer(200, Vec::new(), vec![b'x'; 300_000]),
            _ => Act::Answer(201, vec![("x-of", "the server".to_owned())], b"made".to_vec()),
        })
        .await;
        let breakage = Breakage {
            fault,
            pick: Pick::default(),
            nth,
            times: Some(1),
        };
        let met: Arc<Mutex<Vec<Met>>> = Arc::default();
        let told = Arc::clone(&met);
        let proxy = Proxy::new(
            Upstream::new(&server.url, None).unwrap(),
            Some(breakage),
            Arc::new(move |one| told.lock().unwrap().push(one.clone())),
        );
        let door = Door::open("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", door.address().unwrap());
        tokio::spawn(proxy.serve(door));
        Self { url, server, met }
    }

    /// A change through the proxy: the status, or what kind of trouble the caller sees.
    async fn change(&self) -> Result<u16, ErrorKind> {
        let request = Outgoing {
            method: Method::Put,
            url: format!("{}/thing?a=b", self.url),
            headers: vec![("x-mine".to_owned(), "1".to_owned())],
            body: "body".to_owned(),
        };
        let sent = Network::new().unwrap().send(&request).await;
        sent.map(|page| page.status).map_err(|error| error.kind)
    }

    fn reached(&self) -> usize {
        self.server.requests().len()
    }
}

#[tokio::test]
async fn what_is_not_broken_passes_as_it_is() {
    let between = Between::of(Fault::Refuse, 3).await;
    assert_eq!(between.change().await, Ok(201));
    let long = Network::new()
        .unwrap()
        .get(&format!("{}/long", between.url))
        .await
        .unwrap();
    assert_eq!((long.status, long.body.len()), (200, 64 * 1024));
    assert_eq!(between.change().await, Ok(201));
    assert_eq!(
        between.change().await,
        Err(ErrorKind::LostReply),
        "the third change"
    );
    assert_eq!(between.change().await, Ok(201));
    let requests = between.server.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(
        (requests[0].method.as_str(), requests[0].path.as_str()),
        ("PUT", "/thing?a=b")
    );
    assert_eq!(
        (requests[0].header("x-mine"), &requests[0].body[..]),
        (Some("1"), &b"body"[..])
    );
    let host = between.url.strip_prefix("http://").unwrap();
    assert_eq!(
        requests[0].header("host"),
        Some(host),
        "S3 signs the name that the caller used"
    );
    let met = between.met.lock().unwrap().clone();
    let numbers: Vec<u64> = met.iter().map(|one| one.number).collect();
    assert_eq!(numbers, [1, 0, 2, 3, 4]);
    assert_eq!((met[3].fault.as_deref(), met[3].status), (Some("refuse"), None));
}

#[tokio::test]
async fn a_broken_change_is_carried_out_or_not_and_the_caller_cannot_tell() {
    let lost = Err(ErrorKind::LostReply);
    for (fault, seen, reached) in [
        (Fault::DropReply, lost, 1),
        (Fault::Refuse, lost, 0),
        (Fault::Truncate, lost, 1),
        (Fault::ReplyWith(504), Ok(504), 1),
        (Fault::AnswerWith(429), Ok(429), 0),
    ] {
        let between = Between::of(fault, 1).await;
        assert_eq!(between.change().await, seen, "{fault:?}");
        assert_eq!(between.reached(), reached, "{fault:?}");
        assert_eq!(between.change().await, Ok(201), "{fault:?}: only the first");
    }
}

#[tokio::test]
async fn a_stalled_reply_does_not_come_and_a_held_request_comes_later() {
    let between = Between::of(Fault::Stall, 1).await;
    let waited = tokio::time::timeout(Duration::from_millis(300), between.change()).await;
    assert!(waited.is_err());
    assert_eq!(between.reached(), 1);

    let between = Between::of(Fault::Hold(Duration::from_secs(1)), 1).await;
    assert_eq!(between.change().await, Err(ErrorKind::LostReply));
    assert_eq!(between.reached(), 0, "it is held");
    while between.reached() == 0 {
        pause(Duration::from_millis(20)).await;
    }
    assert_eq!(between.server.requests()[0].method, "PUT");
}

#[tokio::test]
async fn it_listens_on_this_machine_only() {
    for open in ["0.0.0.0:0", "[::]:0", "no address"] {
        let error = Door::open(open).await.err().expect("refused");
        assert_eq!(error.kind, ErrorKind::Rejected, "{open}");
    }
    for wrong in ["shop", "ftp://shop", "https://shop/path"] {
        assert!(Upstream::new(wrong, None).is_err(), "{wrong}");
    }
}
