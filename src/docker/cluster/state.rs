//! The state of a run's cluster: its network, its containers, and the desired state of each.
//!
//! State only. The neighboring modules act on it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::names;
use super::options::UpOptions;
use super::ports::Ports;
use crate::docker::Addresses;
use crate::docker::api::daemon::Daemon;
use crate::docker::lock::lock;
use crate::docker::logs::ReplicaLog;
use crate::docker::place::OwnPlace;
use crate::docker::relay::Relay;
use crate::plan::{ClusterPlan, FaultTarget, ServicePlan};

/// The containers of a run with everything that belongs to them.
pub(crate) struct ClusterState {
    pub daemon: Daemon,
    /// Where kaf6 runs.
    pub place: OwnPlace,
    pub options: UpOptions,
    pub plan: ClusterPlan,
    /// The labels of everything that is started.
    pub labels: HashMap<String, String>,
    /// All possible replicas, and the attached containers.
    pub units: BTreeMap<(String, u32), Arc<Replica>>,
    /// The addresses for connections from kaf6.
    pub addresses: Mutex<Addresses>,
    pub ports: Ports,
    pub network: Mutex<Network>,
    /// The relays, by client and server of the link.
    pub relays: Mutex<HashMap<(String, String), Relay>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    pub created: bool,
    /// The address of kaf6's relays for containers, and the address on which they listen.
    pub relay_host: Option<RelayHost>,
    /// kaf6's own container, after it joined the network.
    pub joined: Option<String>,
    /// Networks of attached containers that kaf6's own container joined.
    pub visited: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RelayHost {
    pub name: String,
    /// The address on which kaf6 listens.
    pub listen: String,
    /// The entry for this address in the containers' hosts files, if needed.
    pub extra_host: Option<String>,
}

/// One replica of a service, or one attached container.
pub(crate) struct Replica {
    /// The service, or the name in the file of an attached container.
    pub service: String,
    pub replica: u32,
    /// Whether the service can have several replicas.
    pub several: bool,
    /// Whether it was running before kaf6 started.
    pub attached: bool,
    pub container: String,
    pub log: Arc<ReplicaLog>,
    state: Mutex<ReplicaState>,
}

/// The current state of a replica.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReplicaState {
    pub id: Option<String>,
    pub image: String,
    /// The desired state.
    pub wanted: DesiredState,
    /// The number of changes of the desired state.
    pub turns: u64,
    /// Whether its container has volumes, which keep its data after the container is removed.
    pub has_volumes: bool,
    /// Whether a fault removed its container without volumes, and this is not yet reported.
    pub dropped: bool,
    /// The time from its first start until it was ready.
    pub ready: Option<Duration>,
    /// Whether it was started and is not yet known to be ready.
    pub unready: bool,
    /// Whether its unexpected exit was reported.
    pub told: bool,
    /// Its position in the order of first starts.
    pub order: Option<usize>,
    /// All times at which it was started or resumed.
    pub let_run: Vec<Instant>,
    /// The start time of its last container, in Docker's format, if a fault ended the container and it should stay
    /// down.
    pub down_since_start: Option<String>,
    /// When kaf6 found that it did not stay down, with the evidence.
    pub came_back: Vec<(Instant, String)>,
    /// Names of `start` faults that started it, with the times.
    pub started_by: Vec<(Instant, String)>,
}

impl ReplicaState {
    /// Records that it was started or resumed. Its readiness is not yet known.
    pub(crate) fn runs(&mut self) {
        self.want(DesiredState::Running);
        self.unready = true;
        self.let_run.push(Instant::now());
    }

    /// Sets the desired state and returns the number of this change. While this number is the latest, nothing has
    /// replaced the desired state.
    pub(crate) const fn want(&mut self, wanted: DesiredState) -> u64 {
        self.wanted = wanted;
        self.turns += 1;
        self.turns
    }
}

/// The desired state of a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum DesiredState {
    /// Removed: never started, or removed by a `scale`.
    #[default]
    Away,
    Running,
    /// Down temporarily, because of a `restart`.
    Restarting,
    /// Down, because of a `stop`.
    Stopped,
    /// Paused, because of a `pause`.
    Paused,
}

