//! Planning 10,000 steps once, in a process that does nothing else: the most memory that it takes, and the
//! time of a processor, which other people's work on the machine changes less than the time of the clock.

use std::process::Command;

use crate::planning;

/// What this binary is called with to be that process.
pub(crate) const CHILD: &str = "plan-once";

/// Plans once and prints what it took.
pub(crate) fn plan_once() {
    let before_ms = processor_ms();
    planning::once();
    let after_ms = processor_ms();
    let took = before_ms
        .zip(after_ms)
        .map(|(before, after)| format!("{:.1} ms", after - before));
    let or_unknown = |value: Option<String>| value.unwrap_or_else(|| "not known here".to_owned());
    println!("10,000 steps/in a process of its own");
    println!("                        processor time: {}", or_unknown(took));
    println!("                        peak memory:    {}", or_unknown(peak()));
}

/// The most that was resident so far, as Linux writes it.
fn peak() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().to_owned())
}

/// How long this thread was on a processor so far; Linux writes nanoseconds.
fn processor_ms() -> Option<f64> {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = spent.split(' ').next()?.parse().ok()?;
    Some(nanoseconds / 1e6)
}

/// Starts that process; it prints by itself.
pub(crate) fn measure() {
    let child = Command::new(std::env::current_exe().unwrap())
        .arg(CHILD)
        .status()
        .unwrap();
    assert!(child.success(), "{child}");
}
