//! Messages that are staged but not yet passed to librdkafka, by partition, and the memory of those that librdkafka is
//! reading.
//!
//! Passing many messages of one partition costs little more than passing one. And because they are adjacent in memory,
//! librdkafka's broker thread finds them together when it builds their batch.

use std::collections::VecDeque;
use std::ops::Range;

use crate::ids::Partition;
use crate::kafka::ffi::{Placed, PlainMessage, Slab, SlabSlot};

/// Bytes of a slab with more than one value.
const SLAB: usize = 128 << 10;
/// Maximum total bytes of the slabs being filled, one per partition. With more partitions, slabs are smaller.
const OPEN: usize = 4 << 20;
/// Minimum bytes of such a slab.
const LEAST: usize = 32 << 10;

/// Staged messages and memory in use, by partition.
#[derive(Default)]
pub(crate) struct Staged {
    stages: Vec<StagedPartition>,
    /// The partitions with staged messages, each once.
    used: Vec<usize>,
    len: u64,
    /// Slabs that are not in use.
    spare: Vec<Slab>,
}

#[derive(Default)]
pub(crate) struct StagedPartition {
    /// The staged messages with their keys.
    pieces: Vec<StagedMessage>,
    keys: Vec<u8>,
    /// The last slab is being filled.
    slabs: VecDeque<Filled>,
}

struct StagedMessage {
    key: Option<Range<usize>>,
    value: Placed,
    tag: u64,
}

/// A slab and the highest tag in it.
struct Filled {
    slab: Slab,
    last: u64,
}

impl Staged {
    /// Adds one message. `fill` writes its value of `size` bytes, and a note about it for the next use. Tags increase
    /// within a partition.
    pub(crate) fn add(
        &mut self,
        (partition, tag): (Partition, u64),
        key: Option<&[u8]>,
        size: usize,
        fill: impl FnOnce(&mut [u8], &mut Option<u32>),
    ) {
        let at = usize::try_from(partition).unwrap_or(0);
        if self.stages.len() <= at {
            self.stages.resize_with(at + 1, StagedPartition::default);
        }
        let room = (OPEN / self.stages.len()).clamp(LEAST, SLAB);
        let stage = &mut self.stages[at];
        if stage.pieces.is_empty() {
            self.used.push(at);
        }
        let placed = match stage.slabs.back_mut() {
            Some(filled) if filled.slab.size() == size => filled.place(tag),
            _ => None,
        };
        let (value, slot) = match placed {
            Some(placed) => placed,
            None => {
                let spare = self.spare.iter().rposition(|slab| slab.size() == size);
                let slab = spare.map_or_else(|| Slab::new(size, room), |at| self.spare.swap_remove(at));
                stage.slabs.push_back(Filled { slab, last: tag });
                let placed = stage.slabs.back_mut().and_then(|filled| filled.place(tag));
                placed.expect("a slab of which nothing is held has room")
            }
        };
        fill(slot.bytes, slot.note);
        let key = key.map(|key| {
            let from = stage.keys.len();
            stage.keys.extend_from_slice(key);
            from..stage.keys.len()
        });
        stage.pieces.push(StagedMessage { key, value, tag });
        self.len += 1;
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Calls `take` for each partition with staged messages. Messages that `take` leaves stay staged.
    pub(crate) fn each(&mut self, mut take: impl FnMut(Partition, &mut StagedPartition)) {
        let Self { stages, used, len, .. } = self;
        used.retain(|at| {
            let stage = &mut stages[*at];
            let before = stage.pieces.len();
            take(Partition::try_from(*at).unwrap_or(Partition::MAX), stage);
            *len -= (before - stage.pieces.len()) as u64;
            !stage.pieces.is_empty()
        });
    }

    /// Releases the message with this tag, because librdkafka has reported its delivery or will never accept it. Does
    /// nothing if the message was not staged here.
    pub(crate) fn release(&mut self, partition: Partition, tag: u64) {
        let Some(stage) = usize::try_from(partition).ok().and_then(|at| self.stages.get_mut(at)) else {
            return;
        };
        // Messages end in the order of sending, except for retries. So this is nearly always the first slab.
        let at = match stage.slabs.front() {
            Some(first) if tag <= first.last => 0,
            _ => stage.slabs.partition_point(|filled| filled.last < tag),
        };
        let Some(filled) = stage.slabs.get_mut(at) else { return };
        if filled.slab.release()
            && at + 1 < stage.slabs.len()
            && let Some(filled) = stage.slabs.remove(at)
        {
            self.spare.push(filled.slab);
        }
    }
}

impl Filled {
    fn place(&mut self, tag: u64) -> Option<(Placed, SlabSlot<'_>)> {
        let placed = self.slab.place()?;
        self.last = tag;
        Some(placed)
    }
}

impl StagedPartition {
    /// The staged messages from this index on.
    pub(crate) fn messages(&self, from: usize) -> impl Iterator<Item = PlainMessage<'_>> {
        self.pieces[from..].iter().map(|piece| {
            let key = piece.key.clone().map(|key| &self.keys[key]);
            PlainMessage { key, value: piece.value, tag: piece.tag }
        })
    }

