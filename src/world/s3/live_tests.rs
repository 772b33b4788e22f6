//! Against real S3 servers: versitygw (`vault`) and minio (`second`).

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use super::Bucket;
use crate::effect::{ErrorKind, WorldError};
use crate::runbook::S3Store;
use crate::world::lab::{Lab, fresh, timed};
use crate::world::port::{PutMode, Store};

const BOTH: [&str; 2] = ["vault", "second"];

fn at(lab: &Lab, store: &str) -> S3Store {
    S3Store {
        bucket: lab.text(&format!("/stores/{store}/bucket")),
        endpoint: Some(lab.text(&format!("/stores/{store}/endpoint"))),
        region: lab.text(&format!("/stores/{store}/region")),
        prefix: format!("{}/", fresh("adapter")),
        profile: Some(lab.text(&format!("/stores/{store}/profile"))),
        credentials_file: Some(lab.dir.join("credentials")),
    }
}

async fn open(store: &str) -> Bucket {
    let lab = Lab::open().await;
    Bucket::connect(store, &at(&lab, store)).await
}

fn body(bytes: &[u8], chunk: usize) -> BoxStream<'static, Result<Bytes, WorldError>> {
    let chunks: Vec<_> = bytes
        .chunks(chunk)
        .map(|one| Ok(Bytes::copy_from_slice(one)))
        .collect();
    stream::iter(chunks).boxed()
}

fn text(text: &str) -> BoxStream<'static, Result<Bytes, WorldError>> {
    body(text.as_bytes(), 4)
}

/// Bytes that no compression and no repeated block can hide a mistake in.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

async fn read(bucket: &Bucket, key: &str) -> Result<Vec<u8>, WorldError> {
    let chunks: Vec<Bytes> = bucket.get(key).await?.try_collect().await?;
    Ok(chunks.concat())
}

