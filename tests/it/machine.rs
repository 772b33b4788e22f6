//! What the machine does to a run: its disk is full, and two processes begin the same failover at once. No lab.

#![expect(clippy::print_stdout, reason = "what a test could not try is said")]

use std::path::Path;
use std::process::{Command, Stdio};

use super::cli::{copy_of, expect, lifeboat};

/// Races in one test; `LIFEBOAT_RACES` asks for another number (`make torture`: 100).
const RACES: u64 = 5;

/// A runbook that asks a person, with a journal in two mirrors: its failover ends paused, and holds its epoch.
fn place(folder: &Path) -> (String, String) {
    let copy = copy_of("examples/approve.yaml", folder);
    let text = std::fs::read_to_string(&copy).unwrap();
    let (sites, runbook) = text.split_once("\n---\n").unwrap();
    let safe = "    safe: { directory: safe, failureDomain: [bank] }\n";
    let inventory = copy.with_file_name("sites.yaml");
    std::fs::create_dir(copy.with_file_name("safe")).unwrap();
    std::fs::write(
        &inventory,
        format!("{sites}\n{safe}  journal: {{ mirrors: [usb, safe], release: majority }}\n"),
    )
    .unwrap();
    std::fs::write(&copy, runbook).unwrap();
    let word = |path: &Path| path.to_str().unwrap().to_owned();
    (word(&inventory), word(&copy))
}

#[test]
fn of_two_failovers_that_begin_at_once_one_holds_the_group() {
    for race in 0..super::asked("LIFEBOAT_RACES").unwrap_or(RACES) {
        let folder = tempfile::tempdir().unwrap();
        let (sites, runbook) = place(folder.path());
        expect(
            0,
            &folder.path().join("first"),
            &["--sites", &sites, "protect", &runbook],
        );
        let racers: Vec<_> = ["first", "second"]
            .into_iter()
            .map(|machine| {
                Command::new(env!("CARGO_BIN_EXE_lifeboat"))
                    .args(["--plain", "--sites", &sites, "--state"])
                    .arg(folder.path().join(machine))
                    .args(["failover", &runbook, "--confirm", "west standby"])
                    .env_remove("LIFEBOAT_SITES")
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let ended: Vec<_> = racers
            .into_iter()
            .map(|racer| racer.wait_with_output().unwrap())
            .collect();
        let mut codes: Vec<_> = ended.iter().map(|one| one.status.code().unwrap()).collect();
        codes.sort_unstable();
        let said: Vec<_> = ended
            .iter()
            .map(|one| String::from_utf8_lossy(&one.stderr).into_owned())
            .collect();
        // One is paused at its question. The other was refused (5), or lost its journal's next record (9).
        assert_eq!(codes[0], 4, "race {race}: {codes:?} {said:?}");
        assert!(matches!(codes[1], 5 | 9), "race {race}: {codes:?} {said:?}");
        one_winner_of_each_epoch(folder.path(), race);
    }
}

/// By the mirrors' own folders: every mirror names the same holder of every epoch that two of them know.
fn one_winner_of_each_epoch(folder: &Path, race: u64) {
    let epochs = |store: &str| {
        let found = Command::new("find")
            .arg(folder)
            .args(["-path", &format!("*/{store}/*/epochs/*"), "-type", "f"])
            .output()
            .unwrap();
        let found = String::from_utf8(found.stdout).unwrap();
        let mut all: Vec<(String, Vec<u8>)> = found
            .lines()
            .map(|path| {
                let (_, epoch) = path.rsplit_once("/epochs/").unwrap();
                (epoch.to_owned(), std::fs::read(path).unwrap())
            })
            .collect();
        all.sort();
        all
    };
    let (usb, safe) = (epochs("usb"), epochs("safe"));
    assert!(!usb.is_empty(), "race {race}: the oracle reads the wrong place");
    for (number, holder) in &usb {
        for (other, claim) in &safe {
            if other == number {
                assert_eq!(holder, claim, "race {race}: epoch {number} has two holders");
            }
        }
    }
}

/// A disk of so many KiB; `None`: no mount is to be had here, which is said.
struct Disk(tempfile::TempDir);

impl Disk {
    fn of(kib: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            println!("no small disk can be mounted here: nothing was tried");
        }
        mounted.then_some(Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn on_a_full_disk_a_run_stops_at_once_and_says_so_and_goes_on_when_there_is_room() {
    let Some(disk) = Disk::of(64) else { return };
    let folder = tempfile::tempdir().unwrap();
    let runbook = copy_of("examples/approve.yaml", folder.path());
    let runbook = runbook.to_str().unwrap();
    expect(0, &folder.path().join("elsewhere"), &["protect", runbook]);
    // Less and less room: somewhere the plan itself does not fit, and somewhere a record after it.
    let filler = disk.0.path().join("filler");
    let mut told = std::collections::BTreeMap::new();
    for kib in (0..60).rev().step_by(2) {
        std::fs::write(&filler, vec![0; kib * 1024]).unwrap();
        let state = disk.0.path().join("state");
        let output = lifeboat(&state, &["drill", runbook]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code().unwrap();
        println!("{kib} KiB taken: {code}");
        *told.entry(code).or_insert(0) += 1;
        match code {
            0 => {}
            10 => assert!(said.contains("No space left on device"), "{kib}: {said}"),
            _ => panic!("{kib} KiB taken: {code} {said}"),
        }
        let _ = std::fs::remove_dir_all(&state);
    }
    assert!(told.contains_key(&0) && told.contains_key(&10), "{told:?}");
}
