//! Finds words that are hard to read in string literals, comments and templates of kaf6.
//!
//! Each line of `tests/fixtures/banned-phrases.txt` has a phrase, a tab, and what to write instead. A phrase matches whole words in
//! any case. `_` represents a placeholder such as `{name}`.

use std::fs;
use std::path::Path;

const BANNED: &str = include_str!("../fixtures/banned-phrases.txt");

#[test]
fn no_text_has_a_banned_phrase() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut read = 0;
    for folder in ["src", "templates"] {
        each_file(&root.join(folder), &mut |path| {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let texts = match path.extension().and_then(|it| it.to_str()) {
                Some("rs") if !is_test(&name) => literals(&fs::read_to_string(path).unwrap()),
                Some("html") => vec![(1, without_tags(&fs::read_to_string(path).unwrap()))],
                _ => return,
            };
            read += texts.len();
            for (line, text) in texts {
                found.extend(banned(&text).map(|(phrase, instead)| {
                    format!("{name}:{line}: \"{phrase}\" in {text:?}; write {instead}")
                }));
            }
        });
    }
    assert!(read > 2000, "only {read} texts were read");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_comment_has_a_banned_phrase() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut read = 0;
    each_file(&source, &mut |path| {
        let name = path.strip_prefix(&source).unwrap().display().to_string();
        if !name.ends_with(".rs") || is_test(&name) {
            return;
        }
        let texts = read_rust(&fs::read_to_string(path).unwrap()).comments;
        read += texts.len();
        for (line, text) in texts {
            found.extend(banned(&without_code(&text)).map(|(phrase, instead)| {
                format!("src/{name}:{line}: \"{phrase}\" in {text:?}; write {instead}")
            }));
        }
    });
    assert!(read > 3500, "only {read} comments were read");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_phrase_is_found_across_the_lines_of_a_comment() {
    let comments = read_rust(
        "//! One\n//! header.\n\n/// Some-\n/// thing `whoever` is no rate.\nconst A: &str = \"// none\"; // End\n\
         // apart\n#[cfg(test)]\nmod tests {\n    // Whoever\n}\n",
    )
    .comments;
    let seen: Vec<(usize, &str)> = comments.iter().map(|(line, text)| (*line, text.as_str())).collect();
    assert_eq!(
        seen,
        [(1, "One header."), (4, "Some- thing `whoever` is no rate."), (6, "End"), (7, "apart")]
    );
    let phrases = |text: &str| banned(&without_code(text)).map(|(phrase, _)| phrase).collect::<Vec<_>>();
    assert_eq!(phrases(seen[1].1), ["`_` is no"]);
    assert_eq!(phrases("a `b` stands whoever"), ["stands", "whoever"]);
}

#[test]
fn a_phrase_is_found_in_literals_alone() {
    let texts = literals(
        "// whoever\n/* whoever */ const A: &str = \"{x} came, \\\n   who\\\"ever\";\n\
         fn a<'a>(_: &'a str) { let _ = ('\"', r#\"a \"raw\" one\"#); }\n\
         #[cfg(test)]\nmod tests { fn b() { c(\"whoever\"); } }\nconst D: &str = \"Whoever\";\n",
    );
    let seen: Vec<(usize, &str)> = texts.iter().map(|(line, text)| (*line, text.as_str())).collect();
    assert_eq!(seen, [(2, "{x} came, who\"ever"), (4, "a \"raw\" one"), (7, "Whoever")]);
    let phrases = |text: &str| banned(text).map(|(phrase, _)| phrase).collect::<Vec<_>>();
    assert_eq!(phrases("Whoever\n reads `{text}` is no  rate"), ["`_` is no", "whoever"]);
    assert_eq!(phrases("{whoever} x"), [""; 0]);
    assert_eq!(without_tags("a <b class=\"whoever\">c</b>{% if whoever %} {{ d }}"), "a  c   _ ");
}

/// The banned phrases in a text, each with what to write instead.
fn banned(text: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let words = plain(text);
    BANNED.lines().filter(|line| !line.is_empty()).filter_map(move |line| {
        let (phrase, instead) = line.split_once('\t').expect("a phrase, a tab, and what to write instead");
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let ends = |at: usize| {
            let (before, after) = (&words[..at], &words[at + phrase.len()..]);
            !is_word(before.chars().next_back()) && !is_word(after.chars().next())
        };
        words.match_indices(phrase).any(|(at, _)| ends(at)).then_some((phrase, instead))
    })
}

/// In lower case, with single spaces, and `_` for placeholders.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, inside)) = rest.split_once('{') {
        let (_, after) = inside.split_once('}').unwrap_or(("", ""));
        out.push_str(before);
        out.push('_');
        rest = after;
    }
    out.push_str(rest);
    out.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The texts of Rust code with their lines, without items under `#[cfg(test)]`.
