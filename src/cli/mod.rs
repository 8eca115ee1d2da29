//! The command line. It parses arguments, calls `app`, and prints results.
//!
//! Defines what the user types and what the terminal shows during a run.

mod args;
mod clean;
mod github;
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

/// Runs one command line.
pub fn main(words: impl IntoIterator<Item = OsString>) -> Exit {
    let words = match with_more(words.into_iter().collect(), std::env::var("KAF6_EXTRA_ARGS").ok()) {
        Ok(words) => words,
        Err(error) => {
            complain(&error);
            return Exit::Input;
        }
    };
    let parsed = args::command(|name| std::env::var_os(name).is_some_and(|value| value.is_empty()))
        .try_get_matches_from(words)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version also arrive here, but are not errors.
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
        Command::Clean(args) => clean::clean(&args),
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

/// Appends the arguments in `KAF6_EXTRA_ARGS` to those of `run`. They are split like shell words, so that one
/// field of a CI form can contain several.
fn with_more(mut words: Vec<OsString>, more: Option<String>) -> Result<Vec<OsString>, String> {
    let Some(more) = more.filter(|_| words.get(1).is_some_and(|word| word == "run")) else {
        return Ok(words);
    };
    let more = shlex::split(&more).ok_or("unclosed quotation mark in KAF6_EXTRA_ARGS")?;
    words.extend(more.into_iter().map(OsString::from));
    Ok(words)
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kaf6", &mut out);
    print(&out)?;
    Ok(Exit::Pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(more: &str) -> Result<Vec<String>, String> {
        let words = ["kaf6", "run", "a.yaml"].map(OsString::from).to_vec();
        let all = with_more(words, Some(more.to_owned()))?;
        Ok(all.into_iter().skip(3).map(|word| word.into_string().unwrap()).collect())
    }

    #[test]
    fn more_words_are_split_as_a_shell_does() {
        assert_eq!(words("--env 'A=b c'  --quiet\n").unwrap(), ["--env", "A=b c", "--quiet"]);
        assert_eq!(words("").unwrap(), [""; 0]);
        assert!(words("'open").is_err());
        let other = with_more(vec!["kaf6".into(), "plan".into()], Some("--x".into())).unwrap();
        assert_eq!(other.len(), 2);
    }
}
