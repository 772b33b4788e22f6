//! What really happened, written down by the world: by clusters, stores, disks and the ears of people. The
//! engine writes nothing here, and nothing here is made by its code.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// Which attempt, as whoever performs it names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) run: String,
    pub(super) step: String,
    pub(super) effect: u32,
    pub(super) attempt: u32,
    /// Tells undoing from doing, and is the same for every attempt.
    pub(super) key: String,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// A run was planned, when both sites stood like this.
    Planned { run: String, stands: String },
    /// A site was told that this epoch has come.
    Raised { site: String, epoch: u64 },
    /// A process began an effect; how many places held its intent then, and how many should have; and how both
    /// sites stood.
    Begun {
        name: Name,
        class: String,
        held: usize,
        needed: usize,
        stands: String,
    },
    /// A process got an answer to it.
    Answered { name: Name, answer: String },
    /// A request arrived at a site; whether it changed anything.
    Arrived {
        name: Name,
        request: String,
        sent_ms: u64,
        committed: bool,
        /// Both sides would serve customers now.
        both_serve: bool,
    },
    /// A person was told that this record is durable.
    Told { run: String, seq: u64, line: String },
    /// A process said how the run ended.
    Ended { run: String, verdict: String },
    /// A process was told that another one has taken its run over.
    Superseded { run: String },
    /// A process left a run to another one that has claimed it.
    Yielded { run: String },
    /// A process found that a run has ended, and from here on gives the mirrors what they lack of it.
    Over { run: String },
    /// A process ended, by itself or not.
    Gone,
    /// Somebody brings up a fault: only for people who read this.
    Fault(String),
}

/// One line of the chronicle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) at_ms: u64,
    /// Machine and process: `m1/3`.
    pub(super) who: String,
    pub(super) what: Happening,
}

/// Clones are the same chronicle.
#[derive(Clone, Debug)]
pub(super) struct Chronicle {
    started: Instant,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl Chronicle {
    pub(super) fn begin() -> Self {
        Self {
            started: Instant::now(),
            lines: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap()
    }

    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap()
    }

    pub(super) fn write(&self, who: &str, what: Happening) {
        let at_ms = self.now_ms();
        self.lock().push(Line {
            at_ms,
            who: who.to_owned(),
            what,
        });
    }

    pub(super) fn lines(&self) -> Vec<Line> {
        self.lock().clone()
    }

    /// Whether a request of this effect has changed a site.
    pub(super) fn has_committed(&self, run: &str, step: &str, effect: u32) -> bool {
        self.lock().iter().any(|line| {
            matches!(&line.what, Happening::Arrived { name, committed: true, .. }
                if name.run == run && name.step == step && name.effect == effect)
        })
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// As text. What happens in one millisecond has no order.
pub(super) fn sorted(lines: &[Line]) -> Vec<String> {
    let mut told: Vec<String> = lines
        .iter()
        .map(|line| format!("{:012} {} {:?}", line.at_ms, line.who, line.what))
        .collect();
    told.sort();
    told
}

/// The same for the same chronicle and journals.
pub(super) fn hash(lines: &[Line], journals: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hash = Sha256::new();
    for line in sorted(lines) {
        hash.update(line);
        hash.update("\n");
    }
    for (run, journal) in journals {
        hash.update(run);
        hash.update(journal);
    }
    hex(&hash.finalize()[..8])
}
