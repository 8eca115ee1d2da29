//! Property tests of parsing: kaf6 and serde_yaml read the same values, and no text makes kaf6 panic.

use std::path::Path;

use kaf6::plan::load_text;
use kaf6::plan::render::timeline;
use kaf6::scenario::LoadOptions;
use kaf6::scenario::source::node::{Content, Node, below};
use kaf6::scenario::source::yaml;
use proptest::prelude::*;
use serde_json::Value as Json;

/// Any document of texts, numbers, booleans and nothing, in lists and mappings.
fn document() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (-1_000_000_000_i64..1_000_000_000).prop_map(|n| Json::from(n as f64 / 1024.0)),
        "[ -~äß€\\n\\t]{0,12}".prop_map(Json::from),
        "(true|null|no|0x1|1e3|~|- a|a: b|#|'|\"|\\{\\{uuid\\}\\}|\\$\\{X\\})".prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            proptest::collection::btree_map("[a-z_äé. -]{1,8}|[0-9]{1,3}|true|- x|a: b", inner, 0..5)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

fn read(text: &str) -> Option<Node> {
    yaml::read(Path::new("f.yaml"), text).ok()
}

/// Pointers and places of all keys and values.
fn places(node: &Node, pointer: &str, out: &mut Vec<(String, usize, usize)>) {
    out.push((pointer.to_owned(), node.span.line, node.span.column));
    match &node.content {
        Content::Scalar(_) => {}
        Content::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &below(pointer, index), out);
            }
        }
        Content::Mapping(members) => {
            for member in members {
                out.push((below(pointer, &member.key), member.span.line, member.span.column));
                places(&member.node, &below(pointer, &member.key), out);
            }
        }
    }
}

proptest! {
    #[test]
    fn what_serde_yaml_writes_is_read_the_same(document in document()) {
        let text = serde_yaml::to_string(&document).unwrap();
        let theirs: Json = serde_yaml::from_str(&text).unwrap();
        let node = read(&text).unwrap_or_else(|| panic!("not read:\n{text}"));
        prop_assert_eq!(node.to_json(), theirs, "{}", text);
        // Each place lies in the text.
        let mut all = Vec::new();
        places(&node, "", &mut all);
        let lines: Vec<&str> = text.split('\n').collect();
        for (pointer, line, column) in all {
            prop_assert!(node.find(&pointer).is_some(), "{}", pointer);
            let length = lines.get(line - 1).map_or(0, |line| line.chars().count());
            prop_assert!(column <= length + 1, "{pointer} at {line}:{column} of\n{text}");
        }
    }

    #[test]
    fn small_texts_are_read_the_same_where_both_read_them(
        before in "|k: |k:\\n  |- |\\[|\\{",
        text in "[a-c:,\\[\\]{}'\"#|> \\n-]{0,24}",
        after in "|\\]|\\}",
    ) {
        // The text ends with a line break, because parsers differ if it is missing.
        let text = format!("{before}{text}{after}\n");
        // Without anchors: YAML 1.2 lets their names hold `:` and more, which YAML 1.1 does not.
        // Keys that are no texts, tags and repeated keys are refused here on purpose; the other way round, what
        // kaf6 reads must mean the same to others.
        let Some(node) = read(&text) else { return Ok(()) };
        // A file that is a single string is not a scenario file in any parser.
        if matches!(node.content, Content::Scalar(_)) {
            return Ok(());
        }
        if let Ok(theirs) = serde_yaml::from_str::<Json>(&text) {
            prop_assert_eq!(node.to_json(), theirs, "{}", text);
        }
    }
}

/// One change to a text: at a share of its length, something cut out, doubled or put in.
#[derive(Debug, Clone)]
enum Change {
    Cut(f64, usize),
    Double(f64, usize),
    Insert(f64, String),
}

fn change() -> impl Strategy<Value = Change> {
    let word = prop_oneof![
        "[ -~]{1,3}",
        "(\\{\\{|\\}\\}|\\$\\{|:|- |\\[|\\{|\\n|  |-1|0|null|\"|'|&a |\\*a|!x |%|ä|💥)",
        "(type: |after: |when: |topic: |partition: |limit: |messages: |rate: )",
    ];
    prop_oneof![
        (0.0..1.0, 1_usize..20).prop_map(|(at, length)| Change::Cut(at, length)),
        (0.0..1.0, 1_usize..80).prop_map(|(at, length)| Change::Double(at, length)),
        (0.0..1.0, word).prop_map(|(at, text)| Change::Insert(at, text)),
    ]
}

fn apply(text: &str, change: &Change) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let place = |share: f64| ((chars.len() as f64) * share) as usize;
    match change {
        Change::Cut(at, length) => {
            let at = place(*at);
            let end = (at + length).min(chars.len());
            chars.drain(at..end);
        }
        Change::Double(at, length) => {
            let at = place(*at);
            let end = (at + length).min(chars.len());
            let part: Vec<char> = chars[at..end].to_vec();
            chars.splice(end..end, part);
        }
        Change::Insert(at, text) => {
            let at = place(*at);
            chars.splice(at..at, text.chars());
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_change_to_a_good_file_makes_it_panic(
        which in 0_usize..8,
        json in any::<bool>(),
        changes in proptest::collection::vec(change(), 1..6),
    ) {
        let mut files: Vec<_> = std::fs::read_dir("examples").unwrap().map(|e| e.unwrap().path()).collect();
        files.extend(["tests/scenario/bad/scope.yaml", "tests/scenario/bad/references.yaml"].map(Into::into));
        files.sort();
        let mut text = std::fs::read_to_string(&files[which % files.len()]).unwrap();
        if json {
            text = serde_json::to_string_pretty(&read(&text).expect("good YAML").to_json()).unwrap();
        }
        for change in &changes {
            text = apply(&text, change);
        }
        let env = |_: &str| None;
        let path = Path::new(if json { "f.json" } else { "f.yaml" });
        match load_text(path, &text, &LoadOptions::new(&env)) {
            Ok(plan) => {
                prop_assert!(plan.scenarios.iter().all(|s| !s.timeout.is_zero()));
                prop_assert!(timeline::render(&plan).contains("scenarios"));
            }
            Err(diagnostics) => {
                prop_assert!(!diagnostics.problems().is_empty(), "refused without a reason:\n{}", text);
                prop_assert!(!diagnostics.render(true).is_empty());
                prop_assert!(!diagnostics.to_string().contains("invalid value"), "{}\n{}", diagnostics, text);
            }
        }
    }
}
