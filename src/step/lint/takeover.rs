//! Nothing takes over from a side that may still write: in every recovery, a step that restores for production on
//! the standby or sends customers there comes after a fence of the active side, or after a person who answers for it.
//!
//! ## Why
//!
//! - **By mode**, because a step that takes no part in a recovery protects nobody in it.
//! - **A fence that may be left out or may fail without consequence is no fence**: with `ungraceful: skip` or
//!   `on_failure: continue` the run would go on past it. Then the acceptance has to be there too, and is asked for
//!   only if the proof is missing.
//! - **A size of 0 is no fence.** Whoever sets it back, a person, a controller or a GitOps tool, starts it again.

use std::collections::BTreeMap;

use crate::effect::Hazard;
use crate::runbook::{ACTIVE, OnFailure, STANDBY, Step, TAKEOVERS, Ungraceful};
use crate::step::names::Names;
use crate::text::{Diagnostic, Diagnostics, codes, quote};

const FENCE: &str = "fence";
const UNFENCE: &str = "unfence";
const ACCEPT: &str = "accept";
const SCALE: &str = "scale";

/// One bit for each of [`TAKEOVERS`].
type Modes = u8;

pub(super) fn check(names: &Names<'_>, found: &mut Diagnostics) {
    let runbook = names.runbook;
    if !runbook.roles.contains_key(ACTIVE) {
        return;
    }
    let taking = |step: &&Step| takes_over(names, step) && modes(step) != 0;
    let taking: Vec<&Step> = runbook.steps.iter().filter(taking).collect();
    if taking.is_empty() {
        return;
    }
    let safe = safe(names);
    for step in &taking {
        let place = names.place(&step.name.value);
        let open = modes(step) & !place.map_or(0, |at| safe[at]);
        if open != 0 {
            found.push(unsafe_step(names, step, open));
        }
    }
    if let Some(doubt) = still_held(names, &taking) {
        found.push(doubt);
    }
}

/// The recoveries in which a step takes part.
fn modes(step: &Step) -> Modes {
    let bits = TAKEOVERS.iter().enumerate();
    bits.filter(|(_, mode)| step.modes.contains(mode))
        .fold(0, |all, (bit, _)| all | 1 << bit)
}

fn role(step: &Step) -> Option<&str> {
    step.params.get("site").and_then(crate::text::Node::as_str)
}

/// By the site that it names; where it names none, by the sites whose values it uses: what uses none may lead anywhere.
pub(super) fn takes_over(names: &Names<'_>, step: &Step) -> bool {
    let Some(kind) = names.kinds.get(step.kind.value.as_str()) else {
        return false;
    };
    let does = kind
        .takes_over_with
        .is_none_or(|key| step.params.get(key).is_some());
    kind.takes_over && does && leads_to_standby(names, step)
}

fn leads_to_standby(names: &Names<'_>, step: &Step) -> bool {
    if let Some(role) = role(step) {
        return role == STANDBY;
    }
    let roles = super::dns::leads_to(names, step);
    roles.is_empty() || roles.contains(STANDBY)
}

/// Whether nothing after this step begins unless the active side has stopped or a person answers for it.
fn protects(step: &Step) -> bool {
    match step.kind.value.as_str() {
        FENCE => {
            role(step) == Some(ACTIVE)
                && step.ungraceful == Ungraceful::Refuse
                && step.policy.on_failure != OnFailure::Continue
        }
        ACCEPT => {
            let risk = step.params.get("risk").and_then(crate::text::Node::as_str);
            risk == Some(Hazard::SplitBrain.word()) && step.policy.on_failure != OnFailure::Continue
        }
        _ => false,
    }
}

/// For each step the recoveries in which something before it protects it. Handed on from need to dependent until
/// nothing changes, which ends because bits are only added; a circle of needs is somebody else's to tell.
fn safe(names: &Names<'_>) -> Vec<Modes> {
    let steps = &names.runbook.steps;
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    for (at, step) in steps.iter().enumerate() {
        for need in step.needs.iter().filter_map(|need| names.place(&need.value)) {
            dependents[need].push(at);
        }
    }
    let own: Vec<Modes> = steps
        .iter()
        .map(|step| if protects(step) { modes(step) } else { 0 })
        .collect();
    let mut safe: Vec<Modes> = vec![0; steps.len()];
    let mut open: Vec<usize> = (0..steps.len()).filter(|&at| own[at] != 0).collect();
    while let Some(at) = open.pop() {
        let hands_on = own[at] | safe[at];
        for &next in &dependents[at] {
            if hands_on & !safe[next] != 0 {
                safe[next] |= hands_on;
                open.push(next);
            }
        }
    }
    safe
}

