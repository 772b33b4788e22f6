//! `lifeboat backups`, `backup …` and `restore` as a person calls them: embedded sites, stores in folders.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::{copy_of, expect, lifeboat};

/// The shop with an inventory of two stores, `vault` and `usb`, and a state of its own.
struct Place {
    temp: tempfile::TempDir,
    shop: PathBuf,
}

impl Place {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let shop = copy_of("playbooks/shop", temp.path());
        let sites = shop.join("sites.yaml");
        let text = std::fs::read_to_string(&sites).unwrap() + "    usb: { directory: usb }\n";
        std::fs::write(sites, text).unwrap();
        std::fs::create_dir(shop.join("usb")).unwrap();
        Self { temp, shop }
    }

    fn state(&self) -> PathBuf {
        self.temp.path().join("state")
    }

    /// What it says, as one line: where lines are broken is not of interest here.
    fn run(&self, code: i32, args: &[&str]) -> String {
        let said = self.raw(code, args);
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn raw(&self, code: i32, args: &[&str]) -> String {
        let sites = self.shop.join("sites.yaml");
        let all = [&["--sites", sites.to_str().unwrap()], args].concat();
        expect(code, &self.state(), &all)
    }

    fn json(&self, args: &[&str]) -> Value {
        let sites = self.shop.join("sites.yaml");
        let all = [&["--sites", sites.to_str().unwrap()], args, &["--json"]].concat();
        let output = lifeboat(&self.state(), &all);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Makes a backup of the shop in `vault` and gives back its name.
    fn captured(&self) -> String {
        self.made(&["protect", self.shop.to_str().unwrap()])
    }

    /// The name of the only backup that this command makes.
    fn made(&self, args: &[&str]) -> String {
        let before = self.names("vault");
        // A backup's name has whole seconds.
        std::thread::sleep(std::time::Duration::from_millis(1_100));
        self.run(0, args);
        let mut after = self.names("vault");
        after.retain(|name| !before.contains(name));
        assert_eq!(after.len(), 1, "{after:?}");
        after.remove(0)
    }

    fn names(&self, store: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.shop.join(store).join("backups")) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn archive(&self, name: &str) -> PathBuf {
        self.shop.join(format!("vault/backups/{name}/{name}.tar.gz"))
    }

    fn own(&self, name: &str, file: &str) -> PathBuf {
        self.shop.join(format!("vault/metadata/lifeboat/{name}/{file}"))
    }

    /// A backup that Velero 1.18.3 made, in `vault`: `shop-a`.
    fn plant_velero(&self) {
        let from =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/velero-1.18.3/backups/shop-a");
        let to = self.shop.join("vault/backups/shop-a");
        std::fs::create_dir_all(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap().path();
            std::fs::copy(&entry, to.join(entry.file_name().unwrap())).unwrap();
        }
    }
}

fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn backups_of_all_stores_are_listed_and_a_silent_store_hides_none() {
    let place = Place::new();
    let name = place.captured();
    place.plant_velero();
    let said = place.run(0, &["backups"]);
    assert!(said.contains(&name) && said.contains("verified"), "{said}");
    assert!(
        said.contains("shop of east; read by lifeboat and Velero"),
        "{said}"
    );
    assert!(said.contains("Velero: Completed"), "{said}");
    assert!(said.contains("2 backups, 1 verified."), "{said}");
    let json = place.json(&["backups"]);
    assert_eq!(json[1]["store"], "vault");
    let ours = &json[1]["backups"][1];
    assert_eq!(
        (ours["name"].as_str(), ours["state"].as_str()),
        (Some(name.as_str()), Some("verified"))
    );
    assert_eq!(ours["origin"]["site"], "east");

    let sites = place.shop.join("sites.yaml");
    let text = std::fs::read_to_string(&sites).unwrap();
    std::fs::write(place.shop.join("a-file"), "not a folder").unwrap();
    std::fs::write(&sites, text + "    broken: { directory: a-file }\n").unwrap();
    let said = place.run(3, &["backups"]);
    assert!(said.contains("did not answer") && said.contains(&name), "{said}");
    assert!(
        said.contains("2 backups, 1 verified; 1 store did not answer."),
        "{said}"
    );
    let said = place.run(2, &["backups", "--store", "valt"]);
    assert!(said.contains("did you mean `vault`?"), "{said}");
}

#[test]
fn a_backup_is_verified_from_the_store_alone_and_what_is_wrong_is_named() {
    let place = Place::new();
    let name = place.captured();
    let verify = ["backup", "verify", &name, "--store", "vault"];
    let said = place.run(0, &verify);
    assert!(
        said.contains("is whole") && said.contains("there since"),
        "{said}"
    );

    std::fs::remove_file(place.own(&name, "verified.json")).unwrap();
    assert!(place.run(0, &["backups"]).contains("not verified"));
    let said = place.run(0, &["backup", "verify", &name, "--store", "vault", "--no-proof"]);
    assert!(said.contains("none was written"), "{said}");
    assert!(place.run(0, &["backups"]).contains("not verified"));
    let said = place.run(0, &verify);
    assert!(said.contains("written now"), "{said}");
    assert!(place.run(0, &["backups"]).contains("1 backup, 1 verified."));

    let archive = place.archive(&name);
    let size = std::fs::read(&archive).unwrap().len();
    for at in [0, size / 3, size / 2, size - 1] {
        flip(&archive, at);
        let said = place.run(3, &verify);
        assert!(
            said.contains("is NOT what was written") && said.contains("Wrong"),
            "{at}: {said}"
        );
        assert!(said.contains("its proof of that is still there"), "{said}");
        flip(&archive, at);
    }
    flip(&place.own(&name, "manifest.json"), 200);
    let said = place.run(3, &verify);
    assert!(said.contains("manifest.json: it is damaged"), "{said}");
    assert!(said.contains("its archive reads to its end"), "{said}");
    let said = place.run(3, &["backup", "verify", "nobody", "--store", "vault"]);
    assert!(said.contains("there is no backup nobody"), "{said}");
}

#[test]
fn veleros_backup_is_read_to_its_end_and_never_called_verified() {
    let place = Place::new();
    place.plant_velero();
    let verify = ["backup", "verify", "shop-a", "--store", "vault"];
    let said = place.run(7, &verify);
    assert!(said.contains("35, each there in two equal copies"), "{said}");
    assert!(said.contains("Velero records no checksums"), "{said}");
    assert!(!place.shop.join("vault/metadata").exists(), "nothing was written");
    let said = place.run(0, &["backup", "show", "shop-a", "--store", "vault"]);
    assert!(
        said.contains("apps/v1/Deployment") && said.contains("written by Velero"),
        "{said}"
    );

    let archive = place.archive("shop-a");
    let whole = std::fs::read(&archive).unwrap();
    std::fs::write(&archive, &whole[..whole.len() / 2]).unwrap();
    let said = place.run(3, &verify);
    assert!(said.contains("cut off"), "{said}");
    std::fs::write(&archive, whole).unwrap();
    std::fs::write(
        place
            .shop
            .join("vault/backups/shop-a/shop-a-resource-list.json.gz"),
        gzip(br#"{"v1/ConfigMap":["shop/never-there"]}"#),
    )
    .unwrap();
    let said = place.run(3, &verify);
    assert!(
        said.contains("shop/never-there is in Velero's list and not in the archive"),
        "{said}"
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn show_tells_kinds_and_what_was_left_out() {
    let place = Place::new();
    let name = place.captured();
    let said = place.run(0, &["backup", "show", &name, "--store", "vault"]);
    for part in [
        "deployments.apps",
        "Left out, by rule",
        "a lease is a lock held",
        "a lease is a lock held",
        "east, cluster",
        "SHA-256",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("not-a-real-one"), "no Secret's value: {said}");
    let json = place.json(&["backup", "show", &name, "--store", "vault"]);
    assert_eq!(json["kinds"]["deployments.apps"], 2);
    assert_eq!(json["name"], name.as_str());
}

#[test]
fn a_backup_differs_from_nothing_until_something_changes() {
    let place = Place::new();
    let one = place.captured();
    let other = place.captured();
    let said = place.run(0, &["backup", "diff", &one, &other, "--store", "vault"]);
    assert!(said.contains("No object differs."), "{said}");
    place.run(0, &["backup", "diff", &one, "--live", "east", "--store", "vault"]);

    let file = place.shop.join("app.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text
        .replace("CURRENCY: EUR", "CURRENCY: CHF")
        .replace("password: not-a-real-one", "password: hunter2")
        .replace("name: allow-web", "name: allow-some");
    std::fs::write(&file, text).unwrap();
    let said = place.run(3, &["backup", "diff", &one, "--live", "east", "--store", "vault"]);
    for part in [
        "~ ConfigMap shop/settings",
        "data.CURRENCY",
        "~ Secret shop/db",
        "+ NetworkPolicy shop/allow-some",
        "- NetworkPolicy shop/allow-web",
        "1 added, 1 removed, 2 changed",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(
        !said.contains("hunter2") && !said.contains("CHF"),
        "values are not told: {said}"
    );
    let changed = place.captured();
    let json = place.json(&["backup", "diff", &one, &changed, "--store", "vault"]);
    assert_eq!(json["changed"][0]["paths"][0], "data.CURRENCY");
    assert_eq!(json["added"][0]["name"], "allow-some");
    let said = place.run(3, &["backup", "diff", &one, "--live", "west", "--store", "vault"]);
    assert!(
        said.contains("- Namespace shop"),
        "a namespace that is gone is no error: {said}"
    );
}

const CREATE: [&str; 8] = [
    "backup",
    "create",
    "--site",
    "east",
    "--namespaces",
    "shop",
    "--to",
    "vault",
];

#[test]
fn a_restore_shows_its_plan_asks_and_is_a_run_like_any_other() {
    let place = Place::new();
    let name = place.made(&CREATE);
    let restore = ["restore", name.as_str(), "--from", "vault", "--to", "west"];
    let said = place.run(5, &restore);
    assert!(
        said.contains("restore") && said.contains("--confirm \"west target\""),
        "{said}"
    );
    assert!(said.contains("Nothing was changed"), "{said}");
    let confirmed = [&restore[..], &["--confirm", "west target"]].concat();
    let said = place.run(0, &confirmed);
    assert!(said.contains("created"), "{said}");
    let runs = place.run(0, &["status"]);
    let run = runs
        .lines()
        .find_map(|line| {
            line.split_whitespace()
                .find(|word| word.starts_with("restore-shop-f-"))
        })
        .unwrap_or_else(|| panic!("{runs}"));
    let kept = place.state().join("runs").join(run).join("runbook.yaml");
    assert!(std::fs::read_to_string(kept).unwrap().contains("kind: Runbook"));
    place.run(0, &["resume", run]);
    let said = place.run(
        2,
        &["restore", "latest-verified", "--from", "vault", "--to", "west"],
    );
    assert!(said.contains("--namespaces"), "{said}");
    let said = place.run(2, &["restore", &name, "--from", "vault", "--to", "wset"]);
    assert!(said.contains("did you mean `west`?"), "{said}");
}

#[test]
fn a_printed_runbook_can_be_kept_checked_and_run() {
    let place = Place::new();
    let create = [&CREATE[..], &["--print-runbook"]].concat();
    let text = place.raw(0, &create);
    assert!(place.names("vault").is_empty(), "it was only printed");
    let file = place.shop.join("kept.yaml");
    std::fs::write(&file, text).unwrap();
    place.run(0, &["check", file.to_str().unwrap()]);
    place.run(0, &["protect", file.to_str().unwrap()]);
    assert_eq!(place.names("vault").len(), 1);
}

#[test]
fn the_only_verified_backup_cannot_be_deleted_and_another_one_can() {
    let place = Place::new();
    let first = place.captured();
    let delete = |name: &str, more: &[&str], code: i32| {
        let all = [
            &["backup", "delete", name, "--store", "vault", "--reason", "a test"],
            more,
        ]
        .concat();
        place.run(code, &all)
    };
    let said = delete(&first, &["--confirm", &first], 5);
    assert!(said.contains("no other verified backup"), "{said}");
    let second = place.captured();
    let said = delete(&first, &[], 5);
    assert!(said.contains(&format!("--confirm \"{first}\"")), "{said}");
    let said = delete(&first, &["--confirm", &second], 5);
    assert!(said.contains("Nothing was changed"), "{said}");

    // The proof of the other one is of another day: it is damaged now.
    flip(&place.archive(&second), 300);
    let said = delete(&first, &["--confirm", &first], 5);
    assert!(said.contains("is verified no longer"), "{said}");
    flip(&place.archive(&second), 300);
    let said = delete(&first, &["--confirm", &first], 0);
    assert!(said.contains("is deleted from vault"), "{said}");
    assert_eq!(place.names("vault"), std::slice::from_ref(&second));
    let note = std::fs::read_to_string(place.own(&first, "deleted.json")).unwrap();
    assert!(note.contains("a test"), "{note}");
    let said = place.run(0, &["backups"]);
    assert!(!said.contains(&first), "{said}");

    place.plant_velero();
    let said = delete("shop-a", &["--confirm", "shop-a"], 5);
    assert!(said.contains("velero backup delete shop-a"), "{said}");
    std::fs::remove_file(place.own(&second, "manifest.json")).unwrap();
    let said = delete(&second, &["--confirm", &second], 5);
    assert!(said.contains("being written right now"), "{said}");
}

#[test]
fn pruning_shows_first_and_keeps_the_newest_verified_whatever_the_rules_say() {
    let place = Place::new();
    let names: Vec<String> = (0..3).map(|_| place.captured()).collect();
    place.plant_velero();
    let prune = ["backup", "prune", "--store", "vault", "--keep-last", "1"];
    place.run(2, &prune[..4]);
    let said = place.run(0, &prune);
    assert!(said.contains(&format!("keep {}", names[2])), "{said}");
    assert!(said.contains("1 kept, 2 to delete"), "{said}");
    assert!(
        said.contains("Velero's: its TTL decides") && said.contains("Nothing was deleted"),
        "{said}"
    );
    assert_eq!(place.names("vault").len(), 4);
    let json = place.json(&prune);
    assert_eq!(json["decisions"][0]["keptBy"][0], "newest");

    let said = place.run(0, &["backup", "prune", "--store", "vault", "--within", "90d"]);
    assert!(said.contains("3 kept, 0 to delete"), "{said}");

    let yes = [&prune[..], &["--yes"]].concat();
    flip(&place.archive(&names[2]), 300);
    let said = place.run(3, &yes);
    assert!(said.contains("is not whole any more"), "{said}");
    assert_eq!(place.names("vault").len(), 4, "nothing went");
    flip(&place.archive(&names[2]), 300);
    place.run(0, &yes);
    assert_eq!(place.names("vault"), [names[2].clone(), "shop-a".to_owned()]);
    place.run(0, &yes);
    assert_eq!(place.names("vault").len(), 2, "twice is once");
}

#[test]
fn a_backup_of_some_kinds_stands_in_for_none_of_the_whole() {
    let place = Place::new();
    let whole = place.captured();
    let runbook = place.shop.join("runbook.yaml");
    let text = std::fs::read_to_string(&runbook).unwrap();
    let some = text.replacen(
        "namespaces: [shop], to:",
        "namespaces: [shop], kinds: [configmaps], to:",
        1,
    );
    assert_ne!(text, some);
    std::fs::write(&runbook, some).unwrap();
    let part = place.captured();
    let said = place.run(0, &["backups", "--store", "vault"]);
    assert!(said.contains("shop (only configmaps) of east"), "{said}");

    let reason = ["--store", "vault", "--reason", "a test", "--confirm"];
    let delete = |name: &str, code| {
        place.run(
            code,
            &[&["backup", "delete", name], &reason[..], &[name]].concat(),
        )
    };
    let said = delete(&whole, 5);
    assert!(said.contains("no other verified backup"), "{said}");
    let prune = ["backup", "prune", "--store", "vault", "--keep-last", "1", "--yes"];
    let said = place.run(0, &prune);
    assert!(said.contains("2 kept, 0 to delete"), "{said}");
    delete(&part, 0);
    assert_eq!(place.names("vault"), [whole]);
}
