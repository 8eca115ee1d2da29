//! `connect`: probes each broker until it answers, then requests the topics, until the scenario's timeout.
//!
//! A broker that has answered is not probed again, because creating topics may take longer than the remaining time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::context::outcome::{ScenarioOutcome, cut, unwind};
use crate::engine::context::run_context::RunContext;
use crate::engine::scheduling::setup::{Setup, TCP, in_container_hint};
use crate::kafka::client::metadata;
use crate::kafka::{self, probe};
use crate::metrics::Recorder;
use crate::observe::{BrokerSeen, Note, ScenarioEnd, TopicSeen, TypeSeen};
use crate::plan::ConnectPlan;

const ATTEMPT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(500);
/// No attempt starts if less time than this remains.
const SHORTEST: Duration = Duration::from_millis(50);

pub(crate) async fn run(
    context: &Arc<RunContext>,
    setup: &Setup,
    index: usize,
    plan: &ConnectPlan,
) -> ScenarioOutcome {
    let deadline = context.deadline(index);
    let client = context.client_of(index);
    let topics: Vec<String> = plan.topics.iter().map(|t| t.with_run_id(&context.run_id)).collect();
    let mut brokers: Vec<BrokerSeen> = client
        .brokers()
        .iter()
        .map(|broker| BrokerSeen { broker: broker.clone(), ..BrokerSeen::default() })
        .collect();
    let mut seen;
    loop {
        let task = Attempt {
            client: client.clone(),
            topics: topics.clone(),
            until: deadline.min(Instant::now() + ATTEMPT),
            context: Arc::clone(context),
            index,
        };
        (brokers, seen) = unwind(tokio::task::spawn_blocking(move || task.run(brokers)).await);
        let reached = brokers.iter().all(|b| b.reachable);
        if reached && setup.topology().is_none() {
            // The brokers have just become reachable, so the topics must still be set up. This has its own
            // timeout.
            if setup.ready().await.is_ok() {
                continue;
            }
        }
        let known = seen.len() == topics.len() && seen.iter().all(|t| t.error.is_none());
        let ended = if reached && known {
            Some(ScenarioEnd::Done)
        } else if let Some(pause) = pause(deadline.saturating_duration_since(Instant::now())) {
            tokio::select! {
                () = tokio::time::sleep(pause) => None,
                () = context.stop.stopped() => Some(cut(&context.stop)),
            }
        } else {
            Some(ScenarioEnd::Timeout)
        };
        if let Some(ended) = ended {
            let has_tcp =
                |it: &BrokerSeen| it.stages.iter().any(|(name, _, error)| *name == TCP && error.is_none());
            let unconnected = brokers.iter().filter(|it| !it.reachable && !has_tcp(it));
            let unconnected = unconnected.map(|it| it.broker.as_str());
            if let Some(hint) = in_container_hint(&context.client, unconnected) {
                context.notes.add(Note::warning(hint));
            }
            note_apis(context, &brokers);
            let message = (ended == ScenarioEnd::Timeout).then(|| not_found(&brokers, &seen));
            let of_type = TypeSeen { brokers, topics: seen, ..TypeSeen::default() };
            return ScenarioOutcome { message, ..ScenarioOutcome::of(ended).observed(of_type) };
        }
    }
}

/// The pause before the next attempt; `None` if too little time remains. Pauses get shorter toward the end.
fn pause(left: Duration) -> Option<Duration> {
    (left >= SHORTEST).then(|| PAUSE.min(left / 2))
}

/// Text about the brokers that were not reached and the reasons. If all were reached, about the topics that they do not
/// know.
fn not_found(brokers: &[BrokerSeen], topics: &[TopicSeen]) -> String {
    let unreached: Vec<String> = brokers.iter().filter_map(BrokerSeen::why_unreached).collect();
    if !unreached.is_empty() {
        return unreached.join("; ");
    }
    let unknown = topics.iter().filter_map(|it| Some(format!("{}: {}", it.topic, it.error.as_ref()?)));
    unknown.collect::<Vec<_>>().join("; ")
}

/// Notes what the brokers' API versions mean for a run.
fn note_apis(context: &RunContext, brokers: &[BrokerSeen]) {
    for broker in brokers.iter().filter(|b| !b.apis.is_empty()) {
        let apis: Vec<probe::Api> = broker
            .apis
            .iter()
            .map(|(key, name, min, max)| probe::Api { key: *key, name, min: *min, max: *max })
            .collect();
        for text in probe::api_notes(&apis) {
            context.notes.add(Note::hint(format!("{}: {text}", broker.broker)));
        }
    }
}

/// One attempt to reach all brokers that have not answered yet. When all have answered, it requests the topics.
struct Attempt {
    client: kafka::Client,
    topics: Vec<String>,
    until: Instant,
    context: Arc<RunContext>,
    index: usize,
}

