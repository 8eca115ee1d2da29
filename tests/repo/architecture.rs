//! Verifies the layers of the source tree: imports, circles, file headers, unsafe code, lengths.
//!
//! rustc permits circles between modules; this test does not. It reads tokens, not types: `use` trees and paths that begin with
//! `crate`, `self`, `super` or a child module, outside of `#[cfg(test)]`. A name that a module only re-exports counts for the module
//! that defines it, so a `mod.rs` can re-export its children.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use kaf6::plan::{CheckKind, FaultKind, ScenarioKind};

/// The layers, as `docs/architecture.md` shows them. A module imports from lower numbers only.
const LAYERS: &[&[&str]] = &[
    &["units", "ids", "kind", "anomaly"],
    &["scenario"],
    &["plan", "metrics", "ledger"],
    &["kafka", "docker", "observe"],
    &["checks"],
    &["engine", "record"],
    &["report"],
    &["app", "exit"],
    &["cli"],
    &[""], // lib.rs
    &["main"],
];

/// The only folder with unsafe code: a file for each thing of librdkafka's that it wraps, since one file for all of
/// them was twice as long as a file may be.
const UNSAFE: &str = "kafka/ffi/";

/// How long a file may be, tests apart, before it needs a reason.
const LONGEST: usize = 500;

/// How many files a folder may have, tests apart, before it needs rooms.
const MOST_FILES: usize = 14;

/// The only room whose types may have the names of others: they are the form of `summary.json`.
const SUMMARY: &str = "report/summary/";

/// Files that are longer, each with its reason.
const LONG: &[(&str, &str)] = &[];

#[test]
fn the_source_tree_keeps_its_rules() {
    let problems = judge(&read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")), LONG);
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

/// Every broken rule of a tree, by file.
fn judge(files: &BTreeMap<String, String>, long: &[(&str, &str)]) -> Vec<String> {
    let modules: BTreeMap<String, Module> =
        files.iter().map(|(file, text)| (module_path(file), Module::parse(file, text))).collect();
    let mut problems = Vec::new();
    for module in modules.values() {
        module.judge_alone(long, &mut problems);
    }
    judge_folders(files, &mut problems);
    judge_type_names(modules.values(), &mut problems);
    for (file, reason) in long {
        if reason.is_empty()
            || !modules.values().any(|module| module.file == *file && module.length > LONGEST)
        {
            problems.push(format!("{file}: is listed as long, and is not, or without a reason"));
        }
    }
    let edges: BTreeMap<&str, BTreeSet<String>> =
        modules.iter().map(|(path, module)| (path.as_str(), imports(path, module, &modules))).collect();
    for (from, targets) in &edges {
        for to in targets {
            judge_import(&modules[*from].file, top(from), top(to), &mut problems);
        }
    }
    for circle in circles(&edges) {
        problems.push(format!("a circle of modules: {}", circle.join(" -> ")));
    }
    problems.sort();
    problems.dedup();
    problems
}

/// Few files each, and `mod.rs` for each module that has files of its own, except where that of the folder above
/// writes the module out.
fn judge_folders(files: &BTreeMap<String, String>, problems: &mut Vec<String>) {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for file in files.keys() {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        *folders.entry(folder).or_default() += 1;
        let within = format!("{}/", file.trim_end_matches(".rs"));
        if files.keys().any(|other| other.starts_with(&within)) {
            problems.push(format!("{file}: belongs in {within}mod.rs, beside its files"));
        }
    }
    for (folder, count) in folders {
        if count > MOST_FILES {
            problems.push(format!("{folder}: has {count} files, over {MOST_FILES}"));
        }
        let own = [format!("{folder}/mod.rs"), format!("{folder}.rs")];
        if folder.is_empty() || own.iter().any(|file| files.contains_key(file)) {
            continue;
        }
        let (above, name) = folder.rsplit_once('/').unwrap_or(("", folder));
        let above = if above.is_empty() { "lib.rs".to_owned() } else { format!("{above}/mod.rs") };
        if !files.get(&above).is_some_and(|text| writes_out(&tokens(text), name)) {
            problems.push(format!("{folder}: has no mod.rs, and {above} does not write it out"));
        }
    }
}

/// Whether a file has a module of this name with its contents in braces.
fn writes_out(tokens: &[Token], name: &str) -> bool {
    tokens.windows(3).any(|three| three.iter().map(|token| token.text.as_str()).eq(["mod", name, "{"]))
}

/// No two types have one name.
fn judge_type_names<'a>(modules: impl Iterator<Item = &'a Module>, problems: &mut Vec<String>) {
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for module in modules.filter(|module| !module.file.starts_with(SUMMARY)) {
        for name in &module.types {
            places.entry(name).or_default().push(&module.file);
        }
    }
    for (name, files) in places {
        if files.len() > 1 {
            problems.push(format!("the type {name} is there twice: {}", files.join(", ")));
        }
    }
}

/// The names of types that a file defines, those of traits' own apart.
fn type_names(tokens: &[Token]) -> Vec<String> {
    let mut depth = 0;
    let mut names = Vec::new();
    for pair in tokens.windows(2) {
        match pair[0].text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "struct" | "enum" | "union" | "trait" | "type" if depth == 0 && is_name(&pair[1].text) => {
                names.push(pair[1].text.clone());
            }
            _ => {}
        }
    }
    names
}

