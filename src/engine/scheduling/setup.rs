//! Setup before the start of the run: connects to the brokers, creates topics, and assigns streams to their
//! partitions.
//!
//! kaf6 tries this once before the start. If it reached no broker, each scenario tries again when it starts.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::docker;
use crate::engine::context::outcome::unwind;
use crate::engine::context::run_context::RunContext;
use crate::engine::context::topology::{Birth, TopicState, Topology};
use crate::engine::messages::booking::HighestAcks;
use crate::engine::verdict::same_topic;
use crate::ids::{Offset, Partition};
use crate::kafka::{self, Client, TopicOutcome, TopicSpec, probe};
use crate::ledger::{Saved, StreamInfo, Streams};
use crate::observe::Note;
use crate::plan::{Plan, Start, ValuePlan, Work};
use crate::scenario::Template;

/// The setup of a run. All clones are the same.
#[derive(Clone)]
pub(crate) struct Setup(Arc<SetupState>);

struct SetupState {
    context: Arc<RunContext>,
    done: OnceLock<Arc<Topology>>,
    /// When it last failed, and why; `None` if it has not failed. Locked during each attempt.
    failed: tokio::sync::Mutex<Option<(Instant, String)>>,
}

impl Setup {
    pub(crate) fn new(context: &Arc<RunContext>) -> Self {
        let (context, done) = (Arc::clone(context), OnceLock::new());
        Self(Arc::new(SetupState { context, done, failed: tokio::sync::Mutex::default() }))
    }

    /// The first attempt. Its failure is only noted: each scenario that needs the topics reports it.
    pub(crate) async fn first(&self) {
        let context = &self.0.context;
        if !context.plan.scenarios.iter().any(|s| s.work.kind().needs_kafka()) {
            return;
        }
        tokio::select! {
            biased;
            () = context.stop.stopped() => {}
            () = self.try_once() => {}
        }
    }

    async fn try_once(&self) {
        let context = &self.0.context;
        if has_connect(&context.plan) {
            let client = context.client.clone();
            let asked = tokio::task::spawn_blocking(move || {
                kafka::client::metadata::fetch(&client, &[], client.waits().setup_quick)
            });
            if unwind(asked.await).is_err() {
                return;
            }
        }
        // The failure is stored for the next caller.
        let _ = self.ready().await;
    }

    /// What it found; `None` until a broker was reached.
    pub(crate) fn topology(&self) -> Option<&Arc<Topology>> {
        self.0.done.get()
    }

    /// Makes sure that the topology is known.
    ///
    /// # Errors
    ///
    /// Why no broker was reached.
    pub(crate) async fn ready(&self) -> Result<&Arc<Topology>, String> {
        let SetupState { context, done, failed } = &*self.0;
        let mut failed = failed.lock().await;
        if let Some(topology) = done.get() {
            return Ok(topology);
        }
        if let Some((at, why)) = failed.as_ref()
            && at.elapsed() < context.client.waits().setup_again
        {
            return Err(why.clone());
        }
        let task = Arc::clone(context);
        let tried = tokio::task::spawn_blocking(move || topics(&task)).await;
        match unwind(tried) {
            Ok(states) => {
                let topology = match &context.saved {
                    Some(saved) => restore(saved, states),
                    None => lay_out(&context.plan, states),
                };
                let at_start = same_topic::ask(context);
                Ok(done.get_or_init(|| Arc::new(Topology { at_start, ..topology })))
            }
            Err(error) => {
                let task = Arc::clone(context);
                let (causes, unconnected) = unwind(tokio::task::spawn_blocking(move || causes(&task)).await);
                let bound = context.client.waits().setup.as_secs_f64();
                let mut why = format!("no broker could be reached within {bound} s: {causes} ({error})");
                let unconnected = unconnected.iter().map(String::as_str);
                if let Some(hint) = in_container_hint(&context.client, unconnected) {
                    why = format!("{why}; {hint}");
                }
                *failed = Some((Instant::now(), why.clone()));
                Err(why)
            }
        }
    }

