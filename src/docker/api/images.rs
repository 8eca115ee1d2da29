//! Images: checks whether they exist, and pulls them with progress.
//!
//! Implements the three pull policies.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::errors::Error;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt as _;

use super::credentials;
use super::daemon::{Daemon, is_gone, refused, said};
use super::refusals::{self, PullRefusal, WantedImage};
use crate::docker::DockerError;
use crate::docker::cluster::options::{ClusterStep, StepListener};
use crate::plan::cluster::Pull;
use tokio_util::sync::CancellationToken;

/// Interval of the progress lines of a pull. Each line stays on the screen, and a pull may take minutes.
const BETWEEN: Duration = Duration::from_secs(3);

/// Maximum time without progress of a pull, so that an unresponsive registry does not block a run forever.
const SILENCE: Duration = Duration::from_secs(10 * 60);

/// Makes sure that an image exists.
pub(crate) async fn ensure(
    daemon: &Daemon,
    (service, image, pull): (&str, &str, Pull),
    progress: &StepListener,
    cancel: &CancellationToken,
) -> Result<(), DockerError> {
    let there = match daemon.docker.inspect_image(&with_tag(image)).await {
        Ok(_) => true,
        Err(error) if is_gone(&error) => false,
        Err(error) => return Err(refused(format!("find the image {image}"))(error)),
    };
    match (pull, there) {
        (Pull::Missing | Pull::Never, true) => Ok(()),
        (Pull::Never, false) => {
            Err(DockerError::ImageAbsent { service: service.to_owned(), image: image.to_owned() })
        }
        (Pull::Missing, false) | (Pull::Always, _) => {
            let pulled = cancel.run_until_cancelled(pull_image(daemon, image, progress)).await;
            pulled
                .ok_or(DockerError::Interrupted)?
                .map_err(|error| cannot_pull(daemon, service, image, &error))
        }
    }
}

fn cannot_pull(daemon: &Daemon, service: &str, image: &str, error: &Error) -> DockerError {
    let reason = said(error);
    let helper = credentials::helper(image).filter(|_| credentials::of_image(image).is_none());
    let wanted = WantedImage {
        registry: credentials::named_registry(image),
        platform: &daemon.engine.platform,
        helper: helper.as_deref(),
    };
    let PullRefusal { what, remedy } = refusals::read(&reason, &wanted);
    DockerError::Image { service: service.to_owned(), image: image.to_owned(), what, remedy, reason }
}

async fn pull_image(daemon: &Daemon, image: &str, progress: &StepListener) -> Result<(), Error> {
    let options = CreateImageOptionsBuilder::new().from_image(&with_tag(image)).build();
    let credentials = credentials::of_image(image);
    let mut stream = std::pin::pin!(daemon.docker.create_image(Some(options), None, credentials));
    let mut layers = Layers::default();
    // A registry may be slow to send the first byte.
    progress(ClusterStep::Pulling { image: image.to_owned(), done: 0, total: 0 });
    let mut reported = (Instant::now(), (0, 0));
    let silence = |_| {
        let error = format!("no data for {} minutes", SILENCE.as_secs() / 60);
        Error::DockerStreamError { error }
    };
    while let Some(info) = tokio::time::timeout(SILENCE, stream.next()).await.map_err(silence)? {
        let info = info?;
        layers.hear(&info);
        if let Some(message) = info.error_detail.and_then(|detail| detail.message) {
            return Err(Error::DockerStreamError { error: message });
        }
        let (done, total) = layers.sum();
        // Nothing changes while layers are extracted.
        if reported.0.elapsed() >= BETWEEN && reported.1 != (done, total) {
            reported = (Instant::now(), (done, total));
            progress(ClusterStep::Pulling { image: image.to_owned(), done, total });
        }
    }
    Ok(())
}

/// Download progress per layer: received and total bytes.
#[derive(Default)]
struct Layers(HashMap<String, (u64, u64)>);

impl Layers {
    /// Processes one progress message of Docker. Extracting counts the same bytes again, and a layer that
    /// exists already has none; both are ignored.
    fn hear(&mut self, info: &CreateImageInfo) {
        let (Some(layer), Some(status)) = (&info.id, info.status.as_deref()) else { return };
        match (status, &info.progress_detail) {
            ("Downloading", Some(detail)) => {
                let bytes =
                    |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
                self.0.insert(layer.clone(), (bytes(detail.current), bytes(detail.total)));
            }
            // The previous message may report less than the total.
            ("Verifying Checksum" | "Download complete", _) => {
                if let Some((done, total)) = self.0.get_mut(layer) {
                    *done = *total;
                }
            }
            _ => {}
        }
    }

    /// The sums over all layers that are known so far.
    fn sum(&self) -> (u64, u64) {
        self.0.values().fold((0, 0), |(done, total): (u64, u64), (d, t)| {
            (done.saturating_add(*d), total.saturating_add(*t))
        })
    }
}

/// The image name with a tag: without one, Docker would pull all tags.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains(':') || image.contains('@') { image.to_owned() } else { format!("{image}:latest") }
}

#[cfg(test)]
mod tests {
    use super::{CreateImageInfo, Layers, with_tag};

    #[test]
    fn one_tag_is_pulled() {
        for (written, expected) in [
            ("redis", "redis:latest"),
            ("redis:7", "redis:7"),
            ("localhost:5000/redis", "localhost:5000/redis:latest"),
            ("localhost:5000/redis:7", "localhost:5000/redis:7"),
            ("redis@sha256:00", "redis@sha256:00"),
        ] {
            assert_eq!(with_tag(written), expected);
        }
    }

    #[test]
    fn a_layer_counts_by_what_came_over_the_wire() {
        let mut layers = Layers::default();
        let mut hear = |word: &str| {
            let info: CreateImageInfo = serde_json::from_str(word).expect(word);
            layers.hear(&info);
            layers.sum()
        };
        // Messages in the format of the Docker Engine.
        assert_eq!(hear(r#"{"status":"Pulling from kaf6-lab/x","id":"1"}"#), (0, 0));
        assert_eq!(hear(r#"{"status":"Already exists","progressDetail":{},"id":"a7"}"#), (0, 0));
        assert_eq!(hear(r#"{"status":"Pulling fs layer","progressDetail":{},"id":"94"}"#), (0, 0));
        let first = r#"{"status":"Downloading","progressDetail":{"current":19,"total":100},"id":"94"}"#;
        assert_eq!(hear(first), (19, 100));
        let other = r#"{"status":"Downloading","progressDetail":{"current":5,"total":50},"id":"b0"}"#;
        assert_eq!(hear(other), (24, 150));
        assert_eq!(hear(r#"{"status":"Verifying Checksum","progressDetail":{},"id":"94"}"#), (105, 150));
        assert_eq!(hear(r#"{"status":"Download complete","progressDetail":{},"id":"94"}"#), (105, 150));
        let extracted = r#"{"status":"Extracting","progressDetail":{"current":3,"total":100},"id":"94"}"#;
        assert_eq!(hear(extracted), (105, 150));
        assert_eq!(hear(r#"{"status":"Digest: sha256:b7"}"#), (105, 150));
    }
}
