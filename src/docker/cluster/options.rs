//! The options of a cluster, and what it reports: the types between the engine and the containers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::scenario::Secrets;

/// Requests metadata from a Kafka broker at `host:port`; blocks, and returns why it is not ready.
pub type KafkaReady = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

pub type StepListener = Arc<dyn Fn(ClusterStep) + Send + Sync>;

/// What a start needs besides the plan.
#[derive(Clone)]
pub struct UpOptions {
    pub run_id: String,
    /// The run's folder for logs, made when needed.
    pub logs: PathBuf,
    /// Secrets to hide in the logs.
    pub secrets: Secrets,
    /// How Kafka readiness is asked.
    pub kafka_ready: KafkaReady,
    /// The run's own timeout, from which it follows when what is left of it may be swept.
    pub bound: Duration,
    pub progress: StepListener,
    /// Images that faults start services from again: they are pulled at the start too, each for its service.
    pub later_images: Vec<(String, String)>,
}

/// Progress of starting or removing a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterStep {
    /// An image is pulled; bytes so far, of those known.
    Pulling {
        image: String,
        /// Bytes that are there.
        done: u64,
        /// Bytes of the layers that are known so far.
        total: u64,
    },
    Starting {
        service: String,
        replica: u32,
    },
    /// A container runs, and is asked whether it is ready.
    Waiting {
        service: String,
        replica: u32,
    },
    Ready {
        service: String,
        replica: u32,
        after: Duration,
    },
    /// What was started is removed.
    Removing,
}

/// The effect of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultOutcome {
    pub began: Instant,
    /// When it was healed: started again (before it was ready), let go on, at full speed again. Of what is over once
    /// done (`start`, `exec`, a `scale` without a length): when that was. None where it still lasts: a `stop`
    /// without a length, or what could not be healed.
    pub ended: Option<Instant>,
    /// When it was in full effect: from when Docker had done it to all, until it began to be undone (none: it still lasts).
    /// None where that is from `began` to `ended`.
    pub effect: Option<(Instant, Option<Instant>)>,
    /// Those that it still holds, where it lasts: by service and replica.
    pub holds: Vec<(String, u32)>,
    /// Whether it was proven to have taken effect.
    pub effective: bool,
    /// The proof, or why there is none.
    pub proof: String,
}

/// A container of the run, started or attached, as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerState {
    pub service: String,
    pub replica: u32,
    /// The image, as written.
    pub image: String,
    pub container: String,
    /// From its first start to its being ready; none where it never was, and of attached ones.
    pub ready: Option<Duration>,
    pub log: Option<PathBuf>,
    /// The last lines of its log.
    pub last_lines: Vec<String>,
}
