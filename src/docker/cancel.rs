//! Cancelable waits.
//!
//! A request to Docker is never canceled: Docker could still execute it after everything that the run started was
//! removed. Only waits between requests are canceled.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Sleeps; returns whether it slept the whole time.
pub(super) async fn sleep(cancel: &CancellationToken, time: Duration) -> bool {
    cancel.run_until_cancelled(tokio::time::sleep(time)).await.is_some()
}

/// Runs `work` to its end; its token is canceled when `until` completes.
pub(super) async fn canceled_by<T, F>(
    until: impl Future<Output = ()>,
    work: impl FnOnce(CancellationToken) -> F,
) -> T
where
    F: Future<Output = T>,
{
    let token = CancellationToken::new();
    let mut work = std::pin::pin!(work(token.clone()));
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = until => token.cancel(),
    }
    work.await
}
