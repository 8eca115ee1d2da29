//! Who judges whom, and which partitions the readers of a file read completely.
//!
//! Owns these rules, for the plan, which adds a reader where some are left, and for the engine, which reads those.

use std::collections::{HashMap, HashSet};

use super::{ConsumePlan, FaultPlan, From, Plan, ScenarioPlan, Start, StartOffset, Work};
use crate::ids::Partition;
use crate::scenario::Template;

/// The producers and round trips that a reader judges: those of its `producers` that do not wait for it.
pub fn judges(plan: &Plan, reader: usize) -> Vec<usize> {
    let Some(Work::Consume(consume)) = plan.scenarios.get(reader).map(|scenario| &scenario.work) else {
        return Vec::new();
    };
    WaitsFor::of(&plan.scenarios, &plan.faults).judged(reader, consume)
}

/// Whether one scenario or fault starts only after another one has, directly or by others between them. Faults count on
/// behind the scenarios.
pub fn waits_for(plan: &Plan, waiting: usize, other: usize) -> bool {
    WaitsFor::of(&plan.scenarios, &plan.faults).behind(other).contains(&waiting)
}

/// Whether a consumer of the file reads all of a partition, and judges all that has to be read back from there.
pub fn covers(plan: &Plan, consumer: usize, topic: &Template, partition: Partition) -> bool {
    let Some(Work::Consume(consume)) = plan.scenarios.get(consumer).map(|scenario| &scenario.work) else {
        return false;
    };
    let judged = WaitsFor::of(&plan.scenarios, &plan.faults).judged(consumer, consume).into_iter().collect();
    PlannedReader { consume, judged }.covers(&writers(&plan.scenarios, topic), topic, Some(partition))
}

/// Whether something may be written to a partition that has to be read back, and no consumer of the file covers it: a
/// `readback` reader reads it.
pub fn is_left(plan: &Plan, topic: &Template, partition: Partition) -> bool {
    let writers = writers(&plan.scenarios, topic);
    writers.iter().any(|writer| writer.writes(Some(partition)))
        && !PlannedReader::all_readers(&plan.scenarios, &WaitsFor::of(&plan.scenarios, &plan.faults), topic)
            .iter()
            .any(|reader| reader.covers(&writers, topic, Some(partition)))
}

/// Whether a reader of kaf6's own would certainly have nothing to do in a topic that has, or is to have, so many partitions.
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
    // Only readers with a partition of their own are left.
    let read: HashSet<Partition> = readers.iter().filter_map(|reader| reader.consume.partition).collect();
    (0..partitions).all(|partition| read.contains(&partition) && covered(Some(partition)))
}

/// The scenarios whose messages in a topic have to be read back.
pub(super) fn verified<'a>(
    scenarios: &'a [ScenarioPlan],
    topic: &'a Template,
) -> impl Iterator<Item = (usize, &'a ScenarioPlan)> {
    let wanted = |work: &Work| work.is_verified() && work.topic() == Some(topic);
    scenarios.iter().enumerate().filter(move |(_, scenario)| wanted(&scenario.work))
}

/// A scenario whose messages have to be read back.
struct PlannedWriter {
    number: usize,
    /// The one partition that it writes to.
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
    /// Whether it may write to a partition; none is one that nobody is fixed to.
    fn writes(&self, partition: Option<Partition>) -> bool {
        self.partition.is_none() || self.partition == partition
    }
}

/// A consumer of the file, and the scenarios that it judges.
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

    /// Whether it reads all of a partition, and judges all that write to it; none is one that nobody is fixed to.
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

/// Who waits for whom. Scenarios have numbers, and faults behind them.
pub(super) struct WaitsFor<'a> {
    numbers: HashMap<&'a str, usize>,
    /// Those that wait for each itself.
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

    /// All that wait for one, and all that wait for those.
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
