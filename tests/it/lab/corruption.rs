//! Every byte of a small backup, changed one at a time; cut, missing, added, swapped and older files: what
//! a restore says of each, and that the API server saw no change meanwhile.
//!
//! ## What may change without harm, and why
//!
//! - `velero-backup.json` is Velero's. Lifeboat reads a backup of its own by the manifest, so a restore is
//!   the same whatever stands there; and which backup is the latest stays the same too, because an age that
//!   the backup's name does not confirm is not believed. Both are proved here.
//! - The proof, `verified.json`, decides what `latest-verified` means and nothing else: a restore of a named
//!   backup compares every byte itself. So a broken proof takes the backup out of `latest-verified`.
//! - The other files beside the archive are Velero's, and lifeboat never reads them.
//!
//! Every byte of the archive counts, those of gzip's and tar's headers too: the manifest has the SHA-256 of
//! the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use lifeboat::archive::{Keys, Manifest, Reader, Writer};
use lifeboat::effect::{
    Actor as _, Attempt, BackupName, Effect, ErrorKind, Observer as _, Query, Seen, WorldError,
};
use lifeboat::objects::builtin;
use lifeboat::world::directory::DirectoryStore;
use lifeboat::world::port::Store;
use lifeboat::world::{World, connect};
use serde_json::{Value, json};

use super::Lab;
use super::audit::Log;

/// Threads that ask at the same time, each with a copy of the store.
const AT_ONCE: usize = 4;

/// A digit becomes another one, a letter its other case.
const FLIPS: [u8; 2] = [0x01, 0x20];

/// The files of one backup.
type Files = BTreeMap<String, Vec<u8>>;

/// Two backups of one small namespace; the newer has another text in it.
struct Vault {
    older: Keys,
    newer: Keys,
    files: Files,
}

impl Vault {
    fn make(lab: &Lab) -> Self {
        let post = |path: &str, body: &Value| lab.ask("east", "POST", path, Some(body)).unwrap();
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "tiny" } });
        post("/api/v1/namespaces", &namespace);
        let note = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "note" }, "data": { "text": "old" } });
        post("/api/v1/namespaces/tiny/configmaps", &note);
        let backup = || {
            let args = [
                "backup",
                "create",
                "--site",
                "east",
                "--namespaces",
                "tiny",
                "--to",
                "local",
            ];
            lab.expect(0, &args);
        };
        backup();
        let change = json!({ "data": { "text": "new" } });
        let path = "/api/v1/namespaces/tiny/configmaps/note";
        lab.ask("east", "PATCH", path, Some(&change)).unwrap();
        // Names of backups have whole seconds.
        std::thread::sleep(Duration::from_millis(1100));
        backup();
        let files = read(&lab.dir().join("vault-directory"));
        let mut names: Vec<_> = files
            .keys()
            .filter_map(|key| lifeboat::archive::backup_of_key(key))
            .collect();
        names.sort_unstable();
        assert_eq!(names.len(), 2, "{names:?}");
        let (older, newer) = (Keys::of(names[0]).unwrap(), Keys::of(names[1]).unwrap());
        Self { older, newer, files }
    }

    fn file(&self, key: &str) -> Vec<u8> {
        self.files[key].clone()
    }
}

/// Every file below a folder, by its key.
fn read(root: &Path) -> Files {
    let mut found = Files::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let key = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.insert(key, std::fs::read(path).unwrap());
            }
        }
    }
    found
}

/// Something that is wrong with a store: these files are others, or not there.
struct Case {
    what: String,
    files: Vec<(String, Option<Vec<u8>>)>,
    /// Words of the refusal.
    words: String,
}

impl Case {
    fn new(what: &str, files: Vec<(String, Option<Vec<u8>>)>, words: &str) -> Self {
        Self {
            what: what.to_owned(),
            files,
            words: words.to_owned(),
        }
    }
}

/// Every byte of these files changed, and the file cut before every byte.
fn bytes_of(vault: &Vault, keys: &[String], cut: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for key in keys {
        let whole = vault.file(key);
        for at in 0..whole.len() {
            for flip in FLIPS {
                let mut changed = whole.clone();
                changed[at] ^= flip;
                let what = format!("{key}: byte {at} ^ {flip:#04x}");
                cases.push(Case::new(&what, vec![(key.clone(), Some(changed))], key));
            }
            if cut {
                let what = format!("{key}: cut at {at}");
                cases.push(Case::new(
                    &what,
                    vec![(key.clone(), Some(whole[..at].to_vec()))],
                    key,
                ));
            }
        }
    }
    cases
}

