//! The command line: thin.
//!
//! Owns what the user types and what the terminal shows while a run goes on.

mod args;
mod init;
pub mod progress;
mod run;
mod show;
mod signals;

use std::ffi::OsString;
use std::io::Write as _;

use clap::{CommandFactory as _, Parser as _};

use crate::exit::Exit;

pub use args::{Cli, Command};

/// Runs one command line, from its words to the process's end.
pub fn main(words: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, and are no errors.
            let _ = error.print();
            return if error.use_stderr() { Exit::Input } else { Exit::Pass };
        }
    };
    let done = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Validate(args) => show::validate(&args),
        Command::Plan(args) => show::plan(&args),
        Command::Report(args) => show::report(&args),
        Command::Schema { which } => show::schema(which),
        Command::Init(args) => init::init(&args),
        Command::Completions { shell } => completions(shell),
    };
    done.unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            return Exit::Pass;
        }
        complain(&format!("{error:#}"));
        Exit::Input
    })
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kaf6", &mut out);
    print(&out)?;
    Ok(Exit::Pass)
}

/// Writes a result to stdout.
fn print(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Writes an error to stderr, which has nowhere to go if that is closed.
fn complain(text: &str) {
    let colour =
        crate::report::terminal::wants_colour(std::io::IsTerminal::is_terminal(&std::io::stderr()), |name| {
            std::env::var(name).ok()
        });
    let word = if colour { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
    let _ = writeln!(std::io::stderr().lock(), "{word}: {text}");
}

/// `kaf6 ... | head` is no error.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}