impl Replica {
    /// A replica that has no container yet.
    pub(crate) fn new(service: &ServicePlan, replica: u32, options: &UpOptions) -> Self {
        let several = service.most > 1;
        Self {
            service: service.name.clone(),
            replica,
            several,
            attached: false,
            container: names::container(&options.run_id, &service.name, replica),
            log: log(&service.name, replica, several, options),
            state: Mutex::new(ReplicaState { image: service.image.clone(), ..ReplicaState::default() }),
        }
    }

    /// A container that is already running.
    pub(crate) fn attached(
        (service, replica, several): (&str, u32, bool),
        (container, id, image): (String, String, String),
        options: &UpOptions,
    ) -> Self {
        let state =
            ReplicaState { id: Some(id), image, wanted: DesiredState::Running, ..ReplicaState::default() };
        Self {
            service: service.to_owned(),
            replica,
            several,
            attached: true,
            container,
            log: log(service, replica, several, options),
            state: Mutex::new(state),
        }
    }

    /// The name in sentences: the service, with the replica's number if there are several.
    pub(crate) fn title(&self) -> String {
        if self.several { format!("{}.{}", self.service, self.replica) } else { self.service.clone() }
    }

    /// The current state. Do not keep the guard across an await.
    pub(crate) fn state(&self) -> MutexGuard<'_, ReplicaState> {
        lock(&self.state)
    }

    /// The id of its container, if it has one.
    pub(crate) fn id(&self) -> Option<String> {
        self.state().id.clone()
    }

    pub(crate) fn wanted(&self) -> DesiredState {
        self.state().wanted
    }

    /// The evidence that it did not stay down after this time.
    pub(crate) fn came_back(&self, since: Instant) -> Option<String> {
        self.state().came_back.iter().find(|(at, _)| *at >= since).map(|(_, how)| how.clone())
    }

    /// Sets the desired state and returns the number of this change.
    pub(crate) fn want(&self, wanted: DesiredState) -> u64 {
        self.state().want(wanted)
    }
}

fn log(service: &str, replica: u32, several: bool, options: &UpOptions) -> Arc<ReplicaLog> {
    let name = if several { format!("{service}-{replica}.log") } else { format!("{service}.log") };
    Arc::new(ReplicaLog::new(options.logs.join(name), options.secrets.clone()))
}

impl ClusterState {
    /// Whether this is a service without ports and without a readiness check. It may complete its work and exit.
    pub(crate) fn is_one_shot(&self, service: &str) -> bool {
        self.plan.service(service).is_some_and(|service| service.ports.is_empty() && service.ready.is_none())
    }

    /// All possible replicas of a service, in order.
    pub(crate) fn of_service<'a>(
        &'a self,
        service: &'a str,
    ) -> impl DoubleEndedIterator<Item = &'a Arc<Replica>> {
        self.units.values().filter(move |unit| unit.service == service)
    }

    /// The existing replicas that a fault affects, in order.
    pub(crate) fn of_target(&self, target: &FaultTarget) -> Vec<Arc<Replica>> {
        self.of_service(&target.service)
            .filter(|unit| target.replica.is_none_or(|replica| replica == unit.replica))
            .filter(|unit| unit.wanted() != DesiredState::Away)
            .cloned()
            .collect()
    }

    /// The labels of an object, with these additional ones.
    pub(crate) fn labels_with(&self, more: &[(&str, &str)]) -> HashMap<String, String> {
        let mut labels = self.labels.clone();
        labels.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        labels
    }

    /// The owner in the labels of this run.
    pub(crate) fn owner(&self) -> Option<&str> {
        self.labels.get(crate::docker::cleanup::labels::OWNER).map(String::as_str)
    }

    /// The name of the run's network.
    pub(crate) fn network_name(&self) -> String {
        names::network(&self.options.run_id)
    }

    pub(crate) fn tell(&self, step: super::options::ClusterStep) {
        (self.options.progress)(step);
    }
}
