//! Runs a plan: sets up topics, starts each scenario at its start condition, and collects observations.
//!
//! Clients run on their own threads, because librdkafka blocks. Waiting between them uses tokio.

mod context;
mod messages;
mod scenarios;
mod scheduling;
mod verdict;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::docker::{Addresses, Cluster};
use crate::ids::StreamId;
use crate::kafka;
use crate::ledger::SentLog;
use crate::metrics::Throttling;
use crate::observe::{EarlyEnd, FaultSeen, Note, Observations, ScenarioEnd, ScenarioSeen};
use crate::plan::{FaultPlan, Plan, Target, Work};
use crate::units::{thousands, times};

pub use context::options::Options;
pub use context::progress::{Phase, ProgressState, RunProgress, ScenarioProgress};
pub use context::stop::Stop;

use context::findings::RunFindings;
use context::outcome::{ScenarioOutcome, cut, unwind};
use context::own_stalls;
use context::run_context::{EMBEDDED, RunContext, topic_names};
use messages::end_marker::EndMarkers;
use messages::ends::PartitionEnd;
use scheduling::setup::Setup;

/// Runs a plan to its end and returns the observations, even if the run fails. The containers that it starts
/// are removed when it returns.
pub async fn run(plan: Arc<Plan>, options: Options, live: Arc<RunProgress>) -> Observations {
    let began = Instant::now();
    live.enter(Phase::Cluster);
    let not_begun = NotBegun {
        plan: Arc::clone(&plan),
        run_id: options.run_id.clone(),
        stop: options.stop.clone(),
        live: Arc::clone(&live),
        began,
    };
    if options.stop.is_stopped() {
        return not_begun.because("the run was stopped before it started");
    }
    let cluster = match scheduling::cluster::up(&plan, &options, &live).await {
        Ok(cluster) => cluster,
        Err(error) => return not_begun.because(&error.to_string()),
    };
    // In a separate task, so that even a panic leaves no containers behind.
    let task = tokio::spawn(with_cluster(plan, options, live, cluster.clone(), began));
    let seen = task.await;
    let left = match cluster {
        Some(cluster) => cluster.down().await,
        None => Vec::new(),
    };
    let mut seen = unwind(seen).unwrap_or_else(|error| not_begun.because(&error.to_string()));
    seen.notes.extend(left.into_iter().map(Note::warning));
    seen
}

/// Runs a plan whose containers are up.
///
/// # Errors
///
/// Those of [`RunContext::new`].
async fn with_cluster(
    plan: Arc<Plan>,
    options: Options,
    live: Arc<RunProgress>,
    cluster: Option<Arc<Cluster>>,
    began: Instant,
) -> Result<Observations, kafka::Error> {
    let context = Arc::new(RunContext::new(Arc::clone(&plan), options, Arc::clone(&live), cluster)?);
    live.enter(Phase::Setup);
    let setup = Setup::new(&context);
    setup.first().await;
    let setup_time = began.elapsed();

    context.clock.start();
    live.start(context.clock.zero());
    let _watching = own_stalls::watch(&context.own_stalls, context.clock.zero());
    let timeout = tokio::spawn(run_timeout(Arc::clone(&context)));
    let abort = tokio::spawn(scheduling::abort::watch(Arc::clone(&context)));
    let crash = tokio::spawn(scheduling::crash::watch(Arc::clone(&context)));
    let clock = tokio::spawn(look_at_clock(Arc::clone(&context)));
    let end_markers = messages::end_marker::start(&context);
    let faults = scheduling::faults::start(&context);
    let (scenarios, mut found) = scenarios(&context, &setup, &end_markers).await;
    timeout.abort();
    abort.abort();
    clock.abort();
    let duration = context.clock.elapsed();

    let faults = faults.done().await;
    context.stop.end_background();
    found.crashed = scheduling::crash::last_look(&context, unwind(crash.await)).await;
    if let Some(cluster) = context.cluster.as_ref().filter(|_| !context.stop.is_stopped()) {
        // Heal faults before the audit reads. A run that was stopped has no audit, and the end of the cluster heals
        // attached containers and removes the others.
        let left = cluster.heal(context.stop.stopped()).await;
        left.into_iter().for_each(|left| context.notes.add(Note::warning(left)));
        scheduling::faults::note_dropped(&context, "the end of the run", &cluster.dropped(None));
    }
    let faults = faults.over(&context, duration);
    found.markers = end_markers.over().await;
    found.topology = setup.topology().cloned();
    live.enter(Phase::Judging);
    let crashed = found.crashed.clone();
    let verdict::judge::RunVerdict { readings, partitions, accounts, saved } =
        verdict::judge::judge_run(&context, found).await;
    // The run's duration includes the audit.
    let duration = context.clock.elapsed().max(duration);
    let mut containers = Vec::new();
    if let Some(cluster) = &context.cluster {
        containers = scheduling::cluster::seen(cluster).await;
        cluster.notes().into_iter().for_each(|note| context.notes.add(Note::hint(note)));
    }
    let advertised = scheduling::advertised::unusable(&context).await;
    let mut notes = context.notes.take();
    notes.extend(log_notes(&context));
    let throttling = context.client.throttling();
    notes.extend(throttle_notes(&throttling));
    let own_stalls = context.own_stalls.until(context.clock.elapsed());
    notes.extend(own_stalls::note(&own_stalls));
    Ok(Observations {
        scenarios,
        readings,
        partitions,
        accounts,
        saved,
        faults,
        containers,
        crashed,
        advertised,
        brokers: context.brokers(),
        topics: context.topic_names(),
        streams: setup.topology().map(|t| t.streams.clone()).unwrap_or_default(),
        notes,
        throttling,
        own_stalls,
        duration,
        setup: setup_time,
        cut: context.stop.why(),
    })
}

