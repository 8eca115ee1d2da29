//! Runs a plan: sets up topics, starts each scenario when its time has come, and gathers what was seen.
//!
//! Clients own threads (librdkafka blocks); tokio does the waiting between them.

mod abort;
mod account;
mod advertised;
mod audit;
mod booking;
mod clock;
mod cluster;
mod connect;
mod consume;
mod crash;
mod ends;
mod exposition;
mod fatal;
mod faults;
mod fence;
mod http;
mod judge;
mod keys;
mod live;
mod log_ends;
mod message;
mod options;
mod outcome;
mod partitioner;
mod produce;
mod proxy;
mod rechecks;
mod removals;
mod retention;
mod roundtrip;
mod rules;
mod same_topic;
mod saved;
mod scrape;
mod setup;
mod shared;
mod sight;
mod starts;
mod stop;
mod unjudged;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::docker::{Addresses, Cluster};
use crate::kafka;
use crate::metrics::Throttling;
use crate::observe::{Cut, Ended, FaultSeen, Note, Observations, ScenarioSeen};
use crate::plan::{FaultPlan, Plan, Target, Work};
use crate::units::times;

pub use live::{Live, Phase, Progress};
pub use options::Options;
pub use stop::{Stop, Why};

use outcome::{Outcome, cut, unwind};
use shared::{EMBEDDED, Shared, topic_names};

/// Runs a plan to its end, whatever happens on the way, and says what was seen. Containers that it starts are gone
/// when it returns.
pub async fn run(plan: Arc<Plan>, options: Options, live: Arc<Live>) -> Observations {
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
        return not_begun.because("the run was stopped before it began");
    }
    let cluster = match cluster::up(&plan, &options, &live).await {
        Ok(cluster) => cluster,
        Err(error) => return not_begun.because(&error.to_string()),
    };
    // On a task of its own, so that not even a panic leaves containers behind.
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
/// As [`Shared::new`].
async fn with_cluster(
    plan: Arc<Plan>,
    options: Options,
    live: Arc<Live>,
    cluster: Option<Arc<Cluster>>,
    began: Instant,
) -> Result<Observations, kafka::Error> {
    let shared = Arc::new(Shared::new(Arc::clone(&plan), options, Arc::clone(&live), cluster)?);
    live.enter(Phase::Setup);
    setup::first(&shared).await;
    let setup = began.elapsed();

    shared.clock.start();
    live.start(shared.clock.zero());
    let timeout = tokio::spawn(run_timeout(Arc::clone(&shared)));
    let abort = tokio::spawn(abort::watch(Arc::clone(&shared)));
    let crash = tokio::spawn(crash::watch(Arc::clone(&shared)));
    let clock = tokio::spawn(look_at_clock(Arc::clone(&shared)));
    let fences = fence::start(&shared);
    let faults = faults::start(&shared);
    let scenarios = scenarios(&shared, &fences).await;
    timeout.abort();
    abort.abort();
    clock.abort();
    let duration = shared.clock.elapsed();

    let faults = faults.done().await;
    shared.stop.end_background();
    unwind(crash.await);
    crash::last_look(&shared).await;
    if let Some(cluster) = shared.cluster.as_ref().filter(|_| !shared.stop.is_stopped()) {
        // What the audit is to read must not still be down. A run that was stopped has none: what is attached is healed
        // by the end of its cluster, and the rest removed.
        let left = cluster.heal(shared.stop.stopped()).await;
        left.into_iter().for_each(|left| shared.note(Note::warning(left)));
        faults::note_dropped(&shared, "the end of the run", &cluster.dropped(None));
    }
    let faults = faults.over(&shared, duration);
    fences.over().await;
    live.enter(Phase::Judging);
    let judge::Verdict { readings, partitions, accounts, saved } = judge::judge_run(&shared).await;
    // The audit's time is part of the run's.
    let duration = shared.clock.elapsed().max(duration);
    let mut containers = Vec::new();
    if let Some(cluster) = &shared.cluster {
        containers = cluster::seen(cluster).await;
        cluster.notes().into_iter().for_each(|note| shared.note(Note::hint(note)));
    }
    let advertised = advertised::unusable(&shared).await;
    let mut notes = shared.take_notes();
    notes.extend(log_notes(&shared));
    let throttling = shared.client.throttling();
    notes.extend(throttle_notes(&throttling));
    let topology = shared.topology();
    Ok(Observations {
        scenarios,
        readings,
        partitions,
        accounts,
        saved,
        faults,
        containers,
        crashed: shared.crashed(),
        advertised,
        brokers: shared.brokers(),
        topics: shared.topic_names(),
        streams: topology.map(|t| t.streams.clone()).unwrap_or_default(),
        notes,
        throttling,
        duration,
        setup,
        cut: why_cut(&shared.stop),
    })
}

/// A run that may turn out not to begin.
struct NotBegun {
    plan: Arc<Plan>,
    run_id: String,
    stop: Stop,
    live: Arc<Live>,
    began: Instant,
}

impl NotBegun {
    /// What is seen of it: nothing, and why.
    fn because(&self, why: &str) -> Observations {
        let plan = &self.plan;
        let ended = if self.stop.is_stopped() { cut(&self.stop) } else { Ended::Skipped };
        let scenario = |index| seen(plan, &self.live, index, None, Outcome::of(ended).because(why));
        let fault = |fault: &FaultPlan| FaultSeen {
            proof: "it never began: the run did not begin".to_owned(),
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
            cut: why_cut(&self.stop),
            ..Observations::default()
        }
    }
}

