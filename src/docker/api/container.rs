//! Requests to the Docker Engine about a single container: inspect, signal, wait, exec.
//!
//! Shared by start, faults and removal.

use std::time::Duration;

use bollard::errors::Error;
use bollard::exec::StartExecResults;
use bollard::models::{ContainerStateStatusEnum, ExecConfig};
use bollard::query_parameters::{
    KillContainerOptionsBuilder, StatsOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures_util::StreamExt as _;

use super::daemon::{Daemon, is_conflict, is_gone, said};

/// Maximum number of bytes of a command's output that are kept.
const OUTPUT: usize = 64 << 10;

/// The current state of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Now {
    /// Whether its processes exist, paused or not.
    pub running: bool,
    pub paused: bool,
    /// Whether its processes have ended, and Docker is about to restart it.
    pub restarting: bool,
    /// The last exit code.
    pub exit_code: i64,
    /// The last start time, in Docker's format.
    pub started_at: String,
    /// Whether the kernel killed it because it ran out of memory.
    pub out_of_memory: bool,
    /// Whether Docker removes it when it exits.
    pub auto_remove: bool,
    /// The restart policy, if set.
    pub restart_policy: Option<String>,
}

/// Inspects a container; `None` if it does not exist.
pub(crate) async fn inspect(daemon: &Daemon, id: &str) -> Result<Option<Now>, Error> {
    let found = match daemon.docker.inspect_container(id, None).await {
        Ok(found) => found,
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let state = found.state.unwrap_or_default();
    let paused = state.status == Some(ContainerStateStatusEnum::PAUSED) || state.paused == Some(true);
    let host = found.host_config.unwrap_or_default();
    let policy = host.restart_policy.and_then(|policy| policy.name).map(|name| name.to_string());
    Ok(Some(Now {
        running: state.running.unwrap_or(false),
        paused,
        restarting: state.restarting.unwrap_or(false),
        exit_code: state.exit_code.unwrap_or(0),
        started_at: state.started_at.unwrap_or_default(),
        out_of_memory: state.oom_killed.unwrap_or(false),
        auto_remove: host.auto_remove.unwrap_or(false),
        restart_policy: policy.filter(|name| !name.is_empty() && name != "no"),
    }))
}

/// Sends a signal. It is not an error if the container has already exited.
pub(crate) async fn kill(daemon: &Daemon, id: &str, signal: &str) -> Result<(), Error> {
    let options = KillContainerOptionsBuilder::new().signal(signal).build();
    match daemon.docker.kill_container(id, Some(options)).await {
        Err(error) if is_conflict(&error) => Ok(()),
        other => other,
    }
}

/// Waits until the process that started at `started_at` has ended, and returns whether it did in time. The
/// next one may have started already.
pub(crate) async fn ended(daemon: &Daemon, id: &str, started_at: &str, timeout: Duration) -> bool {
    let options = WaitContainerOptionsBuilder::new().condition("not-running").build();
    let wait = async {
        let mut stream = std::pin::pin!(daemon.docker.wait_container(id, Some(options)));
        // A non-zero exit code is reported as an error; in both cases it has ended.
        let _ = stream.next().await;
    };
    let _ = tokio::time::timeout(timeout, wait).await;
    let still = |now: &Now| now.running && !now.restarting && now.started_at == started_at;
    !matches!(inspect(daemon, id).await, Ok(Some(now)) if still(&now))
}

/// The CPU time of the container's processes since their start; `None` if Docker does not report it.
pub(crate) async fn cpu(daemon: &Daemon, id: &str) -> Option<Duration> {
    let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
    let look = async {
        let mut stream = std::pin::pin!(daemon.docker.stats(id, Some(options)));
        stream.next().await?.ok()?.cpu_stats?.cpu_usage?.total_usage
    };
    let nanos = tokio::time::timeout(Duration::from_secs(5), look).await.ok()??;
    Some(Duration::from_nanos(nanos))
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExecResult {
    pub code: i64,
    /// The output of both streams, as lines.
    pub lines: Vec<String>,
}

pub(crate) async fn exec(
    daemon: &Daemon,
    id: &str,
    command: Vec<String>,
    output: &mut Vec<u8>,
) -> Result<ExecResult, String> {
    let config = ExecConfig {
        cmd: Some(command),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..ExecConfig::default()
    };
    let made = daemon.docker.create_exec(id, config).await.map_err(|error| said(&error))?;
    let started = daemon.docker.start_exec(&made.id, None).await.map_err(|error| said(&error))?;
    if let StartExecResults::Attached { output: mut stream, input: _input } = started {
        while let Some(piece) = stream.next().await {
            let bytes = piece.map_err(|error| said(&error))?.into_bytes();
            output.extend_from_slice(&bytes);
            // Keep the end of the output.
            if output.len() > 2 * OUTPUT {
                output.drain(..output.len() - OUTPUT);
            }
        }
    }
    let inspected = daemon.docker.inspect_exec(&made.id).await.map_err(|error| said(&error))?;
    let code = inspected.exit_code.ok_or("Docker reports no exit code")?;
    Ok(ExecResult { code, lines: lines(output) })
}

/// Splits output into lines.
pub(crate) fn lines(output: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(output).lines().map(str::to_owned).collect()
}

/// Joins the last lines into one.
pub(crate) fn last_words(lines: &[String], count: usize) -> String {
    let filled: Vec<&str> = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    filled[filled.len().saturating_sub(count)..].join(" / ")
}