fn unsafe_step(names: &Names<'_>, step: &Step, open: Modes) -> Diagnostic {
    let words: Vec<&str> = TAKEOVERS
        .iter()
        .enumerate()
        .filter(|(bit, _)| open & (1 << bit) != 0)
        .map(|(_, mode)| mode.word())
        .collect();
    let message = format!(
        "{} takes over in {} while nothing shows that the active side has stopped",
        quote(&step.name.value),
        words.join(", ")
    );
    let label = "no `fence` or `accept` comes before it";
    let mut diagnostic = Diagnostic::error(codes::NOT_FENCED, message, step.name.span, label);
    for (name, why) in nearly(names, step) {
        diagnostic = diagnostic.help(format!("{} is no fence: {why}", quote(name)));
    }
    diagnostic
        .help("let it need a step such as `fence: { site: active, namespaces: [shop] }`")
        .help("if that may be missing, also `accept: { risk: split-brain, by: [<role>], unless_proved: [<the fence>] }`")
}

/// Steps before this one that look like a fence, and why they are none.
fn nearly<'a>(names: &Names<'a>, step: &Step) -> BTreeMap<&'a str, &'static str> {
    let before = names.come_before([step]);
    let steps = names.runbook.steps.iter().zip(before);
    let steps = steps.filter(|(_, before)| *before).map(|(step, _)| step);
    let why = |step: &'a Step| {
        let of_active = role(step) == Some(ACTIVE);
        let why = match step.kind.value.as_str() {
            FENCE if of_active && step.ungraceful == Ungraceful::Skip => {
                "`ungraceful: skip` leaves it out where its site does not answer"
            }
            FENCE if of_active && step.policy.on_failure == OnFailure::Continue => {
                "`on_failure: continue` goes on when it fails"
            }
            SCALE if of_active => {
                "a person, a controller or a GitOps tool scales it up again, and nothing refuses that"
            }
            _ => return None,
        };
        Some((step.name.value.as_str(), why))
    };
    steps.filter_map(why).collect()
}

/// The way back leads to a site that a failover has fenced.
fn still_held(names: &Names<'_>, taking: &[&Step]) -> Option<Diagnostic> {
    let steps = &names.runbook.steps;
    let is = |step: &Step, kind: &str, of: &str| step.kind.value == kind && role(step) == Some(of);
    let held = steps.iter().any(|step| is(step, FENCE, ACTIVE));
    let returns = |step: &Step| step.modes.iter().any(|mode| mode.goes_back());
    let let_go = |step: &Step| is(step, UNFENCE, STANDBY) && returns(step);
    let back = taking.iter().find(|step| returns(step))?;
    if !held || steps.iter().any(let_go) {
        return None;
    }
    let message = format!(
        "a failback brings {} to a site whose pods are still refused",
        quote(&back.name.value)
    );
    let diagnostic = Diagnostic::warning(
        codes::STILL_HELD,
        message,
        back.name.span,
        "the failover before it has fenced that site",
    );
    Some(diagnostic.help("add a step such as `unfence: { site: standby, namespaces: [shop] }` after it"))
}

#[cfg(test)]
mod tests {
    use crate::runbook::load;
    use crate::step::{KINDS, check, kind_names};
    use crate::text::Sources;

    const HEAD: &str = "\
apiVersion: lifeboat.dev/v1alpha1
kind: Sites
metadata: { name: acme }
spec:
  sites: { east: { embedded: {} }, west: { embedded: {} } }
  stores: { vault: { directory: vault } }
---
apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: { name: shop }
spec:
  title: Shop
  owner: { team: commerce }
  objectives: { rto: 30m, rpo: 15m }
  roles: { active: east, standby: west }
  people: { lead: [anna] }
  steps:
";
    /// A restore that needs the step before it, and what follows it.
    const RESTORE: &str = "
    - { name: restore, needs: [before], restore: { site: standby, from: vault, namespaces: [shop] } }
    - { name: let-go, needs: [restore], unfence: { site: standby, namespaces: [shop] } }
    - { name: up, needs: [let-go], wait: { site: standby, for: deployment/web, namespace: shop, condition: available } }";
    const FENCE: &str = "fence: { site: active, namespaces: [shop] }";

    fn checked(steps: &str) -> String {
        let mut sources = Sources::default();
        let id = sources.add("shop.yaml", format!("{HEAD}    {}\n", steps.trim()));
        let loaded = load(&sources, &[id], &kind_names(KINDS));
        check(loaded, KINDS).0.diagnostics.render(&sources, false)
    }

    fn after(before: &str) -> String {
        checked(&format!("- {{ name: before, {before} }}{RESTORE}"))
    }

