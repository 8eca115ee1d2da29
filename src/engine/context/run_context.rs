//! What is fixed for a run, for all its parts: plan, ids, client, clock, stop switch, cluster, lifecycle
//! states and notes.
//!
//! What scenarios and background tasks find is returned, and passed on as the run's `RunFindings`.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::clock::Clock;
use super::lifecycle::{Lifecycle, LifecycleWatch};
use super::notes::Notes;
use super::options::Options;
use super::own_stalls::StallLog;
use super::stop::Stop;
use crate::docker::{Addresses, Cluster};
use crate::engine::context::progress::RunProgress;
use crate::ids::RunTag;
use crate::kafka::{self, Client, Embedded};
use crate::ledger::Saved;
use crate::plan::{ClusterPlan, Plan, Target};
use crate::scenario::{ServiceTemplate, Template};

/// The name of the embedded broker in reports.
pub(crate) const EMBEDDED: &str = "embedded";
/// How long after the run's timeout a wait ends that does not check the stop switch.
const BEHIND: Duration = Duration::from_secs(1);

/// What is fixed for a run. All its tasks and threads use it.
pub(crate) struct RunContext {
    pub(crate) plan: Arc<Plan>,
    pub(crate) run_id: String,
    pub(crate) run_tag: RunTag,
    pub(crate) stop: Stop,
    pub(crate) live: Arc<RunProgress>,
    pub(crate) clock: Clock,
    pub(crate) client: Client,
    pub(crate) cluster: Option<Arc<Cluster>>,
    pub(crate) save_ledger: bool,
    pub(crate) saved: Option<Saved>,
    /// Scenarios first, then faults.
    pub(crate) states: Vec<LifecycleWatch>,
    pub(crate) notes: Notes,
    pub(crate) own_stalls: Arc<StallLog>,
    /// Keeps the embedded broker alive as long as the run.
    _embedded: Option<Embedded>,
}

impl RunContext {
    /// # Errors
    ///
    /// If librdkafka rejects the settings, or the embedded broker cannot serve the run.
    pub(crate) fn new(
        plan: Arc<Plan>,
        options: Options,
        live: Arc<RunProgress>,
        cluster: Option<Arc<Cluster>>,
    ) -> Result<Self, kafka::Error> {
        let addresses = cluster.as_ref().map(|c| c.addresses().clone()).unwrap_or_default();
        let resolve = |list: &[ServiceTemplate]| -> Vec<String> {
            list.iter().map(|text| addresses.resolve(text, &options.run_id)).collect()
        };
        let (client, embedded) = match &plan.target {
            Target::Brokers(brokers) => (Client::new(&resolve(brokers), &plan.client)?, None),
            Target::Cluster => {
                let cluster = plan.cluster.iter().flat_map(ClusterPlan::bootstrap);
                let brokers: Vec<String> = cluster
                    .filter_map(|(service, replica)| addresses.get(&service.name, replica, "kafka"))
                    .map(str::to_owned)
                    .collect();
                (Client::new(&brokers, &plan.client)?, None)
            }
            Target::Embedded => {
                let topics: Vec<(String, i32, i32)> = plan
                    .topics
                    .iter()
                    .map(|t| (t.name.with_run_id(&options.run_id), t.partitions, t.replication_factor))
                    .collect();
                let brokers = topics.iter().map(|t| t.2).max().unwrap_or(1).max(1);
                let embedded = Embedded::start(brokers, &topics)?;
                (Client::embedded(&embedded, &plan.client)?, Some(embedded))
            }
        };
        let client = client.with_waits(options.waits);
        let states = (0..plan.scenarios.len() + plan.faults.len()).map(|_| LifecycleWatch::new()).collect();
        Ok(Self {
            plan,
            run_id: options.run_id,
            run_tag: options.run_tag,
            stop: options.stop,
            live,
            clock: Clock::default(),
            client,
            cluster,
            save_ledger: options.save_ledger,
            saved: options.saved,
            states,
            notes: Notes::default(),
            own_stalls: Arc::default(),
            _embedded: embedded,
        })
    }

