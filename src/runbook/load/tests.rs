use proptest::prelude::*;

use super::*;
use crate::runbook::{Endpoint, InputKind, KubernetesSite, Mode, OnFailure};

/// The kinds that a test's runbook may use.
const KINDS: &[&str] = &["approve", "backup", "manual", "probe", "restore", "scale", "wait"];

/// Every part of the language at least once.
pub(super) const SHOP: &str = r#"apiVersion: lifeboat.dev/v1alpha1
kind: Sites
metadata: { name: acme }
spec:
  sites:
    east: { kubernetes: { context: east }, failureDomain: [provider-a, account-1, eu-central] }
    west:
      kubernetes: { context: west, kubeconfig: ./west.kubeconfig }
      failureDomain: [provider-a, account-2, eu-west]
      values: { dns-zone: west.acme.example }
    toy: { embedded: { objects: [./objects.yaml] } }
  stores:
    vault: { s3: { bucket: acme-vault, endpoint: "https://s3.example", region: eu-west, prefix: shop }, failureDomain: [provider-a] }
    usb: { directory: ./vault }
---
apiVersion: lifeboat.dev/v1alpha1
kind: Runbook
metadata: { name: shop }
spec:
  title: Online shop
  summary: What this service is, in one sentence a director understands.
  tier: 1
  owner: { team: commerce, contact: on-call@acme.example }
  objectives: { rto: 30m, rpo: 15m }
  roles: { active: east, standby: west }
  people: { incident-commander: [anna, ben] }
  inputs: { replicas: { type: integer, default: 3, minimum: 1 } }
  steps:
    - name: capture
      modes: [protect, switchover]
      backup: { site: active, namespaces: [shop], to: vault }
    - name: stop-active
      modes: [switchover, failover]
      scale: { site: active, namespace: shop, selector: { app: web }, replicas: 0 }
    - name: restore
      needs: [stop-active]
      restore: { site: standby, from: vault, backup: latest-verified, namespaces: [shop] }
      timeout: 10m
      retry: { attempts: 5, backoff: 10s }
      on_failure: stop
      drill: confine
      ungraceful: refuse
    - name: web-up
      needs: [restore]
      wait: { site: standby, for: deployment/web, namespace: shop, condition: available, replicas: "${inputs.replicas}" }
    - name: answers
      description: The shop answers.
      needs: [web-up]
      probe: { http: "https://shop.example/healthz", expect: { status: 200, body: ok } }
    - name: go
      needs: [answers]
      approve: { by: [incident-commander], question: "Send customers to ${roles.standby}?" }
"#;

pub(super) fn load_text(text: &str) -> (Loaded, Sources) {
    let mut sources = Sources::default();
    let id = sources.add("shop/runbook.yaml", text);
    (load(&sources, &[id], KINDS), sources)
}

pub(super) fn rendered(text: &str) -> String {
    let (loaded, sources) = load_text(text);
    loaded.diagnostics.render(&sources, false)
}

/// A runbook with these steps, and what is wrong with it.
fn steps(steps: &str) -> String {
    rendered(&format!(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: Runbook\nmetadata: {{ name: shop }}\nspec:\n  steps:\n{steps}"
    ))
}

#[test]
fn a_whole_runbook_and_its_sites_are_read() {
    let (loaded, sources) = load_text(SHOP);
    assert_eq!(loaded.diagnostics.render(&sources, false), "");
    let runbook = loaded.runbook.unwrap();
    assert_eq!(runbook.title, "Online shop");
    assert_eq!(runbook.folder, PathBuf::from("shop"));
    assert_eq!(runbook.digest.len(), 64);
    assert_eq!(runbook.objectives.rto_ms, Some(30 * 60 * 1000));
    assert_eq!(runbook.people["incident-commander"], ["anna", "ben"]);
    assert_eq!(runbook.roles["standby"].value, "west");
    assert_eq!(runbook.inputs["replicas"].kind, InputKind::Integer);
    let names: Vec<&str> = runbook
        .steps
        .iter()
        .map(|step| step.name.value.as_str())
        .collect();
    assert_eq!(
        names,
        ["capture", "stop-active", "restore", "web-up", "answers", "go"]
    );
    let restore = &runbook.steps[2];
    assert_eq!(restore.kind.value, "restore");
    assert_eq!(restore.params.get("from").and_then(Node::as_str), Some("vault"));
    assert_eq!(restore.modes, Mode::DEFAULT);
    assert_eq!((restore.policy.attempts, restore.policy.backoff_ms), (5, 10_000));
    assert_eq!(restore.policy.on_failure, OnFailure::Stop);
    assert_eq!(runbook.steps[0].modes, [Mode::Switchover, Mode::Protect]);
}

