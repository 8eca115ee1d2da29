//! Signals: SIGINT, SIGTERM and SIGHUP end the run, and reports are still written. A second signal has no
//! effect.

use crate::engine::Stop;
use crate::observe::EarlyEnd;

/// Handles signals from now on, until the process ends.
///
/// # Errors
///
/// If the operating system rejects the handlers.
#[cfg(unix)]
pub(super) fn listen(stop: &Stop) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // A process under nohup outlives its terminal.
    let ignores_hangup = ignores_hangup();
    let mut hangup = signal(SignalKind::hangup())?;
    // With a handler, a write beyond the limit returns an error that can be reported. Without one, the
    // process would be killed.
    let _too_large = signal(SignalKind::from_raw(SIGXFSZ))?;
    let stop = stop.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            _ = hangup.recv(), if !ignores_hangup => "SIGHUP",
        };
        stop.stop(EarlyEnd::Signal(name));
    });
    Ok(())
}

/// Sent when a file exceeds the limit of `ulimit -f`. The number is the same on Linux and macOS.
#[cfg(unix)]
const SIGXFSZ: i32 = 25;

/// Whether this process was started with SIGHUP ignored, as far as the operating system shows it.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // SIGHUP is signal 1, the lowest bit.
    ignored.is_some_and(|mask| mask & 1 == 1)
}

/// Handles signals from now on, until the process ends.
///
/// # Errors
///
/// Never on this operating system.
#[cfg(not(unix))]
pub(super) fn listen(stop: &Stop) -> std::io::Result<()> {
    let stop = stop.clone();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        stop.stop(EarlyEnd::Signal("SIGINT"));
    });
    Ok(())
}
