//! Where kaf6 runs: on the Docker host, in a container of this Docker Engine, or elsewhere.
//!
//! Only detects the place; `cluster` derives ports and addresses from it.

use std::collections::BTreeSet;
use std::fs;

use crate::docker::api::daemon::{Daemon, Endpoint};

/// Where kaf6 runs, as seen by the Docker Engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OwnPlace {
    /// On the Docker host: ports are published on 127.0.0.1.
    Host,
    /// In a container of this Docker Engine, which joins the run's network.
    Inside {
        /// The container that owns the network: kaf6's own, or the one whose network it shares.
        container: String,
    },
    /// Elsewhere. Ports are published on all addresses of the Docker host.
    Remote {
        /// The host, as written in `DOCKER_HOST`.
        host: String,
    },
}

impl OwnPlace {
    pub(super) async fn detect(daemon: &Daemon) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let hostname = read("/proc/sys/kernel/hostname");
        let candidates =
            candidates(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"), hostname.trim());
        for id in candidates {
            // This Docker Engine does not know containers of other engines. In this case, kaf6 is not inside.
            let Ok(found) = daemon.docker.inspect_container(&id, None).await else { continue };
            if !found.state.as_ref().and_then(|state| state.running).unwrap_or(false) {
                continue;
            }
            let mode = found.host_config.and_then(|config| config.network_mode).unwrap_or_default();
            return match (mode.as_str(), mode.strip_prefix("container:"), found.id) {
                // The container shares the host's network, so it reaches published ports.
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

    /// The container in which kaf6 runs.
    pub(super) fn container(&self) -> Option<&str> {
        match self {
            Self::Inside { container } => Some(container),
            Self::Host | Self::Remote { .. } => None,
        }
    }
}

/// Possible ids of this process's container, most reliable first.
fn candidates(mountinfo: &str, cgroup: &str, hostname: &str) -> Vec<String> {
    let is_hex = |text: &str| text.chars().all(|c| c.is_ascii_hexdigit());
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut offer = |id: &str| {
        if seen.insert(id.to_owned()) {
            found.push(id.to_owned());
        }
    };
    // Docker and similar engines mount files from the container's own folder at these paths. Other mounts may belong to
    // other containers, because the host's list includes their file systems.
    for line in mountinfo.lines() {
        let mut fields = line.split(' ').skip(3);
        let (Some(root), Some(at)) = (fields.next(), fields.next()) else { continue };
        if !matches!(at, "/etc/hostname" | "/etc/hosts" | "/etc/resolv.conf") {
            continue;
        }
        for part in root.split('/') {
            if part.len() == 64 && is_hex(part) {
                offer(part);
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
    // A container's hostname is the start of its id, unless it is configured.
    if hostname.len() == 12 && is_hex(hostname) {
        offer(hostname);
    }
    found
}

/// Whether this process runs in a container, according to the files that Docker, Podman and similar engines create
/// there.
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
    fn the_container_is_that_whose_files_lie_over_those_of_etc() {
        let docker = format!(
            "1163 1149 254:1 /var/lib/docker/containers/{ID}/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda1 rw\n\
             1164 1149 254:1 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw,relatime - ext4 /dev/vda1 rw\n\
             1165 1149 254:1 /var/lib/docker/containers/{ID}/hosts /etc/hosts rw,relatime - ext4 /dev/vda1 rw\n"
        );
        // If Docker's folder is a separate file system, paths start there.
        let disk = format!("9 1 259:2 /containers/{ID}/hosts /etc/hosts rw,relatime - xfs /dev/nvme1n1 rw\n");
        let podman = format!(
            "694 682 0:24 /containers/overlay-containers/{ID}/userdata/hostname /etc/hostname rw,nosuid,nodev,relatime - tmpfs tmpfs rw\n"
        );
        let kubernetes = format!(
            "1530 1508 8:1 /var/lib/kubelet/pods/0a6a3b9e-8f0c-4c8e-9d52-0f2f4c3f7b11/etc-hosts /etc/hosts rw,relatime - ext4 /dev/sda1 rw\n\
             1532 1508 8:1 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/{ID}/hostname /etc/hostname rw,relatime - ext4 /dev/sda1 rw\n"
        );
        for mounts in [docker, disk, podman, kubernetes] {
            assert_eq!(candidates(&mounts, "", "ci"), [ID], "{mounts}");
        }
    }

    #[test]
    fn containers_of_others_on_this_host_are_not_its_own() {
        for other in [
            format!(
                "60 42 0:52 / /var/lib/docker/containers/{ID}/mounts/shm rw,nosuid,nodev,noexec,relatime shared:4 - tmpfs shm rw,size=65536k\n"
            ),
            format!(
                "61 42 0:53 / /var/lib/containers/storage/overlay-containers/{ID}/userdata/shm rw,relatime shared:5 - tmpfs shm rw,size=64000k\n"
            ),
            format!(
                "62 42 254:1 /var/lib/docker/containers/{ID}/hosts /srv/{ID}/etc/hosts rw - ext4 /dev/vda1 rw\n"
            ),
            format!(
                "63 42 254:1 /var/lib/docker/containers /var/lib/docker/containers/{ID} rw - ext4 /dev/vda1 rw\n"
            ),
            format!("64 42 0:54 / /etc/hosts rw - tmpfs /containers/{ID}/hosts rw\n"),
        ] {
            assert!(candidates(&other, "0::/\n", "build-host-1").is_empty(), "{other}");
        }
    }

    #[test]
    fn a_host_is_no_container() {
        let mounts = "25 1 254:1 / / rw - ext4 /dev/vda rw\n30 25 0:4 /containers/data /srv rw - ext4 x rw\n";
        assert!(candidates(mounts, "0::/user.slice/session-1.scope\n", "build-host-1").is_empty());
    }
}