    /// The client settings of one scenario: those of the file, with the scenario's own brokers if it has any.
    pub(crate) fn client_of(&self, index: usize) -> Client {
        match &self.plan.scenarios[index].brokers {
            Some(brokers) if !self.client.is_embedded() => {
                let brokers: Vec<String> = brokers.iter().map(|text| self.resolve(text)).collect();
                self.client.with_brokers(&brokers)
            }
            _ => self.client.clone(),
        }
    }

    /// Replaces the references to services in a text.
    pub(crate) fn resolve(&self, text: &ServiceTemplate) -> String {
        match &self.cluster {
            Some(cluster) => cluster.addresses().resolve(text, &self.run_id),
            None => Addresses::default().resolve(text, &self.run_id),
        }
    }

    /// The bootstrap brokers, as reports name them.
    pub(crate) fn brokers(&self) -> Vec<String> {
        if self.client.is_embedded() {
            return vec![EMBEDDED.to_owned()];
        }
        self.client.brokers().to_vec()
    }

    /// The brokers that a background scenario queries now: its own, or those of the run. Includes brokers that a fault added, and
    /// excludes brokers that a fault removed.
    pub(crate) fn brokers_now(&self, index: usize) -> Vec<String> {
        let mut brokers = self.client_of(index).brokers().to_vec();
        if let Some(cluster) = &self.cluster {
            let away = cluster.away();
            let address = |(service, replica): &(String, u32)| {
                cluster.addresses().get(service, *replica, "kafka").map(str::to_owned)
            };
            let away: Vec<String> = away.iter().filter_map(address).collect();
            brokers.retain(|broker| !away.contains(broker));
        }
        if let (Some(cluster), None) = (&self.cluster, &self.plan.scenarios[index].brokers) {
            for (service, replica) in cluster.running() {
                let address = cluster.addresses().get(&service, replica, "kafka");
                brokers.extend(address.filter(|a| !brokers.iter().any(|b| b == a)).map(str::to_owned));
            }
        }
        brokers
    }

    pub(crate) fn faults_ran(&self) -> bool {
        self.states[self.plan.scenarios.len()..]
            .iter()
            .any(|state| matches!(state.get(), Lifecycle::Ended(_)))
    }

    /// Waits until all faults are healed, also those that end with the last scenario, so that their effect does not
    /// count as the brokers' final state. Also ends when the run is stopped.
    pub(crate) async fn faults_healed(&self) {
        for fault in &self.states[self.plan.scenarios.len()..] {
            tokio::select! {
                _ = fault.over() => {}
                () = self.stop.stopped() => return,
            }
        }
    }

    /// The index of a topic in the run.
    pub(crate) fn topic_index(&self, topic: &Template) -> Option<usize> {
        self.plan.topics.iter().position(|t| t.name == *topic)
    }

    /// Names of all topics, in the order of the plan.
    pub(crate) fn topic_names(&self) -> Vec<String> {
        topic_names(&self.plan, &self.run_id)
    }

    /// The deadline of a scenario that starts now: its own timeout, or slightly after the run's timeout. The stop
    /// switch then ends it first. So a scenario that the run's timeout ends is reported as aborted, not as too slow.
    pub(crate) fn deadline(&self, index: usize) -> Instant {
        let own = Instant::now() + self.plan.scenarios[index].timeout;
        own.min(self.clock.zero() + self.plan.timeout + BEHIND)
    }

    /// Whether kaf6's clients noticed that a broker restarted or died during the run.
    pub(crate) fn broker_went_away(&self) -> bool {
        let zero = u64::try_from(self.clock.of_day(0)).unwrap_or(0);
        self.client.logs().broker_went_away(SystemTime::UNIX_EPOCH + Duration::from_micros(zero))
    }
}

/// Names of all topics of a plan, in its order.
pub(crate) fn topic_names(plan: &Plan, run_id: &str) -> Vec<String> {
    plan.topics.iter().map(|t| t.name.with_run_id(run_id)).collect()
}
