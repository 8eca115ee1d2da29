//! The connection to the Docker Engine: its address, whether it answers, and what its errors mean.
//!
//! All other modules of `docker` send their requests through it.

use std::error::Error as _;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use bollard::errors::Error;
use bollard::{API_DEFAULT_VERSION, Docker};

use super::engine::{self, Engine};
use super::{context, sockets};
use crate::docker::DockerError;

/// Timeout of one request, in seconds.
const REQUEST_SECONDS: u64 = 120;

/// Timeout of the first request.
const GREETING: Duration = Duration::from_secs(10);

/// Status codes of the Docker Engine: the requested object is missing, or its state was already reached.
const NOT_FOUND: u16 = 404;
const NOT_MODIFIED: u16 = 304;
const CONFLICT: u16 = 409;

/// A connection to a Docker Engine that has answered.
#[derive(Clone)]
pub(crate) struct Daemon {
    pub docker: Docker,
    pub endpoint: Endpoint,
    pub engine: Engine,
}

/// The address of a Docker Engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A socket on this machine.
    Socket(PathBuf),
    /// A port, possibly on another machine.
    Tcp {
        /// The host, as written in `DOCKER_HOST`.
        host: String,
        /// `host:port`.
        address: String,
    },
}

impl Endpoint {
    /// Parses a value of `DOCKER_HOST`; `None` means the first socket that exists, or the default one.
    fn parse(value: Option<&str>) -> Result<Self, DockerError> {
        let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else {
            return Ok(Self::Socket(sockets::usual()));
        };
        let unsupported = || DockerError::Unsupported { host: value.to_owned(), context: String::new() };
        if let Some(path) = value.strip_prefix("unix://") {
            return Ok(Self::Socket(PathBuf::from(path)));
        }
        let rest = value.strip_prefix("tcp://").or_else(|| value.strip_prefix("http://"));
        let address = rest.ok_or_else(unsupported)?.trim_end_matches('/');
        let (host, port) = address.rsplit_once(':').unwrap_or((address, "2375"));
        let port: u16 = port.parse().map_err(|_| unsupported())?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.is_empty() || host.contains('/') {
            return Err(unsupported());
        }
        Ok(Self::Tcp { host: bare.to_owned(), address: format!("{host}:{port}") })
    }
}

impl Daemon {
    /// Connects to `DOCKER_HOST`, or to Docker's current context if it is not set.
    pub(crate) async fn connect() -> Result<Self, DockerError> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        if let Some(host) = set("DOCKER_HOST") {
            if set("DOCKER_TLS_VERIFY").is_some() && !host.starts_with("unix://") {
                return Err(DockerError::Unsupported { host, context: String::new() });
            }
            return Self::connect_to(Some(&host)).await;
        }
        let Some(context) = context::current(&set)? else { return Self::connect_to(None).await };
        Self::connect_to(Some(&context.host)).await.map_err(|error| error.of_context(&context.name))
    }

    /// Connects to the address in this value of `DOCKER_HOST`.
    pub(crate) async fn connect_to(host: Option<&str>) -> Result<Self, DockerError> {
        let endpoint = Endpoint::parse(host)?;
        let docker = match &endpoint {
            Endpoint::Socket(path) => {
                let path = path.display().to_string();
                Docker::connect_with_unix(&path, REQUEST_SECONDS, API_DEFAULT_VERSION)
            }
            Endpoint::Tcp { address, .. } => {
                Docker::connect_with_http(address, REQUEST_SECONDS, API_DEFAULT_VERSION)
            }
        };
        let docker = docker.map_err(|error| endpoint.cannot(&error))?;
        let greeting = async {
            let docker = docker.negotiate_version().await?;
            let engine = engine::ask(&docker).await?;
            Ok((docker, engine))
        };
        match tokio::time::timeout(GREETING, greeting).await {
            Ok(Ok((docker, engine))) => Ok(Self { docker, endpoint, engine }),
            Ok(Err(error)) => Err(endpoint.cannot(&error)),
            Err(_) => Err(DockerError::Unreachable {
                host: endpoint.to_string(),
                reason: format!("no answer within {} s", GREETING.as_secs()),
            }),
        }
    }
}

