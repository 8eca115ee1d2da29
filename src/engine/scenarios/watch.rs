//! `watch`: requests each broker's metadata repeatedly during other scenarios, and lists the changes.
//!
//! Each answer is compared with the broker's previous answer. A broker's first answer is compared with what other
//! brokers reported about topics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::engine::context::outcome::{ScenarioOutcome, pause_until, unwind};
use crate::engine::context::run_context::RunContext;
use crate::ids::Partition;
use crate::kafka::{self, Client, Code, probe};
use crate::observe::{MetadataChange, Note, ScenarioEnd, Silence, TypeSeen, WatchSeen, WatchedBroker};
use crate::plan::{Aspect, WatchPlan};

/// Timeout of one request to one broker.
const LOOK: Duration = Duration::from_secs(2);
/// Maximum number of changes that are kept. More are only counted.
const CHANGES: usize = 1000;
/// Maximum number of silences of a broker that are kept. Beyond this, the shortest one is dropped.
const SILENCES: usize = 1000;
/// Maximum number of additional requests at the end to brokers that did not answer, or answered only once.
const AGAIN: usize = 3;
/// Maximum pause before each of these requests.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How long after its first answer a broker may not know topics that were just created, or their leaders.
const SETTLING: Duration = Duration::from_secs(5);
/// The codes for this: UNKNOWN_TOPIC_OR_PARTITION, LEADER_NOT_AVAILABLE.
const UNSETTLED: [Code; 2] = [Code(3), Code(5)];
/// DescribeQuorum: a broker that supports it is Apache Kafka in KRaft mode. Such brokers report a random broker as the
/// controller, because clients cannot reach the actual one.
const DESCRIBE_QUORUM: i16 = 55;

pub(crate) async fn run(context: &Arc<RunContext>, index: usize, plan: &WatchPlan) -> ScenarioOutcome {
    let deadline = context.deadline(index);
    let topics: Arc<[String]> = plan.topics.iter().map(|t| t.with_run_id(&context.run_id)).collect();
    let mut watched = WatchedCluster::default();
    if context.client_of(index).uses_sasl() {
        watched.seen.unseen = vec![Aspect::TopicIds];
        context.notes.add(Note::hint(
            "with SASL, `watch` uses librdkafka, which does not report topic ids, so their changes \
            are not listed",
        ));
    }
    let ended = loop {
        let began = Instant::now();
        let brokers = context.brokers_now(index);
        ask(context, index, &mut watched, &topics, brokers).await;
        let next = began + plan.every;
        if let Some(ended) = pause_until(&context.stop, next, deadline).await {
            break ended;
        }
    };
    if !context.stop.is_stopped() {
        if ended == ScenarioEnd::Done {
            context.faults_healed().await;
        }
        ask_again(context, index, &mut watched, &topics, plan.every).await;
    }
    if watched.controllers_left_out {
        context.notes.add(Note::hint(
            "Apache Kafka reports any broker as the controller in its metadata, so controller \
            changes are not listed",
        ));
    }
    let watch = Some(watched.ended());
    ScenarioOutcome::of(ended).observed(TypeSeen { watch, ..TypeSeen::default() })
}

/// Sends requests to these brokers in parallel.
async fn ask(
    context: &Arc<RunContext>,
    index: usize,
    watched: &mut WatchedCluster,
    topics: &Arc<[String]>,
    brokers: Vec<String>,
) {
    let client = context.client_of(index);
    let looks = brokers.into_iter().map(|broker| {
        let (client, topics) = (client.clone(), Arc::clone(topics));
        tokio::task::spawn_blocking(move || look(&client, &broker, &topics))
    });
    for look in looks.collect::<Vec<_>>() {
        let (probe, began, ended) = unwind(look.await);
        let counters = &context.live.metrics(index).counters;
        counters.sent.fetch_add(1, Ordering::Relaxed);
        if let Some(error) = watched.see(&probe, (context.clock.at(began), context.clock.at(ended))) {
            context.live.metrics(index).error(context.clock.now_us(), &error);
        }
    }
    watched.no_longer_asked(&context.brokers_now(index));
}

/// Sends a few more requests to brokers that did not answer the last one, or answered only once.
async fn ask_again(
    context: &Arc<RunContext>,
    index: usize,
    watched: &mut WatchedCluster,
    topics: &Arc<[String]>,
    every: Duration,
) {
    for _ in 0..AGAIN {
        let brokers = watched.unsettled(&context.brokers_now(index));
        if brokers.is_empty() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(every.min(AGAIN_AFTER)) => {}
            () = context.stop.stopped() => return,
        }
        ask(context, index, watched, topics, brokers).await;
    }
}

