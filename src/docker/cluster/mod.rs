//! A run's containers: started, faulted, healed and removed.
//!
//! Everything that was started is removed in all cases. Each step is a separate module.

pub(crate) mod addresses;
pub(crate) mod attach;
pub(crate) mod names;
pub(crate) mod options;
pub(crate) mod ports;
pub(crate) mod ready;
pub(crate) mod spec;
pub(crate) mod start;
pub(crate) mod state;
pub(crate) mod visit;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::lock::lock;
use super::place::OwnPlace;
use super::{Addresses, DockerError, faults};
use crate::docker::api::container::last_words;
use crate::docker::api::daemon::Daemon;
use crate::docker::api::{container, platform};
use crate::docker::cancel::canceled_by;
use crate::docker::cleanup::labels;
use crate::docker::cleanup::labels::RunOwner;
use crate::docker::cleanup::{clean, remove};
use crate::plan::{ClusterPlan, FaultPlan};
use options::{ClusterStep, ContainerState, FaultOutcome, UpOptions};
use state::{ClusterState, DesiredState, Network, Replica};

/// Time limit of the last resort, if no caller waits for the removal.
const LAST_RESORT: Duration = Duration::from_secs(30);

/// The containers of a run. Dropping it without [`Cluster::down`] also removes what was started.
pub struct Cluster {
    addresses: Addresses,
    guard: Guard,
}

impl Cluster {
    /// Starts all services in the order of their dependencies, and finds the attached containers. Returns when all are
    /// ready. On failure, or if `cancel` completes first, it removes what was started.
    ///
    /// # Errors
    ///
    /// A sentence with advice.
    pub async fn up(
        plan: &ClusterPlan,
        options: UpOptions,
        cancel: impl Future<Output = ()> + Send,
    ) -> Result<Self, DockerError> {
        Self::up_with(Daemon::connect().await?, plan, options, cancel).await
    }

    /// Like [`Cluster::up`], on the Docker Engine in this value of `DOCKER_HOST`.
    ///
    /// # Errors
    ///
    /// A sentence with advice.
    pub async fn up_at(
        docker_host: &str,
        plan: &ClusterPlan,
        options: UpOptions,
        cancel: impl Future<Output = ()> + Send,
    ) -> Result<Self, DockerError> {
        Self::up_with(Daemon::connect_to(Some(docker_host)).await?, plan, options, cancel).await
    }

    async fn up_with(
        daemon: Daemon,
        plan: &ClusterPlan,
        options: UpOptions,
        cancel: impl Future<Output = ()> + Send,
    ) -> Result<Self, DockerError> {
        let shared = Arc::new(prepare(daemon, plan, options).await?);
        let guard = Guard { shared: Arc::clone(&shared), armed: AtomicBool::new(true) };
        let started = canceled_by(cancel, |cancel| {
            let shared = &shared;
            async move { start::start_services(shared, &cancel).await }
        });
        match started.await {
            Ok(()) => Ok(Self { addresses: lock(&shared.addresses).clone(), guard }),
            Err(error) => {
                let left = guard.remove().await;
                let error = on_podman(&guard.shared.daemon, error);
                if left.is_empty() {
                    return Err(error);
                }
                Err(DockerError::Left { error: Box::new(error), left: left.join("; ") })
            }
        }
    }

    /// The addresses of the ports of all possible replicas. They do not change.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Replicas of started services that should run now. Includes those that a `restart` or a `pause` affects, and
    /// excludes those that a `stop` or a `scale` removed.
    pub fn running(&self) -> Vec<(String, u32)> {
        let to_run = |unit: &&Arc<Replica>| {
            !unit.attached
                && matches!(
                    unit.wanted(),
                    DesiredState::Running | DesiredState::Restarting | DesiredState::Paused
                )
        };
        self.shared().units.values().filter(to_run).map(|u| (u.service.clone(), u.replica)).collect()
    }

    /// Replicas that a `scale` removed.
    pub fn away(&self) -> Vec<(String, u32)> {
        let away = |unit: &&Arc<Replica>| unit.wanted() == DesiredState::Away;
        self.shared().units.values().filter(away).map(|u| (u.service.clone(), u.replica)).collect()
    }

    /// The latest time at which one of these replicas was started or resumed after `since`; `None` if a fault still
    /// affects one of them.
    pub fn let_run(&self, held: &[(String, u32)], since: Instant) -> Option<Instant> {
        let units = &self.shared().units;
        let freed = held.iter().map(|replica| {
            let unit = units.get(replica)?;
            unit.state().let_run.iter().copied().find(|at| *at >= since)
        });
        freed.collect::<Option<Vec<Instant>>>()?.into_iter().max()
    }

    /// Sentences about those of these replicas that did not stay down after `since`. Known after they were started or
    /// healed.
    pub fn came_back(&self, held: &[(String, u32)], since: Instant) -> Vec<String> {
        let units = held.iter().filter_map(|replica| self.shared().units.get(replica));
        units.filter_map(|unit| Some(format!("{} {}", unit.title(), unit.came_back(since)?))).collect()
    }

