//! Delivery states: decides from error code, status and acks whether a message is acked, failed or unknown.
//!
//! Contains the list of codes that exclude a write (with any other code, the message may be in the log), and
//! which offsets of acks are unusable.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;

use crate::ids::{Offset, Partition};
use crate::kafka::Code;
use crate::kafka::ffi::DeliveryReport;

/// The delivery of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The number given to [`Producer::send`](crate::kafka::Producer::send).
    pub tag: u64,
    pub outcome: DeliveryOutcome,
}

/// The delivery states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The broker confirmed it at this offset.
    Acked {
        /// Its offset in the partition.
        offset: Offset,
    },
    /// The broker acked it without a usable offset: it is in the log, at an unknown offset.
    AckedNowhere,
    /// It is not in the log: never sent, or rejected with a code that excludes a write.
    Failed { code: Code },
    /// It may be in the log or not.
    Unknown {
        /// The reason; [`Code::NONE`] with `acks: 0`, where no answer is requested.
        code: Code,
    },
}

/// librdkafka gives up before it sent anything, or after rejections only that exclude a write.
const LOCAL: &[i32] = &[
    -192, // _MSG_TIMED_OUT, queued
    -190, // _UNKNOWN_PARTITION
    -188, // _UNKNOWN_TOPIC
    -166, // _TIMED_OUT_QUEUE
    -152, // _PURGE_QUEUE
];

/// The broker rejects before it appends. Not included, because a write may have come first: -1
/// UNKNOWN_SERVER_ERROR, 7 REQUEST_TIMED_OUT, 20 NOT_ENOUGH_REPLICAS_AFTER_APPEND, 56 KAFKA_STORAGE_ERROR,
/// and 6 NOT_LEADER_OR_FOLLOWER, which Kafka also returns if the leader changed while it waited for its
/// followers.
const REFUSED: &[i32] = &[
    2,   // CORRUPT_MESSAGE
    3,   // UNKNOWN_TOPIC_OR_PARTITION
    5,   // LEADER_NOT_AVAILABLE
    10,  // MESSAGE_TOO_LARGE
    17,  // INVALID_TOPIC_EXCEPTION
    18,  // RECORD_LIST_TOO_LARGE
    19,  // NOT_ENOUGH_REPLICAS
    21,  // INVALID_REQUIRED_ACKS
    29,  // TOPIC_AUTHORIZATION_FAILED
    31,  // CLUSTER_AUTHORIZATION_FAILED
    32,  // INVALID_TIMESTAMP
    35,  // UNSUPPORTED_VERSION
    43,  // UNSUPPORTED_FOR_MESSAGE_FORMAT
    44,  // POLICY_VIOLATION
    45,  // OUT_OF_ORDER_SEQUENCE_NUMBER
    47,  // INVALID_PRODUCER_EPOCH
    53,  // TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    59,  // UNKNOWN_PRODUCER_ID
    76,  // UNSUPPORTED_COMPRESSION_TYPE
    87,  // INVALID_RECORD
    100, // UNKNOWN_TOPIC_ID
];

/// Whether a broker's answer of this code to a Produce request means that it wrote nothing.
pub(crate) fn excludes_write(code: Code) -> bool {
    REFUSED.contains(&code.0)
}

/// Detects acks without an offset. librdkafka counts the offsets of a batch from the one in the answer. If
/// that is -1 (also with error 46, DUPLICATE_SEQUENCE_NUMBER, which it treats as success), it reports -1, 0,
/// 1 and so on.
#[derive(Debug, Default)]
pub(crate) struct Placeless(HashMap<Partition, Bases>);

/// Batches without an offset in one partition.
#[derive(Debug, Default)]
struct Bases {
    /// The tags that each batch may contain: from its first message to the next one with an offset. The
    /// newest is the last.
    tags: VecDeque<Range<u64>>,
    /// Tag and offset of the last report without a usable offset.
    last: Option<(u64, Offset)>,
}

/// Batches remembered for each partition: more than a client has in flight there.
const BASES: usize = 64;

