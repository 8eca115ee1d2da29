//! Verifies that the docs match the code: each check and each fault has a section, links lead to existing sections, and the page of
//! the Action lists its inputs. The texts avoid the phrases of `tests/fixtures/banned-phrases.txt`.
#![expect(clippy::expect_used, reason = "a test ends where it cannot go on")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use kaf6::anomaly::Anomaly;
use kaf6::report::findings;
use kaf6::report::github::markdown;
use kaf6::report::html::html;
use kaf6::report::junit::junit;
use kaf6::report::summary::Summary;

use crate::defaults::DEFAULTS;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The types of one kind of thing, by the schema; a test of its own holds that equal to the code.
fn types(kind: &str) -> BTreeSet<String> {
    let schema: serde_json::Value =
        serde_json::from_str(&read("schemas/scenario.schema.json")).expect("the schema is JSON");
    let forms = schema["$defs"][kind]["anyOf"].as_array().expect("the schema lists its forms").clone();
    forms
        .iter()
        .map(|form| form["properties"]["type"]["const"].as_str().expect("each names its type").to_owned())
        .collect()
}

/// Every page: README and the like, and all of docs/.
fn pages() -> Vec<PathBuf> {
    fn below(folder: &Path, out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                below(&path, out);
            } else if path.extension().is_some_and(|end| end == "md") {
                out.push(path);
            }
        }
    }
    let mut out: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].map(|name| root().join(name)).into();
    below(&root().join("docs"), &mut out);
    out
}

/// A page without its code blocks.
fn prose(text: &str) -> String {
    let mut in_code = false;
    let mut out = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let heading = |line: &str| {
        let title = line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))?;
        let kept = title.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        Some(kept.map(|c| if c == ' ' { '-' } else { c }).collect())
    };
    prose(text).lines().filter_map(heading).collect()
}

/// The targets of a page's links.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    prose
        .match_indices("](")
        .filter_map(|(at, _)| prose[at + 2..].split_once(')').map(|(target, _)| target.to_owned()))
        .collect()
}

#[test]
fn each_check_has_its_section() {
    let sections = anchors(&read("docs/checks.md"));
    let missing: Vec<String> = types("Check").into_iter().filter(|name| !sections.contains(name)).collect();
    assert!(missing.is_empty(), "docs/checks.md has no section for {missing:?}");
}

#[test]
fn each_fault_has_its_section() {
    let sections = anchors(&read("docs/faults.md"));
    let missing: Vec<String> = types("Fault").into_iter().filter(|name| !sections.contains(name)).collect();
    assert!(missing.is_empty(), "docs/faults.md has no section for {missing:?}");
}

/// Everything that can be wrong: anomalies, and classes of the account.
fn findings() -> BTreeSet<&'static str> {
    Anomaly::ALL.iter().map(|anomaly| anomaly.name()).chain(findings::classes()).collect()
}

/// A summary in which each of them was found.
fn everything_wrong() -> Summary {
    let mut run: serde_json::Value =
        serde_json::from_str(&read("tests/fixtures/summaries/fail.json")).expect("the fixture is JSON");
    let accounts = &mut run["accounts"];
    let scenario = accounts["scenarios"].as_object().expect("scenarios").keys().next().expect("one").clone();
    for class in findings::classes() {
        accounts["total"][class] = 1.into();
        accounts["scenarios"][&scenario][class] = 1.into();
    }
    for anomaly in Anomaly::ALL {
        run["anomalies"][anomaly.name()] = serde_json::json!({"count": 1, "evidence": []});
    }
    // JUnit has an anomaly in the case of each check that covers it.
    run["check_results"] = serde_json::Value::from_iter(Anomaly::ALL.map(|anomaly| {
        let mut row = run["check_results"][0].clone();
        row["type"] = "threshold".into();
        row["result"] = "fail".into();
        row["expected"] = format!("{} < 1", anomaly.name()).into();
        row
    }));
    serde_json::from_value(run).expect("the fixture is a summary")
}

#[test]
fn each_finding_has_its_section_and_no_other_has_one() {
    let page = read("docs/findings.md");
    let sections: BTreeSet<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert_eq!(sections, findings());
}

#[test]
fn each_report_links_to_the_section_of_each_finding() {
    let run = everything_wrong();
    let wanted = |but: &[&str]| -> BTreeSet<String> {
        findings().into_iter().filter(|name| !but.contains(name)).map(str::to_owned).collect()
    };
    let junit = String::from_utf8(junit(&run).expect("JUnit")).expect("UTF-8");
    for (report, text, wanted) in [
        ("report.html", html(&run).expect("a page"), wanted(&[])),
        ("junit.xml", junit, wanted(&[])),
        // The step summary omits findings that are not a problem.
        ("the step summary", markdown(&[run], Path::new("reports")), wanted(&["foreign"])),
    ] {
        let linked: BTreeSet<String> = text
            .split(&format!("{}#", findings::PAGE))
            .skip(1)
            .map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect())
            .collect();
        assert_eq!(linked, wanted, "{report}");
    }
}

