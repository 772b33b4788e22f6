//! What a summary claims, and what it refuses to claim.

use super::*;
use crate::effect::{ErrorKind, Receipt, WorldError};
use crate::objects::Roster;
use crate::plan::Part;
use crate::report::sample::{self, Tape};
use crate::run::{Event, Outcome};

fn of(tape: &Tape) -> Summary {
    Summary::of(&tape.entries).unwrap()
}

/// The sample failover up to the end of `restore`, from this receipt.
fn restored(receipt: Receipt) -> Tape {
    let mut tape = Tape::begin(sample::failover(), "shop-f-1");
    tape.ok(0, 1_000, 0, sample::said("stopped"))
        .ok(1_000, 2_000, 1, receipt);
    tape
}

fn from_backup() -> Receipt {
    Receipt {
        consistent_at: Some(sample::backup().consistent_at),
        ..sample::said("31 created")
    }
}

#[test]
fn a_recovered_drill_is_measured_to_its_last_proof_of_health() {
    let summary = Summary::of(&sample::recovered()).unwrap();
    assert_eq!(summary.ending(), Ending::Recovered);
    assert_eq!(
        (summary.rto.measured_ms, summary.rto.reached),
        (Some(19_000), Reached::Met)
    );
    assert_eq!(
        (summary.rpo.measured_ms, summary.rpo.reached),
        (Some(727_000), Reached::Met)
    );
    assert!(summary.ledger.is_clean() && summary.problems.is_empty());
    assert_eq!(summary.ledger.extra_deleted.len(), 3);
    assert_eq!(summary.longest(1)[0].name, "web-up");
}

#[test]
fn health_counts_only_when_every_step_that_proves_it_succeeded() {
    let mut tape = restored(from_backup());
    tape.ok(2_000, 9_000, 2, sample::said("ready"));
    assert_eq!(of(&tape).rto.measured_ms, None);
    tape.end(
        12_000,
        3,
        Outcome::MarkedDone {
            by: "anna".into(),
            reason: "looks fine".into(),
        },
    );
    let summary = of(&tape);
    assert_eq!(summary.rto.reached, Reached::NotMeasured);
    assert_eq!(summary.rto.how, "health is not proved: answers done by hand");
}

#[test]
fn a_time_that_is_over_without_health_is_missed_before_the_run_has_ended() {
    let mut tape = restored(from_backup());
    tape.intend(1_800_001, 2, 1);
    let rto = of(&tape).rto;
    assert_eq!((rto.measured_ms, rto.reached), (None, Reached::Missed));
    assert!(rto.how.ends_with("when 30 m were over"), "{}", rto.how);
}

#[test]
fn without_an_objective_nothing_is_met() {
    let mut plan = sample::failover();
    plan.objectives.rto_ms = None;
    let mut tape = Tape::begin(plan, "shop-f-1");
    tape.ok(0, 9_000, 2, sample::said("ready"))
        .ok(9_000, 10_000, 3, sample::said("200"));
    assert_eq!(of(&tape).rto.reached, Reached::NoTarget);
}

#[test]
fn data_loss_is_taken_from_the_receipt_and_never_guessed() {
    let why = |receipt| of(&restored(receipt)).rpo;
    assert_eq!(
        why(sample::said("31 created")).how,
        "the receipt of restore names no consistent point"
    );
    let later = Receipt {
        consistent_at: Some(sample::now() + jiff::SignedDuration::from_secs(60)),
        ..sample::said("31 created")
    };
    let rpo = why(later);
    assert_eq!((rpo.measured_ms, rpo.reached), (None, Reached::NotMeasured));
    assert!(rpo.how.contains("the clocks disagree"), "{}", rpo.how);
    let old = Receipt {
        consistent_at: Some(sample::now() - jiff::SignedDuration::from_secs(901)),
        ..sample::said("31 created")
    };
    assert_eq!(why(old).reached, Reached::Missed);
}

#[test]
fn a_restore_done_by_hand_has_no_known_data_loss() {
    let mut tape = Tape::begin(sample::failover(), "shop-f-1");
    tape.end(
        5_000,
        1,
        Outcome::MarkedDone {
            by: "anna".into(),
            reason: "from tape".into(),
        },
    );
    assert_eq!(
        of(&tape).rpo.how,
        "restore was done by hand: nothing shows from which data"
    );
}

