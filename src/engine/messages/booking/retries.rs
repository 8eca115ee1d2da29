//! Counts how often batches of a partition were requeued for a retry, to determine which messages may be written twice.
//!
//! For an idempotent producer, requeued batches are counted only after its producer id or epoch changed, because
//! brokers drop duplicates with the same id and epoch.

use crate::ledger::{Resent, SentLog, WentBack};

/// Number of requeued batches of one partition at some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    all: u32,
    /// Batches with an earlier attempt that may have been written.
    maybe_written: u32,
}

impl Count {
    fn add(&mut self, maybe_written: bool) {
        self.all = self.all.saturating_add(1);
        self.maybe_written = self.maybe_written.saturating_add(u32::from(maybe_written));
    }
}

/// Requeued batches of one partition.
#[derive(Debug, Default)]
pub(super) struct PartitionRetries {
    /// All requeued batches so far.
    seen: Count,
    /// The part of `seen` that can explain a duplicate.
    booked: Count,
    /// The part of `seen` that is not booked yet, with the time and the error of the last one.
    held: WentBack,
    last: (u64, String),
}

impl PartitionRetries {
    /// The counts to store with a message that is sent now.
    pub(super) const fn now(&self) -> Count {
        self.seen
    }

    pub(super) fn went_back(
        &mut self,
        idempotent: bool,
        (at_us, text): (u64, &str),
        messages: u32,
        maybe_written: bool,
        log: &mut SentLog,
    ) {
        self.seen.add(maybe_written);
        if idempotent {
            self.held.add(u64::from(messages), maybe_written);
            self.last = (at_us, text.to_owned());
        } else {
            self.booked = self.seen;
            log.went_back(at_us, text, u64::from(messages), maybe_written);
        }
    }

    /// Records that the producer got another id or epoch, so earlier requeued batches may be written twice. `in_flight`
    /// counts the messages that may be among them: those sent before the last known requeue.
    pub(super) fn identity_changed(&mut self, in_flight: impl FnOnce(Count) -> u64, log: &mut SentLog) {
        if self.booked == self.seen {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        held.at_most(in_flight(self.seen));
        self.booked = self.seen;
        log.all_went_back(self.last.0, &self.last.1, &held);
    }

    /// Records that log lines about requeued batches were lost, so any message that was sent before may have been
    /// requeued.
    pub(super) fn lost_lines(&mut self, at_us: u64, text: &str, log: &mut SentLog) {
        self.seen.add(true);
        self.booked = self.seen;
        log.lost_lines(at_us, text);
    }

    /// The retries that a message may have had between these counts and now.
    pub(super) fn since(&self, then: Count) -> Resent {
        if self.booked.maybe_written > then.maybe_written {
            Resent::MaybeWritten
        } else if self.booked.all > then.all {
            Resent::Unwritten
        } else {
            Resent::No
        }
    }
}

impl Count {
    /// Whether a batch was requeued between `then` and this.
    pub(super) const fn is_after(self, then: Self) -> bool {
        self.all > then.all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::Bound;

    #[test]
    fn what_goes_back_under_one_identity_explains_nothing() {
        let (mut retries, mut log) = (PartitionRetries::default(), SentLog::default());
        let sent = retries.now();
        retries.went_back(true, (1, "x"), 10, true, &mut log);
        assert_eq!((retries.since(sent), log.repeats()), (Resent::No, Bound::default()));
        let between = retries.now();
        retries.identity_changed(|_| 100, &mut log);
        assert_eq!(retries.since(sent), Resent::MaybeWritten);
        assert_eq!(retries.since(between), Resent::No, "it was sent after that");
        assert_eq!(log.repeats(), Bound { messages: 10, batches: 1, lines_lost: false });
        retries.went_back(true, (2, "x"), 7, true, &mut log);
        assert_eq!(log.repeats().messages, 10);
        assert_eq!(retries.since(retries.now()), Resent::No);
    }

    #[test]
    fn a_change_explains_no_more_than_was_in_flight() {
        let (mut retries, mut log) = (PartitionRetries::default(), SentLog::default());
        for at in 0..5 {
            retries.went_back(true, (at, "x"), 10, at == 0, &mut log);
        }
        retries.identity_changed(|_| 4, &mut log);
        assert_eq!(log.repeats(), Bound { messages: 4, batches: 1, lines_lost: false });
        assert_eq!(log.reorders(), Bound { messages: 4, batches: 5, lines_lost: false });
        retries.identity_changed(|_| 4, &mut log);
        assert_eq!(log.reorders().messages, 4, "nothing went back since");
    }

    #[derive(Debug, Clone)]
    enum RetryStep {
        Back(u32, bool),
        Change,
        Lost,
    }

    proptest! {
        /// Checks a model: for an idempotent producer, the booked batches are those requeued up to the last
        /// change of its identity; otherwise all.
        #[test]
        fn what_is_booked_is_what_went_back_before_the_last_change(
            idempotent in any::<bool>(),
            steps in prop::collection::vec(
                prop_oneof![
                    6 => (0_u32..50, any::<bool>()).prop_map(|(n, maybe)| RetryStep::Back(n, maybe)),
                    2 => Just(RetryStep::Change),
                    1 => Just(RetryStep::Lost),
                ],
                0..40,
            ),
        ) {
            let (mut retries, mut log) = (PartitionRetries::default(), SentLog::default());
            let (mut held, mut booked, mut lost) = (Vec::new(), Vec::new(), false);
            let (mut eligible, sent) = (false, retries.now());
            for step in steps {
                match step {
                    RetryStep::Back(messages, maybe) => {
                        retries.went_back(idempotent, (0, ""), messages, maybe, &mut log);
                        held.push((messages, maybe));
                    }
                    RetryStep::Change if idempotent => retries.identity_changed(|_| u64::MAX, &mut log),
                    RetryStep::Change => {}
                    RetryStep::Lost => {
                        retries.lost_lines(0, "", &mut log);
                        (lost, eligible) = (true, true);
                    }
                }
                if !idempotent || matches!(step, RetryStep::Change) {
                    booked.append(&mut held);
                }
                eligible |= !booked.is_empty();
            }
            let sum = |of: &dyn Fn(&&(u32, bool)) -> bool| Bound {
                messages: booked.iter().filter(of).map(|(n, _)| u64::from(*n)).sum(),
                batches: booked.iter().filter(of).count() as u64,
                lines_lost: lost,
            };
            // Batches that are held when lines are lost are booked by a later change only if more were requeued,
            // because the loss includes them.
            if !lost || !idempotent {
                prop_assert_eq!(log.reorders(), sum(&|_| true));
                prop_assert_eq!(log.repeats(), sum(&|(_, maybe)| *maybe));
            }
            prop_assert_eq!(retries.since(sent) > Resent::No, eligible);
        }
    }
}
