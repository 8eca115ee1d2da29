//! Replaces environment variables in a file's scalars: `${VAR}` and `${VAR:-default}`.
//!
//! This happens before schema validation. Each replaced scalar keeps its original text, because messages must
//! not show secrets.

use std::cell::RefCell;

use super::literals;
use super::preset;
use super::secrets::{Secrets, is_secret};
use crate::scenario::source::diagnostics::{Diagnostic, PROBLEMS_MAX};
use crate::scenario::source::node::{Content, Document, Node, Scalar};
use crate::scenario::source::position::Span;

/// Looks up a variable.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Replaces all variables in a document and returns a problem for each one that fails. The value of a
/// variable is a secret if its name or the key that it is used for indicates a secret.
///
/// An unquoted scalar that consists of one `${...}` takes the type of the replacement. If the replacement is
/// empty, the key counts as absent. `$${` is a literal `${`.
pub fn replace(document: &mut Document, lookup: Lookup<'_>, secrets: &mut Secrets) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut root = std::mem::replace(&mut document.root, empty());
    let mut found = Vec::new();
    let report: Report<'_> = &mut |span, message, hint| {
        if problems.len() < PROBLEMS_MAX {
            problems.push(document.problem(span, message, hint));
        }
        problems.len() < PROBLEMS_MAX
    };
    walk(&mut root, "", lookup, &mut found, report);
    document.root = root;
    let mut plain: Vec<&str> = vec![&document.text];
    for preset in preset::names().filter_map(preset::text) {
        plain.push(preset);
    }
    for (secret, name) in found {
        secrets.add(&secret, &format!("${{{name}}}"), &plain);
    }
    literals::add(document, secrets);
    problems
}

fn empty() -> Node {
    Node { span: Span::default(), content: Content::Sequence(Vec::new()) }
}

/// Records a problem. Returns whether there is room for more.
type Report<'a> = &'a mut dyn FnMut(Span, String, Option<String>) -> bool;

/// Maximum length of a text after replacement.
const TEXT_MAX: usize = 4 << 20;

/// Recursion is safe, because the parser limits depth. `key` is the innermost key. Returns whether the value
/// became empty.
fn walk(
    node: &mut Node,
    key: &str,
    lookup: Lookup<'_>,
    secrets: &mut Vec<(String, String)>,
    report: Report<'_>,
) -> bool {
    match &mut node.content {
        Content::Scalar(scalar) => {
            if scalar.text.contains("${") {
                let seen = RefCell::new(Vec::new());
                let noting = |name: &str| {
                    let text = lookup(name);
                    // A username is half of a login, so it is hidden like the password.
                    if is_secret(name) || is_secret(key) || key == "username" {
                        seen.borrow_mut().extend(text.clone().map(|text| (text, name.to_owned())));
                    }
                    text
                };
                replace_one(scalar, node.span, &noting, report);
                let seen = seen.into_inner();
                scalar.secret = !seen.is_empty();
                secrets.extend(seen);
            }
            scalar.source.is_some() && scalar.value.is_null() && !scalar.faulty
        }
        Content::Sequence(items) => {
            for item in items {
                walk(item, key, lookup, secrets, report);
            }
            false
        }
        Content::Mapping(members) => {
            members.retain_mut(|member| !walk(&mut member.node, &member.key, lookup, secrets, report));
            false
        }
    }
}

fn replace_one(scalar: &mut Scalar, span: Span, lookup: Lookup<'_>, report: Report<'_>) {
    let source = scalar.text.clone();
    let mut out = String::with_capacity(source.len());
    let (mut at, mut replaced, mut whole, mut faulty) = (0, false, false, false);
    while let Some(found) = source[at..].find("${") {
        let open = at + found;
        if let Some(before) = source[at..open].strip_suffix('$') {
            out.push_str(before);
            out.push_str("${");
            at = open + 2;
            continue;
        }
        out.push_str(&source[at..open]);
        // Only a one-line text without escapes has the same columns in the file as in memory.
        let place = |width: usize| {
            if scalar.plain && span.width == source.chars().count() {
                Span { column: span.column + source[..open].chars().count(), width, ..span }
            } else {
                span
            }
        };
        let Some(length) = source[open..].find('}') else {
            report(
                place(2),
                "unclosed `${`".to_owned(),
                Some("write `${NAME}`; for a literal `${` write `$${`".to_owned()),
            );
            scalar.faulty = true;
            return;
        };
        match value(&source[open + 2..open + length], lookup) {
            Ok(text) => {
                (replaced, whole) = (true, open == 0 && length + 1 == source.len());
                out.push_str(&text);
            }
            Err((message, hint)) => {
                faulty = true;
                if !report(place(length + 1), message, hint) {
                    break;
                }
            }
        }
        if out.len() > TEXT_MAX {
            faulty = true;
            report(span, "the string is too long after its variables are replaced".to_owned(), None);
            break;
        }
        at = open + length + 1;
    }
    out.push_str(&source[at..]);
    *scalar = if whole && scalar.plain {
        Scalar::plain(out)
    } else {
        Scalar { plain: scalar.plain, ..Scalar::quoted(out) }
    };
    scalar.source = replaced.then_some(source);
    scalar.faulty = faulty;
}