fn why_cut(stop: &Stop) -> Option<Cut> {
    stop.why().map(|why| match why {
        Why::Timeout => Cut::Timeout,
        Why::Crash => Cut::Crash,
        Why::Abort(check) => Cut::Abort(check),
        Why::Signal(name) => Cut::Signal(name),
    })
}

/// Ends the run at its own time bound.
async fn run_timeout(shared: Arc<Shared>) {
    tokio::time::sleep(shared.plan.timeout).await;
    shared.stop.stop(Why::Timeout);
}

/// Looks each second whether the system's clock was set.
async fn look_at_clock(shared: Arc<Shared>) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        shared.clock.look();
    }
}

/// Runs all scenarios, each from its start condition to its end; background ones end with the last other one.
async fn scenarios(shared: &Arc<Shared>, fences: &fence::Fences) -> Vec<ScenarioSeen> {
    let mut foreground = JoinSet::new();
    let mut background = JoinSet::new();
    for index in 0..shared.plan.scenarios.len() {
        let task = one(Arc::clone(shared), fences.clone(), index);
        if shared.plan.scenarios[index].is_background() {
            background.spawn(task);
        } else {
            foreground.spawn(task);
        }
    }
    let mut seen: Vec<Option<ScenarioSeen>> = vec![None; shared.plan.scenarios.len()];
    let only_background = foreground.is_empty();
    if only_background {
        // Faults are then all that the run is for.
        for fault in &shared.states[shared.plan.scenarios.len()..] {
            fault.over().await;
        }
    }
    while let Some(joined) = foreground.join_next().await {
        let (index, scenario) = unwind(joined);
        seen[index] = Some(scenario);
    }
    if !only_background || !shared.plan.faults.is_empty() {
        shared.stop.end_background();
    }
    while let Some(joined) = background.join_next().await {
        let (index, scenario) = unwind(joined);
        seen[index] = Some(scenario);
    }
    seen.into_iter().flatten().collect()
}

/// One scenario, from waiting to its end.
async fn one(shared: Arc<Shared>, fences: fence::Fences, index: usize) -> (usize, ScenarioSeen) {
    let scenario = &shared.plan.scenarios[index];
    if let Err(why) = starts::wait(&shared, &scenario.start).await {
        let ended = if shared.stop.why().is_some() { cut(&shared.stop) } else { Ended::Skipped };
        shared.states[index].end(true);
        shared.live.end(index);
        return (index, seen(&shared.plan, &shared.live, index, None, Outcome::of(ended).because(why)));
    }
    let started = shared.clock.elapsed();
    shared.states[index].start();
    shared.live.begin(index);
    let outcome = match &scenario.work {
        Work::Connect(work) => connect::run(&shared, index, work).await,
        Work::Metrics(work) => scrape::run(&shared, index, work).await,
        Work::Produce(_) if shared.saved.is_some() => saved::producer(&shared, index).await,
        Work::Produce(_) => produce::run(&shared, index).await,
        Work::Consume(_) => consume::run(&shared, index, &fences).await,
        Work::Roundtrip(_) => roundtrip::run(&shared, index).await,
        Work::Watch(work) => watch::run(&shared, index, work).await,
    };
    let span = Some((started, shared.clock.elapsed()));
    shared.states[index].end(false);
    shared.live.end(index);
    (index, seen(&shared.plan, &shared.live, index, span, outcome))
}

fn seen(
    plan: &Plan,
    live: &Live,
    index: usize,
    span: Option<(Duration, Duration)>,
    outcome: Outcome,
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
        ended: outcome.ended.unwrap_or(Ended::Done),
        message: outcome.message,
        counts,
        planned: scenario.work.planned(),
        open_loop,
        target_rate,
        span,
        brokers: outcome.brokers,
        topics: outcome.topics,
        scrape: outcome.scrape,
        watch: outcome.watch,
        uuids: outcome.uuids,
    }
}

/// librdkafka's caught log lines, as notes: known kinds in the user's words, the others merged into one.
/// Says that brokers held back answers for a quota.
fn throttle_notes(seen: &Throttling) -> impl Iterator<Item = Note> {
    let kinds = [("sending", "Produce", seen.produce), ("reading", "Fetch", seen.fetch)];
    kinds.into_iter().filter(|(.., it)| it.answers > 0).map(|(what, api, it)| {
        let (longest, total) = (crate::units::Duration::from(it.longest), crate::units::Duration::from(it.total));
        Note::warning(format!(
            "brokers throttled {what}: {} answers to {api} had a throttle time, {longest} at most and {total} in total. A quota of the user or client id is used up, so rates and latencies show the quota (write a lower `rate`, or raise the quota)",
            it.answers
        ))
    })
}

fn log_notes(shared: &Shared) -> Vec<Note> {
    let kinds = shared.client.logs().snapshot();
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
            "librdkafka said {}: {}: {}",
            times(kind.count),
            kind.facility,
            kind.sample
        )));
    }
    if others.len() > 5 {
        out.push(Note::hint(format!("librdkafka said {} other kinds of things", others.len() - 5)));
    }
    out
}