    /// Starts a fault, waits for its duration, heals it and waits until the affected containers are ready again.
    /// `cancel` ends the duration early: the fault is healed immediately, and readiness is not awaited. The caller must
    /// await the future to its end. If it is dropped, the fault lasts until [`Cluster::heal`] or [`Cluster::down`].
    pub async fn inject(&self, fault: &FaultPlan, cancel: impl Future<Output = ()> + Send) -> FaultOutcome {
        canceled_by(cancel, |cancel| {
            let shared = self.shared();
            async move { faults::inject(shared, fault, &cancel).await }
        })
        .await
    }

    /// Heals what faults left: starts stopped containers, resumes paused ones, removes delays, and restores the initial
    /// replicas. Waits until the affected containers are ready, unless `cancel` ends first. Returns sentences about
    /// failures.
    pub async fn heal(&self, cancel: impl Future<Output = ()> + Send) -> Vec<String> {
        canceled_by(cancel, |cancel| {
            let shared = self.shared();
            async move { faults::heal(shared, &cancel).await }
        })
        .await
    }

    /// Sentences about containers that exited unexpectedly, each reported once.
    pub async fn unexpected(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for unit in self.shared().units.values() {
            sentences.extend(self.ended_by_itself(unit).await);
        }
        sentences
    }

    /// Like [`Cluster::unexpected`], for started containers only, which are not restarted automatically.
    pub async fn crashed(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        for unit in self.shared().units.values().filter(|unit| !unit.attached) {
            sentences.extend(self.ended_by_itself(unit).await);
        }
        sentences
    }

    async fn ended_by_itself(&self, unit: &Replica) -> Option<String> {
        let shared = self.shared();
        let turns = {
            let state = unit.state();
            (state.wanted == DesiredState::Running && !state.told).then_some(state.turns)?
        };
        let now = container::inspect(&shared.daemon, &unit.id()?).await.ok()?;
        let how = match now {
            Some(now) if now.running => return None,
            // The service is a one-shot task, and no client connects to it.
            Some(now) if now.exit_code == 0 && shared.is_one_shot(&unit.service) => return None,
            Some(now) if now.out_of_memory => format!("exit code {}, out of memory", now.exit_code),
            Some(now) => format!("exit code {}", now.exit_code),
            None => "it was removed".to_owned(),
        };
        // A fault may have started and ended in between.
        if unit.state().turns != turns {
            return None;
        }
        unit.log.settle().await;
        unit.state().told = true;
        let lines = last_words(&unit.log.last_lines(), 3);
        let lines = if lines.is_empty() { "its log is empty".to_owned() } else { lines };
        let remark = platform::remark(shared, unit).await;
        Some(format!("the container of {} exited by itself: {how} ({lines}){remark}", unit.title()))
    }

    /// Sentences for the report about differences from Docker with its default settings.
    pub fn notes(&self) -> Vec<String> {
        let shared = self.shared();
        let podman = shared.daemon.engine.podman.as_ref().map(|version| {
            format!(
                "the containers run on Podman {version}; kaf6 is tested less with Podman than \
            with Docker"
            )
        });
        let logs = shared.units.values().filter_map(|unit| {
            let why = unit.log.unreadable()?;
            Some(format!(
                "cannot read the log of {}, so reports contain none of its lines: {why}; start {} \
                with --log-driver json-file, local or journald",
                unit.title(),
                unit.container
            ))
        });
        podman.into_iter().chain(logs).collect()
    }

    /// Replicas of this service (`None`: of any) of which a fault removed a container without volumes. Each is returned
    /// once.
    pub fn dropped(&self, service: Option<&str>) -> Vec<String> {
        let of_it = |unit: &&Arc<Replica>| service.is_none_or(|service| unit.service == service);
        let dropped = |unit: &&Arc<Replica>| std::mem::take(&mut unit.state().dropped);
        self.shared().units.values().filter(of_it).filter(dropped).map(|unit| unit.title()).collect()
    }

    /// The containers, in the order of their first start.
    pub async fn seen(&self) -> Vec<ContainerState> {
        let mut units: Vec<_> = self
            .shared()
            .units
            .values()
            .filter(|unit| unit.id().is_some() || unit.log.path().is_some())
            .collect();
        units.sort_by_key(|unit| unit.state().order.unwrap_or(0));
        let seen = units.into_iter().map(|unit| {
            let state = unit.state().clone();
            ContainerState {
                service: unit.service.clone(),
                replica: unit.replica,
                image: state.image,
                container: unit.container.clone(),
                ready: state.ready,
                log: unit.log.path().map(std::path::Path::to_owned),
                last_lines: unit.log.last_lines(),
            }
        });
        seen.collect()
    }

    /// Heals attached containers, removes everything that was started, and leaves the joined network. Returns
    /// sentences about what could not be removed.
    pub async fn down(&self) -> Vec<String> {
        self.guard.remove().await
    }

    fn shared(&self) -> &Arc<ClusterState> {
        self.guard.shared()
    }
}

