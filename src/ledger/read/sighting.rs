//! The classification of records, and sightings of anomalies, kept for evidence.

use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq, StreamId};

/// How a record differs from what was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Altered {
    /// Its own checksum, or its UUID, is wrong.
    #[default]
    Content,
    /// Its timestamp (milliseconds since 1970) is wrong.
    Time(i64),
    /// Its batch, which ends at this offset, cannot be decoded or has a wrong checksum, while all its messages are
    /// intact.
    Batch(Offset),
}

/// The classification of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// A message of this run for the first time, with its due time in microseconds since 1970.
    Fresh { due_us: i64 },
    /// A message of this run that was read before.
    Repeat,
    /// A message of this run that differs from what was sent.
    Corrupt,
    /// An intact message of this run that was sent to another partition.
    Stray,
    /// A record that is not from this run.
    Foreign,
    /// A round trip's message of this run, for the first time or again. Other scenarios do not count it.
    Roundtrip { fresh: bool },
    /// An end marker of this run, with its number.
    EndMarker(u64),
    /// An end marker of another run, which is not counted.
    OldEndMarker,
}

impl Seen {
    /// Whether it is an unexpected record whose first bytes should be reported.
    pub const fn is_strange(self) -> bool {
        matches!(self, Self::Corrupt | Self::Stray | Self::Foreign)
    }
}

/// A sighting of an anomaly, kept for evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    pub anomaly: Anomaly,
    pub offset: Offset,
    /// The offset or sequence of the record before it, depending on the anomaly.
    pub beside: i64,
    /// The message, if known.
    pub message: Option<(StreamId, Seq)>,
    /// The time in microseconds since the start of the run.
    pub at_us: u64,
    /// How the record differs, if it is corrupt.
    pub altered: Altered,
    /// The first bytes of the value of an unexpected record.
    pub head: Head,
}

/// The first bytes of a value, for reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    bytes: [u8; 16],
    /// The number of bytes.
    len: u8,
    more: bool,
}

impl Head {
    /// The first bytes of this value.
    pub fn of(value: &[u8]) -> Self {
        let mut head = Self::default();
        for (to, from) in head.bytes.iter_mut().zip(value) {
            *to = *from;
            head.len += 1;
        }
        head.more = value.len() > head.bytes.len();
        head
    }

    /// Hex digits, as in `6b 61 66 36 ...`; `None` if there are no bytes.
    pub fn hex(&self) -> Option<String> {
        let bytes = &self.bytes[..usize::from(self.len)];
        let words: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let more = if self.more { " ..." } else { "" };
        (!bytes.is_empty()).then(|| format!("{}{more}", words.join(" ")))
    }
}
