//! Writes results to stdout and errors to stderr.

use std::io::{IsTerminal as _, Write as _};

use crate::report::terminal::{Style, no_commands, wants_colour};

pub(super) fn print(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// An error and its causes, in one line.
pub(super) fn whole(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Writes text from brokers, containers or files to stderr, so that the GitHub runner sees no commands in it.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", no_commands(text.trim_end()));
}

/// Writes an error to stderr. If stderr is closed, the error is dropped.
pub(super) fn complain(text: &str) {
    let colour = wants_colour(std::io::stderr().is_terminal(), |name| std::env::var(name).ok());
    let word = if colour { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
    say(&format!("{word}: {text}"));
}

/// `kaf6 ... | head` is not an error.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

pub(super) fn style() -> Style {
    let terminal = std::io::stdout().is_terminal();
    Style::detect(terminal, columns().filter(|_| terminal), |name| std::env::var(name).ok())
}

fn columns() -> Option<usize> {
    let given = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    given.or_else(|| console::Term::stdout().size_checked().map(|(_, columns)| usize::from(columns)))
}
