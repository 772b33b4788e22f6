//! Pins of stores, told from outside: a store that was emptied is refused by every command that would use it.

use std::path::{Path, PathBuf};

use super::cli::{copy_of, lifeboat};

struct Place {
    folder: tempfile::TempDir,
    copy: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runbook = copy_of("examples/approve.yaml", folder.path());
        let copy = runbook.parent().unwrap().to_owned();
        let text = std::fs::read_to_string(&runbook).unwrap();
        let (sites, steps) = text.split_once("\n---\n").unwrap();
        std::fs::write(copy.join("sites.yaml"), sites).unwrap();
        std::fs::write(copy.join("runbook.yaml"), steps).unwrap();
        Self { folder, copy }
    }

    fn expect(&self, code: i32, args: &[&str]) -> (String, String) {
        let sites = self.copy.join("sites.yaml");
        let sites = ["--sites", sites.to_str().unwrap()];
        let output = lifeboat(&self.folder.path().join("state"), &[&sites[..], args].concat());
        // Columns are as wide as they have to be.
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.split(' ')
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        };
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
        (out, err)
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn an_emptied_store_is_refused_by_name_until_it_is_pinned_anew_with_a_reason() {
    let place = Place::new();
    let copy = place.copy.to_str().unwrap();
    let (out, err) = place.expect(0, &["sites", "pin"]);
    assert!(
        out.contains("vault pinned identity ") && out.contains("made now"),
        "{out}"
    );
    assert!(
        out.contains("sites.pins.yaml. Look it through and commit it."),
        "{out}"
    );
    assert!(err.contains("east is in lifeboat's own memory"), "{err}");
    let pins = std::fs::read_to_string(place.copy.join("sites.pins.yaml")).unwrap();
    let (out, _) = place.expect(0, &["sites", "pin"]);
    assert!(out.contains("as pinned") && !out.contains("Written"), "{out}");
    place.expect(0, &["protect", copy]);

    let vault = place.copy.join("vault");
    std::fs::rename(&vault, place.copy.join("vault-before")).unwrap();
    std::fs::create_dir(&vault).unwrap();
    let (out, _) = place.expect(3, &["sites", "show"]);
    assert!(out.contains("vault SOMEBODY ELSE no identity at "), "{out}");
    let (_, err) = place.expect(5, &["protect", copy]);
    assert!(
        err.contains("vault: it is not the store that is pinned: expected identity "),
        "{err}"
    );
    assert!(
        err.contains("hint: if vault was made anew on purpose: lifeboat sites pin vault --repin --reason"),
        "{err}"
    );
    let (_, err) = place.expect(5, &["failover", copy, "--confirm", "west standby"]);
    assert!(err.contains("error[P015]"), "{err}");
    let (_, err) = place.expect(5, &["doctor"]);
    assert!(err.contains("Nothing was written to it."), "{err}");
    assert!(files(&vault).is_empty(), "{:?}", files(&vault));

    let (_, err) = place.expect(5, &["sites", "pin", "vault"]);
    assert!(err.contains("vault is not the one that is pinned"), "{err}");
    place.expect(2, &["sites", "pin", "vault", "--repin"]);
    assert_eq!(
        std::fs::read_to_string(place.copy.join("sites.pins.yaml")).unwrap(),
        pins
    );
    let reason = ["--repin", "--reason", "the stick was lost"];
    let (out, _) = place.expect(0, &[&["sites", "pin", "vault"], &reason[..]].concat());
    assert!(out.contains("vault pinned anew identity "), "{out}");
    let anew = std::fs::read_to_string(place.copy.join("sites.pins.yaml")).unwrap();
    assert!(anew.contains("reason: \"the stick was lost\""), "{anew}");
    place.expect(0, &["protect", copy]);
}

#[test]
fn a_file_of_pins_that_is_damaged_unpins_nothing() {
    let place = Place::new();
    place.expect(0, &["sites", "pin"]);
    let file = place.copy.join("sites.pins.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("vault", "valut")).unwrap();
    let (_, err) = place.expect(2, &["protect", place.copy.to_str().unwrap()]);
    assert!(
        err.contains("error[L039]") && err.contains("did you mean `vault`?"),
        "{err}"
    );
    std::fs::write(&file, &text[..text.len() / 2]).unwrap();
    place.expect(2, &["protect", place.copy.to_str().unwrap()]);
}
