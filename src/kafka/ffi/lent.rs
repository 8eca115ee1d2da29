//! Closures that librdkafka calls during one call of its API.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A closure that callbacks from C call. A panic cannot pass through C: it waits until librdkafka has returned, and goes on then.
pub(super) struct Lent<F> {
    on: F,
    panic: Option<Box<dyn Any + Send>>,
}

impl<F> Lent<F> {
    pub(super) const fn new(on: F) -> Self {
        Self { on, panic: None }
    }

    /// Calls it, in a callback; not any more once it has panicked. True where it did not.
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
