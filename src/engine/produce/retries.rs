//! How often a partition's batches went back to be sent again, and what that means for one message.

use crate::ledger::Resent;

/// Batches of one partition that went back to be sent again, so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Retries {
    all: u32,
    /// Those whose earlier try may have been written.
    maybe_written: u32,
}

impl Retries {
    pub(super) fn count(&mut self, maybe_written: bool) {
        self.all = self.all.wrapping_add(1);
        self.maybe_written = self.maybe_written.wrapping_add(u32::from(maybe_written));
    }

    /// What may have happened to a message since then.
    pub(super) fn since(self, then: Self) -> Resent {
        if self.maybe_written != then.maybe_written {
            Resent::MaybeWritten
        } else if self.all != then.all {
            Resent::Unwritten
        } else {
            Resent::No
        }
    }
}
