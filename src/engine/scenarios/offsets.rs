//! `offsets`: requests the start and the end of each partition's log repeatedly during other scenarios, and lists
//! each one that went back.
//!
//! A recreated topic starts again at 0. So an offset that went back is proven only by a later answer with the same
//! topic id. An answer of an earlier leader epoch is not compared.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::engine::context::outcome::{ScenarioOutcome, pause_until, unwind};
use crate::engine::context::run_context::RunContext;
use crate::ids::Partition;
use crate::kafka::probe::{self, LogBounds, PartitionBounds, TopicBounds};
use crate::observe::{
    LogReversal, LogSeen, LogSide, Note, OffsetsSeen, ReversalProof, ScenarioEnd, TypeSeen,
};
use crate::plan::OffsetsPlan;

/// Time that each broker has for its answers.
const LOOK: Duration = Duration::from_secs(2);
/// Maximum number of additional requests at the end, if a partition did not answer the last one, answered only once,
/// or has a reversal that is not yet proven.
const AGAIN: usize = 3;
/// Maximum pause before each of these requests.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Maximum number of reversals of a partition that are kept for each kind of proof. More are only counted.
const KEPT: usize = 20;
/// Maximum number of reversals with a note.
const NOTES: usize = 3;

pub(crate) async fn run(context: &Arc<RunContext>, index: usize, plan: &OffsetsPlan) -> ScenarioOutcome {
    if context.client_of(index).uses_sasl() {
        return ScenarioOutcome::failed("`offsets` does not support SASL");
    }
    let deadline = context.deadline(index);
    let topics: Arc<[String]> = plan.topics.iter().map(|t| t.with_run_id(&context.run_id)).collect();
    let mut logs = ObservedLogs::default();
    let ended = loop {
        let next = Instant::now() + plan.every;
        ask(context, index, &mut logs, &topics).await;
        if let Some(ended) = pause_until(&context.stop, next, deadline).await {
            break ended;
        }
    };
    if ended == ScenarioEnd::Done {
        context.faults_healed().await;
        // The final offsets, after the last scenario.
        ask(context, index, &mut logs, &topics).await;
    }
    for _ in 0..AGAIN {
        if context.stop.is_stopped() || logs.is_settled() {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(plan.every.min(AGAIN_AFTER)) => {}
            () = context.stop.stopped() => break,
        }
        ask(context, index, &mut logs, &topics).await;
    }
    let seen = logs.ended();
    note(context, index, &seen);
    ScenarioOutcome::of(ended).observed(TypeSeen { offsets: Some(seen), ..TypeSeen::default() })
}

/// Requests the bounds of all logs once.
async fn ask(context: &Arc<RunContext>, index: usize, logs: &mut ObservedLogs, topics: &Arc<[String]>) {
    let client = context.client_of(index).with_brokers(&context.brokers_now(index));
    let topics = Arc::clone(topics);
    let task = tokio::task::spawn_blocking(move || {
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        probe::log_bounds(&client, &names, LOOK)
    });
    let answer = tokio::select! {
        answer = task => unwind(answer),
        () = context.stop.stopped() => return,
    };
    let metrics = context.live.metrics(index);
    metrics.counters.sent.fetch_add(1, Ordering::Relaxed);
    let errors = match answer {
        Ok(found) => {
            let at = context.clock.elapsed();
            found.iter().flat_map(|topic| logs.see(topic, at)).collect()
        }
        Err(error) => {
            logs.no_answer(&error);
            vec![error]
        }
    };
    for error in errors {
        metrics.error(context.clock.now_us(), &error);
    }
}

/// Adds notes for the first offsets that are proven to have gone back.
fn note(context: &RunContext, index: usize, seen: &OffsetsSeen) {
    let name = &context.plan.scenarios[index].name;
    let found = seen.reversals(|proof| *proof == ReversalProof::SameTopic);
    for (log, reversal) in found.iter().take(NOTES) {
        context.notes.add(Note::warning(format!("`{name}`: {}", reversal.in_words(log))));
    }
    let more = found.len().saturating_sub(NOTES) as u64 + seen.more_reversals;
    if found.len() > NOTES {
        context.notes.add(Note::warning(format!("`{name}`: {more} more reported offsets went back")));
    }
}

