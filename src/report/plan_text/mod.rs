//! A plan on a terminal: what would happen, wave by wave, and what it would cost.
//!
//! Shows what the plan says and no more. Whether rights are granted, for example, is not in a plan:
//! it is said only where somebody asked, in the preflight list.

mod facts;
mod objects;
mod rows;

pub use objects::plan_objects;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::forecast::Estimates;
use super::graph::Shape;
use super::lines::{clean, ends, hang, text};
use super::preflight::{self, Check};
use crate::plan::{Digest, Plan};
use crate::runbook::Mode;

/// What is needed besides the plan to draw it.
#[derive(Clone, Copy, Debug)]
pub struct PlanView<'a> {
    /// What ages are counted to.
    pub now: Timestamp,
    /// What earlier runs say of its steps.
    pub estimates: &'a Estimates,
    /// The command that runs exactly this plan, for the closing line.
    pub command: &'a str,
    /// Site → whether its API server refuses older epochs; empty where no epoch is held.
    pub fences: &'a BTreeMap<String, String>,
    /// The last look before anything is changed; empty where nobody took one.
    pub preflight: &'a [Check],
    /// Columns of the terminal; at least [`PlanView::NARROWEST`] are used.
    pub columns: usize,
}

impl PlanView<'_> {
    /// Below this a table has no room for what is done; lines that are cut by a narrower terminal
    /// are still whole when copied.
    pub const NARROWEST: usize = 60;
    /// What a terminal has that does not say.
    pub const USUAL: usize = 80;
}

/// The drawing, with a line break at its end.
pub fn plan_text(plan: &Plan, view: &PlanView<'_>) -> String {
    let columns = view.columns.max(PlanView::NARROWEST);
    let shape = Shape::of(plan);
    let mut out = vec![heading(plan, columns), String::new()];
    out.extend(rows::rows(plan, &shape, view.estimates, columns));
    out.push(String::new());
    out.extend(facts::facts(plan, &shape, view, columns));
    if !view.preflight.is_empty() {
        out.push("  Preflight".to_owned());
        out.extend(preflight::lines(view.preflight, columns));
    }
    out.push(String::new());
    out.extend(warnings(plan, columns));
    out.push(hang(
        "",
        &format!("Nothing was changed. Run it: {}", clean(view.command)),
        columns,
    ));
    out.push(LEGEND.to_owned());
    text(&out)
}

/// The alphabet, as [`crate::effect::Symbol`] draws it.
const LEGEND: &str = "+ create  ~ change  - delete  ! destructive  . observe  ? person  » skipped";

fn heading(plan: &Plan, columns: usize) -> String {
    let left = format!(
        "Plan  {} · {} · {}",
        clean(&plan.runbook.name),
        plan.mode,
        clean(&places(plan))
    );
    ends(&left, &format!("digest {}", spaced(&Digest::of(plan))), columns)
}

/// `east → west`; in a drill, where it happens.
pub(crate) fn places(plan: &Plan) -> String {
    let role = |name: &str| plan.roles.get(name).map(String::as_str);
    match (plan.mode, &plan.sandbox, role("active"), role("standby")) {
        (Mode::Drill, Some(sandbox), ..) => format!("on {}", sandbox.site),
        (_, _, Some(active), Some(standby)) => format!("{active} → {standby}"),
        _ => {
            let all: Vec<_> = plan
                .roles
                .iter()
                .map(|(role, site)| format!("{role} {site}"))
                .collect();
            all.join(", ")
        }
    }
}

/// The short digest in two groups, as people read it aloud.
pub(crate) fn spaced(digest: &Digest) -> String {
    let short = digest.short();
    let (head, tail) = short.split_at_checked(4).unwrap_or((short, ""));
    format!("{head} {tail}").trim_end().to_owned()
}

