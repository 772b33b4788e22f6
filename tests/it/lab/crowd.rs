//! Several processes that delete, prune, verify and make backups in one store at once, on both S3 servers.
//!
//! What each of them decides rests on what another one may be taking away. In the simulator the same is
//! tried in many more orders; here the orders are those of real processes and real servers.

use std::process::{Output, Stdio};

use super::Lab;

/// How often each constellation is tried on each server.
const ROUNDS: usize = 3;

/// Runs all of them at once and waits for the last.
fn at_once(lab: &Lab, commands: &[Vec<&str>]) -> Vec<Output> {
    let started: Vec<_> = commands
        .iter()
        .map(|args| {
            let mut command = lab.lifeboat(args);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    started
        .into_iter()
        .map(|child| child.wait_with_output().unwrap())
        .collect()
}

fn delete<'a>(store: &'a str, name: &'a str) -> Vec<&'a str> {
    let args = [
        "backup",
        "delete",
        name,
        "--store",
        store,
        "--reason",
        "a test",
        "--confirm",
        name,
    ];
    args.to_vec()
}

fn prune(store: &str) -> Vec<&str> {
    ["backup", "prune", "--store", store, "--keep-last", "1", "--yes"].to_vec()
}

fn create(store: &str) -> Vec<&str> {
    [
        "backup",
        "create",
        "--site",
        "east",
        "--namespaces",
        "shop",
        "--to",
        store,
    ]
    .to_vec()
}

/// The names of all backups there are; each is verified, whole to its last byte, and nobody's deletion of it
/// is under way.
fn whole(lab: &Lab, store: &str, outputs: &[Output]) -> Vec<String> {
    let said: Vec<_> = outputs
        .iter()
        .map(|one| format!("{:?} {}", one.status.code(), String::from_utf8_lossy(&one.stderr)))
        .collect();
    let shelf = lab.shelf(store);
    let cards = shelf["backups"].as_array().unwrap();
    assert!(!cards.is_empty(), "nothing is left in {store}: {said:#?}");
    let name = |card: &serde_json::Value| {
        assert_eq!(card["state"], "verified", "{card}: {said:#?}");
        assert!(card.get("going").is_none(), "{card}: {said:#?}");
        let name = card["name"].as_str().unwrap().to_owned();
        lab.expect(0, &["backup", "verify", &name, "--store", store, "--no-proof"]);
        name
    };
    cards.iter().map(name).collect()
}

fn codes(outputs: &[Output]) -> Vec<i32> {
    outputs.iter().map(|one| one.status.code().unwrap()).collect()
}

/// So many backups, the oldest first.
fn stocked(lab: &Lab, store: &str, count: usize) -> Vec<String> {
    let mut names = there(lab, store);
    if names.len() > count {
        let most = count.to_string();
        lab.expect(
            0,
            &["backup", "prune", "--store", store, "--keep-last", &most, "--yes"],
        );
        names = there(lab, store);
    }
    while names.len() < count {
        names.push(lab.backed_up(store, &[]));
    }
    names
}

fn there(lab: &Lab, store: &str) -> Vec<String> {
    let shelf = lab.shelf(store);
    let cards = shelf["backups"].as_array().unwrap().iter();
    cards
        .map(|card| card["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
#[ignore = "needs the lab: make test"]
fn however_many_delete_at_once_a_verified_backup_stays() {
    let lab = Lab::start_with_both_stores();
    for store in ["vault", "second"] {
        let mut refused = 0;
        for _ in 0..ROUNDS {
            // Each of them is the other's only stand-in.
            let names = stocked(&lab, store, 2);
            let outputs = at_once(&lab, &[delete(store, &names[0]), delete(store, &names[1])]);
            whole(&lab, store, &outputs);
            let codes = codes(&outputs);
            assert!(codes.iter().all(|code| [0, 3, 5].contains(code)), "{codes:?}");
            refused += codes.iter().filter(|code| **code != 0).count();

            // The rules keep the newest, and a person takes exactly that.
            let names = stocked(&lab, store, 3);
            let outputs = at_once(&lab, &[prune(store), delete(store, &names[2]), prune(store)]);
            whole(&lab, store, &outputs);

            // Who makes and who proves one is in nobody's way.
            let names = stocked(&lab, store, 3);
            let verify = vec!["backup", "verify", &names[0], "--store", store];
            let commands = [
                prune(store),
                create(store),
                verify,
                create(store),
                delete(store, &names[1]),
            ];
            let outputs = at_once(&lab, &commands);
            let left = whole(&lab, store, &outputs);
            assert!(
                left.iter().any(|name| !names.contains(name)),
                "the new one stays: {left:?}"
            );
        }
        println!("{store}: {refused} of {} deletions were refused", 2 * ROUNDS);
        assert!(refused >= ROUNDS, "in each round one has to give way");
    }
}
