//! The real thing: two control planes, two S3 servers, and the binary as a person would call it.
//!
//! Each test has a lab of its own, so that its audit logs hold nobody else's requests. They need the
//! lab's programs and run with `make test`; plain `cargo test` reports them as ignored.

mod audit;
mod capacity;
#[cfg(feature = "http")]
mod chaos;
mod corruption;
mod crowd;
mod drill;
mod expired;
mod fence;
mod hold;
mod hooks;
mod killed;
#[cfg(feature = "s3")]
mod locked;
mod mirrors;
mod modes;
#[cfg(feature = "dns")]
mod names;
mod pins;
mod playbooks;
#[cfg(unix)]
mod sql;
mod targets;
mod throttle;
mod traffic;
mod uses;
mod velero;
mod whole;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The playbook that most tests use.
pub(crate) const SHOP: &str = "playbooks/shop";

/// Who says yes to a question, and why.
pub(crate) const YES: [&str; 6] = [
    "--as",
    "anna",
    "--role",
    "incident-commander",
    "--reason",
    "orders work",
];

/// The newest run of a state's folder whose name begins so.
pub(crate) fn newest_run(state: &Path, begins: &str) -> Option<String> {
    let runs = std::fs::read_dir(state.join("runs")).ok()?;
    let named = runs
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(begins));
    let newest = named.max_by_key(|entry| entry.metadata().unwrap().modified().unwrap());
    Some(newest?.file_name().into_string().unwrap())
}

/// What was printed, without its line breaks.
pub(crate) fn one_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first `up` on a machine builds nothing (`make test` did that), so this is start-up only.
const UP_WITHIN: Duration = Duration::from_mins(2);

/// Labs that may run at once: each takes 1.4 GB and, while it starts, a core.
const LABS_MAX: usize = 2;

/// How many run now, and who waits for one to end.
static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// A place among the labs that may run.
struct Place;

impl Place {
    fn wait_for() -> Self {
        let (running, ended) = &RUNNING;
        let mut now = ended
            .wait_while(running.lock().unwrap(), |now| *now >= LABS_MAX)
            .unwrap();
        *now += 1;
        Self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (running, ended) = &RUNNING;
        *running.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ended.notify_one();
    }
}

/// One running lab. It ends when this value is dropped, and when the test's process dies.
pub(crate) struct Lab {
    child: Child,
    folder: tempfile::TempDir,
    facts: Value,
    _place: Place,
}

impl Lab {
    /// Starts one with one S3 server: two sites are enough to carry for most tests.
    pub(crate) fn start() -> Self {
        Self::up(&["--without", "minio"])
    }

    /// Starts one with both S3 servers.
    pub(crate) fn start_with_both_stores() -> Self {
        Self::up(&[])
    }

    /// Starts one whose API servers forget after seconds what they remember for minutes elsewhere.
    pub(crate) fn that_forgets() -> Self {
        Self::up(&["--without", "minio", "--no-seed", "--forget", "5s"])
    }

    fn up(more: &[&str]) -> Self {
        let program = std::env::var("LIFEBOAT_LAB_BIN").expect("LIFEBOAT_LAB_BIN: run this with `make test`");
        let place = Place::wait_for();
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("lab");
        let mut child = Command::new(program)
            .args(["up", "--foreground", "--until-stdin-closes", "--dir"])
            .arg(&dir)
            .args(more)
            .args(["--repo", env!("CARGO_MANIFEST_DIR")])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let began = Instant::now();
        let description = dir.join("lab.json");
        while !description.is_file() {
            if let Some(status) = child.try_wait().unwrap() {
                let mut said = String::new();
                child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                panic!("the lab ended with {status}: {said}");
            }
            assert!(began.elapsed() < UP_WITHIN, "the lab is not up");
            std::thread::sleep(Duration::from_millis(100));
        }
        let facts = serde_json::from_str(&std::fs::read_to_string(description).unwrap()).unwrap();
        Self {
            child,
            folder,
            facts,
            _place: place,
        }
    }

