//! The second look: a fresh client reads one place of the log again.
//!
//! Owns nothing between two calls; what it finds there is the engine's to judge.

use std::time::{Duration, Instant};

use super::{Client, Error, ReadEvent, ReaderOptions, ReaderSet};
use crate::ids::{Offset, Partition};
use crate::plan::StartOffset;

/// How long a reader that got nothing is left alone before the log's end is asked for.
const QUIET: Duration = Duration::from_secs(1);

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
    let deadline = Instant::now() + timeout;
    let mut readers = ReaderSet::open(
        client,
        &ReaderOptions {
            topic: topic.into(),
            partitions: vec![partition],
            start: StartOffset::At(from),
            prefetch_bytes: 4 << 20,
            open_timeout: timeout,
        },
    )?;
    let mut passed = false;
    while !passed {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        if readers.wait(left.min(QUIET)) {
            readers.drain(usize::MAX, &mut |event| match event {
                ReadEvent::Record(record) => {
                    passed |= record.offset >= to;
                    if (from..=to).contains(&record.offset) {
                        on(ReadEvent::Record(record));
                    }
                }
                event => on(event),
            });
        } else {
            // Nothing more comes: is that since the log ends here? What the broker says of its end is believed only where
            // nothing lies behind it, which the silence shows.
            let position = readers.position(partition).unwrap_or(from);
            let left = deadline.saturating_duration_since(Instant::now());
            let end = readers.watermarks(partition, left.min(Duration::from_secs(2)));
            passed = end.is_ok_and(|(_, end)| end <= position.min(to));
        }
    }
    Ok(true)
}
