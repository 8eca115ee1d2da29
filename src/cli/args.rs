//! The words of the command line, and their help.
//!
//! What a CI sets can also come from `KAF6_*`; an empty variable counts as unset, as CI systems pass them.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, Resettable};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::app::Overrides;
use crate::exit::FailOn;
use crate::scenario::preset;

/// Decides, in CI, whether a Kafka-compatible broker keeps its promises.
#[derive(Debug, Parser)]
#[command(
    name = "kaf6",
    version,
    about,
    long_about = "Runs scenario files against a Kafka-compatible broker, proves what happened to every message,\nand writes reports for machines (JSON), people (HTML) and CI systems (JUnit).",
    after_help = "Exit codes: 0 pass, 1 a check failed, 2 the input is wrong, 3 could not judge, 70 a bug in kaf6,\n129, 130 and 143 stopped by a signal (what was observed is reported).",
    max_term_width = 100
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenario files, check, and write reports
    Run(RunArgs),
    /// Check scenario files without running them; works offline
    Validate(FileArgs),
    /// Judge what an earlier run wrote again: is it still there, once, in order, unaltered?
    Verify(VerifyArgs),
    /// Show what a run would do, as a timeline with the defaults taken; works offline
    Plan(FileArgs),
    /// Render report.html and junit.xml again from the summary.json in a run's folder
    Report(ReportArgs),
    /// Print a JSON Schema: of scenario files, or of summary.json
    Schema {
        /// Which one.
        which: SchemaName,
    },
    /// Print the services of a preset, for `cluster` of a scenario file; without a name, list the presets
    Preset {
        /// Which one.
        #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(preset::names()))]
        name: Option<String>,
    },
    /// Remove what killed runs left in Docker; never what belongs to a run that lives, or to somebody else
    Clean(CleanArgs),
    /// Write a starter scenario and a GitHub workflow
    Init(InitArgs),
    /// Print completions for a shell
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Scenario files, and what is set over them.
#[derive(Debug, Args)]
pub struct FileArgs {
    /// Scenario files, folders that hold some, or globs; each file is a run of its own, in this order (in the variable:
    /// one a line)
    #[arg(
        required = true,
        value_name = "FILE",
        env = "KAF6_FILES",
        hide_env_values = true,
        value_delimiter = '\n'
    )]
    pub files: Vec<String>,

    /// Use the broker inside kaf6 in place of all others: real sockets and protocol, no install
    #[arg(long, env = "KAF6_EMBEDDED", hide_env_values = true)]
    pub embedded: bool,

    /// Brokers in place of the file's, as host:port; several with commas
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "KAF6_BROKERS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub brokers: Vec<String>,

    /// Profile in place of the file's
    #[arg(long, value_name = "NAME", env = "KAF6_PROFILE", hide_env_values = true)]
    pub profile: Option<String>,

    /// Set a variable for ${KEY} in the files, over the environment's
    #[arg(long = "env", value_name = "KEY=VALUE", value_parser = pair)]
    pub env: Vec<(String, String)>,
}

impl FileArgs {
    /// What is set over the files; empty values count as unset.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            embedded: self.embedded,
            brokers: filled(&self.brokers),
            profile: self.profile.clone().filter(|p| !p.is_empty()),
            env: self.env.iter().cloned().collect(),
        }
    }
}

/// `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub files: FileArgs,

    /// Keep the ledger: ledger.json in the run's folder, for `kaf6 verify`
    #[arg(long)]
    pub save_ledger: bool,

    #[command(flatten)]
    pub output: OutputArgs,
}

/// `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A ledger.json, or the folder of the run that saved it (run --save-ledger)
    #[arg(value_name = "LEDGER")]
    pub ledger: PathBuf,

    /// Brokers in place of those of then, as host:port; several with commas
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "KAF6_BROKERS",
        hide_env_values = true,
        value_delimiter = ','
    )]
    pub brokers: Vec<String>,

    /// Set a variable for ${KEY} in the scenario file of then, over the environment's
    #[arg(long = "env", value_name = "KEY=VALUE", value_parser = pair)]
    pub env: Vec<(String, String)>,

    #[command(flatten)]
    pub output: OutputArgs,
}

