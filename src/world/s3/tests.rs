//! What goes over the wire, counted by a scripted server.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::put::{AT_ONCE, PART, time_for};
use super::{ANSWER_LIMIT, Bucket};
use crate::effect::{ErrorKind, WorldError};
use crate::runbook::S3Store;
use crate::world::port::{PutMode, Store};
use crate::world::testserver::{Act, Request, Server, pause};

fn at(endpoint: &str) -> S3Store {
    S3Store {
        bucket: "acme".into(),
        endpoint: Some(endpoint.into()),
        region: "us-east-1".into(),
        prefix: "shop/".into(),
        profile: None,
        credentials_file: None,
    }
}

fn connect(endpoint: &str) -> Bucket {
    crate::world::transport::install_tls_provider();
    let provider = SharedCredentialsProvider::new(Credentials::new("access", "secret", None, None, "test"));
    Bucket::with("vault", &at(endpoint), provider, "profile `vault`".into())
}

fn body(chunks: Vec<Result<Bytes, WorldError>>) -> BoxStream<'static, Result<Bytes, WorldError>> {
    stream::iter(chunks).boxed()
}

fn bytes(length: usize) -> BoxStream<'static, Result<Bytes, WorldError>> {
    body(vec![Ok(Bytes::from(vec![7; length]))])
}

fn error(status: u16, code: &str) -> Act {
    let xml = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>said so</Message></Error>");
    Act::Answer(status, Vec::new(), xml.into_bytes())
}

fn ok() -> Act {
    Act::Answer(200, vec![("etag", "\"e\"".into())], Vec::new())
}

/// The outcome of a small put against a server that always does the same, and its requests.
async fn put_against(act: Act) -> (Result<u64, WorldError>, Vec<Request>) {
    let server = Server::start(move |_, _| act.clone()).await;
    let outcome = connect(&server.url)
        .put("a.json", bytes(10), PutMode::Create)
        .await;
    pause(Duration::from_millis(200)).await;
    (outcome, server.requests())
}

#[tokio::test]
async fn a_small_object_is_one_conditional_put_with_a_checksum() {
    let (outcome, requests) = put_against(ok()).await;
    assert_eq!(outcome, Ok(10));
    assert_eq!(requests.len(), 1);
    assert!(
        requests[0].path.starts_with("/acme/shop/a.json"),
        "{}",
        requests[0].path
    );
    assert_eq!(requests[0].header("if-none-match"), Some("*"));
    assert!(
        requests[0].header("x-amz-checksum-crc32").is_some(),
        "{:?}",
        requests[0].headers
    );
}

#[test]
fn a_small_object_is_waited_for_like_any_answer_and_the_largest_for_minutes() {
    assert_eq!(time_for(1_000), ANSWER_LIMIT);
    assert_eq!(time_for(AT_ONCE), ANSWER_LIMIT + Duration::from_secs(256));
}

#[tokio::test]
async fn replacing_sets_no_condition() {
    let server = Server::start(|_, _| ok()).await;
    connect(&server.url)
        .put("a.json", bytes(10), PutMode::Replace)
        .await
        .unwrap();
    assert_eq!(server.requests()[0].header("if-none-match"), None);
}

#[tokio::test]
async fn no_failure_of_a_put_is_repeated() {
    let failures = [
        (error(503, "SlowDown"), ErrorKind::Busy),
        (error(500, "InternalError"), ErrorKind::LostReply),
        (Act::HangUp, ErrorKind::LostReply),
        (error(412, "PreconditionFailed"), ErrorKind::Conflict),
        (error(403, "AccessDenied"), ErrorKind::Forbidden),
    ];
    for (act, kind) in failures {
        let (outcome, requests) = put_against(act.clone()).await;
        assert_eq!(outcome.unwrap_err().kind, kind, "{act:?}");
        assert_eq!(requests.len(), 1, "{act:?}");
    }
}

#[tokio::test]
async fn no_failure_of_a_read_is_repeated_either() {
    let server = Server::start(|_, _| error(503, "SlowDown")).await;
    let error = connect(&server.url).list("").await.unwrap_err();
    assert_eq!((error.kind, server.requests().len()), (ErrorKind::Busy, 1));
}

#[tokio::test]
async fn nobody_listening_is_unreachable_even_for_a_write() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = connect(&url)
        .put("a", bytes(1), PutMode::Replace)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error:?}");
    assert!(
        error.message.starts_with("cannot connect to http://127.0.0.1:"),
        "{error}"
    );
}

/// A server that takes a multipart upload and answers the joining request with `join`; the object is
/// there afterwards, `there` bytes long, and not before.
fn multipart(join: Act, there: usize) -> impl Fn(&Request, usize) -> Act + Send + Sync {
    let opened = "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>";
    let visible = AtomicBool::new(false);
    move |request, _| match (request.method.as_str(), request.path.contains("uploads")) {
        ("HEAD", _) if visible.load(Ordering::SeqCst) => {
            Act::Answer(200, vec![("etag", "\"e-3\"".into())], vec![0; there])
        }
        ("HEAD", _) => Act::Answer(404, Vec::new(), Vec::new()),
        ("POST", true) => Act::Answer(200, Vec::new(), opened.into()),
        ("POST", false) => {
            visible.store(true, Ordering::SeqCst);
            join.clone()
        }
        ("DELETE", _) => Act::Answer(204, Vec::new(), Vec::new()),
        _ => ok(),
    }
}

