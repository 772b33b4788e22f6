//! Objects that pretend to be others, and texts that two readers would understand differently.

#![expect(clippy::too_many_lines, reason = "a table of tricks, read from top to bottom")]

use std::fmt::Write as _;

use super::raw::Tar;
use super::{Evil, PATH, POD, evil};

fn at(path: &str, body: &str) -> Vec<u8> {
    Tar::new().file(path, body).done()
}

fn of(api_version: &str, kind: &str, meta: &str) -> String {
    format!(r#"{{"apiVersion":"{api_version}","kind":"{kind}","metadata":{{{meta}}}}}"#)
}

/// A path, and what it holds instead of what it says.
fn pretenders() -> Vec<(String, String)> {
    let meta = r#""name":"p","namespace":"shop""#;
    let pod = POD.to_owned();
    let path = |name: &str| format!("resources/pods/namespaces/shop/{name}.json");
    vec![
        ("resources/pods/namespaces/bank/p.json".into(), pod.clone()),
        ("resources/pods/namespaces/Shop/p.json".into(), pod.clone()),
        ("resources/pods/namespaces/shop /p.json".into(), pod.clone()),
        ("resources/pods/namespaces/kube-system/p.json".into(), pod.clone()),
        ("resources/pods/cluster/p.json".into(), pod.clone()),
        ("resources/pods.apps/namespaces/shop/p.json".into(), pod.clone()),
        (
            "resources/pods/v2-preferredversion/namespaces/shop/p.json".into(),
            pod.clone(),
        ),
        (
            "resources/pods/-preferredversion/namespaces/shop/p.json".into(),
            pod.clone(),
        ),
        (path("q"), pod.clone()),
        (path("P"), pod.clone()),
        (path("p "), pod.clone()),
        (path(" p"), pod.clone()),
        (path("p."), pod.clone()),
        (path(""), pod.clone()),
        (path("p.json"), pod.clone()),
        (path("\u{ff50}"), pod.clone()),
        (path("\u{440}"), pod.clone()),
        (path("p\u{200b}"), pod.clone()),
        (path("\u{202e}p"), pod),
        // The same letter, composed and not.
        (path("\u{e4}"), POD.replace("\"p\"", "\"a\u{308}\"")),
        (path("a\u{308}"), POD.replace("\"p\"", "\"\u{e4}\"")),
        (PATH.into(), of("v1", "Pod", r#""name":"p""#)),
        (PATH.into(), of("v1", "Pod", r#""name":"p","namespace":7"#)),
        (PATH.into(), of("v1", "Pod", r#""name":"","namespace":"shop""#)),
        (
            PATH.into(),
            of("v1", "Pod", r#""name":"../p","namespace":"shop""#),
        ),
        (PATH.into(), of("apps/v1", "Pod", meta)),
        // The kind itself, by which exclusions go.
        (
            "resources/secrets/namespaces/shop/p.json".into(),
            of("v1", "Pod", meta),
        ),
        (
            "resources/configmaps/namespaces/shop/p.json".into(),
            of("v1", "Secret", meta),
        ),
        (
            "resources/pod/namespaces/shop/p.json".into(),
            of("v1", "Pod", meta),
        ),
        (
            "resources/Pods/namespaces/shop/p.json".into(),
            of("v1", "Pod", meta),
        ),
        (
            "resources/ingresses.networking.k8s.io/namespaces/shop/p.json".into(),
            of("networking.k8s.io/v1", "NetworkPolicy", meta),
        ),
        (
            "resources/roles.rbac.authorization.k8s.io/namespaces/shop/p.json".into(),
            of("rbac.authorization.k8s.io/v1", "RoleBinding", meta),
        ),
        (
            "resources/roles.rbac.authorization.k8s.io/cluster/p.json".into(),
            of("rbac.authorization.k8s.io/v1", "ClusterRole", r#""name":"p""#),
        ),
        (
            "resources/pods/cluster/p.json".into(),
            of("v1", "Pod", r#""name":"p""#),
        ),
        (
            "resources/secrets/cluster/p.json".into(),
            of("v1", "Secret", r#""name":"p""#),
        ),
    ]
}

/// Bodies without an identity.
const NOBODY: &[&str] = &[
    "{}",
    "[]",
    "null",
    "7",
    "true",
    r#""Pod""#,
    r#"{"apiVersion":"v1","kind":"Pod"}"#,
    r#"{"apiVersion":"v1","kind":"Pod","metadata":null}"#,
    r#"{"apiVersion":"v1","kind":"Pod","metadata":["p","shop"]}"#,
    r#"{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"shop"}}"#,
    r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":7,"namespace":"shop"}}"#,
    r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":["p"],"namespace":"shop"}}"#,
    r#"{"apiVersion":"v1","metadata":{"name":"p","namespace":"shop"}}"#,
    r#"{"kind":"Pod","metadata":{"name":"p","namespace":"shop"}}"#,
    r#"{"apiVersion":1,"kind":"Pod","metadata":{"name":"p","namespace":"shop"}}"#,
    r#"{"apiVersion":"v1","kind":{},"metadata":{"name":"p","namespace":"shop"}}"#,
];

/// What stands in `"spec"`, and why that is no JSON.
const NO_JSON: &[(&str, &str)] = &[
    ("not a number", "NaN"),
    ("infinite", "Infinity"),
    ("hexadecimal", "0x10"),
    ("a leading zero", "007"),
    ("a plus", "+1"),
    ("too large a number", "1e999999"),
    ("a comma too many", "[1,]"),
    ("a comment", "1/**/"),
    ("single quotes", "'a'"),
    ("no quotes", "a"),
    ("a new line in a text", "\"a\nb\""),
    ("a zero in a text", "\"a\0b\""),
    ("half of a surrogate pair", r#""\ud800""#),
    ("an unknown escape", r#""\x41""#),
    ("an open list", "[1"),
    ("a closed list too many", "1]"),
];

/// A name twice, in which some readers see the first and some the last.
const TWICE: &[(&str, &str)] = &[
    (
        "the kind",
        r#"{"apiVersion":"v1","kind":"Secret","kind":"Pod","metadata":{"name":"p","namespace":"shop"}}"#,
    ),
    (
        "all metadata",
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"q"},"metadata":{"name":"p","namespace":"shop"}}"#,
    ),
    (
        "the name",
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"q","name":"p","namespace":"shop"}}"#,
    ),
    (
        "the namespace",
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"kube-system","name":"p","namespace":"shop"}}"#,
    ),
    (
        "an escaped name",
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"n\u0061me":"q","name":"p","namespace":"shop"}}"#,
    ),
    (
        "deep inside",
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"shop"},"spec":{"a":[{"b":1,"b":2}]}}"#,
    ),
    (
        "equal ones",
        r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"shop"},"spec":{"a":1,"a":1}}"#,
    ),
];

fn with_spec(spec: &str) -> String {
    POD.replace("\"kind\"", &format!("\"spec\":{spec},\"kind\""))
}

pub(super) fn all() -> Vec<Evil> {
    let mut all: Vec<Evil> = pretenders()
        .into_iter()
        .map(|(path, body)| {
            evil(
                format!("pretends: {path:?} holds {body}"),
                at(&path, &body),
                "it holds ",
            )
        })
        .collect();
    all.extend(NOBODY.iter().map(|body| {
        let words = if body.starts_with('{') {
            "it has no apiVersion"
        } else {
            "it "
        };
        evil(format!("nobody: {body}"), at(PATH, body), words)
    }));
    all.extend(NO_JSON.iter().map(|(why, spec)| {
        evil(
            format!("no JSON: {why}"),
            at(PATH, &with_spec(spec)),
            "it is not JSON",
        )
    }));
    all.extend(TWICE.iter().map(|(why, body)| {
        evil(
            format!("twice in an object: {why}"),
            at(PATH, body),
            "is there twice",
        )
    }));
    all.extend(whole_bodies());
    all.extend(heavy());
    all
}

fn whole_bodies() -> Vec<Evil> {
    let not_utf8 = Tar::new().entry(
        b'0',
        PATH.as_bytes(),
        b"{\"apiVersion\":\"v1\",\"kind\":\"\xff\"}",
    );
    let no_json =
        |why: &str, body: String| evil(format!("no JSON: {why}"), at(PATH, &body), "it is not JSON");
    vec![
        evil("no JSON: not UTF-8", not_utf8.done(), "it is not JSON"),
        no_json("empty", String::new()),
        no_json("only space", " \n".into()),
        no_json("YAML", "apiVersion: v1\nkind: Pod\n".into()),
        no_json("a byte order mark", format!("\u{feff}{POD}")),
        no_json("something behind it", format!("{POD}x")),
        no_json("a second one behind it", format!("{POD}{POD}")),
        no_json("a zero behind it", format!("{POD}\0")),
        no_json("cut off", POD[..POD.len() - 1].into()),
    ]
}

/// Depth and width: small in the archive, large in memory.
fn heavy() -> Vec<Evil> {
    let million = |text: &str| format!("[{}0]", text.repeat(1_000_000));
    let mut members = String::new();
    for number in 0..1_000_000 {
        write!(members, "\"{number:x}\":0,").unwrap();
    }
    let deep = |why: &str, spec: String| {
        evil(
            format!("deep: {why}"),
            at(PATH, &with_spec(&spec)),
            "it is not JSON",
        )
    };
    let wide =
        |why: &str, spec: String| evil(format!("wide: {why}"), at(PATH, &with_spec(&spec)), "more than");
    vec![
        deep("a hundred thousand lists", "[".repeat(100_000)),
        deep(
            "130 lists, all closed",
            format!("{}{}", "[".repeat(130), "]".repeat(130)),
        ),
        deep(
            "130 objects",
            format!("{}0{}", "{\"a\":".repeat(130), "}".repeat(130)),
        ),
        deep(
            "lists and objects by turns",
            format!("{}0{}", "[{\"a\":".repeat(70), "}]".repeat(70)),
        ),
        wide("a million numbers", million("0,")),
        wide("a million lists", million("[],")),
        wide("a million objects", million("{},")),
        wide("a million texts", million("\"\",")),
        wide("lists of lists", million("[[]],")),
        wide("a million members", format!("{{{members}\"\":0}}")),
        wide(
            "thirty megabytes of numbers",
            format!("[{}0]", "0,".repeat(15_000_000)),
        ),
    ]
}
