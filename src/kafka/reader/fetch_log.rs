//! Evaluates the log lines of a reader's client about its fetches, under `debug=fetch,msg`.
//!
//! They prove that a client received a whole batch and could not decode it. Time without a record proves nothing on a
//! busy machine. The client fetches at an offset, receives the whole batch, returns no record of it, and fetches at the
//! same offset again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ids::Offset;

/// The debug contexts that log fetches.
pub(crate) const DEBUG: &str = "fetch,msg";

/// Number of such answers after which a batch counts as undecodable, if its length is known.
const WHOLE: u32 = 2;
/// The same if the header has a greater length than any answer. librdkafka doubles its limit after each answer.
const CUT: u32 = 6;

/// Watches the log lines of the client of one partition.
#[derive(Default)]
pub(crate) struct FetchLog(Mutex<FetchState>);

#[derive(Default)]
struct FetchState {
    /// Length of the batch, if known.
    bytes: u64,
    /// Offset of the client's last request.
    at: Option<Offset>,
    /// Bytes of records in the last answer.
    answered: u64,
    /// Answers at this offset without a record: with the whole batch, and with less.
    open: (u32, u32),
    /// Those answers after which the client fetched at the same offset again.
    stood: (u32, u32),
}

impl FetchLog {
    fn lock(&self) -> MutexGuard<'_, FetchState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resets it before a client starts to fetch a batch of this size.
    pub(crate) fn begin(&self, bytes: u64) {
        *self.lock() = FetchState { bytes, ..FetchState::default() };
    }

    /// Processes a log line.
    pub(crate) fn line(&self, facility: &str, text: &str) {
        let after = |part: &str| text.split_once(part).map(|(_, rest)| rest);
        match facility {
            "FETCH" => {
                if let Some(at) = after("] at offset ").and_then(number) {
                    self.lock().asks(at);
                } else if let Some(bytes) = after("] MessageSet size ").and_then(number) {
                    self.lock().answered = u64::try_from(bytes).unwrap_or(0);
                }
            }
            "CONSUME" => {
                if let Some(records) = after("Enqueue ").and_then(number) {
                    self.lock().gets(records);
                }
            }
            _ => {}
        }
    }

    /// The client fetched after this offset, so it has returned all records up to it.
    pub(crate) fn is_past(&self, offset: Offset) -> bool {
        self.lock().at.is_some_and(|at| at > offset)
    }

    /// The client received the data at its offset repeatedly, and returned no record of it.
    pub(crate) fn is_undecodable(&self) -> bool {
        let (whole, cut) = self.lock().stood;
        whole >= WHOLE || cut >= CUT
    }
}

impl FetchState {
    fn asks(&mut self, at: Offset) {
        if self.at == Some(at) {
            self.stood = self.open;
        } else {
            *self = Self { bytes: self.bytes, at: Some(at), ..Self::default() };
        }
    }

    fn gets(&mut self, records: i64) {
        if records > 0 {
            (self.open, self.stood) = Default::default();
        } else if self.answered >= self.bytes {
            self.open.0 += 1;
        } else {
            self.open.1 += 1;
        }
    }
}

/// The number at the start of a text.
fn number(text: &str) -> Option<i64> {
    let end = text.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(log: &FetchLog, at: Offset) {
        let text = format!(
            "127.0.0.1:9092/0: Fetch topic orders [3] at offset {at} (leader epoch 0, current leader epoch 0, v2)"
        );
        log.line("FETCH", &text);
        log.line("FETCH", "127.0.0.1:9092/0: Fetch 1/1/1 toppar(s)");
    }

    fn gets(log: &FetchLog, bytes: u64, records: u32) {
        log.line(
            "FETCH",
            &format!(
                "127.0.0.1:9092/0: Topic orders [3] MessageSet size {bytes}, error \"Success\", MaxOffset 50, LSO 50, Ver 2/2"
            ),
        );
        log.line(
            "CONSUME",
            &format!(
                "127.0.0.1:9092/0: Enqueue {records} message(s) (0 bytes, 0 ops) on orders [3] fetch queue (qlen 0, v2, last_offset -1, 0 ctrl msgs, 0 aborted msgsets, uncompressed)"
            ),
        );
    }

    #[test]
    fn only_a_client_that_asks_again_for_what_it_got_whole_proves_it() {
        let log = FetchLog::default();
        log.begin(300);
        for _ in 0..2 {
            assert!(!log.is_undecodable());
            asks(&log, 10);
            gets(&log, 300, 0);
        }
        assert!(!log.is_undecodable(), "it may be about to go on");
        asks(&log, 10);
        assert!(log.is_undecodable() && !log.is_past(10));
        log.begin(300);
        assert!(!log.is_undecodable(), "another batch");
    }

    #[test]
    fn time_without_answers_and_empty_answers_prove_nothing() {
        let log = FetchLog::default();
        log.begin(300);
        for _ in 0..100 {
            asks(&log, 10);
            // An empty answer has no second line.
            log.line("FETCH", "127.0.0.1:9092/0: Topic orders [3] MessageSet size 0, error \"Success\"");
        }
        assert!(!log.is_undecodable());
    }

    #[test]
    fn a_batch_of_which_no_record_is_left_is_passed() {
        let log = FetchLog::default();
        log.begin(61);
        asks(&log, 10);
        gets(&log, 61, 0);
        asks(&log, 15);
        assert!(log.is_past(14) && !log.is_past(15) && !log.is_undecodable());
    }

    #[test]
    fn records_on_the_way_begin_the_count_anew() {
        let log = FetchLog::default();
        log.begin(300);
        for at in [10, 12] {
            asks(&log, at);
            gets(&log, 300, 2);
        }
        for _ in 0..2 {
            asks(&log, 14);
            gets(&log, 300, 0);
        }
        assert!(!log.is_undecodable());
        asks(&log, 14);
        assert!(log.is_undecodable(), "decoded up to 13, and no further");
    }

    #[test]
    fn answers_that_hold_less_than_the_batch_count_for_less() {
        let log = FetchLog::default();
        log.begin(1 << 40);
        asks(&log, 10);
        for again in 1..=CUT {
            assert!(!log.is_undecodable(), "{again}");
            gets(&log, 300, 0);
            asks(&log, 10);
        }
        assert!(log.is_undecodable());
    }
}
