//! The source section: the scenario file with line numbers, and the files in the run's folder.
//!
//! Marks lines whose check did not pass, and decides which paths may become links.

use askama::Template;

use super::super::chart::prose;
use super::super::summary::{CheckOutcome, Summary};
use super::super::{JUNIT_XML, SUMMARY_JSON};

/// Maximum number of lines shown.
const MAX_LINES: usize = 2000;
const MAX_BYTES: usize = 100_000;

#[derive(Template)]
#[template(path = "report/source.html")]
pub(super) struct SourceSection {
    pub path: String,
    pub lines: Vec<SourceLine>,
    pub cut: bool,
}

pub(super) struct SourceLine {
    pub text: String,
    pub class: &'static str,
    /// Class and name of the checks on this line that did not pass.
    pub checks: Vec<(&'static str, String)>,
}

#[derive(Template)]
#[template(path = "report/files.html")]
pub(super) struct FilesSection {
    files: Vec<SourceFile>,
}

pub(super) struct SourceFile {
    pub path: String,
    pub about: String,
    /// Whether the path may be a link: only plain relative paths may.
    pub link: bool,
}

fn shown(run: &Summary) -> impl Iterator<Item = &str> {
    let mut bytes = 0_usize;
    run.source.text.lines().take(MAX_LINES).take_while(move |line| {
        bytes += line.len() + 1;
        bytes <= MAX_BYTES
    })
}

/// Number of lines of the file that the page shows.
pub(super) fn shown_lines(run: &Summary) -> usize {
    shown(run).count()
}

pub(super) fn source(run: &Summary) -> Option<SourceSection> {
    let mut lines: Vec<SourceLine> =
        shown(run).map(|text| SourceLine { text: text.to_owned(), class: "", checks: Vec::new() }).collect();
    let mut rows: Vec<_> = run
        .check_results
        .iter()
        .filter(|r| r.result != CheckOutcome::Pass && r.position.file == run.source.path)
        .collect();
    rows.sort_by_key(|r| r.result.rank());
    for row in rows {
        let Some(line) = row.position.line.checked_sub(1).and_then(|i| lines.get_mut(i)) else { continue };
        if line.class.is_empty() {
            line.class = row.result.name();
        }
        line.checks.push((row.result.name(), row.name.clone()));
    }
    let cut = lines.len() < run.source.text.lines().count();
    Some(SourceSection { path: run.source.path.clone(), lines, cut })
}

pub(super) fn files(run: &Summary) -> Option<FilesSection> {
    let own = [
        (SUMMARY_JSON, "all data of this page, machine-readable"),
        (
            JUNIT_XML,
            "check results for \
        CI systems",
        ),
    ];
    let files = own
        .into_iter()
        .map(|(path, about)| (path.to_owned(), about.to_owned()))
        .chain(run.files.iter().map(|f| (f.path.clone(), f.about.clone())))
        .map(|(path, about)| SourceFile { link: is_plain(&path), path, about: prose(&about) })
        .collect();
    Some(FilesSection { files })
}

/// Whether a path is relative and contains nothing that a browser could interpret as a URL.
pub(super) fn is_plain(path: &str) -> bool {
    !path.is_empty()
        && path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'))
        && path.split('/').all(|part| !part.is_empty() && part != "..")
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn only_plain_paths_become_links() {
        assert!(is_plain("logs/broker.log"));
        for path in ["javascript:alert(1)", "//evil.example/x", "/etc/passwd", "../x", "a b", "http://x", ""]
        {
            assert!(!is_plain(path), "{path}");
        }
    }
}