    /// The topic of a scenario, ready for use, by its index in the run.
    ///
    /// # Errors
    ///
    /// Why the scenario cannot work.
    pub(crate) async fn topic(&self, topic: &Template) -> Result<(Arc<Topology>, usize), String> {
        let topology = Arc::clone(self.ready().await?);
        let index = self.0.context.topic_index(topic).ok_or("its topic is not in the plan")?;
        let state = topology.topics.get(index).ok_or("its topic is unknown")?;
        match &state.error {
            Some(error) => Err(format!("cannot use topic `{}`: {error}", state.name)),
            None => Ok((topology, index)),
        }
    }
}

/// Whether a `connect` scenario waits for the brokers in its own time. Waiting for them before the run would extend
/// that. Scenarios that need the brokers earlier try when they start.
fn has_connect(plan: &Plan) -> bool {
    plan.scenarios.iter().any(|s| matches!(s.work, Work::Connect(_)) && s.start == Start::default())
}

/// The stage of the wire probe that opens a connection.
pub(crate) const TCP: &str = "tcp";

/// What to write instead of `localhost` in a container, where it means the container itself; `None` if none of the
/// brokers without a TCP connection is on localhost.
pub(crate) fn in_container_hint<'a>(
    client: &Client,
    mut unconnected: impl Iterator<Item = &'a str>,
) -> Option<String> {
    if client.is_embedded() || !docker::is_inside_a_container() {
        return None;
    }
    let is_here = |broker: &&str| {
        let host = broker.rsplit_once(':').map_or(*broker, |(host, _)| host);
        matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    };
    let broker = unconnected.find(is_here)?;
    Some(format!(
        "kaf6 runs in a container, where `{broker}` is the container itself: use the broker's name \
        on a shared network (on GitHub, the service's alias), or host.docker.internal (with \
        docker run --add-host host.docker.internal:host-gateway), or share the host's network \
        (docker run --network host)"
    ))
}

/// The reasons why brokers were not reached, according to the wire probe; and the brokers without a TCP connection.
fn causes(context: &RunContext) -> (String, Vec<String>) {
    let until = Instant::now() + context.client.waits().setup_cause;
    let topics = context.topic_names();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let mut unconnected = Vec::new();
    let mut cause = |broker: &String| {
        let answer = probe::probe(&context.client, broker, &topics, until);
        match answer.stages.iter().find_map(|s| s.error.as_ref().map(|error| (s.name, error))) {
            Some((stage, error)) => {
                if stage == TCP {
                    unconnected.push(broker.clone());
                }
                format!("{broker}: {stage}: {error}")
            }
            None => format!("{broker}: {}", behind(context, broker, &answer, until)),
        }
    };
    let causes: Vec<String> = context.client.brokers().iter().map(&mut cause).collect();
    (causes.join("; "), unconnected)
}

/// The reason why clients cannot use a broker that answers the wire probe, as far as its answer shows.
fn behind(context: &RunContext, broker: &str, answer: &probe::Probe, until: Instant) -> String {
    if context.client.uses_sasl() {
        let left = until.saturating_duration_since(Instant::now());
        if let Err(why) = kafka::client::metadata::fetch_from(&context.client, broker, &[], left) {
            return kafka::with_remedy(why);
        }
    }
    let topics = answer.metadata.iter().flat_map(|metadata| &metadata.topics);
    let refused = topics.filter(|topic| !topic.code.is_none() && !topic.code.means_gone());
    let refused: Vec<String> = refused
        .map(|topic| {
            let what_to_do = kafka::remedy(&topic.code.name());
            format!("{} for topic `{}`", what_to_do.unwrap_or_else(|| topic.code.in_words()), topic.name)
        })
        .collect();
    if refused.is_empty() {
        "answers kaf6's own probe".to_owned()
    } else {
        format!("answers {}", refused.join(", "))
    }
}

/// Restores the streams of a saved ledger, and what they sent.
fn restore(saved: &Saved, topics: Vec<TopicState>) -> Topology {
    let (streams, sent) = saved.restore();
    Topology { topics, streams, restored: Some(sent), ..Topology::default() }
}