/// All answers so far.
#[derive(Debug, Default)]
struct ObservedLogs {
    topics: BTreeMap<String, ObservedTopic>,
    more_reversals: u64,
    /// The error of the last request that no broker answered.
    last_error: Option<String>,
}

#[derive(Debug, Default)]
struct ObservedTopic {
    logs: BTreeMap<Partition, ObservedLog>,
    /// Why the broker did not report the topic.
    last_error: Option<String>,
}

#[derive(Debug, Default)]
struct ObservedLog {
    seen: LogSeen,
    last: Option<LastAnswer>,
    /// What went back, with the same topic id in the metadata before. The topic may have been recreated after that.
    suspects: Vec<LogReversal>,
}

#[derive(Debug, Clone)]
struct LastAnswer {
    bounds: LogBounds,
    topic_id: Option<String>,
    leader_epoch: Option<i32>,
}

impl ObservedLogs {
    /// Evaluates the answer for one topic. Returns the errors.
    fn see(&mut self, answer: &TopicBounds, at: Duration) -> Vec<String> {
        let topic = self.topics.entry(answer.name.clone()).or_default();
        topic.last_error.clone_from(&answer.error);
        let mut errors: Vec<String> = answer.error.iter().cloned().collect();
        for bounds in &answer.partitions {
            let log = topic.logs.entry(bounds.partition).or_default();
            log.seen.topic.clone_from(&answer.name);
            log.seen.partition = bounds.partition;
        }
        for (partition, log) in &mut topic.logs {
            if let Some(id) = &answer.id {
                self.more_reversals += log.prove(id);
            }
            let found = match answer.partitions.iter().find(|it| it.partition == *partition) {
                Some(bounds) => log.see(bounds, answer.id.as_ref(), at).map(|more| {
                    self.more_reversals += more;
                }),
                None => Err(answer
                    .error
                    .clone()
                    .unwrap_or_else(|| "the metadata does not have the partition".to_owned())),
            };
            if let Err(error) = found {
                log.no_answer(&error);
                errors.push(error);
            }
        }
        errors
    }

    fn no_answer(&mut self, error: &str) {
        self.last_error = Some(error.to_owned());
        for log in self.topics.values_mut().flat_map(|topic| topic.logs.values_mut()) {
            log.no_answer(error);
        }
    }

    /// Whether another request at the end can add nothing.
    fn is_settled(&self) -> bool {
        let is_settled = |log: &ObservedLog| {
            log.suspects.is_empty() && !log.seen.silent && (log.seen.answered > 1 || log.seen.answered == 0)
        };
        self.topics.values().all(|topic| topic.logs.values().all(is_settled))
    }

    /// All observations, after the last request.
    fn ended(self) -> OffsetsSeen {
        let Self { topics, mut more_reversals, last_error } = self;
        let mut seen = OffsetsSeen { last_error, ..OffsetsSeen::default() };
        for (name, topic) in topics {
            if topic.logs.is_empty() {
                let why = topic.last_error.unwrap_or_else(|| "it has no partitions".to_owned());
                seen.unreported.push((name, why));
            }
            for mut log in topic.logs.into_values() {
                for suspect in std::mem::take(&mut log.suspects) {
                    more_reversals += log.keep(suspect, ReversalProof::NoLaterAnswer);
                }
                seen.logs.push(log.seen);
            }
        }
        seen.more_reversals = more_reversals;
        seen
    }
}

impl ObservedLog {
    /// Evaluates the topic id of a later answer. Returns how many reversals were not kept.
    fn prove(&mut self, id: &str) -> u64 {
        let is_same = self.last.as_ref().is_some_and(|last| last.topic_id.as_deref() == Some(id));
        let suspects = std::mem::take(&mut self.suspects);
        if is_same {
            return suspects.into_iter().map(|it| self.keep(it, ReversalProof::SameTopic)).sum();
        }
        if self.last.as_ref().is_some_and(|last| last.topic_id.is_some()) {
            self.seen.recreated += 1;
            self.last = None;
        }
        0
    }

