//! The state of a run's cluster: its network, its containers, and the desired state of each.
//!
//! State only; the neighboring modules act on it.

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

/// All that a run has to do with containers.
pub(crate) struct ClusterState {
    pub daemon: Daemon,
    /// Where kaf6 runs.
    pub place: OwnPlace,
    pub options: UpOptions,
    pub plan: ClusterPlan,
    /// On all that is started.
    pub labels: HashMap<String, String>,
    /// Each replica that there can be, and each attached container.
    pub units: BTreeMap<(String, u32), Arc<Replica>>,
    /// Where ports are reached from kaf6.
    pub addresses: Mutex<Addresses>,
    pub ports: Ports,
    /// What there is of the network.
    pub network: Mutex<Network>,
    /// The relays, by who connects to whom.
    pub relays: Mutex<HashMap<(String, String), Relay>>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Network {
    pub created: bool,
    /// The address at which its containers reach kaf6's relays, and where these listen.
    pub relay_host: Option<RelayHost>,
    /// The container that joined it for kaf6.
    pub joined: Option<String>,
    /// Networks of attached containers that kaf6's own container joined.
    pub visited: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RelayHost {
    pub name: String,
    /// Where kaf6 listens.
    pub listen: String,
    /// What containers need in their hosts file for that.
    pub extra_host: Option<String>,
}

/// One replica of a service, or one attached container.
pub(crate) struct Replica {
    /// The service, or the name that the file gives to what is attached.
    pub service: String,
    pub replica: u32,
    /// There can be several of the service.
    pub several: bool,
    /// It ran before kaf6 did.
    pub attached: bool,
    pub container: String,
    pub log: Arc<ReplicaLog>,
    state: Mutex<ReplicaState>,
}

/// What a replica is now.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReplicaState {
    pub id: Option<String>,
    pub image: String,
    /// What it is to be.
    pub wanted: DesiredState,
    /// How often that was said.
    pub turns: u64,
    /// Its container has volumes: what it writes there outlives it.
    pub has_volumes: bool,
    /// A fault removed a container of it that had none, and nobody has told that yet.
    pub dropped: bool,
    /// From its first start to its being ready.
    pub ready: Option<Duration>,
    /// It was started, and not yet found ready.
    pub unready: bool,
    /// That it ended by itself was told.
    pub told: bool,
    /// In which order it was first started.
    pub order: Option<usize>,
    /// Each moment at which it was started, or let go on.
    pub let_run: Vec<Instant>,
    /// A fault ended it, and it is to be down: the start time that its container had, as Docker writes it.
    pub down_since_start: Option<String>,
    /// When it was found that it had not stayed down, and how that was seen.
    pub came_back: Vec<(Instant, String)>,
    /// Faults of type `start` that started it, and when.
    pub started_by: Vec<(Instant, String)>,
}

impl ReplicaState {
    /// It was started just now, or let go on; whether it is ready is yet to be seen.
    pub(crate) fn runs(&mut self) {
        self.want(DesiredState::Running);
        self.unready = true;
        self.let_run.push(Instant::now());
    }

    /// Says what it is to be, and gives the number of that word: as long as it is the last one, nothing else took its place.
    pub(crate) const fn want(&mut self, wanted: DesiredState) -> u64 {
        self.wanted = wanted;
        self.turns += 1;
        self.turns
    }
}

/// What a container is to be now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum DesiredState {
    /// Not there: it never was, or a `scale` took it away.
    #[default]
    Away,
    Running,
    /// Down for a moment, by a `restart`.
    Restarting,
    /// Down, by a `stop`.
    Stopped,
    /// Frozen, by a `pause`.
    Paused,
}

impl Replica {
    /// A replica that is not there yet.
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

    /// A container that runs already.
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

    /// How sentences call it: by its service, and its number where there are several.
    pub(crate) fn title(&self) -> String {
        if self.several { format!("{}.{}", self.service, self.replica) } else { self.service.clone() }
    }

    /// What it is now; not to be held over a wait.
    pub(crate) fn state(&self) -> MutexGuard<'_, ReplicaState> {
        lock(&self.state)
    }

    /// Its container, where it has one.
    pub(crate) fn id(&self) -> Option<String> {
        self.state().id.clone()
    }

    /// What it is to be.
    pub(crate) fn wanted(&self) -> DesiredState {
        self.state().wanted
    }

    /// How it was seen, since that time, that it had not stayed down.
    pub(crate) fn came_back(&self, since: Instant) -> Option<String> {
        self.state().came_back.iter().find(|(at, _)| *at >= since).map(|(_, how)| how.clone())
    }

    /// Says what it is to be, and gives the number of that word.
    pub(crate) fn want(&self, wanted: DesiredState) -> u64 {
        self.state().want(wanted)
    }
}

fn log(service: &str, replica: u32, several: bool, options: &UpOptions) -> Arc<ReplicaLog> {
    let name = if several { format!("{service}-{replica}.log") } else { format!("{service}.log") };
    Arc::new(ReplicaLog::new(options.logs.join(name), options.secrets.clone()))
}

impl ClusterState {
    /// A service that nobody connects to: it may do its work and end.
    pub(crate) fn is_one_shot(&self, service: &str) -> bool {
        self.plan.service(service).is_some_and(|service| service.ports.is_empty() && service.ready.is_none())
    }

    /// All replicas of a service that there can be, in their order.
    pub(crate) fn of_service<'a>(
        &'a self,
        service: &'a str,
    ) -> impl DoubleEndedIterator<Item = &'a Arc<Replica>> {
        self.units.values().filter(move |unit| unit.service == service)
    }

    /// Those that a fault is done to: of the replicas that are there, in their order.
    pub(crate) fn of_target(&self, target: &FaultTarget) -> Vec<Arc<Replica>> {
        self.of_service(&target.service)
            .filter(|unit| target.replica.is_none_or(|replica| replica == unit.replica))
            .filter(|unit| unit.wanted() != DesiredState::Away)
            .cloned()
            .collect()
    }

    /// The labels of one more thing.
    pub(crate) fn labels_with(&self, more: &[(&str, &str)]) -> HashMap<String, String> {
        let mut labels = self.labels.clone();
        labels.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        labels
    }

    /// Who this run's kaf6 is, as its labels tell.
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
