//! `metadata_stable`: did the brokers' metadata stay the same, except for the aspects that the file allows to
//! change?
//!
//! Uses the observations of a `watch` scenario: each change in a broker's responses, and each period in which a
//! broker was silent. Silence during a fault is attributed to the fault.

use std::time::Duration;

use crate::checks::answer::{Answer, Domain, UnknownBecause};
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;
use crate::checks::targets;
use crate::checks::text::{counted, span, time};
use crate::observe::{MetadataChange, Silence, WatchedBroker};
use crate::plan::{Aspect, Plan};
use crate::units::thousands;

/// Maximum number of changes and of silences listed in the message.
const NAMED: usize = 3;

/// Metadata does not change.
pub(crate) struct MetadataStable<'a> {
    pub(crate) allow: &'a Vec<Aspect>,
    pub(crate) max_silence: &'a Duration,
}

impl Check for MetadataStable<'_> {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::watches(plan)
    }

    fn expected(&self) -> String {
        let silence = format!("no silence over {}", time(*self.max_silence));
        if self.allow.is_empty() {
            return format!("0 changes, {silence}");
        }
        let names: Vec<&str> = self.allow.iter().map(|aspect| aspect.name()).collect();
        format!("0 changes except {}, {silence}", names.join(", "))
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        metadata_stable(case, self.expected(), self.allow, *self.max_silence)
    }
}

/// Only allowed aspects changed, and no broker was silent for too long.
fn metadata_stable(
    case: &CheckedScenario<'_>,
    expected: String,
    allow: &[Aspect],
    max_silence: Duration,
) -> Answer {
    let Some(watch) = &case.scenario.of_type.watch else { return case.no_data(expected) };
    let asked = watch.brokers.iter().filter(|broker| broker.asked > 0);
    let mute: Vec<_> = asked.clone().filter(|broker| broker.answered == 0).collect();
    if mute.len() == asked.clone().count() {
        let error = mute.iter().find_map(|broker| broker.last_error.as_ref());
        let why = error.map_or_else(String::new, |error| format!(": {error}"));
        let unknown = UnknownBecause::new(
            format!("no broker answered{why}"),
            "add a `connect` scenario and a `reachable` check to find the cause",
        );
        return Answer::inconclusive(expected, "no data", &unknown);
    }
    let mut silences: Vec<Silent<'_>> = asked
        .clone()
        .flat_map(|broker| broker.silences.iter().map(|s| Silent::of(case, broker, s)))
        .collect();
    silences.sort_by_key(|silent| silent.silence.from);
    let wrong: Vec<&MetadataChange> =
        watch.changes.iter().filter(|change| !allow.contains(&change.aspect)).collect();
    let long: Vec<&Silent<'_>> = silences.iter().filter(|silent| silent.alone > max_silence).collect();
    if !wrong.is_empty() || !long.is_empty() {
        let failed = fails(case, expected, (&wrong, watch.more_changes), &long);
        let stalled = long.iter().find(|silent| silent.awake <= max_silence);
        let explained = wrong.is_empty() && long.iter().all(|silent| silent.awake <= max_silence);
        let unknown = stalled.and_then(|it| case.own_stalls().during((it.silence.from, it.silence.to)));
        return match unknown.filter(|_| explained) {
            Some(unknown) => failed.explained_by(&unknown),
            None => failed,
        };
    }
    let open = |why: String, advice: &str| {
        Answer::inconclusive(&expected, "incomplete data", &UnknownBecause::new(why, advice))
    };
    // If every aspect may change, the omitted changes do not matter.
    if watch.more_changes > 0 && !Aspect::ALL.iter().all(|aspect| allow.contains(aspect)) {
        let why = format!("{} more changes were not recorded", thousands(watch.more_changes));
        return open(why, "shorten the run, or list the expected changes under `allow`");
    }
    if let Some(broker) = mute.first() {
        let why = broker.last_error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        return open(
            format!("{} never answered{why}", broker.broker),
            "make sure that kaf6 can reach every address that the brokers advertise",
        );
    }
    if let Some(gone) = silences.iter().find(|silent| silent.gone) {
        let why = format!(
            "{}, until the watch ended: kaf6 cannot tell whether the broker would have answered within {}",
            gone.in_words(case),
            time(max_silence)
        );
        return open(why, "run the watch longer");
    }
    if let Some(once) = asked.clone().find(|broker| broker.answered == 1) {
        let why = format!("{} answered only once, so there is nothing to compare", once.broker);
        return open(why, "run the watch longer");
    }
    let allowed = watch.changes.len() as u64 + watch.more_changes;
    let actual = if allowed > 0 {
        format!("0 changes, {} allowed", thousands(allowed))
    } else {
        "0 changes".to_owned()
    };
    let (brokers, answers) = (asked.clone().count() as u64, asked.map(|broker| broker.answered).sum());
    let covers = format!(
        "{} from {} to `{}`, {}",
        counted(answers, "response", "responses"),
        counted(brokers, "broker", "brokers"),
        case.scenario.name,
        span(case.whole_span())
    );
    let passed = Answer::pass(expected, actual, Domain::judged_all(answers, covers));
    // Silences that a fault caused are reported in the fault's proof.
    match silences.iter().filter(|silent| !silent.alone.is_zero()).max_by_key(|silent| silent.alone) {
        Some(longest) => passed.because(longest.in_words(case)),
        None => passed,
    }
}

