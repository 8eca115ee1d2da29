//! From files to reports: load, plan, run, check, record, report. All that a command does, without its command line.
//!
//! Owns run ids and the order of several files; anyhow is used from here on up.

mod files;
mod ids;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use crate::engine::{self, Live, Options, Stop};
use crate::ids::RunTag;
use crate::observe::Cut;
use crate::plan::{self, Plan};
use crate::record::{RunRecord, Status};
use crate::report::summary::Summary;
use crate::report::{self, Written};
use crate::scenario::{self, Diagnostics};

pub use files::expand;
pub use ids::RunIds;

/// What the command line sets over the files.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Use the broker inside this process.
    pub embedded: bool,
    /// Brokers in place of the files'.
    pub brokers: Vec<String>,
    /// Profile in place of the files'.
    pub profile: Option<String>,
    /// Variables over those of the environment.
    pub env: HashMap<String, String>,
}

/// Files that are wrong, all of them with all their problems.
#[derive(Debug)]
pub struct WrongFiles(pub Vec<Diagnostics>);

/// Loads and plans all files; none is returned unless all are right.
///
/// # Errors
/// All problems of all files.
pub fn load(files: &[PathBuf], overrides: &Overrides) -> Result<Vec<Plan>, WrongFiles> {
    let lookup = |name: &str| overrides.env.get(name).cloned().or_else(|| std::env::var(name).ok());
    let options = scenario::LoadOptions {
        env: &lookup,
        embedded: overrides.embedded,
        brokers: (!overrides.brokers.is_empty()).then(|| overrides.brokers.clone()),
        profile: overrides.profile.clone(),
        folder: PathBuf::from("."),
    };
    let (mut plans, mut wrong) = (Vec::new(), Vec::new());
    for file in files {
        match scenario::load(file, &options) {
            Ok(scenario) => plans.push(plan::build(&scenario)),
            Err(problems) => wrong.push(problems),
        }
    }
    if wrong.is_empty() { Ok(plans) } else { Err(WrongFiles(wrong)) }
}

/// How to run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Where reports go.
    pub report_dir: PathBuf,
    /// The run's id, in place of one made from the time.
    pub run_id: Option<String>,
    /// Ends the run.
    pub stop: Stop,
}

/// What those who watch a run are told.
pub trait Watch {
    /// A run begins.
    fn begins(&mut self, plan: &Plan, run_id: &str, live: &Arc<Live>);
    /// It has ended, and its reports are written.
    fn ended(&mut self, summary: &Summary, folder: &Path, written: &[Written]);
}

/// One run, done and reported.
#[derive(Debug)]
pub struct Done {
    /// What `summary.json` holds.
    pub summary: Summary,
    /// The verdict.
    pub status: Status,
    /// The signal that ended it.
    pub signal: Option<&'static str>,
    /// All of its reports were written.
    pub reported: bool,
}

/// Runs the plans one after the other, each a run of its own, and writes their reports.
///
/// # Errors
/// Where the report folder cannot be written; what a run comes to is its summary.
pub async fn run(plans: Vec<Plan>, options: &RunOptions, watch: &mut dyn Watch) -> anyhow::Result<Vec<Done>> {
    let several = plans.len() > 1;
    let mut ids = RunIds::new(&options.report_dir, options.run_id.clone(), several);
    // All folders are made before the first message, so that an unwritable place fails at once.
    let mut runs = Vec::new();
    for plan in plans {
        let (run_id, folder) = ids.next(&plan.name)?;
        runs.push((Arc::new(plan), run_id, folder));
    }
    let mut done = Vec::new();
    for (plan, run_id, folder) in runs {
        if options.stop.is_stopped() {
            // Nothing of it ran: an empty folder would look like a run.
            let _ = std::fs::remove_dir(&folder);
            continue;
        }
        let stop = if several { options.stop.child() } else { options.stop.clone() };
        let live = Arc::new(Live::new(&plan));
        watch.begins(&plan, &run_id, &live);
        let record = one(plan, run_id, stop, live).await?;
        let summary = report::summarize(&record);
        let written = report::write_all(&folder, &summary);
        watch.ended(&summary, &folder, &written);
        done.push(Done {
            status: record.status,
            signal: match record.seen.cut {
                Some(Cut::Signal(name)) => Some(name),
                _ => None,
            },
            reported: written.iter().all(|file| file.result.is_ok()),
            summary,
        });
    }
    if several {
        let summaries: Vec<Summary> = done.iter().map(|d| d.summary.clone()).collect();
        for file in report::write_merged(&options.report_dir, &summaries) {
            file.result.with_context(|| format!("cannot write {}", file.path.display()))?;
        }
    }
    Ok(done)
}

/// One run.
async fn one(plan: Arc<Plan>, run_id: String, stop: Stop, live: Arc<Live>) -> anyhow::Result<RunRecord> {
    let started_at = ids::now();
    let run_tag = RunTag::random();
    let options = Options { run_id: run_id.clone(), run_tag, stop };
    let seen = engine::run(Arc::clone(&plan), options, live).await?;
    Ok(RunRecord::new(run_id, run_tag, started_at, plan, seen))
}
