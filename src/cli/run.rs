//! `kaf6 run` and `kaf6 verify`: loads files, executes them with progress on stderr, and prints the result on
//! stdout.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;

use super::args::{FileArgs, Format, OutputArgs, RunArgs, VerifyArgs};
use super::github::Runner;
use super::out::{complain, print, style, whole};
use super::progress::{Mode, RunDisplay};
use super::{show, signals};
use crate::app::{self, ReportedRun, RunObserver, RunOptions};
use crate::engine::{Phase, RunProgress, Stop};
use crate::exit::{Exit, FailOn};
use crate::observe::EarlyEnd;
use crate::plan::Plan;
use crate::report::summary::Summary;
use crate::report::{WrittenFile, console as table};

/// Interval between updates of the display.
const TICK: Duration = Duration::from_millis(100);
/// Maximum number of blocking threads. Each client of a producer and each part of a consumer needs one.
const THREADS: usize = 20_000;

pub(super) fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let runner = Runner::detect();
    let plans = match load(&args.files, args.output.is_quiet()) {
        Ok(Ok(plans)) => plans,
        Ok(Err(wrong)) => {
            runner.wrong(&wrong, &args.output);
            return Ok(show::complain_of(&wrong));
        }
        Err(error) => {
            runner.nothing_ran();
            return Err(error);
        }
    };
    let planned = plans.len();
    let stop = Stop::new();
    let ran = go(&args.output, args.save_ledger, &stop, async |options, display| {
        app::run(plans, options, display).await
    });
    let ((done, merged), mut more) = ran.inspect_err(|_| runner.nothing_ran())?;
    more.extend(merged.iter().filter_map(not_written));
    if done.len() < planned {
        more.push(stopped_by(match stop.why() {
            Some(EarlyEnd::Signal(name)) => Some(name),
            _ => None,
        }));
    }
    finish(done, more, &args.output)
}

/// Loads the plans and prints warnings.
fn load(args: &FileArgs, quiet: bool) -> anyhow::Result<Result<Vec<Plan>, app::WrongFiles>> {
    let files = app::expand(&args.files)?;
    let plans = app::load(&files.files, &args.overrides());
    if let Ok(plans) = &plans
        && !quiet
    {
        show::warn_of(&files, plans);
    }
    Ok(plans)
}

/// Reports that a file could not be written.
fn not_written(file: &WrittenFile) -> Option<Exit> {
    let error = file.result.as_ref().err()?;
    complain(&whole(error));
    Some(Exit::NotJudged)
}

pub(super) fn verify(args: &VerifyArgs) -> anyhow::Result<Exit> {
    let (saved, plan) = match app::load_ledger(&args.ledger, &args.overrides())? {
        Ok(loaded) => loaded,
        Err(wrong) => return Ok(show::complain_of(&wrong)),
    };
    let (done, more) = go(&args.output, false, &Stop::new(), async |options, display| {
        app::verify(saved, plan, options, display).await
    })?;
    finish(vec![done], more, &args.output)
}

/// Executes `work` with signal handlers and progress. The second value lists what could not be printed.
fn go<T>(
    args: &OutputArgs,
    save_ledger: bool,
    stop: &Stop,
    work: impl AsyncFnOnce(&RunOptions, &mut Display) -> anyhow::Result<T>,
) -> anyhow::Result<(T, Vec<Exit>)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(THREADS)
        .thread_stack_size(512 << 10)
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        signals::listen(stop)?;
        let options = RunOptions {
            report_dir: args.report_dir.clone(),
            run_id: args.run_id.clone().filter(|id| !id.is_empty()),
            stop: stop.clone(),
            save_ledger,
        };
        let mut display = Display {
            quiet: args.is_quiet(),
            format: args.format,
            shown: None,
            not_printed: Vec::new(),
            runner: Runner::detect(),
        };
        work(&options, &mut display).await.map(|done| (done, display.not_printed))
    });
    // Do not wait for threads that librdkafka blocks. Everything that matters has been written.
    runtime.shutdown_background();
    done
}