    /// Evaluates an answer. Returns how many reversals were not kept.
    fn see(&mut self, answer: &PartitionBounds, id: Option<&String>, at: Duration) -> Result<u64, String> {
        let bounds = answer.bounds.clone()?;
        let now = LastAnswer { bounds, topic_id: id.cloned(), leader_epoch: answer.leader_epoch };
        let before = self.last.clone();
        if before.as_ref().is_some_and(|before| now.leader_epoch < before.leader_epoch) {
            return Err("the leader epoch in the metadata is older than an earlier one".to_owned());
        }
        self.last = Some(now.clone());
        self.seen.asked += 1;
        self.seen.answered += 1;
        self.seen.silent = false;
        self.seen.first.get_or_insert((bounds.start, bounds.end));
        self.seen.last = Some((bounds.start, bounds.end));
        let Some(before) = before else { return Ok(0) };
        let sides = [
            (LogSide::Start, before.bounds.start, bounds.start),
            (LogSide::End, before.bounds.end, bounds.end),
        ];
        let mut more = 0;
        for (side, from, to) in sides.into_iter().filter(|(_, from, to)| to < from) {
            let reversal = LogReversal { at, side, from, to, proof: ReversalProof::NoLaterAnswer };
            let same_leader = before.leader_epoch.is_some() && before.leader_epoch == now.leader_epoch;
            match side {
                // Each replica deletes old records by itself, so the start of a new leader can be lower.
                LogSide::Start if !same_leader => more += self.keep(reversal, ReversalProof::OtherLeader),
                _ if before.topic_id.is_none() || now.topic_id.is_none() => {
                    more += self.keep(reversal, ReversalProof::NoTopicId);
                }
                _ => self.suspects.push(reversal),
            }
        }
        Ok(more)
    }

    fn no_answer(&mut self, error: &str) {
        self.seen.asked += 1;
        self.seen.silent = true;
        self.seen.last_error = Some(error.to_owned());
    }