#[test]
fn relative_paths_start_at_the_files_folder() {
    let sites = load_text(SHOP).0.sites.unwrap();
    assert_eq!(
        sites.stores["usb"].endpoint,
        Endpoint::Directory("shop/vault".into())
    );
    let west = KubernetesSite::Context {
        kubeconfig: Some("shop/west.kubeconfig".into()),
        context: "west".into(),
    };
    assert_eq!(sites.sites["west"].kubernetes, west);
    let toy = KubernetesSite::Embedded {
        objects: vec!["shop/objects.yaml".into()],
    };
    assert_eq!(sites.sites["toy"].kubernetes, toy);
    let Endpoint::S3(vault) = &sites.stores["vault"].endpoint else {
        panic!()
    };
    assert_eq!(vault.prefix, "shop/");
}

#[test]
fn documents_may_stand_in_several_files() {
    let (sites, runbook) = SHOP.split_once("---\n").unwrap();
    let mut sources = Sources::default();
    let ids = [
        sources.add("sites.yaml", sites),
        sources.add("a/b/shop.yaml", runbook),
    ];
    let loaded = load(&sources, &ids, KINDS);
    assert!(loaded.diagnostics.is_empty());
    assert_eq!(loaded.runbook.unwrap().folder, PathBuf::from("a/b"));
    assert_eq!(
        loaded.sites.unwrap().stores["usb"].endpoint,
        Endpoint::Directory("vault".into())
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "what a person sees, in full")]
fn twelve_mistakes_are_twelve_diagnostics_in_one_go() {
    let broken = SHOP
        .replace("standby: west }", "standby: wset }") // 1: unknown site
        .replace("rto: 30m", "rto: 30") // 2: a duration without a unit
        .replace("summary:", "sumary:") // 3: unknown key
        .replace("tier: 1", "tier: high") // 4: wrong type
        .replace("needs: [stop-active]", "needs: [stop-activ]") // 5: dangling need
        .replace("[switchover, failover]", "[switchover, failovr]") // 6: unknown mode
        .replace("      restore: {", "      restor: {") // 7: unknown kind
        .replace("on_failure: stop", "on_failure: stop\n      on_failure: pause") // 8: duplicate key
        .replace("attempts: 5", "attempts: 0") // 9: out of range
        .replace("needs: [web-up]", "needs: [answers]") // 10: self need
        .replace("- name: go\n", "- name: web-up\n") // 11: two steps of one name
        .replace("default: 3,", "default: 0,"); // 12: the input's default is not allowed
    let (loaded, sources) = load_text(&broken);
    assert!(loaded.runbook.is_some_and(|runbook| runbook.steps.len() == 6));
    insta::assert_snapshot!(loaded.diagnostics.render(&sources, false), @r"
    error[L009]: the key `sumary` means nothing here
      --> shop/runbook.yaml:21:3
       |
    21 |   sumary: What this service is, in one sentence a director understands.
       |   ^^^^^^ unknown key
       |
       = help: did you mean `summary`?

    error[L011]: expected a whole number, found a string
      --> shop/runbook.yaml:22:9
       |
    22 |   tier: high
       |         ^^^^ not a whole number

    error[L015]: 30 of what?
      --> shop/runbook.yaml:24:22
       |
    24 |   objectives: { rto: 30, rpo: 15m }
       |                      ^^ no unit
       |
       = help: write it like 30s or 30m

    error[L027]: the role `standby` is given to `wset`, which is no site
      --> shop/runbook.yaml:25:35
       |
    25 |   roles: { active: east, standby: wset }
       |                                   ^^^^ no site has this name
       |
       = help: did you mean `west`?

    error[L032]: the default of the input `replicas` is too small: at least 1
      --> shop/runbook.yaml:27:49
       |
    27 |   inputs: { replicas: { type: integer, default: 0, minimum: 1 } }
       |                                                 ^ is too small: at least 1

    error[L013]: `failovr` is not one of drill, switchover, failover, failback, protect
      --> shop/runbook.yaml:33:27
       |
    33 |       modes: [switchover, failovr]
       |                           ^^^^^^^ not one of them
       |
       = help: did you mean `failover`?

    error[L012]: step `restore` needs `stop-activ`, which does not exist
      --> shop/runbook.yaml:36:15
       |
    36 |       needs: [stop-activ]
       |               ^^^^^^^^^^ no step has this name
       |
       = help: did you mean `stop-active`?

    error[L022]: no kind of step is called `restor`
      --> shop/runbook.yaml:37:7
       |
    37 |       restor: { site: standby, from: vault, backup: latest-verified, namespaces: [shop] }
       |       ^^^^^^ unknown kind of step
       |
       = help: did you mean `restore`?

    error[L014]: 0 is too small: at least 1
      --> shop/runbook.yaml:39:26
       |
    39 |       retry: { attempts: 0, backoff: 10s }
       |                          ^ out of range

    error[L005]: the key `on_failure` is there twice
      --> shop/runbook.yaml:41:7
       |
    40 |       on_failure: stop
       |       ---------- first here
    41 |       on_failure: pause
       |       ^^^^^^^^^^ here again

    error[L018]: step `answers` needs itself
      --> shop/runbook.yaml:49:15
       |
    49 |       needs: [answers]
       |               ^^^^^^^ this is the step itself

    error[L017]: two steps are called `web-up`
      --> shop/runbook.yaml:51:13
       |
    44 |     - name: web-up
       |             ------ the first
    ...
    51 |     - name: web-up
       |             ^^^^^^ the second

    12 errors in 1 file.
    ");
    assert_eq!(loaded.diagnostics.len(), 12);
}

#[test]
fn every_circle_is_named_arrow_by_arrow() {
    insta::assert_snapshot!(steps(concat!(
        "    - { name: a, needs: [c], manual: {} }\n",
        "    - { name: b, needs: [a], manual: {} }\n",
        "    - { name: c, needs: [b, e], manual: {} }\n",
        "    - { name: d, needs: [a, e], manual: {} }\n",
        "    - { name: e, needs: [d], manual: {} }\n",
        "    - { name: f, needs: [g], manual: {} }\n",
        "    - { name: g, needs: [f], manual: {} }\n",
    )), @r"
    error[L021]: steps wait for each other, so none can start
     --> shop/runbook.yaml:6:26
      |
    6 |     - { name: a, needs: [c], manual: {} }
      |                          ^ a needs c
    7 |     - { name: b, needs: [a], manual: {} }
      |                          - b needs a
    8 |     - { name: c, needs: [b, e], manual: {} }
      |                          - c needs b
      |
      = help: one of the 3 arrows has to go

    error[L021]: steps wait for each other, so none can start
      --> shop/runbook.yaml:9:29
       |
     9 |     - { name: d, needs: [a, e], manual: {} }
       |                             ^ d needs e
    10 |     - { name: e, needs: [d], manual: {} }
       |                          - e needs d
       |
       = help: one of the two arrows has to go

    error[L021]: steps wait for each other, so none can start
      --> shop/runbook.yaml:11:26
       |
    11 |     - { name: f, needs: [g], manual: {} }
       |                          ^ f needs g
    12 |     - { name: g, needs: [f], manual: {} }
       |                          - g needs f
       |
       = help: one of the two arrows has to go

    3 errors in 1 file.
    ");
}

#[test]
fn a_circle_through_ten_thousand_steps_is_drawn_in_part() {
    let list: Vec<String> = (0..10_000)
        .map(|step| {
            format!(
                "    - {{ name: s{step}, needs: [s{}], manual: {{}} }}
",
                (step + 1) % 10_000
            )
        })
        .collect();
    let text = steps(&list.concat());
    assert!(text.contains("one of the 10000 arrows has to go"), "{text}");
    assert_eq!(text.matches(" needs s").count(), 12);
}

#[test]
fn a_step_does_exactly_one_thing() {
    insta::assert_snapshot!(steps(concat!(
        "    - { name: two, wait: {}, manual: {} }\n",
        "    - { name: none }\n",
        "    - { name: unknown, frobnicate: {} }\n",
        "    - { name: nearly, timeot: 5m, wait: {} }\n",
        "    - nothing\n",
        "    - { wait: {} }\n",
    )), @r"
    error[L020]: the step `two` does two things
     --> shop/runbook.yaml:6:30
      |
    6 |     - { name: two, wait: {}, manual: {} }
      |                    ----      ^^^^^^ the second
      |                    |
      |                    the first
      |
      = help: make it two steps

    error[L020]: the step `none` does nothing
     --> shop/runbook.yaml:7:15
      |
    7 |     - { name: none }
      |               ^^^^ no key says what it does
      |
      = help: one of these keys has to be there: approve, backup, manual, probe, restore, scale, wait

    error[L022]: no kind of step is called `frobnicate`
     --> shop/runbook.yaml:8:24
      |
    8 |     - { name: unknown, frobnicate: {} }
      |                        ^^^^^^^^^^ unknown kind of step
      |
      = help: known here: approve, backup, manual, probe, restore, scale, wait

    error[L009]: the key `timeot` means nothing here
     --> shop/runbook.yaml:9:23
      |
    9 |     - { name: nearly, timeot: 5m, wait: {} }
      |                       ^^^^^^ unknown key
      |
      = help: did you mean `timeout`?

    error[L011]: expected a map, found a string
      --> shop/runbook.yaml:10:7
       |
    10 |     - nothing
       |       ^^^^^^^ not a map

    error[L010]: the key `name` is missing
      --> shop/runbook.yaml:11:7
       |
    11 |     - { wait: {} }
       |       ^^^^^^^^^^^^ needs `name`

    6 errors in 1 file.
    ");
}

#[test]
fn nothing_waits_for_what_runs_at_the_end() {
    let wrong = steps(
        "    - { name: a, needs: [b], pause: { for: 1s } }
    - { name: b, finally: true, pause: { for: 1s } }
",
    );
    assert!(
        wrong.contains("error[L038]: step `a` needs `b`, which runs at the end"),
        "{wrong}"
    );
    let right = steps(
        "    - { name: a, finally: true, needs: [b], pause: { for: 1s } }
    - { name: b, finally: true, pause: { for: 1s } }
",
    );
    assert!(!right.contains("L038"), "{right}");
}

#[test]
fn names_are_dns_labels_and_arrows_are_drawn_once() {
    insta::assert_snapshot!(steps(concat!(
        "    - { name: Not_A_Label, wait: {} }\n",
        "    - { name: a, wait: {} }\n",
        "    - { name: b, needs: [a, a], wait: {}, modes: [] }\n",
    )), @r"
    error[L016]: `Not_A_Label` is not a name
     --> shop/runbook.yaml:6:15
      |
    6 |     - { name: Not_A_Label, wait: {} }
      |               ^^^^^^^^^^^ not a DNS label
      |
      = help: use a-z, 0-9 and -, with a letter or digit at both ends, at most 63 characters

    error[L019]: step `b` needs `a` twice
     --> shop/runbook.yaml:8:29
      |
    8 |     - { name: b, needs: [a, a], wait: {}, modes: [] }
      |                          -  ^ again
      |                          |
      |                          already here

    error[L014]: at least 1 entry has to be here
     --> shop/runbook.yaml:8:50
      |
    8 |     - { name: b, needs: [a, a], wait: {}, modes: [] }
      |                                                  ^^ too short

    3 errors in 1 file.
    ");
}

#[test]
fn an_inventory_is_checked_like_a_runbook() {
    insta::assert_snapshot!(rendered(concat!(
        "apiVersion: lifeboat.dev/v1alpha2\n",
        "kind: Sites\n",
        "metadata: { name: acme }\n",
        "spec:\n",
        "  sites:\n",
        "    East: { embedded: {} }\n",
        "    west: { kubernetes: { contxt: west } }\n",
        "    both: { kubernetes: { context: a }, embedded: {} }\n",
        "    none: {}\n",
        "  stores:\n",
        "    vault: { s3: { bucket: 12 } }\n",
        "    typo: { directry: ./x }\n",
    )), @r"
    error[L013]: `lifeboat.dev/v1alpha2` is not one of lifeboat.dev/v1alpha1
     --> shop/runbook.yaml:1:13
      |
    1 | apiVersion: lifeboat.dev/v1alpha2
      |             ^^^^^^^^^^^^^^^^^^^^^ not one of them
      |
      = help: did you mean `lifeboat.dev/v1alpha1`?

    error[L016]: `East` is not a name
     --> shop/runbook.yaml:6:5
      |
    6 |     East: { embedded: {} }
      |     ^^^^ not a DNS label
      |
      = help: use a-z, 0-9 and -, with a letter or digit at both ends, at most 63 characters

    error[L009]: the key `contxt` means nothing here
     --> shop/runbook.yaml:7:27
      |
    7 |     west: { kubernetes: { contxt: west } }
      |                           ^^^^^^ unknown key
      |
      = help: did you mean `context`?

    error[L034]: exactly one of kubernetes, embedded has to be here
     --> shop/runbook.yaml:8:5
      |
    8 |     both: { kubernetes: { context: a }, embedded: {} }
      |     ^^^^ not exactly one

    error[L034]: exactly one of kubernetes, embedded has to be here
     --> shop/runbook.yaml:9:5
      |
    9 |     none: {}
      |     ^^^^ not exactly one

    error[L011]: expected a string, found a whole number
      --> shop/runbook.yaml:11:28
       |
    11 |     vault: { s3: { bucket: 12 } }
       |                            ^^ not a string
       |
       = help: write it between quotes

    error[L009]: the key `directry` means nothing here
      --> shop/runbook.yaml:12:13
       |
    12 |     typo: { directry: ./x }
       |             ^^^^^^^^ unknown key
       |
       = help: did you mean `directory`?

    7 errors in 1 file.
    ");
}

#[test]
fn a_document_says_what_it_is() {
    insta::assert_snapshot!(rendered("kind: Runbok\n---\na: 1\n---\n- a\n---\nkind: [Runbook]\n"), @r"
    error[L023]: `Runbok` is not a kind of document
     --> shop/runbook.yaml:1:7
      |
    1 | kind: Runbok
      |       ^^^^^^ unknown kind
      |
      = help: did you mean `Runbook`?

    error[L023]: the document does not say what it is
     --> shop/runbook.yaml:3:1
      |
    3 | a: 1
      | ^^^^ not a runbook, not sites
      |
      = help: begin it with `apiVersion: lifeboat.dev/v1alpha1` and `kind: Runbook` or `kind: Sites`

    error[L023]: a document is a map, this is a list
     --> shop/runbook.yaml:5:1
      |
    5 | - a
      | ^^^ not a runbook, not sites
      |
      = help: begin it with `apiVersion: lifeboat.dev/v1alpha1` and `kind: Runbook` or `kind: Sites`

    error[L023]: `kind` is a list, not a word
     --> shop/runbook.yaml:7:1
      |
    7 | kind: [Runbook]
      | ^^^^ not a runbook, not sites
      |
      = help: begin it with `apiVersion: lifeboat.dev/v1alpha1` and `kind: Runbook` or `kind: Sites`

    4 errors in 1 file.
    ");
}

#[test]
fn only_one_runbook_is_read_at_a_time() {
    let (loaded, _) = load_text(&format!("{SHOP}---\n{SHOP}"));
    let codes: Vec<&str> = loaded.diagnostics.iter().map(|one| one.code).collect();
    assert_eq!(codes, ["L024", "L024"]);
}

#[test]
fn ten_thousand_steps_are_enough() {
    let list: Vec<String> = (0..=10_000)
        .map(|step| {
            format!(
                "    - {{ name: s{step}, wait: {{}} }}
"
            )
        })
        .collect();
    let text = steps(&list.concat());
    assert!(
        text.contains("error[L033]: 10001 steps are more than 10000"),
        "{text}"
    );
}

/// A valid runbook with some places overwritten, cut out or doubled.
fn mutated() -> impl Strategy<Value = String> {
    let edit = (0..SHOP.len(), 0usize..40, "[ -~\n\t]{0,6}");
    prop::collection::vec(edit, 1..6).prop_map(|edits| {
        let mut text = SHOP.to_owned();
        for (at, len, with) in edits {
            let start = at.min(text.len());
            let end = (start + len).min(text.len());
            text.replace_range(start..end, &with);
        }
        text
    })
}

proptest! {
    #[test]
    fn no_text_is_too_odd_to_be_checked(text in prop_oneof![3 => mutated(), 1 => any::<String>()]) {
        let (loaded, sources) = load_text(&text);
        for label in loaded.diagnostics.iter().flat_map(|one| &one.labels) {
            let (start, end) = (label.span.start as usize, label.span.end as usize);
            prop_assert!(text.get(start..end).is_some(), "{:?}", label);
        }
        let _ = loaded.diagnostics.render(&sources, false);
    }
}
