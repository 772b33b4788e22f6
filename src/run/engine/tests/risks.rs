//! Rules for risks: asked where nothing is proved, and taken by nobody else's word.

use insta::assert_snapshot;

use super::super::{Sight, What};
use super::play::Play;
use crate::effect::ErrorKind;
use crate::plan::PlannedStep;
use crate::run::Answer;
use crate::run::testing::{accept, proof, step};

/// A fence, the risk of having none, and what must not begin before.
fn recovery(fence: PlannedStep) -> Vec<PlannedStep> {
    vec![
        fence,
        step("risk").needing(&[0]).doing(vec![accept(&["fence"])]),
        step("restore").needing(&[1]),
    ]
}

fn proves(play: &mut Play) {
    play.sees("fence", Sight::Performed(Ok(proof())));
}

fn answer(by_role: Option<&str>) -> What {
    What::Answer {
        step: "risk".into(),
        answer: Answer::Yes,
        role: by_role.map(str::to_owned),
    }
}

#[test]
fn nobody_is_asked_about_a_risk_that_a_fence_has_ruled_out() {
    let mut play = Play::of(recovery(step("fence")));
    proves(&mut play);
    play.ok("restore");
    assert_snapshot!(play.log(), @"
    start fence
    ok fence
    end fence Succeeded
    end risk skipped (not asked: fence proved: 0 pods run)
    start restore
    ok restore
    end restore Succeeded
    finished Recovered
    ");
}

#[test]
fn a_proof_counts_after_a_crash_as_before() {
    let mut play = Play::of(recovery(step("fence")));
    proves(&mut play);
    play.crash_and_resume();
    assert_eq!(play.in_flight(), "restore");
    assert_eq!(play.engine.questions().count(), 0);
}

#[test]
fn a_fence_without_proof_leaves_the_question_and_nothing_goes_on_without_the_answer() {
    for fence in [step("fence"), step("fence").left_out()] {
        let left_out = fence.part != crate::plan::Part::Done;
        let mut play = Play::of(recovery(fence));
        if !left_out {
            play.ok("fence");
        }
        assert_eq!(play.engine.questions().count(), 1, "left out: {left_out}");
        assert_eq!(play.in_flight(), "", "left out: {left_out}");
        for what in [
            What::Skip { step: "risk".into() },
            What::MarkDone { step: "risk".into() },
        ] {
            let refused = play.tries_to_order(what).unwrap_err();
            assert_eq!(
                refused,
                "risk is a risk (split-brain): it is taken by answering for it, or not at all"
            );
        }
        assert!(play.tries_to_order(answer(None)).is_err(), "without a role");
        assert_eq!(play.in_flight(), "", "left out: {left_out}");
        play.orders(answer(Some("commander")));
        // It paused over the question.
        play.crash_and_resume();
        assert_eq!(play.in_flight(), "restore", "left out: {left_out}");
    }
}

#[test]
fn a_fence_that_failed_and_was_passed_by_proves_nothing() {
    for what in [
        What::Skip { step: "fence".into() },
        What::MarkDone { step: "fence".into() },
    ] {
        let mut play = Play::of(recovery(step("fence")));
        play.fails("fence", ErrorKind::Unreachable);
        play.orders(what);
        play.crash_and_resume();
        assert_eq!(play.engine.questions().count(), 1);
        assert_eq!(play.in_flight(), "");
    }
}

#[test]
fn every_fence_that_is_named_has_to_prove_it() {
    let mut play = Play::of(vec![
        step("fence"),
        step("other"),
        step("risk")
            .needing(&[0, 1])
            .doing(vec![accept(&["fence", "other"])]),
        step("restore").needing(&[2]),
    ]);
    proves(&mut play);
    play.ok("other");
    assert_eq!(play.engine.questions().count(), 1);
}
