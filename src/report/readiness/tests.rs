//! Each reason alone, and which of several decides.

use super::*;
use crate::report::sample;
use crate::run::{Entry, Event};
use crate::text::Sources;

const SHOP: &str = "\
apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: { name: shop }
spec:
  title: Online shop
  tier: 1
  objectives: { rto: 30m, rpo: 15m }
  continuity: { proof: 30d }
  roles: { active: east, standby: west }
  steps:
    - { name: capture, modes: [protect], backup: {} }
";

fn runbook() -> Runbook {
    let mut sources = Sources::default();
    let id = sources.add("shop.yaml", SHOP.to_owned());
    crate::runbook::load(&sources, &[id], &["backup"])
        .runbook
        .unwrap()
}

/// A run of today's recovery that ended so long before now.
fn run(mut entries: Vec<Entry>, days_ago: i64) -> Summary {
    let Event::Began(beginning) = &mut entries[0].event else {
        panic!()
    };
    beginning.plan.runbook.recovery = Some(runbook().recovery);
    beginning.digest = crate::plan::Digest::of(&beginning.plan);
    let mut run = Summary::of(&entries).unwrap();
    let ended = sample::now() - jiff::SignedDuration::from_hours(24 * days_ago);
    run.began_at = ended - run.last_at.duration_since(run.began_at);
    run.last_at = ended;
    run
}

fn look(runs: &[Summary], stocks: &[Stock]) -> (Ready, Vec<Why>) {
    let found = readiness(&runbook(), runs, stocks, sample::now());
    (
        found.state,
        found.because.iter().map(|reason| reason.code).collect(),
    )
}

fn stock(found: Result<Option<BackupSeen>, String>) -> Stock {
    Stock {
        step: "restore".into(),
        store: "vault".into(),
        found,
    }
}

#[test]
fn a_recent_drill_of_todays_recovery_is_ready() {
    let runs = [run(sample::recovered(), 2)];
    assert_eq!(
        look(&runs, &[stock(Ok(Some(sample::backup())))]),
        (Ready::Ready, vec![])
    );
}

#[test]
fn nothing_but_a_success_is_a_proof() {
    assert_eq!(look(&[], &[]), (Ready::NeverProven, vec![Why::NeverDrilled]));
    let failed = [run(sample::failed(), 1)];
    assert_eq!(
        look(&failed, &[]),
        (Ready::NeverProven, vec![Why::NeverDrilled, Why::LastRunFailed])
    );
    let mut other = run(sample::recovered(), 1);
    other.subject.name = "bank".into();
    assert_eq!(look(&[other], &[]).0, Ready::NeverProven);
    let mut blind = run(sample::recovered(), 1);
    blind.rto.measured_ms = None;
    assert_eq!(look(&[blind], &[]).0, Ready::NeverProven);
}

#[test]
fn the_newest_run_counts_whatever_was_proved_before() {
    let cases = [
        (sample::failed(), Ready::NotReady, Why::LastRunFailed),
        (sample::not_torn_down(), Ready::NotReady, Why::NotTornDown),
        (sample::rejected(), Ready::NotReady, Why::LastRunFailed),
        (sample::paused(), Ready::NeedsAttention, Why::RunOpen),
    ];
    for (newest, state, why) in cases {
        // In the wrong order: what is newest is found out.
        let runs = [run(newest, 1), run(sample::recovered(), 2)];
        assert_eq!(look(&runs, &[]), (state, vec![why]));
    }
}

#[test]
fn an_old_proof_or_one_of_another_recovery_needs_attention() {
    let old = [run(sample::recovered(), 31)];
    assert_eq!(look(&old, &[]), (Ready::NeedsAttention, vec![Why::ProofTooOld]));
    let early = [run(sample::recovered(), -1)];
    assert_eq!(look(&early, &[]), (Ready::NeedsAttention, vec![Why::ProofTooOld]));
    let mut changed = run(sample::recovered(), 1);
    changed.subject.recovery = Some("another".into());
    assert_eq!(
        look(&[changed.clone()], &[]),
        (Ready::NeedsAttention, vec![Why::RunbookChanged])
    );
    // An older lifeboat knew only the bytes of the file.
    changed.subject.recovery = None;
    assert_eq!(look(&[changed.clone()], &[]).1, [Why::RunbookChanged]);
    changed.subject.digest = runbook().digest;
    assert_eq!(look(&[changed], &[]).0, Ready::Ready);
}

#[test]
fn a_proof_that_missed_an_objective_or_was_not_on_real_sites_needs_attention() {
    let mut slow = run(sample::recovered(), 1);
    slow.rto.reached = Reached::Missed;
    assert_eq!(
        look(&[slow], &[]),
        (Ready::NeedsAttention, vec![Why::ObjectiveMissed])
    );
    let mut unreal = run(sample::recovered(), 1);
    unreal.sites.get_mut("west").unwrap().server = "embedded:west".into();
    assert_eq!(look(&[unreal], &[]), (Ready::NeedsAttention, vec![Why::NotReal]));
}

#[test]
fn what_a_store_holds_decides_whether_data_could_be_kept() {
    let runs = [run(sample::recovered(), 1)];
    let backup = |minutes: i64, verified: bool| {
        let at = sample::now() - jiff::SignedDuration::from_mins(minutes);
        let mut backup = sample::backup();
        backup.consistent_at = at;
        backup.verified_at = verified.then_some(at);
        stock(Ok(Some(backup)))
    };
    let cases = [
        (backup(15, true), Ready::Ready, None),
        (backup(16, true), Ready::NotReady, Some(Why::BackupTooOld)),
        (
            backup(1, false),
            Ready::NeedsAttention,
            Some(Why::BackupUnverified),
        ),
        (backup(-1, true), Ready::NeedsAttention, Some(Why::BackupTooOld)),
        (stock(Ok(None)), Ready::NotReady, Some(Why::NoBackup)),
        (
            stock(Err("no answer".into())),
            Ready::NeedsAttention,
            Some(Why::StoreSilent),
        ),
    ];
    for (stock, state, why) in cases {
        assert_eq!(look(&runs, &[stock]), (state, why.into_iter().collect()));
    }
}

#[test]
fn the_worst_reason_decides_and_comes_first() {
    let runs = [run(sample::recovered(), 31)];
    let (state, because) = look(&runs, &[stock(Ok(None))]);
    assert_eq!(
        (state, because),
        (Ready::NotReady, vec![Why::NoBackup, Why::ProofTooOld])
    );
}
