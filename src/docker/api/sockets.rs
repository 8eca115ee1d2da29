//! The sockets of Docker Engines on this machine, and of Podman, which has a compatible API.
//!
//! Contains the paths of common installations. A Podman socket is used only if it is configured; otherwise errors
//! mention it.

use std::path::{Path, PathBuf};

/// Docker's default socket.
const USUAL: &str = "/var/run/docker.sock";

/// A socket, and its engine.
struct Socket {
    path: PathBuf,
    whose: &'static str,
    /// Whether it is used if no socket is configured.
    by_default: bool,
}

/// All known sockets, in search order. `set` reads an environment variable.
fn candidates(set: &dyn Fn(&str) -> Option<String>) -> Vec<Socket> {
    let below = |variable: &str, rest: &str| set(variable).map(|folder| Path::new(&folder).join(rest));
    let all = [
        (Some(PathBuf::from(USUAL)), "Docker", true),
        (below("XDG_RUNTIME_DIR", "docker.sock"), "rootless Docker", true),
        (below("HOME", ".docker/run/docker.sock"), "Docker Desktop", true),
        (below("XDG_RUNTIME_DIR", "podman/podman.sock"), "rootless Podman", false),
        (Some(PathBuf::from("/run/podman/podman.sock")), "Podman", false),
    ];
    let socket = |(path, whose, by_default)| Some(Socket { path: path?, whose, by_default });
    all.into_iter().filter_map(socket).collect()
}

fn of_environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The first default socket that exists; otherwise the usual one.
pub(crate) fn usual() -> PathBuf {
    let mut defaults = candidates(&of_environment).into_iter().filter(|socket| socket.by_default);
    defaults.find(|socket| socket.path.exists()).map_or_else(|| PathBuf::from(USUAL), |socket| socket.path)
}

/// Text for the error about an unusable socket: other default paths without a socket, and the existing sockets.
pub(crate) fn beside(socket: &Path) -> (String, String) {
    words(socket, &candidates(&of_environment), &Path::exists)
}

fn words(socket: &Path, all: &[Socket], exists: &dyn Fn(&Path) -> bool) -> (String, String) {
    let others = || all.iter().filter(|other| other.path != socket);
    let nor = others().filter(|other| other.by_default && socket == Path::new(USUAL) && !exists(&other.path));
    let nor: Vec<String> = nor.map(|other| other.path.display().to_string()).collect();
    let nor = if nor.is_empty() { String::new() } else { format!(", and neither does {}", nor.join(" or ")) };
    let there = others().filter(|other| exists(&other.path));
    let there: Vec<String> = there
        .map(|other| {
            format!("; there is a socket of {}: DOCKER_HOST=unix://{}", other.whose, other.path.display())
        })
        .collect();
    (nor, there.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str) -> Option<String> {
        let folder = match name {
            "XDG_RUNTIME_DIR" => "/run/user/7",
            "HOME" => "/home/me",
            _ => return None,
        };
        Some(folder.to_owned())
    }

    #[test]
    fn what_was_looked_for_and_what_is_there_is_said() {
        let all = candidates(&set);
        let said = |socket: &str, there: &[&str]| {
            words(Path::new(socket), &all, &|path| there.iter().any(|it| path == Path::new(it)))
        };
        let (nor, there) = said(USUAL, &[]);
        assert_eq!(nor, ", and neither does /run/user/7/docker.sock or /home/me/.docker/run/docker.sock");
        assert_eq!(there, "");
        let (_, there) = said(USUAL, &["/run/user/7/podman/podman.sock"]);
        assert_eq!(
            there,
            "; there is a socket of rootless Podman: DOCKER_HOST=unix:///run/user/7/podman/podman.sock"
        );
        // The socket was configured, so no default path was tried.
        let (nor, there) = said("/mine.sock", &[USUAL, "/run/user/7/docker.sock"]);
        assert_eq!(nor, "");
        assert_eq!(
            there,
            "; there is a socket of Docker: DOCKER_HOST=unix:///var/run/docker.sock; there is a socket of rootless Docker: DOCKER_HOST=unix:///run/user/7/docker.sock"
        );
        assert_eq!(words(Path::new(USUAL), &candidates(&|_| None), &|_| false), Default::default());
    }
}
