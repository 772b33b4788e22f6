//! Backups in buckets that were made with object lock, on both S3 servers of the lab: what is locked stays,
//! what is said of it is what the bucket really holds, and what somebody hid comes back.
//!
//! The bucket is looked at with the SDK, version by version; nothing of lifeboat is used for that.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials, Region};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::{Lab, one_line};

/// Where the backups lie in the bucket.
const PREFIX: &str = "acme/";

/// One version of one object, or a delete marker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    key: String,
    id: String,
    latest: bool,
    marker: bool,
}

/// A bucket with object lock, and the lab's inventory with a store in it.
struct Bucket {
    runtime: Runtime,
    client: Client,
    name: String,
    store: String,
}

impl Bucket {
    fn make(lab: &Lab, server: &str) -> Self {
        let fact = |name: &str| {
            lab.fact(&format!("/stores/{server}/{name}"))
                .as_str()
                .unwrap()
                .to_owned()
        };
        let (access, secret) = keys(lab, &fact("profile"));
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(fact("endpoint"))
            .region(Region::new(fact("region")))
            .force_path_style(true)
            .credentials_provider(Credentials::new(access, secret, None, None, "lab"));
        let bucket = Self {
            runtime: Runtime::new().unwrap(),
            client: Client::from_conf(config.build()),
            name: format!("acme-locked-{server}"),
            store: format!("locked-{server}"),
        };
        let make = bucket.client.create_bucket().bucket(&bucket.name);
        let make = make.object_lock_enabled_for_bucket(true).send();
        bucket.runtime.block_on(make).unwrap();
        let file = lab.dir().join("sites.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        let at = json!({
            "bucket": bucket.name, "endpoint": fact("endpoint"), "region": fact("region"), "prefix": PREFIX,
            "profile": fact("profile"), "credentialsFile": "credentials",
        });
        let text = format!("{}\n    {}: {{ s3: {at} }}\n", text.trim_end(), bucket.store);
        std::fs::write(&file, text).unwrap();
        bucket
    }

    /// Everything in it, listed or not.
    fn versions(&self) -> BTreeSet<Version> {
        let list = self.client.list_object_versions().bucket(&self.name).send();
        let page = self.runtime.block_on(list).unwrap();
        assert_ne!(page.is_truncated(), Some(true), "a page is enough for this test");
        let objects = page.versions().iter().map(|one| Version {
            key: one.key().unwrap().to_owned(),
            id: one.version_id().unwrap().to_owned(),
            latest: one.is_latest() == Some(true),
            marker: false,
        });
        let markers = page.delete_markers().iter().map(|one| Version {
            key: one.key().unwrap().to_owned(),
            id: one.version_id().unwrap().to_owned(),
            latest: one.is_latest() == Some(true),
            marker: true,
        });
        objects.chain(markers).collect()
    }

    /// The objects of a backup and their versions.
    fn of(&self, backup: &str) -> BTreeSet<Version> {
        let (folder, own) = (
            format!("{PREFIX}backups/{backup}/"),
            format!("{PREFIX}metadata/lifeboat/{backup}/"),
        );
        let mut all = self.versions();
        all.retain(|one| one.key.starts_with(&folder) || one.key.starts_with(&own));
        all
    }

    /// Until when each object of a backup is locked, by its header.
    fn locks(&self, backup: &str) -> BTreeMap<String, (String, i64)> {
        let lock = |one: Version| {
            let head = self.client.head_object().bucket(&self.name).key(&one.key);
            let head = self.runtime.block_on(head.send()).unwrap();
            let mode = head.object_lock_mode().map(|mode| mode.as_str().to_owned());
            let until = head
                .object_lock_retain_until_date()
                .map(aws_sdk_s3::primitives::DateTime::secs);
            Some((one.key, (mode?, until?)))
        };
        self.of(backup).into_iter().filter_map(lock).collect()
    }

    /// What somebody does who has the same credentials and wants all of it gone.
    fn attack(&self, backup: &str) {
        for one in self.of(backup) {
            let delete = self.client.delete_object().bucket(&self.name).key(&one.key);
            self.runtime.block_on(delete.send()).unwrap();
            let delete = self.client.delete_object().bucket(&self.name).key(&one.key);
            let delete = delete.version_id(&one.id).bypass_governance_retention(true);
            assert!(
                self.runtime.block_on(delete.send()).is_err(),
                "{} was deleted",
                one.key
            );
        }
    }
}

/// Access and secret of a profile, out of the lab's file.
fn keys(lab: &Lab, profile: &str) -> (String, String) {
    let text = std::fs::read_to_string(lab.dir().join("credentials")).unwrap();
    let section = text.split(&format!("[{profile}]")).nth(1).unwrap();
    let value = |name: &str| {
        let line = section.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once('=').unwrap().1.trim().to_owned()
    };
    (value("aws_access_key_id"), value("aws_secret_access_key"))
}

