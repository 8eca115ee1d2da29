//! State that all parts of one run share: plan, clients, clock, lifecycle states, topology, ledgers and notes.
//!
//! Its locks are taken when a scenario starts or ends, never per message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use super::clock::Clock;
use super::lifecycle::{Lifecycle, LifecycleWatch};
use super::options::Options;
use super::outcome::lock;
use super::stop::Stop;
use super::topology::{TopicsSeen, Topology};
use crate::docker::{Addresses, Cluster};
use crate::engine::context::progress::RunProgress;
use crate::engine::messages::ends::{EndMarkerSeen, PartitionEnd};
use crate::ids::{Offset, Partition, RunTag, StreamId};
use crate::kafka::{self, Client, Embedded};
use crate::ledger::{Saved, SentLog};
use crate::observe::Note;
use crate::plan::{ClusterPlan, Plan, Target};
use crate::scenario::{ServiceTemplate, Template};

/// The name of the embedded broker in reports.
pub(crate) const EMBEDDED: &str = "embedded";
/// How long after the run's timeout a wait ends that does not check the stop switch.
const BEHIND: Duration = Duration::from_secs(1);

/// Shared by all tasks and threads of a run.
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
    topology: OnceLock<Topology>,
    /// When setup last failed, and why; `None` if it has not failed.
    pub(crate) setup: tokio::sync::Mutex<Option<(Instant, String)>>,
    sent: Mutex<HashMap<StreamId, SentLog>>,
    ends: Mutex<Vec<(usize, PartitionEnd)>>,
    /// All acked end markers of each partition, in ascending order of their numbers.
    markers: Mutex<HashMap<(usize, Partition), Vec<EndMarkerSeen>>>,
    pub(crate) topics_seen: TopicsSeen,
    notes: Mutex<Vec<Note>>,
    crashed: Mutex<Vec<String>>,
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
            topology: OnceLock::new(),
            setup: tokio::sync::Mutex::new(None),
            sent: Mutex::default(),
            ends: Mutex::default(),
            markers: Mutex::default(),
            topics_seen: TopicsSeen::default(),
            notes: Mutex::default(),
            crashed: Mutex::default(),
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

    /// The brokers that a `watch` queries now: its own, or those of the run. Includes brokers that a fault added, and
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

    /// The topics and streams; `None` until a broker was reached.
    pub(crate) fn topology(&self) -> Option<&Topology> {
        self.topology.get()
    }

    pub(crate) fn set_topology(&self, topology: Topology) {
        // Only setup sets it, under a lock and only once.
        let _ = self.topology.set(topology);
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

    pub(crate) fn note(&self, note: Note) {
        let mut notes = lock(&self.notes);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    pub(crate) fn take_notes(&self) -> Vec<Note> {
        std::mem::take(&mut *lock(&self.notes))
    }

    /// Records a container that exited unexpectedly, as a sentence.
    pub(crate) fn hand_in_crash(&self, text: String) {
        lock(&self.crashed).push(text);
    }

    pub(crate) fn crashed(&self) -> Vec<String> {
        lock(&self.crashed).clone()
    }

    /// Whether kaf6's clients noticed that a broker restarted or died during the run.
    pub(crate) fn broker_went_away(&self) -> bool {
        let zero = u64::try_from(self.clock.of_day(0)).unwrap_or(0);
        self.client.logs().broker_went_away(SystemTime::UNIX_EPOCH + Duration::from_micros(zero))
    }

    /// The counts of a scenario so far: messages sent, acked, failed and unknown.
    pub(crate) fn sent_by(&self, scenario: usize) -> [u64; 4] {
        let (Some(topology), sent) = (self.topology(), lock(&self.sent)) else { return [0; 4] };
        let own = topology.streams.iter().filter(|(_, info)| info.scenario == scenario);
        own.filter_map(|(id, _)| sent.get(&id)).fold([0; 4], |sum, log| {
            let more = [log.sent(), log.acked_total(), log.failures().len(), log.unknowns()];
            std::array::from_fn(|i| sum[i] + more[i])
        })
    }

    /// Adds the messages that a client sent.
    pub(crate) fn hand_in_sent(&self, logs: impl IntoIterator<Item = (StreamId, SentLog)>) {
        lock(&self.sent).extend(logs);
    }

    /// The highest acked offset in each partition of this topic, from scenarios that have ended.
    pub(crate) fn acked_ends(&self, topic: usize) -> HashMap<Partition, Offset> {
        let mut out = HashMap::new();
        let Some(topology) = self.topology() else { return out };
        let sent = lock(&self.sent);
        for (id, info) in topology.streams.iter().filter(|(_, info)| info.topic == topic) {
            if let Some((_, last)) = sent.get(&id).and_then(SentLog::offsets) {
                let highest = out.entry(info.partition).or_insert(last);
                *highest = last.max(*highest);
            }
        }
        out
    }

    /// Whether any of these scenarios may have written to this topic.
    pub(crate) fn may_have_written(&self, topic: usize, scenarios: &[usize]) -> bool {
        let Some(topology) = self.topology() else { return false };
        let sent = lock(&self.sent);
        topology.streams.iter().any(|(id, info)| {
            info.topic == topic
                && scenarios.contains(&info.scenario)
                && sent.get(&id).is_some_and(|log| log.sent() > log.failures().len())
        })
    }

    /// Removes and returns everything that was sent, at the end of the run.
    pub(crate) fn take_sent(&self) -> HashMap<StreamId, SentLog> {
        std::mem::take(&mut *lock(&self.sent))
    }

    /// Adds what a consumer read from one partition.
    pub(crate) fn hand_in_end(&self, scenario: usize, end: PartitionEnd) {
        lock(&self.ends).push((scenario, end));
    }

    /// Removes and returns everything that was read, at the end of the run, by scenario and partition.
    pub(crate) fn take_ends(&self) -> Vec<(usize, PartitionEnd)> {
        let mut ends = std::mem::take(&mut *lock(&self.ends));
        ends.sort_by_key(|(scenario, end)| (*scenario, end.reads.place()));
        ends
    }

    /// Records an acked end marker.
    pub(crate) fn hand_in_end_marker(&self, topic: usize, partition: Partition, end_marker: EndMarkerSeen) {
        if let Some(state) = self.topology().and_then(|topology| topology.topics.get(topic)) {
            state.highest.acked(partition, end_marker.offset);
        }
        let mut markers = lock(&self.markers);
        let here = markers.entry((topic, partition)).or_default();
        // End markers of several readers may be acked in any order.
        let at = here.partition_point(|marker| marker.number < end_marker.number);
        here.insert(at, end_marker);
    }

    /// All acked end markers of this partition, in ascending order of their numbers. They count as acked
    /// messages.
    pub(crate) fn markers(&self, topic: usize, partition: Partition) -> Vec<EndMarkerSeen> {
        lock(&self.markers).get(&(topic, partition)).cloned().unwrap_or_default()
    }

    pub(crate) fn end_marker(&self, topic: usize, partition: Partition) -> Option<EndMarkerSeen> {
        lock(&self.markers).get(&(topic, partition))?.last().copied()
    }

    /// The acked offset of the partition's last end marker.
    pub(crate) fn end_marker_offset(&self, topic: usize, partition: Partition) -> Option<Offset> {
        self.end_marker(topic, partition).map(|end_marker| end_marker.offset)
    }
}

/// Names of all topics of a plan, in its order.
pub(crate) fn topic_names(plan: &Plan, run_id: &str) -> Vec<String> {
    plan.topics.iter().map(|t| t.name.with_run_id(run_id)).collect()
}
