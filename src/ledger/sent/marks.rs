//! Approximate times of numbered events in little memory: one mark now and then.
//!
//! Marks are a tenth of a second apart at first. If they run out, every second one is dropped.

/// The shortest time between two marks, at first.
const FINEST_US: u64 = 100_000;
const MOST: usize = 512;

/// A time that is known to be between two others, in microseconds since the start of the run.
pub type Between = (u64, u64);

/// Marks of a growing number over time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    /// Number and time, both growing.
    list: Vec<(u64, u64)>,
    /// Before this time no further mark is set.
    next_us: u64,
    /// The time between two marks is [`FINEST_US`] doubled so often.
    doubled: u32,
    /// The last thing that happened.
    last: (u64, u64),
}

impl Marks {
    /// Number `number` happened at this time. Numbers below an earlier one are left out.
    pub(crate) fn at(&mut self, number: u64, at_us: u64) {
        if number < self.last.0 {
            return;
        }
        self.last = (number, at_us);
        if at_us < self.next_us {
            return;
        }
        if self.list.len() == MOST {
            let mut keep = false;
            self.list.retain(|_| {
                keep = !keep;
                keep
            });
            self.doubled += 1;
        }
        self.list.push((number, at_us));
        self.next_us = at_us.saturating_add(FINEST_US << self.doubled.min(32));
    }

    /// Those of another one; in their order.
    pub(crate) fn of(all: &[(u64, u64)]) -> Self {
        Self { list: all.to_vec(), last: all.last().copied().unwrap_or_default(), ..Self::default() }
    }

    /// All of them, and the last thing that happened.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let last = self.list.last().is_some_and(|mark| *mark != self.last).then_some(self.last);
        self.list.iter().copied().chain(last)
    }

    /// Between which times a number happened; none where none so high or so low did.
    pub(crate) fn when(&self, number: u64) -> Option<Between> {
        if number > self.last.0 {
            return None;
        }
        let behind = self.list.partition_point(|(other, _)| *other <= number);
        let (_, from) = self.list[behind.checked_sub(1)?];
        let to = self.list.get(behind).map_or(self.last.1, |(_, at)| *at);
        Some((from, to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_time_lies_between_the_two(steps in prop::collection::vec((1_u64..50, 0_u64..300_000), 0..3000)) {
            let mut marks = Marks::default();
            let (mut number, mut at) = (0, 0);
            let mut all = Vec::new();
            for (up, later) in steps {
                number += up;
                at += later;
                marks.at(number, at);
                all.push((number, at));
            }
            prop_assert!(marks.list.len() <= MOST);
            let widest = (FINEST_US + 300_000) << marks.doubled;
            let again = Marks::of(&marks.iter().collect::<Vec<_>>());
            for (number, at) in all {
                let (from, to) = again.when(number).expect("it was kept");
                prop_assert!(from <= at && at <= to);
                let (from, to) = marks.when(number).expect("it happened");
                prop_assert!(from <= at && at <= to, "{number}: {at} is not in {from}..{to}");
                prop_assert!(to - from <= widest);
            }
            prop_assert_eq!(marks.when(number + 1), None);
        }
    }
}