impl Attempt {
    fn run(self, mut brokers: Vec<BrokerSeen>) -> (Vec<BrokerSeen>, Vec<TopicSeen>) {
        let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        // In parallel, so that a broker that does not answer delays no other.
        std::thread::scope(|scope| {
            for broker in brokers.iter_mut().filter(|broker| !broker.reachable) {
                scope.spawn(|| self.look(broker, &topics));
            }
        });
        let seen = if brokers.iter().all(|b| b.reachable) { self.metadata(&topics) } else { Vec::new() };
        (brokers, if seen.is_empty() { unknown(&topics) } else { seen })
    }

    fn look(&self, broker: &mut BrokerSeen, topics: &[&str]) {
        let metrics = self.context.live.metrics(self.index);
        let began = Instant::now();
        let answer = probe::probe(&self.client, &broker.broker, topics, self.until);
        broker.attempts += 1;
        metrics.counters.sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        broker.reachable = !answer.stages.is_empty() && answer.stages.iter().all(|s| s.error.is_none());
        // The error of an attempt that had its full time is more useful than a timeout of the last, shortened one.
        let cut_short = !broker.reachable && Instant::now() >= self.until && began + PAUSE > self.until;
        if !cut_short || broker.stages.is_empty() {
            broker.stages = answer.stages.into_iter().map(|s| (s.name, s.took, s.error)).collect();
        }
        if broker.reachable && answer.metadata.is_none() {
            self.by_librdkafka(broker);
        }
        if !answer.apis.is_empty() {
            broker.apis = answer.apis.into_iter().map(|a| (a.key, a.name, a.min, a.max)).collect();
        }
        let now_us = self.context.clock.now_us();
        if broker.reachable {
            let mut recorder = Recorder::new(metrics);
            recorder.latency(now_us, u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
            recorder.done(now_us, 1);
            metrics.counters.received.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        } else {
            let stage = broker.stages.last().map_or("connect", |(name, _, _)| name);
            metrics.error(now_us, stage);
        }
    }

    /// The wire probe stops at SASL. In this case, a Metadata request by librdkafka follows as one timed stage.
    fn by_librdkafka(&self, broker: &mut BrokerSeen) {
        let began = Instant::now();
        let left = self.until.saturating_duration_since(began);
        let answer = metadata::fetch_from(&self.client, &broker.broker, &[], left);
        let error = answer.err().map(kafka::with_remedy);
        broker.reachable = error.is_none();
        broker.stages.push(("metadata", began.elapsed(), error));
    }

    fn metadata(&self, topics: &[&str]) -> Vec<TopicSeen> {
        // Request the topics even if setting them up took all the time.
        let left = self.until.saturating_duration_since(Instant::now());
        let timeout = left.max(self.client.waits().answer);
        match metadata::fetch(&self.client, topics, timeout) {
            Ok(metadata) => topics
                .iter()
                .map(|name| match metadata.topic(name) {
                    Some(topic) => TopicSeen {
                        topic: (*name).to_owned(),
                        partitions: topic.partitions.len(),
                        error: (!topic.is_ready()).then(|| {
                            if topic.code.is_none() {
                                "a partition has no leader".to_owned()
                            } else {
                                topic.code.in_words()
                            }
                        }),
                    },
                    None => TopicSeen {
                        topic: (*name).to_owned(),
                        partitions: 0,
                        error: Some("the response does not include it".to_owned()),
                    },
                })
                .collect(),
            Err(error) => topics
                .iter()
                .map(|name| TopicSeen {
                    topic: (*name).to_owned(),
                    partitions: 0,
                    error: Some(error.to_string()),
                })
                .collect(),
        }
    }
}

fn unknown(topics: &[&str]) -> Vec<TopicSeen> {
    topics
        .iter()
        .map(|name| TopicSeen {
            topic: (*name).to_owned(),
            partitions: 0,
            error: Some("no broker answered".to_owned()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_go_on_until_the_time_is_up() {
        let timeout = Duration::from_secs(6);
        let mut left = timeout;
        let mut attempts = 0;
        while let Some(pause) = pause(left) {
            left -= pause;
            attempts += 1;
        }
        assert!(left < SHORTEST && attempts < 20, "{left:?} after {attempts}");
    }

    #[test]
    fn a_connect_that_gave_up_says_what_it_did_not_find() {
        let broker = |name: &str, reachable, error: Option<&str>| BrokerSeen {
            broker: name.to_owned(),
            reachable,
            stages: vec![("tcp", Duration::ZERO, error.map(str::to_owned))],
            ..BrokerSeen::default()
        };
        let topic =
            TopicSeen { topic: "t".to_owned(), error: Some("no leader".to_owned()), ..TopicSeen::default() };
        let (up, down) = (broker("a:1", true, None), broker("b:1", false, Some("connection refused")));
        let topics = [topic];
        assert_eq!(not_found(&[up.clone(), down], &topics), "b:1: tcp: connection refused");
        assert_eq!(not_found(&[up], &topics), "t: no leader");
    }
}
