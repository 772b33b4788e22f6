//! Recoveries that are meant for something else than what they would change, on the real thing: each ends before
//! anything is written, by the API servers' own records and the store's own files. The same on embedded sites is in
//! `src/cli/tests/wrong_target.rs`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::audit::Log;
use super::pins::{changes, kubeconfig, stored, swapped, unverified, wrong_authority};
use super::{Lab, SHOP, one_line};
use crate::cli::copy_of;

/// Somebody who may look at everything, and change nothing.
const VIEWER: &str = "system:serviceaccount:default:viewer";

/// The right one.
const FAILOVER: &[&str] = &["failover", SHOP, "--confirm", "west standby"];

/// A lab with a backup, and everything pinned.
struct Scene {
    lab: Lab,
    kubeconfig: PathBuf,
    pins: PathBuf,
}

/// What is wrong, the command, and the words that a person must see.
struct Situation {
    name: &'static str,
    command: &'static [&'static str],
    wrong: fn(&Scene),
    says: &'static str,
}

impl Scene {
    fn new() -> Self {
        let lab = Lab::start();
        lab.expect(0, &["sites", "pin", "east", "west", "vault"]);
        lab.expect(0, &["protect", SHOP]);
        Self {
            kubeconfig: kubeconfig(&lab),
            pins: lab.dir().join("sites.pins.yaml"),
            lab,
        }
    }

    fn runs(&self) -> usize {
        std::fs::read_dir(self.lab.state().join("runs")).unwrap().count()
    }

    /// What may not grow: changes that were asked for under any login that is used here, the store's files, and runs.
    fn traces(&self) -> (Vec<String>, Vec<String>, usize) {
        let west = self.lab.audit("west");
        let viewers = west.of_users(VIEWER).into_iter();
        let viewers = viewers
            .filter(|event| Log::changes_something(event))
            .map(Log::line);
        let asked = changes(&self.lab).into_iter().chain(viewers).collect();
        (asked, stored(&self.lab), self.runs())
    }

