//! Readiness of a replica: checks by HTTP, TCP, a command or Kafka metadata, until it is ready or the timeout.
//!
//! If the container exits, the wait ends.

use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::spec;
use super::state::{ClusterState, Replica};
use crate::docker::DockerError;
use crate::docker::api::container;
use crate::docker::api::container::last_words;
use crate::docker::api::daemon::said;
use crate::docker::cancel;
use crate::docker::lock::lock;
use crate::plan::ServicePlan;
use crate::plan::cluster::Readiness;
use tokio_util::sync::CancellationToken;

const PAUSE: Duration = Duration::from_millis(100);
/// Timeout of one check.
const ANSWER: Duration = Duration::from_secs(3);
/// Timeout of one check by a command or by Kafka metadata, which open a new connection each time.
const LONG_ANSWER: Duration = Duration::from_secs(15);
/// How long Docker's proxy may take to close a connection that it accepted before the container listens.
const HANG_UP: Duration = Duration::from_millis(200);
/// How long a container without a check must run to count as ready.
const SETTLED: Duration = Duration::from_millis(300);

/// Why a replica is not ready.
#[derive(Debug)]
pub(crate) enum NotReady {
    Exited(i64),
    Never {
        tried: String,
        answer: String,
    },
    /// The wait was aborted.
    Cut,
}

impl NotReady {
    /// Converts it to an error of the start.
    pub(crate) fn error(self, unit: &Replica, timeout: Duration) -> DockerError {
        let (service, last_lines) = (unit.title(), unit.log.last_lines());
        match self {
            Self::Exited(code) => DockerError::Exited { service, code, last_lines },
            Self::Never { tried, answer } => {
                DockerError::NeverReady { service, after: timeout, tried, answer, last_lines }
            }
            Self::Cut => DockerError::Interrupted,
        }
    }

    /// Text for a fault's proof.
    pub(crate) fn words(&self, unit: &Replica) -> String {
        match self {
            Self::Exited(code) => {
                let lines = last_words(&unit.log.last_lines(), 3);
                format!("ended again with exit code {code} ({lines})")
            }
            Self::Never { tried, answer } => {
                format!("not ready in time (tried: {tried}; last answer: {answer})")
            }
            Self::Cut => "kaf6 did not wait until it was ready again".to_owned(),
        }
    }
}

/// Waits until a replica that was started at `started` is ready, up to the timeout after this time. Returns how long it
/// took.
pub(crate) async fn wait(
    shared: &ClusterState,
    unit: &Replica,
    (started, timeout): (Instant, Duration),
    cancel: &CancellationToken,
) -> Result<Duration, NotReady> {
    let service = shared.plan.service(&unit.service).filter(|_| !unit.attached);
    let ready = service.and_then(|service| service.ready.as_ref().map(|ready| (service, ready)));
    loop {
        let there = match unit.id() {
            Some(id) => container::inspect(&shared.daemon, &id).await.map_err(|error| said(&error)),
            None => Err("it has no container".to_owned()),
        };
        let answer = match there {
            Ok(Some(now)) if !now.running => {
                unit.log.settle().await;
                return Err(NotReady::Exited(now.exit_code));
            }
            Ok(None) => "its container is gone".to_owned(),
            Err(error) => error,
            Ok(Some(_)) => {
                let checked = match ready {
                    Some((service, ready)) => {
                        cancel.run_until_cancelled(ask(shared, unit, service, ready)).await
                    }
                    None if started.elapsed() >= SETTLED => Some(Ok(())),
                    None => Some(Err("it has only just started".to_owned())),
                };
                match checked {
                    Some(Ok(())) => {
                        unit.state().unready = false;
                        return Ok(started.elapsed());
                    }
                    Some(Err(error)) => error,
                    None => return Err(NotReady::Cut),
                }
            }
        };
        if started.elapsed() >= timeout {
            return Err(NotReady::Never { tried: tried(shared, unit, ready), answer });
        }
        if !cancel::sleep(cancel, PAUSE.min(timeout.saturating_sub(started.elapsed()))).await {
            return Err(NotReady::Cut);
        }
    }
}

fn address(shared: &ClusterState, unit: &Replica, port: &str) -> String {
    lock(&shared.addresses).get(&unit.service, unit.replica, port).unwrap_or("unknown:0").to_owned()
}