fn joined() -> Act {
    let xml = "<CompleteMultipartUploadResult><ETag>\"e-3\"</ETag></CompleteMultipartUploadResult>";
    Act::Answer(200, Vec::new(), xml.into())
}

/// Method, and which of the several meanings it has.
fn what(request: &Request) -> String {
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    let part = query.split('&').find(|one| one.starts_with("partNumber"));
    let detail = part.unwrap_or(if query.starts_with("uploads") { "open" } else { "" });
    format!("{} {detail}", request.method).trim().to_owned()
}

async fn upload(
    join: Act,
    length: usize,
    mode: PutMode,
) -> (Result<u64, WorldError>, Vec<Request>, Vec<String>) {
    let server = Server::start(multipart(join, length)).await;
    let outcome = connect(&server.url).put("big", bytes(length), mode).await;
    let requests = server.requests();
    let mut names: Vec<String> = requests.iter().map(what).collect();
    // Parts go in parallel.
    names.sort();
    (outcome, requests, names)
}

#[tokio::test]
async fn a_long_object_is_sent_in_parts_with_checksums_and_joined_once() {
    let (outcome, requests, names) = upload(joined(), 2 * PART + 5, PutMode::Replace).await;
    assert_eq!(outcome, Ok(2 * PART as u64 + 5));
    assert_eq!(
        names,
        [
            "HEAD",
            "POST",
            "POST open",
            "PUT partNumber=1",
            "PUT partNumber=2",
            "PUT partNumber=3"
        ]
    );
    let open = requests.iter().find(|one| what(one) == "POST open").unwrap();
    assert_eq!(open.header("x-amz-checksum-algorithm"), Some("CRC32"));
    let part = requests
        .iter()
        .find(|one| what(one) == "PUT partNumber=3")
        .unwrap();
    assert!(part.header("x-amz-checksum-crc32").is_some());
    let join = requests.iter().find(|one| what(one) == "POST").unwrap();
    assert!(String::from_utf8_lossy(&join.body).contains("<PartNumber>3</PartNumber>"));
}

#[tokio::test]
async fn the_longest_object_of_one_request_is_one_request() {
    let server = Server::start(|_, _| ok()).await;
    let length = connect(&server.url)
        .put("a", bytes(AT_ONCE), PutMode::Replace)
        .await;
    assert_eq!((length, server.requests().len()), (Ok(AT_ONCE as u64), 1));
}

#[tokio::test]
async fn creating_in_parts_looks_before_opening_and_before_joining() {
    let (outcome, requests, names) = upload(joined(), AT_ONCE + 1, PutMode::Create).await;
    assert!(outcome.is_ok());
    assert_eq!(
        names.iter().filter(|name| *name == "HEAD").count(),
        3,
        "and once more after it"
    );
    let join = requests.iter().find(|one| what(one) == "POST").unwrap();
    assert_eq!(join.header("if-none-match"), Some("*"));
}

#[tokio::test]
async fn an_object_that_is_not_what_was_joined_is_an_error() {
    let server = Server::start(multipart(joined(), AT_ONCE)).await;
    let outcome = connect(&server.url)
        .put("big", bytes(AT_ONCE + 1), PutMode::Replace)
        .await;
    let error = outcome.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Damaged);
    insta::assert_snapshot!(error, @"vault: put `shop/big`: 8388609 bytes were sent, 8388608 are there");

    let theirs = "<CompleteMultipartUploadResult><ETag>\"mine\"</ETag></CompleteMultipartUploadResult>";
    let (outcome, _, _) = upload(
        Act::Answer(200, Vec::new(), theirs.into()),
        AT_ONCE + 1,
        PutMode::Create,
    )
    .await;
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::Conflict);
}

