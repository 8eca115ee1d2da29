//! Cuts of a link: which bytes and connections are lost, and statistics of both.
//!
//! `pump` discards the bytes, and the relay resets and refuses the connections.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::super::lock::lock;
use super::shaping::Direction;

/// The kinds of cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkCut {
    /// The relay discards bytes, and connections stay open.
    Blackhole {
        /// Discards bytes to the target. New connections are accepted, but never reach it.
        out: bool,
        /// Discards bytes from the target.
        back: bool,
    },
    /// Connections are reset, and new ones are refused.
    Reset,
    /// New connections are refused.
    Refuse,
}

/// A cut with its effect so far.
#[derive(Debug)]
pub(crate) struct ActiveCut {
    how: LinkCut,
    reset: AtomicU64,
    refused: AtomicU64,
    discarded: [AtomicU64; 2],
    torn: AtomicU64,
    ends: AtomicU64,
}

/// The effect of a cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CutEffect {
    /// Open connections that were reset.
    pub reset: u64,
    /// New connections that were refused.
    pub refused: u64,
    /// Discarded bytes, to the target and back.
    pub discarded: [u64; 2],
    /// Connections that lost bytes.
    pub torn: u64,
    /// Ends of connections that the relay did not forward.
    pub ends: u64,
}

/// The cuts of a link.
#[derive(Default)]
pub(crate) struct Cuts {
    /// All active cuts. The last one applies.
    begun: Mutex<Vec<Arc<ActiveCut>>>,
    state: watch::Sender<CutState>,
}

#[derive(Debug, Default)]
struct CutState {
    active: Option<Arc<ActiveCut>>,
    /// The last cut that reset connections, with its number from 1. It is kept when that cut ends, so that each
    /// connection that was open then is reset, however short the cut was.
    last_reset: Option<(u64, Arc<ActiveCut>)>,
}

/// The cuts of a link as one of its connections sees them.
pub(crate) struct CutWatch {
    state: watch::Receiver<CutState>,
    /// The number of the last reset before it was opened.
    resets: u64,
    /// Whether it lost bytes or its end, to the target and back.
    torn: [AtomicBool; 2],
    /// The last cut in which it lost bytes.
    torn_by: Mutex<Option<Arc<ActiveCut>>>,
}

/// Waits for changes of the cuts.
pub(crate) struct CutChange(watch::Receiver<CutState>);

impl Cuts {
    /// Cuts the link, until the returned cut is passed to `mend`.
    pub(crate) fn cut(&self, how: LinkCut) -> Arc<ActiveCut> {
        let mut begun = lock(&self.begun);
        let cut = Arc::new(ActiveCut::new(how));
        begun.push(Arc::clone(&cut));
        self.state.send_modify(|state| state.set(Some(Arc::clone(&cut))));
        cut
    }

    /// Ends this cut and no other.
    pub(crate) fn mend(&self, cut: &Arc<ActiveCut>) {
        let mut begun = lock(&self.begun);
        let applied = begun.last().is_some_and(|last| Arc::ptr_eq(last, cut));
        begun.retain(|other| !Arc::ptr_eq(other, cut));
        if applied {
            self.state.send_modify(|state| state.set(begun.last().cloned()));
        }
    }

    /// Ends all cuts.
    pub(crate) fn mend_all(&self) {
        lock(&self.begun).clear();
        self.state.send_modify(|state| state.set(None));
    }

    /// The cuts for a new connection. `None` if it is refused.
    pub(crate) fn open(&self) -> Option<CutWatch> {
        let state = self.state.subscribe();
        let resets = {
            let now = state.borrow();
            if let Some(cut) = now.active.as_ref()
                && matches!(cut.how, LinkCut::Reset | LinkCut::Refuse)
            {
                cut.refused.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            now.resets()
        };
        Some(CutWatch { state, resets, torn: Default::default(), torn_by: Mutex::default() })
    }
}

impl ActiveCut {
    fn new(how: LinkCut) -> Self {
        Self {
            how,
            reset: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            discarded: Default::default(),
            torn: AtomicU64::new(0),
            ends: AtomicU64::new(0),
        }
    }

