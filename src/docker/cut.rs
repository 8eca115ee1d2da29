//! A word that ends waiting early: heard by many, said once.
//!
//! Owns the difference between waiting, which may be cut short, and a request to Docker, which never is: one that
//! was given up could still be carried out after all that the run started was removed.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// Hears of the end; clones hear of the same.
#[derive(Clone)]
pub(super) struct Cut(Arc<watch::Sender<bool>>);

impl Cut {
    /// One that nobody has said yet.
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub(super) fn say(&self) {
        self.0.send_replace(true);
    }

    pub(super) fn said(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is said.
    pub(super) async fn wait(&self) {
        // The sender lives in self, so that this cannot end for another reason.
        let _ = self.0.subscribe().wait_for(|said| *said).await;
    }

    /// Sleeps; whether it was for the whole time.
    pub(super) async fn sleep(&self, time: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.wait() => false,
            () = tokio::time::sleep(time) => true,
        }
    }

    /// Does something that may be given up halfway; none where it was.
    pub(super) async fn or<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait() => None,
            done = work => Some(done),
        }
    }
}

/// Does all of `work`, which hears it when `cut` ends.
pub(super) async fn with_cut<T, F>(cut: impl Future<Output = ()>, work: impl FnOnce(Cut) -> F) -> T
where
    F: Future<Output = T>,
{
    let word = Cut::new();
    let mut work = std::pin::pin!(work(word.clone()));
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = cut => word.say(),
    }
    work.await
}
