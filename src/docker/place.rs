//! Where kaf6 itself runs: on the Docker host, in a container of this Docker Engine, or away from it.
//!
//! Owns how that is found out; what follows for ports and addresses is `wires`'.

use std::collections::BTreeSet;
use std::fs;

use super::daemon::{Daemon, Endpoint};

/// Where kaf6 runs, as the Docker Engine sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// On its host: ports are published on 127.0.0.1.
    Host,
    /// In one of its containers, which joins the run's network.
    Inside {
        /// The container whose network that is: kaf6's own, or the one that it shares it with.
        container: String,
    },
    /// Elsewhere: ports are published on all addresses of that host.
    Remote {
        /// As `DOCKER_HOST` names it.
        host: String,
    },
}

impl Place {
    /// Finds out.
    pub(super) async fn detect(daemon: &Daemon) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let hostname = read("/proc/sys/kernel/hostname");
        let candidates =
            candidates(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"), hostname.trim());
        for id in candidates {
            // Another Docker Engine's containers are not known to this one, and then kaf6 is not inside.
            let Ok(found) = daemon.docker.inspect_container(&id, None).await else { continue };
            if !found.state.as_ref().and_then(|state| state.running).unwrap_or(false) {
                continue;
            }
            let mode = found.host_config.and_then(|config| config.network_mode).unwrap_or_default();
            return match (mode.as_str(), mode.strip_prefix("container:"), found.id) {
                // It shares the host's network, and so reaches what is published there.
                ("host", ..) => Self::of(&daemon.endpoint),
                (_, Some(other), _) => Self::Inside { container: other.to_owned() },
                (_, None, Some(id)) => Self::Inside { container: id },
                (_, None, None) => continue,
            };
        }
        Self::of(&daemon.endpoint)
    }

    fn of(endpoint: &Endpoint) -> Self {
        match endpoint {
            Endpoint::Socket(_) => Self::Host,
            Endpoint::Tcp { host, .. } => Self::Remote { host: host.clone() },
        }
    }

    /// The container that kaf6 runs in.
    pub(super) fn container(&self) -> Option<&str> {
        match self {
            Self::Inside { container } => Some(container),
            Self::Host | Self::Remote { .. } => None,
        }
    }
}

/// Ids that this process's container may have, the surest first.
fn candidates(mountinfo: &str, cgroup: &str, hostname: &str) -> Vec<String> {
    let is_hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit());
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut offer = |id: &str| {
        if seen.insert(id.to_owned()) {
            found.push(id.to_owned());
        }
    };
    // Docker mounts files of `containers/ID/` over /etc/hostname and the like.
    for line in mountinfo.lines() {
        for (at, _) in line.match_indices("/containers/") {
            let id: String = line[at + 12..].chars().take_while(char::is_ascii_hexdigit).collect();
            if id.len() == 64 {
                offer(&id);
            }
        }
    }
    for line in cgroup.lines() {
        for part in line.split(['/', '-', '.', ':']) {
            if part.len() == 64 && is_hex(part) {
                offer(part);
            }
        }
    }
    // A container's hostname is the start of its id, unless somebody set another.
    if hostname.len() == 12 && is_hex(hostname) {
        offer(hostname);
    }
    found
}

/// Whether this process runs in a container, as the files say that Docker, Podman and their like put there.
pub fn is_inside_a_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|file| std::path::Path::new(file).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_container_is_known_by_its_mounts_its_cgroup_or_its_hostname() {
        let mounts = format!(
            "100 99 254:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/vda rw\n"
        );
        assert_eq!(candidates(&mounts, "", "ci"), [ID]);
        assert_eq!(candidates("", &format!("4:cpu:/docker/{ID}\n"), "ci"), [ID]);
        assert_eq!(
            candidates("", &format!("0::/system.slice/docker-{ID}.scope\n"), "0123456789ab"),
            [ID, "0123456789ab"]
        );
        assert_eq!(candidates("", "0::/\n", "0123456789ab"), ["0123456789ab"]);
    }

    #[test]
    fn a_host_is_no_container() {
        let mounts = "25 1 254:1 / / rw - ext4 /dev/vda rw\n30 25 0:4 /containers/data /srv rw - ext4 x rw\n";
        assert!(candidates(mounts, "0::/user.slice/session-1.scope\n", "build-host-1").is_empty());
    }
}
