//! Whether retention explains that a record was removed: by its age, or by the bytes after it.
//!
//! Pure arithmetic. An unknown value has a lower and an upper bound, and both are evaluated.

use super::rules::Rules;
use crate::ids::Offset;
use crate::kafka::client::embedded::{KEPT_BATCHES, KEPT_BYTES};
use crate::kafka::probe::TopicSettings;
use crate::ledger::{Behind, Between, Contents};

/// Maximum overhead of a record in the log, in bytes: lengths, offset, timestamp, and its share of the batch
/// header.
pub(crate) const OVERHEAD: u64 = 100;
/// Tolerance between the clocks of brokers and of kaf6.
const SLACK_US: u64 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Certainty {
    No,
    Maybe,
    Yes,
}

/// A partition's log from which something is missing.
#[derive(Debug, Clone)]
pub(crate) struct PartitionLog {
    /// Its start and end as the broker reports them; `None` if it does not.
    pub(crate) reported: Option<(Offset, Offset)>,
    /// When it was requested, in microseconds since the start of the run.
    pub(crate) now_us: u64,
    pub(crate) contents: Contents,
    /// Bytes of the largest record that the run may send to this topic.
    pub(crate) largest: u64,
}

impl PartitionLog {
    /// Whether retention explains the removal of a record at this offset, with a timestamp between these times. The
    /// offset may be unknown, and so may the times of a saved ledger.
    pub(crate) fn expired(&self, rules: Rules, place: Option<Offset>, stamped: Option<Between>) -> Certainty {
        let start = self.reported.map_or(Offset::MAX, |(start, _)| start);
        if start <= place.unwrap_or(0) {
            return Certainty::No;
        }
        let explained = match rules {
            Rules::Unknown => Certainty::Maybe,
            Rules::Embedded => {
                let behind = self.behind(place.map_or(0, |offset| offset + 1));
                let kept = self.known(&behind) >= KEPT_BYTES || behind.own >= KEPT_BATCHES;
                if kept { Certainty::Yes } else { Certainty::No }
            }
            Rules::Known(settings) if !settings.deletes => Certainty::No,
            Rules::Known(settings) => self.is_old(settings, stamped).max(self.is_far(settings, place)),
        };
        // It may be above the log start.
        let unsure = self.reported.is_none() || place.is_none();
        if unsure { explained.min(Certainty::Maybe) } else { explained }
    }

    /// Like [`PartitionLog::expired`], for a record of a deleted topic: retention may have removed it before
    /// the deletion.
    pub(crate) fn expired_before(&self, rules: Rules, stamped: Option<Between>) -> Certainty {
        match rules {
            Rules::Known(settings) if settings.deletes => self.is_old(settings, stamped),
            Rules::Known(_) | Rules::Unknown | Rules::Embedded => Certainty::No,
        }
    }

    /// `retention.ms`.
    fn is_old(&self, settings: TopicSettings, stamped: Option<Between>) -> Certainty {
        let Some(limit_us) = settings.retention_ms.and_then(|ms| u64::try_from(ms).ok()) else {
            return Certainty::No;
        };
        let limit_us = limit_us.saturating_mul(1000);
        let Some((from, to)) = stamped else { return Certainty::Maybe };
        let reached = |since: u64| self.now_us.saturating_sub(since).saturating_add(SLACK_US) >= limit_us;
        match (reached(to), reached(from)) {
            (true, _) => Certainty::Yes,
            (false, true) => Certainty::Maybe,
            (false, false) => Certainty::No,
        }
    }

    /// `retention.bytes`. Records that were not read may be as large as a batch. The record's own segment may also
    /// count: some brokers remove a segment as soon as the log exceeds the limit, others only if the rest still exceeds
    /// it.
    fn is_far(&self, settings: TopicSettings, place: Option<Offset>) -> Certainty {
        let Some(limit) = settings.retention_bytes.and_then(|bytes| u64::try_from(bytes).ok()) else {
            return Certainty::No;
        };
        let batch = settings.max_message_bytes.unwrap_or(u64::MAX);
        let most = |behind: &Behind| self.known(behind).saturating_add(behind.unknown.saturating_mul(batch));
        let behind = self.behind(place.map_or(0, |offset| offset + 1));
        let segment = settings.segment_bytes.unwrap_or(u64::MAX);
        let all = most(&self.behind(0));
        if self.known(&behind) >= limit {
            Certainty::Yes
        } else if most(&behind).saturating_add(segment).min(all) >= limit {
            Certainty::Maybe
        } else {
            Certainty::No
        }
    }

    fn behind(&self, offset: Offset) -> Behind {
        self.contents.from(offset, self.reported.map_or(0, |(_, end)| end))
    }

