//! Domain names in plans.

use super::*;

const MOVED: &str = r"    - name: both
      accept: { risk: split-brain, by: [lead] }
    - name: restore
      needs: [both]
      restore: { site: standby, from: vault, namespaces: [shop] }
    - name: up
      needs: [restore]
      wait: { site: standby, for: deployment/web, namespace: shop, condition: available }
    - name: sorry
      needs: [restore]
      modes: [failover, drill]
      dns: { server: corp, name: shop.acme.example, addresses: [203.0.113.9], ttl: 30s }
    - name: move
      needs: [up, sorry]
      modes: [failover, drill]
      dns: { server: corp, name: shop.acme.example, addresses: [198.51.100.7], wait_for_caches: true }
      timeout: 2h
";

fn lines(plan: &Plan, step: &str) -> Vec<String> {
    let step = plan.step(step).unwrap();
    let effects = step.effects.iter().chain(&step.undo);
    let mut lines: Vec<String> = effects.map(|effect| effect.meaning().line().what).collect();
    lines.extend(step.notes.iter().map(|note| format!("note: {note}")));
    lines
}

#[test]
fn a_second_change_begins_where_the_first_one_ends_and_knows_of_the_oldest_caches() {
    let plan = plan_with(MOVED, Mode::Failover, &Table::of(3)).unwrap();
    insta::assert_snapshot!(lines(&plan, "sorry").join("\n"), @"
    shop.acme.example  A 192.0.2.10 → A 203.0.113.9 (TTL 30s); caches may keep the old answer for 5m more
    shop.acme.example  A 203.0.113.9 → A 192.0.2.10 (TTL 5m); caches may keep the old answer for 30s more
    ");
    insta::assert_snapshot!(lines(&plan, "move").join("\n"), @"
    shop.acme.example  A 203.0.113.9 → A 198.51.100.7 (TTL 5m); caches may keep the old answer for 5m more
    5m for caches to forget where shop.acme.example led
    shop.acme.example  A 198.51.100.7 → A 203.0.113.9 (TTL 30s); caches may keep the old answer for 5m more
    ");
    let swaps: Vec<String> = plan.swaps().map(SwapRecords::change).collect();
    assert_eq!(
        swaps,
        ["shop.acme.example  A 192.0.2.10 → A 203.0.113.9"],
        "each name once"
    );
}

#[test]
fn a_drill_asks_what_was_seen_and_moves_nobody() {
    let plan = plan_with(MOVED, Mode::Drill, &Table::of(3)).unwrap();
    insta::assert_snapshot!(lines(&plan, "move").join("\n"), @"
    ask whether shop.acme.example  A 192.0.2.10 → A 198.51.100.7 would be taken
    0s for caches to forget where shop.acme.example led
    note: the DNS server is only asked whether it would; no customer is sent anywhere
    ");
    let changes = plan.steps.iter().flat_map(|step| &step.effects);
    let changes = changes.filter(|effect| matches!(effect, Effect::SwapRecords(swap) if !swap.only_ask));
    assert_eq!(changes.count(), 0);
}

#[test]
fn caches_that_outlive_the_recovery_are_said_and_a_wait_that_cannot_end_is_refused() {
    let slow = Table {
        ttl_s: 3600,
        ..Table::of(3)
    };
    let plan = plan_with(MOVED, Mode::Failover, &slow).unwrap();
    let warnings = plan
        .warnings
        .iter()
        .filter(|warning| warning.code == codes::SLOW_CACHES);
    let said: Vec<&str> = warnings.map(|warning| warning.message.as_str()).collect();
    insta::assert_snapshot!(said.join("\n"), @"caches may give the old answer of shop.acme.example for 1h after its change; the RTO is 30m");
    let hurried = MOVED.replace("      timeout: 2h\n", "");
    insta::assert_snapshot!(plan_with(&hurried, Mode::Failover, &slow).unwrap_err(), @"
    error[P016]: step `move` waits for 1h and has 10m
      --> shop.yaml:34:13
       |
    34 |     - name: move
       |             ^^^^ this step
       |
       = help: give it more: `timeout: …` at this step

    1 error in 1 file.
    ");
}

#[test]
fn a_name_that_was_changed_meanwhile_makes_the_plan_stale() {
    let plan = plan_with(MOVED, Mode::Failover, &Table::of(3)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let other = Table {
        ttl_s: 60,
        ..Table::of(3)
    };
    assert_eq!(runtime.block_on(changes(&plan, &Table::of(3))), []);
    let changed = runtime.block_on(changes(&plan, &other));
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert!(matches!(&changed[0].query, Query::Name { server, .. } if server == "corp"));
}