/// Requests one broker's view of the cluster and these topics. Returns the answer, and when the request started and
/// ended.
pub(crate) fn look(client: &Client, broker: &str, topics: &[String]) -> (probe::Probe, Instant, Instant) {
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let client = client.with_brokers(&[broker.to_owned()]);
    let began = Instant::now();
    let mut probe = probe::probe(&client, broker, &names, began + LOOK);
    // The wire probe does not support SASL: it stops after the API versions.
    if client.uses_sasl() && probe.stages.iter().all(|stage| stage.error.is_none()) {
        let started = Instant::now();
        let left = (began + LOOK).saturating_duration_since(started);
        let (metadata, error) = match kafka::client::metadata::fetch_from(&client, broker, &names, left) {
            Ok(metadata) => (Some(probed(metadata)), None),
            Err(error) => (None, Some(error)),
        };
        probe.metadata = metadata;
        probe.stages.push(probe::ProbeStage { name: "metadata", took: started.elapsed(), error });
    }
    (probe, began, Instant::now())
}

/// Converts librdkafka's metadata, which has no topic ids.
fn probed(metadata: kafka::ClusterMetadata) -> probe::ProbedMetadata {
    let topics = metadata.topics.into_iter().map(|topic| probe::ProbedTopic {
        name: topic.name,
        id: None,
        code: topic.code,
        partitions: topic.partitions.into_iter().map(|p| (p.id, p.leader)).collect(),
        leader_epochs: Vec::new(),
    });
    let (brokers, controller, topics) = (metadata.brokers, metadata.controller, topics.collect());
    probe::ProbedMetadata { brokers, controller, topics, ..probe::ProbedMetadata::default() }
}

/// The answers of all brokers so far.
#[derive(Debug, Default)]
struct WatchedCluster {
    seen: WatchSeen,
    views: BTreeMap<String, BrokerView>,
    /// The id and the partitions of each topic, as last reported by any broker.
    topics: BTreeMap<String, (String, String)>,
    /// Brokers that did not answer the last request, but answered an earlier one.
    silent: BTreeSet<String>,
    controllers_left_out: bool,
}

/// One broker's last answer, as texts to compare and show.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct BrokerView {
    brokers: String,
    controller: Option<String>,
    /// The id and the partitions of each topic.
    topics: BTreeMap<String, (String, String)>,
    leaders: BTreeMap<(String, Partition), String>,
    /// Topics that the broker reports as not yet known.
    unsettled: Vec<String>,
    leaderless: Vec<(String, Partition)>,
}

impl WatchedCluster {
    /// Evaluates one answer, with its start and end time. Returns the error of a broker that did not answer.
    fn see(&mut self, probe: &probe::Probe, (began, at): (Duration, Duration)) -> Option<String> {
        let view = BrokerView::of(probe);
        let error = probe.stages.iter().find_map(|s| Some(format!("{}: {}", s.name, s.error.as_ref()?)));
        let broker = match self.seen.brokers.iter_mut().find(|b| b.broker == probe.broker) {
            Some(known) => known,
            None => {
                self.seen
                    .brokers
                    .push(WatchedBroker { broker: probe.broker.clone(), ..WatchedBroker::default() });
                self.seen.brokers.last_mut()?
            }
        };
        broker.asked += 1;
        let Some(mut view) = view else {
            broker.last_error.clone_from(&error);
            if broker.answered > 0 {
                silent(&mut broker.silences, self.silent.insert(probe.broker.clone()), (began, at));
            }
            return error.or_else(|| Some("no answer".to_owned()));
        };
        broker.answered += 1;
        self.silent.remove(&probe.broker);
        let first = *broker.first.get_or_insert(at);
        broker.last = Some(at);
        self.controllers_left_out |= view.controller.is_none();
        if at.saturating_sub(first) < SETTLING {
            view.leave_out_unsettled(self.views.get(&probe.broker));
        }
        self.compare(&probe.broker, at, &view);
        for (topic, said) in &view.topics {
            self.topics.insert(topic.clone(), said.clone());
        }
        self.views.insert(probe.broker.clone(), view);
        None
    }

    /// Removes all other brokers from the queried ones. The silence of a broker that a fault removed ends.
    fn no_longer_asked(&mut self, brokers: &[String]) {
        self.silent.retain(|silent| brokers.contains(silent));
    }

