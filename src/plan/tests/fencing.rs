//! Fences and risks in plans.

use super::*;

const FENCED: &str = r"    - name: stop-active
      ungraceful: skip
      fence: { site: active, namespaces: [shop] }
    - name: risk
      needs: [stop-active]
      accept: { risk: split-brain, by: [lead], unless_proved: [stop-active] }
    - name: restore
      needs: [risk]
      restore: { site: standby, from: vault, namespaces: [shop] }
    - name: let-go
      needs: [restore]
      unfence: { site: standby, namespaces: [shop] }
    - name: up
      needs: [let-go]
      wait: { site: standby, for: deployment/web, namespace: shop, condition: available }
";

fn planned(mode: Mode, table: &Table) -> Plan {
    plan_with(FENCED, mode, table).unwrap()
}

/// What takes a step back.
fn undo(plan: &Plan, step: &str) -> Vec<String> {
    let line = |effect: &Effect| {
        let line = effect.meaning().line();
        format!("{} {} {}", line.place, line.verb, line.what)
    };
    plan.step(step).unwrap().undo.iter().map(line).collect()
}

#[test]
fn a_failover_fences_first_and_lets_go_last() {
    let plan = planned(Mode::Failover, &Table::of(3));
    insta::assert_snapshot!(outline(&plan), @r#"
    0 stop-active [] shop: stop every pod, refuse new ones
    1 risk [0] split-brain: "Nothing proves that the side which served until now has stopped. Do you answer for it that both may write?"  (lead)  unless proved by stop-active
    2 restore [1] shop-2026 from vault into shop
    3 let-go [2] shop: take new pods again | shop: controllers of workloads that lack pods
    4 up [3] Deployment shop/web available
    "#);
    assert_eq!(
        undo(&plan, "stop-active"),
        [
            "east let go shop: take new pods again",
            "east wake shop: controllers of workloads that lack pods"
        ]
    );
    assert_eq!(undo(&plan, "let-go"), <[&str; 0]>::default(), "nothing held it");
}

#[test]
fn a_failback_fences_the_other_side_and_lets_go_the_one_that_was_fenced() {
    let table = Table {
        held: vec!["east"],
        ..Table::of(3)
    };
    let plan = planned(Mode::Failback, &table);
    let site = |step: &str| {
        plan.step(step).unwrap().effects[0]
            .meaning()
            .site()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        (site("stop-active"), site("let-go")),
        ("west".to_owned(), "east".to_owned())
    );
    assert_eq!(
        undo(&plan, "let-go"),
        ["east hold shop: stop every pod, refuse new ones"]
    );
}

#[test]
fn what_somebody_else_holds_is_not_let_go_by_an_undo() {
    let table = Table {
        held: vec!["east"],
        ..Table::of(3)
    };
    assert_eq!(
        undo(&planned(Mode::Failover, &table), "stop-active"),
        <[&str; 0]>::default()
    );
}

#[test]
fn a_drill_fences_nobody_and_asks_nobody() {
    insta::assert_snapshot!(outline(&planned(Mode::Drill, &Table::of(3))), @r#"
    0 drill:open [] shop-drill-4k2w, default-deny egress
    1 stop-active [0] shop: stop every pod, refuse new ones » it acts on east; a drill writes only on west
    2 risk [1] split-brain: "Nothing proves that the side which served until now has stopped. Do you answer for it that both may write?"  (lead)  unless proved by stop-active » no person is asked in a drill
    3 restore [2] shop-2026 from vault into shop-drill-4k2w
    4 let-go [3] shop: take new pods again | shop: controllers of workloads that lack pods » a drill has namespaces of its own, which nothing holds
    5 up [4] Deployment shop-drill-4k2w/web available
    6 drill:tear-down [] shop-drill-4k2w and everything in it
    "#);
}

#[test]
fn a_silent_side_is_not_fenced_and_the_question_stays() {
    let table = Table {
        silent: vec!["east"],
        ..Table::of(3)
    };
    let plan = planned(Mode::Failover, &table);
    insta::assert_snapshot!(format!("{:?}", plan.step("stop-active").unwrap().part), @r#"Skipped("east is unreachable (connection refused); that is not the same as down")"#);
    let risk = plan.step("risk").unwrap();
    assert_eq!((&risk.part, risk.effects.len()), (&Part::Done, 1));
}

#[test]
fn a_namespace_that_is_not_there_cannot_be_held() {
    let steps = FENCED.replace(
        "fence: { site: active, namespaces: [shop] }",
        "fence: { site: active, namespaces: [shop, shp] }",
    );
    insta::assert_snapshot!(plan_with(&steps, Mode::Failover, &Table::of(3)).unwrap_err(), @r"
    error[P011]: step `stop-active` cannot be planned: there is no namespace shp on east
      --> shop.yaml:22:13
       |
    22 |     - name: stop-active
       |             ^^^^^^^^^^^ this step
       |
       = help: compare the name with what is there; one that is not there cannot be held

    1 error in 1 file.
    ");
}

#[test]
fn a_hold_asks_for_the_rights_that_it_needs_and_for_no_other() {
    let plan = planned(Mode::Failover, &Table::of(3));
    let rights = |step: &str| {
        let rights = plan.step(step).unwrap().effects[0].meaning().permissions();
        let line = |right: Permission| {
            let place = right
                .namespace
                .map_or_else(String::new, |name| format!(" in {name}"));
            format!("{} {}{place}", right.verb, right.resource)
        };
        rights.into_iter().map(line).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(rights("stop-active"), @r"
    get validatingadmissionpolicies
    create validatingadmissionpolicies
    patch validatingadmissionpolicies
    get validatingadmissionpolicybindings
    create validatingadmissionpolicybindings
    patch validatingadmissionpolicybindings
    get namespaces
    patch namespaces
    list pods in shop
    create pods in shop
    delete pods in shop
    ");
    insta::assert_snapshot!(rights("let-go"), @r"
    get namespaces
    patch namespaces
    create pods in shop
    ");
}
