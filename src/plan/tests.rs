//! The planner against a world that is a table of answers.

mod fencing;
mod names;
mod table;

use std::collections::BTreeMap;

use self::table::Table;
use super::*;
use crate::effect::*;
use crate::runbook::{self, OnFailure, Runbook, Sites};
use crate::step::{self, KINDS, kind_names};
use crate::text::{Diagnostics, Sources};

const HEAD: &str = r#"apiVersion: lifeboat.dev/v1alpha1
kind: Sites
metadata: { name: acme }
spec:
  sites:
    east: { embedded: {}, values: { front: "http://east" } }
    west: { embedded: {}, values: { front: "http://west" } }
  stores:
    vault: { directory: vault }
    usb: { directory: usb }
  dns: { corp: { embedded: {}, zones: [acme.example] } }
---
apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: { name: shop }
spec:
  title: Shop
  owner: { team: commerce }
  objectives: { rto: 30m, rpo: 15m }
  roles: { active: east, standby: west }
  steps:
"#;

const SHOP: &str = r#"    - name: capture
      modes: [protect, switchover]
      backup: { site: active, namespaces: [shop], to: vault }
    - name: stop-active
      needs: [capture]
      modes: [switchover, failover, failback]
      ungraceful: skip
      scale: { site: active, namespace: shop, selector: { app: web }, replicas: 0 }
    - name: both
      needs: [stop-active]
      modes: [switchover, failover, failback]
      accept: { risk: split-brain, by: [lead], question: both may write? }
    - name: restore
      needs: [both]
      restore: { site: standby, from: vault, namespaces: [shop] }
    - name: up
      needs: [restore]
      wait: { site: standby, for: deployment/web, namespace: shop, condition: available }
    - name: answers
      needs: [up]
      probe: { http: "${sites.standby.front}/${namespaces.shop}/healthz" }
"#;

/// Plans, or gives all that stands against it, drawn.
fn plan_with(steps: &str, mode: Mode, table: &Table) -> Result<Plan, String> {
    let mut sources = Sources::default();
    let id = sources.add("shop.yaml", format!("{HEAD}{steps}"));
    let loaded = runbook::load(&sources, &[id], &kind_names(KINDS));
    assert_eq!(loaded.diagnostics.render(&sources, false), "");
    let (runbook, sites) = (loaded.runbook.unwrap(), loaded.sites.unwrap());
    compiled(&runbook, &sites, mode, None, table).map_err(|found| found.render(&sources, false))
}

