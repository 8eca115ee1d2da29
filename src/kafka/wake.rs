//! Wakes a thread that waits in a producer or a reader. Called by threads of librdkafka and of kaf6.
//!
//! Its only lock is taken once per wake-up, never per message.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Wakes a thread in [`Producer::poll`](super::Producer::poll) or [`ReaderSet::wait`](super::ReaderSet::wait).
#[derive(Clone)]
pub struct Waker(pub(super) Arc<Signal>);

impl Waker {
    /// Ends the current wait, or the next one if no thread is waiting.
    pub fn wake(&self) {
        self.0.lock().woken = true;
        self.0.condvar.notify_one();
    }
}

/// The indexes that are ready, and whether a waker was called.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<WakeState>,
    condvar: Condvar,
}

#[derive(Default)]
struct WakeState {
    ready: Vec<u32>,
    woken: bool,
}

impl Signal {
    fn lock(&self) -> MutexGuard<'_, WakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks `index` as ready. Called by librdkafka's threads, under their queue's lock.
    pub(super) fn ready(&self, index: u32) {
        let mut state = self.lock();
        state.ready.push(index);
        if state.ready.len() == 1 {
            self.condvar.notify_one();
        }
    }

    /// Waits until an index is ready, a [`Waker`] wakes it, or `deadline` passes. Moves the ready indexes into `into`,
    /// possibly with repetitions. Returns whether a waker woke it. Without a deadline, returns immediately.
    pub(super) fn wait(&self, deadline: Option<Instant>, into: &mut Vec<u32>) -> bool {
        let mut state = self.lock();
        while state.ready.is_empty() && !state.woken {
            let left = deadline.map_or(Duration::ZERO, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            state = self.condvar.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        into.append(&mut state.ready);
        std::mem::take(&mut state.woken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_is_kept_until_the_next_wait_and_no_longer() {
        let signal = Arc::new(Signal::default());
        Waker(Arc::clone(&signal)).wake();
        let mut ready = Vec::new();
        let soon = || Some(Instant::now() + Duration::from_millis(5));
        assert!(signal.wait(soon(), &mut ready));
        assert!(!signal.wait(soon(), &mut ready));
        signal.ready(7);
        assert!(!signal.wait(soon(), &mut ready));
        assert_eq!(ready, [7]);
    }

    #[test]
    fn a_wait_ends_when_another_thread_has_something() {
        let signal = Arc::new(Signal::default());
        let other = Arc::clone(&signal);
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            other.ready(3);
        });
        let (start, mut ready) = (Instant::now(), Vec::new());
        let long = Duration::from_secs(60);
        signal.wait(Some(start + long), &mut ready);
        assert_eq!(ready, [3]);
        assert!(start.elapsed() < long);
        thread.join().unwrap();
    }
}
