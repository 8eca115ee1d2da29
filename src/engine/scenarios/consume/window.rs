//! The answer window of a blocked reader: how long a broker has answered without returning an acked record.
//!
//! Decides which answers count.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::ids::Offset;
use crate::kafka::probe::FetchProbe;
use crate::kafka::{Code, code_words};
use crate::units::times;

/// One answer of a broker to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BrokerAnswer {
    pub(super) code: Code,
    /// It returned records from the reader's offset on.
    pub(super) records: bool,
    /// The reported log start.
    pub(super) start: Option<Offset>,
    /// The reported log end.
    pub(super) end: Option<Offset>,
    /// The last stable offset, for `read_committed`.
    pub(super) stable: Option<Offset>,
}

impl BrokerAnswer {
    /// The answer to a wire probe at this offset.
    pub(super) fn of(probe: &FetchProbe, at: Offset, committed: bool) -> Self {
        Self {
            code: probe.code,
            records: probe.gives(at),
            start: probe.log_start,
            end: probe.high_watermark,
            stable: probe.last_stable_offset.filter(|_| committed),
        }
    }
}

/// Whether the last answer counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// No answer since the window began.
    None,
    Counted,
    /// It did not count, so the window restarted.
    NotCounted,
}

/// The window, and the answers in it.
#[derive(Debug)]
pub(super) struct AnswerWindow {
    pub(super) since: Instant,
    last: Last,
    codes: BTreeMap<Code, u64>,
    empty: u64,
    /// Number of answers with records from the reader's offset on, of which the reader gets none.
    given: u64,
    start: Option<Offset>,
    end: Option<Offset>,
}

impl AnswerWindow {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            last: Last::None,
            codes: BTreeMap::new(),
            empty: 0,
            given: 0,
            start: None,
            end: None,
        }
    }

    /// A record arrived: restarts the window.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self::new(now);
    }

    /// There was no answer, or one that proves nothing about the record: restarts the window.
    pub(super) fn not_counted(&mut self, now: Instant) {
        self.restart(now);
        self.last = Last::NotCounted;
    }

    /// Evaluates an answer for a reader at one offset that waits for records up to another. Returns the last
    /// stable offset if it may block the reader. If it is after the reader's offset, compaction may have
    /// removed all records before it.
    pub(super) fn see(
        &mut self,
        look: &BrokerAnswer,
        (at, to): (Offset, Offset),
        now: Instant,
    ) -> Option<Offset> {
        let ahead = |stable: Offset| stable <= to && look.end.is_some_and(|end| stable < end);
        let answers = look.code.is_none() && !look.records;
        let held_up = look.stable.filter(|stable| answers && (*stable <= at || ahead(*stable)));
        let outside = look.code == OUT_OF_RANGE && look.start.is_some_and(|start| at < start);
        // Records are returned now and were not before, or the reverse. So something has changed.
        let changed = self.last == Last::Counted && look.records != (self.given > 0);
        if changed || outside || held_up.is_some() || is_denied(look.code) {
            self.not_counted(now);
            return held_up;
        }
        self.last = Last::Counted;
        if look.records {
            self.given += 1;
        } else if look.code.is_none() {
            self.empty += 1;
        } else {
            *self.codes.entry(look.code).or_default() += 1;
        }
        self.start = look.start.or(self.start);
        self.end = look.end.or(self.end);
        None
    }

    /// Whether the window has lasted this long, and all its answers count.
    pub(super) fn is_over(&self, after: Duration, now: Instant) -> bool {
        self.last == Last::Counted && now.saturating_duration_since(self.since) >= after
    }

    /// Whether the broker returns records that no client can read.
    pub(super) const fn is_given(&self) -> bool {
        self.given > 0
    }

    /// Whether a verdict is possible: all answers so far have counted.
    pub(super) fn is_open(&self) -> bool {
        self.last != Last::NotCounted
    }

    /// The answers as a phrase.
    pub(super) fn answers(&self) -> String {
        let mut codes: Vec<(&Code, &u64)> = self.codes.iter().collect();
        codes.sort_by_key(|(code, count)| (std::cmp::Reverse(**count), **code));
        let mut parts: Vec<String> =
            codes.into_iter().map(|(code, count)| format!("{} {}", name(*code), times(*count))).collect();
        if self.empty > 0 {
            parts.push(format!("no records {}", times(self.empty)));
        }
        parts.extend(self.start.filter(|start| *start > 0).map(|start| format!("reported start {start}")));
        parts.extend(self.end.map(|end| format!("reported end {end}")));
        parts.join(", ")
    }
}

const OUT_OF_RANGE: Code = Code(1);

