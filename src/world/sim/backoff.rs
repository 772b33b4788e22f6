//! How controllers of an embedded cluster wait after they were refused pods: as those of Kubernetes, ever longer, and
//! not at all once their workload changes.

use std::collections::BTreeMap;

use super::state::{Due, Key, State};

/// Workloads whose controllers were refused pods.
#[derive(Clone, Debug, Default)]
pub(super) struct PutOff(BTreeMap<Key, Wait>);

#[derive(Clone, Copy, Debug, Default)]
struct Wait {
    /// So often in a row.
    times: u32,
    /// When it tries again by itself.
    until_ms: u64,
}

impl State {
    /// A controller was refused pods of this workload: it tries again by itself, each time twice as late, and at once
    /// when the workload changes or loses a pod. It waits for one moment at a time, the nearest.
    pub(super) fn put_off(&mut self, key: &Key) {
        let (first, longest) = (self.pace.try_again_ms, self.pace.try_again_max_ms);
        let mut wait = self.put_off.0.get(key).copied().unwrap_or_default();
        let times = 1_u64.checked_shl(wait.times).unwrap_or(u64::MAX);
        let delay = first.saturating_mul(times).min(longest).max(1);
        wait.times += 1;
        if wait.until_ms <= self.now_ms() {
            wait.until_ms = self.now_ms() + delay;
            self.later(delay, Due::TryAgain(key.clone()));
        }
        self.put_off.0.insert(key.clone(), wait);
    }

    /// It was not: the next time begins with short waits.
    pub(super) fn not_put_off(&mut self, key: &Key) {
        self.put_off.0.remove(key);
    }
}
