use proptest::prelude::*;

use super::*;
use crate::runbook::{Loaded, load};
use crate::step::{KINDS, Observed, Refusal, Scene, testing};
use crate::text::Sources;

const HEAD: &str = r"apiVersion: lifeboat.dev/v1alpha1
kind: Sites
metadata: { name: acme }
spec:
  sites:
    east: { embedded: {}, values: { zone: east.example } }
    west: { embedded: {}, values: { zone: west.example } }
    north: { embedded: {} }
  stores:
    vault: { directory: ./vault }
---
apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: { name: shop }
spec:
  owner: { team: commerce }
  objectives: { rto: 30m, rpo: 15m }
  roles: { active: east, standby: west }
  people: { incident-commander: [anna] }
  inputs:
    replicas: { type: integer, default: 3, minimum: 1 }
    store: { type: string, choices: [vault] }
  steps:
";

fn bound(steps: &str) -> (Vec<Option<Box<dyn Ready>>>, String) {
    let mut sources = Sources::default();
    let id = sources.add("shop.yaml", format!("{HEAD}{steps}"));
    let Loaded {
        runbook,
        sites,
        diagnostics,
    } = load(&sources, &[id], &testing::names());
    assert_eq!(diagnostics.render(&sources, false), "");
    let runbook = runbook.unwrap();
    let roles = runbook
        .roles
        .iter()
        .map(|(role, site)| (role.clone(), site.value.clone()))
        .collect();
    let inputs = runbook.sample_inputs();
    let kinds = testing::kinds();
    let (ready, found) = bind(&runbook, &sites.unwrap(), &roles, &inputs, &kinds);
    (ready.steps, found.render(&sources, false))
}

const GOOD: &str = r#"    - name: back
      restore: { site: standby, from: "${inputs.store}", namespaces: [shop, "${runbook.name}-db"] }
    - name: up
      needs: [back]
      wait:
        site: standby
        replicas: "${inputs.replicas}"
        condition: { field: { path: x, value: "${steps.back.backup} in ${namespaces.shop}" } }
        headers: { host: "${sites.standby.zone}", other: "${sites.east.zone}", cost: "$${PRICE}" }
    - name: go
      needs: [up]
      approve: { by: [incident-commander], question: "Send customers to ${roles.standby}?" }
"#;

#[test]
fn parameters_are_read_with_values_in_place_of_references() {
    let (ready, mistakes) = bound(GOOD);
    assert_eq!(mistakes, "");
    let scene = Scene {
        runbook: "shop",
        folder: std::path::Path::new(""),
        step: "up",
        backups: &BTreeMap::new(),
    };
    let seen = ready[1].as_ref().unwrap().script(&scene, &Observed::default());
    assert_eq!(
        seen,
        Err(Refusal::no("west 3", "")),
        "the role became its site, the input a number"
    );
}

#[test]
fn swapped_roles_bind_the_other_site() {
    let mut sources = Sources::default();
    let id = sources.add("shop.yaml", format!("{HEAD}{GOOD}"));
    let loaded = load(&sources, &[id], &testing::names());
    let (runbook, sites) = (loaded.runbook.unwrap(), loaded.sites.unwrap());
    let swapped = [("active", "west"), ("standby", "east")].map(|(role, site)| (role.into(), site.into()));
    let (ready, found) = bind(
        &runbook,
        &sites,
        &swapped.into(),
        &runbook.sample_inputs(),
        &testing::kinds(),
    );
    assert!(found.is_empty());
    assert!(ready.steps.iter().all(Option::is_some));
}