    /// The lab's folder.
    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("lab")
    }

    /// Where lifeboat keeps its runs in this test.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// From here on its inventory names mirrors of the journal; without them a run has no epoch.
    pub(crate) fn mirror_journals_in(&self, stores: &str) {
        let file = self.dir().join("sites.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        let journal = format!("  journal: {{ mirrors: [{stores}] }}\n");
        std::fs::write(&file, format!("{}\n{journal}", text.trim_end())).unwrap();
    }

    /// A fact of `lab.json`.
    pub(crate) fn fact(&self, pointer: &str) -> &Value {
        self.facts
            .pointer(pointer)
            .unwrap_or_else(|| panic!("lab.json has no {pointer}"))
    }

    /// `lifeboat` with this lab's sites and a state of its own.
    pub(crate) fn lifeboat(&self, args: &[&str]) -> Command {
        self.lifeboat_on(&self.state(), args)
    }

    /// The same on a machine of another state.
    pub(crate) fn lifeboat_on(&self, state: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
        command
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .arg("--sites")
            .arg(self.dir().join("sites.yaml"))
            .arg("--state")
            .arg(state)
            .arg("--plain")
            .args(args)
            .stdin(Stdio::null())
            .env_remove("KUBECONFIG")
            .env_remove("AWS_ACCESS_KEY_ID");
        command
    }

    /// Runs it to its end and expects this exit code.
    pub(crate) fn expect(&self, code: i32, args: &[&str]) -> Output {
        let output = self.lifeboat(args).output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "lifeboat {}\n--- stdout\n{}\n--- stderr\n{}",
            args.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        output
    }

    /// The lab's own program, on this lab.
    pub(crate) fn tool(&self, args: &[&str]) -> Output {
        Command::new(std::env::var("LIFEBOAT_LAB_BIN").unwrap())
            .args(args)
            .arg("--dir")
            .arg(self.dir())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// One request by the lab's own hand, not by lifeboat's.
    pub(crate) fn ask(
        &self,
        site: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let mut child = Command::new(std::env::var("LIFEBOAT_LAB_BIN").unwrap())
            .args(["ask", "--dir"])
            .arg(self.dir())
            .args(["--site", site, method, path])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(
            &mut input,
            body.map_or_else(String::new, Value::to_string).as_bytes(),
        )
        .unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            Ok(serde_json::from_slice(&output.stdout).unwrap())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// What a store holds, as `lifeboat backups` says it.
    pub(crate) fn shelf(&self, store: &str) -> Value {
        let output = self.expect(0, &["backups", "--store", store, "--json"]);
        let mut all: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        all.remove(0)
    }

    /// The names of the backups in a store.
    pub(crate) fn names(&self, store: &str) -> Vec<String> {
        let held = self.shelf(store);
        let all = held["backups"].as_array().unwrap().iter();
        all.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Makes a backup and gives back its name; `more` says of what.
    pub(crate) fn backup(&self, store: &str, more: &[&str]) -> String {
        let before = self.names(store);
        // Names of backups have whole seconds.
        std::thread::sleep(Duration::from_millis(1100));
        let args = ["backup", "create", "--site", "east", "--to", store];
        self.expect(0, &[&args[..], more].concat());
        let mut after = self.names(store);
        after.retain(|name| !before.contains(name));
        assert_eq!(after.len(), 1, "{after:?}");
        after.remove(0)
    }

    /// The same of the shop.
    pub(crate) fn backed_up(&self, store: &str, more: &[&str]) -> String {
        self.backup(store, &[&["--namespaces", "shop"], more].concat())
    }

    /// The API server's own record of a site.
    pub(crate) fn audit(&self, site: &str) -> audit::Log {
        audit::Log::read(self.audit_file(site))
    }

    /// Of it what concerns this name, of a namespace for instance.
    #[cfg(feature = "http")]
    pub(crate) fn audit_about(&self, site: &str, name: &str) -> audit::Log {
        audit::Log::read_about(self.audit_file(site), name)
    }

    fn audit_file(&self, site: &str) -> &Path {
        Path::new(self.fact(&format!("/sites/{site}/auditLog")).as_str().unwrap())
    }

    /// The only run in the state's folder whose name begins so.
    pub(crate) fn run(&self, begins: &str) -> String {
        let mut names: Vec<String> = std::fs::read_dir(self.state().join("runs"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with(begins))
            .collect();
        assert_eq!(names.len(), 1, "{names:?}");
        names.remove(0)
    }

    /// `report.json` of a run.
    pub(crate) fn report(&self, run: &str) -> Value {
        let path = self.state().join("runs").join(run).join("report.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Closing its standard input ends the lab; waiting makes sure that nothing is left.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