#[test]
fn a_backup_that_the_run_made_itself_loses_nothing() {
    let mut plan = sample::failover();
    plan.steps[0].effects = vec![crate::effect::Effect::BackupObjects(
        crate::effect::BackupObjects {
            site: "east".into(),
            store: "vault".into(),
            name_prefix: "shop".into(),
            selection: crate::effect::Selection::default(),
            lock: None,
        },
    )];
    let mut tape = Tape::begin(plan, "shop-s-1");
    let made = Receipt {
        outputs: [("backup".to_owned(), "shop-new".to_owned())].into(),
        consistent_at: Some(sample::now() + jiff::SignedDuration::from_millis(500)),
        ..sample::said("done")
    };
    tape.ok(0, 1_000, 0, made.clone()).ok(1_000, 2_000, 1, made);
    assert_eq!(of(&tape).rpo.measured_ms, Some(0));
}

#[test]
fn what_a_velero_restores_counts_from_its_backup_too() {
    use crate::effect::{DriveVelero, Effect, VeleroWork};
    let drive = |work| {
        Effect::DriveVelero(DriveVelero {
            site: "west".into(),
            namespace: "velero".into(),
            name: "a".into(),
            work,
            taken_up_within_ms: 1,
            store: None,
        })
    };
    let spec = serde_json::json!({});
    let mut plan = sample::failover();
    let backup = plan.steps[1].effects.pop();
    assert!(matches!(backup, Some(Effect::RestoreObjects(_))));
    plan.steps[1].effects = vec![drive(VeleroWork::Restore {
        backup: None,
        spec: spec.clone(),
    })];
    let mut tape = Tape::begin(plan.clone(), "shop-f-1");
    tape.ok(0, 1_000, 0, sample::said("stopped"))
        .ok(1_000, 2_000, 1, from_backup());
    assert_eq!(of(&tape).rpo, of(&restored(from_backup())).rpo);
    // One that the same run had made loses nothing.
    plan.steps[0].effects = vec![drive(VeleroWork::Backup { spec })];
    let made = Receipt {
        outputs: [("backup".to_owned(), "capture-shop-s-1".to_owned())].into(),
        consistent_at: Some(sample::now() + jiff::SignedDuration::from_millis(500)),
        ..sample::said("done")
    };
    let mut tape = Tape::begin(plan, "shop-s-1");
    tape.ok(0, 1_000, 0, made.clone()).ok(1_000, 2_000, 1, made);
    assert_eq!(of(&tape).rpo.measured_ms, Some(0));
}

#[test]
fn what_a_drill_left_is_named_namespaces_first_and_overrules_its_verdict() {
    let summary = Summary::of(&sample::not_torn_down()).unwrap();
    assert_eq!(summary.ending(), Ending::NotTornDown);
    assert_eq!(summary.ledger.left_behind.len(), 34);
    assert_eq!(
        summary.ledger.left_behind[0].object.id.to_string(),
        "Namespace shop-drill-4k2"
    );
    assert_eq!(summary.ledger.left_behind[0].step, "drill:open");
}

#[test]
fn what_went_with_its_namespace_is_not_left_behind_though_its_list_was_lost() {
    let tape = |torn_down: bool| {
        let mut tape = Tape::begin(sample::drill(), "shop-d-1");
        let restored = Receipt {
            created: sample::made("inside", 3),
            ..sample::said("3 created")
        };
        let mut outside = sample::made("outside", 1).get(0).unwrap();
        outside.id.namespace = Some("payments".into());
        let elsewhere = Receipt {
            created: Roster::from_iter([outside]),
            ..sample::said("1 created")
        };
        tape.ok(0, 400, 0, sample::said("walls"))
            .ok(500, 600, 2, restored)
            .ok(600, 700, 3, elsewhere)
            .intend(800, 6, 1);
        if torn_down {
            // The first try was killed; the second found the namespaces gone.
            tape.perform(900, 6, 1, sample::said("0 objects deleted"))
                .end(900, 6, Outcome::Succeeded);
        }
        of(&tape).ledger
    };
    let before = tape(false);
    assert_eq!((before.left_behind.len(), before.gone_unlisted.len()), (4, 0));
    let after = tape(true);
    assert_eq!((after.left_behind.len(), after.gone_unlisted.len()), (1, 3));
    assert_eq!(
        after.left_behind[0].object.id.namespace.as_deref(),
        Some("payments"),
        "what is outside the drill's namespaces is not proved by their end"
    );
}

#[test]
fn a_try_without_an_outcome_may_have_made_more_until_the_teardown_is_proved() {
    let mut tape = Tape::begin(sample::drill(), "shop-d-1");
    tape.ok(0, 400, 0, sample::said("walls")).intend(500, 2, 1);
    let ledger = of(&tape).ledger;
    assert_eq!(ledger.torn_down, Some(false));
    assert_eq!(
        ledger.uncertain,
        ["attempt 1 of restore (restore) has no outcome"]
    );
}

