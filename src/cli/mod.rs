//! The command line: thin.
//!
//! Owns what the user types and what the terminal shows while a run goes on.

mod args;
mod init;
mod out;
pub mod progress;
mod run;
mod show;
mod signals;

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::exit::Exit;

pub use args::{Cli, Command};

use out::{complain, is_broken_pipe, print};

/// Runs one command line, from its words to the process's end.
pub fn main(words: impl IntoIterator<Item = OsString>) -> Exit {
    let parsed = args::command(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()))
        .try_get_matches_from(words)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, and are no errors.
            let _ = error.print();
            return if error.use_stderr() { Exit::Input } else { Exit::Pass };
        }
    };
    let done = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Verify(args) => run::verify(&args),
        Command::Validate(args) => show::validate(&args),
        Command::Plan(args) => show::plan(&args),
        Command::Report(args) => show::report(&args),
        Command::Schema { which } => show::schema(which),
        Command::Preset { name } => show::preset(name.as_deref()),
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
