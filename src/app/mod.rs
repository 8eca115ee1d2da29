//! Runs scenario files from loading to reports: load, plan, run, check, record, report. The command line is
//! in `cli`.
//!
//! Assigns run ids and runs several files in order. Modules from here upward use `anyhow`.

mod files;
mod ids;
mod ledger;
mod owner;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::{self, Options, RunProgress, Stop};
use crate::ids::RunTag;
use crate::kafka::{self, Waits};
use crate::ledger::Saved;
use crate::observe::EarlyEnd;
use crate::plan::{self, Plan};
use crate::record::{RunRecord, RunStatus};
use crate::report::summary::Summary;
use crate::report::{self, WrittenFile};
use crate::scenario::{self, Diagnostics};

pub use files::{Files, expand};
pub use ids::{Folder, RunIds};

/// Command-line options that override settings of the files.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Use the broker inside this process.
    pub embedded: bool,
    /// Override the files' brokers.
    pub brokers: Vec<String>,
    /// Override the files' profile.
    pub profile: Option<String>,
    /// Override variables of the environment.
    pub env: HashMap<String, String>,
}

impl Overrides {
    fn lookup(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned().or_else(|| std::env::var(name).ok())
    }

    fn options<'a>(&self, lookup: &'a dyn Fn(&str) -> Option<String>) -> scenario::LoadOptions<'a> {
        scenario::LoadOptions {
            env: lookup,
            client: Some(kafka::JUDGE),
            embedded: self.embedded,
            brokers: (!self.brokers.is_empty()).then(|| self.brokers.clone()),
            profile: self.profile.clone(),
            connect_only: false,
            folder: PathBuf::from("."),
        }
    }
}

/// Invalid files, with all problems of each.
#[derive(Debug)]
pub struct WrongFiles(pub Vec<Diagnostics>);

/// Loads and compiles all files. Returns plans only if all files are valid.
///
/// # Errors
///
/// All problems of all files.
pub fn load(files: &[PathBuf], overrides: &Overrides) -> Result<Vec<Plan>, WrongFiles> {
    let lookup = |name: &str| overrides.lookup(name);
    let options = overrides.options(&lookup);
    let (mut plans, mut wrong) = (Vec::new(), Vec::new());
    for file in files {
        match plan::load(file, &options) {
            Ok(plan) => plans.push(plan),
            Err(problems) => wrong.push(problems),
        }
    }
    if wrong.is_empty() { Ok(plans) } else { Err(WrongFiles(wrong)) }
}

/// Reads a saved ledger and plans its verification.
///
/// # Errors
///
/// If it is not a ledger or cannot be verified. The inner error lists problems of the stored scenario file.
pub fn load_ledger(path: &Path, overrides: &Overrides) -> anyhow::Result<Result<(Saved, Plan), WrongFiles>> {
    let lookup = |name: &str| overrides.lookup(name);
    let loaded = ledger::load(path, &overrides.options(&lookup))?;
    Ok(loaded.map_err(|problems| WrongFiles(vec![problems])))
}

#[derive(Debug, Clone)]
pub struct RunOptions {
    pub report_dir: PathBuf,
    /// Run id that replaces the generated one.
    pub run_id: Option<String>,
    pub stop: Stop,
    /// Write `ledger.json` to each run's folder, for [`verify`].
    pub save_ledger: bool,
}

/// Receives events of a run.
pub trait RunObserver {
    fn begins(&mut self, plan: &Plan, run_id: &str, live: &Arc<RunProgress>);
    /// The run has ended and its reports are written.
    fn ended(&mut self, summary: &Summary, folder: &Path, written: &[WrittenFile]);
}

/// A finished run with its reports.
#[derive(Debug)]
pub struct ReportedRun {
    /// The content of `summary.json`.
    pub summary: Summary,
    pub status: RunStatus,
    pub signal: Option<&'static str>,
    /// Whether all reports were written.
    pub reported: bool,
    /// A bug in kaf6 that makes the verdict unreliable, as a sentence.
    pub bug: Option<String>,
}