impl Placeless {
    /// Whether the offset of the next report is none: it is below 0, or counted from a report like that. The tags of a
    /// partition are numbers in the order of sending, so the distance of two tags in a batch is that of their offsets, in
    /// whatever order reports of several batches come; where messages of a batch are missing, it goes on where its last
    /// report was. A message with a place ends all batches that began before it: by chance, the offset of a later one may be as if
    /// it were counted, where messages before it are yet to be written.
    pub(crate) fn takes(&mut self, report: &DeliveryReport) -> bool {
        let ok = report.code.is_none();
        if ok && report.offset < 0 {
            let bases = self.0.entry(report.partition).or_default();
            if bases.tags.len() == BASES {
                bases.tags.pop_front();
            }
            bases.tags.push_back(report.tag..u64::MAX);
            bases.last = Some((report.tag, report.offset));
            return true;
        }
        // The usual case: no map to look into.
        if self.0.is_empty() {
            return false;
        }
        let Some(bases) = self.0.get_mut(&report.partition) else { return false };
        let behind = |tags: &Range<u64>| {
            let counted = report.tag.checked_sub(tags.start + 1) == u64::try_from(report.offset).ok();
            counted && tags.contains(&report.tag)
        };
        let next = |(tag, offset): (u64, Offset)| report.tag > tag && report.offset == offset + 1;
        let goes_on = ok && (bases.last.is_some_and(next) || bases.tags.iter().any(behind));
        if ok && !goes_on {
            for tags in bases.tags.iter_mut().filter(|tags| tags.start < report.tag) {
                tags.end = tags.end.min(report.tag);
            }
        }
        bases.last = goes_on.then_some((report.tag, report.offset));
        goes_on
    }
}

