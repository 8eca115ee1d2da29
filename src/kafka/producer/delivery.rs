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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    Acked {
        /// The offset in the partition.
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

/// librdkafka's codes for messages that it never sent, or that were only rejected with codes that exclude a write.
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

/// Whether this code in a broker's answer to a Produce request means that nothing was written.
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
    /// The range of tags of each batch without an offset, newest last. A range ends at the next message with an offset.
    tags: VecDeque<Range<u64>>,
    /// Tag and offset of the last report without a usable offset.
    last: Option<(u64, Offset)>,
}

/// Maximum number of batches remembered per partition. A client has fewer in flight.
const BASES: usize = 64;

impl Placeless {
    /// Whether the next report has no usable offset: it is negative, or counted from a negative one. Tags of a
    /// partition increase in the order of sending. So the distance between two tags of a batch equals the distance
    /// between their offsets, even if reports of several batches are mixed. If messages of a batch are missing,
    /// counting continues after the last report. A message with a usable offset ends all batches that started before
    /// it. Without this rule, the offset of a later message could equal the counted one by chance.
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
        // The usual case, without a lookup in the map.
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
    /// Determines the outcome. `acks`: whether an answer was requested. `doubt`: whether an answer since this message
    /// was passed to librdkafka may hide a write that librdkafka excludes. `placeless`: whether the ack has no usable
    /// offset.
    pub(crate) fn of(report: &DeliveryReport, acks: bool, doubt: bool, placeless: bool) -> Self {
        let code = report.code;
        if code.is_none() {
            return match (acks, placeless) {
                (true, false) => Self::Acked { offset: report.offset },
                (true, true) => Self::AckedNowhere,
                (false, _) => Self::Unknown { code },
            };
        }
        // The status includes earlier attempts: it never returns from "possibly persisted" to "not persisted".
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
        /// Batches of one client to one partition, some without an offset, whose reports are mixed.
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
        // code, offset, not persisted according to librdkafka, acks requested, doubt
        for (code, offset, not_persisted, acks, doubt, expected) in [
            (0, 7, false, true, false, DeliveryOutcome::Acked { offset: 7 }),
            (0, 0, false, true, true, DeliveryOutcome::Acked { offset: 0 }),
            (0, -1001, false, true, false, DeliveryOutcome::AckedNowhere),
            (0, -1, false, true, true, DeliveryOutcome::AckedNowhere),
            (0, -1, false, false, false, unknown(0)),
            (0, -1001, false, false, false, unknown(0)),
            (0, 7, false, false, false, unknown(0)),
            // Timed out: in the queue, and after transmission.
            (-192, -1001, true, true, false, failed(-192)),
            (-192, -1001, false, true, false, unknown(-192)),
            (-192, -1001, true, true, true, unknown(-192)),
            // Purged: in the queue, in flight, and in the queue again after an attempt.
            (-152, -1001, true, true, false, failed(-152)),
            (-151, -1001, false, true, false, unknown(-151)),
            (-152, -1001, false, true, false, unknown(-152)),
            // Rejected by the broker, also after an earlier attempt that may have been written.
            (10, -1001, true, true, false, failed(10)),
            (29, -1001, true, true, false, failed(29)),
            (87, -1001, true, true, false, failed(87)),
            (19, -1001, true, true, false, failed(19)),
            (10, -1001, false, true, false, unknown(10)),
            // librdkafka is certain, but wrong.
            (-1, -1001, true, true, false, unknown(-1)),
            (56, -1001, true, true, false, unknown(56)),
            (6, -1001, true, true, false, unknown(6)),
            (7, -1001, false, true, false, unknown(7)),
            (20, -1001, false, true, false, unknown(20)),
            // An undefined code.
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
