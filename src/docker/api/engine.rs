//! The type of the engine: Docker, or Podman with its Docker-compatible API.
//!
//! Contains what kaf6 does differently for each.

use bollard::Docker;
use bollard::errors::Error;

/// The engine according to its own answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Engine {
    /// The version of Podman; `None` for Docker.
    pub podman: Option<String>,
    /// The operating system and architecture of its containers, such as `linux/amd64`.
    pub platform: String,
}

pub(crate) async fn ask(docker: &Docker) -> Result<Engine, Error> {
    let version = docker.version().await?;
    let components = version.components.unwrap_or_default();
    let podman = components.into_iter().find(|component| component.name.starts_with("Podman"));
    let (os, arch) = (version.os.unwrap_or_default(), version.arch.unwrap_or_default());
    Ok(Engine { podman: podman.map(|podman| podman.version), platform: platform(&os, &arch, "") })
}

/// Joins the parts of a platform, such as `linux/arm64/v8`.
pub(crate) fn platform(os: &str, architecture: &str, variant: &str) -> String {
    let parts = [os, architecture, variant].into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("/")
}

impl Engine {
    /// Whether this is rootless Docker, whose containers cannot reach the host.
    pub(crate) async fn is_rootless_docker(&self, docker: &Docker) -> bool {
        // If the engine does not report it, kaf6 starts containers anyway, and an error explains the problem.
        let options = docker.info().await.ok().and_then(|info| info.security_options);
        self.podman.is_none() && options.unwrap_or_default().iter().any(|it| it == "name=rootless")
    }
}
