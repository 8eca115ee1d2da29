//! Anomalies that are visible in acks alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Message, identity};
use crate::file::File;
use crate::log::Log;

/// kaf6 knows an ack that was sent so long before.
const HEARD_US: u64 = 500_000;

/// How many there are at least, and at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Range {
    pub least: u64,
    pub most: u64,
}

/// An ack with a place, as far as it counts for sure.
struct Ack<'a> {
    message: &'a Message,
    offset: i64,
    sure: bool,
}

/// By topic and partition.
type Acks<'a> = BTreeMap<(&'a str, i32), Vec<Ack<'a>>>;

fn acks<'a>(messages: &'a [Message], file: &File, log: &Log) -> Acks<'a> {
    let mut acks = Acks::new();
    let made_anew = |topic: &str| log.created.iter().filter(|created| created.topic == topic).count() > 1;
    for message in messages {
        let place = (message.topic.as_str(), message.partition);
        let moved = log.moved.iter().any(|it| (it.topic.as_str(), it.partition) == place);
        // With acks 1, a new leader may not have what the old one acked.
        if moved && !message.acks_all {
            continue;
        }
        let judged = message.sender.is_some_and(|sender| file.senders[sender].verify);
        let sure = judged && message.acks_all && message.is_sure() && !moved && !made_anew(place.0);
        let sure = sure && !message.seems_without_place;
        let offsets: BTreeSet<i64> = message.acks.iter().copied().filter(|offset| *offset >= 0).collect();
        let own = offsets.into_iter().map(|offset| Ack { message, offset, sure });
        acks.entry(place).or_default().extend(own);
    }
    acks
}

/// Offsets that were acked to two messages.
pub(crate) fn collided(messages: &[Message], file: &File, log: &Log) -> Range {
    let mut range = Range::default();
    for acks in acks(messages, file, log).values() {
        let mut at: BTreeMap<i64, Range> = BTreeMap::new();
        for ack in acks {
            let at = at.entry(ack.offset).or_default();
            at.most += 1;
            at.least += u64::from(ack.sure);
        }
        range.least += at.values().filter(|at| at.least > 1).count() as u64;
        range.most += at.values().map(|at| at.most - 1).sum::<u64>();
    }
    range
}

/// Messages that were handed over after another's ack, and acked at a lower offset. Their timestamps are those of the handing
/// over.
pub(crate) fn overtaken(messages: &[Message], file: &File, log: &Log) -> Range {
    let mut range = Range::default();
    for acks in acks(messages, file, log).values() {
        for ack in acks {
            let handed_over =
                u64::try_from(ack.message.time_ms - log.started_ms).unwrap_or(0).saturating_mul(1000);
            let behind = || acks.iter().filter(|other| other.offset > ack.offset);
            let by = |acked: Option<u64>, us: u64| acked.is_some_and(|acked| acked <= us);
            // An answer may be there before its sender knows that it was sent.
            let may = behind().any(|other| by(other.message.acking_us, ack.message.came_us));
            let surely = handed_over.saturating_sub(HEARD_US);
            let must = behind().any(|other| other.sure && by(other.message.acked_us, surely));
            range.most += u64::from(may);
            range.least += u64::from(ack.sure && must);
        }
    }
    range
}

/// Records of another run that were there when a topic was made; those that were handed out.
pub(crate) fn resurrected(log: &Log, messages: &[Message], digests: &BTreeSet<(&str, &str)>) -> Range {
    let mut range = Range::default();
    let tags: BTreeSet<u64> = messages.iter().map(|message| message.id.0).collect();
    for created in log.created.iter().filter(|created| created.old > 0) {
        range.most += created.old;
        let partitions = log.topics.get(&created.topic);
        let old =
            partitions.into_iter().flatten().flat_map(|partition| &partition.records).filter(|record| {
                identity(record).is_some_and(|(id, kind)| !tags.contains(&id.0) && kind != 3)
                    && digests.contains(&(created.topic.as_str(), record.digest.as_str()))
            });
        range.least += old.count() as u64;
    }
    range
}
