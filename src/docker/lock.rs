//! A lock that a panic elsewhere does not close.
//!
//! Owns nothing; what it guards is always whole, since no guard is held over a wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