#[test]
fn reports_link_to_a_page_of_this_repository() {
    let repository = env!("CARGO_PKG_REPOSITORY");
    let path = findings::PAGE.strip_prefix(repository).expect("the repository's address");
    assert_eq!(path, "/blob/main/docs/findings.md");
    assert!(
        read("Dockerfile").contains(&format!("image.source=\"{repository}\"")),
        "the image names another"
    );
}

#[test]
fn each_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = read(&page);
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').map_or((link.as_str(), None), |(f, a)| (f, Some(a)));
            let target = if file.is_empty() {
                page.clone()
            } else {
                page.parent().expect("a page is in a folder").join(file)
            };
            let leads = target.exists()
                && anchor.is_none_or(|anchor| {
                    fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor))
                });
            if !leads {
                broken.push(format!("{}: {link}", page.strip_prefix(root()).unwrap_or(&page).display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn each_page_is_linked() {
    let mut linked = BTreeSet::new();
    for page in pages() {
        for link in links(&read(&page)) {
            let file = link.split('#').next().unwrap_or_default().to_owned();
            if let Ok(target) = page.parent().expect("a page is in a folder").join(file).canonicalize() {
                linked.insert(target);
            }
        }
    }
    let docs = root().join("docs");
    let lonely: Vec<PathBuf> = pages()
        .into_iter()
        .filter(|page| page.starts_with(&docs))
        .filter(|page| !linked.contains(&page.canonicalize().expect("the page is there")))
        .collect();
    assert!(lonely.is_empty(), "no page links to {lonely:?}");
}

#[test]
fn the_actions_page_lists_its_inputs_and_outputs() {
    let action: serde_yaml::Value = serde_yaml::from_str(&read("action.yml")).expect("action.yml is YAML");
    let page = read("docs/ci/github.md");
    for kind in ["inputs", "outputs"] {
        let names = action[kind].as_mapping().expect("a mapping");
        for (name, _) in names {
            let name = name.as_str().expect("a name");
            assert!(
                page.contains(&format!("`{name}`")),
                "docs/ci/github.md does not name {name} of the {kind}"
            );
        }
    }
}

/// Phrases that are hard to read, each with what to write instead: one per line, separated by a tab.
fn banned_phrases() -> Vec<(String, String)> {
    let list = read("tests/fixtures/banned-phrases.txt");
    let pair =
        |line: &str| line.split_once('\t').map(|(phrase, instead)| (phrase.to_owned(), instead.to_owned()));
    list.lines().map(|line| pair(line).unwrap_or_else(|| panic!("no tab in {line:?}"))).collect()
}

/// The banned phrases in a text, in whatever case and however the lines are wrapped.
fn banned_in(text: &str) -> Vec<String> {
    // The `#` of a comment that continues in the next line separates nothing.
    let words: Vec<&str> = text.split_whitespace().filter(|word| *word != "#").collect();
    let text = words.join(" ").to_lowercase();
    // `cancelled()` is a function of GitHub.
    let in_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '(');
    let is_in = |phrase: &str| {
        text.match_indices(phrase).any(|(at, _)| {
            !text[..at].chars().next_back().is_some_and(|c| in_word(c) && c != '(')
                && !text[at + phrase.len()..].chars().next().is_some_and(in_word)
        })
    };
    let banned = banned_phrases().into_iter().filter(|(phrase, _)| is_in(phrase));
    banned.map(|(phrase, instead)| format!("\"{phrase}\": write {instead}")).collect()
}

/// Prose without its inline code.
fn without_code(prose: &str) -> String {
    // Two backticks enclose code that has backticks.
    let outside = |text: &str, mark: &str| text.split(mark).step_by(2).collect::<Vec<_>>().join("…");
    prose.split("\n\n").map(|part| outside(&outside(part, "``"), "`") + "\n\n").collect()
}

#[test]
fn the_texts_have_no_banned_phrase() {
    let mut texts: Vec<(PathBuf, String)> = Vec::new();
    for page in pages() {
        let mut text = read(&page);
        // This table repeats texts of the code.
        for (part, field, value) in DEFAULTS {
            text = text.replace(&format!("| {part} | `{field}` | {value} |\n"), "");
        }
        texts.push((page, without_code(&prose(&text))));
    }
    for folder in ["examples", "templates/init", ".github/ISSUE_TEMPLATE"] {
        for entry in fs::read_dir(root().join(folder)).expect("the folder is there").flatten() {
            texts.push((entry.path(), read(entry.path())));
        }
    }
    for file in ["action.yml", "setup/action.yml", ".github/PULL_REQUEST_TEMPLATE.md"] {
        texts.push((root().join(file), read(file)));
    }
    let problems: Vec<String> = texts
        .iter()
        .flat_map(|(path, text)| {
            let path = path.strip_prefix(root()).unwrap_or(path).display().to_string();
            banned_in(text).into_iter().map(move |problem| format!("{path}: {problem}"))
        })
        .collect();
    assert!(problems.is_empty(), "banned phrases:\n{}", problems.join("\n"));
}

#[test]
fn a_banned_phrase_is_found_in_any_case_and_across_lines() {
    assert_eq!(banned_in("The time\n# Bound, and so on."), ["\"time bound\": write timeout"]);
    assert_eq!(banned_in("cancelled() and untold-of"), Vec::<String>::new());
    assert_eq!(without_code("a `time bound` and ``b `told` c``"), "a … and …\n\n");
}