fn value(inside: &str, lookup: Lookup<'_>) -> Result<String, (String, Option<String>)> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(legal) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err((
            format!("invalid variable name `{name}`"),
            Some("write `${NAME}` or `${NAME:-default}`".to_owned()),
        ));
    }
    match (lookup(name), default) {
        (Some(text), None) => Ok(text),
        (Some(text), Some(_)) if !text.is_empty() => Ok(text),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => Err((
            format!("variable `{name}` is not set"),
            Some(format!("set it, pass `--env {name}=...`, or add a default: `${{{name}:-...}}`")),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::source::yaml;
    use serde_json::json;
    use std::path::Path;

    fn read(text: &str) -> (Document, Vec<Diagnostic>) {
        let path = Path::new("f.yaml");
        let root = yaml::read(path, text).expect("good YAML");
        let mut document = Document { path: path.to_owned(), text: text.to_owned(), root };
        let lookup = |name: &str| match name {
            "N" => Some("5".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICK" => Some("a: {b: ${N}}".to_owned()),
            _ => None,
        };
        let problems = replace(&mut document, &lookup, &mut Secrets::default());
        (document, problems)
    }

    #[test]
    fn a_plain_scalar_takes_the_type_of_its_replacement() {
        let text = "a: ${N}\nb: \"${N}\"\nc: x${N}-${NO:-y}\nd: ${NO:-true}\ne: ${EMPTY:-z}\nf: ${EMPTY}\n\
                    g: ${N}${N}\nh: $${N} $N\ni: ${TRICK}\n";
        let (document, problems) = read(text);
        assert_eq!(problems, []);
        assert_eq!(
            document.root.to_json(),
            json!({"a": 5, "b": "5", "c": "x5-y", "d": true, "e": "z", "g": "55", "h": "${N} $N",
                   "i": "a: {b: ${N}}"})
        );
        assert_eq!(document.shown("/c"), Some("x${N}-${NO:-y}"));
        assert!(document.is_replaced("/a") && !document.is_replaced("/h"));
    }

    #[test]
    fn what_comes_in_under_the_name_of_a_secret_is_one() {
        let path = Path::new("f.yaml");
        let text = "env:\n  ACCESS_KEY: ${ID}\n  URL: s3://u:${S3_PASSWORD}@h\n  TLS_KEY_PEM: ${PEM:-none}\n  SECRET: word-of-the-file\n  \
                    OTHER: ${ID2}\n  TOKEN: ${UNSET_TOKEN:-by-default}\ncommand: [a, \"${API_TOKEN}\"]\nTOKEN: ${PUBLIC}\n";
        let root = yaml::read(path, text).expect("good YAML");
        let mut document = Document { path: path.to_owned(), text: text.to_owned(), root };
        let lookup = |name: &str| {
            Some(match name {
                "ID" => "AKIA123".to_owned(),
                "ID2" => "no-secret".to_owned(),
                "S3_PASSWORD" => "hunter2".to_owned(),
                "PEM" => "line one\nline two\n".to_owned(),
                "API_TOKEN" => "t0ken".to_owned(),
                "PUBLIC" => "word-of-the-file".to_owned(),
                _ => return None,
            })
        };
        let mut secrets = Secrets::default();
        assert_eq!(replace(&mut document, &lookup, &mut secrets), []);
        let found: Vec<&str> = secrets.lines().collect();
        assert_eq!(found, ["line one", "line two", "AKIA123", "hunter2", "t0ken"]);
    }

    #[test]
    fn what_cannot_be_replaced_is_a_problem_at_its_place() {
        let (_, problems) = read("a: x ${NOPE} ${1}\nb: \"${N\"\n");
        let places: Vec<_> = problems.iter().map(|p| (p.position().line, p.position().column)).collect();
        assert_eq!(places, [(1, 6), (1, 14), (2, 4)]);
    }
}
