//! Saves a run's ledger, and replaces the producers when a saved ledger is judged.
//!
//! A later run reads what an earlier one wrote. Its producers send nothing, and use the ledger as what they have sent.

use std::sync::atomic::Ordering;

use super::same_topic::{TopicComparison, execs_ran};
use crate::engine::context::findings::RunFindings;
use crate::engine::context::outcome::ScenarioOutcome;
use crate::engine::context::run_context::RunContext;
use crate::engine::context::topology::Topology;
use crate::engine::messages::keys::{KeyRule, Keys, NoKeys, Sender};
use crate::engine::messages::message::longest;
use crate::engine::scheduling::setup::Setup;
use crate::ids::{Partition, StreamId};
use crate::kafka::probe::ProbedTopic;
use crate::ledger::{
    EarlierRun, Marker, SAVED_VERSION, Saved, SavedKey, SavedLook, SavedPartition, SavedProducer,
    SavedStream, SavedTopic, StreamInfo,
};
use crate::observe::{Note, ScenarioEnd};
use crate::plan::{Acks, Partitioning, Plan, Target, Work};
use crate::scenario::Template;

/// The ledger of this run.
pub(crate) fn save(
    context: &RunContext,
    topology: &Topology,
    found: &RunFindings,
    topics: &TopicComparison<'_>,
) -> Saved {
    let plan = &context.plan;
    let sends = |i: &usize| matches!(plan.scenarios[*i].work, Work::Produce(_) | Work::Roundtrip(_));
    let senders: Vec<usize> = (0..plan.scenarios.len()).filter(sends).collect();
    let streams = topology.streams.iter().filter_map(|(id, info)| {
        // Indexed among the producers, because a later run knows no other scenarios of this one.
        let scenario = senders.iter().position(|sender| *sender == info.scenario)?;
        Some(SavedStream::new(id, &StreamInfo { scenario, ..info.clone() }, found.sent().get(&id)?))
    });
    let saved_topic = |topic| saved_topic(context, topology, topic, found, topics);
    Saved {
        ledger_version: SAVED_VERSION,
        run_id: context.run_id.clone(),
        name: plan.name.clone(),
        run_tag: context.run_tag.bits(),
        profile: plan.profile.clone(),
        brokers: match &plan.target {
            Target::Brokers(_) => context.brokers(),
            // These brokers end with the run.
            Target::Embedded | Target::Cluster => Vec::new(),
        },
        source_path: plan.source.path.display().to_string(),
        source: plan.secrets.hide(&plan.source.text).into_owned(),
        zero_us: Some(context.clock.of_day(0)).filter(|_| !context.clock.was_set()),
        topics: (0..topology.topics.len()).map(saved_topic).collect(),
        producers: senders.iter().filter_map(|index| saved_producer(plan, *index, &context.run_id)).collect(),
        streams: streams.collect(),
    }
}

fn saved_topic(
    context: &RunContext,
    topology: &Topology,
    topic: usize,
    found: &RunFindings,
    topics: &TopicComparison<'_>,
) -> SavedTopic {
    let state = &topology.topics[topic];
    let [at_start, at_end] = if context.client.is_embedded() || context.stop.is_stopped() {
        [None, None]
    } else {
        topics
            .both(&state.name)
            .map(|seen| seen.map(|ProbedTopic { id, leader_epochs, .. }| SavedLook { id, leader_epochs }))
    };
    let markers = (0..state.partitions).flat_map(|partition| {
        let here = found.markers.of((topic, partition)).iter();
        here.map(move |marker| (partition, marker.number, marker.offset))
    });
    SavedTopic {
        name: state.name.clone(),
        partitions: state.partitions,
        one_log: match at_end {
            Some(_) => topics.is_one_log(&state.name),
            None => !execs_ran(context),
        },
        at_start,
        at_end,
        markers: markers.collect(),
    }
}

fn saved_producer(plan: &Plan, index: usize, run_id: &str) -> Option<SavedProducer> {
    let scenario = &plan.scenarios[index];
    let message = scenario.work.message()?;
    let (clients, partition) = match &scenario.work {
        Work::Produce(produce) => {
            let partition = match produce.partition {
                Partitioning::RoundRobin => SavedPartition::RoundRobin,
                Partitioning::ByKey => SavedPartition::ByKey,
                Partitioning::Fixed(_) => SavedPartition::Fixed,
            };
            (produce.clients, partition)
        }
        Work::Roundtrip(trip) => (trip.clients, SavedPartition::Trips),
        _ => return None,
    };
    let key = match message.key.as_ref().map(Template::to_string) {
        None => SavedKey::None,
        Some(text) if plan.secrets.hide(&text) != text => SavedKey::Secret,
        Some(text) => SavedKey::Template(text),
    };
    let acks = match message.acks {
        Acks::None => 0,
        Acks::Leader => 1,
        Acks::All => -1,
    };
    Some(SavedProducer {
        name: scenario.name.clone(),
        scenario: index,
        acks,
        verify: message.verify,
        clients,
        key,
        partition,
        bytes: longest(run_id, message),
    })
}

