//! The second look: a fresh client reads one place of the log again.
//!
//! Owns nothing between two calls; what it finds there is the engine's to judge.

use std::time::{Duration, Instant};

use super::{Client, Error, ReadEvent, ReaderOptions, ReaderSet, Record};
use crate::ids::{Offset, Partition};
use crate::plan::StartOffset;

/// A part of a log.
#[derive(Clone, Copy)]
pub struct Range<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: Partition,
    /// Its first offset.
    pub from: Offset,
    /// Its last offset.
    pub to: Offset,
    /// Whether a record is the one that was written after all else, where one was. A broker may tell an end that is too
    /// low, and may be silent for a second for many reasons.
    pub is_mark: Option<&'a dyn Fn(&Record<'_>) -> bool>,
    /// Whether to give up, as where time ran out.
    pub is_over: &'a dyn Fn() -> bool,
}

/// Reads part of a log with a client of its own, handing out what lies there; records outside are not handed out.
/// Returns true where it passed the last offset (a record at or after it came, or the log ends before it) and false where
/// time ran out first.
///
/// # Errors
/// As [`ReaderSet::open`](super::ReaderSet::open).
pub fn read_range(
    client: &Client,
    range: &Range<'_>,
    timeout: Duration,
    on: &mut dyn FnMut(ReadEvent<'_>),
) -> Result<bool, Error> {
    let Range { topic, partition, from, to, is_mark, is_over } = *range;
    let deadline = Instant::now() + timeout;
    let waits = *client.waits();
    let mut readers = loop {
        // In short tries, so that who waits for a broker that is away can be told to give up.
        let tried = Instant::now();
        let open_timeout = deadline.saturating_duration_since(tried).min(waits.reopen);
        let opened = ReaderSet::open(
            client,
            &ReaderOptions {
                topic: topic.into(),
                partitions: vec![partition],
                start: StartOffset::At(from),
                prefetch_bytes: 4 << 20,
                patient: true,
                open_timeout,
            },
        );
        let again =
            || tried.elapsed() >= waits.reopen.mul_f64(0.9) && Instant::now() < deadline && !is_over();
        match opened {
            Ok(readers) => break readers,
            Err(_) if again() => {}
            Err(error) => return Err(error),
        }
    };
    let patience = if is_mark.is_some() { waits.quiet_before_marker } else { waits.quiet };
    let mut heard = Instant::now();
    let mut passed = false;
    while !passed {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || is_over() {
            return Ok(false);
        }
        if readers.wait(left.min(waits.quiet)) {
            heard = Instant::now();
            readers.drain(usize::MAX, &mut |event| match event {
                ReadEvent::Record(record) => {
                    passed |= record.offset >= to || is_mark.is_some_and(|is_mark| is_mark(&record));
                    if (from..=to).contains(&record.offset) {
                        on(ReadEvent::Record(record));
                    }
                }
                event => on(event),
            });
        } else if heard.elapsed() >= patience {
            // Nothing more comes: is that since the log ends here? What the broker says of its end is believed only where
            // nothing lies behind it, which the silence shows.
            let position = readers.position(partition).unwrap_or(from);
            let left = deadline.saturating_duration_since(Instant::now());
            let end = readers.watermarks(partition, left.min(waits.answer));
            passed = end.is_ok_and(|(_, end)| end <= position.min(to));
        }
    }
    Ok(true)
}
