//! A proxy in front of one of the lab's servers, and the lab as it is through it.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::lab::Lab;

/// One changing request, and what is done to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breakage {
    pub(super) fault: &'static str,
    /// Which one, from 1 on.
    pub(super) nth: usize,
}

impl fmt::Display for Breakage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of change {}", self.fault, self.nth)
    }
}

/// One running proxy.
struct Proxy {
    child: Child,
    url: String,
    lines: mpsc::Receiver<String>,
}

impl Proxy {
    fn start(to: &str, more: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lifeboat"))
            .args(["chaos-proxy", "--to", to])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap().unwrap();
        let (told, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if told.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            url,
            lines: heard,
        }
    }

    /// What it met until a held request was delivered; where none was held, it is waited for in vain.
    fn wait_for_the_held(&self) -> Vec<Value> {
        let mut met = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(10)) {
            let one: Value = serde_json::from_str(&line).unwrap();
            let held = !one["fault"].is_null();
            met.push(one);
            if held {
                break;
            }
        }
        met
    }

    /// Ends it; every request that it met since.
    fn end(mut self) -> Vec<Value> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines
            .iter()
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect()
    }
}

/// Also where a test fails in the middle.
impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lab as the proxy stands in front of one of its servers, and as it is without.
pub(super) struct Stage {
    /// The file that leads to the server, as the lab wrote it.
    file: PathBuf,
    right: String,
    /// The server's own address.
    to: String,
    more: Vec<String>,
}

impl Stage {
    /// In front of the API server of a site.
    pub(super) fn site(lab: &Lab, site: &str) -> Self {
        let file: PathBuf = lab.fact("/kubeconfig").as_str().unwrap().into();
        let ca = lab.dir().join(site).join("ca.crt");
        Self {
            right: std::fs::read_to_string(&file).unwrap(),
            file,
            to: lab
                .fact(&format!("/sites/{site}/url"))
                .as_str()
                .unwrap()
                .to_owned(),
            more: vec!["--ca".to_owned(), ca.display().to_string()],
        }
    }

    /// In front of an S3 server.
    pub(super) fn store(lab: &Lab, store: &str) -> Self {
        let file = lab.dir().join("sites.yaml");
        Self {
            right: std::fs::read_to_string(&file).unwrap(),
            file,
            to: lab
                .fact(&format!("/stores/{store}/endpoint"))
                .as_str()
                .unwrap()
                .to_owned(),
            more: Vec::new(),
        }
    }

    /// Does something while the proxy breaks what it is told to; what came of it, and what it met.
    fn through<T>(&self, breakage: &[&str], work: impl FnOnce() -> T) -> (T, Vec<Value>) {
        let more: Vec<&str> = self.more.iter().map(String::as_str).collect();
        let proxy = Proxy::start(&self.to, &[&more[..], breakage].concat());
        std::fs::write(&self.file, self.right.replace(&self.to, &proxy.url)).unwrap();
        let done = work();
        let mut met = Vec::new();
        if breakage.iter().any(|word| word.starts_with("hold-")) {
            met = proxy.wait_for_the_held();
        }
        met.extend(proxy.end());
        std::fs::write(&self.file, &self.right).unwrap();
        (done, met)
    }

    /// Does something of which one changing request is broken, and surely is.
    pub(super) fn broken<T>(&self, what: Breakage, work: impl FnOnce() -> T) -> T {
        let (done, broken) = self.maybe_broken(what, work);
        assert!(broken, "{what}: there was no such change");
        done
    }

    /// The same where there may be fewer changes than that; whether one was broken.
    pub(super) fn maybe_broken<T>(&self, what: Breakage, work: impl FnOnce() -> T) -> (T, bool) {
        let nth = what.nth.to_string();
        let (done, met) = self.through(&["--fault", what.fault, "--nth", &nth, "--times", "1"], work);
        let broken = met.iter().filter(|one| !one["fault"].is_null()).count();
        assert!(broken <= 1, "{what}: {met:?}");
        (done, broken == 1)
    }

    /// How many changing requests the work takes when nothing is broken.
    pub(super) fn changes(&self, work: impl FnOnce()) -> usize {
        let never = ["--fault", "refuse", "--times", "0"];
        let ((), met) = self.through(&never, work);
        let counted = met.iter().filter(|one| one["number"].as_u64() > Some(0)).count();
        assert!(counted >= 3, "nothing went through the proxy: {met:?}");
        counted
    }
}