    /// Returns 1 if too many are kept already.
    fn keep(&mut self, reversal: LogReversal, proof: ReversalProof) -> u64 {
        let kept = self.seen.reversals.iter().filter(|it| it.proof == proof).count();
        if kept < KEPT {
            self.seen.reversals.push(LogReversal { proof, ..reversal });
            return 0;
        }
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Offset;

    /// An answer of the broker for partition 0: topic id, leader epoch, start and end.
    type Answer = (Option<&'static str>, Option<i32>, Result<(Offset, Offset), &'static str>);

    fn seen(answers: &[Answer]) -> OffsetsSeen {
        let mut logs = ObservedLogs::default();
        for (at, (id, leader_epoch, bounds)) in (0..).zip(answers) {
            let bounds = match bounds {
                Ok((start, end)) => Ok(LogBounds { start: *start, end: *end }),
                Err(error) => Err((*error).to_owned()),
            };
            let partition = PartitionBounds { partition: 0, leader_epoch: *leader_epoch, bounds };
            let answer = TopicBounds {
                name: "t".to_owned(),
                id: id.map(str::to_owned),
                error: None,
                partitions: vec![partition],
            };
            logs.see(&answer, Duration::from_secs(at));
        }
        logs.ended()
    }

    /// Second, side, both offsets and proof of what went back.
    fn reversals(answers: &[Answer]) -> Vec<(u64, LogSide, Offset, Offset, ReversalProof)> {
        let seen = seen(answers);
        let found = seen.logs.iter().flat_map(|log| &log.reversals);
        found.map(|it| (it.at.as_secs(), it.side, it.from, it.to, it.proof)).collect()
    }

    fn ends(
        answers: [(Option<&'static str>, Offset); 4],
    ) -> Vec<(u64, LogSide, Offset, Offset, ReversalProof)> {
        reversals(&answers.map(|(id, end)| (id, Some(1), Ok((0, end)))))
    }

    #[test]
    fn logs_that_grow_and_lose_old_records_do_not_go_back() {
        let healthy = [(0, 0), (0, 9), (4, 9), (9, 9), (9, 20)].map(|it| (Some("x"), Some(1), Ok(it)));
        let seen = seen(&healthy);
        let log = &seen.logs[0];
        assert_eq!((log.asked, log.answered, log.silent, &*log.reversals), (5, 5, false, &[][..]));
        assert_eq!((log.first, log.last), (Some((0, 0)), Some((9, 20))));
    }

    #[test]
    fn an_end_that_goes_back_is_proven_by_a_later_answer_with_the_same_topic_id() {
        use ReversalProof::{NoLaterAnswer, NoTopicId, SameTopic};
        let (x, y) = (Some("x"), Some("y"));
        let found = |proof| vec![(2, LogSide::End, 9, 7, proof)];
        assert_eq!(ends([(x, 5), (x, 9), (x, 7), (x, 8)]), found(SameTopic));
        assert_eq!(ends([(None, 5), (None, 9), (None, 7), (None, 8)]), found(NoTopicId));
        assert_eq!(ends([(x, 5), (x, 9), (x, 7), (None, 8)]), found(NoLaterAnswer));
        assert_eq!(ends([(x, 5), (x, 9), (y, 7), (y, 8)]), [], "recreated");
        assert_eq!(ends([(x, 5), (x, 9), (x, 7), (y, 8)]), [], "recreated between metadata and offsets");
        assert_eq!(ends([(x, 5), (x, 6), (x, 9), (x, 7)]), [(3, LogSide::End, 9, 7, NoLaterAnswer)]);
    }

    #[test]
    fn a_start_may_go_back_only_with_another_leader() {
        let starts = |epochs: [Option<i32>; 3]| {
            let starts = [5, 3, 3].into_iter().zip(epochs);
            let answers: Vec<Answer> = starts.map(|(it, epoch)| (Some("x"), epoch, Ok((it, 9)))).collect();
            reversals(&answers)
        };
        let found = |proof| vec![(1, LogSide::Start, 5, 3, proof)];
        assert_eq!(starts([Some(1); 3]), found(ReversalProof::SameTopic));
        assert_eq!(starts([Some(1), Some(2), Some(2)]), found(ReversalProof::OtherLeader));
        assert_eq!(starts([None; 3]), found(ReversalProof::OtherLeader));
    }

    #[test]
    fn an_earlier_leader_and_an_error_are_no_answers() {
        let x = Some("x");
        let answers = [
            (x, Some(2), Ok((0, 9))),
            (x, Some(1), Ok((0, 4))),
            (x, Some(2), Err("no")),
            (x, Some(2), Ok((0, 9))),
        ];
        assert_eq!(reversals(&answers), []);
        let log = &seen(&answers).logs[0];
        assert_eq!((log.asked, log.answered, log.silent), (4, 2, false));
        assert!(seen(&answers[..3]).logs[0].silent);
    }

    #[test]
    fn what_was_not_reported_is_listed() {
        let mut logs = ObservedLogs::default();
        let error = Some("the broker does not know the topic".to_owned());
        let answer =
            |partitions| TopicBounds { name: "t".to_owned(), id: None, error: error.clone(), partitions };
        assert_eq!(logs.see(&answer(Vec::new()), Duration::ZERO).len(), 1);
        assert!(logs.is_settled());
        let bounds = Ok(LogBounds { start: 0, end: 1 });
        logs.see(&answer(vec![PartitionBounds { partition: 0, leader_epoch: None, bounds }]), Duration::ZERO);
        assert!(!logs.is_settled(), "one answer");
        logs.see(&answer(Vec::new()), Duration::ZERO);
        logs.no_answer("connection refused");
        let log = &logs.ended().logs[0];
        assert_eq!((log.asked, log.answered, log.silent), (3, 1, true));
    }

    #[test]
    fn of_too_many_reversals_the_first_are_kept() {
        let answers: Vec<Answer> =
            (0..100).map(|it| (Some("x"), Some(1), Ok((0, if it % 2 == 0 { 9 } else { 4 })))).collect();
        let seen = seen(&answers);
        assert_eq!(seen.logs[0].reversals.len() as u64 + seen.more_reversals, 50);
        assert_eq!(seen.logs[0].reversals[0].at, Duration::from_secs(1));
    }
}
