//! SIGINT, SIGTERM and SIGHUP end the run, which then reports what was seen; a second one changes nothing more.

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
    let ignores_hangup = ignores_hangup();
    let (Ok(mut term), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        let _ = tokio::signal::ctrl_c().await;
        return "SIGINT";
    };
    // What runs under nohup outlives its terminal.
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "SIGINT",
        _ = term.recv() => "SIGTERM",
        _ = hangup.recv(), if !ignores_hangup => "SIGHUP",
    }
}

/// Whether this process was started with SIGHUP ignored, as far as the system tells.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is signal 1, the lowest bit.
    ignored.is_some_and(|mask| mask & 1 == 1)
}

#[cfg(not(unix))]
async fn wait() -> &'static str {
    let _ = tokio::signal::ctrl_c().await;
    "SIGINT"
}
