//! Makes a plan of a validated scenario: takes defaults, fixes schedules, adds the checks nobody has to ask for.
//!
//! Owns the note of each default taken; it cannot fail, for all that can be wrong is found before.

use super::bounds::{self, Bounds};
use super::taker::Taker;
use super::{
    Acks, ConnectPlan, ConsumePlan, DefaultTaken, From, MetricsPlan, Partitioning, Plan, ProducePlan,
    RoundtripPlan, ScenarioPlan, Source, Start, StartOffset, TopicPlan, ValuePlan, WatchPlan, checks,
    containers, defaults, readback,
};
use crate::scenario::valid::{Activity, Consume, Message, Produce, Roundtrip, Topic};
use crate::scenario::{Diagnostic, Diagnostics, Scenario, valid};
use crate::units::{ByteSize, Duration};

/// Makes the plan.
pub fn build(scenario: &Scenario) -> Plan {
    let mut taken = Vec::new();
    let mut file = Taker { path: String::new(), taken: &mut taken };
    let name = scenario.name.clone().unwrap_or_else(|| {
        let stem = scenario.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        file.note("name", &stem);
        stem
    });
    let topics = topics(scenario, &mut taken);
    let written = scenario.activities.len();
    let scenario = &with_readback(scenario, &topics);
    let bounds = Bounds::of(scenario);
    let scenarios: Vec<ScenarioPlan> = scenario
        .activities
        .iter()
        .enumerate()
        .map(|(index, activity)| {
            // What the file does not name takes no defaults that it could write.
            let mut none = Vec::new();
            let taken = if index < written { &mut taken } else { &mut none };
            one(activity, &topics, bounds.bound(&activity.name), taken)
        })
        .collect();
    let cluster = scenario.cluster.as_ref().map(|it| containers::cluster(it, &scenario.faults, &mut taken));
    let faults = scenario
        .faults
        .iter()
        .map(|fault| containers::fault(fault, bounds.bound(&fault.name), &mut taken))
        .collect();
    let mut run = Taker { path: "run".to_owned(), taken: &mut taken };
    let timeout = scenario.timeout.map_or_else(
        || {
            let timeout = bounds.end().saturating_add(defaults::GRACE).max(defaults::RUN_TIMEOUT);
            run.note("timeout", Duration::from(timeout));
            timeout
        },
        Duration::std,
    );
    let warnings = warnings(scenario, &bounds);
    let seed = run.or("seed", scenario.seed, defaults::SEED, defaults::SEED);
    if scenario.audit.is_none() {
        run.note("audit", defaults::AUDIT);
    }
    let unreadable_after = scenario.unreadable_after.map(Duration::std);
    let shown = Duration::from(defaults::UNREADABLE_AFTER);
    let unreadable_after = run.or("unreadable_after", unreadable_after, defaults::UNREADABLE_AFTER, shown);
    Plan {
        name,
        description: scenario.description.as_deref().map(|text| scenario.secrets.hide(text).into_owned()),
        profile: scenario.profile.clone(),
        source: Source { path: scenario.path.clone(), text: scenario.text.clone() },
        target: scenario.target.clone(),
        client: scenario.client.clone(),
        topics,
        checks: checks::all(&scenario.checks, &scenarios),
        scenarios,
        cluster,
        faults,
        timeout,
        seed,
        audit: scenario.audit,
        unreadable_after,
        defaults: taken,
        warnings,
        secrets: scenario.secrets.clone(),
    }
}

/// The file's warnings, and one where its own time bound is too short for reading back what is sent.
fn warnings(scenario: &Scenario, bounds: &Bounds<'_>) -> Vec<Diagnostic> {
    let readers = scenario
        .activities
        .iter()
        .filter(|it| matches!(&it.work, valid::Work::Consume(consume) if !consume.producers.is_empty()));
    let needed = readers.map(|reader| bounds.end_of(&reader.name)).max().unwrap_or_default();
    let short = scenario.timeout.filter(|timeout| timeout.std() < needed).map(|_| {
        let needed_text = Duration::from(needed);
        let message = format!(
            "the run may end too early: reading back the messages may take until \
            {needed_text}"
        );
        let enough = Duration::from(needed.saturating_add(defaults::GRACE));
        let hint = Some(format!("set `timeout: {enough}` or more, or remove it"));
        Diagnostic::at(&scenario.path, &scenario.text, scenario.timeout_at, message, hint)
    });
    Diagnostics::new(scenario.warnings.iter().cloned().chain(short).collect()).problems().to_vec()
}

