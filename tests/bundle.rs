//! Where the lab keeps a program of Debian's packages. Tests of the library and of the binary include this file.

use std::process::Command;

/// What `lab bundle` says of it: `root`, `program` and `environment`. It is fetched if it is missing.
pub(crate) fn bundle(name: &str) -> serde_json::Value {
    let lab = std::env::var("LIFEBOAT_LAB_BIN").expect("LIFEBOAT_LAB_BIN: run this with `make test`");
    let found = Command::new(lab).args(["bundle", name]).output();
    let found = found.expect("the lab's program runs");
    let why = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success(), "there is no {name}: {why}");
    serde_json::from_slice(&found.stdout).expect("facts")
}
