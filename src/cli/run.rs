//! `kaf6 run` and `kaf6 verify`: loads, runs with progress on stderr, and prints the result on stdout.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;

use super::args::{Format, OutputArgs, RunArgs, VerifyArgs};
use super::github::Runner;
use super::out::{complain, print, style, whole};
use super::progress::{Mode, Progress};
use super::{show, signals};
use crate::app::{self, Done, RunOptions, Watch};
use crate::engine::{Live, Phase, Stop};
use crate::exit::{Exit, FailOn};
use crate::plan::Plan;
use crate::report::progress::{ScenarioProgress, State};
use crate::report::summary::Summary;
use crate::report::{Written, console as table};

/// How often the display is brought up to date.
const TICK: Duration = Duration::from_millis(100);
/// Threads that may block: each client of a producer and each share of a consumer is one.
const THREADS: usize = 20_000;

/// `kaf6 run`.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let files = app::expand(&args.files.files)?;
    let plans = match app::load(&files, &args.files.overrides()) {
        Ok(plans) => plans,
        Err(wrong) => {
            Runner::detect().wrong(&wrong, &args.output);
            return Ok(show::complain_of(&wrong));
        }
    };
    if !args.output.is_quiet() {
        show::warn_of(&plans);
    }
    let done =
        go(&args.output, args.save_ledger, async |options, display| app::run(plans, options, display).await)?;
    finish(done, &args.output)
}

/// `kaf6 verify`.
pub(super) fn verify(args: &VerifyArgs) -> anyhow::Result<Exit> {
    let (saved, plan) = match app::load_ledger(&args.ledger, &args.overrides())? {
        Ok(loaded) => loaded,
        Err(wrong) => return Ok(show::complain_of(&wrong)),
    };
    let done = go(&args.output, false, async |options, display| {
        app::verify(saved, plan, options, display).await.map(|done| vec![done])
    })?;
    finish(done, &args.output)
}

/// Runs `work` with signals heard and progress shown.
fn go(
    args: &OutputArgs,
    save_ledger: bool,
    work: impl AsyncFnOnce(&RunOptions, &mut Display) -> anyhow::Result<Vec<Done>>,
) -> anyhow::Result<Vec<Done>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(THREADS)
        .thread_stack_size(512 << 10)
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        let stop = Stop::new();
        signals::listen(&stop);
        let options = RunOptions {
            report_dir: args.report_dir.clone(),
            run_id: args.run_id.clone().filter(|id| !id.is_empty()),
            stop,
            save_ledger,
        };
        let mut display =
            Display { quiet: args.is_quiet(), format: args.format, shown: None, runner: Runner::detect() };
        work(&options, &mut display).await
    });
    // A thread that librdkafka holds must not hold the process: all that matters has been written.
    runtime.shutdown_background();
    done
}

/// Prints what machines want, and chooses the process's end.
fn finish(done: Vec<Done>, args: &OutputArgs) -> anyhow::Result<Exit> {
    let ends: Vec<Exit> = done.iter().map(|run| end(run, args.fail_on)).collect();
    let summaries: Vec<Summary> = done.into_iter().map(|run| run.summary).collect();
    Runner::detect().report(&summaries, args);
    if args.format == Format::Json {
        print(&show::json(&summaries)?)?;
    }
    Ok(Exit::worst(ends))
}

/// The end that one run asks for.
fn end(run: &Done, fail_on: FailOn) -> Exit {
    if let Some(bug) = &run.bug {
        complain(&format!("kaf6 has a bug, please report it: {bug}"));
    }
    end_of(run.bug.is_some(), run.signal, run.reported, Exit::of(run.status, fail_on))
}

/// A verdict that is wrong by a bug counts for nothing, and one that nobody can read is none.
fn end_of(bug: bool, signal: Option<&str>, reported: bool, verdict: Exit) -> Exit {
    match signal {
        _ if bug => Exit::Bug,
        Some("SIGTERM") => Exit::Terminated,
        Some(_) => Exit::Interrupted,
        None if !reported => Exit::worst([verdict, Exit::NotJudged]),
        None => verdict,
    }
}

/// Shows one run after the other.
struct Display {
    quiet: bool,
    format: Format,
    /// With what brings it up to date.
    shown: Option<(Shown, AbortHandle)>,
    runner: Runner,
}

impl Watch for Display {
    fn begins(&mut self, plan: &Plan, run_id: &str, live: &Arc<Live>) {
        self.runner.begins(plan, run_id);
        let mut progress = Progress::new(Mode::detect(self.quiet));
        progress.message(&format!("{}: run {run_id}", plan.name));
        let shown = Shown { progress: Arc::new(Mutex::new(progress)), live: Arc::clone(live) };
        let ticks = shown.clone();
        let ticking = tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                ticks.update();
            }
        });
        self.shown = Some((shown, ticking.abort_handle()));
    }

    fn ended(&mut self, summary: &Summary, folder: &Path, written: &[Written]) {
        if let Some((shown, ticking)) = self.shown.take() {
            ticking.abort();
            // A run may be over before the first tick.
            shown.update();
            shown.lock().finish();
        }
        self.runner.ended();
        for file in written {
            if let Err(error) = &file.result {
                complain(&whole(error));
            }
        }
        if self.format == Format::Table {
            let text = table::render(summary, style(), Some(folder));
            // The exit code tells what a closed pipe cannot.
            let _ = print(text.as_bytes());
        }
    }
}

/// The display of the run that goes on, and its numbers.
#[derive(Clone)]
struct Shown {
    progress: Arc<Mutex<Progress>>,
    live: Arc<Live>,
}

impl Shown {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self) {
        for line in self.live.take_said() {
            self.lock().message(&line);
        }
        if !matches!(self.live.phase(), Phase::Cluster | Phase::Setup) {
            self.lock().update(&scenarios(&self.live));
        }
    }
}

/// The engine's progress as the display wants it.
fn scenarios(live: &Live) -> Vec<ScenarioProgress> {
    live.progress()
        .into_iter()
        .map(|p| ScenarioProgress {
            name: p.name,
            kind: p.kind,
            done: p.done,
            limit: p.limit,
            elapsed: p.elapsed,
            bound: p.bound,
            state: match (p.started, p.ended) {
                (_, true) => State::Ended,
                (true, false) => State::Running,
                (false, false) => State::Waiting,
            },
            rate_per_s: p.rate_per_s,
            p95_ms: p.p95_ms,
            errors: p.errors,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_comes_before_a_signal_and_a_signal_before_the_verdict() {
        assert_eq!(end_of(false, None, true, Exit::Fail), Exit::Fail);
        assert_eq!(end_of(false, None, false, Exit::Pass), Exit::NotJudged);
        assert_eq!(end_of(false, Some("SIGTERM"), true, Exit::Fail), Exit::Terminated);
        assert_eq!(end_of(false, Some("SIGINT"), true, Exit::Pass), Exit::Interrupted);
        assert_eq!(end_of(true, Some("SIGINT"), true, Exit::Pass), Exit::Bug);
        assert_eq!(end_of(true, None, true, Exit::Pass), Exit::Bug);
    }
}
