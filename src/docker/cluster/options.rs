//! The options of a cluster, and what it reports: the types between the engine and the containers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::scenario::Secrets;

/// Requests metadata from a Kafka broker at `host:port`; blocks, and returns why it is not ready.
pub type KafkaReady = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

pub type StepListener = Arc<dyn Fn(ClusterStep) + Send + Sync>;

/// The options of a start, in addition to the plan.
#[derive(Clone)]
pub struct UpOptions {
    pub run_id: String,
    /// The run's folder for logs. Created when needed.
    pub logs: PathBuf,
    /// Secrets to hide in the logs.
    pub secrets: Secrets,
    /// Checks the readiness of a Kafka broker.
    pub kafka_ready: KafkaReady,
    /// The run's timeout, from which the expiry time of its containers is derived.
    pub bound: Duration,
    pub progress: StepListener,
    /// Images that faults use to restart services, by service. They are also pulled at the start.
    pub later_images: Vec<(String, String)>,
}

/// Progress of starting or removing a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterStep {
    /// An image is being pulled. The bytes so far, of the known total.
    Pulling {
        image: String,
        /// Bytes received so far.
        done: u64,
        /// Bytes of the layers that are known so far.
        total: u64,
    },
    Starting {
        service: String,
        replica: u32,
    },
    /// A container runs, and its readiness is being checked.
    Waiting {
        service: String,
        replica: u32,
    },
    Ready {
        service: String,
        replica: u32,
        after: Duration,
    },
    /// Everything that was started is being removed.
    Removing,
}

/// The effect of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultOutcome {
    pub began: Instant,
    /// When the fault was healed: containers started (before they were ready), resumed, or at full speed again. For
    /// faults without a duration (`start`, `exec`, a `scale` without one), when they were done. `None` if the fault
    /// still lasts: a `stop` without a duration, or a fault that could not be healed.
    pub ended: Option<Instant>,
    /// When the fault was in full effect: from when Docker had applied it to all replicas until its removal started
    /// (`None`: it still lasts). `None` if this equals `began` to `ended`.
    pub effect: Option<(Instant, Option<Instant>)>,
    /// The services and replicas that the fault still affects, if it lasts.
    pub holds: Vec<(String, u32)>,
    /// Whether kaf6 proved that the fault took effect.
    pub effective: bool,
    /// The proof, or the reason why there is none.
    pub proof: String,
}

/// The current state of a container of the run, started or attached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerState {
    pub service: String,
    pub replica: u32,
    /// The image, as written.
    pub image: String,
    pub container: String,
    /// The time from its first start until it was ready; `None` if it was never ready, and for attached containers.
    pub ready: Option<Duration>,
    pub log: Option<PathBuf>,
    /// The last lines of its log.
    pub last_lines: Vec<String>,
}