/// The newer archive with one more object: as good an archive as any.
fn with_another(archive: &[u8]) -> Vec<u8> {
    let time = "2026-11-22T22:00:00Z".parse().unwrap();
    let mut writer = Writer::new(Vec::new(), time).unwrap();
    for archived in Reader::new(archive).map(Result::unwrap) {
        let mut kind = builtin(&archived.id.kind).unwrap();
        if archived.resource == "configmaps" && archived.id.name == "note" {
            let mut added = archived.object.clone();
            added["metadata"]["name"] = json!("added");
            writer.append(&kind, added).unwrap();
        }
        let version = archived.id.api_version.rsplit('/').next().unwrap();
        version.clone_into(&mut kind.version);
        writer.append(&kind, archived.object).unwrap();
    }
    writer.finish().unwrap().0
}

/// Mix-ups of whole files; each with the words that name it.
#[expect(clippy::too_many_lines, reason = "a table, read from top to bottom")]
fn mix_ups(vault: &Vault) -> Vec<Case> {
    let (old, new) = (&vault.older, &vault.newer);
    let put = |to: String, from: &str| (to, Some(vault.file(from)));
    let archive = new.archive();
    let mut long = vault.file(&archive);
    long.push(0);
    let twice = vault.file(&archive).repeat(2);
    let mut renamed = Manifest::read(&vault.file(&old.manifest())[..]).unwrap().0;
    new.name().clone_into(&mut renamed.backup);
    let of_older = format!("it is of the backup {}", old.name());
    vec![
        Case::new(
            "the archive is missing",
            vec![(archive.clone(), None)],
            &format!("{archive}: it is missing"),
        ),
        Case::new(
            "the manifest is missing",
            vec![(new.manifest(), None)],
            "it has no manifest",
        ),
        Case::new(
            "a byte behind the archive",
            vec![(archive.clone(), Some(long))],
            &archive,
        ),
        Case::new(
            "the archive twice",
            vec![(archive.clone(), Some(twice))],
            &archive,
        ),
        Case::new(
            "an object was added",
            vec![(archive.clone(), Some(with_another(&vault.file(&archive))))],
            &archive,
        ),
        Case::new(
            "the archive is the older backup's",
            vec![put(archive.clone(), &old.archive())],
            &archive,
        ),
        Case::new(
            "the manifest is the older backup's",
            vec![put(new.manifest(), &old.manifest())],
            &of_older,
        ),
        Case::new(
            "the two backups are exchanged",
            vec![
                put(archive.clone(), &old.archive()),
                put(old.archive(), &archive),
                put(new.manifest(), &old.manifest()),
                put(old.manifest(), &new.manifest()),
            ],
            &of_older,
        ),
        Case::new(
            "all of it is the older backup's",
            vec![
                put(archive.clone(), &old.archive()),
                put(new.manifest(), &old.manifest()),
                put(new.verified(), &old.verified()),
                put(new.velero_backup(), &old.velero_backup()),
            ],
            &of_older,
        ),
        Case::new(
            "the manifest is the older one under the newer name",
            vec![(new.manifest(), Some(renamed.to_bytes().unwrap()))],
            &archive,
        ),
        Case::new(
            "archive and manifest are gone",
            vec![(archive.clone(), None), (new.manifest(), None)],
            "it has no manifest",
        ),
        Case::new(
            "the manifest is empty",
            vec![(new.manifest(), Some(Vec::new()))],
            &new.manifest(),
        ),
        Case::new(
            "the archive is empty",
            vec![(archive.clone(), Some(Vec::new()))],
            &archive,
        ),
        Case::new(
            "the manifest stands in the archive's place",
            vec![put(archive.clone(), &new.manifest())],
            &archive,
        ),
    ]
}

/// A store in a folder and the site `west`, for one thread.
struct Desk {
    folder: tempfile::TempDir,
    world: World,
    runtime: tokio::runtime::Runtime,
}

impl Desk {
    fn new(lab: &Lab, files: &Files) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (key, bytes) in files {
            put(folder.path(), key, Some(bytes));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let kubeconfig = lab.dir().join("kubeconfig");
        let west = runtime
            .block_on(connect::cluster("west", Some(&kubeconfig), "west"))
            .unwrap();
        let store: Arc<dyn Store> = Arc::new(DirectoryStore::new(folder.path()));
        let world = World {
            clusters: BTreeMap::from([("west".to_owned(), west)]),
            stores: BTreeMap::from([("local".to_owned(), store)]),
            names: BTreeMap::new(),
            receivers: BTreeMap::new(),
            web: connect::web().unwrap(),
            now: Arc::new(jiff::Timestamp::now),
        };
        Self {
            folder,
            world,
            runtime,
        }
    }

