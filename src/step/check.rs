//! Everything about a runbook that can be found without a network.

use super::Kind;
use super::bind::{Bound, bind, bind_other_sites};
use crate::runbook::{Loaded, swapped};
use crate::text::Diagnostics;

/// The names of step kinds.
pub fn kind_names(kinds: &[Kind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.name).collect()
}

/// Adds what is wrong with the steps to what is wrong with the documents: with the roles as they are
/// today, and as a failback would have them, if there is one. The steps with today's roles and sample inputs come along: who
/// plans with the same need not read them again.
#[must_use]
pub fn check(mut loaded: Loaded, kinds: &[Kind]) -> (Loaded, Option<Bound>) {
    let mut kept = None;
    if let (Some(runbook), Some(sites)) = (&loaded.runbook, &loaded.sites) {
        let inputs = runbook.sample_inputs();
        let today = runbook.sites_by_role();
        let failback = swapped(today.clone());
        let (bound, found) = bind(runbook, sites, &today, &inputs, kinds);
        let more = if !runbook.goes_back() {
            Diagnostics::default()
        } else if failback.keys().eq(today.keys()) {
            bind_other_sites(runbook, sites, &failback, &inputs, kinds)
        } else {
            bind(runbook, sites, &failback, &inputs, kinds).1
        };
        kept = Some(bound);
        loaded.diagnostics.extend(more);
        loaded.diagnostics.extend(found);
        loaded.diagnostics.settle();
    }
    (loaded, kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::load;
    use crate::step::KINDS;
    use crate::text::Sources;

    const HEAD: &str = "\
apiVersion: lifeboat.dev/v1alpha1
kind: Sites
metadata: { name: acme }
spec:
  sites:
    east: { embedded: {} }
    west: { embedded: {}, values: { front: 'http://west.embedded' } }
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
";

    fn checked(step: &str) -> String {
        let mut sources = Sources::default();
        let id = sources.add("shop.yaml", format!("{HEAD}{step}\n"));
        let loaded = load(&sources, &[id], &kind_names(KINDS));
        check(loaded, KINDS).0.diagnostics.render(&sources, false)
    }

    #[test]
    fn a_value_that_only_todays_standby_has_is_missed_before_a_failback() {
        insta::assert_snapshot!(checked("    - { name: up, probe: { http: '${sites.standby.front}/' } }"), @r"
        error[L008]: there is no value in the site of `standby`: `front`
          --> shop.yaml:18:35
           |
        18 |     - { name: up, probe: { http: '${sites.standby.front}/' } }
           |                                   ^^^^^^^^^^^^^^^^^^^^^^ stands for nothing
           |
           = help: there is no value in the site of `standby`: at all

        1 error in 1 file.
        ");
    }

    #[test]
    fn a_runbook_without_a_failback_needs_nobody_to_swap_with() {
        let alone = |modes: &str| {
            let step = format!(
                "    - {{ name: up, modes: [{modes}], wait: {{ site: standby, for: pod/x, namespace: x, condition: exists }} }}"
            );
            let mut sources = Sources::default();
            let head = HEAD.replace("active: east, ", "");
            let id = sources.add("shop.yaml", format!("{head}{step}\n"));
            let loaded = load(&sources, &[id], &kind_names(KINDS));
            check(loaded, KINDS).0.diagnostics.render(&sources, false)
        };
        assert_eq!(alone("drill, failover"), "");
        let said = alone("drill, failback");
        assert!(said.contains("error[L025]: there is no role `standby`"), "{said}");
    }

    #[test]
    fn a_timeout_that_would_cut_a_step_off_in_the_middle_is_refused() {
        let step = |steady: &str| {
            let probe = "probe: { http: 'http://west.embedded/' }";
            format!(
                "    - {{ name: shift, modes: [drill], traffic: {{ site: standby, namespace: edge, route: shop, backend: b, steady: {steady}, {probe} }} }}"
            )
        };
        assert_eq!(checked(&step("3m")), "");
        let found = checked(&step("4m"));
        assert_eq!(found.matches("error[L035]").count(), 1, "{found}");
        assert!(
            found.contains("step `shift` needs more than 12m, and has 10m"),
            "{found}"
        );
        assert!(found.contains("such as `timeout: 24m`"), "{found}");
    }

    #[test]
    fn what_a_velero_has_restored_is_looked_at_as_well() {
        let restore =
            "    - { name: back, modes: [drill], velero: { site: standby, restore: { backup: nightly } } }";
        let found = checked(restore);
        assert!(found.contains("nothing proves that `back` worked"), "{found}");
        let look = "    - { name: look, modes: [drill], needs: [back], wait: { site: standby, for: deployment/web, namespace: shop, condition: available } }";
        assert_eq!(checked(&format!("{restore}\n{look}")), "");
        let backup =
            "    - { name: keep, modes: [drill], velero: { site: standby, backup: { namespaces: [shop] } } }";
        assert_eq!(checked(backup), "");
    }

    #[test]
    fn what_is_wrong_with_any_sites_is_said_once() {
        let found = checked("    - { name: up, probe: { http: '${roles.standbi}/${sites.west.front}' } }");
        assert_eq!(found.matches("there is no role").count(), 1, "{found}");
        assert!(found.ends_with("1 error in 1 file.\n"), "{found}");
    }
}