/// Executes the plans in order, one run each, and writes their reports. The second list contains the files
/// that cover several runs.
///
/// # Errors
///
/// If the report folder cannot be written. Results of runs are in their summaries.
pub async fn run(
    plans: Vec<Plan>,
    options: &RunOptions,
    watch: &mut dyn RunObserver,
) -> anyhow::Result<(Vec<ReportedRun>, Vec<WrittenFile>)> {
    let several = plans.len() > 1;
    let mut ids = RunIds::new(&options.report_dir, options.run_id.clone(), several);
    // All folders are created before the first message, so that an unwritable path fails immediately.
    let mut runs = Vec::new();
    for plan in plans {
        let (run_id, folder) = ids.next(&plan.name)?;
        runs.push((Arc::new(plan), run_id, folder));
    }
    let mut done = Vec::new();
    for (plan, run_id, folder) in runs {
        if options.stop.is_stopped() && !done.is_empty() {
            // The run did not start. An empty folder would look like a run.
            let _ = std::fs::remove_dir(folder.open());
            continue;
        }
        let stop = if several { options.stop.child() } else { options.stop.clone() };
        let live = Arc::new(RunProgress::new(&plan));
        watch.begins(&plan, &run_id, &live);
        let engine = Options {
            run_id,
            folder: folder.path.clone(),
            run_tag: RunTag::random(),
            stop,
            save_ledger: options.save_ledger,
            saved: None,
            waits: Waits::default(),
        };
        done.push(run_scenario(plan, engine, live, folder, watch).await);
    }
    let mut merged = Vec::new();
    if several {
        let summaries: Vec<Summary> = done.iter().map(|d| d.summary.clone()).collect();
        merged = report::write_merged(&options.report_dir, &summaries);
        merged.iter().for_each(|file| owner::hand_over(&file.path));
    }
    Ok((done, merged))
}

/// Verifies the messages of a saved ledger against the current topics. Only end markers are sent.
///
/// # Errors
///
/// If the report folder cannot be written.
pub async fn verify(
    saved: Saved,
    plan: Plan,
    options: &RunOptions,
    watch: &mut dyn RunObserver,
) -> anyhow::Result<ReportedRun> {
    let (run_id, folder) =
        RunIds::new(&options.report_dir, options.run_id.clone(), false).next(&plan.name)?;
    let plan = Arc::new(plan);
    let live = Arc::new(RunProgress::new(&plan));
    watch.begins(&plan, &run_id, &live);
    let engine = Options {
        run_id,
        folder: folder.path.clone(),
        run_tag: saved.run_tag(),
        stop: options.stop.clone(),
        save_ledger: false,
        saved: Some(saved),
        waits: Waits::default(),
    };
    Ok(run_scenario(plan, engine, live, folder, watch).await)
}

/// Executes one run and writes its reports.
async fn run_scenario(
    plan: Arc<Plan>,
    options: Options,
    live: Arc<RunProgress>,
    folder: Folder,
    watch: &mut dyn RunObserver,
) -> ReportedRun {
    let started_at = ids::now();
    let (run_id, run_tag) = (options.run_id.clone(), options.run_tag);
    let mut seen = engine::run(Arc::clone(&plan), options, live).await;
    seen.hide(&plan.secrets);
    let record = RunRecord::new(run_id, run_tag, started_at, plan, seen);
    let summary = report::json::hide(report::summarize(&record), &record.plan.secrets);
    let folder = &folder.open();
    let mut written = report::write_all(folder, &summary);
    if let Some(saved) = &record.seen.saved {
        written.push(report::write_ledger(folder, saved));
    }
    owner::hand_over(folder);
    watch.ended(&summary, folder, &written);
    ReportedRun {
        status: record.status,
        signal: match record.seen.cut {
            Some(EarlyEnd::Signal(name)) => Some(name),
            _ => None,
        },
        reported: written.iter().all(|file| file.result.is_ok()),
        bug: record.bug,
        summary,
    }
}