fn judge_import(file: &str, from: &str, to: &str, problems: &mut Vec<String>) {
    let layer = |module: &str| LAYERS.iter().position(|names| names.contains(&module));
    if from == to {
        return;
    }
    match (layer(from), layer(to)) {
        (None, _) => {
            problems.push(format!("{file}: the module {from} has no layer in tests/repo/architecture.rs"));
        }
        // Its own file is told of that.
        (_, None) => {}
        (Some(own), Some(other)) if own > other => {}
        (Some(own), Some(other)) => {
            let to = if to.is_empty() { "the crate's root" } else { to };
            problems.push(format!("{file}: {from} (layer {own}) may not import {to} (layer {other})"));
        }
    }
}

/// One file.
struct Module {
    file: String,
    header: bool,
    has_unsafe: bool,
    /// Lines outside of `#[cfg(test)]`.
    length: usize,
    paths: Vec<Used>,
    types: Vec<String>,
}

/// One path that a file names.
struct Used {
    segments: Vec<String>,
    /// Where it is `pub use`: the name under which others find it here.
    exported_as: Option<String>,
}

impl Module {
    fn parse(file: &str, text: &str) -> Self {
        let (tokens, test_lines) = without_tests(&tokens(text));
        Self {
            file: file.to_owned(),
            header: text.starts_with("//! "),
            has_unsafe: tokens.iter().any(|token| token.text == "unsafe"),
            length: text.lines().count() - test_lines,
            paths: paths(&tokens),
            types: type_names(&tokens),
        }
    }

    fn judge_alone(&self, long: &[(&str, &str)], problems: &mut Vec<String>) {
        let Self { file, length, .. } = self;
        if !self.header {
            problems.push(format!("{file}: does not begin with a //! header that says what it owns"));
        }
        if self.has_unsafe && !file.starts_with(UNSAFE) {
            problems.push(format!("{file}: has unsafe code, which belongs in {UNSAFE}"));
        }
        if *length > LONGEST && !long.iter().any(|(listed, _)| listed == file) {
            problems.push(format!("{file}: has {length} lines, over {LONGEST}, without a reason in LONG"));
        }
    }
}

