//! Detects programs that the Docker host's processor cannot run: compares the platform of the image with that
//! of the host.

use super::engine;
use crate::docker::DockerError;
use crate::docker::cluster::state::{ClusterState, Replica};

/// The kernel's error message for such a program.
const WORDS: &str = "exec format error";

/// Replaces an error of a start with a more specific one if it is caused by a wrong platform.
pub(crate) async fn explain(shared: &ClusterState, unit: &Replica, error: DockerError) -> DockerError {
    let of_platform = match &error {
        DockerError::Exited { last_lines, .. } => says_so(last_lines),
        DockerError::Refused { reason, .. } => has_words(reason),
        _ => false,
    };
    if !of_platform {
        return error;
    }
    let image = unit.state().image.clone();
    DockerError::Platform { service: unit.title(), reason: reason(shared, &image).await, image }
}

/// A remark for the error of a container that exited; empty if its log does not show this cause.
pub(crate) async fn remark(shared: &ClusterState, unit: &Replica) -> String {
    if !says_so(&unit.log.last_lines()) {
        return String::new();
    }
    let image = unit.state().image.clone();
    format!("; image {image} {}", reason(shared, &image).await)
}

fn says_so(last_lines: &[String]) -> bool {
    last_lines.iter().rev().take(3).any(|line| has_words(line))
}

/// Shells capitalize the message.
fn has_words(text: &str) -> bool {
    text.to_lowercase().contains(WORDS)
}

async fn reason(shared: &ClusterState, image: &str) -> String {
    let host = &shared.daemon.engine.platform;
    let of_image = match shared.daemon.docker.inspect_image(image).await {
        Ok(found) => engine::platform(
            &found.os.unwrap_or_default(),
            &found.architecture.unwrap_or_default(),
            &found.variant.unwrap_or_default(),
        ),
        Err(_) => "an unknown platform".to_owned(),
    };
    words(&of_image, host)
}

/// The rest of a sentence about an image.
fn words(image: &str, host: &str) -> String {
    // An image may include a variant of the processor, and a host never does.
    if image == host || image.strip_prefix(host).is_some_and(|rest| rest.starts_with('/')) {
        return format!(
            "and the Docker host are both {host}, so its program is a script without a #! line, or was built for another processor"
        );
    }
    format!(
        "is for {image}, but the Docker host is {host}; use an image for {host} (docker pull \
        --platform {host}), or enable emulation on the host (QEMU's binfmt handlers)"
    )
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_variant_is_no_other_platform() {
        assert!(
            words("linux/arm64/v8", "linux/arm64").starts_with("and the Docker host are both linux/arm64")
        );
        assert!(
            words("linux/arm", "linux/arm64")
                .starts_with("is for linux/arm, but the Docker host is linux/arm64")
        );
        assert!(words("linux/arm64", "linux/arm").starts_with("is for linux/arm64, but"));
    }
}
