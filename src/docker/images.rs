//! Images: there already, or pulled while somebody watches.
//!
//! Owns the three answers to when an image is pulled.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::errors::Error;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt as _;

use super::cut::Cut;
use super::daemon::{Daemon, is_gone, refused, said};
use super::options::{Progress, Step};
use super::{DockerError, credentials};
use crate::plan::cluster::Pull;

/// Between two words on how far a pull is.
const BETWEEN: Duration = Duration::from_millis(500);

/// Longest time without a word of Docker's on a pull: a registry that hangs must not hold a run for good.
const SILENCE: Duration = Duration::from_secs(10 * 60);

/// Makes sure of an image.
pub(super) async fn ensure(
    daemon: &Daemon,
    (service, image, pull): (&str, &str, Pull),
    progress: &Progress,
    cut: &Cut,
) -> Result<(), DockerError> {
    let there = match daemon.docker.inspect_image(&with_tag(image)).await {
        Ok(_) => true,
        Err(error) if is_gone(&error) => false,
        Err(error) => return Err(refused(format!("look for the image {image}"))(error)),
    };
    match (pull, there) {
        (Pull::Missing | Pull::Never, true) => Ok(()),
        (Pull::Never, false) => {
            Err(DockerError::ImageAbsent { service: service.to_owned(), image: image.to_owned() })
        }
        (Pull::Missing, false) | (Pull::Always, _) => {
            let pulled = cut.or(pull_image(daemon, image, progress)).await;
            pulled.ok_or(DockerError::Interrupted)?.map_err(|error| DockerError::Image {
                service: service.to_owned(),
                image: image.to_owned(),
                reason: said(&error),
            })
        }
    }
}

async fn pull_image(daemon: &Daemon, image: &str, progress: &Progress) -> Result<(), Error> {
    let options = CreateImageOptionsBuilder::new().from_image(&with_tag(image)).build();
    let credentials = credentials::of_image(image);
    let mut stream = std::pin::pin!(daemon.docker.create_image(Some(options), None, credentials));
    let mut layers: HashMap<String, (u64, u64)> = HashMap::new();
    let mut told: Option<Instant> = None;
    let silence = |_| {
        let error = format!("nothing came for {} minutes", SILENCE.as_secs() / 60);
        Error::DockerStreamError { error }
    };
    while let Some(info) = tokio::time::timeout(SILENCE, stream.next()).await.map_err(silence)? {
        let info = info?;
        if let Some(message) = info.error_detail.and_then(|detail| detail.message) {
            return Err(Error::DockerStreamError { error: message });
        }
        let (Some(layer), Some(detail)) = (info.id, info.progress_detail) else { continue };
        // Extracting counts the same bytes again.
        if info.status.as_deref() != Some("Downloading") {
            continue;
        }
        let bytes = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
        layers.insert(layer, (bytes(detail.current), bytes(detail.total)));
        if told.is_some_and(|told| told.elapsed() < BETWEEN) {
            continue;
        }
        told = Some(Instant::now());
        let (done, total) = layers
            .values()
            .fold((0u64, 0u64), |(done, total), (d, t)| (done.saturating_add(*d), total.saturating_add(*t)));
        progress(Step::Pulling { image: image.to_owned(), done, total });
    }
    Ok(())
}

/// The name as Docker is asked: without a tag it would pull all there are.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains(':') || image.contains('@') { image.to_owned() } else { format!("{image}:latest") }
}

#[cfg(test)]
mod tests {
    use super::with_tag;

    #[test]
    fn one_tag_is_pulled() {
        for (written, asked) in [
            ("redis", "redis:latest"),
            ("redis:7", "redis:7"),
            ("localhost:5000/redis", "localhost:5000/redis:latest"),
            ("localhost:5000/redis:7", "localhost:5000/redis:7"),
            ("redis@sha256:00", "redis@sha256:00"),
        ] {
            assert_eq!(with_tag(written), asked);
        }
    }
}
