//! Whether topics were recreated or changed leaders since the start of the run: compares topic ids and leader
//! epochs.
//!
//! The wire probe requests them in the background at the start of the run, and again when acks are judged.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::unjudged::note_unknown;
use crate::engine::context::lifecycle::Lifecycle;
use crate::engine::context::run_context::RunContext;
use crate::engine::context::topology::Topology;
use crate::ids::Partition;
use crate::kafka::Code;
use crate::kafka::probe::{self, ProbedTopic};
use crate::ledger::SavedTopic;
use crate::plan::ActionPlan;

/// Requests the current topics on a separate thread, which sets them once they are known.
pub(crate) fn ask(context: &Arc<RunContext>) -> Arc<OnceLock<Vec<ProbedTopic>>> {
    let found = Arc::new(OnceLock::new());
    if context.client.is_embedded() {
        return found;
    }
    if let Some(saved) = &context.saved {
        // For a saved ledger, the start is that of the run that sent.
        return Arc::new(OnceLock::from(saved.topics.iter().filter_map(at_start).collect::<Vec<_>>()));
    }
    let (context, out) = (Arc::clone(context), Arc::clone(&found));
    // If the start is unknown, everything that depends on it stays undecided.
    let _ = std::thread::Builder::new().name("kaf6-topics".into()).spawn(move || {
        let _ = out.set(look(&context));
    });
    found
}

/// A topic at the start of the run that saved the ledger.
fn at_start(topic: &SavedTopic) -> Option<ProbedTopic> {
    let look = topic.at_start.as_ref()?;
    Some(ProbedTopic {
        name: topic.name.clone(),
        id: look.id.clone(),
        code: Code::NONE,
        partitions: Vec::new(),
        leader_epochs: look.leader_epochs.clone(),
    })
}

/// The run's topics at its start, compared with the current ones.
pub(crate) struct TopicComparison<'a> {
    context: &'a RunContext,
    at_start: &'a OnceLock<Vec<ProbedTopic>>,
    /// The current ones, once they were requested.
    now: OnceLock<Vec<ProbedTopic>>,
}

impl<'a> TopicComparison<'a> {
    pub(crate) fn new(context: &'a RunContext, topology: &'a Topology) -> Self {
        Self { context, at_start: &topology.at_start, now: OnceLock::new() }
    }
}

/// The leaders of a partition since the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaders {
    One,
    Several,
    /// Unknown: there may have been several.
    Unknown,
}

impl TopicComparison<'_> {
    /// A topic at the start of the run, and now.
    pub(crate) fn both(&self, name: &str) -> [Option<ProbedTopic>; 2] {
        let of_it = |topics: &[ProbedTopic]| {
            topics.iter().find(|topic| topic.name == name && topic.code.is_none()).cloned()
        };
        let now = self.now.get_or_init(|| look(self.context));
        [self.at_start.get().and_then(|topics| of_it(topics)), of_it(now)]
    }

    /// Nothing shows that the topic was deleted or recreated since the start of the run.
    pub(crate) fn is_one_log(&self, name: &str) -> bool {
        if let Some(saved) = &self.context.saved {
            return saved.topic(name).is_none_or(|topic| topic.one_log);
        }
        if execs_ran(self.context) {
            return false;
        }
        let [then, now] = self.both(name).map(|topic| topic.and_then(|topic| topic.id));
        if !self.context.client.is_embedded() && (then.is_none() || now.is_none()) {
            note_unknown(
                self.context,
                "topic ids",
                "kaf6 treats contradicting acks as acks of one log, although the topic may have been \
                recreated",
            );
        }
        then.is_none() || now.is_none() || then == now
    }

    /// The old and the new id of a topic that was recreated since the run of the saved ledger.
    pub(crate) fn created_again(&self, name: &str) -> Option<[String; 2]> {
        let then = self.context.saved.as_ref()?.topic(name)?.id()?.to_owned();
        let [_, now] = self.both(name);
        let now = now?.id?;
        (then != now).then_some([then, now])
    }

    /// Whether a partition has had one leader all the time.
    pub(crate) fn leaders(&self, name: &str, partition: Partition) -> Leaders {
        if self.context.client.is_embedded() {
            return Leaders::One;
        }
        let epoch = |topic: Option<ProbedTopic>| {
            topic?.leader_epochs.into_iter().find(|(number, _)| *number == partition).map(|(_, epoch)| epoch)
        };
        if self.created_again(name).is_some() {
            // Leader epochs of two topics cannot be compared.
            return Leaders::Unknown;
        }
        let epochs = self.both(name).map(epoch);
        let [Some(then), Some(now)] = epochs else {
            note_unknown(
                self.context,
                "leader epochs of partitions",
                "missing messages with `acks: 1` count as `unread`, because a new leader may lack them",
            );
            return Leaders::Unknown;
        };
        if then == now { Leaders::One } else { Leaders::Several }
    }
}

/// Whether an `exec` of the file ran in a container: it may have deleted topics.
pub(crate) fn execs_ran(context: &RunContext) -> bool {
    let faults = context.plan.faults.iter().zip(&context.states[context.plan.scenarios.len()..]);
    let mut execs = faults.filter(|(fault, _)| matches!(fault.action, ActionPlan::Exec { .. }));
    execs.any(|(_, state)| matches!(state.get(), Lifecycle::Running | Lifecycle::Ended(_)))
}

/// The run's topics from the first broker that answers; empty if none answers or if the file has SASL.
fn look(context: &RunContext) -> Vec<ProbedTopic> {
    let names = context.topic_names();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let until = Instant::now() + context.client.waits().answer;
    let mut answers = context.client.brokers().iter().filter_map(|broker| {
        let probe = probe::probe(&context.client, broker, &names, until);
        Some(probe.metadata?.topics)
    });
    answers.next().unwrap_or_default()
}