    /// Those of these brokers that did not answer the last request, or answered only once.
    fn unsettled(&self, brokers: &[String]) -> Vec<String> {
        let once = |broker: &String| self.seen.brokers.iter().any(|b| b.broker == *broker && b.answered == 1);
        brokers.iter().filter(|broker| self.silent.contains(*broker) || once(broker)).cloned().collect()
    }

    /// All observations, after the last request.
    fn ended(mut self) -> WatchSeen {
        for broker in self.seen.brokers.iter_mut().filter(|broker| self.silent.contains(&broker.broker)) {
            if let Some(last) = broker.silences.last_mut() {
                last.to_the_end = true;
            }
        }
        self.seen
    }

    fn compare(&mut self, broker: &str, at: Duration, view: &BrokerView) {
        let last = self.views.get(broker).cloned();
        let mut changes = Vec::new();
        let mut change = |aspect, topic: Option<&str>, partition, before: &str, after: &str| {
            if before != after {
                changes.push(MetadataChange {
                    at,
                    broker: broker.to_owned(),
                    aspect,
                    topic: topic.map(str::to_owned),
                    partition,
                    before: before.to_owned(),
                    after: after.to_owned(),
                });
            }
        };
        for (topic, (id, partitions)) in &view.topics {
            let of_last = last.as_ref().and_then(|last| last.topics.get(topic));
            let before = of_last.or_else(|| self.topics.get(topic));
            let Some((id_before, partitions_before)) = before else { continue };
            change(Aspect::TopicIds, Some(topic), None, id_before, id);
            change(Aspect::Partitions, Some(topic), None, partitions_before, partitions);
        }
        if let Some(last) = &last {
            change(Aspect::Brokers, None, None, &last.brokers, &view.brokers);
            if let (Some(before), Some(after)) = (&last.controller, &view.controller) {
                change(Aspect::Controller, None, None, before, after);
            }
            for ((topic, partition), leader) in &view.leaders {
                // An added or removed partition is reported as a change of partitions.
                if let Some(before) = last.leaders.get(&(topic.clone(), *partition)) {
                    change(Aspect::Leaders, Some(topic), Some(*partition), before, leader);
                }
            }
        }
        for change in changes {
            if self.seen.changes.len() < CHANGES {
                self.seen.changes.push(change);
            } else {
                self.seen.more_changes += 1;
            }
        }
    }
}

/// Records a request without an answer: the first after an answer, or another one.
fn silent(silences: &mut Vec<Silence>, first: bool, (from, to): (Duration, Duration)) {
    match silences.last_mut() {
        Some(last) if !first => last.to = to,
        _ => {
            if silences.len() >= SILENCES {
                let shortest = silences.iter().enumerate().min_by_key(|(_, s)| s.to.saturating_sub(s.from));
                if let Some(shortest) = shortest.map(|(at, _)| at) {
                    silences.remove(shortest);
                }
            }
            silences.push(Silence { from, to, to_the_end: false });
        }
    }
}

impl BrokerView {
    /// `None` if the probe did not reach the metadata step.
    fn of(probe: &probe::Probe) -> Option<Self> {
        let metadata = probe.metadata.as_ref()?;
        let mut brokers: Vec<String> =
            metadata.brokers.iter().map(|b| format!("{} at {}", b.id, b.address())).collect();
        brokers.sort();
        let any_controller = probe.apis.iter().any(|api| api.key == DESCRIBE_QUORUM);
        let mut view = Self {
            brokers: brokers.join(", "),
            controller: (!any_controller)
                .then(|| metadata.controller.map_or_else(|| "none".to_owned(), |id| format!("broker {id}"))),
            ..Self::default()
        };
        for topic in &metadata.topics {
            let partitions = if topic.code.is_none() {
                let mut numbers: Vec<Partition> =
                    topic.partitions.iter().map(|(number, _)| *number).collect();
                numbers.sort_unstable();
                said(&numbers)
            } else {
                topic.code.in_words()
            };
            if UNSETTLED.contains(&topic.code) {
                view.unsettled.push(topic.name.clone());
            }
            let id = topic.id.clone().unwrap_or_else(|| "none".to_owned());
            view.topics.insert(topic.name.clone(), (id, partitions));
            for (number, leader) in &topic.partitions {
                if leader.is_none() {
                    view.leaderless.push((topic.name.clone(), *number));
                }
                let leader = leader.map_or_else(|| "none".to_owned(), |id| format!("broker {id}"));
                view.leaders.insert((topic.name.clone(), *number), leader);
            }
        }
        Some(view)
    }