    /// The tag of the message with this index, and the size of its value.
    pub(crate) fn piece(&self, index: usize) -> (u64, usize) {
        let piece = &self.pieces[index];
        (piece.tag, piece.value.len())
    }

    pub(crate) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Removes the messages before this index.
    pub(crate) fn drop_before(&mut self, index: usize) {
        self.pieces.drain(..index);
        if self.pieces.is_empty() {
            self.keys.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(staged: &mut Staged, partition: Partition, tag: u64, key: Option<&str>, value: &str) {
        staged.add((partition, tag), key.map(str::as_bytes), value.len(), |bytes, _| {
            bytes.copy_from_slice(value.as_bytes());
        });
    }

    /// Partition, tag, key, and the address of the value.
    fn all_staged(staged: &mut Staged) -> Vec<(Partition, u64, Option<String>, usize)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut found = Vec::new();
        staged.each(|partition, stage| {
            found.extend(stage.messages(0).map(|m| (partition, m.tag, m.key.map(text), m.value.address())));
        });
        found
    }

    fn hand_over(staged: &mut Staged) {
        staged.each(|_, stage| stage.drop_before(stage.len()));
    }

    #[test]
    fn what_is_left_stays_whole_and_in_order() {
        let mut staged = Staged::default();
        add(&mut staged, 3, 1, Some("k"), "one");
        add(&mut staged, 0, 2, None, "two");
        add(&mut staged, 3, 3, Some(""), "three");
        add(&mut staged, 3, 4, Some("l"), "four");
        assert_eq!(staged.len(), 4);
        staged.each(|_, stage| stage.drop_before(1));
        assert_eq!(staged.len(), 2);
        let left = |staged: &mut Staged| -> Vec<_> {
            all_staged(staged).into_iter().map(|(partition, tag, key, _)| (partition, tag, key)).collect()
        };
        let two = [(3, 3, Some(String::new())), (3, 4, Some("l".to_owned()))];
        assert_eq!(left(&mut staged), two);
        add(&mut staged, 3, 5, None, "five");
        assert_eq!(left(&mut staged)[2], (3, 5, None));
        hand_over(&mut staged);
        assert_eq!((staged.len(), all_staged(&mut staged).len()), (0, 0));
        add(&mut staged, 0, 6, None, "six");
        assert_eq!(left(&mut staged), [(0, 6, None)]);
    }

    #[test]
    fn a_place_is_used_again_once_its_slab_is_released_and_never_before() {
        let value = "v".repeat(SLAB / 2);
        let mut staged = Staged::default();
        for tag in 1..=6 {
            add(&mut staged, 0, tag, None, &value);
        }
        let places: Vec<usize> = all_staged(&mut staged).iter().map(|found| found.3).collect();
        hand_over(&mut staged);
        let next = |staged: &mut Staged, partition, tag| {
            add(staged, partition, tag, None, &value);
            let place = all_staged(staged)[0].3;
            hand_over(staged);
            place
        };
        // The second slab ends first, as after a retry. One message of the first slab is still in use.
        for tag in [3, 1, 4] {
            staged.release(0, tag);
        }
        assert_eq!(next(&mut staged, 1, 7), places[2], "it is free for any partition");
        let other = next(&mut staged, 0, 8);
        assert!(!places.contains(&other), "2 is still held, and 5 and 6 are");
        staged.release(0, 2);
        staged.release(0, 99);
        assert_eq!(next(&mut staged, 2, 9), places[0]);
        // Values of another size use another slab.
        add(&mut staged, 2, 10, None, "small");
        assert!(all_staged(&mut staged)[0].3 != places[1]);
    }
}
