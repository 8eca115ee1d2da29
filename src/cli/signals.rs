//! SIGINT and SIGTERM end the run, which then reports what was seen; a second one changes nothing more.

use crate::engine::{Stop, Why};

/// Listens until the process ends.
pub(super) fn listen(stop: &Stop) {
    let stop = stop.clone();
    tokio::spawn(async move {
        let name = wait().await;
        stop.stop(Why::Signal(name));
    });
}

#[cfg(unix)]
async fn wait() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return "SIGINT";
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "SIGINT",
        _ = term.recv() => "SIGTERM",
    }
}

#[cfg(not(unix))]
async fn wait() -> &'static str {
    let _ = tokio::signal::ctrl_c().await;
    "SIGINT"
}