async fn unfinished(bucket: &Bucket) -> usize {
    let list = bucket
        .client
        .list_multipart_uploads()
        .bucket(&bucket.name)
        .prefix(&bucket.prefix);
    list.send().await.unwrap().uploads().len()
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_key_is_created_only_once_on_both_servers() {
    for store in BOTH {
        let bucket = open(store).await;
        assert_eq!(
            bucket.put("a", text("first"), PutMode::Create).await,
            Ok(5),
            "{store}"
        );
        let error = bucket
            .put("a", text("second"), PutMode::Create)
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict, "{store}: {error:?}");
        assert_eq!(read(&bucket, "a").await.unwrap(), b"first", "{store}");
        bucket.put("a", text("third"), PutMode::Replace).await.unwrap();
        assert_eq!(read(&bucket, "a").await.unwrap(), b"third", "{store}");
        bucket.delete("a").await.unwrap();
        bucket.delete("a").await.unwrap();
        assert_eq!(
            read(&bucket, "a").await.unwrap_err().kind,
            ErrorKind::NotFound,
            "{store}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn live_of_many_who_create_one_key_at_once_exactly_one_has_made_it() {
    const RACES: usize = 20;
    const WRITERS: usize = 8;
    for store in BOTH {
        let bucket = open(store).await;
        for race in 0..RACES {
            let key = format!("race-{race}");
            let tries = (0..WRITERS).map(|writer| {
                let (bucket, key) = (bucket.clone(), key.clone());
                tokio::spawn(
                    async move { bucket.put(&key, text(&writer.to_string()), PutMode::Create).await },
                )
            });
            let outcomes = futures::future::join_all(tries).await;
            let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
            let winners: Vec<usize> = (0..WRITERS).filter(|writer| outcomes[*writer].is_ok()).collect();
            assert_eq!(winners.len(), 1, "{store} race {race}: {outcomes:?}");
            let lost = outcomes.iter().filter_map(|one| one.as_ref().err());
            assert!(
                lost.clone().all(|error| error.kind == ErrorKind::Conflict),
                "{store}: {outcomes:?}"
            );
            assert_eq!(
                read(&bucket, &key).await.unwrap(),
                winners[0].to_string().as_bytes(),
                "{store}"
            );
            bucket.delete(&key).await.unwrap();
        }
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_twenty_mebibytes_of_a_stream_come_back_as_they_went() {
    let bytes = noise(20 * 1024 * 1024 + 3);
    for store in BOTH {
        let bucket = open(store).await;
        let put = bucket.put("big", body(&bytes, 70_001), PutMode::Create);
        let length = timed(&format!("{store}: 20 MiB put"), 1, put).await;
        assert_eq!(length, Ok(bytes.len() as u64), "{store}");
        let back = timed(&format!("{store}: 20 MiB read"), 1, read(&bucket, "big"))
            .await
            .unwrap();
        assert_eq!(Sha256::digest(&back), Sha256::digest(&bytes), "{store}");
        let listed = bucket.list("").await.unwrap();
        assert_eq!(listed.len(), 1, "{store}");
        assert_eq!(
            (listed[0].key.as_str(), listed[0].size),
            ("big", bytes.len() as u64),
            "{store}"
        );
        assert!(listed[0].modified.is_some(), "{store}");
        let error = bucket
            .put("big", body(&bytes, 1 << 20), PutMode::Create)
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::Conflict, "{store}: {error:?}");
        assert_eq!(unfinished(&bucket).await, 0, "{store}");
        bucket.delete("big").await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_an_empty_object_is_an_object() {
    for store in BOTH {
        let bucket = open(store).await;
        assert_eq!(
            bucket.put("empty", text(""), PutMode::Create).await,
            Ok(0),
            "{store}"
        );
        assert_eq!(read(&bucket, "empty").await.unwrap(), b"", "{store}");
        bucket.delete("empty").await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_stream_that_fails_leaves_neither_an_object_nor_parts() {
    for store in BOTH {
        let bucket = open(store).await;
        let broken = WorldError::new(ErrorKind::Damaged, "east", "broke");
        let stream = body(&noise(17 << 20), 1 << 20)
            .chain(stream::iter([Err(broken.clone())]))
            .boxed();
        assert_eq!(
            bucket.put("half", stream, PutMode::Create).await,
            Err(broken),
            "{store}"
        );
        assert_eq!(bucket.list("").await.unwrap(), [], "{store}");
        assert_eq!(unfinished(&bucket).await, 0, "{store}");
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_more_than_a_page_of_keys_is_listed_whole_and_sorted() {
    const KEYS: usize = 1_100;
    for store in BOTH {
        let bucket = open(store).await;
        let puts = stream::iter(0..KEYS).map(|n| {
            let bucket = bucket.clone();
            async move {
                bucket
                    .put(&format!("many/{n:04}"), text("x"), PutMode::Replace)
                    .await
            }
        });
        let puts = puts.buffer_unordered(16).try_collect::<Vec<u64>>();
        timed(&format!("{store}: small puts, 16 in flight"), KEYS, puts)
            .await
            .unwrap();
        let listed = bucket.list("many/").await.unwrap();
        let keys: Vec<&str> = listed.iter().map(|one| one.key.as_str()).collect();
        let expected: Vec<String> = (0..KEYS).map(|n| format!("many/{n:04}")).collect();
        assert_eq!(keys, expected, "{store}");
        let gone = stream::iter(keys)
            .map(|key| bucket.delete(key))
            .buffer_unordered(16);
        gone.try_collect::<Vec<()>>().await.unwrap();
        assert_eq!(bucket.list("").await.unwrap(), [], "{store}");
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_sibling_does_not_see_what_is_in_the_store_nor_the_other_way() {
    for store in BOTH {
        let bucket = open(store).await;
        let sibling = bucket.sibling("drill");
        sibling.put("a", text("beside"), PutMode::Create).await.unwrap();
        assert_eq!(bucket.list("").await.unwrap(), [], "{store}");
        assert_eq!(sibling.list("").await.unwrap().len(), 1, "{store}");
        sibling.delete("a").await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_who_is_not_known_is_told_so() {
    let lab = Lab::open().await;
    for store in BOTH {
        let file = lab.dir.join("credentials");
        let text_of = tokio::fs::read_to_string(&file).await.unwrap();
        let secret = lab.text(&format!("/stores/{store}/secretKey"));
        let folder = tempfile::tempdir().unwrap();
        let wrong = folder.path().join("credentials");
        tokio::fs::write(&wrong, text_of.replace(&secret, "wrong"))
            .await
            .unwrap();
        let mut at = at(&lab, store);
        at.credentials_file = Some(wrong);
        let bucket = Bucket::connect(store, &at).await;
        let error = bucket.put("a", text("x"), PutMode::Create).await.unwrap_err();
        println!("{error}\n  hint: {}", error.hints.join("\n  hint: "));
        assert_eq!(error.kind, ErrorKind::Unauthenticated, "{store}: {error:?}");
        assert_eq!(
            bucket.list("").await.unwrap_err().kind,
            ErrorKind::Unauthenticated,
            "{store}"
        );
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_missing_bucket_is_not_an_empty_one() {
    let lab = Lab::open().await;
    for store in BOTH {
        let mut at = at(&lab, store);
        at.bucket = "no-such-bucket".into();
        let bucket = Bucket::connect(store, &at).await;
        for error in [
            bucket.list("").await.unwrap_err(),
            bucket.put("a", text("x"), PutMode::Create).await.unwrap_err(),
            bucket
                .put("a", body(&noise(9 << 20), 1 << 20), PutMode::Create)
                .await
                .unwrap_err(),
            bucket.get("a").await.err().unwrap(),
        ] {
            println!("{error}");
            assert_eq!(error.kind, ErrorKind::NotFound, "{store}: {error:?}");
        }
    }
}
