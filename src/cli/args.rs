//! The command-line arguments and their help.
//!
//! Options that a CI system sets can also come from `KAF6_*`. An empty variable counts as unset, because CI
//! systems pass empty variables.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, Resettable};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::app::Overrides;
use crate::exit::FailOn;
use crate::scenario::environment::preset;

/// Tests whether a Kafka-compatible broker loses, duplicates, reorders or corrupts messages.
#[derive(Debug, Parser)]
#[command(
    name = "kaf6",
    version,
    about,
    long_about = "Tests whether a Kafka-compatible broker loses, duplicates, reorders or corrupts messages.\nRuns scenario files, tracks every message, and writes reports for programs (JSON), people (HTML)\nand CI systems (JUnit).",
    after_help = "Exit codes: 0 pass, 1 fail, 2 invalid input, 3 inconclusive, 70 a bug in kaf6,\n129, 130 and 143 stopped by a signal (the reports are still written).",
    max_term_width = 100
)]
pub struct Cli {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenario files and write reports
    Run(RunArgs),
    /// Check scenario files without running them (offline)
    Validate(FileArgs),
    /// Check that the messages of an earlier run are still there, once, in order and unaltered
    Verify(VerifyArgs),
    /// Show what a run would do, as a timeline with all defaults (offline)
    Plan(FileArgs),
    /// Render report.html and junit.xml of a run again from its summary.json
    Report(ReportArgs),
    /// Print the JSON Schema of scenario files or of summary.json
    Schema {
        /// Which schema to print
        which: SchemaName,
    },
    /// Print the services of a preset for `cluster`, or list the presets
    Preset {
        /// Preset to print; if omitted, list all presets
        #[arg(value_name = "NAME", value_parser = PossibleValuesParser::new(preset::names()))]
        name: Option<String>,
    },
    /// Remove leftovers of killed runs from Docker (never touches active runs or other containers)
    Clean(CleanArgs),
    /// Write a starter scenario and a GitHub workflow
    Init(InitArgs),
    /// Print shell completions
    Completions {
        /// Shell to print completions for
        shell: clap_complete::Shell,
    },
}

/// Scenario files and the options that override them.
#[derive(Debug, Args)]
pub struct FileArgs {
    /// Scenario files, folders or globs. Multiple files run in order, one run each (newline-separated in KAF6_FILES)
    #[arg(required = true, value_name = "FILE", env = "KAF6_FILES", value_delimiter = '\n')]
    pub files: Vec<String>,

    /// Use the broker that is built into kaf6 (real sockets and protocol, nothing to install)
    #[arg(long, env = "KAF6_EMBEDDED")]
    pub embedded: bool,

    /// Override the file's brokers (comma-separated host:port)
    #[arg(long, value_name = "HOST:PORT", env = "KAF6_BROKERS", value_delimiter = ',')]
    pub brokers: Vec<String>,

    /// Override the file's profile
    #[arg(long, value_name = "NAME", env = "KAF6_PROFILE")]
    pub profile: Option<String>,

    /// Set a variable for ${KEY} in the files (overrides the environment)
    #[arg(long = "env", value_name = "KEY=VALUE", value_parser = pair)]
    pub env: Vec<(String, String)>,
}

impl FileArgs {
    /// The overrides of the files. Empty values count as unset.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            embedded: self.embedded,
            brokers: filled(&self.brokers),
            profile: self.profile.clone().filter(|p| !p.is_empty()),
            env: self.env.iter().cloned().collect(),
        }
    }
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub files: FileArgs,

    /// Write ledger.json to the run's folder, for `kaf6 verify`
    #[arg(long)]
    pub save_ledger: bool,

    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A ledger.json, or the folder of a run with --save-ledger
    #[arg(value_name = "LEDGER")]
    pub ledger: PathBuf,

    /// Override the brokers of the earlier run (comma-separated host:port)
    #[arg(long, value_name = "HOST:PORT", env = "KAF6_BROKERS", value_delimiter = ',')]
    pub brokers: Vec<String>,

    /// Set a variable for ${KEY} in the scenario file of the earlier run (overrides the environment)
    #[arg(long = "env", value_name = "KEY=VALUE", value_parser = pair)]
    pub env: Vec<(String, String)>,

    #[command(flatten)]
    pub output: OutputArgs,
}