/// Every file of a folder by its path in it; files of tests apart.
fn read(folder: &Path) -> BTreeMap<String, String> {
    fn walk(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).expect("the folder is read").flatten() {
            let path = entry.path();
            if path.is_dir() && path.ends_with("tests") {
                // As `tests.rs`.
            } else if path.is_dir() {
                walk(root, &path, files);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
                let name = path.strip_prefix(root).expect("below the root").display().to_string();
                files.insert(name, fs::read_to_string(&path).expect("the file is read"));
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(folder, folder, &mut files);
    files
}

/// `a/b.rs` and `a/b/mod.rs` are `a::b`; `lib.rs` is the root, which is empty.
fn module_path(file: &str) -> String {
    let stem = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if stem == "lib" { String::new() } else { stem.replace('/', "::") }
}

fn top(path: &str) -> &str {
    path.split("::").next().unwrap_or_default()
}

fn join(base: &str, name: &str) -> String {
    if base.is_empty() { name.to_owned() } else { format!("{base}::{name}") }
}

/// The modules that a module imports, itself apart.
fn imports(path: &str, module: &Module, modules: &BTreeMap<String, Module>) -> BTreeSet<String> {
    module
        .paths
        .iter()
        .filter_map(|used| Some((used, resolve(path, &used.segments, modules, 0)?)))
        // A front for its children does not depend on them.
        .filter(|(used, target)| used.exported_as.is_none() || !target.starts_with(&join(path, "")))
        .map(|(_, target)| target)
        .filter(|target| target != path)
        .collect()
}

/// The module in which the thing at the end of a path is written; none for other crates and local names.
fn resolve(
    from: &str,
    segments: &[String],
    modules: &BTreeMap<String, Module>,
    depth: usize,
) -> Option<String> {
    let mut rest = segments;
    let mut at = from.to_owned();
    match rest.first().map(String::as_str)? {
        "crate" | "kaf6" => (at, rest) = (String::new(), &rest[1..]),
        "self" => rest = &rest[1..],
        "super" => {}
        child if is_module(&join(from, child), modules) => {}
        _ => return None,
    }
    while rest.first().is_some_and(|segment| segment == "super") {
        at = at.rsplit_once("::").map_or(String::new(), |(parent, _)| parent.to_owned());
        rest = &rest[1..];
    }
    while let Some(inner) = rest.first().map(|segment| join(&at, segment))
        && is_module(&inner, modules)
    {
        (at, rest) = (inner, &rest[1..]);
    }
    // A folder that has no file is written out in the one above.
    while !modules.contains_key(&at) {
        (at, rest) = (at.rsplit_once("::")?.0.to_owned(), &[]);
    }
    let front = modules.get(&at)?;
    let exported = rest.first().and_then(|name| {
        front.paths.iter().find(|used| used.exported_as.as_ref() == Some(name) && used.segments != segments)
    });
    match exported {
        Some(exported) if depth < 8 => resolve(&at, &exported.segments, modules, depth + 1).or(Some(at)),
        _ => Some(at),
    }
}

/// Whether a path leads to a file or to a folder of files.
fn is_module(path: &str, modules: &BTreeMap<String, Module>) -> bool {
    let within = join(path, "");
    modules.contains_key(path) || modules.keys().any(|other| other.starts_with(&within))
}

/// Groups of modules that reach each other, by their names.
fn circles<'a>(edges: &BTreeMap<&'a str, BTreeSet<String>>) -> Vec<Vec<&'a str>> {
    let reach = |start: &str| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![start];
        while let Some(next) = open.pop() {
            for target in edges.get(next).into_iter().flatten() {
                if seen.insert(target) {
                    open.push(target);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = edges.keys().map(|path| (*path, reach(path))).collect();
    let groups: BTreeSet<Vec<&str>> = edges
        .keys()
        .map(|path| {
            let mutual = |other: &&&str| reached[path].contains(**other) && reached[**other].contains(path);
            edges.keys().filter(mutual).copied().collect::<Vec<_>>()
        })
        .filter(|group| group.len() > 1)
        .collect();
    groups.into_iter().collect()
}

/// A word or a sign, with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    text: String,
    line: usize,
}

/// Words and signs of a source text; `::` is one sign; comments, strings, characters and lifetimes are left out.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut i = 0;
    let mut line = 1;
    while i < chars.len() {
        let start = i;
        match chars[i] {
            '/' if at(i + 1) == '/' => {
                while i < chars.len() && chars[i] != '\n' {
                    i += 1;
                }
            }
            '/' if at(i + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            '"' => i = after_string(&chars, i),
            '\'' if at(i + 1) == '\\' || (at(i + 2) == '\'' && at(i + 1) != '\'') => {
                i += if at(i + 1) == '\\' { 3 } else { 2 };
                while i < chars.len() && chars[i] != '\'' {
                    i += 1;
                }
                i += 1;
            }
            '\'' => {
                i += 1;
                while is_word(at(i)) {
                    i += 1;
                }
            }
            c if is_word(c) => {
                while is_word(at(i)) {
                    i += 1;
                }
                let word: String = chars[start..i].iter().collect();
                let raw = matches!(word.as_str(), "r" | "br" | "cr");
                let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
                if raw && at(i + hashes) == '"' {
                    let end: String = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                    let rest: String = chars[i + hashes + 1..].iter().collect();
                    let inner = rest.find(&end).map_or(rest.chars().count(), |b| rest[..b].chars().count());
                    i += hashes + 1 + inner + end.len();
                } else if !(matches!(word.as_str(), "b" | "c") && matches!(at(i), '"' | '\'')) {
                    tokens.push(Token { text: word, line });
                }
            }
            ':' if at(i + 1) == ':' => {
                tokens.push(Token { text: "::".to_owned(), line });
                i += 2;
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push(Token { text: c.to_string(), line });
                }
                i += 1;
            }
        }
        line += chars[start..i.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

fn after_string(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// The tokens outside of items under `#[cfg(test)]`, and how many lines those items take.
fn without_tests(tokens: &[Token]) -> (Vec<Token>, usize) {
    const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut lines = 0;
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        let is_test =
            CFG_TEST.iter().enumerate().all(|(n, text)| rest.get(n).is_some_and(|t| t.text == *text));
        if !is_test {
            kept.push(token.clone());
            rest = after;
            continue;
        }
        let mut depth = 0_usize;
        let end = rest.iter().skip(CFG_TEST.len()).position(|token| {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && matches!(token.text.as_str(), "}" | ";")
        });
        let end = end.map_or(rest.len() - 1, |end| end + CFG_TEST.len());
        lines += rest[end].line - token.line + 1;
        rest = &rest[end + 1..];
    }
    (kept, lines)
}

/// Every path in the tokens that may lead to a module of this crate.
fn paths(tokens: &[Token]) -> Vec<Used> {
    let text = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    let mut found: Vec<Used> = Vec::new();
    // Modules written out within the file: how deep in braces each began.
    let mut inline: Vec<usize> = Vec::new();
    let mut depth = 0;
    let mut i = 0;
    while i < tokens.len() {
        let before = found.len();
        if text(i) == "use" {
            let exported = i > 0 && matches!(text(i - 1), "pub" | ")");
            i = use_tree(tokens, i + 1, &[], exported, &mut found);
        } else if text(i + 1) == "::" && is_name(text(i)) && (i == 0 || !matches!(text(i - 1), "::" | ".")) {
            let mut segments = vec![text(i).to_owned()];
            i += 1;
            while text(i) == "::" && is_name(text(i + 1)) {
                segments.push(text(i + 1).to_owned());
                i += 2;
            }
            found.push(Used { segments, exported_as: None });
        } else {
            match text(i) {
                "mod" if text(i + 2) == "{" => inline.push(depth),
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    inline.pop_if(|began| *began == depth);
                }
                _ => {}
            }
            i += 1;
        }
        // Within one, as many `super` lead to the file itself.
        for used in &mut found[before..] {
            let supers = used.segments.iter().take_while(|segment| *segment == "super").count();
            used.segments.drain(..supers.min(inline.len()));
            if supers > 0 && supers <= inline.len() {
                used.segments.insert(0, "self".to_owned());
            }
        }
    }
    found
}

/// Reads one branch of a `use` and gives the place behind it.
fn use_tree(
    tokens: &[Token],
    start: usize,
    prefix: &[String],
    exported: bool,
    found: &mut Vec<Used>,
) -> usize {
    let text = |i: usize| tokens.get(i).map_or(";", |token| token.text.as_str());
    let mut segments = prefix.to_vec();
    let mut i = start;
    loop {
        match text(i) {
            "::" => i += 1,
            "{" => {
                i += 1;
                while !matches!(text(i), "}" | ";") {
                    i = use_tree(tokens, i, &segments, exported, found);
                    i += usize::from(text(i) == ",");
                }
                return i + 1;
            }
            "self" if !segments.is_empty() => i += 1,
            name if is_name(name) && name != "as" => {
                segments.push(name.to_owned());
                i += 1;
            }
            end => {
                let alias =
                    if end == "as" { text(i + 1) } else { segments.last().map_or("", String::as_str) };
                let exported_as = exported.then(|| alias.to_owned());
                found.push(Used { segments: segments.clone(), exported_as });
                while !matches!(text(i), "," | "}" | ";") {
                    i += 1;
                }
                return i;
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
}

/// The lines that compare the name of a kind of scenario, fault or check with a text: `kind == "produce"`.
fn kinds_as_texts(files: &BTreeMap<String, String>) -> Vec<String> {
    let is_kind = |name: &str| {
        ScenarioKind::from_name(name).is_some()
            || FaultKind::from_name(name).is_some()
            || CheckKind::from_name(name).is_some()
    };
    let compares = |line: &str| {
        line.match_indices("kind").any(|(at, kind)| {
            let rest = line[at + kind.len()..].trim_start_matches("()").trim_start();
            let rest =
                rest.strip_prefix(".name()").or(rest.strip_prefix(".as_str()")).unwrap_or(rest).trim_start();
            let text = rest.strip_prefix("==").or(rest.strip_prefix("!=")).map(str::trim_start);
            let text = text.and_then(|rest| rest.strip_prefix('"')?.split('"').next());
            text.is_some_and(is_kind)
        })
    };
    files
        .iter()
        .flat_map(|(file, text)| text.lines().filter(|line| compares(line)).map(move |line| (file, line)))
        .map(|(file, line)| format!("{file}: compares a kind with its name: {}", line.trim()))
        .collect()
}

#[test]
fn kinds_are_not_compared_by_their_names() {
    let found = kinds_as_texts(&read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")));
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    for line in [
        "if s.kind == \"produce\" {",
        "if fault.kind() != \"start\" {",
        "x.kind.as_str() == \"no_loss\"",
        "ask.kind().name() == \"no_loss\"",
    ] {
        let files = BTreeMap::from([("a.rs".to_owned(), format!("let a = 1;\n{line}\n"))]);
        assert_eq!(kinds_as_texts(&files), [format!("a.rs: compares a kind with its name: {line}")]);
    }
    let other =
        BTreeMap::from([("a.rs".to_owned(), "kind == \"summary\"; kind == ScenarioKind::Watch".to_owned())]);
    assert_eq!(kinds_as_texts(&other), [""; 0]);
}

// The checker under test: each rule is seen to be broken in a tree made for it.

/// What is wrong with a tree of these files, each below a header.
fn problems_of(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        fs::write(path, format!("//! Header.\n{text}")).expect("the file is written");
    }
    judge(&read(folder.path()), &[])
}

#[test]
fn a_tree_in_layers_has_no_problem() {
    let files = [
        ("lib.rs", "pub mod units; pub mod plan; pub mod checks; pub mod observe; pub mod cli;"),
        ("main.rs", "fn main() { kaf6::cli::run() }"),
        ("units.rs", "pub struct Rate;"),
        ("plan/mod.rs", "mod build; mod types; pub use build::build; pub use types::{Plan, Step as Part};"),
        ("plan/build.rs", "use super::{Plan, Part}; use crate::units::Rate; pub fn build() {}"),
        ("plan/types.rs", "pub struct Plan(crate::units::Rate); pub struct Step;"),
        ("observe.rs", "use crate::plan::Plan;"),
        ("checks/mod.rs", "mod no_loss; pub use crate::observe::*; fn f() { no_loss::check() }"),
        ("checks/no_loss.rs", "use crate::{observe, plan::{self, Plan}};"),
        ("cli/mod.rs", "pub fn run() { crate::checks::f(); }"),
    ];
    assert_eq!(problems_of(&files), [""; 0]);
}

#[test]
fn an_import_of_a_higher_layer_is_found_in_each_form() {
    for text in [
        "use crate::engine::run;",
        "use crate::{units::Rate, engine::{self, run as go}};",
        "pub use crate::engine::*;",
        "use super::engine;",
        "fn f<'a>() -> char { crate::engine::run(); '\"' }",
        "fn f() { let _ = r#\"\"\"#; let _ = b'\\''; super::engine::run() }",
        "#[cfg(test)] mod tests { use super::*; } use crate::engine;",
    ] {
        let problems = problems_of(&[("plan.rs", text), ("units.rs", ""), ("engine/mod.rs", "")]);
        assert_eq!(problems, ["plan.rs: plan (layer 2) may not import engine (layer 5)"], "{text}");
    }
}

#[test]
fn an_import_that_is_none_is_let_be() {
    for text in [
        "// use crate::engine;\n/* use crate::engine; /* crate::engine */ crate::engine::run() */",
        "fn f() { let _ = \"use crate::engine; \\\" crate::engine::run\"; let _ = r#\"crate::engine::x \" \"#; }",
        "pub(crate) fn engine() {} fn g() { engine(); self::engine(); std::engine::run(); }",
        "#[cfg(test)]\nmod tests { use crate::engine::run; mod inner { fn f() {} } }",
    ] {
        assert_eq!(problems_of(&[("plan.rs", text), ("engine.rs", "")]), [""; 0], "{text}");
    }
}

#[test]
fn an_import_within_a_layer_is_found() {
    let files = [
        ("record.rs", "use crate::engine::run;"),
        ("engine.rs", ""),
        ("observe.rs", "use crate::kafka;"),
        ("kafka.rs", ""),
    ];
    assert_eq!(
        problems_of(&files),
        [
            "observe.rs: observe (layer 3) may not import kafka (layer 3)",
            "record.rs: record (layer 5) may not import engine (layer 5)",
        ]
    );
}

#[test]
fn a_front_does_not_hide_where_a_name_comes_from() {
    let files = [
        ("checks.rs", "pub use crate::plan::Plan;"),
        ("plan.rs", "pub struct Plan; pub use crate::report::Page;"),
        ("report.rs", "pub struct Page;"),
    ];
    assert_eq!(
        problems_of(&files),
        ["plan.rs: plan (layer 2) may not import report (layer 6)"],
        "the re-export is the import"
    );
}

#[test]
fn a_circle_is_found() {
    let files = [
        ("plan/mod.rs", "pub mod a; pub mod b; pub mod c; pub struct Types; pub use a::A;"),
        ("plan/a.rs", "use super::b::B; use super::Types; pub struct A;"),
        ("plan/b.rs", "use crate::plan::c; pub struct B;"),
        ("plan/c.rs", "fn f() { super::a::A; }"),
    ];
    assert_eq!(problems_of(&files), ["a circle of modules: plan::a -> plan::b -> plan::c"]);
    let files = [("plan/mod.rs", "mod a; fn f() { a::f() } pub struct T;"), ("plan/a.rs", "use super::T;")];
    assert_eq!(problems_of(&files), ["a circle of modules: plan -> plan::a"]);
    let within = "mod inner { use super::T; fn f() { super::T; { super::T; } super::T; } } pub struct T;";
    let files = [("plan/mod.rs", "mod a; fn f() { a::f() }"), ("plan/a.rs", within)];
    assert_eq!(problems_of(&files), [""; 0], "a module within a file is that file");
    let out_of = "mod inner { mod more { use super::super::super::f; } }";
    let files = [("plan/mod.rs", "mod a; fn f() { a::f() }"), ("plan/a.rs", out_of)];
    assert_eq!(problems_of(&files), ["a circle of modules: plan -> plan::a"]);
}

#[test]
fn a_circle_through_a_folder_without_a_file_is_found() {
    let mods = "mod room { pub(crate) mod a; pub(crate) mod b; } mod c; pub use room::a::A;";
    let tree = |a, b, c| {
        problems_of(&[("plan/mod.rs", mods), ("plan/room/a.rs", a), ("plan/room/b.rs", b), ("plan/c.rs", c)])
    };
    assert_eq!(
        tree("use super::b::B; pub struct A;", "pub struct B;", "use super::room::{a::A, b};"),
        [""; 0]
    );
    let circle = ["a circle of modules: plan::room::a -> plan::room::b"];
    assert_eq!(tree("use super::b::B; pub struct A;", "use crate::plan::room::a::A;", ""), circle);
    assert_eq!(tree("use super::b::B; pub struct A;", "use crate::plan::A;", ""), circle);
    let circle = ["a circle of modules: plan::c -> plan::room::a"];
    assert_eq!(tree("use super::super::c;", "", "fn f() { super::room::a::f() }"), circle);
    let whole = [
        ("plan/mod.rs", "mod room { pub mod a; } fn f() { room::a::f() }"),
        ("plan/room/a.rs", "use super::super::room;"),
    ];
    assert_eq!(problems_of(&whole), ["a circle of modules: plan -> plan::room::a"]);
}

#[test]
fn an_import_of_a_higher_layer_from_a_folder_without_a_file_is_found() {
    let files = [
        ("plan/mod.rs", "mod room { mod a; }"),
        ("plan/room/a.rs", "use crate::engine::run;"),
        ("engine.rs", "pub fn run() {}"),
    ];
    assert_eq!(problems_of(&files), ["plan/room/a.rs: plan (layer 2) may not import engine (layer 5)"]);
}

#[test]
fn a_folder_that_nobody_writes_out_is_found() {
    let files = |text| [("plan/mod.rs", text), ("plan/room/a.rs", "")];
    assert_eq!(problems_of(&files("mod room { mod a; }")), [""; 0]);
    for text in ["", "mod room; mod rooms { mod a; }", "// mod room { mod a; }"] {
        let problems = problems_of(&files(text));
        assert_eq!(problems, ["plan/room: has no mod.rs, and plan/mod.rs does not write it out"], "{text}");
    }
    let top = problems_of(&[("lib.rs", "pub mod plan;"), ("plan/a.rs", "")]);
    assert_eq!(top, ["plan: has no mod.rs, and lib.rs does not write it out"]);
}

#[test]
fn a_module_without_a_layer_is_found() {
    let files = [("helpers.rs", "use crate::units::Rate;"), ("units.rs", "")];
    assert_eq!(
        problems_of(&files),
        ["helpers.rs: the module helpers has no layer in tests/repo/architecture.rs"]
    );
}

#[test]
fn a_module_beside_its_folder_is_found() {
    let files = [("plan.rs", "mod a;"), ("plan/a.rs", "")];
    assert_eq!(problems_of(&files), ["plan.rs: belongs in plan/mod.rs, beside its files"]);
}

#[test]
fn a_folder_with_too_many_files_is_found() {
    let names = (0..14).map(|number| format!("plan/f{number}.rs"));
    let names: Vec<String> = names.chain(["plan/mod.rs".to_owned()]).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    assert_eq!(problems_of(&files[1..]), [""; 0]);
    assert_eq!(problems_of(&files), ["plan: has 15 files, over 14"]);
}

#[test]
fn two_types_of_one_name_are_found() {
    let files = [
        ("plan/mod.rs", "mod a; pub struct Pace; pub struct Rate;"),
        (
            "plan/a.rs",
            "pub(crate) enum Pace {} impl Iterator for X { type Rate = u8; } #[cfg(test)] mod tests { struct Rate; }",
        ),
        ("report/summary/mod.rs", "pub struct Rate;"),
    ];
    assert_eq!(problems_of(&files), ["the type Pace is there twice: plan/mod.rs, plan/a.rs"]);
}

#[test]
fn a_missing_header_is_found() {
    let files = BTreeMap::from([("plan.rs".to_owned(), "use std::fs;\n//! Late.\n".to_owned())]);
    assert_eq!(judge(&files, &[]), ["plan.rs: does not begin with a //! header that says what it owns"]);
}

#[test]
fn unsafe_code_outside_of_its_folder_is_found() {
    let files = [
        ("kafka/ffi/mod.rs", "unsafe fn f() {}"),
        ("kafka/mod.rs", "fn f() { unsafe { raw::f() } } // unsafe"),
    ];
    assert_eq!(problems_of(&files), ["kafka/mod.rs: has unsafe code, which belongs in kafka/ffi/"]);
}

#[test]
fn a_long_file_needs_a_reason_and_a_short_one_none() {
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(500));
    let short = format!("//! H.\n{}{tests}", "fn f() {}\n".repeat(490));
    let long = format!("//! H.\n{}{tests}", "fn f() {}\n".repeat(510));
    let file = |text: &str| BTreeMap::from([("plan.rs".to_owned(), text.to_owned())]);
    assert_eq!(judge(&file(&short), &[]), [""; 0]);
    assert_eq!(judge(&file(&long), &[("plan.rs", "one table")]), [""; 0]);
    assert_eq!(judge(&file(&long), &[]), ["plan.rs: has 511 lines, over 500, without a reason in LONG"]);
    let listed = ["plan.rs: is listed as long, and is not, or without a reason"];
    assert_eq!(judge(&file(&short), &[("plan.rs", "one table")]), listed);
}