/// The file with the readers that it does not name.
fn with_readback(scenario: &Scenario, topics: &[TopicPlan]) -> Scenario {
    // Bounds follow from all scenarios, and which readers there are does not follow from bounds.
    let unbound: Vec<ScenarioPlan> = scenario
        .activities
        .iter()
        .map(|activity| one(activity, topics, std::time::Duration::ZERO, &mut Vec::new()))
        .collect();
    let mut whole = scenario.clone();
    whole.activities.extend(readback::of(scenario, &unbound, topics));
    whole
}

/// The topics declared, then those that scenarios merely name.
fn topics(scenario: &Scenario, taken: &mut Vec<DefaultTaken>) -> Vec<TopicPlan> {
    let mut topics: Vec<TopicPlan> = Vec::new();
    for (index, topic) in scenario.topics.iter().enumerate() {
        topics.push(declared(topic, &mut Taker { path: format!("topics[{index}]"), taken }));
    }
    let declared = topics.len();
    for activity in &scenario.activities {
        let Some(used) = activity.work.topic() else { continue };
        let partitions =
            activity.work.fixed_partition().map_or(defaults::PARTITIONS, |partition| partition + 1);
        match topics.iter().position(|topic| topic.name == used.name) {
            Some(index) if index < declared => {}
            // A partition that somebody is fixed to has to be there.
            Some(index) => topics[index].partitions = topics[index].partitions.max(partitions),
            None => topics.push(TopicPlan {
                name: used.name.clone(),
                partitions,
                replication_factor: defaults::REPLICATION_FACTOR,
                recreate: false,
                config: std::collections::BTreeMap::new(),
                position: None,
            }),
        }
    }
    topics
}

fn declared(topic: &Topic, taker: &mut Taker<'_>) -> TopicPlan {
    TopicPlan {
        name: topic.name.clone(),
        partitions: taker.or("partitions", topic.partitions, defaults::PARTITIONS, defaults::PARTITIONS),
        replication_factor: taker.or(
            "replication_factor",
            topic.replication_factor,
            defaults::REPLICATION_FACTOR,
            defaults::REPLICATION_FACTOR,
        ),
        recreate: topic.recreate,
        config: topic.config.clone(),
        position: Some(topic.position.clone()),
    }
}

fn one(
    activity: &Activity,
    topics: &[TopicPlan],
    bound: std::time::Duration,
    taken: &mut Vec<DefaultTaken>,
) -> ScenarioPlan {
    use super::Work;
    let mut taker = Taker { path: format!("scenarios.{}", activity.name), taken };
    let work = match &activity.work {
        valid::Work::Connect => {
            Work::Connect(ConnectPlan { topics: topics.iter().map(|topic| topic.name.clone()).collect() })
        }
        valid::Work::Metrics(metrics) => Work::Metrics(MetricsPlan {
            url: metrics.url.clone(),
            contains: metrics.contains.clone(),
            every: metrics.every.map(Duration::std),
        }),
        valid::Work::Produce(it) => Work::Produce(produce(it, &mut taker)),
        valid::Work::Consume(it) => Work::Consume(consume(it, &mut taker)),
        valid::Work::Watch(watch) => Work::Watch(WatchPlan {
            every: taker.or("every", watch.every, defaults::WATCH_EVERY, defaults::WATCH_EVERY).std(),
            topics: topics.iter().map(|topic| topic.name.clone()).collect(),
        }),
        valid::Work::Roundtrip(it) => Work::Roundtrip(roundtrip(it, &mut taker)),
    };
    if activity.timeout.is_none() {
        taker.note("timeout", Duration::from(bound));
    }
    ScenarioPlan {
        name: activity.name.clone(),
        start: Start {
            after: activity.after.clone(),
            at: activity.at.unwrap_or_default().std(),
            when: activity.when.clone(),
        },
        timeout: bound,
        brokers: activity.brokers.clone(),
        work,
        position: activity.position.clone(),
    }
}

/// What producers and round trips have in common, with defaults taken.
struct Written {
    acks: Acks,
    compression: String,
    value: ValuePlan,
}