#[tokio::test]
async fn a_refused_join_is_aborted_and_a_lost_one_is_not() {
    let (outcome, _, names) = upload(error(412, "PreconditionFailed"), AT_ONCE + 1, PutMode::Create).await;
    assert_eq!(outcome.unwrap_err().kind, ErrorKind::Conflict);
    assert!(names.contains(&"DELETE".to_owned()), "{names:?}");
    for lost in [
        Act::HangUp,
        error(500, "InternalError"),
        error(200, "InternalError"),
    ] {
        let (outcome, _, names) = upload(lost.clone(), AT_ONCE + 1, PutMode::Create).await;
        assert_eq!(outcome.unwrap_err().kind, ErrorKind::LostReply, "{lost:?}");
        assert!(
            !names.contains(&"DELETE".to_owned()),
            "the object may be there: {names:?}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_fails_is_never_joined() {
    let server = Server::start(multipart(joined(), 0)).await;
    let broken = WorldError::new(ErrorKind::Damaged, "east", "broke");
    let stream = body(vec![Ok(Bytes::from(vec![7; 2 * PART + 1])), Err(broken.clone())]);
    let outcome = connect(&server.url).put("big", stream, PutMode::Replace).await;
    assert_eq!(outcome, Err(broken));
    let names: Vec<String> = server.requests().iter().map(what).collect();
    assert!(!names.contains(&"POST".to_owned()), "{names:?}");
    assert_eq!(names.last().map(String::as_str), Some("DELETE"), "{names:?}");
}

#[tokio::test]
async fn a_short_stream_that_fails_sends_nothing() {
    let server = Server::start(|_, _| ok()).await;
    let broken = WorldError::new(ErrorKind::Damaged, "east", "broke");
    let stream = body(vec![Ok(Bytes::from_static(b"half")), Err(broken.clone())]);
    assert_eq!(
        connect(&server.url).put("a", stream, PutMode::Replace).await,
        Err(broken)
    );
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn a_put_that_is_dropped_aborts_its_upload() {
    let server = Server::start(multipart(joined(), 0)).await;
    let endless = stream::iter([Ok(Bytes::from(vec![7; 2 * PART]))])
        .chain(stream::pending())
        .boxed();
    let bucket = connect(&server.url);
    let put = bucket.put("big", endless, PutMode::Replace);
    assert!(tokio::time::timeout(Duration::from_secs(2), put).await.is_err());
    for _ in 0..100 {
        if server.requests().iter().any(|one| one.method == "DELETE") {
            return;
        }
        pause(Duration::from_millis(20)).await;
    }
    panic!("nothing was aborted");
}

async fn get_against(act: Act) -> Result<Vec<Bytes>, WorldError> {
    let server = Server::start(move |_, _| act.clone()).await;
    connect(&server.url).get("a").await?.try_collect().await
}

#[tokio::test]
async fn bytes_that_do_not_fit_their_checksum_are_damaged() {
    let wrong = vec![("x-amz-checksum-crc32", "AAAAAA==".to_owned())];
    let error = get_against(Act::Answer(200, wrong, b"hello".to_vec()))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Damaged, "{error:?}");
}

#[tokio::test]
async fn a_body_that_breaks_off_ends_with_an_error_and_not_early() {
    let error = get_against(Act::CutShort(200, b"hello".to_vec()))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error:?}");
}

#[tokio::test]
async fn a_missing_object_and_a_missing_bucket_are_told_apart() {
    let missing = get_against(error(404, "NoSuchKey")).await.unwrap_err();
    assert_eq!((missing.kind, missing.hints.len()), (ErrorKind::NotFound, 0));
    let bucket = get_against(error(404, "NoSuchBucket")).await.unwrap_err();
    insta::assert_snapshot!(format!("{bucket}\n{}", bucket.hints.join("\n")), @"
    vault: get `shop/a`: NoSuchBucket: said so
    bucket `acme` does not exist; nothing is created in an incident: make it with `aws s3 mb s3://acme`
    ");
}

#[tokio::test]
async fn deleting_what_is_not_there_is_no_error_and_a_missing_bucket_is() {
    for (act, expected) in [
        (Act::Answer(204, Vec::new(), Vec::new()), None),
        (error(404, "NoSuchKey"), None),
        (error(404, "NoSuchBucket"), Some(ErrorKind::NotFound)),
        (Act::HangUp, Some(ErrorKind::LostReply)),
    ] {
        let server = Server::start(move |_, _| act.clone()).await;
        let outcome = connect(&server.url).delete("a").await;
        assert_eq!(outcome.err().map(|error| error.kind), expected);
    }
}

#[tokio::test]
async fn a_list_that_is_cut_off_is_damaged_and_not_short() {
    let xml = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
    let server = Server::start(move |_, _| Act::Answer(200, Vec::new(), xml.into())).await;
    assert_eq!(
        connect(&server.url).list("").await.unwrap_err().kind,
        ErrorKind::Damaged
    );
}

#[tokio::test]
async fn a_profile_that_is_not_there_is_an_error_and_nothing_is_sent() {
    let server = Server::start(|_, _| ok()).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    tokio::fs::write(
        &file,
        "[other]\naws_access_key_id = a\naws_secret_access_key = b\n",
    )
    .await
    .unwrap();
    for credentials_file in [file, folder.path().join("missing")] {
        let mut at = at(&server.url);
        at.profile = Some("vault".into());
        at.credentials_file = Some(credentials_file);
        let bucket = Bucket::connect("vault", &at).await;
        let error = bucket.put("a", bytes(1), PutMode::Replace).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unauthenticated, "{error:?}");
        assert!(error.message.contains("profile `vault` of"), "{error}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_sibling_stands_beside_the_prefix_and_not_inside_it() {
    let address = |prefix: &str| {
        let mut bucket = connect("http://127.0.0.1:1");
        bucket.prefix = prefix.into();
        bucket.sibling("drill").address()
    };
    assert_eq!(address("shop/"), "s3://acme/shop-drill/");
    assert_eq!(address("prod/shop/"), "s3://acme/prod/shop-drill/");
    assert_eq!(address(""), "s3://acme/drill/");
}