    #[test]
    fn a_restore_on_the_standby_without_a_fence_is_refused_where_it_stands() {
        insta::assert_snapshot!(after("pause: { for: 1s, reason: a test }"), @r"
        error[L050]: `restore` takes over in switchover, failover, failback while nothing shows that the active side has stopped
          --> shop.yaml:19:15
           |
        19 |     - { name: restore, needs: [before], restore: { site: standby, from: vault, namespaces: [shop] } }
           |               ^^^^^^^ no `fence` or `accept` comes before it
           |
           = help: let it need a step such as `fence: { site: active, namespaces: [shop] }`
           = help: if that may be missing, also `accept: { risk: split-brain, by: [<role>], unless_proved: [<the fence>] }`

        1 error in 1 file.
        ");
    }

    #[test]
    fn a_fence_or_an_acceptance_before_it_is_enough() {
        for enough in [
            FENCE.to_owned(),
            "accept: { risk: split-brain, by: [lead] }".to_owned(),
            format!("modes: [switchover, failover, failback], {FENCE}"),
        ] {
            assert_eq!(after(&enough), "", "{enough}");
        }
        let through = checked(&format!(
            "- {{ name: stop, {FENCE} }}
    - {{ name: before, needs: [stop], pause: {{ for: 1s, reason: a test }} }}{RESTORE}"
        ));
        assert_eq!(through, "", "it may stand further back");
    }

    #[test]
    fn what_may_be_left_out_or_taken_back_is_no_fence() {
        let scaled = "scale: { site: active, namespace: shop, name: web, replicas: 0 }";
        for (before, why) in [
            (
                format!("ungraceful: skip, {FENCE}"),
                "leaves it out where its site does not answer",
            ),
            (format!("on_failure: continue, {FENCE}"), "goes on when it fails"),
            (scaled.to_owned(), "scales it up again"),
            (FENCE.replace("active", "standby"), ""),
            ("accept: { risk: data-loss, by: [lead] }".to_owned(), ""),
        ] {
            let said = after(&before);
            assert!(
                said.contains("error[L050]") && said.contains(why),
                "{before}: {said}"
            );
        }
    }

    #[test]
    fn each_recovery_is_looked_at_by_itself() {
        let said = after(&format!("modes: [switchover], {FENCE}"));
        assert!(said.contains("takes over in failover, failback while"), "{said}");
        let drilled = RESTORE.replace("restore: {", "modes: [drill], restore: {");
        let said = checked(&format!(
            "- {{ name: before, pause: {{ for: 1s, reason: a test }} }}{drilled}"
        ));
        assert_eq!(said, "", "a drill takes over from nobody");
    }

    #[test]
    fn who_sends_customers_over_or_has_somebody_else_restore_takes_over_as_well() {
        let taking = [
            "traffic: { site: standby, namespace: edge, service: shop, to: { side: west } }",
            "velero: { site: standby, restore: { backup: nightly } }",
        ];
        for step in taking {
            let said = checked(&format!("- {{ name: over, {step} }}"));
            assert!(
                said.contains("error[L050]: `over` takes over in switchover"),
                "{step}: {said}"
            );
            let fenced = checked(&format!(
                "- {{ name: stop, {FENCE} }}\n    - {{ name: over, needs: [stop], {step} }}"
            ));
            assert!(!fenced.contains("L050"), "{step}: {fenced}");
        }
        for step in [
            taking[0].replace("standby", "active"),
            "velero: { site: standby, backup: { namespaces: [shop] } }".to_owned(),
        ] {
            let said = checked(&format!("- {{ name: not, {step} }}"));
            assert!(!said.contains("L050"), "{step}: {said}");
        }
    }

    #[test]
    fn where_no_site_is_active_nobody_can_be_fenced() {
        let steps =
            format!("{HEAD}    - {{ name: before, pause: {{ for: 1s, reason: a test }} }}{RESTORE}\n");
        let mut sources = Sources::default();
        let id = sources.add("shop.yaml", steps.replace("active: east, ", ""));
        let loaded = load(&sources, &[id], &kind_names(KINDS));
        let said = check(loaded, KINDS).0.diagnostics.render(&sources, false);
        assert!(!said.contains("L050"), "{said}");
    }

    #[test]
    fn a_way_back_to_a_fenced_site_is_doubted() {
        let forgotten = RESTORE.replace(
            "unfence: { site: standby, namespaces: [shop] }",
            "pause: { for: 1s, reason: a test }",
        );
        insta::assert_snapshot!(checked(&format!("- {{ name: before, {FENCE} }}{forgotten}")), @r"
        warning[L111]: a failback brings `restore` to a site whose pods are still refused
          --> shop.yaml:19:15
           |
        19 |     - { name: restore, needs: [before], restore: { site: standby, from: vault, namespaces: [shop] } }
           |               ^^^^^^^ the failover before it has fenced that site
           |
           = help: add a step such as `unfence: { site: standby, namespaces: [shop] }` after it

        1 warning in 1 file.
        ");
    }

    #[test]
    fn a_proof_is_of_a_fence_that_comes_before() {
        for (named, wanted) in [
            ("before", ""),
            ("stopp", "there is no step `stopp`"),
            ("up", "step `up` (wait) has no output `proof`"),
        ] {
            let said = checked(&format!(
                "- {{ name: before, {FENCE} }}
    - {{ name: risk, needs: [before], accept: {{ risk: split-brain, by: [lead], unless_proved: [{named}] }} }}{RESTORE}"
            ));
            assert!(said.contains(wanted), "{named}: {said}");
            assert_eq!(said.is_empty(), wanted.is_empty(), "{named}: {said}");
        }
        let said = after("accept: { risk: split-brain, by: [] }");
        assert!(said.contains("`by` names at least one role"), "{said}");
    }
}