/// Adds that the engine is Podman to an error of something that works with Docker.
fn on_podman(daemon: &Daemon, error: DockerError) -> DockerError {
    match (&daemon.engine.podman, &error) {
        (
            Some(version),
            DockerError::Refused { .. } | DockerError::NeverReady { .. } | DockerError::Port { .. },
        ) => DockerError::OnPodman { version: version.clone(), error: Box::new(error) },
        _ => error,
    }
}

/// Checks before anything is started: where kaf6 runs, which containers to attach to, and whether the run's id is
/// unused.
async fn prepare(
    daemon: Daemon,
    plan: &ClusterPlan,
    options: UpOptions,
) -> Result<ClusterState, DockerError> {
    let place = OwnPlace::detect(&daemon).await;
    for link in &plan.links {
        let refuse = |reason: &str| {
            let link = format!("{} -> {}", link.from, link.to);
            Err(DockerError::NoRelay { link, reason: reason.to_owned() })
        };
        if plan.service(&link.from).is_none() || plan.service(&link.to).is_none() {
            return refuse(
                "kaf6's relay works only between services that kaf6 starts itself; start both in \
                the file instead of using attach",
            );
        }
        if matches!(place, OwnPlace::Remote { .. }) {
            return refuse(
                "Docker runs on another host (DOCKER_HOST), whose containers cannot reach kaf6's \
                relay; run kaf6 on that host, or in a container on it",
            );
        }
    }
    if let (Some(link), OwnPlace::Host) = (plan.links.first(), &place)
        && daemon.engine.is_rootless_docker(&daemon.docker).await
    {
        let link = format!("{} -> {}", link.from, link.to);
        let reason = "Docker runs rootless, and its containers cannot reach kaf6's relay on this \
        host; run kaf6 in a container of this Docker, with -v \
        \"$XDG_RUNTIME_DIR/docker.sock:/var/run/docker.sock\"";
        return Err(DockerError::NoRelay { link, reason: reason.to_owned() });
    }
    let mut units: BTreeMap<(String, u32), Arc<Replica>> = BTreeMap::new();
    for attach in &plan.attached {
        for unit in attach::find(&daemon, attach, &options).await? {
            units.insert((unit.service.clone(), unit.replica), Arc::new(unit));
        }
    }
    for service in &plan.services {
        for replica in 0..service.most {
            units.insert((service.name.clone(), replica), Arc::new(Replica::new(service, replica, &options)));
        }
    }
    let owner = RunOwner::own(place.container());
    clean::make_way(&daemon, &options.run_id).await?;
    Ok(ClusterState {
        labels: labels::of_run(&options.run_id, &owner, options.bound),
        units,
        addresses: Mutex::default(),
        ports: ports::Ports::default(),
        network: Mutex::new(Network::default()),
        relays: Mutex::new(HashMap::new()),
        plan: plan.clone(),
        daemon,
        place,
        options,
    })
}

/// Removes what was started, in all cases.
struct Guard {
    shared: Arc<ClusterState>,
    /// Whether something may be left to remove.
    armed: AtomicBool,
}

impl Guard {
    const fn shared(&self) -> &Arc<ClusterState> {
        &self.shared
    }

    /// Removes everything, and returns sentences about what could not be removed. If it is canceled, the last
    /// resort continues.
    async fn remove(&self) -> Vec<String> {
        let shared = &self.shared;
        if shared.units.values().any(|unit| !unit.attached) {
            shared.tell(ClusterStep::Removing);
        }
        let mut problems = faults::heal_attached(shared).await;
        problems.extend(visit::leave(shared).await);
        end_all(shared).await;
        problems.extend(shared.units.values().filter_map(|unit| unit.log.finish()));
        lock(&shared.relays).clear();
        if !shared.plan.services.is_empty() || shared.units.values().any(|unit| unit.attached) {
            let own = (shared.options.run_id.as_str(), shared.owner());
            problems.extend(remove::run(&shared.daemon, own).await.failed);
        }
        self.armed.store(false, Ordering::Release);
        problems
    }
}

/// Stops all containers first, so that their logs are complete.
async fn end_all(shared: &ClusterState) {
    let own = shared.units.values().filter(|unit| !unit.attached);
    let ends = own.filter_map(|unit| unit.id().map(|id| (unit, id))).map(|(unit, id)| async move {
        // Containers that are still running are removed by force later.
        let _ = container::kill(&shared.daemon, &id, "SIGKILL").await;
        unit.log.settle().await;
    });
    futures_util::future::join_all(ends).await;
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.armed.load(Ordering::Acquire) {
            return;
        }
        let (daemon, run_id) = (self.shared.daemon.clone(), self.shared.options.run_id.clone());
        let owner = self.shared.owner().map(str::to_owned);
        // In a thread with its own runtime, because the current one may be about to end.
        let last_resort = std::thread::Builder::new().name("kaf6-remove".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                // A canceled request may still be executed.
                tokio::time::sleep(Duration::from_millis(500)).await;
                let _ = tokio::time::timeout(LAST_RESORT, remove::run(&daemon, (&run_id, owner.as_deref())))
                    .await;
            });
        });
        if let Ok(last_resort) = last_resort {
            let _ = last_resort.join();
        }
    }
}