    /// Removes topics that this broker does not know yet. Topics that it knew before are kept.
    fn leave_out_unsettled(&mut self, last: Option<&Self>) {
        let knew = |topic: &String| last.is_some_and(|last| last.topics.contains_key(topic));
        for topic in self.unsettled.drain(..).filter(|topic| !knew(topic)) {
            self.topics.remove(&topic);
        }
        let led = |place: &(String, Partition)| last.is_some_and(|last| last.leaders.contains_key(place));
        for place in self.leaderless.drain(..).filter(|place| !led(place)) {
            self.leaders.remove(&place);
        }
    }
}

/// Partitions as text: their number if they are numbered from 0, otherwise each of them.
fn said(numbers: &[Partition]) -> String {
    let plain = numbers.iter().enumerate().all(|(at, number)| usize::try_from(*number) == Ok(at));
    match numbers.len() {
        0 => "none".to_owned(),
        1 if plain => "1 partition".to_owned(),
        count if plain => format!("{count} partitions"),
        _ => format!("partitions {}", numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::client::metadata::Broker;
    use crate::kafka::probe::{Api, Probe, ProbedMetadata, ProbedTopic};

    const AT_ZERO: (Duration, Duration) = (Duration::ZERO, Duration::ZERO);

    fn answer(broker: &str, id: &str, leaders: &[i32], controller: i32) -> Probe {
        let partitions = leaders.iter().enumerate();
        Probe {
            broker: broker.to_owned(),
            metadata: Some(ProbedMetadata {
                controller: Some(controller),
                brokers: vec![Broker { id: 1, host: broker.to_owned(), port: 9092 }],
                topics: vec![ProbedTopic {
                    name: "t".to_owned(),
                    id: Some(id.to_owned()),
                    code: Code::NONE,
                    partitions: partitions
                        .map(|(p, l)| (Partition::try_from(p).unwrap(), Some(*l)))
                        .collect(),
                    leader_epochs: Vec::new(),
                }],
                ..ProbedMetadata::default()
            }),
            ..Probe::default()
        }
    }

    fn changes(looks: &[Probe]) -> Vec<(Aspect, String, String)> {
        let mut watched = WatchedCluster::default();
        for look in looks {
            assert_eq!(watched.see(look, AT_ZERO), None);
        }
        watched.seen.changes.into_iter().map(|c| (c.aspect, c.before, c.after)).collect()
    }

    #[test]
    fn the_same_again_is_no_change() {
        let same = answer("a:1", "x", &[1, 1], 1);
        assert_eq!(changes(&[same.clone(), same.clone(), same]), []);
    }

    #[test]
    fn each_aspect_is_told() {
        let looks = [answer("a:1", "x", &[1, 1], 1), answer("a:1", "y", &[1, 2, 1], 2)];
        let text = |a: &str| a.to_owned();
        assert_eq!(
            changes(&looks),
            [
                (Aspect::TopicIds, text("x"), text("y")),
                (Aspect::Partitions, text("2 partitions"), text("3 partitions")),
                (Aspect::Controller, text("broker 1"), text("broker 2")),
                (Aspect::Leaders, text("broker 1"), text("broker 2")),
            ]
        );
    }

    #[test]
    fn a_new_broker_has_to_agree_about_topics_and_may_name_itself_as_leader() {
        assert_eq!(changes(&[answer("a:1", "x", &[1], 1), answer("b:1", "x", &[2], 2)]), []);
        let other = changes(&[answer("a:1", "x", &[1], 1), answer("b:1", "z", &[2], 2)]);
        assert_eq!(other, [(Aspect::TopicIds, "x".to_owned(), "z".to_owned())]);
    }

    #[test]
    fn what_a_broker_has_yet_to_learn_is_no_change_for_a_while() {
        let topic = |code, leader: Option<i32>| {
            let mut look = answer("a:1", "x", &[1], 1);
            let topic = &mut look.metadata.as_mut().unwrap().topics[0];
            topic.code = Code(code);
            match (code, leader) {
                (0, _) => topic.partitions[0].1 = leader,
                _ => (topic.id, topic.partitions) = (None, Vec::new()),
            }
            look
        };
        let changes = |looks: &[(u64, Probe)]| {
            let mut watched = WatchedCluster::default();
            for (at, look) in looks {
                watched.see(look, (Duration::from_secs(*at), Duration::from_secs(*at)));
            }
            watched.seen.changes.into_iter().map(|c| (c.aspect, c.before, c.after)).collect::<Vec<_>>()
        };
        let fine = || topic(0, Some(1));
        assert_eq!(
            changes(&[(0, topic(3, None)), (1, topic(5, None)), (2, topic(0, None)), (3, fine())]),
            []
        );
        let gone = changes(&[(0, fine()), (1, topic(3, None))]);
        assert_eq!(gone.len(), 2, "it knew it before: {gone:?}");
        let lost = changes(&[(0, fine()), (1, topic(0, None))]);
        assert_eq!(lost, [(Aspect::Leaders, "broker 1".to_owned(), "none".to_owned())]);
        // A broker that never learns about the topic is reported if others know it.
        let mut other = fine();
        other.broker = "b:1".to_owned();
        assert_eq!(changes(&[(0, other.clone()), (0, topic(3, None)), (4, topic(3, None))]), []);
        assert_eq!(changes(&[(0, other), (0, topic(3, None)), (6, topic(3, None))]).len(), 2);
    }

    #[test]
    fn kafkas_controllers_mean_nothing() {
        let quorum = Api { key: DESCRIBE_QUORUM, name: "DescribeQuorum", min: 0, max: 2 };
        let mut looks = [answer("a:1", "x", &[1], 1), answer("a:1", "x", &[1], 2)];
        for look in &mut looks {
            look.apis.push(quorum.clone());
        }
        assert_eq!(changes(&looks), []);
    }

    /// Requests to `a:1` once per second, half a second long each. The values are whether it answers.
    fn looks(answers: &[bool]) -> WatchedCluster {
        let mut watched = WatchedCluster::default();
        for (at, answers) in (0_u64..).zip(answers) {
            let silent = Probe { broker: "a:1".to_owned(), ..Probe::default() };
            let look = if *answers { answer("a:1", "x", &[1], 1) } else { silent };
            let at = Duration::from_secs(at);
            let error = watched.see(&look, (at, at + Duration::from_millis(500)));
            assert_eq!(error.is_none(), *answers);
        }
        watched
    }

    fn silences(watched: WatchedCluster) -> Vec<(u128, u128, bool)> {
        let seen = watched.ended();
        let all = seen.brokers[0].silences.iter();
        all.map(|s| (s.from.as_millis(), s.to.as_millis(), s.to_the_end)).collect()
    }

    #[test]
    fn no_answer_is_counted_and_changes_nothing() {
        let watched = looks(&[true, false, true]);
        let broker = &watched.seen.brokers[0];
        assert_eq!((broker.asked, broker.answered, watched.seen.changes.len()), (3, 2, 0));
    }

    #[test]
    fn a_silence_is_from_the_first_question_without_an_answer_to_the_last() {
        assert_eq!(silences(looks(&[true, true])), []);
        assert_eq!(silences(looks(&[true, false, true])), [(1000, 1500, false)]);
        assert_eq!(
            silences(looks(&[true, false, false, true, false, false, false])),
            [(1000, 2500, false), (4000, 6500, true)]
        );
        assert_eq!(silences(looks(&[false, false, true])), [], "it was not there yet");
    }

    #[test]
    fn who_is_taken_away_is_not_silent_to_the_end() {
        let mut watched = looks(&[true, true, false]);
        assert_eq!(watched.unsettled(&["a:1".to_owned()]), ["a:1"]);
        watched.no_longer_asked(&["b:1".to_owned()]);
        assert_eq!(watched.unsettled(&["a:1".to_owned()]), [""; 0]);
        assert_eq!(silences(watched), [(2000, 2500, false)]);
    }

    #[test]
    fn one_answer_is_asked_for_another() {
        assert_eq!(looks(&[true]).unsettled(&["a:1".to_owned()]), ["a:1"]);
        assert_eq!(looks(&[true, true]).unsettled(&["a:1".to_owned()]), [""; 0]);
        assert_eq!(looks(&[false]).unsettled(&["a:1".to_owned()]), [""; 0], "it is known never to answer");
    }

    #[test]
    fn of_too_many_silences_the_longest_are_kept() {
        let mut answers = vec![true, false, false];
        answers.extend([true, false].repeat(SILENCES));
        let kept = silences(looks(&answers));
        assert_eq!(kept.len(), SILENCES);
        assert_eq!((kept[0], kept[SILENCES - 1].2), ((1000, 2500, false), true));
    }
}