    /// Makes that account, and gives back a token of it.
    fn token_of_a_viewer(&self) -> String {
        let post = |path: &str, body: Value| self.lab.ask("west", "POST", path, Some(&body)).unwrap();
        let viewer = json!({ "metadata": { "name": "viewer", "namespace": "default" } });
        post("/api/v1/namespaces/default/serviceaccounts", viewer);
        let rights = json!({
            "metadata": { "name": "viewer" },
            "rules": [{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"] }],
        });
        post("/apis/rbac.authorization.k8s.io/v1/clusterroles", rights);
        let bound = json!({
            "metadata": { "name": "viewer" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "viewer" },
            "subjects": [{ "kind": "ServiceAccount", "name": "viewer", "namespace": "default" }],
        });
        post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", bound);
        let asked = json!({ "spec": {} });
        let given = post("/api/v1/namespaces/default/serviceaccounts/viewer/token", asked);
        given["status"]["token"].as_str().unwrap().to_owned()
    }
}

fn rewrite(file: &Path, with: impl FnOnce(&str) -> String) {
    let text = std::fs::read_to_string(file).unwrap();
    let other = with(&text);
    assert_ne!(other, text, "{}", file.display());
    std::fs::write(file, other).unwrap();
}

/// The first value after these words, replaced.
fn replaced(text: &str, after: &[&str], with: &str) -> String {
    let mut at = 0;
    for words in after {
        at += text[at..]
            .find(words)
            .unwrap_or_else(|| panic!("{words}: {text}"))
            + words.len();
    }
    let end = text[at..].find('\n').unwrap() + at;
    format!("{}{with}{}", &text[..at], &text[end..])
}

fn nothing(_: &Scene) {}

/// Somebody else answers than is meant.
const SOMEBODY_ELSE: [Situation; 7] = [
    Situation {
        name: "a stale kubeconfig: the cluster was made anew",
        command: FAILOVER,
        wrong: |scene| {
            rewrite(&scene.pins, |text| {
                replaced(text, &["west", "uid: "], "\"of-before\"")
            });
        },
        says: "is refused at west: it is not the cluster that is pinned",
    },
    Situation {
        name: "the ways to both sites are swapped",
        command: FAILOVER,
        wrong: |scene| rewrite(&scene.kubeconfig, swapped),
        says: "its kubeconfig trusts an authority that is not pinned",
    },
    Situation {
        name: "both names lead to one cluster",
        command: &["switchover", SHOP, "--confirm", "west standby"],
        wrong: |scene| {
            rewrite(&scene.kubeconfig, |text| {
                let text = text.replace("cluster: west", "cluster: east");
                text.replace("user: west", "user: east")
            });
        },
        says: "its kubeconfig trusts an authority that is not pinned",
    },
    Situation {
        name: "an authority that is not the site's",
        command: FAILOVER,
        wrong: |scene| rewrite(&scene.kubeconfig, wrong_authority),
        says: "its kubeconfig trusts an authority that is not pinned",
    },
    Situation {
        name: "no authority is asked for at all",
        command: FAILOVER,
        wrong: |scene| rewrite(&scene.kubeconfig, unverified),
        says: "its kubeconfig trusts an authority that is not pinned",
    },
    Situation {
        name: "another store in the place of the vault",
        command: FAILOVER,
        wrong: |scene| {
            rewrite(&scene.pins, |text| {
                replaced(text, &["stores:", "vault", "id: "], "\"of-before\"")
            });
        },
        says: "it is not the store that is pinned",
    },
    Situation {
        name: "an identity that may look and not write",
        command: FAILOVER,
        wrong: |scene| {
            let token = scene.token_of_a_viewer();
            rewrite(&scene.kubeconfig, |text| {
                replaced(
                    text,
                    &["users:", "- name: west", "token: "],
                    &format!("{token:?}"),
                )
            });
        },
        says: "the preflight found what would surely fail",
    },
];

/// A person says another thing than is meant.
const ANOTHER_WORD: [Situation; 5] = [
    Situation {
        name: "the other site is typed",
        command: &["failover", SHOP, "--confirm", "east standby"],
        wrong: nothing,
        says: "the target is \"west standby\", and \"east standby\" was given",
    },
    Situation {
        name: "the role that the site does not have is typed",
        command: &["switchover", SHOP, "--confirm", "west active"],
        wrong: nothing,
        says: "the target is \"west standby\", and \"west active\" was given",
    },
    Situation {
        name: "nothing is typed",
        command: &["failover", SHOP, "--confirm", ""],
        wrong: nothing,
        says: "the target is \"west standby\", and \"\" was given",
    },
    Situation {
        name: "a failback where no failover was",
        command: &["failback", SHOP, "--confirm", "east standby"],
        wrong: nothing,
        says: "there is no namespace shop on west",
    },
    Situation {
        name: "another plan was approved",
        command: &[
            "failover",
            SHOP,
            "--plan",
            "7f3a91c2",
            "--confirm",
            "west standby",
        ],
        wrong: nothing,
        says: "and 7f3a91c2 was asked for",
    },
];

#[test]
#[ignore = "needs the lab: make test"]
fn a_recovery_that_is_meant_for_something_else_writes_nothing_anywhere() {
    let scene = Scene::new();
    let files = [&scene.kubeconfig, &scene.pins];
    let right = files.map(|file| std::fs::read_to_string(file).unwrap());
    let before = scene.traces();
    for situation in SOMEBODY_ELSE.iter().chain(&ANOTHER_WORD) {
        (situation.wrong)(&scene);
        let refused = scene.lab.expect(5, situation.command);
        let said = one_line(&refused.stderr);
        println!("{}: {said}", situation.name);
        assert!(said.contains(situation.says), "{}: {said}", situation.name);
        assert_eq!(scene.traces(), before, "{}", situation.name);
        for (file, text) in files.iter().zip(&right) {
            std::fs::write(file, text).unwrap();
        }
    }
    assert!(
        !scene.lab.audit("west").of_users(VIEWER).is_empty(),
        "it was asked as the viewer"
    );
    changed_after_it_was_shown(&scene);
    assert_eq!(
        scene.traces(),
        before,
        "a runbook that was changed after its plan was shown"
    );

    // The records see what a right one writes; and while it waits for a person, no other machine may begin one.
    scene.lab.mirror_journals_in("vault");
    let there = scene.lab.dir().join("there");
    let begun = scene.lab.lifeboat_on(&there, FAILOVER).output().unwrap();
    assert_eq!(begun.status.code(), Some(4), "{}", one_line(&begun.stderr));
    let carried = scene.traces();
    assert!(carried.0.len() > before.0.len() + 10, "{carried:?}");
    let refused = one_line(&scene.lab.expect(5, FAILOVER).stderr);
    assert!(refused.contains("shop is held by another process"), "{refused}");
    assert_eq!(scene.traces(), carried, "a group that another machine carries");
}

/// Somebody edits the runbook between the plan that was looked at and the failover.
fn changed_after_it_was_shown(scene: &Scene) {
    let folder = tempfile::tempdir().unwrap();
    let shop = copy_of(SHOP, folder.path());
    let at = shop.to_str().unwrap();
    let failover = |plan: &str| {
        let command = ["failover", at, "--plan", plan, "--confirm", "west standby"];
        one_line(&scene.lab.expect(5, &command).stderr)
    };
    let shown = failover("00000000");
    let (_, digest) = shown.split_once("the plan has digest ").unwrap();
    let (digest, _) = digest.split_once(',').unwrap();
    rewrite(&shop.join("runbook.yaml"), |text| {
        text.replacen("default: 3", "default: 2", 1)
    });
    let refused = failover(digest);
    assert!(refused.contains("look again: lifeboat plan"), "{refused}");
}