impl VerifyArgs {
    /// What is set over the scenario file of then; empty values count as unset.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            brokers: filled(&self.brokers),
            env: self.env.iter().cloned().collect(),
            ..Overrides::default()
        }
    }
}

/// Brokers as given, without empty ones.
fn filled(brokers: &[String]) -> Vec<String> {
    brokers.iter().map(|b| b.trim().to_owned()).filter(|b| !b.is_empty()).collect()
}

/// Where a run's results go.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Where reports go: DIR/RUN-ID/summary.json, report.html and junit.xml
    #[arg(
        long,
        value_name = "DIR",
        env = "KAF6_REPORT_DIR",
        hide_env_values = true,
        default_value = "reports"
    )]
    pub report_dir: PathBuf,

    /// The run's id, in place of one made from the time; with several files it becomes ID-NAME for each
    #[arg(long, value_name = "ID", env = "KAF6_RUN_ID", hide_env_values = true)]
    pub run_id: Option<String>,

    /// What makes the exit code 1 or 3: failed checks, also runs that could not judge, or neither
    #[arg(
        long,
        value_name = "WHEN",
        env = "KAF6_FAIL_ON",
        hide_env_values = true,
        default_value = "inconclusive"
    )]
    pub fail_on: FailOn,

    /// Show no progress: --log-level error
    #[arg(long, short)]
    pub quiet: bool,

    /// What stderr shows of a run that goes on
    #[arg(
        long,
        value_name = "LEVEL",
        env = "KAF6_LOG_LEVEL",
        hide_env_values = true,
        default_value = "info"
    )]
    pub log_level: LogLevel,

    /// On GitHub: mark the scenario file's line of each check that failed
    #[arg(
        long,
        value_name = "BOOL",
        env = "KAF6_ANNOTATIONS",
        hide_env_values = true,
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub annotations: bool,

    /// On GitHub: write the step summary
    #[arg(
        long,
        value_name = "BOOL",
        env = "KAF6_SUMMARY",
        hide_env_values = true,
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub summary: bool,

    /// What to print on stdout at the end: a table, or summary.json (a JSON array of them for several files)
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

impl OutputArgs {
    /// Nothing is to be shown of a run that goes on.
    pub(super) const fn is_quiet(&self) -> bool {
        self.quiet || matches!(self.log_level, LogLevel::Error)
    }
}

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A run's folder, such as reports/20260116-145402-7f3a
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,

    /// What to print on stdout: a table, or summary.json
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// `clean`.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Only the run of this id; without it, all whose kaf6 is gone or whose time is over
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub run: Option<String>,

    /// With --run: also where its kaf6 still runs
    #[arg(long, requires = "run")]
    pub force: bool,

    /// Only say what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

/// `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The folder to write into
    #[arg(value_name = "DIR", default_value = ".", value_parser = NonEmptyStringValueParser::new())]
    pub folder: String,

    /// Write over files that are there
    #[arg(long)]
    pub force: bool,
}

/// What stderr shows of a run that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Only what is wrong.
    Error,
    /// Progress too.
    Info,
}

/// What `run` prints at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people.
    Table,
    /// summary.json.
    Json,
}

/// Which schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaName {
    /// Of scenario files.
    Scenario,
    /// Of summary.json.
    Summary,
}

/// The command line; options whose variable is set to nothing are as if it were unset, since that is how CI systems
/// pass what is not given.
pub(super) fn command(is_empty: impl Fn(&str) -> bool) -> clap::Command {
    Cli::command().mut_subcommands(|subcommand| {
        subcommand.mut_args(|arg| match arg.get_env().and_then(OsStr::to_str) {
            Some(name) if is_empty(name) => arg.env(Resettable::Reset),
            _ => arg,
        })
    })
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}