/// The end of the lock on a backup's card, in seconds, after it was found on every object by the SDK.
fn locked_until(lab: &Lab, bucket: &Bucket, backup: &str) -> i64 {
    let shelf = lab.shelf(&bucket.store);
    let cards = shelf["backups"].as_array().unwrap();
    let card = cards.iter().find(|card| card["name"] == backup).unwrap();
    let said = card.pointer("/lock/until/at").and_then(Value::as_str).unwrap();
    let until = said.parse::<jiff::Timestamp>().unwrap().as_second();
    let locks = bucket.locks(backup);
    assert_eq!(
        locks.len(),
        bucket.of(backup).len(),
        "an object of it is not locked"
    );
    assert!(locks.len() >= 8, "{locks:?}");
    for (key, lock) in locks {
        assert_eq!(lock, ("COMPLIANCE".to_owned(), until), "{key}");
    }
    until
}

#[expect(
    clippy::too_many_lines,
    reason = "one story, each part on what the part before left"
)]
fn keeps_what_is_locked(lab: &Lab, server: &str) {
    let bucket = Bucket::make(lab, server);
    let store = bucket.store.clone();
    let old = lab.backed_up(&store, &[]);
    let locked = lab.backed_up(&store, &["--lock", "compliance:1h"]);
    let new = lab.backed_up(&store, &[]);
    let until = locked_until(lab, &bucket, &locked);
    assert!(bucket.locks(&old).is_empty());
    let words = jiff::Timestamp::from_second(until).unwrap();
    let words = format!(
        "locked until {} UTC (compliance)",
        words.strftime("%Y-%m-%d %H:%M")
    );
    let said = one_line(&lab.expect(0, &["backups", "--store", &store]).stdout);
    assert!(said.contains(&words), "{said}");

    // A locked one is refused, and not even a note is written.
    let before = bucket.versions();
    let delete = [
        "backup",
        "delete",
        &locked,
        "--store",
        &store,
        "--reason",
        "a test",
        "--confirm",
        &locked,
    ];
    let said = one_line(&lab.expect(5, &delete).stderr);
    assert!(said.contains(&words), "{said}");
    assert_eq!(bucket.versions(), before, "nothing in the bucket has changed");

    // Pruning leaves it alone, whatever the rules say, and takes the old one.
    let mine = bucket.of(&locked);
    let prune = ["backup", "prune", "--store", &store, "--keep-last", "1", "--yes"];
    let said = one_line(&lab.expect(0, &prune).stdout);
    assert!(
        said.contains(&format!("keep {locked}")) && said.contains("2 kept, 1 to delete"),
        "{said}"
    );
    assert_eq!(bucket.of(&locked), mine);
    let left: Vec<_> = bucket.of(&old).into_iter().filter(|one| !one.marker).collect();
    let older = left.iter().filter(|one| !one.latest).count();
    let note: Vec<_> = left
        .iter()
        .filter(|one| one.latest)
        .map(|one| one.key.clone())
        .collect();
    assert_eq!(note, [format!("{PREFIX}metadata/lifeboat/{old}/deleted.json")]);
    assert!(
        said.contains(&format!("keeps versions: {older} objects of it")),
        "{older}: {said}"
    );
    assert!(older >= 8, "{older}");

    // Somebody with the same rights hides it; what is locked is found again, also in a store that has to
    // prove first who it is.
    lab.expect(0, &["sites", "pin", &store]);
    bucket.attack(&locked);
    let said = one_line(&lab.expect(0, &["backups", "--store", &store]).stdout);
    assert!(
        said.contains(&format!("Hidden: {locked} lies under delete markers")),
        "{said}"
    );
    assert!(said.contains("still there as older versions: 1 backup"), "{said}");
    assert!(said.contains("1 backup, 1 verified."), "{said}");
    lab.expect(0, &["backup", "recover", &locked, "--store", &store]);
    assert_eq!(lab.shelf(&store)["backups"][0]["state"], "not-verified");
    let said = one_line(
        &lab.expect(0, &["backup", "verify", &locked, "--store", &store])
            .stdout,
    );
    assert!(
        said.contains("is whole") && said.contains("written now"),
        "{said}"
    );
    lab.expect(3, &["backup", "recover", &new, "--store", &store]);
    let restore = [
        "restore",
        &locked,
        "--from",
        &store,
        "--to",
        "west",
        "--confirm",
        "west target",
    ];
    lab.expect(0, &restore);
    lab.ask(
        "west",
        "GET",
        "/apis/apps/v1/namespaces/shop/deployments/web",
        None,
    )
    .unwrap();
}

#[test]
#[ignore = "needs the lab: make test"]
fn what_is_locked_stays_and_what_is_hidden_comes_back() {
    let lab = Lab::start_with_both_stores();
    for server in ["vault", "second"] {
        keeps_what_is_locked(&lab, server);
    }
}