    /// Maximum number of bytes of the known records.
    fn known(&self, behind: &Behind) -> u64 {
        behind.own.saturating_mul(self.largest).saturating_add(behind.foreign_bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ids::RunTag;
    use crate::ledger::envelope::Opened;
    use crate::ledger::{CheckedUuid, Marker, Observer, PartitionReads, Pass, Resent, SentLog, Streams};
    use Certainty::{Maybe, No, Yes};

    const S: u64 = 1_000_000;
    const WEEK: &str = "604800000";

    fn rules(settings: &[(&str, &str)]) -> Rules {
        let settings: BTreeMap<String, String> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Rules::Known(TopicSettings::of_config(&settings))
    }

    /// A log that starts at 50, requested after 100 s: messages of 100 bytes were acked at 0 to 99, and foreign records
    /// of `foreign` bytes were read from 100 on.
    fn log(foreign: &[u64], end: Offset) -> PartitionLog {
        let mut sent = SentLog::default();
        for offset in 0..100 {
            let seq = sent.next_seq();
            sent.acked(seq, offset, Resent::No);
        }
        let mut reads = PartitionReads::new(RunTag::from_bits(1), 0, 0);
        for (offset, bytes) in (100..).zip(foreign) {
            reads.see(&Streams::default(), offset, Opened::Foreign, 0, |_| CheckedUuid::Fine);
            reads.see_foreign_size(*bytes);
        }
        let passes = [Pass::new(Observer::Reader(0), &reads, 0)];
        let contents = Contents::of([&sent], &[], &passes);
        PartitionLog { reported: Some((50, end)), now_us: 100 * S, contents, largest: 100 }
    }

    const NOW: Option<Between> = Some((100 * S, 100 * S));

    #[test]
    fn what_is_younger_than_the_retention_was_not_for_it_to_take() {
        let log = log(&[], 100);
        let age =
            |from: u64, to: u64| log.expired(rules(&[("retention.ms", "30000")]), Some(3), Some((from, to)));
        assert_eq!(age(60 * S, 60 * S), Yes);
        assert_eq!(age(75 * S, 75 * S), No);
        // A timestamp that the broker sets is between sending and ack.
        assert_eq!(age(60 * S, 80 * S), Maybe);
        assert_eq!(age(60 * S, u64::MAX), Maybe);
        // The broker's clock may be slightly ahead.
        assert_eq!((age(70 * S + S / 2, 70 * S + S / 2), age(72 * S, 72 * S)), (Yes, No));
        assert_eq!(
            log.expired(rules(&[("retention.ms", "30000")]), Some(3), None),
            Maybe,
            "a saved ledger's"
        );
        assert_eq!(log.expired(rules(&[("retention.ms", "-1")]), Some(3), Some((0, 0))), No);
        assert_eq!(log.expired(rules(&[("cleanup.policy", "compact")]), Some(3), Some((0, 0))), No);
    }

    #[test]
    fn only_what_lies_below_the_logs_start_can_have_expired() {
        let old = Some((0, 0));
        let mut log = log(&[], 100);
        let rules = rules(&[("retention.ms", "30000")]);
        assert_eq!((log.expired(rules, Some(49), old), log.expired(rules, Some(50), old)), (Yes, No));
        // Without an offset, it may have been at this offset or above.
        assert_eq!(log.expired(rules, None, old), Maybe);
        assert_eq!(log.expired(rules, None, NOW), No);
        log.reported = Some((0, 100));
        assert_eq!((log.expired(rules, None, old), log.expired(Rules::Unknown, None, old)), (No, No));
        // A broker that does not report its log start may have moved it past everything.
        log.reported = None;
        assert_eq!((log.expired(rules, Some(70), old), log.expired(rules, Some(70), NOW)), (Maybe, No));
    }

    #[test]
    fn what_lies_behind_it_counts_with_the_records_of_others() {
        let bytes = |limit: &str, log: &PartitionLog, place| {
            let settings = [("retention.ms", WEEK), ("retention.bytes", limit), ("segment.bytes", "0")];
            log.expired(rules(&settings), place, NOW)
        };
        let own = log(&[], 100);
        // 90 messages of 100 bytes follow.
        assert_eq!((bytes("9000", &own, Some(9)), bytes("9001", &own, Some(9))), (Yes, No));
        let known = log(&[300, 200], 102);
        assert_eq!((bytes("9500", &known, Some(9)), bytes("9501", &known, Some(9))), (Yes, No));
        // Three more records that were not read may have any size.
        let unread = log(&[], 103);
        assert_eq!((bytes("9000", &unread, Some(9)), bytes("900000000", &unread, Some(9))), (Yes, Maybe));
        // Not if the broker accepts no batches of that size.
        let small = [("retention.bytes", "10000"), ("max.message.bytes", "300"), ("segment.bytes", "0")];
        assert_eq!(unread.expired(rules(&small), Some(9), NOW), No);
        assert_eq!(unread.expired(rules(&small), Some(8), NOW), Maybe);
        assert_eq!(bytes("1", &own, None), Maybe, "without a place");
        // Acks exceed the end that the broker reports.
        assert_eq!(bytes("9000", &log(&[], 20), Some(9)), Yes);
    }

    #[test]
    fn the_segment_of_a_record_may_be_too_much() {
        let log = log(&[], 100);
        let of = |segment: &[(&str, &str)], limit| {
            let settings: Vec<_> = segment.iter().copied().chain([("retention.bytes", limit)]).collect();
            log.expired(rules(&settings), Some(49), NOW)
        };
        assert_eq!((of(&[], "5000"), of(&[], "5001"), of(&[], "10001")), (Yes, Maybe, No));
        let segment = [("segment.bytes", "1000")];
        assert_eq!((of(&segment, "6000"), of(&segment, "6001")), (Maybe, No));
    }

    #[test]
    fn an_end_marker_counts_as_a_message() {
        let contents = Contents::of([], &[Marker { number: 0, offset: 7 }], &[]);
        assert_eq!(contents.from(0, 8), Behind { own: 1, unknown: 7, ..Behind::default() });
    }

    #[test]
    fn nobody_knows_what_unknown_settings_remove() {
        let log = log(&[], 100);
        assert_eq!(
            (log.expired(Rules::Unknown, Some(3), NOW), log.expired(Rules::Unknown, Some(50), NOW)),
            (Maybe, No)
        );
    }
}
