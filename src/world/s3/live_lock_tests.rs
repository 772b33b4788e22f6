//! Object lock against real S3 servers: what is said of it, and that it holds.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockRetention, ObjectLockRetentionMode,
};
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::{SignedDuration, Timestamp};

use super::Bucket;
use super::put::PART;
use crate::effect::{Firmness, WorldError};
use crate::runbook::S3Store;
use crate::world::lab::{Lab, fresh};
use crate::world::port::{Locked, PutMode, Retention, Store as _};

const BOTH: [&str; 2] = ["vault", "second"];

async fn open(lab: &Lab, store: &str, bucket: &str) -> Bucket {
    let at = S3Store {
        bucket: bucket.to_owned(),
        endpoint: Some(lab.text(&format!("/stores/{store}/endpoint"))),
        region: lab.text(&format!("/stores/{store}/region")),
        prefix: format!("{}/", fresh("lock")),
        profile: Some(lab.text(&format!("/stores/{store}/profile"))),
        credentials_file: Some(lab.dir.join("credentials")),
    };
    Bucket::connect(store, &at).await
}

/// A bucket of its own that was made with object lock.
async fn with_lock(lab: &Lab, store: &str) -> Bucket {
    let bucket = open(lab, store, &fresh("locked")).await;
    let make = bucket.client.create_bucket().bucket(&bucket.name);
    make.object_lock_enabled_for_bucket(true).send().await.unwrap();
    bucket
}

fn body(length: usize) -> BoxStream<'static, Result<Bytes, WorldError>> {
    stream::iter([Ok(Bytes::from(vec![7; length]))]).boxed()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a real server compares with the real time"
)]
fn in_an_hour() -> Timestamp {
    let now = Timestamp::try_from(std::time::SystemTime::now()).unwrap();
    let then = now + SignedDuration::from_hours(1);
    Timestamp::from_second(then.as_second()).unwrap()
}

fn status<E>(error: &SdkError<E, aws_sdk_s3::config::http::HttpResponse>) -> u16 {
    error.raw_response().map_or(0, |raw| raw.status().as_u16())
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_compliance_lock_is_seen_and_holds_against_its_own_writer() {
    let lab = Lab::open().await;
    for store in BOTH {
        let bucket = with_lock(&lab, store).await;
        let (mode, until) = (Firmness::Compliance, in_an_hour());
        let locking = bucket.locking(Retention { mode, until }).unwrap();
        for (key, length) in [("small", 5), ("in parts", 2 * PART + 1)] {
            locking.put(key, body(length), PutMode::Create).await.unwrap();
            let found = bucket.locked(key).await.unwrap();
            assert_eq!(found, Locked::Until(Retention { mode, until }), "{store} {key}");
            holds(&bucket, store, key, until).await;
        }
        bucket.put("free", body(5), PutMode::Create).await.unwrap();
        assert_eq!(bucket.locked("free").await.unwrap(), Locked::No, "{store}");
    }
}

/// With the same credentials: the version cannot be deleted, and its lock cannot be shortened.
async fn holds(bucket: &Bucket, store: &str, key: &str, until: Timestamp) {
    let whole = bucket.whole(key);
    let head = bucket.client.head_object().bucket(&bucket.name).key(&whole);
    let version = head.send().await.unwrap().version_id.expect("a version");
    let delete = bucket.client.delete_object().bucket(&bucket.name).key(&whole);
    let delete = delete.version_id(&version).bypass_governance_retention(true);
    let refused = status(&delete.send().await.expect_err("it deleted what is locked"));
    let sooner = ObjectLockRetention::builder()
        .mode(ObjectLockRetentionMode::Compliance)
        .retain_until_date(DateTime::from_secs(until.as_second() - 1800))
        .build();
    let shorten = bucket
        .client
        .put_object_retention()
        .bucket(&bucket.name)
        .key(&whole);
    let shorten = shorten.version_id(&version).retention(sooner).send().await;
    let shortened = status(&shorten.expect_err("it shortened a lock"));
    println!("{store} {key}: deleting the version: HTTP {refused}; shortening its lock: HTTP {shortened}");
    // Without a version a delete succeeds, and only hides it.
    bucket.delete(key).await.unwrap();
    let get = bucket.client.get_object().bucket(&bucket.name).key(&whole);
    get.version_id(&version).send().await.unwrap();
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_governance_lock_and_a_legal_hold_are_seen() {
    let lab = Lab::open().await;
    for store in BOTH {
        let bucket = with_lock(&lab, store).await;
        let (mode, until) = (Firmness::Governance, in_an_hour());
        let locking = bucket.locking(Retention { mode, until }).unwrap();
        locking.put("a", body(5), PutMode::Create).await.unwrap();
        let found = bucket.locked("a").await.unwrap();
        assert_eq!(found, Locked::Until(Retention { mode, until }), "{store}");
        bucket.put("b", body(5), PutMode::Create).await.unwrap();
        let on = ObjectLockLegalHold::builder()
            .status(ObjectLockLegalHoldStatus::On)
            .build();
        let hold = bucket.client.put_object_legal_hold().bucket(&bucket.name);
        hold.key(bucket.whole("b")).legal_hold(on).send().await.unwrap();
        assert_eq!(bucket.locked("b").await.unwrap(), Locked::Held, "{store}");
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn live_a_bucket_without_object_lock_says_so_and_refuses_a_locked_write() {
    let lab = Lab::open().await;
    for store in BOTH {
        let bucket = open(&lab, store, &lab.text(&format!("/stores/{store}/bucket"))).await;
        bucket.put("a", body(5), PutMode::Create).await.unwrap();
        assert_eq!(bucket.locked("a").await.unwrap(), Locked::No, "{store}");
        let (mode, until) = (Firmness::Compliance, in_an_hour());
        let locking = bucket.locking(Retention { mode, until }).unwrap();
        let error = locking
            .put("b", body(5), PutMode::Create)
            .await
            .expect_err("refused");
        println!("{store}: {:?} {}", error.kind, error.message);
        assert!(!error.kind.passing(), "{store}: {error:?}");
    }
}
