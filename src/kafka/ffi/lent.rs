//! Closures that librdkafka calls during one call of its API.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A closure that callbacks from C call. A panic cannot unwind through C, so it is resumed after librdkafka has
/// returned.
pub(super) struct Lent<F> {
    on: F,
    panic: Option<Box<dyn Any + Send>>,
}

impl<F> Lent<F> {
    pub(super) const fn new(on: F) -> Self {
        Self { on, panic: None }
    }

    /// Calls the closure from a callback, unless an earlier call has panicked. Returns whether it did not panic.
    pub(super) fn call(&mut self, call: impl FnOnce(&mut F)) -> bool {
        if self.panic.is_none() {
            self.panic = catch_unwind(AssertUnwindSafe(|| call(&mut self.on))).err();
        }
        self.panic.is_none()
    }

    pub(super) fn end(self) {
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
    }
}