#[test]
#[expect(clippy::too_many_lines, reason = "what a person sees, in full")]
fn what_stands_for_nothing_is_refused_with_a_hint() {
    insta::assert_snapshot!(bound(r#"    - name: back
      restore: { site: west, from: valt, namespaces: [Shop], backup: "${steps.up.backup}" }
    - name: up
      needs: [back]
      wait:
        site: actve
        replicas: "${inputs.replcas}"
        steady: ${steps.back.backup}
        headers: { a: "${sites.standby.zon}", b: "${site.west.zone}", c: "${steps.back.backups}", d: "${x" }
    - name: go
      approve: { by: [comander], question: "${steps.bak.backup}${namespaces.A}" }
    - name: late
      wait: { site: north, headers: { a: "${steps.back.backup}" } }
"#).1, @r#"
    error[L026]: `west` is a site, not a role
      --> shop.yaml:25:24
       |
    25 |       restore: { site: west, from: valt, namespaces: [Shop], backup: "${steps.up.backup}" }
       |                        ^^^^ name a role
       |
       = help: write `standby`, the role it has today

    error[L028]: there is no store `valt`
      --> shop.yaml:25:36
       |
    25 |       restore: { site: west, from: valt, namespaces: [Shop], backup: "${steps.up.backup}" }
       |                                    ^^^^ not in the inventory
       |
       = help: did you mean `vault`?

    error[L016]: `Shop` is not a name
      --> shop.yaml:25:55
       |
    25 |       restore: { site: west, from: valt, namespaces: [Shop], backup: "${steps.up.backup}" }
       |                                                       ^^^^ not a DNS label
       |
       = help: use a-z, 0-9 and -, with a letter or digit at both ends, at most 63 characters

    error[L031]: step `up` (wait) has no output `backup`
      --> shop.yaml:25:71
       |
    25 |       restore: { site: west, from: valt, namespaces: [Shop], backup: "${steps.up.backup}" }
       |                                                                       ^^^^^^^^^^^^^^^^^^ no such output
       |
       = help: steps of the kind `wait` have no outputs

    error[L025]: there is no role `actve`
      --> shop.yaml:29:15
       |
    29 |         site: actve
       |               ^^^^^ no site has this role
       |
       = help: did you mean `active`?

    error[L008]: there is no input `replcas`
      --> shop.yaml:30:20
       |
    30 |         replicas: "${inputs.replcas}"
       |                    ^^^^^^^^^^^^^^^^^ stands for nothing
       |
       = help: did you mean `replicas`?

    error[L029]: this must be known when planning
      --> shop.yaml:31:17
       |
    31 |         steady: ${steps.back.backup}
       |                 ^^^^^^^^^^^^^^^^^^^^ known only while running
       |
       = help: use an input, a role or a value of a site instead

    error[L008]: there is no value in the site of `standby`: `zon`
      --> shop.yaml:32:24
       |
    32 | ...   headers: { a: "${sites.standby.zon}", b: "${site.west.zone}", c: "${steps.back.backups}", d: "${...
       |                      ^^^^^^^^^^^^^^^^^^^^ stands for nothing
       |
       = help: did you mean `zone`?

    error[L008]: `site.west.zone` stands for nothing
      --> shop.yaml:32:51
       |
    32 | ...   headers: { a: "${sites.standby.zon}", b: "${site.west.zone}", c: "${steps.back.backups}", d: "${...
       |                                                 ^^^^^^^^^^^^^^^^^ unknown reference
       |
       = help: did you mean `sites`?

    error[L031]: step `back` (restore) has no output `backups`
      --> shop.yaml:32:75
       |
    32 | ...", b: "${site.west.zone}", c: "${steps.back.backups}", d: "${x" }
       |                                   ^^^^^^^^^^^^^^^^^^^^^ no such output
       |
       = help: did you mean `backup`?

    error[L007]: a `${` is not finished
      --> shop.yaml:32:103
       |
    32 | ....zone}", c: "${steps.back.backups}", d: "${x" }
       |                                             ^^ no `}` follows
       |
       = help: write `$${` for a literal `${`

    warning[L105]: nobody is named for `comander`
      --> shop.yaml:34:23
       |
    34 |       approve: { by: [comander], question: "${steps.bak.backup}${namespaces.A}" }
       |                       ^^^^^^^^ not in `people`

    error[L008]: there is no step `bak`
      --> shop.yaml:34:45
       |
    34 |       approve: { by: [comander], question: "${steps.bak.backup}${namespaces.A}" }
       |                                             ^^^^^^^^^^^^^^^^^^^ stands for nothing
       |
       = help: did you mean `back`?

    error[L016]: `A` is not a name
      --> shop.yaml:34:64
       |
    34 |       approve: { by: [comander], question: "${steps.bak.backup}${namespaces.A}" }
       |                                                                ^^^^^^^^^^^^^^^ not a DNS label
       |
       = help: use a-z, 0-9 and -, with a letter or digit at both ends, at most 63 characters

    error[L026]: `north` is a site, not a role
      --> shop.yaml:36:21
       |
    36 |       wait: { site: north, headers: { a: "${steps.back.backup}" } }
       |                     ^^^^^ name a role
       |
       = help: no role has this site; give it one in `roles`

    error[L030]: step `late` does not need `back`
      --> shop.yaml:36:43
       |
    36 |       wait: { site: north, headers: { a: "${steps.back.backup}" } }
       |                                           ^^^^^^^^^^^^^^^^^^^^ may not be there yet
       |
       = help: add back to its `needs`

    15 errors, 1 warning in 1 file.
    "#);
}

#[test]
fn parameters_are_held_against_the_kinds_schema() {
    insta::assert_snapshot!(bound(r"    - name: up
      wait: { site: standby, replica: -1, condition: availble, strict: yes }
    - name: go
      needs: [up]
      approve:
    - name: back
      restore: { site: standby, namespaces: shop, existing: replace, selector: { app: 1 } }
").1, @r"
    error[L009]: the key `replica` means nothing here
      --> shop.yaml:25:30
       |
    25 |       wait: { site: standby, replica: -1, condition: availble, strict: yes }
       |                              ^^^^^^^ unknown key
       |
       = help: did you mean `replicas`?

    error[L013]: `availble` is not one of available, field
      --> shop.yaml:25:54
       |
    25 |       wait: { site: standby, replica: -1, condition: availble, strict: yes }
       |                                                      ^^^^^^^^ not one of them
       |
       = help: did you mean `available`?

    error[L011]: expected `true` or `false`, found a string
      --> shop.yaml:25:72
       |
    25 |       wait: { site: standby, replica: -1, condition: availble, strict: yes }
       |                                                                        ^^^ not `true` or `false`
       |
       = help: did you mean `true`?

    error[L011]: expected a map, found nothing
      --> shop.yaml:28:7
       |
    28 |       approve:
       |       ^^^^^^^ not a map

    warning[L104]: nothing proves that `back` worked
      --> shop.yaml:29:13
       |
    29 |     - name: back
       |             ^^^^ no look at the service follows
       |
       = help: add a `wait` step that needs it

    error[L010]: the key `from` is missing
      --> shop.yaml:30:7
       |
    30 |       restore: { site: standby, namespaces: shop, existing: replace, selector: { app: 1 } }
       |       ^^^^^^^ needs `from`

    error[L011]: expected a list, found a string
      --> shop.yaml:30:45
       |
    30 |       restore: { site: standby, namespaces: shop, existing: replace, selector: { app: 1 } }
       |                                             ^^^^ not a list
       |
       = help: write it as [shop]

    error[L011]: expected a string, found a whole number
      --> shop.yaml:30:87
       |
    30 |       restore: { site: standby, namespaces: shop, existing: replace, selector: { app: 1 } }
       |                                                                                       ^ not a string
       |
       = help: write it between quotes

    7 errors, 1 warning in 1 file.
    ");
}

#[test]
fn nobody_is_left_in_doubt_about_doubts() {
    let mut sources = Sources::default();
    let text =
        format!("{HEAD}    - {{ name: back, restore: {{ site: standby, from: vault, namespaces: [a] }} }}\n")
            .replace("  owner: { team: commerce }\n", "")
            .replace(
                "  objectives: { rto: 30m, rpo: 15m }\n",
                "  objectives: { rto: 30m }\n",
            );
    let id = sources.add("shop.yaml", text);
    let loaded = load(&sources, &[id], &testing::names());
    let (runbook, sites) = (loaded.runbook.unwrap(), loaded.sites.unwrap());
    let roles = BTreeMap::from([("standby".to_owned(), "west".to_owned())]);
    let (ready, found) = bind(
        &runbook,
        &sites,
        &roles,
        &runbook.sample_inputs(),
        &testing::kinds(),
    );
    assert!(ready.steps[0].is_some(), "a doubt refuses nothing");
    insta::assert_snapshot!(found.render(&sources, false), @r"
    warning[L101]: nobody is named as owner
      --> shop.yaml:14:19
       |
    14 | metadata: { name: shop }
       |                   ^^^^ for this service
       |
       = help: add `owner: { team: … }` to its `spec`

    warning[L103]: no recovery point objective
      --> shop.yaml:14:19
       |
    14 | metadata: { name: shop }
       |                   ^^^^ for this service
       |
       = help: add `objectives: { rpo: 15m }` to its `spec`

    warning[L104]: nothing proves that `back` worked
      --> shop.yaml:23:15
       |
    23 |     - { name: back, restore: { site: standby, from: vault, namespaces: [a] } }
       |               ^^^^ no look at the service follows
       |
       = help: add a `wait` step that needs it

    3 warnings in 1 file.
    ");
}

/// The shop's runbook and inventory, as shipped.
const SHOP: [(&str, &str); 2] = [
    (
        "playbooks/shop/runbook.yaml",
        include_str!("../../../playbooks/shop/runbook.yaml"),
    ),
    (
        "playbooks/shop/sites.yaml",
        include_str!("../../../playbooks/shop/sites.yaml"),
    ),
];

#[test]
fn every_shipped_runbook_passes_as_declared_and_with_roles_swapped() {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let mut shipped: Vec<Vec<(&str, &str)>> = vec![SHOP.to_vec()];
    shipped.extend(KINDS.iter().map(|kind| vec![(kind.name, kind.example)]));
    for files in shipped {
        let mut sources = Sources::default();
        let ids: Vec<_> = files
            .iter()
            .map(|(name, text)| sources.add(*name, *text))
            .collect();
        let loaded = load(&sources, &ids, &names);
        let (runbook, sites) = (loaded.runbook.unwrap(), loaded.sites.unwrap());
        let site = |role: &str| runbook.roles[role].value.clone();
        let mut found = loaded.diagnostics;
        for (active, standby) in [
            (site("active"), site("standby")),
            (site("standby"), site("active")),
        ] {
            let roles = [("active".to_owned(), active), ("standby".to_owned(), standby)];
            let (ready, mistakes) = bind(&runbook, &sites, &roles.into(), &runbook.sample_inputs(), KINDS);
            found.extend(mistakes);
            assert_eq!(
                ready.steps.iter().flatten().count(),
                runbook.steps.len(),
                "{files:?}"
            );
        }
        found.settle();
        assert_eq!(found.render(&sources, false), "");
    }
}

proptest! {
    #[test]
    fn whatever_loads_can_be_bound(at in 0..GOOD.len(), len in 0usize..30, with in "[ -~\n]{0,8}") {
        let mut steps = GOOD.to_owned();
        let end = (at + len).min(steps.len());
        steps.replace_range(at..end, &with);
        let mut sources = Sources::default();
        let text = format!("{HEAD}{steps}");
        let id = sources.add("shop.yaml", text.clone());
        let loaded = load(&sources, &[id], &testing::names());
        if let Some(runbook) = loaded.runbook {
            let sites = loaded.sites.unwrap_or_default();
            let (ready, mut found) = bind(&runbook, &sites, &BTreeMap::new(), &BTreeMap::new(), &testing::kinds());
            prop_assert_eq!(ready.steps.len(), runbook.steps.len());
            found.extend(loaded.diagnostics);
            for label in found.iter().flat_map(|one| &one.labels) {
                let (start, end) = (label.span.start as usize, label.span.end as usize);
                prop_assert!(text.get(start..end).is_some(), "{:?}", label);
            }
        }
    }
}
