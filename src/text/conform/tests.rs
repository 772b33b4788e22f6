use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::text::{Millis, Sources, Text, from_node, yaml};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Params {
    site: Role,
    replicas: u32,
    port: Option<u16>,
    wait: Option<Millis>,
    #[serde(default)]
    selector: BTreeMap<String, String>,
    expect: Option<Expect>,
    target: Option<Target>,
    question: Option<Text>,
    urgent: Option<bool>,
    items: Option<Vec<Expect>>,
    either: Option<Either>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Role(#[schemars(extend("format" = "role"))] String);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is looked at")]
struct Expect {
    status: u16,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "only its schema is looked at")]
enum Target {
    /// Documented variants become `const`s, the others one `enum`.
    Nowhere,
    Somewhere,
    Http(String),
    Tcp {
        host: String,
    },
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is looked at")]
enum Either {
    Number(u8),
    Many(Vec<u8>),
    Map { deep: u8 },
}

struct Upper;

impl Hooks for Upper {
    fn scalar(&self, format: &str, text: &str, span: Span, found: &mut Diagnostics) -> Option<String> {
        if format != "role" {
            assert_eq!(format, "text");
            return None;
        }
        if text == "bad" {
            found.push(Diagnostic::error("L025", "no such role", span, ""));
        }
        Some(text.to_uppercase())
    }
}

fn check(text: &str) -> (Node, String) {
    let mut sources = Sources::default();
    let id = sources.add("a.yaml", text);
    let mut found = Diagnostics::default();
    let mut node = yaml::load(&sources, id, &mut found).remove(0);
    let schema = schemars::schema_for!(Params).to_value();
    let owner = node.span;
    Conform::new(&schema, &Upper).check(&mut node, owner, &mut found);
    let lines: Vec<String> = found
        .iter()
        .map(|one| {
            let (start, end) = (one.span().start as usize, one.span().end as usize);
            let help = one.help.join("; ");
            format!("{} {} @{:?} ({help})\n", one.code, one.message, &text[start..end])
        })
        .collect();
    (node, lines.concat())
}

fn mistakes(rest: &str) -> String {
    check(&format!("{{site: active, replicas: 1, {rest}}}")).1
}

#[test]
fn a_tree_that_fits_has_no_mistakes_and_formats_replace_scalars() {
    let (node, mistakes) = check(concat!(
        "{site: active, replicas: 0, port: 1, wait: 5m, selector: {a: b}, expect: {status: 200}, ",
        "target: {tcp: {host: a}}, question: q, urgent: true, items: [{status: 1}], either: {deep: 1}}"
    ));
    assert_eq!(mistakes, "");
    assert_eq!(node.get("site").and_then(Node::as_str), Some("ACTIVE"));
    for fits in [
        "target: nowhere",
        "target: somewhere",
        "port: ",
        "either: [1]",
        "either: 3",
        "expect: ~",
    ] {
        assert_eq!(self::mistakes(fits), "", "{fits}");
    }
}

#[test]
fn every_mistake_is_found_at_once() {
    let (_, mistakes) = check(concat!(
        "{site: bad, replica: 1, port: 70000, wait: 5, selector: [a], expect: {statsu: 200, x: 1}, ",
        "urgent: yes, question: 3}"
    ));
    insta::assert_snapshot!(mistakes, @r#"
    L025 no such role @"bad" ()
    L009 the key `replica` means nothing here @"replica" (did you mean `replicas`?)
    L014 70000 is too large: at most 65535 @"70000" ()
    L015 5 of what? @"5" (write it like 5s or 5m)
    L011 expected a map, found a list @"[a]" ()
    L009 the key `statsu` means nothing here @"statsu" (did you mean `status`?)
    L009 the key `x` means nothing here @"x" (known here: status)
    L011 expected `true` or `false`, found a string @"yes" (did you mean `true`?)
    L011 expected a string, found a whole number @"3" (write it between quotes)
    "#);
}

#[test]
fn an_enum_names_its_words() {
    insta::assert_snapshot!(
        ["nowere", "http", "{nowhere: 1}", "{htp: x}", "{http: 1}", "{}", "{http: a, tcp: {host: b}}", "3"]
            .map(|target| mistakes(&format!("target: {target}"))).concat(),
        @r#"
    L013 `nowere` is not one of somewhere, nowhere, http, tcp @"nowere" (did you mean `nowhere`?)
    L011 `http` needs a value @"http" (write it as { http: … })
    L011 `nowhere` takes no value @"nowhere" ()
    L013 `htp` is not one of somewhere, nowhere, http, tcp @"htp" (did you mean `http`?)
    L011 expected a string, found a whole number @"1" (write it between quotes)
    L034 exactly one of somewhere, nowhere, http, tcp has to be here @"target" ()
    L034 exactly one of somewhere, nowhere, http, tcp has to be here @"tcp" ()
    L011 expected one of somewhere, nowhere, http, tcp, found a whole number @"3" ()
    "#
    );
}

#[test]
fn of_untagged_alternatives_the_nearest_one_is_meant() {
    insta::assert_snapshot!(
        ["{deep: x}", "[1, 300]", "true", "text"].map(|either| mistakes(&format!("either: {either}"))).concat(),
        @r#"
    L011 expected a whole number, found a string @"x" ()
    L014 300 is too large: at most 255 @"300" ()
    L011 expected a whole number or a list or a map, found a boolean @"true" ()
    L011 expected a whole number or a list or a map, found a string @"text" ()
    "#
    );
}

#[test]
fn numbers_keep_to_their_range() {
    insta::assert_snapshot!(
        ["port: -1", "port: 65536", "port: 1.5", "expect: {status: 99999999999999}"].map(mistakes).concat(),
        @r#"
    L014 -1 is too small: at least 0 @"-1" ()
    L014 65536 is too large: at most 65535 @"65536" ()
    L011 expected a whole number, found a number @"1.5" ()
    L014 99999999999999 is too large: at most 65535 @"99999999999999" ()
    "#
    );
    assert!(check("{site: a, replicas: 4294967296}").1.contains("too large"));
}

#[test]
fn only_a_text_may_be_late() {
    use crate::text::Piece;
    let schema = schemars::schema_for!(Params).to_value();
    let late = Node {
        value: NodeValue::Late(Text::new(vec![Piece::Namespace("a".into())])),
        span: Span::default(),
    };
    let key = |name: &str| Key::new(name.into(), Span::default());
    let mut codes = Vec::new();
    for name in ["question", "replicas", "site", "target", "selector", "wait"] {
        let entries = vec![(key("site"), late.clone()), (key("replicas"), late.clone())];
        let entries = entries.into_iter().filter(|(key, _)| key.value != name);
        let mut node = Node {
            value: NodeValue::Mapping(entries.chain([(key(name), late.clone())]).collect()),
            span: Span::default(),
        };
        let mut found = Diagnostics::default();
        Conform::new(&schema, &()).check(&mut node, Span::default(), &mut found);
        codes.push((name, found.iter().filter(|one| one.code == "L029").count()));
    }
    assert_eq!(
        codes,
        [
            ("question", 2),
            ("replicas", 2),
            ("site", 2),
            ("target", 3),
            ("selector", 3),
            ("wait", 3)
        ]
    );
}

#[test]
fn the_schema_says_no_more_than_serde_reads() {
    let (node, _) = check("{site: a, replicas: 1, target: {tcp: {host: a}}}");
    assert!(from_node::<Params>(&node).is_ok());
}
