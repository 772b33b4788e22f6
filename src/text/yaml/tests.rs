use proptest::prelude::*;

use super::*;

fn read(text: &str) -> (Vec<Node>, Vec<String>) {
    let mut sources = Sources::default();
    let id = sources.add("a.yaml", text);
    let mut found = Diagnostics::default();
    let nodes = load(&sources, id, &mut found);
    let line = |one: &Diagnostic| {
        let place = |span: Span| {
            let at = sources.position(span);
            format!("{}:{}", at.line, at.column)
        };
        let places: Vec<String> = one.labels.iter().map(|label| place(label.span)).collect();
        format!("{} {} @{}", one.code, one.message, places.join(" and "))
    };
    (nodes, found.iter().map(line).collect())
}

/// A node as text, each value with what its span covers.
fn draw(node: &Node, text: &str) -> String {
    let covered = &text[node.span.start as usize..node.span.end as usize];
    let value = match &node.value {
        NodeValue::Sequence(list) => {
            let list: Vec<String> = list.iter().map(|one| draw(one, text)).collect();
            format!("[{}]", list.join(", "))
        }
        NodeValue::Mapping(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| format!("{key}: {}", draw(value, text)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => format!("{other:?}"),
    };
    match node.value {
        NodeValue::Sequence(_) | NodeValue::Mapping(_) => format!("{value}={covered:?}"),
        _ => format!("{value}~{covered:?}"),
    }
}

fn drawn(text: &str) -> String {
    let (nodes, mistakes) = read(text);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    nodes
        .iter()
        .map(|node| draw(node, text))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn numbers_and_booleans_are_those_of_json_and_all_else_is_text() {
    let text = "[1, -1, 0, 1.5, 1e3, true, null, ~, 0755, 1_000, 0x1F, +1, .5, 1., no, True, NULL, -0, 9223372036854775808, .inf, 1e999, 12:30, 2026-11-22, '1', \"true\"]";
    let (nodes, _) = read(text);
    let NodeValue::Sequence(list) = &nodes[0].value else {
        panic!()
    };
    let kinds: Vec<String> = list.iter().map(|node| format!("{:?}", node.value)).collect();
    insta::assert_snapshot!(kinds.join(" "), @r#"Integer(1) Integer(-1) Integer(0) Float(1.5) Float(1000.0) Bool(true) Null Null String("0755") String("1_000") String("0x1F") String("+1") String(".5") String("1.") String("no") String("True") String("NULL") Integer(0) String("9223372036854775808") String(".inf") String("1e999") String("12:30") String("2026-11-22") String("1") String("true")"#);
}

#[test]
fn every_value_knows_its_place() {
    insta::assert_snapshot!(drawn("a: 1\nb:\n  - x\n  -\n  - y: |\n      text\n      more\n    z: 'q'\nc: [a, {b: c} ]\nd:\ne: \"ü\"\n"), @r#"{a: Integer(1)~"1", b: [String("x")~"x", Null~"", {y: String("text\nmore\n")~"text\n      more\n    ", z: String("q")~"'q'"}="y: |\n      text\n      more\n    z: 'q'"]="- x\n  -\n  - y: |\n      text\n      more\n    z: 'q'", c: [String("a")~"a", {b: String("c")~"c"}="{b: c}"]="[a, {b: c} ]", d: Null~"d", e: String("ü")~"\"ü\""}="a: 1\nb:\n  - x\n  -\n  - y: |\n      text\n      more\n    z: 'q'\nc: [a, {b: c} ]\nd:\ne: \"ü\"""#);
}

#[test]
fn documents_are_separate_and_empty_ones_are_left_out() {
    assert_eq!(
        drawn("---\na\n---\n---\nb\n...\n---\n# nothing\n"),
        "String(\"a\")~\"a\"\nString(\"b\")~\"b\""
    );
    assert_eq!(drawn(""), "");
    assert_eq!(drawn("\u{feff}a"), "String(\"a\")~\"a\"");
    assert_eq!(
        drawn("a: 1\r\nb: 2\r\n"),
        "{a: Integer(1)~\"1\", b: Integer(2)~\"2\"}=\"a: 1\\r\\nb: 2\""
    );
}

#[test]
fn everything_that_is_not_plain_is_refused_at_once() {
    let (nodes, mistakes) = read("a: &x 1\nb: !!str 2\n<<: 3\na: 4\n'': 5\n---\nc: *x\n<<: *y\n---\nd: 6\n");
    insta::assert_snapshot!(mistakes.join("\n"), @r"
    L004 an anchor is not read here @1:4
    L004 a tag is not read here @2:4
    L004 a merge key is not read here @3:1
    L006 a key has to be text on one line @5:1
    L005 the key `a` is there twice @4:1 and 1:1
    L004 an alias is not read here @7:4
    L004 a merge key is not read here @8:1
    L004 an alias is not read here @8:5
    ");
    assert_eq!(nodes.len(), 2, "the document with an alias is left out");
    let keys: Vec<&str> = nodes[0]
        .entries()
        .iter()
        .map(|(key, _)| key.value.as_str())
        .collect();
    assert_eq!(keys, ["a", "b", ""]);
}

#[test]
fn a_syntax_error_has_a_place_and_what_came_before_is_kept() {
    let (nodes, mistakes) = read("a: 1\n---\nb: [1, 2\nc: 3\n");
    assert_eq!(nodes.len(), 1);
    insta::assert_snapshot!(mistakes.join("\n"), @"L001 this is not YAML @4:2");
    insta::assert_snapshot!(read("a: \"x").1.join("\n"), @"L001 this is not YAML @1:4");
    insta::assert_snapshot!(read("a:\n\tb: 1\n").1.join("\n"), @"L001 this is not YAML @2:2");
    insta::assert_snapshot!(read("? [a]\n: b\n").1.join("\n"), @"L006 a key has to be text, not a list or map @1:3");
    insta::assert_snapshot!(read("%YAML 1.2\n---\na: 1\n").1.join("\n"), @"L001 this is not YAML @1:1");
}

#[test]
fn limits_are_held() {
    let deep = |depth: usize| format!("{}x{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&deep(DEPTH_MAX)).1.is_empty());
    let cases = [
        ("L003", deep(DEPTH_MAX + 1)),
        ("L003", "[".repeat(200_000)),
        ("L003", "- ".repeat(100_000)),
        ("L003", "{a: ".repeat(1_000)),
        ("L002", "x".repeat(SIZE_MAX + 1)),
        ("L002", format!("[{}]", "1,".repeat(NODES_MAX + 1))),
        ("L002", "---\nx\n".repeat(DOCUMENTS_MAX + 1)),
    ];
    for (code, text) in cases {
        let (_, mistakes) = read(&text);
        let start: String = text.chars().take(12).collect();
        assert_eq!(mistakes.len(), 1, "{start} {mistakes:?}");
        assert!(mistakes[0].starts_with(code), "{start} {mistakes:?}");
    }
    let anchors: Vec<String> = (0..5_000).map(|n| format!("- &a{n} 1\n")).collect();
    assert_eq!(read(&anchors.concat()).1.len(), Diagnostics::KEPT_MAX);
    assert!(read(&"x".repeat(SIZE_MAX)).1.is_empty());
}

#[test]
fn what_is_written_reads_back() {
    let value = serde_json::json!({"a": ["no", "0755", "1", "~", "", "x: y", 1, 1.5, true, null], "b": {"c": "l1\nl2\n"}});
    let written = to_string(&value).unwrap();
    let (nodes, mistakes) = read(&written);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let back: serde_json::Value = crate::text::from_node(&nodes[0]).unwrap();
    assert_eq!(back, value, "{written}");
}

#[test]
fn a_letter_that_was_once_a_line_break_reads_back() {
    for letter in OLD_BREAKS {
        let value = serde_json::json!({"a": format!("x{letter}y"), "b": [letter]});
        let written = to_string(&value).unwrap();
        let back: serde_json::Value = crate::text::from_node(&read(&written).0[0]).unwrap();
        assert_eq!(back, value, "{written}");
    }
}

/// Text that is YAML more often than random bytes are.
fn yamlish() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a", "b: ", ": ", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ",", "'", "\"", "|\n", ">-\n",
        "&x ", "*x", "!t ", "<<", "---\n", "...\n", "# c", "? ", "%", "\t", "ü", "日本", "\u{feff}",
        "${x.y}", "~", "1", "\\", "\r\n", "\0",
    ]);
    prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

/// Every span of a tree lies in the text, on character boundaries, inside its parent's source.
fn spans_lie_in(node: &Node, text: &str) {
    assert!(
        text.get(node.span.start as usize..node.span.end as usize)
            .is_some(),
        "{node:?}"
    );
    match &node.value {
        NodeValue::Sequence(list) => list.iter().for_each(|one| spans_lie_in(one, text)),
        NodeValue::Mapping(entries) => entries.iter().for_each(|(key, value)| {
            assert!(text.get(key.span.start as usize..key.span.end as usize).is_some());
            spans_lie_in(value, text);
        }),
        _ => {}
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_places_in_it(text in prop_oneof![yamlish(), any::<String>()]) {
        let mut sources = Sources::default();
        let id = sources.add("a.yaml", text.clone());
        let mut found = Diagnostics::default();
        for node in load(&sources, id, &mut found) {
            spans_lie_in(&node, &text);
        }
        for label in found.iter().flat_map(|one| &one.labels) {
            prop_assert!(text.get(label.span.start as usize..label.span.end as usize).is_some());
        }
        let _ = found.render(&sources, false);
    }

    #[test]
    fn any_json_that_is_written_as_yaml_reads_back(text in any::<String>(), number in any::<i64>()) {
        let value = serde_json::json!({"k": text, "n": [number], "e": {}, "l": []});
        let written = to_string(&value).unwrap();
        let (nodes, mistakes) = read(&written);
        prop_assert!(mistakes.is_empty(), "{:?} {}", mistakes, written);
        let back: serde_json::Value = crate::text::from_node(&nodes[0]).unwrap();
        prop_assert_eq!(back, value);
    }
}
