//! `no_loss`, `no_duplicates`, `no_corruption`, `in_order`, `offsets_monotonic` and `uuid_match`: the ledger's word.
//!
//! Each consumer is judged by itself, over all partitions that it read.

use super::answer::{Answer, Outcome};
use crate::anomaly::Anomaly;
use crate::ledger::Counts;
use crate::observe::{Observations, Reading, ScenarioSeen};

/// The readings of one consumer, and what they add up to.
struct Readings<'a>(Vec<&'a Reading>);

impl<'a> Readings<'a> {
    fn of(index: usize, seen: &'a Observations) -> Self {
        Self(seen.readings.iter().filter(|r| r.scenario == index).collect())
    }

    /// The sum over all partitions; none where nothing was measured.
    fn count(&self, anomaly: Anomaly) -> Option<Counts> {
        let mut sum: Option<Counts> = None;
        for counts in self.0.iter().filter_map(|r| r.judgement.as_ref()?.counts.get(&anomaly)) {
            let sum = sum.get_or_insert_default();
            sum.count += counts.count;
            sum.explained += counts.explained;
        }
        sum
    }

    fn wanted(&self) -> u64 {
        self.0.iter().map(|r| r.wanted).sum()
    }

    /// How many acked messages the audit was to look at and could not.
    fn unaudited(&self) -> u64 {
        self.0.iter().filter(|r| r.unaudited).map(|r| r.wanted).sum()
    }

    /// The answer of a check that looks at what was read, where nothing was: there was nothing to read, or the reader
    /// did not come to it, which says nothing of the records.
    fn nothing(&self, expected: impl Into<String>) -> Answer {
        match self.count(Anomaly::Unread).filter(|unread| unread.count > 0) {
            Some(unread) => Answer::new(Outcome::Inconclusive, expected, "nothing read").because(format!(
                "{} acked messages were there to read, and the reader came to none",
                unread.count
            )),
            None => Answer::no_data(expected),
        }
    }
}

/// The exact count of one anomaly for one consumer; none where nothing was measured.
pub(super) fn anomaly_count(index: usize, seen: &Observations, anomaly: Anomaly) -> Option<u64> {
    Readings::of(index, seen).count(anomaly).map(|counts| counts.count)
}

/// Nothing measured: no ledger, or nothing to look at.
fn unmeasured(expected: &str) -> Answer {
    Answer::new(Outcome::Inconclusive, expected, "not measured")
        .because("this scenario keeps no ledger: it reads what others wrote")
}

/// That an audit was to decide, and was not made; none where it was.
fn not_audited(expected: &str, unaudited: u64) -> Option<Answer> {
    (unaudited > 0).then(|| {
        Answer::new(Outcome::Inconclusive, expected, format!("{unaudited} not audited"))
            .because("the file wants an audit, and no fresh reader could make it")
    })
}

/// What only an audit can tell of one consumer's records, where it was to be made and was not.
pub(super) fn lacks_audit(
    index: usize,
    seen: &Observations,
    anomaly: Anomaly,
    expected: &str,
) -> Option<Answer> {
    let decided_by_it =
        matches!(anomaly, Anomaly::Lost | Anomaly::Skipped | Anomaly::Misplaced | Anomaly::Rewritten);
    let unaudited = if decided_by_it { Readings::of(index, seen).unaudited() } else { 0 };
    not_audited(expected, unaudited)
}

/// Nothing acked is lost, skipped or unread.
pub(super) fn no_loss(index: usize, scenario: &ScenarioSeen, seen: &Observations) -> Answer {
    let readings = Readings::of(index, seen);
    let expected = "0 lost";
    let count = |anomaly| readings.count(anomaly).map(|c| c.count);
    let Some((lost, skipped, unread)) = count(Anomaly::Lost)
        .zip(count(Anomaly::Skipped))
        .zip(count(Anomaly::Unread))
        .map(|((a, b), c)| (a, b, c))
    else {
        return unmeasured(expected);
    };
    let wanted = readings.wanted();
    if lost + skipped > 0 {
        let mut actual = format!("{lost} lost");
        if skipped > 0 {
            actual = format!("{actual}, {skipped} skipped");
        }
        if unread > 0 {
            actual = format!("{actual}, {unread} unread");
        }
        return Answer::new(Outcome::Fail, expected, actual).because(format!("of {wanted} acked"));
    }
    if unread > 0 {
        return Answer::new(Outcome::Inconclusive, expected, format!("{unread} unread")).because(format!(
            "of {wanted} acked; the reader did not come that far ({})",
            scenario.ended.name()
        ));
    }
    if let Some(answer) = not_audited(expected, readings.unaudited()) {
        return answer;
    }
    if wanted == 0 {
        return Answer::no_data(expected).because("nothing was acked that this scenario could have read");
    }
    Answer::new(Outcome::Pass, expected, "0 lost").because(format!("of {wanted} acked"))
}

