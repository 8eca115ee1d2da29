//! Periods in which kaf6 itself made no progress, because the machine was overloaded or suspended.
//!
//! A separate thread wakes at a fixed interval. A late wake-up is a stall.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::outcome::lock;
use crate::checks::no_progress;
use crate::observe::Note;

const EVERY: Duration = Duration::from_millis(50);
/// Smaller delays are not recorded.
const LATE: Duration = Duration::from_millis(250);
/// Maximum number of stalls. If there are more, the shortest is dropped.
const MOST: usize = 256;
/// Reports only mention stalls of at least this length.
const NOTED: Duration = Duration::from_secs(1);

/// The stalls of a run. Times are from the start of the run.
#[derive(Debug, Default)]
pub(crate) struct StallLog(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The last time that the thread woke. `None` if it never did: without it, no stall is known.
    last: Option<Duration>,
    stalls: Vec<(Duration, Duration)>,
}

impl StallLog {
    fn wake(&self, now: Duration) {
        let mut state = lock(&self.0);
        state.stalls = state.until(now);
        if state.stalls.len() > MOST {
            let shortest = (0..).zip(&state.stalls).min_by_key(|(_, (from, to))| *to - *from);
            if let Some((shortest, _)) = shortest {
                state.stalls.remove(shortest);
            }
        }
        state.last = Some(now);
    }

    /// The stalls until now, including one that the thread has not noticed yet.
    pub(crate) fn until(&self, now: Duration) -> Vec<(Duration, Duration)> {
        lock(&self.0).until(now)
    }
}

impl State {
    /// The stalls until now. Two stalls with one wake-up in between are one.
    fn until(&self, now: Duration) -> Vec<(Duration, Duration)> {
        let mut stalls = self.stalls.clone();
        let Some(last) = self.last.filter(|last| now.saturating_sub(*last) > EVERY + LATE) else {
            return stalls;
        };
        match stalls.last_mut() {
            Some((_, to)) if *to == last => *to = now,
            _ => stalls.push((last, now)),
        }
        stalls
    }
}

/// Records stalls until the returned value is dropped.
#[must_use]
pub(crate) fn watch(stalls: &Arc<StallLog>, zero: Instant) -> Watching {
    let (end, ended) = std::sync::mpsc::channel();
    let stalls = Arc::clone(stalls);
    let thread = std::thread::Builder::new().name("own-stalls".to_owned()).spawn(move || {
        stalls.wake(zero.elapsed());
        while ended.recv_timeout(EVERY) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            stalls.wake(zero.elapsed());
        }
    });
    Watching { _end: thread.is_ok().then_some(end) }
}

/// The thread that records stalls. It ends when this is dropped.
pub(crate) struct Watching {
    _end: Option<std::sync::mpsc::Sender<()>>,
}

/// A note about the longest stall, if it matters.
pub(crate) fn note(stalls: &[(Duration, Duration)]) -> Option<Note> {
    let long: Vec<_> = stalls.iter().copied().filter(|(from, to)| *to - *from >= NOTED).collect();
    let why = no_progress(&long)?;
    Some(Note::warning(format!("{why}: this machine is overloaded or was suspended")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_late_wake_up_is_a_stall() {
        let stalls = StallLog::default();
        for at in [50, 100, 400, 701, 751, 5000] {
            stalls.wake(ms(at));
        }
        assert_eq!(stalls.until(ms(5300)), [(ms(400), ms(701)), (ms(751), ms(5000))]);
        stalls.wake(ms(5050));
        let unnoticed = stalls.until(ms(9000));
        assert_eq!(unnoticed.last(), Some(&(ms(5050), ms(9000))), "the thread has not woken yet");
        stalls.wake(ms(5400));
        assert_eq!(stalls.until(ms(9000)).last(), Some(&(ms(5050), ms(9000))), "one wake-up in between");
        let text = note(&unnoticed).unwrap().text;
        assert_eq!(
            text,
            "kaf6 itself made no progress for 4.249 s, from 0.751 s to 5.000 s, and once more: this machine is \
            overloaded or was suspended"
        );
        assert_eq!(note(&unnoticed[..1]), None, "too short to matter");
    }

    #[test]
    fn of_too_many_stalls_the_longest_are_kept() {
        let stalls = StallLog::default();
        let mut at = Duration::ZERO;
        for number in 0..2 * MOST as u64 {
            at += ms(400 + number);
            stalls.wake(at);
            at += EVERY;
            stalls.wake(at);
        }
        let kept = stalls.until(at);
        assert_eq!(kept.len(), MOST);
        assert!(kept.iter().all(|(from, to)| *to - *from >= ms(400 + MOST as u64)));
    }
}