/// A run that may fail before it starts.
struct NotBegun {
    plan: Arc<Plan>,
    run_id: String,
    stop: Stop,
    live: Arc<RunProgress>,
    began: Instant,
}

impl NotBegun {
    /// Its observations: only the reason.
    fn because(&self, why: &str) -> Observations {
        let plan = &self.plan;
        let ended = if self.stop.is_stopped() { cut(&self.stop) } else { ScenarioEnd::Skipped };
        let scenario = |index| seen(plan, &self.live, index, None, ScenarioOutcome::of(ended).because(why));
        let fault = |fault: &FaultPlan| FaultSeen {
            proof: "it never started: the run did not start".to_owned(),
            ..FaultSeen::of(fault)
        };
        let brokers = match &plan.target {
            Target::Brokers(list) => {
                list.iter().map(|it| Addresses::default().resolve(it, &self.run_id)).collect()
            }
            Target::Embedded => vec![EMBEDDED.to_owned()],
            Target::Cluster => Vec::new(),
        };
        Observations {
            scenarios: (0..plan.scenarios.len()).map(scenario).collect(),
            faults: plan.faults.iter().map(fault).collect(),
            brokers,
            topics: topic_names(plan, &self.run_id),
            setup: self.began.elapsed(),
            cut: self.stop.why(),
            ..Observations::default()
        }
    }
}

/// Ends the run at its timeout.
async fn run_timeout(context: Arc<RunContext>) {
    tokio::time::sleep(context.plan.timeout).await;
    context.stop.stop(EarlyEnd::Timeout);
}

/// Checks every second whether the system clock was set.
async fn look_at_clock(context: Arc<RunContext>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        context.clock.look();
    }
}

/// Runs all scenarios, each from its start condition to its end. Background scenarios end with the last
/// foreground scenario. Returns what they sent and read, too.
async fn scenarios(
    context: &Arc<RunContext>,
    setup: &Setup,
    end_markers: &EndMarkers,
) -> (Vec<ScenarioSeen>, RunFindings) {
    let mut foreground = JoinSet::new();
    let mut background = JoinSet::new();
    for index in 0..context.plan.scenarios.len() {
        let task = run_scenario(Arc::clone(context), setup.clone(), end_markers.clone(), index);
        if context.plan.scenarios[index].is_background() {
            background.spawn(task);
        } else {
            foreground.spawn(task);
        }
    }
    let mut seen: Vec<Option<ScenarioSeen>> = vec![None; context.plan.scenarios.len()];
    let mut found = RunFindings::default();
    let mut ended = |it: EndedScenario| {
        found.sent.extend(it.sent);
        found.ends.extend(it.ends.into_iter().map(|end| (it.index, end)));
        seen[it.index] = Some(it.seen);
    };
    let only_background = foreground.is_empty();
    if only_background {
        // Without foreground scenarios, the run lasts as long as its faults.
        for fault in &context.states[context.plan.scenarios.len()..] {
            fault.over().await;
        }
    }
    while let Some(joined) = foreground.join_next().await {
        ended(unwind(joined));
    }
    if !only_background || !context.plan.faults.is_empty() {
        context.stop.end_background();
    }
    while let Some(joined) = background.join_next().await {
        ended(unwind(joined));
    }
    (seen.into_iter().flatten().collect(), found)
}

/// A scenario that has ended, or never started.
struct EndedScenario {
    index: usize,
    seen: ScenarioSeen,
    sent: HashMap<StreamId, SentLog>,
    ends: Vec<PartitionEnd>,
}

