//! What became of a message: acked, failed or unknown, by rules over error code, status and acks.
//!
//! Owns the list of codes that exclude a write (whatever is not on it may lie in the log), and which offsets of acks are none.

use std::collections::HashMap;

use super::Code;
use super::raw::Report;
use crate::ids::{Offset, Partition};

/// The end of one message's sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The number given to [`Producer::send`](super::Producer::send).
    pub tag: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// The ends of sending a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The broker confirmed it at this offset.
    Acked {
        /// Its place in the partition.
        offset: Offset,
    },
    /// The broker confirmed it without a usable offset: it is in the log, nobody knows where.
    AckedNowhere,
    /// It is not in the log: never sent, or refused with a code that excludes a write.
    Failed {
        /// Why.
        code: Code,
    },
    /// It may be in the log or not.
    Unknown {
        /// Why nobody knows; [`Code::NONE`] with acks 0, where no answer is asked for.
        code: Code,
    },
}

/// librdkafka gives up before anything went over the wire, or after nothing but refusals that exclude a write.
const LOCAL: &[i32] = &[
    -192, // _MSG_TIMED_OUT, queued
    -190, // _UNKNOWN_PARTITION
    -188, // _UNKNOWN_TOPIC
    -166, // _TIMED_OUT_QUEUE
    -152, // _PURGE_QUEUE
];

/// The broker refuses before it appends. Not here, since a write may have come first: -1 UNKNOWN_SERVER_ERROR, 7
/// REQUEST_TIMED_OUT, 20 NOT_ENOUGH_REPLICAS_AFTER_APPEND, 56 KAFKA_STORAGE_ERROR, and 6 NOT_LEADER_OR_FOLLOWER, which
/// Kafka also answers where the leader changed while it waited for its followers.
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
pub(super) fn excludes_write(code: Code) -> bool {
    REFUSED.contains(&code.0)
}

/// Finds acks without a place. librdkafka counts the offsets of a batch from the one in the answer, and that of -1 (error 46,
/// DUPLICATE_SEQUENCE_NUMBER, which it takes for success, has it too) gives -1, 0, 1 and so on.
#[derive(Debug, Default)]
pub(super) struct Placeless {
    /// By partition: where a batch without a place goes on. Reports of several partitions come side by side.
    next: HashMap<Partition, Offset>,
}

impl Placeless {
    /// Whether the offset of the next report is none. Reports of one batch come in its order, so what goes on where the last
    /// report of its partition, without a place, stopped is of its batch. A batch that is really there can be taken for it only
    /// where it begins at just that offset: then it is looked for anywhere instead of at its offset.
    pub(super) fn takes(&mut self, report: &Report) -> bool {
        if report.code.is_none() && report.offset < 0 {
            self.next.insert(report.partition, report.offset + 1);
            return true;
        }
        // The usual case: no map to look into.
        if self.next.is_empty() {
            return false;
        }
        let goes_on = report.code.is_none() && self.next.get(&report.partition) == Some(&report.offset);
        if goes_on {
            self.next.insert(report.partition, report.offset + 1);
        } else {
            self.next.remove(&report.partition);
        }
        goes_on
    }
}

impl Outcome {
    /// By the rules. `acks`: whether an answer was asked for. `doubt`: whether an answer since this message was handed
    /// over may hide a write that librdkafka rules out. `placeless`: whether an ack's offset is none.
    pub(super) fn of(report: &Report, acks: bool, doubt: bool, placeless: bool) -> Self {
        let code = report.code;
        if code.is_none() {
            return match (acks, placeless) {
                (true, false) => Self::Acked { offset: report.offset },
                (true, true) => Self::AckedNowhere,
                (false, _) => Self::Unknown { code },
            };
        }
        // The status remembers earlier attempts: once possibly written, it stays so.
        let sure = report.not_persisted && (excludes_write(code) || LOCAL.contains(&code.0)) && !doubt;
        if sure { Self::Failed { code } } else { Self::Unknown { code } }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn report(partition: Partition, offset: Offset, code: i32) -> Report {
        Report { tag: 1, partition, code: Code(code), offset, not_persisted: false, age: Duration::ZERO }
    }

    proptest! {
        /// Batches of all partitions as they end: one whose base is below 0 has no place, and no more has what goes on behind it.
        #[test]
        fn a_batch_without_a_place_is_so_as_a_whole(
            batches in prop::collection::vec(
                (0..3, prop_oneof![Just(-1_i64), Just(-1001), 0_i64..6, 0_i64..1000], 1_i64..6, prop::bool::weighted(0.1)),
                0..40,
            ),
        ) {
            let mut placeless = Placeless::default();
            let mut running = HashMap::new();
            for (partition, base, len, failed) in batches {
                let expected = !failed && (base < 0 || running.get(&partition) == Some(&base));
                for offset in base..base + len {
                    let taken = placeless.takes(&report(partition, offset, if failed { 7 } else { 0 }));
                    prop_assert_eq!(taken, expected, "{} {}", base, offset);
                }
                if expected {
                    running.insert(partition, base + len);
                } else {
                    running.remove(&partition);
                }
            }
        }
    }

    #[test]
    fn messages_that_fail_within_a_batch_or_are_missing_in_it_do_not_matter() {
        let mut placeless = Placeless::default();
        let taken = |p: &mut Placeless, offsets: &[i64]| -> Vec<bool> {
            offsets.iter().map(|offset| p.takes(&report(0, *offset, 0))).collect()
        };
        assert_eq!(taken(&mut placeless, &[-1, 0, 1, 2]), [true; 4]);
        assert_eq!(taken(&mut placeless, &[4, 5]), [false; 2]);
        assert_eq!(taken(&mut placeless, &[-1, -1, -1, 0, 0]), [true, true, true, true, false]);
        assert!(placeless.takes(&report(0, -1, 0)));
        assert!(!placeless.takes(&report(1, 0, 0)), "of another partition");
        assert!(placeless.takes(&report(0, 0, 0)), "which came in between");
        assert!(!placeless.takes(&report(0, 7, 0)), "another batch");
        assert!(!placeless.takes(&report(0, 1, 0)), "which came in between");
    }

    #[test]
    fn the_table_of_outcomes() {
        let failed = |code| Outcome::Failed { code: Code(code) };
        let unknown = |code| Outcome::Unknown { code: Code(code) };
        // code, offset, not persisted by librdkafka, acks asked for, doubt
        for (code, offset, not_persisted, acks, doubt, expected) in [
            (0, 7, false, true, false, Outcome::Acked { offset: 7 }),
            (0, 0, false, true, true, Outcome::Acked { offset: 0 }),
            (0, -1001, false, true, false, Outcome::AckedNowhere),
            (0, -1, false, true, true, Outcome::AckedNowhere),
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
            let report =
                Report { tag: 1, partition: 0, code: Code(code), offset, not_persisted, age: Duration::ZERO };
            assert_eq!(
                Outcome::of(&report, acks, doubt, Placeless::default().takes(&report)),
                expected,
                "{code} {offset} {not_persisted} {acks} {doubt}"
            );
        }
    }
}
