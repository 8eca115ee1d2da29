//! The messages in flight to one partition, stored as runs of similar messages. So memory depends on the number of
//! batches.

use std::collections::VecDeque;

use super::retries::Count;
use crate::ids::Seq;

/// The data of a message in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pending {
    /// When it was due (open loop) or created (closed loop), in microseconds since the start of the run.
    pub(super) from_us: u64,
    pub(super) bytes: u64,
    /// The number of requeued batches of its partition when it was sent.
    pub(super) behind: Count,
}

/// The messages of one stream that have not ended, by sequence.
#[derive(Debug, Default)]
pub(super) struct Flight {
    runs: VecDeque<InFlightRun>,
}

#[derive(Debug)]
struct InFlightRun {
    seq: Seq,
    len: u64,
    /// Number of messages that have not ended.
    left: u64,
    pending: Pending,
}

impl InFlightRun {
    const fn end(&self) -> Seq {
        self.seq + self.len
    }
}

impl Flight {
    /// Adds the stream's next message.
    pub(super) fn push(&mut self, seq: Seq, pending: Pending) {
        match self.runs.back_mut() {
            Some(run) if run.end() == seq && run.pending == pending => {
                run.len += 1;
                run.left += 1;
            }
            _ => self.runs.push_back(InFlightRun { seq, len: 1, left: 1, pending }),
        }
    }

    /// Removes the last message, which was not sent.
    pub(super) fn take_back(&mut self) -> Option<Pending> {
        let run = self.runs.back_mut()?;
        let pending = run.pending;
        run.len -= 1;
        run.left -= 1;
        if run.len == 0 {
            self.runs.pop_back();
        }
        Some(pending)
    }

    /// The lowest sequence in flight.
    pub(super) fn first(&self) -> Option<Seq> {
        self.runs.front().map(|run| run.seq)
    }

    /// Counts the messages in flight that match. Visits all runs.
    pub(super) fn count(&self, is_so: impl Fn(&Pending) -> bool) -> u64 {
        self.runs.iter().filter(|run| is_so(&run.pending)).map(|run| run.left).sum()
    }

    /// Removes `len` messages from `seq` on, which have ended. `on` gets them in runs of similar messages,
    /// with first sequence and length.
    pub(super) fn end(&mut self, seq: Seq, len: u64, mut on: impl FnMut(Seq, u64, &Pending)) {
        let (mut seq, end) = (seq, seq + len);
        // Messages end in the order of sending, except for retries. So this is nearly always the first run.
        let mut at = match self.runs.front() {
            Some(first) if seq < first.end() => 0,
            _ => self.runs.partition_point(|run| run.end() <= seq),
        };
        while seq < end
            && let Some(run) = self.runs.get_mut(at)
            && run.seq <= seq
        {
            let part = end.min(run.end()) - seq;
            run.left = run.left.saturating_sub(part);
            on(seq, part, &run.pending);
            seq += part;
            at += 1;
        }
        while self.runs.front().is_some_and(|run| run.left == 0) {
            self.runs.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pending(from_us: u64) -> Pending {
        Pending { from_us, bytes: 7, behind: Count::default() }
    }

    #[test]
    fn what_is_taken_back_never_flew() {
        let mut flight = Flight::default();
        flight.push(0, pending(1));
        flight.push(1, pending(2));
        assert_eq!(flight.take_back(), Some(pending(2)));
        flight.push(1, pending(3));
        let mut ended = Vec::new();
        flight.end(0, 2, |seq, len, pending| ended.push((seq, len, pending.from_us)));
        assert_eq!(ended, [(0, 1, 1), (1, 1, 3)]);
        assert_eq!(flight.take_back(), None);
    }

    proptest! {
        #[test]
        fn each_ends_once_with_what_it_was_sent_with(
            times in prop::collection::vec(0_u64..3, 1..60),
            cuts in prop::collection::vec(1_u64..10, 0..30),
            turns in prop::collection::vec(any::<prop::sample::Index>(), 60),
        ) {
            let mut flight = Flight::default();
            for (seq, time) in (0..).zip(&times) {
                flight.push(seq, pending(*time));
            }
            // Runs of different lengths that end in another order.
            let (mut parts, mut seq) = (Vec::new(), 0);
            for len in cuts.into_iter().chain(std::iter::repeat(1)) {
                let len = len.min(times.len() as u64 - seq);
                if len == 0 {
                    break;
                }
                parts.push((seq, len));
                seq += len;
            }
            for (at, turn) in turns.iter().enumerate().take(parts.len()) {
                let other = turn.index(parts.len());
                parts.swap(at, other);
            }
            let mut ended = Vec::new();
            for (seq, len) in parts {
                flight.end(seq, len, |seq, len, pending| {
                    ended.extend((seq..seq + len).map(|seq| (seq, pending.from_us)));
                });
            }
            ended.sort_unstable();
            let expected: Vec<_> = (0..).zip(times).collect();
            prop_assert_eq!(ended, expected);
            prop_assert!(flight.runs.is_empty());
        }
    }
}
