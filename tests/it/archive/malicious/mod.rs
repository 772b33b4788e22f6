//! Hundreds of archives that somebody made to harm, each by another trick, restored like a backup of
//! Velero's, for which no manifest speaks: each is refused by what it is called, before the first request
//! that changes something, and all of them in little memory.

#![expect(
    clippy::print_stdout,
    reason = "a child process tells its parent, and people who look"
)]

mod bodies;
mod forms;
mod paths;
mod raw;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use lifeboat::archive::Keys;
use lifeboat::effect::{Actor as _, Attempt, Effect, ErrorKind, WorldError};
use lifeboat::text::sha256_hex;
use lifeboat::world::World;
use lifeboat::world::directory::DirectoryStore;
use lifeboat::world::sim::Embedded;
use serde_json::{Value, json};

use raw::Tar;

/// One of them.
struct Evil {
    /// What it does.
    name: String,
    archive: Vec<u8>,
    /// Words of the refusal.
    words: &'static str,
}

fn evil(name: impl Into<String>, archive: Vec<u8>, words: &'static str) -> Evil {
    Evil {
        name: name.into(),
        archive,
        words,
    }
}

const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"shop"}}"#;
const PATH: &str = "resources/pods/namespaces/shop/p.json";
const COPY: &str = "resources/pods/v1-preferredversion/namespaces/shop/p.json";

/// What the folder of a child process is called to it.
const FOLDER: &str = "LIFEBOAT_TEST_MALICIOUS";

/// Issue 4: under 256 MiB, in a debug build as well.
const MEMORY_BYTES_MAX: u64 = 256 << 20;

fn all() -> Vec<Evil> {
    let mut all = Vec::new();
    for group in [
        paths::all,
        bodies::all,
        forms::links,
        forms::duplicates,
        forms::sizes,
        forms::extensions,
        forms::compression,
        forms::ends,
        forms::bombs,
    ] {
        all.extend(group());
    }
    all
}

#[test]
fn two_hundred_malicious_archives_are_refused_in_little_memory() {
    if let Ok(folder) = std::env::var(FOLDER) {
        return restore_all(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let all = all();
    let names: BTreeSet<_> = all.iter().map(|one| &one.name).collect();
    let sums: BTreeSet<_> = all.iter().map(|one| sha256_hex(&one.archive)).collect();
    assert_eq!(names.len(), all.len(), "each has a name of its own");
    assert_eq!(sums.len(), all.len(), "and is another archive");
    assert!(all.len() >= 200, "{}", all.len());
    let list: Vec<Value> = all
        .iter()
        .enumerate()
        .map(|(number, one)| {
            let keys = plant(folder.path(), &format!("evil-{number:03}"), &one.archive);
            json!({ "backup": keys.name(), "name": one.name, "words": one.words })
        })
        .collect();
    let namespace = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}"#;
    let good = Tar::new()
        .file("resources/namespaces/cluster/shop.json", namespace)
        .file(PATH, POD)
        .file(COPY, POD);
    plant(folder.path(), "good", &good.done());
    std::fs::write(folder.path().join("list"), json!(list).to_string()).unwrap();
    // Another process, so that its memory is what refusing them takes and not what making them took.
    let child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "archive::malicious::two_hundred_malicious_archives_are_refused_in_little_memory",
        ])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(
        child.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&child.stderr)
    );
    let told = said.lines().find(|line| line.starts_with("refused ")).unwrap();
    assert!(told.starts_with(&format!("refused {} ", all.len())), "{told}");
    println!("{told}");
}

/// Puts an archive into a store, as a backup that Velero says is complete.
fn plant(folder: &Path, name: &str, archive: &[u8]) -> Keys {
    let keys = Keys::of(name).unwrap();
    let record = json!({
        "apiVersion": "velero.io/v1", "kind": "Backup",
        "metadata": { "name": name, "namespace": "velero" },
        "spec": { "includedNamespaces": ["shop"] },
        "status": { "phase": "Completed", "formatVersion": "1.1.0", "startTimestamp": "2026-11-22T22:00:00Z" },
    });
    std::fs::create_dir_all(folder.join(keys.folder())).unwrap();
    std::fs::write(folder.join(keys.velero_backup()), record.to_string()).unwrap();
    std::fs::write(folder.join(keys.archive()), archive).unwrap();
    keys
}

/// The child: restores each to an embedded site, and ends with what that took.
fn restore_all(folder: &Path) {
    let list: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(folder.join("list")).unwrap()).unwrap();
    let embedded = Embedded::starting_at("2026-11-22T23:00:00Z".parse().unwrap()).with_site("west");
    let west = embedded.cluster("west").unwrap();
    let mut world = embedded.world();
    world
        .stores
        .insert("vault".into(), Arc::new(DirectoryStore::new(folder)));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let mut wrong = Vec::new();
    for one in &list {
        let text = |key: &str| one[key].as_str().unwrap();
        let (before, restored) = (peak(), runtime.block_on(restore(&world, text("backup"))));
        match restored {
            Err(error) if error.kind == ErrorKind::Damaged && error.message.contains(text("words")) => {}
            other => wrong.push(format!(
                "{}: expected {:?}, got {other:?}",
                text("name"),
                text("words")
            )),
        }
        if let (Some(before), Some(after)) = (before, peak())
            && after > before + (8 << 20)
        {
            println!("{} MiB after {}", after >> 20, text("name"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        list.len(),
        wrong.join("\n")
    );
    let changes: Vec<_> = west.audit();
    assert!(changes.is_empty(), "{changes:?}");
    let memory = peak();
    assert!(memory.is_none_or(|peak| peak < MEMORY_BYTES_MAX), "{memory:?}");
    let memory = memory.map_or_else(
        || "memory not known here".to_owned(),
        |peak| format!("{} MiB", peak >> 20),
    );
    println!("refused {} malicious archives, {memory} at most", list.len());
    // The same road lets a harmless one through, or nothing was proved.
    runtime.block_on(restore(&world, "good")).unwrap();
    assert!(!west.audit().is_empty());
}

async fn restore(world: &World, backup: &str) -> Result<(), WorldError> {
    let effect = json!({
        "site": "west", "store": "vault", "backup": backup,
        "selection": { "namespaces": ["shop"] }, "existing": "keep",
    });
    let effect = Effect::RestoreObjects(serde_json::from_value(effect).unwrap());
    let attempt = Attempt {
        run: "evil".into(),
        step: "restore".into(),
        effect: 0,
        number: 1,
        key: format!("evil/{backup}/0"),
        progress: Arc::new(|_| {}),
    };
    world.perform(&effect, &attempt).await.map(drop)
}

/// The most that this process had resident so far, in bytes, as Linux says it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
