//! Periods in which kaf6 itself made no progress, and failures that they may explain.
//!
//! On an overloaded or suspended machine, kaf6 sends, reads and waits late. A failure that this may explain is
//! not evidence against the broker, so it becomes inconclusive. It never becomes a pass.

use std::time::Duration;

use super::answer::UnknownBecause;
use super::case::CheckedScenario;
use super::text::{span, time};
use crate::plan::Work;

/// The periods in which kaf6 itself made no progress, in order.
#[derive(Debug, Clone, Copy)]
pub(super) struct OwnStalls<'a>(pub(super) &'a [(Duration, Duration)]);

impl<'a> OwnStalls<'a> {
    /// The parts of the stalls in a period.
    fn parts(self, (from, to): (Duration, Duration)) -> impl Iterator<Item = (Duration, Duration)> + 'a {
        let parts = self.0.iter().map(move |(start, end)| ((*start).max(from), (*end).min(to)));
        parts.filter(|(start, end)| start < end)
    }

    /// The total length of the stalls in a period.
    pub(super) fn within(self, span: (Duration, Duration)) -> Duration {
        self.parts(span).map(|(start, end)| end - start).sum()
    }

    /// The length of a period without the stalls in it.
    pub(super) fn alone(self, (from, to): (Duration, Duration)) -> Duration {
        to.saturating_sub(from).saturating_sub(self.within((from, to)))
    }

    /// The stalls that overlap a period, as a whole.
    pub(super) fn over(
        self,
        (from, to): (Duration, Duration),
    ) -> impl Iterator<Item = (Duration, Duration)> + 'a {
        self.0.iter().copied().filter(move |(start, end)| *start < to && *end > from)
    }

    /// States that kaf6 made no progress during a period. `None` if it did not.
    pub(super) fn during(self, period: (Duration, Duration)) -> Option<UnknownBecause> {
        let stalls: Vec<_> = self.over(period).collect();
        let why = no_progress(&stalls)?;
        Some(UnknownBecause::new(why, "use a machine that has less load and is not suspended"))
    }

    /// States that kaf6 observed nothing for longer than this in a period. `None` if it did.
    pub(super) fn longer_than(self, limit: Duration, period: (Duration, Duration)) -> Option<UnknownBecause> {
        let is_long = self.parts(period).any(|(start, end)| end - start > limit);
        self.during(period).filter(|_| is_long)
    }

    /// A period together with the earlier stalls whose delayed messages catch up in it.
    pub(super) fn reach(self, (from, to): (Duration, Duration)) -> (Duration, Duration) {
        let felt = self.0.iter().filter(|(start, end)| *start < to && *end + (*end - *start) > from);
        (felt.map(|(start, _)| *start).min().map_or(from, |start| start.min(from)), to)
    }

    /// At most how many round trips the stalls in a period made late: one per client, for each stall of at least
    /// half the time that a round trip has.
    pub(super) fn late_trips(self, work: &Work, period: (Duration, Duration)) -> u64 {
        let Work::Roundtrip(plan) = work else { return 0 };
        let long = self.over(period).filter(|(from, to)| *to - *from >= plan.iteration_timeout / 2);
        (long.count() as u64).saturating_mul(u64::from(plan.clients))
    }

    /// The stalls that overlap a period, each with the same time after it, in which delayed messages catch up.
    pub(super) fn with_aftermath(self, period: (Duration, Duration)) -> Vec<(Duration, Duration)> {
        self.over(period).map(|(from, to)| (from, to + (to - from))).collect()
    }
}

/// Such as `kaf6 itself made no progress for 7.99 s, from 3.002 s to 10.992 s`, for the longest of these stalls. `None`
/// if there is none.
pub fn no_progress(stalls: &[(Duration, Duration)]) -> Option<String> {
    let longest = |(from, to): &(Duration, Duration)| (*to - *from, std::cmp::Reverse(*from));
    let (from, to) = stalls.iter().copied().max_by_key(longest)?;
    let more = match stalls.len() - 1 {
        0 => String::new(),
        1 => ", and once more".to_owned(),
        more => format!(", and {more} more times"),
    };
    Some(format!("kaf6 itself made no progress for {}, from {}{more}", time(to - from), span((from, to))))
}

impl<'a> CheckedScenario<'a> {
    pub(super) fn own_stalls(&self) -> OwnStalls<'a> {
        OwnStalls(&self.seen.own_stalls)
    }

    /// States that round trips are missing only because kaf6 made no progress. `None` if more are missing than that
    /// explains.
    pub(super) fn missing_by_stalls(&self) -> Option<UnknownBecause> {
        let counts = &self.scenario.counts;
        let planned = self.scenario.planned.unwrap_or(counts.sent);
        let missing = planned.saturating_sub(counts.received.min(counts.acked));
        let (own, span) = (self.own_stalls(), self.whole_span());
        // `late_trips` is 0 for other scenarios: a stall does not excuse what they miss.
        let explained = missing > 0 && missing <= own.late_trips(self.work(), span);
        explained.then(|| own.during(span))?
    }
}
