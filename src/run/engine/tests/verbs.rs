//! What a person may say of a step in doubt, notes, and who may approve.

use insta::assert_snapshot;

use super::super::{Order, Refused, What};
use super::play::Play;
use crate::effect::{Class, ErrorKind, Resolution};
use crate::run::testing::{accept, ask, effect, step};
use crate::run::{Answer, Finding, Operator};
use crate::runbook::OnFailure;

/// A step of two effects, of the first of which nobody knows whether it worked.
fn in_doubt(then: OnFailure) -> Play {
    let two = vec![effect(Class::Once), effect(Class::Converge)];
    let mut play = Play::of(vec![step("a").doing(two).then(then), step("b").needing(&[0])]);
    play.fails("a", ErrorKind::LostReply);
    play.finds("a", Resolution::CannotTell("no trace of it".into()));
    play
}

fn decide(finding: Finding) -> What {
    What::Decide {
        step: "a".into(),
        finding,
    }
}

#[test]
fn what_was_found_to_have_worked_is_not_repeated_and_the_step_goes_on_after_it() {
    let mut play = in_doubt(OnFailure::Pause);
    play.orders(decide(Finding::Worked));
    play.crash_and_resume();
    play.ok("a");
    play.ok("b");
    assert_snapshot!(play.log(), @r"
    start a
    unknown a
    paused by lifeboat: nothing else can run: a may or may not have worked
    decided a Worked by ben
    resumed
    start a effect 2
    ok a effect 2
    end a Succeeded
    start b
    ok b
    end b Succeeded
    finished Recovered
    ");
}

#[test]
fn what_was_found_not_to_have_worked_fails_as_the_runbook_says() {
    let mut play = in_doubt(OnFailure::Continue);
    play.orders(decide(Finding::Failed));
    play.crash_and_resume();
    play.ok("b");
    assert_snapshot!(play.log(), @r"
    start a
    unknown a
    paused by lifeboat: nothing else can run: a may or may not have worked
    decided a Failed by ben
    end a Continued
    resumed
    start b
    ok b
    end b Succeeded
    finished RecoveredWithFailures
    ");
}

#[test]
fn a_step_in_doubt_is_repeated_only_by_order_and_a_step_that_is_not_is_not_decided() {
    let mut play = in_doubt(OnFailure::Pause);
    let refused = |play: &mut Play, step: &str| {
        let what = What::Decide {
            step: step.into(),
            finding: Finding::Worked,
        };
        play.tries_to_order(what).unwrap_err()
    };
    assert_snapshot!(refused(&mut play, "b"), @"b is not in doubt: the step was not begun");
    play.orders(What::DecideRetry { step: "a".into() });
    play.crash_and_resume();
    assert_eq!(
        (play.in_flight().as_str(), play.errands[0].ticket.attempt),
        ("a", 2)
    );
    assert_snapshot!(refused(&mut play, "a"), @"a is not in doubt: an effect of the step is in flight");
    play.fails("a", ErrorKind::Forbidden);
    assert_snapshot!(refused(&mut play, "a"), @"a is not in doubt: the step has ended: failed");
    assert_eq!(
        play.tries_to_order(What::DecideRetry { step: "a".into() })
            .unwrap_err(),
        refused(&mut play, "a"),
        "a failed step is tried again by `retry`"
    );
}

#[test]
fn a_note_stands_in_the_journal_and_changes_nothing() {
    let mut play = Play::of(vec![step("a")]);
    let before = play.in_flight();
    play.orders(What::Note);
    assert_eq!(play.in_flight(), before);
    play.ok("a");
    assert_snapshot!(play.log(), @r"
    start a
    noted by ben: a test
    ok a
    end a Succeeded
    finished Recovered
    ");
    assert!(play.tries_to_order(What::Note).is_err(), "the run has ended");
}

/// A yes by this person, from the account of the one after them.
fn yes(by: &str, from: Option<&str>) -> Order {
    Order {
        by: by.into(),
        reason: "orders work".into(),
        what: What::Answer {
            step: "go".into(),
            answer: Answer::Yes,
            role: Some("commander".into()),
        },
        seen: None,
        from: from.map(|name| Operator {
            name: name.into(),
            host: "laptop".into(),
            pid: 7,
        }),
    }
}

/// `anna` on `laptop` began the run.
fn four_eyes() -> Play {
    let mut play = Play::of(vec![step("go").doing(vec![ask()])]);
    play.engine.beginning.plan.runbook.approvals.not_initiator = true;
    play
}

fn said(refused: &Refused) -> String {
    format!(
        "{}\nhint: {}",
        refused.message,
        refused.hint.as_deref().unwrap_or("-")
    )
}

#[test]
fn whoever_began_a_run_does_not_approve_it_by_name_or_by_account() {
    let play = four_eyes();
    let refused = play.engine.order(&yes("anna ", None)).unwrap_err();
    assert_snapshot!(said(&refused), @r"
    anna carries this run, and by the runbook another person has to approve it
    hint: these may, from an account of their own: ben (commander)
    ");
    let refused = play.engine.order(&yes("ben", Some("anna"))).unwrap_err();
    assert_snapshot!(said(&refused), @r"
    this answer comes from the account that carries the run (anna on laptop), and by the runbook another person has to approve it
    hint: these may, from an account of their own: ben (commander)
    ");
    assert!(play.engine.order(&yes("ben", Some("ben"))).is_ok());
    let no = What::Answer {
        step: "go".into(),
        answer: Answer::No,
        role: Some("commander".into()),
    };
    let no = Order {
        what: no,
        ..yes("anna", Some("anna"))
    };
    assert!(play.engine.order(&no).is_ok(), "anybody may stop it");
}

#[test]
fn whoever_began_a_run_takes_no_risk_in_it() {
    let steps = vec![
        step("fence"),
        step("go").needing(&[0]).doing(vec![accept(&["fence"])]),
    ];
    let mut play = Play::of(steps);
    play.engine.beginning.plan.runbook.approvals.not_initiator = true;
    play.ok("fence");
    let refused = play.engine.order(&yes("anna", Some("anna"))).unwrap_err();
    assert!(said(&refused).contains("anna carries this run"), "{refused}");
    assert!(play.engine.order(&yes("ben", Some("ben"))).is_ok());
}

#[test]
fn where_the_runbook_does_not_ask_for_it_one_person_is_enough() {
    let play = Play::of(vec![step("go").doing(vec![ask()])]);
    assert!(play.engine.order(&yes("anna", Some("anna"))).is_ok());
}

#[test]
fn whoever_took_the_run_up_carries_it_as_well() {
    let mut play = four_eyes();
    let resumed = crate::run::Event::Resumed {
        operator: yes("ben", Some("ben")).from.unwrap(),
    };
    play.engine.record(&resumed, 1).unwrap();
    let refused = play.engine.order(&yes("ben", Some("desk"))).unwrap_err();
    assert_snapshot!(said(&refused), @r"
    ben carries this run, and by the runbook another person has to approve it
    hint: somebody else has to say it, from an account of their own: lifeboat approve
    ");
}

#[test]
fn an_approval_is_of_one_plan_and_says_from_where_it_came() {
    let play = Play::of(vec![step("go").doing(vec![ask()])]);
    let digest = play.engine.beginning.digest.clone();
    let seen = |seen: &str| Order {
        seen: Some(seen.to_owned()),
        ..yes("ben", Some("ben"))
    };
    let refused = play.engine.order(&seen("7f3a91c2")).unwrap_err();
    assert!(refused.message.ends_with("and 7f3a91c2 was given"), "{refused}");
    assert!(play.engine.order(&seen("")).is_err());
    let event = play.engine.order(&seen(digest.short())).unwrap();
    let crate::run::Event::Answered { from, plan, by, .. } = event else {
        panic!("{event:?}")
    };
    assert_eq!(
        (by.as_str(), from.unwrap().name.as_str(), plan),
        ("ben", "ben", Some(digest))
    );
}
