//! A server that forgets the state of a listing while a backup is in the middle of it: what was read of it is
//! thrown away, and the backup is of one moment all the same.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::audit::Log;
use super::throttle::Throttle;
use super::{Lab, one_line};

/// Twenty to an application, nine of them ConfigMaps: several pages of 500.
const OBJECTS: &str = "3000";

/// Enough for the discovery and a page of ConfigMaps, and less than all of them. Listings go side by side, so that
/// sometimes none of them is between two pages just then: then another backup is held after another number.
const HELD_AFTER: [usize; 4] = [1_500_000, 1_250_000, 1_750_000, 1_000_000];

/// Twice the server's time, and again for a busy machine.
const FORGOTTEN_WITHIN: Duration = Duration::from_mins(2);

/// A listing that was begun now: its token, to see when the server has forgotten this moment.
fn token(lab: &Lab) -> String {
    let page = lab
        .ask("east", "GET", "/api/v1/configmaps?limit=1", None)
        .unwrap();
    page["metadata"]["continue"].as_str().unwrap().to_owned()
}

/// Until the server itself says that the listing is too old to go on with.
fn wait_until_forgotten(lab: &Lab, token: &str) {
    let began = Instant::now();
    let rest = format!("/api/v1/configmaps?limit=1&continue={token}");
    let mut number = 0;
    loop {
        match lab.ask("east", "GET", &rest, None) {
            Err(said) if said.contains("410") => return,
            answer => assert!(
                began.elapsed() < FORGOTTEN_WITHIN,
                "it still remembers: {answer:?}"
            ),
        }
        // Only what has been written over can be forgotten.
        let label = json!({ "metadata": { "labels": { "number": number.to_string() } } });
        lab.ask("east", "PATCH", "/api/v1/namespaces/default", Some(&label))
            .unwrap();
        number += 1;
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// `namespace/name` of all objects of a kind in an archive, read by tar from the server's own disk.
fn packed(lab: &Lab, name: &str, resource: &str) -> BTreeSet<String> {
    let file = format!("{name}.tar.gz");
    let found = Command::new("find")
        .arg(lab.dir().join("vault/objects"))
        .args(["-name", &file])
        .output()
        .unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    let listed = Command::new("tar").args(["tzf", found.trim()]).output().unwrap();
    assert!(listed.status.success(), "{found}: {listed:?}");
    let begins = format!("resources/{resource}/namespaces/");
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names = listed.lines().filter_map(|line| {
        let name = line.strip_prefix(&begins)?.strip_suffix(".json")?;
        Some(name.to_owned())
    });
    names.collect()
}

/// The same of what the server has.
fn there(lab: &Lab, path: &str) -> BTreeSet<String> {
    let list = lab.ask("east", "GET", path, None).unwrap();
    let word = |item: &Value, part: &str| item["metadata"][part].as_str().unwrap().to_owned();
    let items = list["items"].as_array().unwrap().iter();
    items
        .map(|item| format!("{}/{}", word(item, "namespace"), word(item, "name")))
        .collect()
}

fn code(event: &Value) -> Option<u64> {
    event.pointer("/responseStatus/code").and_then(Value::as_u64)
}

/// Lifeboat's requests that the server answered with: that is too old.
fn forgotten(log: &Log) -> Vec<&Value> {
    log.of_tool().filter(|event| code(event) == Some(410)).collect()
}

/// Backs everything up over a way that lets so many bytes through, and the rest when the server has forgotten what was
/// listed before.
fn backed_up_with_a_pause(lab: &Lab, held_after: usize) {
    let url = lab.fact("/sites/east/url").as_str().unwrap().to_owned();
    let port = url.rsplit(':').next().unwrap().parse().unwrap();
    let way = Throttle::to(port, held_after);
    let kubeconfig = lab.fact("/kubeconfig").as_str().unwrap().to_owned();
    let right = std::fs::read_to_string(&kubeconfig).unwrap();
    let through = format!("https://127.0.0.1:{}", way.port);
    std::fs::write(&kubeconfig, right.replace(&url, &through)).unwrap();

    let old = token(lab);
    let args = [
        "backup",
        "create",
        "--site",
        "east",
        "--to",
        "vault",
        "--namespaces",
        "*",
    ];
    let child = lab
        .lifeboat(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    way.wait_until_it_holds();
    wait_until_forgotten(lab, &old);
    way.open();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", one_line(&output.stderr));
    std::fs::write(&kubeconfig, right).unwrap();
}

#[test]
#[ignore = "needs the lab: make test"]
fn a_listing_that_the_server_forgets_is_begun_again_and_the_backup_is_of_one_moment() {
    let lab = Lab::that_forgets();
    let seeded = lab.tool(&["seed", "--objects", OBJECTS, "--site", "east"]);
    assert!(seeded.status.success(), "{seeded:?}");
    let met = HELD_AFTER.into_iter().position(|held_after| {
        backed_up_with_a_pause(&lab, held_after);
        !forgotten(&lab.audit("east")).is_empty()
    });
    let tries = met.expect("no listing of lifeboat's met a 410; HELD_AFTER is wrong") + 1;
    let log = lab.audit("east");
    // Each of these listings is begun again, and not gone on with: its first page is asked for once more.
    for event in forgotten(&log) {
        assert_eq!(event["verb"], "list", "{}", Log::line(event));
        let begun_again = log.of_tool().any(|other| {
            other["objectRef"]["resource"] == event["objectRef"]["resource"]
                && other["verb"] == "list"
                && !other["requestURI"].as_str().unwrap().contains("continue=")
                && code(other) == Some(200)
                && Log::arrived(other) > Log::arrived(event)
        });
        assert!(begun_again, "{}", Log::line(event));
    }

    // The backup is whole: what it restores is what is there, by a comparer that shares no code with it.
    let shelf = lab.shelf("vault");
    let backups = shelf["backups"].as_array().unwrap();
    assert_eq!(backups.len(), tries, "{shelf}");
    let newest = backups.iter().max_by_key(|one| one["name"].as_str().unwrap());
    let newest = newest.unwrap();
    assert_eq!(newest["state"], "verified");
    let name = newest["name"].as_str().unwrap();
    assert_eq!(
        packed(&lab, name, "configmaps"),
        there(&lab, "/api/v1/configmaps")
    );
    assert_eq!(packed(&lab, name, "secrets"), there(&lab, "/api/v1/secrets"));
}
