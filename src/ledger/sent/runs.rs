//! Compact storage for millions of messages: runs of sequences and offsets that grow together, and bit sets.
//!
//! A batch of messages is one run. A run takes 3 to 5 bytes, as differences from the previous run.

/// `len` messages from sequence `seq` on, at `len` offsets from `offset` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub seq: u64,
    pub offset: i64,
    pub len: u64,
}

impl Run {
    /// The sequence after the last one.
    pub const fn end(&self) -> u64 {
        self.seq + self.len
    }

    /// The offset of one of its messages.
    pub const fn offset_of(&self, seq: u64) -> i64 {
        self.offset + (seq - self.seq).cast_signed()
    }
}

/// Pairs of sequence and offset in the order of their insertion.
#[derive(Debug, Clone, Default)]
pub struct RunLog {
    bytes: Vec<u8>,
    /// The run that can still grow.
    open: Option<Run>,
    /// The end of the last closed run, to which the next one is relative.
    closed: (u64, i64),
    len: u64,
}

impl RunLog {
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), open: None, closed: (0, 0), len: 0 }
    }

    pub fn push(&mut self, seq: u64, offset: i64) {
        self.push_run(Run { seq, offset, len: 1 });
    }

    pub fn push_run(&mut self, run: Run) {
        if run.len == 0 {
            return;
        }
        self.len += run.len;
        if let Some(open) = &mut self.open {
            if run.seq == open.end() && run.offset == open.offset_of(run.seq) {
                open.len += run.len;
                return;
            }
            let open = *open;
            self.close(open);
        }
        self.open = Some(run);
    }

    fn close(&mut self, run: Run) {
        put(&mut self.bytes, zigzag(run.seq.wrapping_sub(self.closed.0).cast_signed()));
        put(&mut self.bytes, zigzag(run.offset.wrapping_sub(self.closed.1)));
        put(&mut self.bytes, run.len);
        self.closed = (run.end(), run.offset.wrapping_add(run.len.cast_signed()));
    }

    /// The number of pairs.
    pub const fn len(&self) -> u64 {
        self.len
    }

    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of allocated memory.
    pub const fn memory(&self) -> usize {
        self.bytes.capacity()
    }

    /// Its runs in the order of their insertion.
    pub fn runs(&self) -> impl Iterator<Item = Run> + '_ {
        let mut at = 0;
        let mut closed = (0_u64, 0_i64);
        std::iter::from_fn(move || {
            if at >= self.bytes.len() {
                return None;
            }
            let seq = closed.0.wrapping_add(unzigzag(take(&self.bytes, &mut at)).cast_unsigned());
            let offset = closed.1.wrapping_add(unzigzag(take(&self.bytes, &mut at)));
            let len = take(&self.bytes, &mut at);
            closed = (seq + len, offset.wrapping_add(len.cast_signed()));
            Some(Run { seq, offset, len })
        })
        .chain(self.open)
    }

    pub fn sorted(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = self.runs().collect();
        runs.sort_by_key(|run| run.seq);
        runs
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take(bytes: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    while let Some(byte) = bytes.get(*at) {
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    value
}

/// A set of sequences, one bit each.
#[derive(Debug, Clone, Default)]
pub struct Bits {
    words: Vec<u64>,
    len: u64,
}

impl Bits {
    /// Inserts a sequence. Returns whether it is new.
    pub fn insert(&mut self, seq: u64) -> bool {
        let (word, bit) = place(seq);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let fresh = self.words[word] & bit == 0;
        self.words[word] |= bit;
        self.len += u64::from(fresh);
        fresh
    }

    pub fn insert_range(&mut self, range: std::ops::Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (last, _) = place(range.end - 1);
        if last >= self.words.len() {
            self.words.resize(last + 1, 0);
        }
        for (word, mask) in masks(range) {
            self.len += u64::from((mask & !self.words[word]).count_ones());
            self.words[word] |= mask;
        }
    }

    pub fn insert_all(&mut self, other: &Self) {
        if other.words.len() > self.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            self.len += u64::from((more & !*word).count_ones());
            *word |= more;
        }
    }

    /// Whether the set contains the whole range.
    pub fn contains_range(&self, range: std::ops::Range<u64>) -> bool {
        masks(range).all(|(word, mask)| self.words.get(word).is_some_and(|w| w & mask == mask))
    }

    pub fn contains(&self, seq: u64) -> bool {
        let (word, bit) = place(seq);
        self.words.get(word).is_some_and(|w| w & bit != 0)
    }

    pub const fn len(&self) -> u64 {
        self.len
    }

    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl FromIterator<Run> for Bits {
    fn from_iter<T: IntoIterator<Item = Run>>(runs: T) -> Self {
        let mut bits = Self::default();
        for run in runs {
            bits.insert_range(run.seq..run.end());
        }
        bits
    }
}

/// The words that contain a range, each with the mask of its bits.
fn masks(range: std::ops::Range<u64>) -> impl Iterator<Item = (usize, u64)> {
    let words = if range.is_empty() { 0..0 } else { range.start / 64..(range.end - 1) / 64 + 1 };
    words.map(move |word| {
        let from = range.start.saturating_sub(word * 64);
        let to = (range.end - word * 64).min(64);
        let low = if to == 64 { u64::MAX } else { (1 << to) - 1 };
        (usize::try_from(word).unwrap_or(usize::MAX), low & (u64::MAX << from))
    })
}

fn place(seq: u64) -> (usize, u64) {
    (usize::try_from(seq / 64).unwrap_or(usize::MAX), 1 << (seq % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn batches_take_little() {
        let mut log = RunLog::new();
        for batch in 0..10_000_u64 {
            for i in 0..100 {
                // A batch of another producer is between any two batches.
                log.push(batch * 100 + i, (batch * 200 + i).cast_signed());
            }
        }
        assert_eq!(log.len(), 1_000_000);
        assert!(log.memory() < 100_000, "{}", log.memory());
    }

    proptest! {
        #[test]
        fn pairs_come_back_as_they_went(pairs in prop::collection::vec((0_u64..1000, -5_i64..1000), 0..300)) {
            let mut log = RunLog::new();
            for (seq, offset) in &pairs {
                log.push(*seq, *offset);
            }
            let back: Vec<_> = log.runs().flat_map(|r| (r.seq..r.end()).map(move |s| (s, r.offset_of(s)))).collect();
            prop_assert_eq!(log.len(), pairs.len() as u64);
            prop_assert_eq!(back, pairs);
        }

        #[test]
        fn far_apart_is_fine(pairs in prop::collection::vec((0_u64..1 << 48, any::<i32>()), 0..50)) {
            let mut log = RunLog::new();
            for (seq, offset) in &pairs {
                log.push(*seq, i64::from(*offset));
            }
            let back: Vec<_> = log.runs().flat_map(|r| (r.seq..r.end()).map(move |s| (s, r.offset_of(s)))).collect();
            let pairs: Vec<_> = pairs.into_iter().map(|(s, o)| (s, i64::from(o))).collect();
            prop_assert_eq!(back, pairs);
        }

        #[test]
        fn ranges_of_bits_are_their_members(
            ranges in prop::collection::vec((0_u64..300, 0_u64..150), 0..6),
            others in prop::collection::vec(0_u64..400, 0..40),
            asked in (0_u64..300, 0_u64..150),
        ) {
            let (mut bits, mut one_by_one, mut other) = (Bits::default(), Bits::default(), Bits::default());
            for (from, len) in ranges {
                bits.insert_range(from..from + len);
                (from..from + len).for_each(|seq| { one_by_one.insert(seq); });
            }
            for seq in others {
                other.insert(seq);
                one_by_one.insert(seq);
            }
            bits.insert_all(&other);
            prop_assert_eq!(bits.len(), one_by_one.len());
            let (from, to) = (asked.0, asked.0 + asked.1);
            let all = (from..to).all(|seq| one_by_one.contains(seq));
            prop_assert_eq!(bits.contains_range(from..to), all);
        }

        #[test]
        fn bits_are_a_set(seqs in prop::collection::vec(0_u64..500, 0..300)) {
            let mut bits = Bits::default();
            let mut set = std::collections::BTreeSet::new();
            for seq in seqs {
                prop_assert_eq!(bits.insert(seq), set.insert(seq));
            }
            prop_assert_eq!(bits.len(), set.len() as u64);
            for seq in 0..500 {
                prop_assert_eq!(bits.contains(seq), set.contains(&seq));
            }
        }
    }
}