/// Data about a partition when the run of a saved ledger ended.
pub(crate) struct EarlierPartition {
    markers: Vec<Marker>,
    leaders_alone: Vec<usize>,
    is_other_log: bool,
}

impl EarlierPartition {
    pub(crate) fn run(&self) -> EarlierRun<'_> {
        let Self { markers, leaders_alone, is_other_log } = self;
        EarlierRun { markers, leaders_alone, is_other_log: *is_other_log }
    }
}

/// The earlier run in one partition. `leaders_alone` are the scenarios whose acks a change of leader may have
/// undone since.
pub(crate) fn earlier(
    context: &RunContext,
    topics: &TopicComparison<'_>,
    place: (usize, Partition),
    leaders_alone: &[usize],
) -> Option<EarlierPartition> {
    let saved = context.saved.as_ref()?;
    let topic = saved.topics.get(place.0)?;
    let had_one_leader = topic.had_one_leader(place.1);
    Some(EarlierPartition {
        markers: saved.markers(place.0, place.1),
        leaders_alone: if had_one_leader { Vec::new() } else { leaders_alone.to_vec() },
        is_other_log: topics.created_again(&topic.name).is_some(),
    })
}

/// The keys that a client of the earlier run gave to the messages of one stream.
pub(crate) fn keys_of(saved: &Saved, id: StreamId, stream: &StreamInfo, sent: u64) -> Result<Keys, NoKeys> {
    let producer = saved.producers.get(stream.scenario).ok_or(NoKeys::None)?;
    let key = match &producer.key {
        SavedKey::None => return Err(NoKeys::None),
        SavedKey::Secret => return Err(NoKeys::Unknown),
        SavedKey::Template(text) => Template::parse(text).map_err(|_| NoKeys::Unknown)?,
    };
    let sender = Sender {
        run: saved.run_tag(),
        run_id: &saved.run_id,
        scenario: producer.scenario,
        client: stream.client,
        stream: id,
        partitions: saved.topics.get(stream.topic).ok_or(NoKeys::None)?.partitions,
        sent,
    };
    let partition = match producer.partition {
        SavedPartition::Trips => return Keys::of_trips(Some(&key), &sender, stream.partition),
        SavedPartition::Fixed => Partitioning::Fixed(stream.partition),
        SavedPartition::ByKey => Partitioning::ByKey,
        SavedPartition::RoundRobin => Partitioning::RoundRobin,
    };
    let rule = KeyRule { key: Some(&key), clients: producer.clients, partition };
    Keys::of_producer(&rule, &sender, stream.partition)
}

/// Notes each topic that was recreated since the run that sent: its log was deleted.
pub(crate) fn note_created_again(context: &RunContext, topics: &TopicComparison<'_>) {
    for name in context.saved.iter().flat_map(|saved| &saved.topics).map(|topic| &topic.name) {
        if let Some([then, now]) = topics.created_again(name) {
            context.notes.add(Note::warning(format!(
                "topic `{name}` was recreated since the run: its id was {then} and is {now}. The \
                messages of the run were deleted with the old topic"
            )));
        }
    }
}

/// What a producer of a saved ledger sent: messages, acks, failures and unknown ones.
fn sent_by(topology: &Topology, scenario: usize) -> [u64; 4] {
    let restored = topology.restored.iter().flatten();
    let is_own = |id: &StreamId| topology.streams.get(*id).is_some_and(|info| info.scenario == scenario);
    restored.filter(|(id, _)| is_own(id)).fold([0; 4], |sum, (_, log)| {
        let more = [log.sent(), log.acked_total(), log.failures().len(), log.unknowns()];
        std::array::from_fn(|i| sum[i] + more[i])
    })
}

/// Replaces a producer of a saved ledger.
pub(crate) async fn producer(context: &RunContext, setup: &Setup, index: usize) -> ScenarioOutcome {
    let topology = match setup.ready().await {
        Ok(topology) => topology,
        Err(why) => return ScenarioOutcome::failed(why),
    };
    let [sent, acked, failed, unknown] = sent_by(topology, index);
    let counters = &context.live.metrics(index).counters;
    for (counter, count) in [
        (&counters.sent, sent),
        (&counters.acked, acked),
        (&counters.failed, failed),
        (&counters.unknown, unknown),
    ] {
        counter.store(count, Ordering::Relaxed);
    }
    let run = context.saved.as_ref().map_or("", |saved| saved.run_id.as_str());
    ScenarioOutcome::of(ScenarioEnd::Done).because(format!("sent by run {run}; this run sent nothing"))
}