fn url(shared: &ClusterState, unit: &Replica, port: &str, path: &str) -> String {
    format!("http://{}/{}", address(shared, unit, port), path.trim_start_matches('/'))
}

fn tried(shared: &ClusterState, unit: &Replica, ready: Option<(&ServicePlan, &Readiness)>) -> String {
    match ready {
        Some((_, Readiness::Http { port, path })) => format!("GET {}", url(shared, unit, port, path)),
        Some((_, Readiness::Tcp { port })) => format!("a connection to {}", address(shared, unit, port)),
        // The command's arguments may contain a password.
        Some((service, Readiness::Exec(command))) => {
            let program = command.first().map(|first| spec::resolve(shared, service, unit.replica, first));
            format!("the command {} in the container", program.unwrap_or_default())
        }
        Some((_, Readiness::Kafka { port })) => {
            format!("Kafka metadata from {}", address(shared, unit, port))
        }
        None => "whether it runs".to_owned(),
    }
}

async fn ask(
    shared: &ClusterState,
    unit: &Replica,
    service: &ServicePlan,
    ready: &Readiness,
) -> Result<(), String> {
    match ready {
        Readiness::Http { port, path } => {
            let url = url(shared, unit, port, path);
            blocking(ANSWER * 2, move || http(&url)).await
        }
        Readiness::Tcp { port } => tcp(&address(shared, unit, port)).await,
        Readiness::Exec(command) => {
            let id = unit.id().ok_or("it has no container")?;
            let command =
                command.iter().map(|text| spec::resolve(shared, service, unit.replica, text)).collect();
            let mut output = Vec::new();
            let ran = container::exec(&shared.daemon, &id, command, &mut output);
            let ran = tokio::time::timeout(LONG_ANSWER, ran).await;
            let ran = ran.map_err(|_| format!("the command did not end within {LONG_ANSWER:?}"))??;
            match ran.code {
                0 => Ok(()),
                code => Err(format!("exit code {code}, {}", last_words(&ran.lines, 2))),
            }
        }
        Readiness::Kafka { port } => {
            let (address, ready) = (address(shared, unit, port), shared.options.kafka_ready.clone());
            blocking(LONG_ANSWER, move || ready(&address)).await
        }
    }
}

async fn blocking(
    timeout: Duration,
    work: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Result<(), String> {
    match tokio::time::timeout(timeout, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {timeout:?}")),
    }
}

fn http(url: &str) -> Result<(), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(ANSWER))
        .http_status_as_error(false)
        .max_redirects(0)
        // A proxy for external hosts does not know the run's network.
        .proxy(None)
        .user_agent(concat!("kaf6/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let status = agent.get(url).call().map_err(|error| error.to_string())?.status();
    if status.is_success() { Ok(()) } else { Err(format!("HTTP status {}", status.as_u16())) }
}

async fn tcp(address: &str) -> Result<(), String> {
    let connected = tokio::time::timeout(ANSWER, TcpStream::connect(address)).await;
    let mut stream =
        connected.map_err(|_| format!("no answer within {ANSWER:?}"))?.map_err(|error| error.to_string())?;
    match tokio::time::timeout(HANG_UP, stream.read(&mut [0; 1])).await {
        Err(_) | Ok(Ok(1..)) => Ok(()),
        Ok(Ok(0)) => Err("the connection was closed at once".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    #[tokio::test]
    async fn a_port_that_hangs_up_is_not_ready() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        // The kernel accepts the connection.
        tcp(&address).await.expect("it listens");
        let server = std::thread::spawn(move || {
            // The previous connection, which may be closed, and the next one.
            for _ in 0..2 {
                drop(listener.accept());
            }
        });
        assert!(tcp(&address).await.is_err(), "closed at once");
        server.join().expect("it ends");
        assert!(tcp(&address).await.expect_err("closed").contains("refused"));
    }

    #[tokio::test]
    async fn a_status_of_200_to_299_is_ready() {
        for (status, good) in
            [("200 OK", true), ("204 No Content", true), ("302 Found", false), ("503 No", false)]
        {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            let address = listener.local_addr().expect("bound").to_string();
            std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("asked");
                let _ = stream.read(&mut [0; 1024]);
                let answer = format!("HTTP/1.1 {status}\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).expect("answered");
            });
            let url = format!("http://{address}/health");
            assert_eq!(blocking(ANSWER, move || http(&url)).await.is_ok(), good, "{status}");
        }
    }
}