#[derive(Default)]
struct RustTexts {
    literals: Vec<(usize, String)>,
    /// Line comments. Adjacent lines are one text.
    comments: Vec<(usize, String)>,
}

fn literals(code: &str) -> Vec<(usize, String)> {
    read_rust(code).literals
}

fn read_rust(code: &str) -> RustTexts {
    let mut out = RustTexts::default();
    // Where the last comment ended, if it had a line to itself.
    let mut comment_end = None;
    // Braces around the place, and how many there were around the test that it is in.
    let (mut depth, mut test, mut is_next_test) = (0_u32, None, false);
    let mut at = 0;
    while let Some(c) = code[at..].chars().next() {
        let rest = &code[at..];
        let raw = rest.starts_with('r') && rest[1..].trim_start_matches('#').starts_with('"');
        if rest.starts_with("//") {
            let length = rest.find('\n').unwrap_or(rest.len());
            let text = rest[..length].trim_start_matches(['/', '!']).trim();
            let is_whole_line = code[..at].rsplit('\n').next().is_some_and(|before| before.trim().is_empty());
            if !is_next_test && test.is_none() {
                match out.comments.last_mut() {
                    Some((_, last))
                        if is_whole_line
                            && comment_end.is_some_and(|end: usize| {
                                code[end..at].trim().is_empty() && code[end..at].matches('\n').count() == 1
                            }) =>
                    {
                        last.push(' ');
                        last.push_str(text);
                    }
                    _ => out.comments.push((code[..at].matches('\n').count() + 1, text.to_owned())),
                }
            }
            at += length;
            comment_end = is_whole_line.then_some(at);
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |end| end + 2);
        } else if rest.starts_with("#[cfg(test)]") {
            is_next_test = true;
            at += "#[cfg(test)]".len();
        } else if c == '"' || raw {
            let hashes = rest.len() - rest[1..].trim_start_matches('#').len() - 1;
            let quote = if raw { format!("\"{}", &rest[1..=hashes]) } else { "\"".to_owned() };
            let start = at + if raw { hashes + 2 } else { 1 };
            let end = start
                + if raw {
                    code[start..].find(&quote).expect("a literal ends")
                } else {
                    length(&code[start..])
                };
            if !is_next_test && test.is_none() {
                let line = code[..at].matches('\n').count() + 1;
                let text = &code[start..end];
                out.literals.push((line, if raw { text.to_owned() } else { unescaped(text) }));
            }
            at = end + quote.len();
        } else if c == '\'' {
            // A character, or a lifetime.
            let inside = &rest[1..];
            let escape = inside.starts_with('\\');
            let end = if escape { inside[2..].find('\'').map(|end| end + 2) } else { inside.find('\'') };
            let end = end.filter(|end| escape || inside[..*end].chars().count() == 1);
            at += end.map_or(1, |end| end + 2);
        } else {
            match c {
                '{' => {
                    if std::mem::take(&mut is_next_test) && test.is_none() {
                        test = Some(depth);
                    }
                    depth += 1;
                }
                '}' => {
                    depth -= 1;
                    test = test.filter(|around| *around != depth);
                }
                ';' => is_next_test = false,
                _ => {}
            }
            at += c.len_utf8();
        }
    }
    out
}

/// A comment with `_` in place of code between backticks.
fn without_code(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { "_" } else { part }).collect::<Vec<_>>().join("`")
}

/// How long a literal is, up to its closing quotation mark.
fn length(text: &str) -> usize {
    let mut escaped = false;
    let end = text.find(|c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.expect("a literal ends")
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        rest = match after.strip_prefix('\n') {
            Some(next) => next.trim_start(),
            None => {
                let c = after.chars().next().expect("an escape");
                out.push(if matches!(c, 'n' | 't' | 'r') { ' ' } else { c });
                &after[c.len_utf8()..]
            }
        };
    }
    out + rest
}

/// What a page shows: without tags and instructions, and `_` for each value.
fn without_tags(page: &str) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some(at) = rest.find(['<', '{']) {
        out.push_str(&rest[..at]);
        let (end, shown) = match &rest[at..] {
            tag if tag.starts_with("{{") => ("}}", "_"),
            tag if tag.starts_with("{%") => ("%}", ""),
            tag if tag.starts_with('<') => (">", ""),
            _ => ("{", ""),
        };
        out.push_str(shown);
        out.push(' ');
        rest = rest[at..].split_once(end).map_or("", |(_, rest)| rest);
    }
    out + rest
}

fn is_test(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/")
}

fn each_file(folder: &Path, run: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).expect("the folder is read") {
        let path = entry.expect("the folder is read").path();
        if path.is_dir() { each_file(&path, run) } else { run(&path) }
    }
}
