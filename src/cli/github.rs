//! Output for the GitHub Actions runner: groups, masks, annotations, step summary and step outputs.
//!
//! Knows the runner's environment variables and files. Outside GitHub Actions, it does nothing.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::args::OutputArgs;
use super::out::complain;
use crate::app::WrongFiles;
use crate::exit::Exit;
use crate::plan::Plan;
use crate::report::github;
use crate::report::summary::Summary;

/// The GitHub Actions runner, if this process runs on one.
#[derive(Debug, Clone, Default)]
pub(super) struct Runner {
    is_github: bool,
    workspace: Option<PathBuf>,
    step_summary: Option<PathBuf>,
    output: Option<PathBuf>,
    state: Option<PathBuf>,
    /// Ids of runs that may leave containers behind.
    with_cluster: Vec<String>,
}

impl Runner {
    /// Detects the runner from the environment.
    pub(super) fn detect() -> Self {
        let is_github = std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true");
        let path = |name: &str| {
            std::env::var_os(name).filter(|value| is_github && !value.is_empty()).map(PathBuf::from)
        };
        Self {
            is_github,
            workspace: path("GITHUB_WORKSPACE"),
            step_summary: path("GITHUB_STEP_SUMMARY"),
            output: path("GITHUB_OUTPUT"),
            state: path("GITHUB_STATE"),
            with_cluster: Vec::new(),
        }
    }

    /// Called before a run. Opens a group for its progress and masks its secrets. Also saves the
    /// run's id for the post step (scripts/action-post), which removes its containers if this process is killed.
    pub(super) fn begins(&mut self, plan: &Plan, run_id: &str) {
        if let Some(file) = self.state.as_ref().filter(|_| plan.cluster.is_some()) {
            self.with_cluster.push(run_id.to_owned());
            // If a name occurs several times, the last line counts.
            let _ = append(file, &format!("kaf6_runs={}\n", self.with_cluster.join(" ")));
        }
        for line in plan.secrets.lines() {
            self.say(&format!("::add-mask::{}", line.replace('%', "%25")));
        }
        self.say(&format!("::group::kaf6 {}", plan.name.replace(['\n', '\r'], " ")));
    }

    /// Called after a run. Closes its group.
    pub(super) fn ended(&self) {
        self.say("::endgroup::");
    }

    /// Called instead of runs, if files are invalid.
    pub(super) fn wrong(&self, wrong: &WrongFiles, args: &OutputArgs) {
        if self.is_github && args.annotations {
            let text = github::wrong_files(&wrong.0, self.workspace.as_deref());
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
        self.nothing_ran();
    }

    /// Called instead of runs, if there are none.
    pub(super) fn nothing_ran(&self) {
        if let Some(file) = &self.output {
            let _ = append(file, "status=error\n");
        }
    }

    /// Called after all runs. Returns an exit for each file that could not be written.
    pub(super) fn report(&self, runs: &[Summary], args: &OutputArgs) -> Vec<Exit> {
        let mut not_written = Vec::new();
        if !self.is_github {
            return not_written;
        }
        if args.annotations {
            let _ = std::io::stderr()
                .lock()
                .write_all(github::annotations(runs, self.workspace.as_deref()).as_bytes());
        }
        if let Some(file) = self.step_summary.as_ref().filter(|_| args.summary) {
            not_written.extend(append(file, &github::markdown(runs, &args.report_dir)));
        }
        if let Some(file) = &self.output {
            let outputs = github::outputs(runs, &args.report_dir);
            if !runs.is_empty() && outputs.iter().any(|(name, value)| *name == "json" && value.is_empty()) {
                self.say(&format!(
                    "::notice title=kaf6::the output `json` is empty because the summary is larger \
                    than {} KiB: read the file named by the output `summary`",
                    github::OUTPUT_MOST >> 10
                ));
            }
            let delimiter = format!("kaf6-{}", uuid::Uuid::new_v4().simple());
            not_written.extend(append(file, &github::output_lines(&outputs, &delimiter)));
        }
        not_written
    }

    /// The runner reads commands from both streams, and stdout is for the result.
    fn say(&self, line: &str) {
        if self.is_github {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }
}

/// Appends a text to a file completely or not at all, because the runner rejects partial outputs.
fn append(file: &Path, text: &str) -> Option<Exit> {
    let written = OpenOptions::new().append(true).create(true).open(file).and_then(|mut open| {
        let before = open.metadata()?.len();
        open.write_all(text.as_bytes()).inspect_err(|_| {
            let _ = open.set_len(before);
        })
    });
    let error = written.err()?;
    complain(&format!("cannot write {} for GitHub: {error}", file.display()));
    Some(Exit::NotJudged)
}