fn warnings(plan: &Plan, columns: usize) -> Vec<String> {
    let mut out = Vec::new();
    for warning in &plan.warnings {
        let label = format!("warning[{}]: ", clean(&warning.code));
        out.push(hang(&label, &format!("{}.", clean(&warning.message)), columns));
        out.extend(
            warning
                .hint
                .as_deref()
                .map(|hint| hang("  hint: ", &clean(hint), columns)),
        );
    }
    if !out.is_empty() {
        out.push(String::new());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect::{Fate, FateOf, Seen};
    use crate::objects::ObjectId;
    use crate::plan::Part;
    use crate::report::forecast::Expected;
    use crate::report::lines::width;
    use crate::report::sample;

    fn drawn(plan: &Plan, estimates: &Estimates) -> String {
        let view = PlanView {
            now: sample::now(),
            estimates,
            command: "lifeboat failover playbooks/shop --plan 7f3a91c2",
            fences: &BTreeMap::new(),
            preflight: &[],
            columns: PlanView::USUAL,
        };
        plan_text(plan, &view)
    }

    #[test]
    fn what_controllers_make_again_is_a_number_and_not_a_list() {
        let mut plan = sample::failover();
        for sighting in &mut plan.sightings {
            if let Seen::Restore(preview) = &mut sighting.seen {
                let again = "Deployment web makes it again";
                let skipped = |(kind, name, why): (&str, &str, &str)| FateOf {
                    fate: Fate::Skip,
                    id: ObjectId {
                        api_version: "v1".into(),
                        kind: kind.into(),
                        namespace: Some("shop".into()),
                        name: name.into(),
                    },
                    why: why.into(),
                    takes_from: Vec::new(),
                };
                let all = [
                    ("Pod", "one", again),
                    ("ConfigMap", "two", "it is another cluster's"),
                    ("EndpointSlice", "three", "it follows from its Service"),
                    ("Pod", "four", again),
                ];
                std::sync::Arc::make_mut(preview).fates = all.map(skipped).into_iter().collect();
            }
        }
        let words = drawn(&plan, &Estimates::default());
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = "skip ConfigMap shop/two: it is another cluster's skip what controllers make again: 1 EndpointSlice, 2 Pod";
        assert!(words.contains(told), "{words}");
        assert!(!words.contains("shop/one"), "{words}");
    }

    #[test]
    fn a_failover_with_history_is_drawn_as_promised() {
        let one = |(name, p50_ms): (&str, u64)| {
            (
                name.to_owned(),
                Expected {
                    p50_ms,
                    source: "3 drills".into(),
                },
            )
        };
        let known = [
            ("stop-active", 3_000),
            ("restore", 6_000),
            ("web-up", 20_000),
            ("answers", 2_000),
        ];
        insta::assert_snapshot!(drawn(&sample::failover(), &known.map(one).into()), @r#"
        Plan  shop · failover · east → west                             digest 24c3 8af4

          wave 1   ! stop-active  east    scale    Deployment shop/web  3 → 0
                                  p50 3 s (3 drills)
          wave 2   + restore      west    restore  shop-2026-11-22T2300 from vault into
                                  shop
                                  create 31, update 2, equal 0, refuse 0
                                  update ConfigMap shop/c0
                                  update ConfigMap shop/c1            p50 6 s (3 drills)
          wave 3   . web-up       west    wait     Deployment shop/web available (3
                                  replicas)                          p50 20 s (3 drills)
          wave 4   . answers              probe    GET
                                  https://west.acme.example/shop/healthz = 200
                                  p50 2 s (3 drills)
          wave 5   ? go           people  approve  "Send customers to west?"
                                  (incident-commander)
          not in this mode: capture (protect, switchover)

          Critical path  stop-active → restore → web-up → answers
                         expected 31 s, RTO 30 m                                      ok
          Data loss      backup shop-2026-11-22T2300 is 12 m 7 s old, verified
                         10 m 57 s ago; RPO 15 m                                      ok
          Destructive    1 (marked !)
          Undo           yes for stop-active; no for restore
          Permissions    east: needs 3 rules; not checked here
                         west: needs 2 rules, one of which covers every kind; not
                         checked here

        Nothing was changed. Run it: lifeboat failover playbooks/shop --plan 7f3a91c2
        + create  ~ change  - delete  ! destructive  . observe  ? person  » skipped
        "#);
    }

    #[test]
    fn a_drill_without_history_says_what_is_unknown_and_what_is_walled_in() {
        insta::assert_snapshot!(drawn(&sample::drill(), &Estimates::new()), @r#"
        Plan  shop · drill · on west                                    digest ab98 48a1

          wave 1   + drill:open       west    sandbox    shop-drill-4k2, default-deny
                                      egress
          wave 2   » stop-active      not done: it acts on east; a drill writes only on
                                      west
          wave 3   + restore          west    restore    shop-2026-11-22T2300 from vault
                                      into shop-drill-4k2
                                      create 31, update 0, equal 0, skip 2, refuse 0
                                      skip ConfigMap shop/c0
                                      skip ConfigMap shop/c1
                                      confined: shop becomes shop-drill-4k2; nothing
                                                cluster-scoped, CronJobs suspended, no
                                                LoadBalancer, NodePort or Ingress
          wave 4   . web-up           west    wait       Deployment shop-drill-4k2/web
                                      available (3 replicas)
          wave 5   . answers                  probe      GET
                                      https://west.acme.example/shop-drill-4k2/healthz =
                                      200
                                      confined: looks at the drill's own namespace
          wave 6   » go               not done: no person is asked in a drill
          at end   - drill:tear-down  west    tear down  shop-drill-4k2 and everything
                                      in it
          not in this mode: capture (protect, switchover)

          Critical path  drill:open → restore → web-up → answers
                         expected time unknown (no history of 4 steps), RTO
                         30 m                                                    unknown
          Data loss      backup shop-2026-11-22T2300 is 12 m 7 s old, verified
                         10 m 57 s ago; RPO 15 m                                      ok
          Destructive    nothing
          Undo           the drill's namespaces are removed at the end, with all that is
                         in them
          Permissions    west: needs 4 rules, one of which covers every kind; not
                         checked here

        warning[P101]: egress is closed by NetworkPolicy; whether the site's network
                       enforces it is not proved.
          hint: make sure that the standby's network plugin enforces NetworkPolicy

        Nothing was changed. Run it: lifeboat failover playbooks/shop --plan 7f3a91c2
        + create  ~ change  - delete  ! destructive  . observe  ? person  » skipped
        "#);
    }

    #[test]
    fn nothing_is_wider_than_the_terminal_even_with_hostile_names() {
        let crate::run::Event::Began(begun) = &sample::hostile()[0].event else {
            panic!()
        };
        for plan in [&begun.plan, &sample::mesh(40)] {
            let text = drawn(plan, &Estimates::new());
            assert!(text.lines().all(|line| width(line) <= 80), "{text}");
            assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text}");
        }
    }

    #[test]
    fn a_plan_without_a_proof_of_health_is_never_ok() {
        let mut plan = sample::failover();
        for step in &mut plan.steps {
            if step.proves_health {
                step.part = Part::Skipped("left out for this test".into());
            }
        }
        let text = drawn(&plan, &Estimates::new());
        let line = text.lines().find(|line| line.contains("proves health")).unwrap();
        assert!(!line.ends_with("ok") && text.contains("unproved"), "{text}");
    }
}
