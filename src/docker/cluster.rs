//! A run's containers: started, faulted, healed and removed.
//!
//! Owns the whole of it; each step is a module beside this one.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Addresses, DockerError};
use crate::plan::{ClusterPlan, FaultPlan};

/// Asks a Kafka broker at `host:port` for its metadata; blocks, and says why it is not ready.
pub type KafkaReady = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// What a start needs besides the plan.
pub struct UpOptions {
    /// The run's id.
    pub run_id: String,
    /// The run's folder for logs, made when needed.
    pub logs: PathBuf,
    /// How Kafka readiness is asked.
    pub kafka_ready: KafkaReady,
    /// The run's own time bound, from which it follows when what is left of it may be swept.
    pub bound: Duration,
    /// Hears of each step.
    pub progress: Arc<dyn Fn(Step) + Send + Sync>,
}

/// What goes on while a cluster is started or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An image is pulled; bytes so far, of those known.
    Pulling {
        /// The image.
        image: String,
        /// Bytes that are there.
        done: u64,
        /// Bytes of the layers that are known so far.
        total: u64,
    },
    /// A container is started.
    Starting {
        /// The service.
        service: String,
        /// Which replica.
        replica: u32,
    },
    /// A container runs, and is asked whether it is ready.
    Waiting {
        /// The service.
        service: String,
        /// Which replica.
        replica: u32,
    },
    /// A container is ready.
    Ready {
        /// The service.
        service: String,
        /// Which replica.
        replica: u32,
        /// Since its start.
        after: Duration,
    },
    /// What was started is removed.
    Removing,
}

/// What came of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inflicted {
    /// When it began.
    pub began: Instant,
    /// When it was healed: started again (before it was ready), let go on, at full speed again. None where it still
    /// lasts: a `stop` without a length, or what could not be healed.
    pub ended: Option<Instant>,
    /// It was shown to have taken effect.
    pub effective: bool,
    /// How that was shown, or why it was not.
    pub proof: String,
}

/// A container of the run, started or attached, as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerState {
    /// The service.
    pub service: String,
    /// Which replica.
    pub replica: u32,
    /// The image, as written.
    pub image: String,
    /// The container's name.
    pub container: String,
    /// From its first start to its being ready; none where it never was, and of attached ones.
    pub ready: Option<Duration>,
    /// Its log.
    pub log: Option<PathBuf>,
    /// The last lines of its log.
    pub last_lines: Vec<String>,
}

/// The containers of a run.
pub struct Cluster {
    addresses: Addresses,
}

impl Cluster {
    /// Starts all services, each after those that it needs, and finds what it attaches to. Returns when all are
    /// ready. Where that fails, or `cut` ends first, what was started is removed before this returns.
    ///
    /// # Errors
    /// With a sentence that says what to do.
    pub async fn up(
        plan: &ClusterPlan,
        options: UpOptions,
        cut: impl Future<Output = ()> + Send,
    ) -> Result<Self, DockerError> {
        let _ = (plan, options, cut);
        Err(DockerError::Interrupted)
    }

    /// Where the ports of all replicas are reached that there can be; fixed.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Replicas that are to run now: not those that a `stop` or a `scale` took away; those that a `restart` or a
    /// `pause` holds are in it. Only of services that were started.
    pub fn running(&self) -> Vec<(String, u32)> {
        Vec::new()
    }

    /// Begins a fault, lets it last, heals it and waits until what it touched is ready again. `cut` ends the lasting
    /// early: it is healed at once, and readiness is not waited for.
    pub async fn inflict(&self, fault: &FaultPlan, cut: impl Future<Output = ()> + Send) -> Inflicted {
        let _ = (fault, cut);
        Inflicted { began: Instant::now(), ended: None, effective: false, proof: String::new() }
    }

    /// Heals what faults left: starts what is stopped, lets go on what is paused, takes delays away, and brings back
    /// the replicas of the start. Gives sentences for what could not be.
    pub async fn heal(&self) -> Vec<String> {
        Vec::new()
    }

    /// Sentences on containers that ended by themselves, each told once.
    pub async fn unexpected(&self) -> Vec<String> {
        Vec::new()
    }

    /// The containers, in the order of their start.
    pub async fn seen(&self) -> Vec<ContainerState> {
        Vec::new()
    }

    /// Heals what is attached, removes all that was started, leaves the network that was joined. Gives sentences for
    /// what could not be removed.
    pub async fn down(&self) -> Vec<String> {
        Vec::new()
    }
}
