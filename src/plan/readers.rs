//! Which producers a consumer checks, and which partitions the consumers of a file read completely.
//!
//! The plan uses these rules to add a readback consumer, and the engine to select its partitions.

use std::collections::{HashMap, HashSet};

use super::{ConsumePlan, FaultPlan, From, Plan, ScenarioPlan, Start, StartOffset, Work};
use crate::ids::Partition;
use crate::scenario::Template;

/// The producers and round trips that a reader checks: those of its `producers` that do not wait for it.
pub fn judges(plan: &Plan, reader: usize) -> Vec<usize> {
    let Some(Work::Consume(consume)) = plan.scenarios.get(reader).map(|scenario| &scenario.work) else {
        return Vec::new();
    };
    WaitsFor::of(&plan.scenarios, &plan.faults).judged(reader, consume)
}

/// Whether one scenario or fault starts only after another one, directly or indirectly. Faults are numbered
/// after the scenarios.
pub fn waits_for(plan: &Plan, waiting: usize, other: usize) -> bool {
    WaitsFor::of(&plan.scenarios, &plan.faults).behind(other).contains(&waiting)
}

/// Whether a consumer of the file reads all of a partition, and checks all messages in it that must be read
/// back.
pub fn covers(plan: &Plan, consumer: usize, topic: &Template, partition: Partition) -> bool {
    let Some(Work::Consume(consume)) = plan.scenarios.get(consumer).map(|scenario| &scenario.work) else {
        return false;
    };
    let judged = WaitsFor::of(&plan.scenarios, &plan.faults).judged(consumer, consume).into_iter().collect();
    PlannedReader { consume, judged }.covers(&writers(&plan.scenarios, topic), topic, Some(partition))
}

/// Whether messages that must be read back may be written to a partition that no consumer of the file covers.
/// The `readback` consumer reads it then.
pub fn is_left(plan: &Plan, topic: &Template, partition: Partition) -> bool {
    let writers = writers(&plan.scenarios, topic);
    writers.iter().any(|writer| writer.writes(Some(partition)))
        && !PlannedReader::all_readers(&plan.scenarios, &WaitsFor::of(&plan.scenarios, &plan.faults), topic)
            .iter()
            .any(|reader| reader.covers(&writers, topic, Some(partition)))
}

/// Whether a readback consumer would certainly have nothing to read in a topic with this number of
/// partitions.
pub(super) fn leave_nothing(
    scenarios: &[ScenarioPlan],
    waits: &WaitsFor<'_>,
    topic: &Template,
    partitions: Partition,
) -> bool {
    let writers = writers(scenarios, topic);
    let readers = PlannedReader::all_readers(scenarios, waits, topic);
    let covered = |partition| readers.iter().any(|reader| reader.covers(&writers, topic, partition));
    let fixed: HashSet<Partition> = writers.iter().filter_map(|writer| writer.partition).collect();
    if !fixed.iter().all(|partition| covered(Some(*partition))) {
        return false;
    }
    if writers.iter().all(|writer| writer.partition.is_some()) || covered(None) {
        return true;
    }
    // The remaining readers have a fixed partition.
    let read: HashSet<Partition> = readers.iter().filter_map(|reader| reader.consume.partition).collect();
    (0..partitions).all(|partition| read.contains(&partition) && covered(Some(partition)))
}

/// The scenarios whose messages in a topic must be read back.
pub(super) fn verified<'a>(
    scenarios: &'a [ScenarioPlan],
    topic: &'a Template,
) -> impl Iterator<Item = (usize, &'a ScenarioPlan)> {
    let wanted = |work: &Work| work.is_verified() && work.topic() == Some(topic);
    scenarios.iter().enumerate().filter(move |(_, scenario)| wanted(&scenario.work))
}

/// A scenario whose messages must be read back.
struct PlannedWriter {
    number: usize,
    /// Its fixed partition, if it has one.
    partition: Option<Partition>,
}

fn writers(scenarios: &[ScenarioPlan], topic: &Template) -> Vec<PlannedWriter> {
    let writer = |(number, scenario): (usize, &ScenarioPlan)| PlannedWriter {
        number,
        partition: scenario.work.fixed_partition(),
    };
    verified(scenarios, topic).map(writer).collect()
}

impl PlannedWriter {
    /// Whether it may write to a partition. `None` means any partition that no scenario is fixed to.
    fn writes(&self, partition: Option<Partition>) -> bool {
        self.partition.is_none() || self.partition == partition
    }
}

/// A consumer of the file, and the scenarios that it checks.
struct PlannedReader<'a> {
    consume: &'a ConsumePlan,
    judged: HashSet<usize>,
}

impl<'a> PlannedReader<'a> {
    /// The consumers of a topic.
    fn all_readers(scenarios: &'a [ScenarioPlan], waits: &WaitsFor<'_>, topic: &Template) -> Vec<Self> {
        let readers = scenarios.iter().enumerate().filter_map(|(number, scenario)| match &scenario.work {
            Work::Consume(consume) if consume.topic == *topic => {
                Some(Self { consume, judged: waits.judged(number, consume).into_iter().collect() })
            }
            _ => None,
        });
        readers.collect()
    }

    /// Whether it reads all of a partition, and checks all scenarios that write to it. `None` means any
    /// partition that no scenario is fixed to.
    fn covers(&self, writers: &[PlannedWriter], topic: &Template, partition: Option<Partition>) -> bool {
        let consume = self.consume;
        !consume.readback
            && consume.topic == *topic
            && consume.from == From::Run
            && consume.offset == StartOffset::Earliest
            && !consume.partial
            && (consume.partition.is_none() || consume.partition == partition)
            && writers
                .iter()
                .filter(|writer| writer.writes(partition))
                .all(|writer| self.judged.contains(&writer.number))
    }
}

/// The items that wait for each other. Scenarios are numbered first, then faults.
pub(super) struct WaitsFor<'a> {
    numbers: HashMap<&'a str, usize>,
    /// For each item, those that wait for it directly.
    waiting: Vec<Vec<usize>>,
}

impl<'a> WaitsFor<'a> {
    pub(super) fn of(scenarios: &'a [ScenarioPlan], faults: &'a [FaultPlan]) -> Self {
        let scenarios = scenarios.iter().map(|it| (it.name.as_str(), &it.start));
        let faults = faults.iter().map(|it| (it.name.as_str(), &it.start));
        let all: Vec<(&str, &Start)> = scenarios.chain(faults).collect();
        let numbers: HashMap<&str, usize> =
            all.iter().enumerate().map(|(number, (name, _))| (*name, number)).collect();
        let mut waiting = vec![Vec::new(); all.len()];
        for (number, (_, start)) in all.iter().enumerate() {
            for before in start.waits_for().filter_map(|name| numbers.get(name)) {
                if let Some(waiting) = waiting.get_mut(*before) {
                    waiting.push(number);
                }
            }
        }
        Self { numbers, waiting }
    }

    /// All items that wait for one, directly or indirectly.
    fn behind(&self, number: usize) -> HashSet<usize> {
        let mut found = HashSet::new();
        let mut open = vec![number];
        while let Some(number) = open.pop() {
            let more = self.waiting.get(number).into_iter().flatten();
            open.extend(more.filter(|waiting| found.insert(**waiting)));
        }
        found
    }

    fn judged(&self, reader: usize, consume: &ConsumePlan) -> Vec<usize> {
        let behind = self.behind(reader);
        let producers = consume.producers.iter().filter_map(|name| self.numbers.get(name.as_str()));
        producers.copied().filter(|producer| !behind.contains(producer)).collect()
    }
}
