//! Sets of offsets, as ranges.

use crate::ids::Offset;

/// A set of offsets, as sorted ranges that do not overlap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(Offset, Offset)>);

impl Ranges {
    /// The union of ranges (first offset, offset after the last) in any order.
    pub(crate) fn of(mut ranges: Vec<(Offset, Offset)>) -> Self {
        ranges.sort_unstable();
        let mut out: Vec<(Offset, Offset)> = Vec::new();
        for (from, to) in ranges.into_iter().filter(|(from, to)| from < to) {
            match out.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => out.push((from, to)),
            }
        }
        Self(out)
    }

    pub(crate) fn contains(&self, offset: Offset) -> bool {
        self.meets(&(offset..offset + 1))
    }

    /// Whether the set contains some of these offsets.
    pub(crate) fn meets(&self, offsets: &std::ops::Range<Offset>) -> bool {
        let after = self.0.partition_point(|(_, to)| *to <= offsets.start);
        self.0.get(after).is_some_and(|(from, _)| *from < offsets.end)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn offsets(&self) -> impl Iterator<Item = Offset> + '_ {
        self.0.iter().flat_map(|(from, to)| *from..*to)
    }

    /// Its ranges: first offset, offset after the last.
    pub(crate) fn into_pairs(self) -> impl Iterator<Item = (Offset, Offset)> {
        self.0.into_iter()
    }

    /// The number of offsets.
    pub(crate) fn len(&self) -> u64 {
        self.0.iter().map(|(from, to)| (to - from).unsigned_abs()).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_sets_of_offsets(
            ranges in prop::collection::vec((0_i64..50, 0_i64..6), 0..10),
            asked in (0_i64..60, 0_i64..8),
        ) {
            let set: BTreeSet<i64> = ranges.iter().flat_map(|(from, len)| *from..from + len).collect();
            let found = Ranges::of(ranges.iter().map(|(from, len)| (*from, from + len)).collect());
            prop_assert_eq!(found.len(), set.len() as u64);
            prop_assert!(found.offsets().eq(set.iter().copied()));
            let offsets = asked.0..asked.0 + asked.1;
            if !offsets.is_empty() {
                prop_assert_eq!(found.meets(&offsets), (asked.0..asked.0 + asked.1).any(|offset| set.contains(&offset)));
            }
            prop_assert_eq!(found.contains(asked.0), set.contains(&asked.0));
        }
    }
}