fn fails(
    case: &CheckedScenario<'_>,
    expected: String,
    (wrong, more_changes): (&[&MetadataChange], u64),
    long: &[&Silent<'_>],
) -> Answer {
    let (mut actual, mut named) = (Vec::new(), Vec::new());
    let mut more = 0;
    if !wrong.is_empty() {
        let plural = if wrong.len() == 1 { "change" } else { "changes" };
        actual.push(format!("{} {plural}", wrong.len()));
        named.extend(wrong.iter().take(NAMED).map(|it| in_words(it, &case.during(it.at, it.at))));
        more += wrong.len().saturating_sub(NAMED) as u64 + more_changes;
    }
    if let Some(longest) = long.iter().map(|silent| silent.alone).max() {
        actual.push(format!("silent for {}", time(longest)));
        named.extend(long.iter().take(NAMED).map(|silent| silent.in_words(case)));
        more += long.len().saturating_sub(NAMED) as u64;
    }
    let mut message = named.join("; ");
    if more > 0 {
        message = format!("{message}; and {more} more");
    }
    Answer::fail(expected, actual.join(", "), message)
}

/// One broker's silence, compared with the faults of the run.
struct Silent<'a> {
    broker: &'a WatchedBroker,
    silence: &'a Silence,
    /// The longest part of it outside all faults.
    alone: Duration,
    /// The same without the time in which kaf6 itself made no progress.
    awake: Duration,
    /// The broker never answered again, and no fault was active at the last request.
    gone: bool,
}

impl<'a> Silent<'a> {
    fn of(case: &CheckedScenario<'_>, broker: &'a WatchedBroker, silence: &'a Silence) -> Self {
        let parts = case.without_faults(silence.from, silence.to);
        let alone = parts.iter().map(|(from, to)| to.saturating_sub(*from)).max().unwrap_or_default();
        let awake = parts.iter().map(|part| case.own_stalls().alone(*part)).max().unwrap_or_default();
        let gone = silence.to_the_end && parts.last().is_some_and(|(_, to)| *to == silence.to);
        Self { broker, silence, alone, awake, gone }
    }

    /// Such as ``127.0.0.1:9092 did not answer from 3.200 s to 14.700 s, during `bounce` (connection
    /// refused)``.
    fn in_words(&self, case: &CheckedScenario<'_>) -> String {
        let (from, to) = (self.silence.from, self.silence.to);
        let during = case.during(from, to);
        let why = self.broker.last_error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
        format!(
            "{} did not answer from {:.3} s to {:.3} s{during}{why}",
            self.broker.broker,
            from.as_secs_f64(),
            to.as_secs_f64()
        )
    }
}

/// Such as `leaders of orders[1] changed from 0 to 2 at 3.200 s, as reported by 127.0.0.1:9092`.
fn in_words(change: &MetadataChange, during: &str) -> String {
    let place = match (&change.topic, change.partition) {
        (Some(topic), Some(partition)) => format!(" of {topic}[{partition}]"),
        (Some(topic), None) => format!(" of {topic}"),
        _ => String::new(),
    };
    let aspect = change.aspect.name().replace('_', " ");
    format!(
        "{aspect}{place} changed from {} to {} at {:.3} s{during}, as reported by {}",
        change.before,
        change.after,
        change.at.as_secs_f64(),
        change.broker
    )
}
