//! Errors of the Docker module. Each is a sentence with advice.
//!
//! No error contains the value of an environment variable.

use std::fmt::Write as _;
use std::time::Duration;

/// Why containers could not be started, attached to or removed.
#[derive(Debug, thiserror::Error)]
pub enum DockerError {
    /// No Docker Engine was found.
    #[error(
        "no Docker Engine: {socket} does not exist{nor}; start Docker, or set DOCKER_HOST to its \
        address (in a container: mount the socket with -v \
        /var/run/docker.sock:/var/run/docker.sock){others}"
    )]
    Absent {
        /// The default socket.
        socket: String,
        /// Other paths without a socket, as part of the sentence.
        nor: String,
        /// Sockets of other engines, as part of the sentence.
        others: String,
    },
    /// The socket exists, but nothing listens on it.
    #[error(
        "no Docker Engine: {socket} exists, but {reason}; start Docker (systemctl start docker, or \
        Docker Desktop), or set DOCKER_HOST to its address{others}"
    )]
    Dead {
        socket: String,
        /// The reason why nothing answers, as part of the sentence.
        reason: &'static str,
        /// Sockets of other engines, as part of the sentence.
        others: String,
    },
    /// The user has no permission for the socket.
    #[error(
        "no permission to use Docker's socket {socket}: run kaf6 as a user in the group docker, or as root (in a container: docker run --user 0, or --group-add with the socket's group){others}"
    )]
    Permission {
        socket: String,
        /// Sockets of other engines, as part of the sentence.
        others: String,
    },
    /// The Docker Engine does not answer.
    #[error(
        "the Docker Engine at {host} does not answer: {reason}; check that it runs, and check \
        DOCKER_HOST"
    )]
    Unreachable {
        host: String,
        /// The error instead of an answer.
        reason: String,
    },
    /// `DOCKER_HOST` has an unsupported scheme.
    #[error(
        "{} is {host}, but kaf6 connects to Docker only over unix:// and over tcp:// without TLS; \
        {}",
        if context.is_empty() { "DOCKER_HOST".to_owned() } else { format!("Docker's current context `{context}`") },
        if context.is_empty() {
            "in a CI job with Docker-in-Docker, set DOCKER_TLS_CERTDIR to \"\" and DOCKER_HOST to \
            tcp://docker:2375"
        } else {
            "set DOCKER_HOST, or choose another context"
        }
    )]
    Unsupported {
        /// The configured address.
        host: String,
        /// The context with this address; empty if it is from `DOCKER_HOST`.
        context: String,
    },
    /// Docker's current context cannot be used.
    #[error(
        "Docker's current context `{name}` {reason}; choose another one with docker context use, or set DOCKER_HOST"
    )]
    Context {
        name: String,
        /// The reason, as the rest of the sentence.
        reason: String,
    },
    /// The Docker Engine rejected a request that should work.
    #[error("Docker could not {doing}: {reason}")]
    Refused { doing: String, reason: String },
    /// An image cannot be pulled.
    #[error("cannot pull image {image} for service {service}: {what}; {remedy} (Docker says: {reason})")]
    Image { service: String, image: String, what: String, remedy: String, reason: String },
    /// The processor of the Docker host cannot run the program of an image.
    #[error("{service} cannot run (exec format error): image {image} {reason}")]
    Platform {
        /// The service, with its replica if there are several.
        service: String,
        image: String,
        /// The platforms of both with advice, as the rest of the sentence.
        reason: String,
    },
    /// All addresses that Docker reserves for networks are in use.
    #[error(
        "Docker has no addresses left for the run's network {network}: {reason}; remove unused \
        networks (kaf6 clean, then docker network prune), or add default-address-pools to \
        Docker's daemon.json"
    )]
    NoAddresses { network: String, reason: String },
    /// An image that must not be pulled is missing.
    #[error(
        "the image {image} of service {service} is not on this Docker Engine, and the service has \
        pull: never; build it or docker pull it first, or set pull: missing"
    )]
    ImageAbsent { service: String, image: String },
    /// No port could be published.
    #[error(
        "cannot publish the ports of service {service}, not even on other host ports: {reason}; \
        check published ports with docker ps"
    )]
    Port { service: String, reason: String },
    /// A container ended before it was ready.
    #[error("{service} ended with exit code {code} before it was ready{}", tail(.last_lines))]
    Exited {
        /// The service, with its replica if there are several.
        service: String,
        code: i64,
        /// The last lines of its log.
        last_lines: Vec<String>,
    },
    /// A container did not become ready in time.
    #[error(
        "{service} was not ready within {after:?} (tried: {tried}; last answer: {answer}); \
        increase its ready_timeout, or see its log{}",
        tail(.last_lines)
    )]
    NeverReady {
        /// The service, with its replica if there are several.
        service: String,
        after: Duration,
        tried: String,
        /// The result of the last attempt.
        answer: String,
        /// The last lines of its log.
        last_lines: Vec<String>,
    },
    #[error(
        "no running container {wanted} to attach to as {name}; running containers: {running}; \
        start it first, or name one of these"
    )]
    NoContainer {
        /// The name in the file.
        name: String,
        wanted: String,
        running: String,
    },
    /// The relay cannot be used for this link.
    #[error("cannot run a relay for {link}: {reason}")]
    NoRelay {
        /// The link, as `from -> to`.
        link: String,
        /// The reason with advice.
        reason: String,
    },
    /// Containers of another run with the same id exist.
    #[error(
        "the run id {run_id} is in use: {what}; choose another --run-id, or remove the leftovers \
        with kaf6 clean --run {run_id}"
    )]
    RunIdTaken { run_id: String, what: String },
    /// An error with an engine other than Docker.
    #[error(
        "{error}; the engine here is Podman {version}, and kaf6 is tested less \
         with Podman than with Docker: check whether docker run works with the same DOCKER_HOST"
    )]
    OnPodman { version: String, error: Box<DockerError> },
    /// An error after which kaf6 could not remove everything that it had started.
    #[error("{error}; could not remove: {left}; run kaf6 clean")]
    Left { error: Box<DockerError>, left: String },
    /// A local operation that does not use containers failed.
    #[error("{doing}: {error}")]
    Io { doing: String, error: std::io::Error },
    /// The start was canceled.
    #[error("the start of the containers was interrupted; kaf6 removed what it had started")]
    Interrupted,
}

impl DockerError {
    /// Adds the name of the context that contains the address.
    pub(crate) fn of_context(mut self, name: &str) -> Self {
        match &mut self {
            Self::Unsupported { context, .. } => name.clone_into(context),
            Self::Absent { others, .. } | Self::Dead { others, .. } | Self::Permission { others, .. } => {
                let said = format!(
                    "; Docker's current context `{name}` sets this address: choose another context \
                    with docker context use, or set DOCKER_HOST, which takes precedence"
                );
                others.insert_str(0, &said);
            }
            Self::Unreachable { host, .. } => {
                *host = format!("{host} (of Docker's current context `{name}`)");
            }
            _ => {}
        }
        self
    }
}

/// The last lines of a log, as text to follow a message.
fn tail(lines: &[String]) -> String {
    if lines.is_empty() {
        return "; its log is empty".to_owned();
    }
    let mut text = String::from("; its last log lines:");
    for line in lines.iter().rev().take(10).rev() {
        let _ = write!(text, "\n  {line}");
    }
    text
}
