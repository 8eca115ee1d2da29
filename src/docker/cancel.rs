//! Waiting that can be canceled.
//!
//! A request to Docker is never dropped halfway: one that was given up could still be carried out after all that the
//! run started was removed. Only waits between requests are cut short.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Sleeps; whether it was for the whole time.
pub(super) async fn sleep(cancel: &CancellationToken, time: Duration) -> bool {
    cancel.run_until_cancelled(tokio::time::sleep(time)).await.is_some()
}

/// Does all of `work`, whose token is canceled when `until` ends.
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