/// No identity lies at two offsets.
pub(super) fn no_duplicates(
    index: usize,
    scenario: &ScenarioSeen,
    seen: &Observations,
    strict: bool,
) -> Answer {
    explainable(index, scenario, seen, Anomaly::Duplicate, "duplicates", strict)
}

/// The log's order is that of sending, for each client and partition.
pub(super) fn in_order(index: usize, scenario: &ScenarioSeen, seen: &Observations, strict: bool) -> Answer {
    explainable(index, scenario, seen, Anomaly::Reordered, "reordered", strict)
}

fn explainable(
    index: usize,
    scenario: &ScenarioSeen,
    seen: &Observations,
    anomaly: Anomaly,
    word: &str,
    strict: bool,
) -> Answer {
    let expected = format!("0 {word}");
    let readings = Readings::of(index, seen);
    let Some(counts) = readings.count(anomaly) else { return unmeasured(&expected) };
    let failed = counts.count + if strict { counts.explained } else { 0 };
    if failed == 0 && scenario.counts.received == 0 {
        return readings.nothing(expected);
    }
    let answer = Answer::passes_if(failed == 0, expected, format!("{failed} {word}"));
    if counts.explained == 0 {
        return answer;
    }
    let verb = if strict { "counted since the check is strict" } else { "not counted" };
    answer.because(format!("{} more explained by a retry, {verb}", counts.explained))
}

/// Nothing is altered, misplaced, rewritten or phantom.
pub(super) fn no_corruption(index: usize, scenario: &ScenarioSeen, seen: &Observations) -> Answer {
    let readings = Readings::of(index, seen);
    let kinds = [Anomaly::Corrupt, Anomaly::Misplaced, Anomaly::Rewritten, Anomaly::Phantom];
    let Some(corrupt) = readings.count(Anomaly::Corrupt) else { return unmeasured("0 corrupt") };
    let found: Vec<String> = kinds
        .into_iter()
        .filter_map(|anomaly| {
            readings.count(anomaly).filter(|c| c.count > 0).map(|c| format!("{} {}", c.count, anomaly.name()))
        })
        .collect();
    if found.is_empty() && scenario.counts.records == 0 {
        return readings.nothing("0 corrupt");
    }
    if found.is_empty()
        && let Some(answer) = not_audited("0 corrupt", readings.unaudited())
    {
        return answer;
    }
    let actual = if found.is_empty() { format!("{} corrupt", corrupt.count) } else { found.join(", ") };
    Answer::passes_if(found.is_empty(), "0 corrupt", actual)
}

/// Offsets handed out only grow.
pub(super) fn offsets_monotonic(index: usize, scenario: &ScenarioSeen, seen: &Observations) -> Answer {
    let expected = "0 nonmonotonic";
    let readings = Readings::of(index, seen);
    let Some(counts) = readings.count(Anomaly::Nonmonotonic) else {
        return unmeasured(expected);
    };
    if counts.count == 0 && scenario.counts.records + scenario.counts.foreign == 0 {
        return readings.nothing(expected);
    }
    Answer::passes_if(counts.count == 0, expected, format!("{} nonmonotonic", counts.count))
}

/// Each message read carries the UUID that was sent in it.
pub(super) fn uuid_match(scenario: &ScenarioSeen) -> Answer {
    let Some((compared, wrong)) = scenario.uuids.filter(|(compared, _)| *compared > 0) else {
        return if scenario.counts.received + scenario.counts.records == 0 {
            Answer::no_data("each UUID as sent")
        } else {
            Answer::new(Outcome::Inconclusive, "each UUID as sent", "no UUID")
                .because("the values that it read hold no `{{uuid}}`")
        };
    };
    Answer::passes_if(
        wrong == 0,
        format!("{compared} UUIDs as sent"),
        format!("{} of {compared}", compared - wrong),
    )
}