impl Endpoint {
    fn cannot(&self, error: &Error) -> DockerError {
        let Self::Socket(path) = self else {
            return DockerError::Unreachable { host: self.to_string(), reason: said(error) };
        };
        let socket = path.display().to_string();
        let (nor, others) = sockets::beside(path);
        match io_kind(error) {
            _ if matches!(error, Error::SocketNotFoundError(_)) => {
                DockerError::Absent { socket, nor, others }
            }
            Some(ErrorKind::NotFound) => DockerError::Absent { socket, nor, others },
            Some(ErrorKind::PermissionDenied) => DockerError::Permission { socket, others },
            // Docker creates a folder for a mount whose source does not exist.
            Some(_) if path.is_dir() => {
                let reason = "it is a folder: it was mounted from a host that has no such socket";
                DockerError::Dead { socket, reason, others }
            }
            Some(ErrorKind::ConnectionRefused) => {
                DockerError::Dead { socket, reason: "nothing listens there", others }
            }
            _ => DockerError::Unreachable { host: self.to_string(), reason: said(error) },
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { address, .. } => write!(f, "tcp://{address}"),
        }
    }
}

/// The Docker Engine's error in one line.
pub(crate) fn said(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().replace('\n', " "),
        Error::DockerStreamError { error } => error.trim().replace('\n', " "),
        Error::RequestTimeoutError => format!("no answer within {REQUEST_SECONDS} s"),
        other => {
            let causes = std::iter::successors(other.source(), |&cause| cause.source());
            // The last cause is the most specific. The others only report that a request failed.
            causes.last().map_or_else(|| other.to_string(), ToString::to_string)
        }
    }
}

fn io_kind(error: &Error) -> Option<ErrorKind> {
    if let Error::IOError { err } = error {
        return Some(err.kind());
    }
    let start: Option<&(dyn std::error::Error + 'static)> = Some(error);
    std::iter::successors(start, |&cause| cause.source())
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .last()
        .map(std::io::Error::kind)
}

/// Converts an error, and adds what was requested.
pub(crate) fn refused(doing: impl Into<String>) -> impl FnOnce(Error) -> DockerError {
    let doing = doing.into();
    move |error| DockerError::Refused { doing, reason: said(&error) }
}

/// Whether the error means that the requested object does not exist.
pub(crate) const fn is_gone(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: NOT_FOUND, .. })
}

/// Whether the error means that the requested state already exists.
pub(crate) const fn is_done(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: NOT_MODIFIED, .. })
}

/// Whether the error means that the object is in the wrong state, for example that a container to be killed does not
/// run.
pub(crate) const fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: CONFLICT, .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_host_is_read_as_docker_reads_it() {
        let tcp = |host: &str, address: &str| Endpoint::Tcp { host: host.into(), address: address.into() };
        let read = |value| Endpoint::parse(Some(value)).expect(value);
        assert_eq!(read("tcp://docker:2375"), tcp("docker", "docker:2375"));
        assert_eq!(read("tcp://docker"), tcp("docker", "docker:2375"));
        assert_eq!(read("tcp://10.0.0.1:1234/"), tcp("10.0.0.1", "10.0.0.1:1234"));
        assert_eq!(read("tcp://[::1]:9"), tcp("::1", "[::1]:9"));
        assert_eq!(read("unix:///run/x.sock"), Endpoint::Socket("/run/x.sock".into()));
        for bad in ["ssh://me@host", "npipe:////./pipe/docker_engine", "tcp://", "tcp://a:b", "docker"] {
            assert!(
                matches!(Endpoint::parse(Some(bad)), Err(DockerError::Unsupported { host, .. }) if host == bad)
            );
        }
    }

    #[test]
    fn a_socket_of_others_is_told_apart() {
        let endpoint = Endpoint::Socket("/var/run/docker.sock".into());
        let message = |kind: ErrorKind| endpoint.cannot(&Error::IOError { err: kind.into() }).to_string();
        assert!(message(ErrorKind::PermissionDenied).starts_with("no permission to use Docker's socket"));
        assert!(message(ErrorKind::NotFound).starts_with("no Docker Engine: "));
        assert!(message(ErrorKind::ConnectionRefused).contains("nothing listens there; start Docker"));
        assert!(message(ErrorKind::ConnectionReset).contains("does not answer"));
    }

    #[tokio::test]
    async fn no_socket_no_answer_and_no_docker_are_told_apart() {
        let folder = tempfile::tempdir().expect("a folder");
        let host = format!("unix://{}", folder.path().join("none.sock").display());
        let error = Daemon::connect_to(Some(&host)).await.err().expect("nothing there");
        assert!(error.to_string().starts_with("no Docker Engine: "), "{error}");

        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let error = Daemon::connect_to(Some(&format!("tcp://127.0.0.1:{port}"))).await.err().expect("closed");
        let text = error.to_string();
        assert!(text.contains(&format!("tcp://127.0.0.1:{port} does not answer")), "{text}");
        assert!(text.contains("refused"), "{text}");
    }
}
