//! The store probe against real S3 servers.

use jiff::Timestamp;

use super::Bucket;
use crate::run::short_id;
use crate::runbook::S3Store;
use crate::world::doctor::{Examination, Property, Verdict, examine};
use crate::world::lab::{Lab, fresh};
use crate::world::port::Store as _;

fn at(lab: &Lab, store: &str, bucket: Option<String>) -> S3Store {
    S3Store {
        bucket: bucket.unwrap_or_else(|| lab.text(&format!("/stores/{store}/bucket"))),
        endpoint: Some(lab.text(&format!("/stores/{store}/endpoint"))),
        region: lab.text(&format!("/stores/{store}/region")),
        prefix: format!("{}/", fresh("doctor")),
        profile: Some(lab.text(&format!("/stores/{store}/profile"))),
        credentials_file: Some(lab.dir.join("credentials")),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a real server compares with the real time"
)]
fn now() -> Timestamp {
    Timestamp::try_from(std::time::SystemTime::now()).unwrap()
}

fn verdict(found: &Examination, property: Property) -> Verdict {
    found
        .findings
        .iter()
        .find(|one| one.property == property)
        .unwrap()
        .verdict
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn live_both_servers_can_hold_journals_and_the_probe_leaves_nothing() {
    let lab = Lab::open().await;
    for store in ["vault", "second"] {
        let bucket = Bucket::connect(store, &at(&lab, store, None)).await;
        let found = examine(store, &bucket, &short_id(), &now).await;
        println!("{found:#?}");
        assert!(found.fit(), "{store}: {found:#?}");
        for property in [Property::Swap, Property::Checksum, Property::Clock] {
            assert_eq!(
                verdict(&found, property),
                Verdict::Holds,
                "{store} {property:?}: {found:#?}"
            );
        }
        assert_eq!(bucket.list("").await.unwrap(), [], "{store}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn live_a_bucket_with_object_lock_is_told_from_one_without() {
    let lab = Lab::open().await;
    for store in ["vault", "second"] {
        let locked = Bucket::connect(store, &at(&lab, store, Some(fresh("locked")))).await;
        let make = locked.client.create_bucket().bucket(&locked.name);
        make.object_lock_enabled_for_bucket(true).send().await.unwrap();
        let found = examine(store, &locked, &short_id(), &now).await;
        assert_eq!(
            verdict(&found, Property::Lock),
            Verdict::Holds,
            "{store}: {found:#?}"
        );
        assert_eq!(
            verdict(&found, Property::Versions),
            Verdict::Holds,
            "{store}: {found:#?}"
        );
        let plain = Bucket::connect(store, &at(&lab, store, Some(fresh("plain")))).await;
        plain
            .client
            .create_bucket()
            .bucket(&plain.name)
            .send()
            .await
            .unwrap();
        let found = examine(store, &plain, &short_id(), &now).await;
        assert_eq!(
            verdict(&found, Property::Lock),
            Verdict::Fails,
            "{store}: {found:#?}"
        );
    }
}
