//! For tests against real servers: where the lab is. Such tests are ignored unless asked for:
//! `LIFEBOAT_LAB=<folder> cargo test --lib -- --ignored live`, after `lab up --dir <folder>`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// A running lab.
pub(crate) struct Lab {
    /// Its folder.
    pub(crate) dir: PathBuf,
    /// `lab.json`: every address and token.
    pub(crate) about: Value,
}

impl Lab {
    /// The lab that `LIFEBOAT_LAB` names. Asked for and not there is a failure, never a skipped test.
    pub(crate) async fn open() -> Self {
        let dir = std::env::var_os("LIFEBOAT_LAB").expect("LIFEBOAT_LAB names no running lab's folder");
        let dir = PathBuf::from(dir);
        let about = tokio::fs::read(dir.join("lab.json")).await;
        let about = about.expect("LIFEBOAT_LAB names a folder without a running lab");
        Self {
            dir,
            about: serde_json::from_slice(&about).unwrap(),
        }
    }

    /// A string of `lab.json`.
    pub(crate) fn text(&self, pointer: &str) -> String {
        let found = self.about.pointer(pointer).and_then(Value::as_str);
        found
            .unwrap_or_else(|| panic!("lab.json has no {pointer}"))
            .to_owned()
    }
}

/// A name that no other test of this or of another run uses.
pub(crate) fn fresh(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| since.as_millis());
    format!("{name}-{now:x}-{count}")
}

/// Prints how long something took, and how many of `count` that is a second.
pub(crate) async fn timed<T>(what: &str, count: usize, work: impl Future<Output = T>) -> T {
    let begin = tokio::time::Instant::now();
    let done = work.await;
    let took = begin.elapsed();
    let per_second = (count as u128 * 1_000_000) / took.as_micros().max(1);
    println!("{what}: {count} in {took:?}, {per_second}/s");
    done
}
