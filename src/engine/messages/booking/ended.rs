//! Messages that have ended, stored as runs: the broker acks a whole batch at consecutive offsets.

use crate::ids::{Partition, Seq};
use crate::kafka::{Delivery, DeliveryOutcome};

/// Number of bits of a tag for the sequence. The higher bits contain the partition.
const SEQ_BITS: u32 = 44;

/// The tag that identifies a message in delivery reports.
pub(super) fn tag(partition: Partition, seq: Seq) -> u64 {
    u64::from(partition.unsigned_abs()) << SEQ_BITS | seq
}

/// The partition index and the sequence of a tag.
pub(super) fn of_tag(tag: u64) -> (usize, Seq) {
    (usize::try_from(tag >> SEQ_BITS).unwrap_or(usize::MAX), tag & ((1 << SEQ_BITS) - 1))
}

/// `len` messages of one partition with consecutive tags. If they are acked, their offsets are consecutive or all
/// missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EndedRun {
    pub(super) tag: u64,
    pub(super) len: u64,
    pub(super) outcome: DeliveryOutcome,
}

/// Appends a message that has ended.
pub(super) fn push(ended: &mut Vec<EndedRun>, delivery: &Delivery) {
    if let Some(last) = ended.last_mut()
        && last.tag + last.len == delivery.tag
        && match (last.outcome, delivery.outcome) {
            (DeliveryOutcome::Acked { offset: first }, DeliveryOutcome::Acked { offset }) => {
                first + last.len.cast_signed() == offset
            }
            (DeliveryOutcome::AckedNowhere, DeliveryOutcome::AckedNowhere) => true,
            _ => false,
        }
        // A sequence never overflows into the partition bits, but the first tag of a partition may follow the last tag
        // of the previous one.
        && of_tag(last.tag).0 == of_tag(delivery.tag).0
    {
        last.len += 1;
        return;
    }
    ended.push(EndedRun { tag: delivery.tag, len: 1, outcome: delivery.outcome });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Code;

    #[test]
    fn a_run_is_one_partition_and_offsets_in_a_row() {
        let acked = |partition, seq, offset| Delivery {
            tag: tag(partition, seq),
            outcome: DeliveryOutcome::Acked { offset },
        };
        let failed = Delivery { tag: tag(1, 8), outcome: DeliveryOutcome::Failed { code: Code(10) } };
        let mut ended = Vec::new();
        for delivery in [
            acked(1, 5, 100),
            acked(1, 6, 101),
            acked(1, 7, 103),
            failed,
            acked(1, 9, 104),
            acked(2, 10, 105),
        ] {
            push(&mut ended, &delivery);
        }
        let found: Vec<_> = ended.iter().map(|run| (of_tag(run.tag), run.len)).collect();
        assert_eq!(found, [((1, 5), 2), ((1, 7), 1), ((1, 8), 1), ((1, 9), 1), ((2, 10), 1)]);
    }
}