    /// What `ask` gets while the files are so; then they are as before.
    fn during<T>(&self, case: &Case, files: &Files, ask: impl AsyncFnOnce(&World) -> T) -> T {
        for (key, bytes) in &case.files {
            put(self.folder.path(), key, bytes.as_deref());
        }
        let answer = self.runtime.block_on(ask(&self.world));
        for (key, _) in &case.files {
            put(self.folder.path(), key, files.get(key).map(Vec::as_slice));
        }
        answer
    }
}

fn put(root: &Path, key: &str, bytes: Option<&[u8]>) {
    let path: PathBuf = root.join(key);
    match bytes {
        Some(bytes) => {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        None if path.exists() => std::fs::remove_file(path).unwrap(),
        None => {}
    }
}

fn effect(backup: &str) -> Effect {
    let effect = json!({
        "site": "west", "store": "local", "backup": backup,
        "selection": { "namespaces": ["tiny"] }, "existing": "update",
    });
    Effect::RestoreObjects(serde_json::from_value(effect).unwrap())
}

/// A restore as a run performs it: what was planned before the files changed.
async fn restore(world: &World, backup: &str) -> Result<(), WorldError> {
    let attempt = Attempt {
        run: "corruption".into(),
        step: "restore".into(),
        effect: 0,
        number: 1,
        key: "corruption/restore/0".into(),
        progress: Arc::new(|_| {}),
    };
    world.perform(&effect(backup), &attempt).await.map(drop)
}

/// What a plan of the restore would show.
async fn preview(world: &World, backup: &str) -> Result<Seen, WorldError> {
    let Effect::RestoreObjects(effect) = effect(backup) else {
        unreachable!()
    };
    world.read(&Query::Restore(Box::new(effect))).await
}

async fn latest_verified(world: &World) -> Result<Option<String>, WorldError> {
    let query = Query::Backup {
        store: "local".into(),
        backup: BackupName::LatestVerified,
        namespaces: vec!["tiny".into()],
    };
    match world.read(&query).await? {
        Seen::Backup(found) => Ok(found.map(|found| found.name)),
        other => panic!("{other:?}"),
    }
}

/// Asks about every case, on several threads; gives back what was not as `right` says.
fn judge(
    lab: &Lab,
    files: &Files,
    cases: &[Case],
    right: impl Fn(&Desk, &Case) -> Result<(), String> + Sync,
) -> Vec<String> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|first| {
                let right = &right;
                scope.spawn(move || {
                    let desk = Desk::new(lab, files);
                    let mine = cases.iter().skip(first).step_by(AT_ONCE);
                    mine.filter_map(|case| {
                        right(&desk, case)
                            .err()
                            .map(|why| format!("{}: {why}", case.what))
                    })
                    .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

fn nothing_changed(lab: &Lab) {
    let west = lab.audit("west");
    assert!(west.of_tool().count() > 100, "the oracle reads the wrong place");
    let changes: Vec<_> = west.changes().into_iter().map(Log::line).collect();
    assert!(changes.is_empty(), "{changes:#?}");
}

fn none(wrong: &[String]) {
    let some: Vec<_> = wrong.iter().take(10).collect();
    assert!(wrong.is_empty(), "{}: {some:#?}", wrong.len());
}

#[test]
#[ignore = "needs the lab: make test"]
fn no_byte_of_a_backup_changes_without_a_refusal_before_the_first_change() {
    let lab = Lab::start();
    let vault = Vault::make(&lab);
    let (new, files) = (&vault.newer, &vault.files);

    let mut cases = bytes_of(&vault, &[new.archive(), new.manifest()], true);
    cases.extend(mix_ups(&vault));
    let began = std::time::Instant::now();
    none(&judge(&lab, files, &cases, |desk, case| {
        match desk.during(case, files, async |world| restore(world, new.name()).await) {
            Err(error)
                if matches!(error.kind, ErrorKind::Damaged | ErrorKind::Rejected)
                    && error.message.contains(&case.words) =>
            {
                Ok(())
            }
            other => Err(format!("expected {:?}, got {other:?}", case.words)),
        }
    }));
    println!(
        "{} restores refused in {:.1} s",
        cases.len(),
        began.elapsed().as_secs_f64()
    );

    // The proof: with a byte of it changed, the backup is none that is verified.
    let proofs = bytes_of(&vault, &[new.verified()], true);
    none(&judge(&lab, files, &proofs, |desk, case| {
        match desk.during(case, files, async |world| latest_verified(world).await) {
            Ok(Some(name)) if name == vault.older.name() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }));
    // Velero's own file: whatever stands there, the same backup is the latest, and restoring it is the same.
    let records = bytes_of(&vault, &[new.velero_backup(), vault.older.velero_backup()], false);
    none(&judge(&lab, files, &records, |desk, case| {
        match desk.during(case, files, async |world| latest_verified(world).await) {
            Ok(Some(name)) if name == new.name() => Ok(()),
            other => Err(format!("{other:?}")),
        }
    }));
    let desk = Desk::new(&lab, files);
    let before = desk.runtime.block_on(preview(&desk.world, new.name())).unwrap();
    let gone = Case::new("no record", vec![(new.velero_backup(), None)], "");
    let some = records.iter().step_by(37).chain([&gone]);
    for case in some {
        let now = desk.during(case, files, async |world| preview(world, new.name()).await);
        assert_eq!(now.as_ref(), Ok(&before), "{}", case.what);
    }
    println!(
        "{} changed proofs, {} changed records",
        proofs.len(),
        records.len()
    );
    nothing_changed(&lab);
    // The same road, with nothing changed.
    desk.runtime.block_on(restore(&desk.world, new.name())).unwrap();
    assert!(lab.audit("west").changes().len() >= 2);
}

#[test]
#[ignore = "needs the lab: make test"]
fn the_command_refuses_every_mix_up_by_its_name() {
    let lab = Lab::start();
    let vault = Vault::make(&lab);
    let root = lab.dir().join("vault-directory");
    let mut cases = mix_ups(&vault);
    cases.extend(
        bytes_of(&vault, &[vault.newer.archive(), vault.newer.manifest()], true)
            .into_iter()
            .step_by(211),
    );
    for case in &cases {
        for (key, bytes) in &case.files {
            put(&root, key, bytes.as_deref());
        }
        let args = [
            "restore",
            vault.newer.name(),
            "--from",
            "local",
            "--to",
            "west",
            "--namespaces",
            "tiny",
        ];
        let output = lab
            .lifeboat(&[&args[..], &["--confirm", "west target"]].concat())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert_ne!(output.status.code(), Some(0), "{}", case.what);
        assert!(
            said.contains(&case.words),
            "{}: expected {:?}, got {said}",
            case.what,
            case.words
        );
        for (key, _) in &case.files {
            put(&root, key, vault.files.get(key).map(Vec::as_slice));
        }
    }
    // A plan that was shown before the damage came.
    let runbook = lab.state().with_file_name("tiny.yaml");
    let text = std::fs::read_to_string("tests/it/cases/move.yaml").unwrap();
    let text = text.replace("[shop]", "[tiny]").replace("vault", "local");
    std::fs::write(&runbook, text).unwrap();
    let (runbook, plan) = (
        runbook.to_str().unwrap().to_owned(),
        lab.state().with_file_name("tiny.plan"),
    );
    let plan = plan.to_str().unwrap();
    lab.expect(0, &["plan", &runbook, "--mode", "failover", "--save", plan]);
    let archive = vault.newer.archive();
    let mut changed = vault.file(&archive);
    changed[40] ^= 1;
    put(&root, &archive, Some(&changed));
    let output = lab
        .lifeboat(&["run", plan, "--confirm", "west standby"])
        .output()
        .unwrap();
    assert_ne!(output.status.code(), Some(0));
    put(&root, &archive, vault.files.get(&archive).map(Vec::as_slice));
    nothing_changed_by_the_command(&lab, cases.len());
    lab.expect(7, &["run", plan, "--confirm", "west standby"]);
    assert!(!lab.audit("west").changes().is_empty());
}

/// Planning asks the site at least for its identity, once for each restore that is tried.
fn nothing_changed_by_the_command(lab: &Lab, tried: usize) {
    let west = lab.audit("west");
    assert!(
        west.of_tool().count() >= tried / 2,
        "the oracle reads the wrong place"
    );
    let changes: Vec<_> = west.changes().into_iter().map(Log::line).collect();
    assert!(changes.is_empty(), "{changes:#?}");
}