#[test]
fn a_drill_that_never_touched_anything_left_nothing() {
    let tape = Tape::begin(sample::drill(), "shop-d-1");
    assert_eq!(of(&tape).ledger.torn_down, Some(true));
}

#[test]
fn waiting_is_told_by_kind() {
    let summary = Summary::of(&sample::rejected()).unwrap();
    assert_eq!(summary.step("go").unwrap().waited.person_ms, 89_990);
    let restore = summary.step("restore").unwrap();
    assert_eq!(
        (restore.waited.retry_ms, restore.waited.turn_ms, restore.repeats()),
        (2_000, 10, 1)
    );
}

#[test]
fn another_try_opens_a_failed_step_again() {
    let mut tape = restored(from_backup());
    tape.intend(3_000, 2, 1)
        .fail(
            4_000,
            2,
            1,
            WorldError::new(ErrorKind::NotYet, "west", "1 of 3"),
            None,
        )
        .end(4_000, 2, Outcome::Failed)
        .push(
            4_000,
            Event::Paused {
                by: "lifeboat".into(),
                reason: "web-up failed".into(),
            },
        );
    assert_eq!(of(&tape).ending(), Ending::Paused);
    tape.push(
        9_000,
        Event::Resumed {
            operator: sample::operator("ben"),
        },
    )
    .push(
        9_000,
        Event::RetryOrdered {
            step: 2,
            by: "ben".into(),
            reason: "image is there now".into(),
        },
    )
    .intend(9_100, 2, 1);
    let summary = of(&tape);
    assert_eq!(
        (summary.ending(), summary.step("web-up").unwrap().state),
        (Ending::Open, StepState::Running)
    );
    assert_eq!(summary.acts.last().unwrap().deed, Deed::OrderedRetry);
}

#[test]
fn undoing_is_told_apart_from_doing() {
    use crate::run::Phase::Undo;
    let mut tape = restored(from_backup());
    let (step, phase, effect, attempt) = (0, Undo, 0, 1);
    let intended = Event::Intended {
        step,
        phase,
        effect,
        attempt,
    };
    let performed = Event::Performed {
        step,
        phase,
        effect,
        attempt,
        receipt: Box::new(sample::said("3 replicas")),
    };
    tape.push(3_000, Event::Unwinding { step: 2 })
        .push(3_000, intended);
    assert_eq!(of(&tape).step("stop-active").unwrap().state, StepState::Undoing);
    tape.push(4_000, performed).end(4_000, 0, Outcome::Undone);
    let summary = of(&tape);
    let step = summary.step("stop-active").unwrap();
    assert_eq!(
        (
            step.state,
            step.undo[0].attempts.len(),
            step.effects[0].attempts.len()
        ),
        (StepState::Undone, 1, 1)
    );
}

#[test]
fn a_journal_that_contradicts_itself_is_said_and_still_read() {
    let mut entries = sample::recovered();
    entries.remove(2);
    entries.swap(5, 6);
    entries.push(entries[1].clone());
    let crate::run::Event::Began(begun) = &mut entries[0].event else {
        panic!()
    };
    begun.plan.objectives.rto_ms = Some(1);
    entries[3].event = Event::RetryOrdered {
        step: 99,
        by: "x".into(),
        reason: "y".into(),
    };
    let problems = Summary::of(&entries).unwrap().problems.join("\n");
    for part in [
        "does not have the digest",
        "follows where entry",
        "which the plan does not have",
        "after the end",
    ] {
        assert!(problems.contains(part), "{part} is missing in:\n{problems}");
    }
}

#[test]
fn a_skipped_step_of_the_plan_is_skipped_before_the_engine_says_so() {
    let summary = Summary::of(&sample::recovered()[..1]).unwrap();
    let go = summary.step("go").unwrap();
    assert_eq!(
        (go.state, go.why.as_deref()),
        (StepState::Skipped, Some("no person is asked in a drill"))
    );
    assert!(matches!(sample::drill().steps[5].part, Part::Skipped(_)));
}

#[test]
fn the_summary_reads_back_from_its_own_json() {
    for entries in [
        sample::recovered(),
        sample::failed(),
        sample::rejected(),
        sample::hostile(),
    ] {
        let summary = Summary::of(&entries).unwrap();
        let json = serde_json::to_string(&summary).unwrap();
        assert!(json.starts_with("{\"format\":1,\"run\":"), "{json}");
        assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
    }
}