fn compiled(
    runbook: &Runbook,
    sites: &Sites,
    mode: Mode,
    bound: Option<&step::Bound>,
    table: &Table,
) -> Result<Plan, Diagnostics> {
    let request = Request {
        runbook,
        sites,
        mode,
        inputs: &BTreeMap::new(),
        id: "4k2w",
        kinds: KINDS,
        bound,
        look: Look::Closely,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(compile(&request, table))
}

#[test]
fn steps_that_were_read_by_checking_give_the_plan_that_reading_them_again_gives() {
    let mut sources = Sources::default();
    let id = sources.add("shop.yaml", format!("{HEAD}{SHOP}"));
    let loaded = runbook::load(&sources, &[id], &kind_names(KINDS));
    let (checked, bound) = step::check(loaded, KINDS);
    let (runbook, sites, bound) = (checked.runbook.unwrap(), checked.sites.unwrap(), bound.unwrap());
    let table = Table::of(3);
    for mode in Mode::ALL {
        let planned = |bound| compiled(&runbook, &sites, mode, bound, &table).unwrap();
        let (again, kept) = (planned(None), planned(Some(&bound)));
        assert_eq!(again, kept, "{mode}");
    }
    let swapped = runbook::swapped(runbook.sites_by_role());
    assert!(
        !bound.is_with(&swapped, &runbook.sample_inputs()),
        "a failback has other sites"
    );
}

fn plan(mode: Mode) -> Plan {
    plan_with(SHOP, mode, &Table::of(3)).unwrap()
}

fn outline(plan: &Plan) -> String {
    let line = |(at, step): (usize, &PlannedStep)| {
        let part = match &step.part {
            Part::Done => String::new(),
            Part::Skipped(why) => format!(" » {why}"),
        };
        let effects: Vec<_> = step
            .effects
            .iter()
            .map(|effect| effect.meaning().line().what)
            .collect();
        format!(
            "{at} {} {:?} {}{part}\n",
            step.name,
            step.needs,
            effects.join(" | ")
        )
    };
    plan.steps.iter().enumerate().map(line).collect()
}

#[test]
fn a_drill_is_framed_and_confined() {
    insta::assert_snapshot!(outline(&plan(Mode::Drill)), @r"
    0 drill:open [] shop-drill-4k2w, default-deny egress
    1 restore [0] shop-2026 from vault into shop-drill-4k2w
    2 up [1] Deployment shop-drill-4k2w/web available
    3 answers [2] GET http://west/shop-drill-4k2w/healthz = 200
    4 drill:tear-down [] shop-drill-4k2w and everything in it
    ");
}

#[test]
fn a_drill_renames_what_the_failover_renames() {
    let moved = SHOP
        .replace(
            "namespaces: [shop] }\n    - name: up",
            "namespaces: [shop], map: { namespaces: { shop: shop-eu } } }\n    - name: up",
        )
        .replace("namespace: shop, condition", "namespace: shop-eu, condition")
        .replace("${namespaces.shop}", "${namespaces.shop-eu}");
    let planned = |mode| outline(&plan_with(&moved, mode, &Table::of(3)).unwrap());
    insta::assert_snapshot!(planned(Mode::Drill), @r"
    0 drill:open [] shop-eu-drill-4k2w, default-deny egress
    1 restore [0] shop-2026 from vault into shop-eu-drill-4k2w, changed on the way (1 name mapped)
    2 up [1] Deployment shop-eu-drill-4k2w/web available
    3 answers [2] GET http://west/shop-eu-drill-4k2w/healthz = 200
    4 drill:tear-down [] shop-eu-drill-4k2w and everything in it
    ");
    insta::assert_snapshot!(planned(Mode::Failover), @r#"
    0 stop-active [] Deployment shop/web  3 → 0
    1 both [0] split-brain: "both may write?"  (lead)
    2 restore [1] shop-2026 from vault into shop-eu, changed on the way (1 name mapped)
    3 up [2] Deployment shop-eu/web available
    4 answers [3] GET http://west/shop-eu/healthz = 200
    "#);
    // What keeps the old name in another step is not part of the drill.
    let old = moved.replace("namespace: shop-eu, condition", "namespace: shop, condition");
    let found = plan_with(&old, Mode::Drill, &Table::of(3)).unwrap_err();
    assert!(
        found.contains("namespace shop is not part of this drill"),
        "{found}"
    );
}

#[test]
fn what_is_stopped_for_a_backup_is_started_again_from_there_and_at_the_end() {
    let quiesced = "    - name: quiet
      modes: [protect]
      scale: { site: active, namespace: shop, name: web, replicas: 0 }
    - name: loud
      modes: [protect]
      finally: true
      scale: { site: active, namespace: shop, name: web, replicas: 3 }
    - name: keep
      modes: [protect]
      needs: [quiet]
      backup: { site: active, namespaces: [shop], to: vault }
";
    let plan = plan_with(quiesced, Mode::Protect, &Table::of(3)).unwrap();
    insta::assert_snapshot!(outline(&plan), @"
    0 quiet [] Deployment shop/web  3 → 0
    1 loud [] Deployment shop/web  0 → 3
    2 keep [0] namespaces shop into vault
    ");
    let loud = plan.steps.iter().find(|step| step.name == "loud").unwrap();
    assert!(loud.last && loud.undo.is_empty());
}

#[test]
fn a_switchover_restores_the_backup_that_it_makes() {
    insta::assert_snapshot!(outline(&plan(Mode::Switchover)), @r#"
    0 capture [] namespaces shop into vault
    1 stop-active [0] Deployment shop/web  3 → 0
    2 both [1] split-brain: "both may write?"  (lead)
    3 restore [2] ${steps.capture.backup} from vault into shop
    4 up [3] Deployment shop/web available
    5 answers [4] GET http://west/shop/healthz = 200
    "#);
}

#[test]
fn a_failover_bridges_the_step_that_takes_no_part() {
    let plan = plan(Mode::Failover);
    insta::assert_snapshot!(outline(&plan), @r#"
    0 stop-active [] Deployment shop/web  3 → 0
    1 both [0] split-brain: "both may write?"  (lead)
    2 restore [1] shop-2026 from vault into shop
    3 up [2] Deployment shop/web available
    4 answers [3] GET http://west/shop/healthz = 200
    "#);
    assert_eq!(plan.left_out[0].step, "capture");
}

#[test]
fn a_failback_is_the_same_with_the_roles_swapped() {
    let plan = plan(Mode::Failback);
    let stop = plan.step("stop-active").unwrap();
    let restore = plan.step("restore").unwrap();
    assert_eq!(stop.effects[0].meaning().site(), Some("west"));
    assert_eq!(restore.effects[0].meaning().site(), Some("east"));
    assert!(
        plan.step("answers").unwrap().effects[0]
            .meaning()
            .line()
            .what
            .contains("http://east/shop/")
    );
}

#[test]
fn equal_worlds_give_equal_digests_and_another_world_another_one() {
    let digest = |replicas| Digest::of(&plan_with(SHOP, Mode::Failover, &Table::of(replicas)).unwrap());
    assert_eq!(digest(3), digest(3));
    assert_ne!(digest(3), digest(2));
}

#[test]
fn a_plan_survives_its_own_json() {
    for mode in Mode::ALL {
        let plan = plan(mode);
        let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        assert_eq!((Digest::of(&again), &again), (Digest::of(&plan), &plan));
    }
}

#[test]
fn a_silent_active_side_is_left_out_where_the_runbook_says_so_and_refuses_where_it_does_not() {
    let table = || Table {
        silent: vec!["east"],
        ..Table::of(3)
    };
    let plan = plan_with(SHOP, Mode::Failover, &table()).unwrap();
    insta::assert_snapshot!(format!("{:?}", plan.step("stop-active").unwrap().part), @"Skipped(\"east is unreachable (connection refused); that is not the same as down\")");
    assert!(
        plan.warnings
            .iter()
            .any(|warning| warning.code == codes::LEFT_OUT_SILENT)
    );
    let strict = SHOP.replace("      ungraceful: skip\n", "");
    insta::assert_snapshot!(plan_with(&strict, Mode::Failover, &table()).unwrap_err(), @r"
    error[P010]: step `stop-active` needs east, which did not answer: connection refused
      --> shop.yaml:25:13
       |
    25 |     - name: stop-active
       |             ^^^^^^^^^^^ this step
       |
       = help: unreachable is not the same as down; to go on without this step write `ungraceful: skip` at it

    1 error in 1 file.
    ");
}

#[test]
fn a_silent_active_side_does_not_concern_a_drill() {
    let everywhere = SHOP.replacen(
        "modes: [switchover, failover, failback]",
        "modes: [drill, failover]",
        1,
    );
    let table = Table {
        silent: vec!["east"],
        ..Table::of(3)
    };
    let plan = plan_with(&everywhere, Mode::Drill, &table).unwrap();
    assert!(
        matches!(&plan.step("stop-active").unwrap().part, Part::Skipped(why) if why.contains("not the same as down"))
    );
}

#[test]
fn a_silent_standby_refuses_every_recovery() {
    for mode in [Mode::Drill, Mode::Switchover, Mode::Failover] {
        let table = Table {
            silent: vec!["west"],
            ..Table::of(3)
        };
        let found = plan_with(SHOP, mode, &table).unwrap_err();
        assert!(
            found.contains("error[P010]") && found.contains("connection refused"),
            "{mode}: {found}"
        );
    }
}

#[test]
fn what_cannot_be_confined_refuses_the_drill_at_the_step() {
    let leaks = SHOP.replace("/${namespaces.shop}/healthz", "/healthz");
    insta::assert_snapshot!(plan_with(&leaks, Mode::Drill, &Table::of(3)).unwrap_err(), @r"
    error[P022]: step `answers` cannot be kept inside a drill: in a drill this probe would look at production and prove nothing about the recovery
      --> shop.yaml:40:13
       |
    40 |     - name: answers
       |             ^^^^^^^ this step
       |
       = help: name the namespace in the address with `${namespaces.<name>}`, or write `drill: skip` or `drill: as-is` at this step

    1 error in 1 file.
    ");
    for way in ["skip", "as-is"] {
        let told = leaks.replace("      probe:", &format!("      drill: {way}\n      probe:"));
        plan_with(&told, Mode::Drill, &Table::of(3)).unwrap();
    }
    let changes = SHOP.replace("      restore:", "      drill: as-is\n      restore:");
    assert!(
        plan_with(&changes, Mode::Drill, &Table::of(3))
            .unwrap_err()
            .contains("error[P021]")
    );
}

#[test]
fn objects_that_cannot_be_restored_refuse_the_plan_by_name() {
    let table = Table {
        refused: true,
        ..Table::of(3)
    };
    insta::assert_snapshot!(plan_with(SHOP, Mode::Failover, &table).unwrap_err(), @"
    error[P012]: step `restore` cannot restore 1 of 1 objects
      --> shop.yaml:34:13
       |
    34 |     - name: restore
       |             ^^^^^^^ this step
       |
       = help: Deployment shop/web: its kind is not served
       = help: mend the standby, name in `allow` what may give power, or leave these kinds out with `exclude`

    1 error in 1 file.
    ");
}

fn restored(plan: &Plan) -> &RestoreObjects {
    let effect = &plan.step("restore").unwrap().effects[0];
    match effect {
        Effect::RestoreObjects(restore) => restore,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_may_be_deleted_is_pinned_by_what_the_plan_showed() {
    let steps = SHOP.replace(
        "namespaces: [shop] }\n    - name: up",
        "namespaces: [shop], existing: prune }\n    - name: up",
    );
    let plan = plan_with(&steps, Mode::Failover, &Table::of(3)).unwrap();
    let restore = restored(&plan);
    assert!(
        restore.may_prune("uid-of-a-stranger")
            && !restore.may_prune("another")
            && !restore.may_replace("another")
    );
    assert!(
        restored(&self::plan(Mode::Failover)).shown.is_none(),
        "what deletes nothing pins nothing"
    );
    let drill = plan_with(&steps, Mode::Drill, &Table::of(3)).unwrap();
    assert!(restored(&drill).shown.is_none());
    let codes = |plan: &Plan| {
        plan.warnings
            .iter()
            .map(|one| one.code.clone())
            .collect::<Vec<_>>()
    };
    assert!(!codes(&plan).contains(&codes::NOT_SHOWN.to_owned()));
    // The preview is found by its question, which must not change with its answer.
    let question = Effect::RestoreObjects(restore.clone()).meaning().preview();
    assert!(
        plan.sightings
            .iter()
            .any(|one| Some(&one.query) == question.as_ref())
    );
}

#[test]
fn a_prune_by_a_backup_that_is_still_to_be_made_is_said_to_do_nothing() {
    let steps = SHOP.replace(
        "namespaces: [shop] }\n    - name: up",
        "namespaces: [shop], existing: prune }\n    - name: up",
    );
    let plan = plan_with(&steps, Mode::Switchover, &Table::of(3)).unwrap();
    assert!(restored(&plan).shown.is_none());
    let said = plan
        .warnings
        .iter()
        .find(|one| one.code == codes::NOT_SHOWN)
        .unwrap();
    insta::assert_snapshot!(said.message, @"restore restores a backup that is still to be made: what it would prune cannot be shown, so it prunes nothing");
}

#[test]
fn nobody_is_left_waiting_over_a_half_done_drill() {
    for step in plan(Mode::Drill).steps {
        assert_ne!(step.policy.on_failure, OnFailure::Pause, "{}", step.name);
        assert!(step.undo.is_empty());
    }
}

#[test]
fn a_plan_is_stale_when_an_answer_has_changed_and_only_then() {
    let plan = plan(Mode::Failover);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let now = |table: &Table| runtime.block_on(changes(&plan, table));
    assert_eq!(now(&Table::of(3)), []);
    let changed = now(&Table::of(2));
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert!(matches!(&changed[0].query, Query::Workloads { .. }));
    let silent = now(&Table {
        silent: vec!["west"],
        ..Table::of(3)
    });
    assert!(
        silent
            .iter()
            .all(|change| matches!(change.now, Seen::Unanswered(_)))
            && !silent.is_empty()
    );
}

#[test]
fn every_question_is_asked_once() {
    let table = Table::of(3);
    plan_with(SHOP, Mode::Drill, &table).unwrap();
    let mut asked = table.asked.into_inner().unwrap();
    let all = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), all);
}

#[test]
fn a_long_namespace_still_gives_a_dns_label() {
    let long = format!("{}-x", "n".repeat(58));
    let steps = SHOP.replace("shop", &long);
    let plan = plan_with(&steps, Mode::Drill, &Table::of(3)).unwrap();
    let sandbox = plan.sandbox.unwrap();
    let inside = &sandbox.namespaces[&long];
    assert!(inside.len() <= 63 && inside.ends_with("-drill-4k2w"), "{inside}");
}