/// The current topics of a saved ledger. Creates no topics. A deleted topic keeps its partitions, so that its acked
/// messages are judged.
fn topics_of(context: &RunContext, saved: &Saved) -> Result<Vec<TopicState>, kafka::Error> {
    let names = context.topic_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let metadata = kafka::client::metadata::fetch(&context.client, &names, context.client.waits().setup)?;
    let state = |(index, name): (usize, &&str)| {
        let then = saved.streams.iter().filter(|s| s.topic == index).map(|s| s.partition + 1).max();
        let now = metadata.topic(name).map(|t| i32::try_from(t.partitions.len()).unwrap_or(i32::MAX));
        let partitions = then.max(now).unwrap_or(0);
        TopicState {
            highest: HighestAcks::of(partitions),
            name: (*name).to_owned(),
            partitions,
            birth: None,
            inherited: BTreeMap::new(),
            error: None,
        }
    };
    Ok(names.iter().enumerate().map(state).collect())
}

/// Creates missing topics, and returns the number of partitions of each.
fn topics(context: &RunContext) -> Result<Vec<TopicState>, kafka::Error> {
    if let Some(saved) = &context.saved {
        return topics_of(context, saved);
    }
    let names = context.topic_names();
    let specs: Vec<TopicSpec> = context
        .plan
        .topics
        .iter()
        .zip(&names)
        .map(|(topic, name)| TopicSpec {
            name: name.clone(),
            partitions: topic.partitions,
            replication: topic.replication_factor,
            config: topic.config.clone(),
            recreate: topic.recreate,
        })
        .collect();
    let began = Birth::now();
    let results = kafka::ensure_topics(&context.client, &specs, context.client.waits().setup)?;
    let states = context.plan.topics.iter().zip(results).map(|(wanted, result)| {
        let (partitions, error) = match result.outcome {
            TopicOutcome::Created { partitions } => {
                let highest = HighestAcks::of(partitions);
                let inherited = inherited(context, &result.name, partitions);
                let (birth, name) = (Some(began), result.name);
                return TopicState { highest, name, partitions, birth, inherited, error: None };
            }
            TopicOutcome::Existed { partitions } => {
                if wanted.position.is_some() && partitions != wanted.partitions {
                    context.notes.add(Note::warning(format!(
                        "topic `{}` exists with {partitions} partitions; the file says {}, but \
                        kaf6 does not change an existing topic",
                        result.name, wanted.partitions
                    )));
                }
                (partitions, None)
            }
            TopicOutcome::Error { text: why, .. } => {
                context.notes.add(Note::error(format!("cannot use topic `{}`: {why}", result.name)));
                (0, Some(why))
            }
        };
        TopicState {
            highest: HighestAcks::of(partitions),
            name: result.name,
            partitions,
            birth: None,
            inherited: BTreeMap::new(),
            error,
        }
    });
    Ok(states.collect())
}

/// The logs of a new topic that are not empty. Logs that the broker does not report quickly are omitted.
fn inherited(context: &RunContext, topic: &str, partitions: i32) -> BTreeMap<Partition, (Offset, Offset)> {
    let all: Vec<Partition> = (0..partitions).collect();
    let logs = kafka::client::metadata::logs(&context.client, topic, &all, context.client.waits().created);
    let logs = logs.unwrap_or_default().into_iter();
    logs.filter_map(|(partition, log)| Some((partition, log.filter(|(_, end)| *end > 0)?))).collect()
}

/// Assigns streams to each client of each scenario that sends, one per partition of its topic.
fn lay_out(plan: &Plan, topics: Vec<TopicState>) -> Topology {
    let mut streams = Streams::default();
    let mut first = HashMap::new();
    let number = |topic: &Template| plan.topics.iter().position(|t| t.name == *topic);
    for (scenario, work) in plan.scenarios.iter().map(|s| &s.work).enumerate() {
        let (topic, clients, value, roundtrip) = match work {
            Work::Produce(p) => (&p.topic, p.clients, &p.message.value, false),
            Work::Roundtrip(r) => (&r.topic, r.clients, &r.message.value, true),
            _ => continue,
        };
        let Some(topic) = number(topic) else { continue };
        let has_uuid = matches!(value, ValuePlan::Text(template) if template.uses_uuid());
        for client in 0..clients {
            let info = StreamInfo { scenario, client, topic, partition: 0, has_uuid, roundtrip };
            let id = streams.add(&info, 0..topics[topic].partitions);
            first.insert((scenario, client), id);
        }
    }
    Topology { topics, streams, first, ..Topology::default() }
}