    pub(crate) fn effect(&self) -> CutEffect {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        CutEffect {
            reset: read(&self.reset),
            refused: read(&self.refused),
            discarded: [read(&self.discarded[0]), read(&self.discarded[1])],
            torn: read(&self.torn),
            ends: read(&self.ends),
        }
    }

    const fn swallows(&self, direction: Direction) -> bool {
        match (self.how, direction) {
            (LinkCut::Blackhole { out, .. }, Direction::Out) => out,
            (LinkCut::Blackhole { back, .. }, Direction::Back) => back,
            (LinkCut::Reset | LinkCut::Refuse, _) => false,
        }
    }
}

impl CutState {
    /// Replaces the active cut.
    fn set(&mut self, active: Option<Arc<ActiveCut>>) {
        if let Some(cut) = active.as_ref().filter(|cut| cut.how == LinkCut::Reset) {
            self.last_reset = Some((self.resets() + 1, Arc::clone(cut)));
        }
        self.active = active;
    }

    fn resets(&self) -> u64 {
        self.last_reset.as_ref().map_or(0, |(number, _)| *number)
    }

    fn swallowing(&self, direction: Direction) -> Option<&Arc<ActiveCut>> {
        self.active.as_ref().filter(|cut| cut.swallows(direction))
    }
}

impl CutWatch {
    /// A wait for the next change.
    pub(crate) fn changes(&self) -> CutChange {
        CutChange(self.state.clone())
    }

    /// Discards bytes if the link is cut in this direction, and returns whether it did. 0 bytes mean the end
    /// of the connection.
    pub(crate) fn swallow(&self, direction: Direction, bytes: usize) -> bool {
        let state = self.state.borrow();
        let Some(cut) = state.swallowing(direction) else {
            // After lost bytes, nothing passes until the reset: it would follow a gap.
            return self.torn[direction.index()].load(Ordering::Relaxed);
        };
        if bytes == 0 {
            cut.ends.fetch_add(1, Ordering::Relaxed);
        } else {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            cut.discarded[direction.index()].fetch_add(bytes, Ordering::Relaxed);
            let mut torn_by = lock(&self.torn_by);
            if !torn_by.as_ref().is_some_and(|before| Arc::ptr_eq(before, cut)) {
                *torn_by = Some(Arc::clone(cut));
                cut.torn.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.torn[direction.index()].store(true, Ordering::Relaxed);
        true
    }

    /// Waits until the relay no longer discards bytes to the target.
    pub(crate) async fn reaches_target(&self) {
        // It cannot fail while the relay exists.
        let _ = self.state.clone().wait_for(|state| state.swallowing(Direction::Out).is_none()).await;
    }

    /// Waits until the connection must be reset: by a cut that resets connections, or after a blackhole in
    /// which it lost bytes. Without a reset, its reader would continue after the missing bytes.
    pub(crate) async fn must_reset(&self) {
        let mut cuts = self.state.clone();
        loop {
            {
                let state = cuts.borrow_and_update();
                if let Some((number, cut)) = &state.last_reset
                    && *number > self.resets
                {
                    cut.reset.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                let healed = |direction: Direction| {
                    self.torn[direction.index()].load(Ordering::Relaxed)
                        && state.swallowing(direction).is_none()
                };
                if healed(Direction::Out) || healed(Direction::Back) {
                    return;
                }
            }
            if cuts.changed().await.is_err() {
                return;
            }
        }
    }
}

impl CutChange {
    /// Waits for a change since the last wait.
    pub(crate) async fn changed(&mut self) {
        // It cannot fail while the relay exists.
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_lost_bytes_nothing_passes_in_that_direction() {
        let cuts = Cuts::default();
        let cut = cuts.cut(LinkCut::Blackhole { out: true, back: false });
        let connection = cuts.open().expect("accepted");
        assert!(connection.swallow(Direction::Out, 5) && !connection.swallow(Direction::Back, 5));
        cuts.mend(&cut);
        assert!(connection.swallow(Direction::Out, 7) && !connection.swallow(Direction::Back, 5));
        assert_eq!(cut.effect().discarded, [5, 0]);
        let fresh = cuts.open().expect("accepted");
        assert!(!fresh.swallow(Direction::Out, 5));
    }
}
