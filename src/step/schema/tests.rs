use super::*;
use crate::runbook::load;
use crate::step::{KINDS, testing};
use crate::text::{Diagnostics, Sources, from_node, yaml};

/// What the schema says of a document, and what `check` says of its language.
fn judged(text: &str) -> (bool, bool) {
    let mut sources = Sources::default();
    let id = sources.add("a.yaml", text);
    let nodes = yaml::load(&sources, id, &mut Diagnostics::default());
    let document: Value = from_node(&nodes[0]).unwrap();
    let validator = jsonschema::validator_for(&schema(&testing::kinds())).unwrap();
    let loaded = load(&sources, &[id], &testing::names());
    (validator.is_valid(&document), !loaded.diagnostics.has_errors())
}

fn runbook(spec: &str) -> String {
    format!("apiVersion: lifeboat.dev/v1alpha1\nkind: Runbook\nmetadata: {{ name: shop }}\nspec:\n{spec}")
}

const STEPS: &str = "  steps:\n    - { name: a, wait: { site: active } }\n";

#[test]
fn what_check_accepts_editors_accept() {
    let inventory = concat!(
        "apiVersion: lifeboat.dev/v1alpha1\nkind: Sites\nmetadata: { name: a }\n",
        "spec: { sites: { a: { embedded: {} }, b: { kubernetes: { context: c } } }, ",
        "stores: { v: { directory: ./x, failureDomain: [a] } } }\n"
    );
    let step = |rest: &str| runbook(&format!("  steps:\n    - {{ name: a, {rest} }}\n"));
    let accepted = [
        inventory.to_owned(),
        runbook(STEPS),
        runbook(&format!(
            "  title: T\n  tier: 2\n  owner: {{ team: a }}\n  objectives: {{ rto: 1h30m }}\n{STEPS}"
        )),
        runbook(&format!(
            "  inputs: {{ n: {{ type: integer, default: 3 }} }}\n  people: {{ boss: [a] }}\n{STEPS}"
        )),
        step(
            "needs: [], modes: [drill], timeout: 5m, retry: { attempts: 2, backoff: 1s }, on_failure: undo, wait: { site: active }",
        ),
        step(
            "drill: as-is, ungraceful: skip, wait: { site: active, replicas: '${inputs.n}', strict: '${inputs.b}' }",
        ),
        step("wait: { site: active, condition: available, steady: 1m }"),
        step("wait: { site: active, condition: '${inputs.c}' }"),
        step("wait: { site: active, condition: { field: { path: a, value: '${steps.b.c}' } } }"),
        step(
            "restore: { site: active, from: vault, namespaces: [a], existing: replace, selector: { app: web } }",
        ),
        step("restore: { site: active, from: vault, namespaces: [a], existing: '${inputs.e}' }"),
    ];
    for text in accepted {
        assert_eq!(judged(&text), (true, true), "{text}");
    }
}

#[test]
fn what_editors_underline_check_refuses() {
    let step = |rest: &str| runbook(&format!("  steps:\n    - {{ name: a, {rest} }}\n"));
    let refused = [
        "apiVersion: lifeboat.dev/v1alpha1\nkind: Sits\nmetadata: { name: a }\nspec: {}\n".to_owned(),
        "apiVersion: lifeboat.dev/v2\nkind: Sites\nmetadata: { name: a }\nspec: {}\n".to_owned(),
        runbook("  steps: []\n"),
        runbook(&format!("  titel: T\n{STEPS}")),
        runbook(&format!("  tier: 0\n{STEPS}")),
        runbook(&format!("  objectives: {{ rto: 30 }}\n{STEPS}")),
        step("modes: [dril], wait: { site: active }"),
        step("timeout: soon, wait: { site: active }"),
        step("wait: { site: active }, approve: { by: [], question: q }"),
        step("wiat: { site: active }"),
        "apiVersion: lifeboat.dev/v1alpha1\nkind: Runbook\nmetadata: { name: Shop }\nspec: { steps: [] }\n"
            .to_owned(),
    ];
    for text in refused {
        assert_eq!(judged(&text), (false, false), "{text}");
    }
    // Parameters are underlined by editors, and refused when they are bound.
    for rest in [
        "wait: { site: active, replicas: many }",
        "wait: { sit: active }",
        "wait: { site: a, condition: x }",
    ] {
        assert!(!judged(&step(rest)).0, "{rest}");
    }
}

#[test]
fn every_shipped_runbook_fits_the_schema() {
    let validator = jsonschema::validator_for(&schema(KINDS)).unwrap();
    let shop = [
        include_str!("../../../playbooks/shop/runbook.yaml"),
        include_str!("../../../playbooks/shop/sites.yaml"),
    ];
    for text in KINDS.iter().map(|kind| kind.example).chain(shop) {
        let mut sources = Sources::default();
        let id = sources.add("a.yaml", text);
        for node in yaml::load(&sources, id, &mut Diagnostics::default()) {
            let document: Value = from_node(&node).unwrap();
            let errors: Vec<String> = validator
                .iter_errors(&document)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{errors:?}\n{text}");
        }
    }
}

#[test]
fn the_schema_is_one() {
    let schema = schema(&testing::kinds());
    assert!(jsonschema::meta::is_valid(&schema));
    assert!(
        !schema.to_string().contains("\"format\":\"duration\""),
        "theirs is PT15M"
    );
    assert!(jsonschema::meta::is_valid(&super::schema(&[])));
    assert!(jsonschema::meta::is_valid(&super::schema(KINDS)));
}
