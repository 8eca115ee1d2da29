//! `metadata_stable`: did what clients are told of the cluster stay as it was, but for what the file allows to change?
//!
//! Judged by what a `watch` saw: each change of each broker's answers.

use super::answer::{Answer, Outcome};
use super::case::Case;
use crate::observe::MetadataChange;
use crate::plan::Aspect;

/// Changes named in the message.
const NAMED: usize = 3;

/// What is wanted, in words.
pub(super) fn expected(allow: &[Aspect]) -> String {
    if allow.is_empty() {
        return "0 changes".to_owned();
    }
    let names: Vec<&str> = allow.iter().map(|aspect| aspect.name()).collect();
    format!("0 changes but of {}", names.join(", "))
}

/// Nothing changed but what may.
pub(super) fn metadata_stable(case: &Case<'_>, allow: &[Aspect]) -> Answer {
    let expected = expected(allow);
    let Some(watch) = &case.scenario.watch else { return Answer::no_data(expected) };
    let asked = watch.brokers.iter().filter(|broker| broker.asked > 0);
    let silent: Vec<_> = asked.clone().filter(|broker| broker.answered == 0).collect();
    if silent.len() == asked.count() {
        return Answer::no_data(expected).because(match silent.iter().find_map(|b| b.last_error.as_ref()) {
            Some(error) => format!("no broker ever answered: {error}"),
            None => "no broker ever answered".to_owned(),
        });
    }
    let wrong: Vec<&MetadataChange> =
        watch.changes.iter().filter(|change| !allow.contains(&change.aspect)).collect();
    if !wrong.is_empty() {
        let named: Vec<String> = wrong
            .iter()
            .take(NAMED)
            .map(|change| in_words(change, &case.during(change.at, change.at)))
            .collect();
        let more = (wrong.len() - named.len()) as u64 + watch.more_changes;
        let mut message = named.join("; ");
        if more > 0 {
            message = format!("{message}; and {more} more");
        }
        let plural = if wrong.len() == 1 { "change" } else { "changes" };
        return Answer::new(Outcome::Fail, expected, format!("{} {plural}", wrong.len())).because(message);
    }
    let judged = Answer::new(Outcome::Inconclusive, &expected, "not all seen");
    // Where everything may change, nothing is missing.
    if watch.more_changes > 0 && !Aspect::ALL.iter().all(|aspect| allow.contains(aspect)) {
        return judged.because(format!("{} more changes than could be kept", watch.more_changes));
    }
    if let Some(broker) = silent.first() {
        let why = broker.last_error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        return judged.because(format!("{} never answered for itself{why}", broker.broker));
    }
    let allowed = watch.changes.len() as u64 + watch.more_changes;
    let actual = if allowed > 0 { format!("0 changes, {allowed} allowed") } else { "0 changes".to_owned() };
    Answer::new(Outcome::Pass, expected, actual)
}

/// `leader of orders[1] from 0 to 2 at 3.2 s, says 127.0.0.1:9092`
fn in_words(change: &MetadataChange, during: &str) -> String {
    let place = match (&change.topic, change.partition) {
        (Some(topic), Some(partition)) => format!(" of {topic}[{partition}]"),
        (Some(topic), None) => format!(" of {topic}"),
        _ => String::new(),
    };
    let aspect = change.aspect.name().replace('_', " ");
    format!(
        "{aspect}{place} from {} to {} at {:.3} s{during}, says {}",
        change.before,
        change.after,
        change.at.as_secs_f64(),
        change.broker
    )
}
