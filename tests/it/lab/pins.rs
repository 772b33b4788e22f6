//! Pinned clusters on the real thing: a kubeconfig that leads elsewhere changes nothing anywhere, by the API
//! servers' own records.

use std::path::PathBuf;

use super::audit::Log;
use super::{Lab, SHOP};

pub(super) fn kubeconfig(lab: &Lab) -> PathBuf {
    lab.fact("/kubeconfig").as_str().unwrap().into()
}

/// Every change that lifeboat asked for at either site, one line each.
pub(super) fn changes(lab: &Lab) -> Vec<String> {
    let of = |site: &str| -> Vec<String> {
        let log = lab.audit(site);
        log.changes()
            .into_iter()
            .map(|event| format!("{site}: {}", Log::line(event)))
            .collect()
    };
    [of("east"), of("west")].concat()
}

pub(super) fn stored(lab: &Lab) -> Vec<String> {
    let listed = std::process::Command::new("find")
        .arg(lab.dir().join("vault/objects"))
        // Without the server's own locks.
        .args(["-type", "f", "-not", "-path", "*/.vgwlocks/*"])
        .output()
        .unwrap();
    let mut files: Vec<String> = String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    files.sort();
    files
}

fn refused(lab: &Lab, args: &[&str]) -> String {
    let output = lab.expect(5, args);
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Every command that would change something.
const COMMANDS: &[&[&str]] = &[
    &["protect", SHOP],
    &["drill", SHOP],
    &["failover", SHOP, "--confirm", "west standby"],
    &["switchover", SHOP, "--confirm", "west standby"],
];

#[test]
#[ignore = "needs the lab: make test"]
fn swapped_sites_and_a_wrong_authority_are_refused_before_the_first_write() {
    let lab = Lab::start();
    let open = lab.expect(0, &["plan", SHOP, "--mode", "protect"]);
    let open = String::from_utf8_lossy(&open.stdout).into_owned();
    assert!(
        open.contains("who east, west, vault is not pinned") || open.contains("not pinned"),
        "{open}"
    );
    let pinned = lab.expect(0, &["sites", "pin", "east", "west", "vault", "local"]);
    println!("{}", String::from_utf8_lossy(&pinned.stdout));
    assert!(
        changes(&lab).is_empty(),
        "pinning changes no site: {:?}",
        changes(&lab)
    );
    let plan = lab.expect(0, &["plan", SHOP, "--mode", "protect"]);
    assert!(!String::from_utf8_lossy(&plan.stdout).contains("not pinned"));
    lab.expect(0, &["protect", SHOP]);

    let file = kubeconfig(&lab);
    let right = std::fs::read_to_string(&file).unwrap();
    let (before, kept) = (changes(&lab), stored(&lab));
    for (what, text) in [
        ("swapped", swapped(&right)),
        ("an authority of the other site", wrong_authority(&right)),
        ("no authority at all", unverified(&right)),
    ] {
        assert_ne!(text, right, "{what}");
        std::fs::write(&file, &text).unwrap();
        for command in COMMANDS {
            let said = refused(&lab, command);
            let known = said.contains("that is pinned") || said.contains("an authority that is not pinned");
            assert!(known && said.contains("--repin"), "{what} {command:?}: {said}");
        }
        assert_eq!(changes(&lab), before, "{what}");
        assert_eq!(stored(&lab), kept, "{what}");
        let shown = lab.expect(3, &["sites", "show"]);
        assert!(
            String::from_utf8_lossy(&shown.stdout).contains("SOMEBODY ELSE"),
            "{what}"
        );
    }
    std::fs::write(&file, swapped(&right)).unwrap();
    let said = refused(&lab, COMMANDS[0]);
    println!("{said}");
    assert!(said.contains("that is west by its pin"), "{said}");
    std::fs::write(&file, &right).unwrap();
    // The switch that the tests above were about works at all.
    lab.expect(4, &["failover", SHOP, "--confirm", "west standby"]);
    assert!(changes(&lab).len() > before.len());
}

/// The two contexts lead to each other's cluster, with the right authorities and tokens.
pub(super) fn swapped(text: &str) -> String {
    text.replace("cluster: east", "cluster: EAST")
        .replace("user: east", "user: EAST")
        .replace("cluster: west", "cluster: east")
        .replace("user: west", "user: east")
        .replace("EAST", "west")
}

fn authority(text: &str, at: usize) -> &str {
    let begin = text[at..].find("certificate-authority-data: ").unwrap() + at;
    text[begin..].lines().next().unwrap()
}

/// East's server with west's authority beside its own.
pub(super) fn wrong_authority(text: &str) -> String {
    let (one, other) = (
        authority(text, 0),
        authority(text, text.rfind("certificate-authority-data").unwrap()),
    );
    assert_ne!(one, other);
    text.replace(one, "MARK")
        .replace(other, one)
        .replace("MARK", other)
}

pub(super) fn unverified(text: &str) -> String {
    let one = authority(text, 0).to_owned();
    text.replace(&one, "insecure-skip-tls-verify: true")
}