/// Prints the results for machines, and selects the exit from those of the runs and `more`.
fn finish(done: Vec<ReportedRun>, more: Vec<Exit>, args: &OutputArgs) -> anyhow::Result<Exit> {
    let mut ends: Vec<Exit> = done.iter().map(|run| end(run, args.fail_on)).chain(more).collect();
    let summaries: Vec<Summary> = done.into_iter().map(|run| run.summary).collect();
    ends.extend(Runner::detect().report(&summaries, args));
    if args.format == Format::Json {
        ends.extend(not_printed(&show::json(&summaries)?));
    }
    Ok(Exit::worst(ends))
}

/// Prints a result and reports a failure to print. The exit code shows a closed pipe, because no message can.
fn not_printed(result: &[u8]) -> Option<Exit> {
    let error = print(result).err().filter(|error| error.kind() != ErrorKind::BrokenPipe)?;
    complain(&format!("cannot write to stdout: {error}"));
    Some(Exit::NotJudged)
}

/// The exit for one run.
fn end(run: &ReportedRun, fail_on: FailOn) -> Exit {
    if let Some(bug) = &run.bug {
        complain(&format!("kaf6 has a bug, please report it: {bug}"));
    }
    end_of(run.bug.is_some(), run.signal, run.reported, Exit::of(run.status, fail_on))
}

/// A verdict does not count if there is a bug in kaf6 or if its reports could not be written.
fn end_of(bug: bool, signal: Option<&str>, reported: bool, verdict: Exit) -> Exit {
    match signal {
        _ if bug => Exit::Bug,
        Some(_) => stopped_by(signal),
        None if !reported => Exit::worst([verdict, Exit::NotJudged]),
        None => verdict,
    }
}

/// The exit of a run that a signal ended or prevented.
fn stopped_by(signal: Option<&str>) -> Exit {
    match signal {
        Some("SIGTERM") => Exit::Terminated,
        Some("SIGHUP") => Exit::HungUp,
        Some(_) => Exit::Interrupted,
        None => Exit::NotJudged,
    }
}

/// Shows one run after the other.
struct Display {
    quiet: bool,
    format: Format,
    /// The current run, and the task that updates its display.
    shown: Option<(DisplayedRun, AbortHandle)>,
    not_printed: Vec<Exit>,
    runner: Runner,
}

impl RunObserver for Display {
    fn begins(&mut self, plan: &Plan, run_id: &str, live: &Arc<RunProgress>) {
        self.runner.begins(plan, run_id);
        let mut progress = RunDisplay::new(Mode::detect(self.quiet));
        progress.message(&format!("{}: run {run_id}", plan.name));
        let shown = DisplayedRun { progress: Arc::new(Mutex::new(progress)), live: Arc::clone(live) };
        let ticks = shown.clone();
        let ticking = tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                ticks.update();
            }
        });
        self.shown = Some((shown, ticking.abort_handle()));
    }

    fn ended(&mut self, summary: &Summary, folder: &Path, written: &[WrittenFile]) {
        if let Some((shown, ticking)) = self.shown.take() {
            ticking.abort();
            // A run may end before the first tick.
            shown.update();
            shown.lock().finish();
        }
        self.runner.ended();
        for file in written {
            // The end of the run reports it again.
            let _ = not_written(file);
        }
        if self.format == Format::Table {
            let text = table::render(summary, style(), Some(folder));
            self.not_printed.extend(not_printed(text.as_bytes()));
        }
    }
}

/// The display of the current run, with its numbers.
#[derive(Clone)]
struct DisplayedRun {
    progress: Arc<Mutex<RunDisplay>>,
    live: Arc<RunProgress>,
}

impl DisplayedRun {
    fn lock(&self) -> MutexGuard<'_, RunDisplay> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self) {
        for line in self.live.take_said() {
            self.lock().message(&line);
        }
        if !matches!(self.live.phase(), Phase::Cluster | Phase::Setup) {
            self.lock().update(&self.live.progress());
        }
    }
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
        assert_eq!(end_of(false, Some("SIGHUP"), true, Exit::Pass), Exit::HungUp);
        assert_eq!(stopped_by(None), Exit::NotJudged, "never green without a run");
        assert_eq!(end_of(true, Some("SIGINT"), true, Exit::Pass), Exit::Bug);
        assert_eq!(end_of(true, None, true, Exit::Pass), Exit::Bug);
    }
}
