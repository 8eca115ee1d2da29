//! Errors and warnings about a file: all at once, each with its position, line and hint.
//!
//! Printed messages show the file's own text, never the values of environment variables.

use std::fmt;
use std::path::{Path, PathBuf};

use super::position::{Position, Span};
use crate::scenario::environment::secrets::Secrets;

/// All problems found by one load, ordered by position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    problems: Vec<Diagnostic>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file with the problem.
    pub file: PathBuf,
    /// The position in the file. `None` if the problem concerns the whole file.
    pub place: Option<Place>,
    pub message: String,
    pub hint: Option<String>,
}

/// A position with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Line, column and width.
    pub span: Span,
    /// The line as the file has it.
    pub text: String,
}

/// The prefix of a message and its color.
struct Severity {
    word: &'static str,
    code: &'static str,
}

const ERROR: Severity = Severity { word: "", code: "1;31" };
const WARNING: Severity = Severity { word: "warning: ", code: "1;33" };

/// Maximum number of characters shown of a line.
const SHOWN: usize = 120;

/// Maximum number of problems reported per file. Malicious files could cause millions.
pub const PROBLEMS_MAX: usize = 100;

impl Diagnostic {
    /// A problem that concerns a whole file.
    pub fn of_file(file: &Path, message: impl Into<String>, hint: Option<String>) -> Self {
        Self { file: file.to_owned(), place: None, message: message.into(), hint }
    }

    /// A problem at a position. `text` is the text of the whole file.
    pub fn at(file: &Path, text: &str, span: Span, message: impl Into<String>, hint: Option<String>) -> Self {
        let line = text.lines().nth(span.line.saturating_sub(1)).unwrap_or_default();
        let place = Some(Place { span, text: line.to_owned() });
        Self { file: file.to_owned(), place, message: message.into(), hint }
    }

    /// Hides secrets, which the quoted line may contain.
    pub fn hide(&mut self, secrets: &Secrets) {
        secrets.hide_from(&mut self.message);
        self.hint.iter_mut().for_each(|hint| secrets.hide_from(hint));
        if let Some(place) = &mut self.place {
            place.text = secrets.blot(&place.text).into_owned();
        }
    }

    /// The problem's position. The start of the file if the problem concerns the whole file.
    pub fn position(&self) -> Position {
        let (line, column) = self.place.as_ref().map_or((1, 1), |place| (place.span.line, place.span.column));
        Position { file: self.file.clone(), line, column }
    }

    fn write(&self, out: &mut String, colour: bool, tone: &Severity) {
        let paint = |code: &str, text: &str| {
            if colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
        };
        let place = match &self.place {
            Some(place) => format!("{}:{}:{}", self.file.display(), place.span.line, place.span.column),
            None => self.file.display().to_string(),
        };
        let message = format!("{}{}", tone.word, printable(&self.message));
        out.push_str(&format!("{}: {}\n", paint("1", &place), paint(tone.code, &message)));
        let mut margin = 0;
        if let Some(place) = &self.place {
            let number = place.span.line.to_string();
            margin = number.len();
            let (line, indent, width) = cut(place);
            let bar = paint("34", "|");
            let caret = paint(tone.code, &"^".repeat(width));
            out.push_str(&format!("{} {bar} {line}\n", paint("34", &number)));
            out.push_str(&format!("{:margin$} {bar} {:indent$}{caret}\n", "", ""));
        }
        if let Some(hint) = &self.hint {
            out.push_str(&format!("{:margin$} {} {}\n", "", paint("34", "="), printable(hint)));
        }
    }
}

/// The part of the line to show, and the column and width of the caret under it.
fn cut(place: &Place) -> (String, usize, usize) {
    let column = place.span.column.saturating_sub(1);
    let start = if column > SHOWN * 2 / 3 { column - SHOWN / 3 } else { 0 };
    let mut line: String =
        place.text.chars().skip(start).take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let length = line.chars().count();
    if place.text.chars().count() > start + SHOWN {
        line.push('…');
    }
    let mut indent = (column - start).min(length);
    if start > 0 {
        line.insert(0, '…');
        indent += 1;
    }
    let room = (length + usize::from(start > 0)).saturating_sub(indent);
    (line.trim_end().to_owned(), indent, place.span.width.min(room).max(1))
}

/// Replaces control characters, because a file must not control the terminal.
fn printable(text: &str) -> String {
    let clean = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    if text.chars().any(char::is_control) { text.chars().map(clean).collect() } else { text.to_owned() }
}

impl Diagnostics {
    /// Sorts problems by position, removes duplicates and keeps the first [`PROBLEMS_MAX`].
    pub fn new(mut problems: Vec<Diagnostic>) -> Self {
        let place = |d: &Diagnostic| d.place.as_ref().map(|place| (place.span.line, place.span.column));
        problems.sort_by(|a, b| (place(a), &a.file, &a.message).cmp(&(place(b), &b.file, &b.message)));
        problems.dedup();
        problems.truncate(PROBLEMS_MAX);
        Self { problems }
    }

    /// The same problems without positions, if the text is not that of the file.
    pub fn without_places(mut self) -> Self {
        self.problems.iter_mut().for_each(|problem| problem.place = None);
        self
    }

    pub fn problems(&self) -> &[Diagnostic] {
        &self.problems
    }

    /// All problems as text, with their lines.
    pub fn render(&self, colour: bool) -> String {
        let mut out = String::new();
        for problem in &self.problems {
            problem.write(&mut out, colour, &ERROR);
        }
        out
    }
}

/// Formats warnings like errors.
pub fn render_warnings(warnings: &[Diagnostic], colour: bool) -> String {
    let mut out = String::new();
    for warning in warnings {
        warning.write(&mut out, colour, &WARNING);
    }
    out
}

impl From<Diagnostic> for Diagnostics {
    fn from(problem: Diagnostic) -> Self {
        Self { problems: vec![problem] }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}x: wrong{}", " ".repeat(200), " more".repeat(100));
        let span = Span { line: 1, column: 204, width: 5 };
        let shown = Diagnostics::from(Diagnostic::at(Path::new("f"), &text, span, "no", None)).render(false);
        let lines: Vec<&str> = shown.lines().collect();
        let under: Vec<char> = lines[1].chars().collect();
        let caret = lines[2].chars().position(|c| c == '^').expect("a caret");
        assert_eq!(under[caret..caret + 5].iter().collect::<String>(), "wrong");
        assert!(lines[1].chars().count() < 140);
    }

    #[test]
    fn a_warning_looks_like_an_error_but_says_what_it_is() {
        let span = Span { line: 1, column: 3, width: 1 };
        let warning = Diagnostic::at(Path::new("f"), "a: b", span, "odd", Some("write c".into()));
        assert_eq!(
            render_warnings(&[warning], false),
            "f:1:3: warning: odd\n1 | a: b\n  |   ^\n  = write c\n"
        );
        assert_eq!(render_warnings(&[], true), "");
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let span = Span { line: 1, column: 1, width: 99 };
        let d = Diagnostics::from(Diagnostic::at(Path::new("f"), "abc", span, "no\u{7}", Some("yes".into())));
        assert_eq!(d.render(false), "f:1:1: no\\u{7}\n1 | abc\n  | ^^^\n  = yes\n");
        assert!(d.render(true).contains("\x1b[1;31m^^^"));
    }
}