fn message(message: &Message, taker: &mut Taker<'_>) -> Written {
    let acks = taker.or("acks", message.acks, defaults::ACKS, "all");
    let compression =
        taker.or("compression", message.compression, defaults::COMPRESSION, defaults::COMPRESSION).to_owned();
    let value = message.value.clone().unwrap_or_else(|| {
        let value = defaults::value();
        if let ValuePlan::Text(template) = &value {
            taker.note("value", template);
        }
        value
    });
    Written { acks, compression, value }
}

fn produce(produce: &Produce, taker: &mut Taker<'_>) -> ProducePlan {
    let topic = taker.topic(&produce.topic);
    let clients = taker.or("clients", produce.clients, defaults::CLIENTS, defaults::CLIENTS);
    let schedule = bounds::schedule(produce);
    if schedule.is_none() {
        taker.note("rate", "as fast as acks allow");
    }
    let partition = taker.or("partition", produce.partition, defaults::PARTITIONING, "round_robin");
    let written = message(&produce.message, taker);
    let max_in_flight = taker.or(
        "max_in_flight",
        produce.max_in_flight,
        defaults::MAX_IN_FLIGHT,
        ByteSize::new(defaults::MAX_IN_FLIGHT),
    );
    ProducePlan {
        topic,
        clients,
        messages: produce.messages,
        duration: produce.duration.map(Duration::std),
        schedule,
        partition: match partition {
            // Nothing to hash: a key that is the same for all is legal, no key is not.
            Partitioning::ByKey if produce.message.key.is_none() => Partitioning::RoundRobin,
            other => other,
        },
        acks: written.acks,
        compression: written.compression,
        idempotence: produce.message.idempotence,
        max_in_flight,
        key: produce.message.key.clone(),
        headers: produce.message.headers.clone(),
        value: written.value,
        verify: produce.verify,
    }
}

fn consume(consume: &Consume, taker: &mut Taker<'_>) -> ConsumePlan {
    let topic = taker.topic(&consume.topic);
    if !consume.from_written {
        taker.note("from", if consume.from == From::Run { "run" } else { "any" });
    }
    let clients = taker.or("clients", consume.clients, defaults::CLIENTS, defaults::CLIENTS);
    if consume.partition.is_none() {
        taker.note("partition", "all");
    }
    let offset: StartOffset = taker.or("offset", consume.offset, defaults::OFFSET, "earliest");
    if consume.limit.is_none() {
        taker.note("limit", "to the end of the log");
    }
    let idle = consume.idle_timeout.map(Duration::std);
    let idle_timeout =
        taker.or("idle_timeout", idle, defaults::IDLE_TIMEOUT, Duration::from(defaults::IDLE_TIMEOUT));
    ConsumePlan {
        topic,
        from: consume.from,
        clients,
        partition: consume.partition,
        offset,
        limit: consume.limit,
        idle_timeout,
        producers: consume.producers.clone(),
        partial: consume.partial,
        readback: consume.readback,
        nobody_writes: consume.nobody_writes,
    }
}

fn roundtrip(roundtrip: &Roundtrip, taker: &mut Taker<'_>) -> RoundtripPlan {
    let topic = taker.topic(&roundtrip.topic);
    let partition = taker.or(
        "partition",
        roundtrip.partition,
        defaults::ROUNDTRIP_PARTITION,
        defaults::ROUNDTRIP_PARTITION,
    );
    let iterations = taker.or("iterations", roundtrip.iterations, defaults::ITERATIONS, defaults::ITERATIONS);
    let warmup = taker.or("warmup", roundtrip.warmup, defaults::WARMUP, defaults::WARMUP);
    let clients = taker.or("clients", roundtrip.clients, defaults::CLIENTS, defaults::CLIENTS);
    let each = roundtrip.iteration_timeout.map(Duration::std);
    let shown = Duration::from(defaults::ITERATION_TIMEOUT);
    let iteration_timeout = taker.or("iteration_timeout", each, defaults::ITERATION_TIMEOUT, shown);
    let written = message(&roundtrip.message, taker);
    RoundtripPlan {
        topic,
        partition,
        iterations,
        warmup,
        clients,
        iteration_timeout,
        acks: written.acks,
        compression: written.compression,
        idempotence: roundtrip.message.idempotence,
        key: roundtrip.message.key.clone(),
        headers: roundtrip.message.headers.clone(),
        value: written.value,
        verify: roundtrip.verify,
    }
}