/// Runs one scenario, including the wait for its start condition.
async fn run_scenario(
    context: Arc<RunContext>,
    setup: Setup,
    end_markers: EndMarkers,
    index: usize,
) -> EndedScenario {
    let scenario = &context.plan.scenarios[index];
    if let Err(why) = scheduling::starts::wait(&context, &scenario.start).await {
        let ended = if context.stop.why().is_some() { cut(&context.stop) } else { ScenarioEnd::Skipped };
        context.states[index].end(true);
        context.live.end(index);
        let outcome = ScenarioOutcome::of(ended).because(why);
        let seen = seen(&context.plan, &context.live, index, None, outcome);
        return EndedScenario { index, seen, sent: HashMap::new(), ends: Vec::new() };
    }
    let started = context.clock.elapsed();
    context.states[index].start();
    context.live.begin(index);
    let mut outcome = match &scenario.work {
        Work::Produce(_) if context.saved.is_some() => {
            verdict::saved::producer(&context, &setup, index).await
        }
        _ => scenarios::run(&context, &setup, index, &end_markers).await,
    };
    let span = Some((started, context.clock.elapsed()));
    let (sent, ends) = (std::mem::take(&mut outcome.sent), std::mem::take(&mut outcome.ends));
    // Readers look at this once its state says that it has ended.
    if let Some(topology) = setup.topology() {
        end_markers.scenario_sent(topology, &sent);
    }
    context.states[index].end(false);
    context.live.end(index);
    EndedScenario { index, seen: seen(&context.plan, &context.live, index, span, outcome), sent, ends }
}

fn seen(
    plan: &Plan,
    live: &RunProgress,
    index: usize,
    span: Option<(Duration, Duration)>,
    outcome: ScenarioOutcome,
) -> ScenarioSeen {
    let scenario = &plan.scenarios[index];
    let counts = live.metrics(index).snapshot();
    let (open_loop, target_rate) = match &scenario.work {
        Work::Produce(p) => {
            (Some(p.schedule.is_some()), p.schedule.as_ref().map(crate::plan::Schedule::mean_rate))
        }
        _ => (None, None),
    };
    ScenarioSeen {
        name: scenario.name.clone(),
        kind: scenario.work.kind(),
        ended: outcome.ended.unwrap_or(ScenarioEnd::Done),
        message: outcome.message,
        counts,
        planned: scenario.work.planned(),
        open_loop,
        target_rate,
        span,
        of_type: outcome.of_type,
    }
}

/// Converts librdkafka's log lines to notes: known kinds get an explanation, all others are merged into one
/// note. Also notes that brokers throttled the clients for a quota.
fn throttle_notes(seen: &Throttling) -> impl Iterator<Item = Note> {
    let kinds = [("sending", "Produce", seen.produce), ("reading", "Fetch", seen.fetch)];
    kinds.into_iter().filter(|(.., it)| it.answers > 0).map(|(what, api, it)| {
        let (longest, total) =
            (crate::units::Duration::from(it.longest), crate::units::Duration::from(it.total));
        Note::warning(format!(
            "brokers throttled {what}: {} responses to {api} had a throttle time, at most \
            {longest} and {total} in total. A quota of the user or client id is exhausted, so \
            rates and latencies reflect the quota (lower `rate`, or raise the quota)",
            thousands(it.answers)
        ))
    })
}

fn log_notes(context: &RunContext) -> Vec<Note> {
    let kinds = context.client.logs().snapshot();
    let mut notes: Vec<(Note, &'static str, u64)> = Vec::new();
    let mut others = Vec::new();
    for kind in &kinds {
        match kind.note {
            Some(text) => match notes.iter_mut().find(|(_, known, _)| *known == text) {
                Some((_, _, count)) => *count += kind.count,
                None => notes.push((Note::hint(text), text, kind.count)),
            },
            None if kind.level <= 4 => others.push(kind),
            None => {}
        }
    }
    let mut out: Vec<Note> = notes
        .into_iter()
        .map(|(note, text, count)| Note { text: format!("{text} (seen {})", times(count)), ..note })
        .collect();
    others.sort_by_key(|kind| std::cmp::Reverse(kind.count));
    for kind in others.iter().take(5) {
        out.push(Note::hint(format!(
            "librdkafka logged {}: {}: {}",
            times(kind.count),
            kind.facility,
            kind.sample
        )));
    }
    if others.len() > 5 {
        out.push(Note::hint(format!("librdkafka logged {} more kinds of messages", others.len() - 5)));
    }
    out
}