/// Kafka's name of a code. librdkafka uses another name for -1.
fn name(code: Code) -> String {
    if code == Code(-1) { "UNKNOWN_SERVER_ERROR".to_owned() } else { code_words(&code.name()) }
}

/// TOPIC_, GROUP_ and CLUSTER_AUTHORIZATION_FAILED, and UNSUPPORTED_VERSION. These concern the client, not the record.
const fn is_denied(code: Code) -> bool {
    matches!(code.0, 29 | 30 | 31 | 35)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(90);

    fn look(code: i32) -> BrokerAnswer {
        BrokerAnswer { code: Code(code), records: false, start: Some(0), end: Some(12), stable: None }
    }

    /// A window with these answers at offset 20, one per second; and whether it is over after 90 s.
    fn over(looks: &[BrokerAnswer]) -> (bool, AnswerWindow) {
        let start = Instant::now();
        let mut window = AnswerWindow::new(start);
        for (second, look) in (0..).zip(looks) {
            window.see(look, (20, 30), start + Duration::from_secs(second));
        }
        (window.is_over(AFTER, start + AFTER), window)
    }

    #[test]
    fn any_code_counts_and_so_do_answers_without_records_whatever_end_is_reported() {
        for looks in [vec![look(-1); 3], vec![look(1)], vec![look(7), look(0)], vec![look(6)]] {
            assert!(over(&looks).0, "{looks:?}");
        }
        let beyond = BrokerAnswer { end: Some(500), ..look(0) };
        assert!(over(&[beyond]).0);
        assert!(!over(&[]).0, "nobody looked");
    }

    #[test]
    fn what_says_nothing_of_the_record_begins_the_window_again() {
        let stable = BrokerAnswer { stable: Some(20), ..look(0) };
        let outside = BrokerAnswer { start: Some(30), ..look(1) };
        let records = BrokerAnswer { records: true, ..look(0) };
        for bad in [look(29), look(30), look(31), look(35), stable, outside, records] {
            let (is_over, window) = over(&[look(-1), bad, look(-1)]);
            assert!(!is_over, "{bad:?}");
            assert!(window.is_open());
            assert!(window.is_over(AFTER, window.since + AFTER), "from then on it counts again");
            assert!(!over(&[look(-1), bad]).1.is_open());
        }
        let (_, mut window) = over(&[look(-1)]);
        window.not_counted(Instant::now());
        assert!(!window.is_open());
    }

    #[test]
    fn records_that_are_given_and_not_got_count_by_themselves() {
        let given = BrokerAnswer { records: true, ..look(0) };
        let (is_over, window) = over(&[given, given]);
        assert!(is_over && window.is_given());
        let (is_over, window) = over(&[given, given, look(0)]);
        assert!(!is_over && !window.is_given());
    }

    #[test]
    fn a_last_stable_offset_is_named_where_it_holds_the_reader_up() {
        let now = Instant::now();
        let mut window = AnswerWindow::new(now);
        let mut see = |look: &BrokerAnswer| window.see(look, (20, 30), now);
        assert_eq!(see(&BrokerAnswer { stable: Some(20), ..look(0) }), Some(20));
        let ahead = |stable| BrokerAnswer { stable: Some(stable), end: Some(40), ..look(0) };
        assert_eq!(see(&ahead(25)), Some(25), "what lies before it may be gone");
        assert_eq!(see(&ahead(31)), None, "it holds up none of what is to come");
        assert_eq!(see(&BrokerAnswer { end: Some(25), ..ahead(25) }), None, "no transaction is open");
        assert_eq!(see(&BrokerAnswer { records: true, ..ahead(25) }), None);
        assert_eq!(see(&look(0)), None);
    }

    #[test]
    fn the_answers_are_a_phrase() {
        let looks = [look(-1), look(7), look(-1), look(0)];
        let answers = over(&looks).1.answers();
        assert_eq!(
            answers,
            "UNKNOWN_SERVER_ERROR 2 times, REQUEST_TIMED_OUT once, no records once, reported end 12"
        );
    }

    #[test]
    fn bytes_before_the_offset_are_no_records() {
        let batch = |base_offset| crate::kafka::probe::BatchHeader {
            base_offset,
            length: 50,
            last_offset_delta: 4,
            records: 5,
            crc_ok: Some(true),
        };
        let probe = |base| FetchProbe {
            code: Code::NONE,
            null_records: false,
            record_bytes: 62,
            behind_control: None,
            high_watermark: Some(30),
            log_start: None,
            last_stable_offset: Some(30),
            batch: Some(batch(base)),
            version: 11,
        };
        assert!(!BrokerAnswer::of(&probe(15), 20, false).records);
        assert!(BrokerAnswer::of(&probe(16), 20, false).records);
        assert_eq!(BrokerAnswer::of(&probe(16), 20, true).stable, Some(30));
    }
}
