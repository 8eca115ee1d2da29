//! `log_offsets_monotonic`: did the start and the end of each log, as brokers report them, never go back?
//!
//! Uses the observations of an `offsets` scenario.

use crate::checks::answer::{Answer, Domain, UnknownBecause};
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;
use crate::checks::targets;
use crate::checks::text::{counted, span};
use crate::observe::{LogReversal, LogSeen, OffsetsSeen, ReversalProof};
use crate::plan::{Plan, Work};

/// Maximum number of reversals listed in the message.
const NAMED: usize = 3;
const EXPECTED: &str = "0 reversals";

/// No reported start or end of a log goes back.
pub(crate) struct LogOffsetsMonotonic;

impl Check for LogOffsetsMonotonic {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::of(plan, |work| matches!(work, Work::Offsets(_)))
    }

    fn expected(&self) -> String {
        EXPECTED.to_owned()
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let Some(seen) = &case.scenario.of_type.offsets else { return case.no_data(EXPECTED) };
        let answers: u64 = seen.logs.iter().map(|log| log.answered).sum();
        let covers = format!(
            "{} from {} to `{}`, {}",
            counted(answers, "response", "responses"),
            counted(seen.logs.len() as u64, "partition", "partitions"),
            case.scenario.name,
            span(case.whole_span())
        );
        let proven = seen.reversals(|proof| *proof == ReversalProof::SameTopic);
        if !proven.is_empty() {
            let actual = counted(proven.len() as u64, "reversal", "reversals");
            let more = proven.len().saturating_sub(NAMED) as u64 + seen.more_reversals;
            let mut message = named(case, &proven);
            if more > 0 {
                message = format!("{message}; and {more} more");
            }
            return Answer::fail(EXPECTED, actual, message).covering(Domain::judged_all(answers, covers));
        }
        let unknown = unreported(seen).or_else(|| unproven(case, seen)).or_else(|| unanswered(seen));
        let domain = Domain::judged_all(answers, covers).without(unknown);
        let passed = Answer::pass(EXPECTED, EXPECTED, domain);
        // A start may go back with another leader.
        match seen.reversals(|proof| *proof == ReversalProof::OtherLeader).as_slice() {
            [] => passed,
            permitted => passed.because(format!("{}, with another leader", named(case, permitted))),
        }
    }
}

/// The first of these reversals, and the faults at that time.
fn named(case: &CheckedScenario<'_>, reversals: &[(&LogSeen, &LogReversal)]) -> String {
    let texts = reversals
        .iter()
        .take(NAMED)
        .map(|(log, it)| format!("{}{}", it.in_words(log), case.during(it.at, it.at)));
    texts.collect::<Vec<_>>().join("; ")
}

/// Why there is a topic without partitions, or no topic.
fn unreported(seen: &OffsetsSeen) -> Option<UnknownBecause> {
    let why = match (seen.unreported.first(), &seen.last_error) {
        (Some((topic, error)), _) => format!("no broker reported partitions of {topic}: {error}"),
        (None, Some(error)) if seen.logs.is_empty() => format!("no broker answered: {error}"),
        (None, _) if seen.logs.is_empty() => "no topic was requested".to_owned(),
        _ => return None,
    };
    Some(UnknownBecause::new(
        why,
        "add a `connect` scenario with the checks `reachable` and `metadata` to find the cause",
    ))
}

/// Why a reversal may be that of a recreated topic.
fn unproven(case: &CheckedScenario<'_>, seen: &OffsetsSeen) -> Option<UnknownBecause> {
    let unproven =
        seen.reversals(|proof| matches!(proof, ReversalProof::NoTopicId | ReversalProof::NoLaterAnswer));
    let (_, first) = unproven.first()?;
    let (why, advice) = match first.proof {
        ReversalProof::NoTopicId => {
            ("the broker reports no topic ids, so the topic may have been recreated", "see the broker's log")
        }
        _ => (
            "no later response had the topic id, so the topic may have been recreated",
            "run the scenario longer",
        ),
    };
    Some(UnknownBecause::new(format!("{}: {why}", named(case, &unproven)), advice))
}

/// The first partition with fewer than two answers, or without an answer to the last request.
fn unanswered(seen: &OffsetsSeen) -> Option<UnknownBecause> {
    let log = seen.logs.iter().find(|log| log.answered < 2 || log.silent)?;
    let what = match log.answered {
        0 => "was never reported",
        1 => "was reported only once, so there is nothing to compare",
        _ => "were not reported at the last request",
    };
    let offsets = if log.answered > 1 { "the start and end" } else { "the log" };
    let why = log.last_error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
    Some(UnknownBecause::new(
        format!("{offsets} of {}[{}] {what}{why}", log.topic, log.partition),
        "run the scenario longer, and make sure that kaf6 can reach every leader",
    ))
}
