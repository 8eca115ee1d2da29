//! What a record turned out to be, and sightings of anomalies, kept for evidence.

use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq, StreamId};

/// How a record differs from what was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Altered {
    /// Its own checksum, or its UUID.
    #[default]
    Content,
    /// Its timestamp, milliseconds since 1970.
    Time(i64),
    /// The checksum of its batch, which goes up to this offset, and of no message in it; or the batch cannot be decoded.
    Batch(Offset),
}

/// What a record turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A message of this run for the first time; with its due instant, microseconds since 1970.
    Fresh { due_us: i64 },
    /// A message of this run again.
    Repeat,
    /// A message of this run that is not what was sent.
    Corrupt,
    /// An intact message of this run that was sent to another partition.
    Stray,
    /// Not of this run.
    Foreign,
    /// A round trip's message of this run, for the first time or again: in no count of another scenario of the file.
    Roundtrip { fresh: bool },
    /// An end marker of this run, with its number.
    EndMarker(u64),
    /// An end marker of another run: in no count.
    OldEndMarker,
}

impl Seen {
    /// It is not the expected record, so its first bytes are worth showing.
    pub const fn is_strange(self) -> bool {
        matches!(self, Self::Corrupt | Self::Stray | Self::Foreign)
    }
}

/// An anomaly as it was seen, kept for evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    pub anomaly: Anomaly,
    pub offset: Offset,
    /// The offset or sequence beside it: of the record before, in an anomaly's own sense.
    pub beside: i64,
    /// Whose message, as far as that is known.
    pub message: Option<(StreamId, Seq)>,
    /// When, microseconds from the start of the run.
    pub at_us: u64,
    /// Of a corrupt record: how it differs.
    pub altered: Altered,
    /// The first bytes of its value, of a record that is not what it should be.
    pub head: Head,
}

/// The first bytes of a value, for people to look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    bytes: [u8; 16],
    /// How many of them there are.
    len: u8,
    more: bool,
}

impl Head {
    /// The first bytes of these.
    pub fn of(value: &[u8]) -> Self {
        let mut head = Self::default();
        for (to, from) in head.bytes.iter_mut().zip(value) {
            *to = *from;
            head.len += 1;
        }
        head.more = value.len() > head.bytes.len();
        head
    }

    /// In hex, as in `6b 61 66 36 ...`; none where there are none.
    pub fn hex(&self) -> Option<String> {
        let bytes = &self.bytes[..usize::from(self.len)];
        let words: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let more = if self.more { " ..." } else { "" };
        (!bytes.is_empty()).then(|| format!("{}{more}", words.join(" ")))
    }
}