impl DeliveryOutcome {
    /// By the rules. `acks`: whether an answer was asked for. `doubt`: whether an answer since this message was handed
    /// over may hide a write that librdkafka rules out. `placeless`: whether an ack's offset is none.
    pub(crate) fn of(report: &DeliveryReport, acks: bool, doubt: bool, placeless: bool) -> Self {
        let code = report.code;
        if code.is_none() {
            return match (acks, placeless) {
                (true, false) => Self::Acked { offset: report.offset },
                (true, true) => Self::AckedNowhere,
                (false, _) => Self::Unknown { code },
            };
        }
        // The status covers earlier attempts: once possibly written, it stays so.
        let sure = report.not_persisted && (excludes_write(code) || LOCAL.contains(&code.0)) && !doubt;
        if sure { Self::Failed { code } } else { Self::Unknown { code } }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn report(partition: Partition, offset: Offset, code: i32) -> DeliveryReport {
        DeliveryReport {
            tag: 1,
            partition,
            code: Code(code),
            offset,
            not_persisted: false,
            age: Duration::ZERO,
        }
    }

    fn at(tag: u64, offset: Offset) -> DeliveryReport {
        DeliveryReport { tag, ..report(0, offset, 0) }
    }

    proptest! {
        /// Batches of one client to one partition, some without a place, whose reports come mixed with each other.
        #[test]
        fn a_batch_without_a_place_is_so_as_a_whole(
            batches in prop::collection::vec((1_u64..6, any::<bool>()), 1..12),
            start in 0_i64..50,
            mix in prop::collection::vec(any::<prop::sample::Index>(), 60),
        ) {
            let mut queues = Vec::new();
            let mut tag = 0;
            for (len, there) in batches {
                let base = if there { start + tag as i64 } else { -1 };
                let reports = (0..len).map(|i| (tag + i, base + i as i64, !there)).collect::<VecDeque<_>>();
                queues.push(reports);
                tag += len;
            }
            let mut placeless = Placeless::default();
            for turn in mix.iter().cycle() {
                queues.retain(|queue| !queue.is_empty());
                if queues.is_empty() {
                    break;
                }
                let queue = turn.index(queues.len());
                let Some((tag, offset, expected)) = queues[queue].pop_front() else { continue };
                prop_assert_eq!(placeless.takes(&at(tag, offset)), expected, "{} at {}", tag, offset);
            }
        }
    }

    #[test]
    fn messages_that_fail_within_a_batch_or_are_missing_in_it_do_not_matter() {
        let mut placeless = Placeless::default();
        let mut taken = |tags: &[u64], offsets: &[i64]| -> Vec<bool> {
            tags.iter().zip(offsets).map(|(tag, offset)| placeless.takes(&at(*tag, *offset))).collect()
        };
        assert_eq!(taken(&[10, 11, 12], &[-1, 0, 1]), [true; 3]);
        assert_eq!(taken(&[20, 21], &[20, 21]), [false; 2]);
        assert_eq!(taken(&[30, 35, 39], &[-1, 0, 1]), [true; 3], "the others of it failed before");
        assert_eq!(taken(&[13], &[2]), [true], "it is of the first batch");
        assert!(!placeless.takes(&report(1, 0, 0)), "of another partition");
    }

    #[test]
    fn a_message_with_a_place_ends_the_batches_before_it() {
        let mut placeless = Placeless::default();
        let mut taken = |tags: &[u64], offsets: &[i64]| -> Vec<bool> {
            tags.iter().zip(offsets).map(|(tag, offset)| placeless.takes(&at(*tag, *offset))).collect()
        };
        assert_eq!(taken(&[0, 1], &[-1, 0]), [true; 2]);
        assert_eq!(taken(&[2, 3], &[2, 3]), [false; 2]);
        assert_eq!(taken(&[5, 6], &[4, 5]), [false; 2], "4 is yet to be written");
    }

    #[test]
    fn the_table_of_outcomes() {
        let failed = |code| DeliveryOutcome::Failed { code: Code(code) };
        let unknown = |code| DeliveryOutcome::Unknown { code: Code(code) };
        // code, offset, not persisted by librdkafka, acks asked for, doubt
        for (code, offset, not_persisted, acks, doubt, expected) in [
            (0, 7, false, true, false, DeliveryOutcome::Acked { offset: 7 }),
            (0, 0, false, true, true, DeliveryOutcome::Acked { offset: 0 }),
            (0, -1001, false, true, false, DeliveryOutcome::AckedNowhere),
            (0, -1, false, true, true, DeliveryOutcome::AckedNowhere),
            (0, -1, false, false, false, unknown(0)),
            (0, -1001, false, false, false, unknown(0)),
            (0, 7, false, false, false, unknown(0)),
            // timed out: queued, and after it was on the wire
            (-192, -1001, true, true, false, failed(-192)),
            (-192, -1001, false, true, false, unknown(-192)),
            (-192, -1001, true, true, true, unknown(-192)),
            // purged: queued, and in flight; and queued again after a try
            (-152, -1001, true, true, false, failed(-152)),
            (-151, -1001, false, true, false, unknown(-151)),
            (-152, -1001, false, true, false, unknown(-152)),
            // refused by the broker; and so after an earlier try that may have written
            (10, -1001, true, true, false, failed(10)),
            (29, -1001, true, true, false, failed(29)),
            (87, -1001, true, true, false, failed(87)),
            (19, -1001, true, true, false, failed(19)),
            (10, -1001, false, true, false, unknown(10)),
            // librdkafka is sure, and wrong
            (-1, -1001, true, true, false, unknown(-1)),
            (56, -1001, true, true, false, unknown(56)),
            (6, -1001, true, true, false, unknown(6)),
            (7, -1001, false, true, false, unknown(7)),
            (20, -1001, false, true, false, unknown(20)),
            // a code that nobody has given a meaning
            (4711, -1001, true, true, false, unknown(4711)),
        ] {
            let report = DeliveryReport {
                tag: 1,
                partition: 0,
                code: Code(code),
                offset,
                not_persisted,
                age: Duration::ZERO,
            };
            assert_eq!(
                DeliveryOutcome::of(&report, acks, doubt, Placeless::default().takes(&report)),
                expected,
                "{code} {offset} {not_persisted} {acks} {doubt}"
            );
        }
    }
}
