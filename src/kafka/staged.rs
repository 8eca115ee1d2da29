//! Messages made and not handed over yet, partition by partition.
//!
//! librdkafka takes many messages of one partition for little more than the price of one; and as it puts them side by side in
//! memory, its broker thread finds them together when it makes their batch, which counts once they are many.

use super::raw::Plain;
use crate::ids::Partition;

/// What waits, by partition.
#[derive(Default)]
pub(super) struct Staged {
    stages: Vec<Stage>,
    /// The partitions that have something, each once.
    used: Vec<usize>,
    len: u64,
}

/// What waits for one partition.
#[derive(Default)]
pub(super) struct Stage {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
}

/// One message: a part of the stage's bytes, its key first.
struct Piece {
    from: usize,
    to: usize,
    key_len: Option<usize>,
    tag: u64,
}

impl Staged {
    /// Adds one that `write` appends: its key, then its value. It returns the key's length, none where there is no key.
    /// Returns the bytes that it takes.
    pub(super) fn add(
        &mut self,
        partition: Partition,
        tag: u64,
        write: impl FnOnce(&mut Vec<u8>) -> Option<usize>,
    ) -> u64 {
        let at = usize::try_from(partition).unwrap_or(0);
        if self.stages.len() <= at {
            self.stages.resize_with(at + 1, Stage::default);
        }
        let stage = &mut self.stages[at];
        if stage.pieces.is_empty() {
            self.used.push(at);
        }
        let from = stage.bytes.len();
        let key_len = write(&mut stage.bytes);
        let to = stage.bytes.len();
        stage.pieces.push(Piece { from, to, key_len, tag });
        self.len += 1;
        (to - from) as u64
    }

    /// How many wait.
    pub(super) const fn len(&self) -> u64 {
        self.len
    }

    /// Takes each partition with what waits for it; what `take` leaves in it waits on.
    pub(super) fn each(&mut self, mut take: impl FnMut(Partition, &mut Stage)) {
        let stages = &mut self.stages;
        let len = &mut self.len;
        self.used.retain(|at| {
            let stage = &mut stages[*at];
            let before = stage.pieces.len();
            take(Partition::try_from(*at).unwrap_or(Partition::MAX), stage);
            *len -= (before - stage.pieces.len()) as u64;
            !stage.pieces.is_empty()
        });
    }
}

impl Stage {
    /// The messages from the one with this index on.
    pub(super) fn messages(&self, from: usize) -> impl Iterator<Item = Plain<'_>> {
        self.pieces[from..].iter().map(|piece| {
            let bytes = &self.bytes[piece.from..piece.to];
            let (key, value) = bytes.split_at(piece.key_len.unwrap_or(0));
            Plain { key: piece.key_len.map(|_| key), value, tag: piece.tag }
        })
    }

    /// The tag and the size of the message with this index.
    pub(super) fn piece(&self, index: usize) -> (u64, usize) {
        let piece = &self.pieces[index];
        (piece.tag, piece.to - piece.from)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Forgets those before this index.
    pub(super) fn drop_before(&mut self, index: usize) {
        if index >= self.pieces.len() {
            self.pieces.clear();
            self.bytes.clear();
            return;
        }
        let start = self.pieces[index].from;
        self.pieces.drain(..index);
        self.bytes.drain(..start);
        for piece in &mut self.pieces {
            piece.from -= start;
            piece.to -= start;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(staged: &mut Staged, partition: Partition, tag: u64, key: Option<&str>, value: &str) {
        let bytes = staged.add(partition, tag, |out| {
            out.extend_from_slice(key.unwrap_or_default().as_bytes());
            out.extend_from_slice(value.as_bytes());
            key.map(str::len)
        });
        assert_eq!(bytes as usize, key.map_or(0, str::len) + value.len());
    }

    fn all(staged: &mut Staged) -> Vec<(Partition, u64, Option<String>, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut found = Vec::new();
        staged.each(|partition, stage| {
            found.extend(stage.messages(0).map(|m| (partition, m.tag, m.key.map(text), text(m.value))));
        });
        found
    }

    #[test]
    fn what_is_left_stays_whole_and_in_order() {
        let mut staged = Staged::default();
        add(&mut staged, 3, 1, Some("k"), "one");
        add(&mut staged, 0, 2, None, "two");
        add(&mut staged, 3, 3, Some(""), "three");
        add(&mut staged, 3, 4, None, "");
        assert_eq!(staged.len(), 4);
        staged.each(|_, stage| stage.drop_before(1));
        assert_eq!(staged.len(), 2);
        let left = [(3, 3, Some(String::new()), "three".to_owned()), (3, 4, None, String::new())];
        assert_eq!(all(&mut staged), left);
        add(&mut staged, 3, 5, None, "five");
        assert_eq!(all(&mut staged)[2].3, "five");
        staged.each(|_, stage| {
            let len = stage.len();
            stage.drop_before(len);
        });
        assert_eq!((staged.len(), all(&mut staged).len()), (0, 0));
        add(&mut staged, 0, 6, None, "six");
        assert_eq!(all(&mut staged), [(0, 6, None, "six".to_owned())]);
    }
}
