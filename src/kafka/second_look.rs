//! The second look: a fresh client reads one place of the log again.
//!
//! Owns nothing between two calls; what it finds there is the engine's to judge.

use std::time::Duration;

use super::{Client, Error, ReadEvent};
use crate::ids::{Offset, Partition};

/// Reads `from..=to` of a partition with a client of its own, handing out what lies there; records outside are not handed out.
/// Returns true where it passed `to` (a record at or after it came, or the log ends before it) and false where time ran out first.
///
/// # Errors
/// As [`ReaderSet::open`](super::ReaderSet::open).
pub fn read_range(
    client: &Client,
    topic: &str,
    partition: Partition,
    from: Offset,
    to: Offset,
    timeout: Duration,
    on: &mut dyn FnMut(ReadEvent<'_>),
) -> Result<bool, Error> {
    let _ = (client, topic, partition, from, to, timeout, on);
    unimplemented!()
}
