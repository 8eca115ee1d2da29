//! The rate of a scenario before a fault, without the periods of other faults.

use std::time::Duration;

use crate::checks::answer::{Answer, UnknownBecause};
use crate::checks::case::{CheckedScenario, without};
use crate::checks::own_stalls::OwnStalls;
use crate::checks::text::{as_f64, time};
use crate::plan::CheckSettings;

/// Minimum time after a fault during which its effects count as part of it.
const RECOVERY: Duration = Duration::from_secs(10);
/// A rate before a fault needs at least this many buckets and this much time.
const LEAST_BUCKETS: u64 = 3;
const LEAST: Duration = Duration::from_secs(1);

/// The rate that a later rate is compared with.
pub(crate) struct Before {
    pub(crate) rate: f64,
    /// The periods in which these messages were acked or read.
    pub(crate) parts: Vec<(Duration, Duration)>,
}

impl Before {
    /// The rate without the time in which kaf6 itself made no progress.
    pub(crate) fn without_stalls(&self, own: OwnStalls<'_>) -> f64 {
        let length: f64 = self.parts.iter().map(|(from, to)| (*to - *from).as_secs_f64()).sum();
        let alone: f64 = self.parts.iter().map(|part| own.alone(*part).as_secs_f64()).sum();
        if alone > 0.0 { self.rate * length / alone } else { f64::INFINITY }
    }
}

impl CheckedScenario<'_> {
    /// The rate from the first ack or read to the fault's start, in whole buckets, without earlier faults and
    /// their recovery. If there is none, returns the answer of the check.
    pub(crate) fn rate_before(&self, fault: &str, start: Duration, expected: &str) -> Result<Before, Answer> {
        let counts = &self.scenario.counts;
        let Some(first) = counts.gaps.first() else { return Err(self.no_data(expected)) };
        let earlier: Vec<Earlier<'_>> = self.earlier_than(fault, (first, start)).collect();
        let parts = without((first, start), earlier.iter().map(|earlier| earlier.felt));
        let windows = parts.iter().map(|(from, to)| counts.timeline.window(*from, *to));
        let (length, count) = windows.fold((Duration::ZERO, 0), |(length, count), window| {
            (length + window.length, count + window.total.count)
        });
        let name = &self.scenario.name;
        // A short period between two faults does not represent the rate before them.
        let least = Duration::from_millis(counts.timeline.width_ms().saturating_mul(LEAST_BUCKETS));
        let unlike = count == 0 || length < least.max(LEAST);
        if !earlier.is_empty() && unlike {
            let names: Vec<String> = earlier.iter().map(Earlier::in_words).collect();
            let unknown = UnknownBecause::new(
                format!(
                    "`{name}` ran too briefly before `{fault}` for a comparison, not counting {}",
                    names.join(" and ")
                ),
                "space the faults further apart",
            );
            return Err(Answer::inconclusive(expected, "not measured", &unknown));
        }
        if unlike {
            let unknown = UnknownBecause::new(
                format!(
                    "scenario `{name}` ran only {} before `{fault}`, too short for a comparison",
                    time(start.saturating_sub(first))
                ),
                format!("start `{fault}` later"),
            );
            return Err(Answer::inconclusive(expected, "not measured", &unknown));
        }
        Ok(Before { rate: as_f64(count) / length.as_secs_f64(), parts })
    }

    /// The other faults whose effects overlap a period.
    fn earlier_than<'b>(
        &'b self,
        fault: &'b str,
        (from, to): (Duration, Duration),
    ) -> impl Iterator<Item = Earlier<'b>> {
        self.seen.faults.iter().filter(move |other| other.name != fault).filter_map(move |other| {
            let (start, end) = other.span?;
            let after = self.recovery_of(&other.name);
            let felt = (start, other.settled.map_or(end, |settled| settled.max(end)) + after);
            (felt.0 < to && felt.1 > from).then_some(Earlier { name: &other.name, felt, after })
        })
    }

    /// How long a fault's effects last after its end: at least as long as the file gives the rate to recover.
    fn recovery_of(&self, fault: &str) -> Duration {
        let allowed = self.plan.checks.iter().filter_map(|check| match &check.ask {
            CheckSettings::Recovers { after, within, .. } if after == fault => Some(*within),
            _ => None,
        });
        allowed.max().unwrap_or_default().max(RECOVERY)
    }
}

/// An earlier fault, with the period of its effects.
struct Earlier<'a> {
    name: &'a str,
    felt: (Duration, Duration),
    /// How long its effects last after its end.
    after: Duration,
}

impl Earlier<'_> {
    /// Such as `` `bounce` and the 10 s after it``.
    fn in_words(&self) -> String {
        format!("`{}` and the {} after it", self.name, time(self.after))
    }
}