impl VerifyArgs {
    /// The overrides of the earlier run's scenario file. Empty values count as unset.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            brokers: filled(&self.brokers),
            env: self.env.iter().cloned().collect(),
            ..Overrides::default()
        }
    }
}

/// The brokers without empty ones.
fn filled(brokers: &[String]) -> Vec<String> {
    brokers.iter().map(|b| b.trim().to_owned()).filter(|b| !b.is_empty()).collect()
}

/// Where results go.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Folder for the reports: DIR/RUN-ID/summary.json, report.html and junit.xml
    #[arg(long, value_name = "DIR", env = "KAF6_REPORT_DIR", default_value = "reports")]
    pub report_dir: PathBuf,

    /// Id of the run (default: generated from the time); with several files, each run gets ID-NAME
    #[arg(long, value_name = "ID", env = "KAF6_RUN_ID")]
    pub run_id: Option<String>,

    /// When the exit code is not 0: on failed and inconclusive runs, on failed runs only, or never
    #[arg(long, value_name = "WHEN", env = "KAF6_FAIL_ON", default_value = "inconclusive")]
    pub fail_on: FailOn,

    /// Show no progress (same as --log-level error)
    #[arg(long, short)]
    pub quiet: bool,

    /// What to show on stderr during a run
    #[arg(long, value_name = "LEVEL", env = "KAF6_LOG_LEVEL", default_value = "info")]
    pub log_level: LogLevel,

    /// On GitHub: annotate the line of each failed check in the scenario file
    #[arg(
        long,
        value_name = "BOOL",
        env = "KAF6_ANNOTATIONS",
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub annotations: bool,

    /// On GitHub: write the step summary
    #[arg(
        long,
        value_name = "BOOL",
        env = "KAF6_SUMMARY",
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub summary: bool,

    /// What to print on stdout at the end: a table, or summary.json (a JSON array with several files)
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

impl OutputArgs {
    /// Whether no progress is shown during a run.
    pub(super) const fn is_quiet(&self) -> bool {
        self.quiet || matches!(self.log_level, LogLevel::Error)
    }
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Folder of a run, such as reports/20260116-145402-7f3a
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,

    /// What to print on stdout: a table, or summary.json
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub format: Format,
}

/// Arguments of `clean`.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Clean up only the run with this id (default: all runs whose kaf6 process has ended or whose time limit has passed)
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub run: Option<String>,

    /// With --run: clean up even if the kaf6 process of the run is still active
    #[arg(long, requires = "run")]
    pub force: bool,

    /// Only print what would be removed
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Folder to write to
    #[arg(value_name = "DIR", default_value = ".", value_parser = NonEmptyStringValueParser::new())]
    pub folder: String,

    /// Overwrite existing files
    #[arg(long)]
    pub force: bool,
}

/// What a run writes to stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Errors only
    Error,
    /// Progress and errors
    Info,
}

/// What `run` prints at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    Table,
    /// The content of summary.json
    Json,
}

/// The schemas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaName {
    /// Scenario files
    Scenario,
    /// summary.json
    Summary,
}

/// The command line. An empty environment variable counts as unset, because CI systems pass empty variables for
/// options that are not given. Help texts do not show the values of variables.
pub(super) fn command(is_empty: impl Fn(&str) -> bool) -> clap::Command {
    Cli::command().mut_subcommands(|subcommand| {
        subcommand.mut_args(|arg| match arg.get_env().and_then(OsStr::to_str) {
            Some(name) if is_empty(name) => arg.env(Resettable::Reset),
            _ => arg.hide_env_values(true),
        })
    })
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}
