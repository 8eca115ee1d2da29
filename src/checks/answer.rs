//! The answer to a check: pass, fail or inconclusive, the expected and actual value, and what the answer
//! covers.
//!
//! A passing answer requires a [`Domain`], which says what the check covers and that all of it was observed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::thousands;

kinds! {
    /// The outcome of one check.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    CheckOutcome {
        /// The check's condition is met.
        Pass = "pass",
        /// The check's condition is not met.
        Fail = "fail",
        /// kaf6 cannot tell, because something was not observed.
        Inconclusive = "inconclusive",
    }
}

impl CheckOutcome {
    /// The order in which reports show outcomes.
    pub const WORST_FIRST: [Self; 3] = [Self::Fail, Self::Inconclusive, Self::Pass];

    /// Index in [`Self::WORST_FIRST`].
    pub fn rank(self) -> usize {
        Self::WORST_FIRST.into_iter().take_while(|outcome| *outcome != self).count()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    outcome: CheckOutcome,
    expected: String,
    actual: String,
    message: String,
    covers: String,
}

/// Why something is unknown, and which change of the scenario file (or other action) would help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnknownBecause {
    why: String,
    advice: String,
}

/// What a check covers, and how much of it was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Domain {
    /// Such as `1000 acked messages in 2 partitions` or `t=0 s to t=12.3 s`.
    covers: String,
    total: u64,
    observed: u64,
    /// Why the rest was not observed. If set, the observation is incomplete, regardless of the numbers.
    missing: Option<UnknownBecause>,
    /// There was nothing to observe, which is certain.
    empty: bool,
}

impl UnknownBecause {
    pub(super) fn new(why: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { why: why.into(), advice: advice.into() }
    }

    /// Such as ``the reader timed out; increase its `timeout` ``.
    pub(super) fn sentence(&self) -> String {
        joined([self.why.as_str(), self.advice.as_str()])
    }
}

impl Domain {
    /// All of it was observed.
    pub(super) fn judged_all(total: u64, covers: impl Into<String>) -> Self {
        Self { covers: covers.into(), total, observed: total, missing: None, empty: false }
    }

    /// A part of it was observed. If that is less than all, add the reason with [`Domain::without`].
    pub(super) fn part(observed: u64, total: u64, covers: impl Into<String>) -> Self {
        Self { observed, ..Self::judged_all(total, covers) }
    }

    /// There was nothing to observe, and nothing was expected: `nothing was written to these partitions`.
    pub(super) fn empty(why: impl Into<String>) -> Self {
        Self { empty: true, ..Self::judged_all(0, why) }
    }

    /// Adds the reason why something was not observed, if there is one. The first reason is kept.
    pub(super) fn without(mut self, missing: Option<UnknownBecause>) -> Self {
        self.missing = self.missing.or(missing);
        self
    }

    /// Why the observation is incomplete. `None` if it is complete.
    fn open(&self) -> Option<UnknownBecause> {
        if let Some(missing) = &self.missing {
            return Some(missing.clone());
        }
        if self.observed < self.total {
            return Some(UnknownBecause::new(
                format!("only {} of {} were observed", thousands(self.observed), thousands(self.total)),
                "increase the scenario's `timeout`",
            ));
        }
        (self.total == 0 && !self.empty).then(|| {
            UnknownBecause::new(
                "there was nothing to observe",
                "make sure that the scenario sends or reads messages",
            )
        })
    }
}

impl Answer {
    /// Passes if all of the domain was observed. Otherwise the answer is inconclusive and says what is
    /// missing.
    pub(super) fn pass(expected: impl Into<String>, actual: impl Into<String>, domain: Domain) -> Self {
        match domain.open() {
            Some(unknown) => Self::inconclusive(expected, actual, &unknown),
            None if domain.empty => {
                Self::new(CheckOutcome::Pass, expected, actual).because(domain.covers.clone())
            }
            None => Self::new(CheckOutcome::Pass, expected, actual),
        }
        .covering(domain)
    }

    /// Fails. `actual` and `evidence` describe the problem.
    pub(super) fn fail(
        expected: impl Into<String>,
        actual: impl Into<String>,
        evidence: impl Into<String>,
    ) -> Self {
        Self::new(CheckOutcome::Fail, expected, actual).because(evidence)
    }

    /// The result is unknown for this reason.
    pub(super) fn inconclusive(
        expected: impl Into<String>,
        actual: impl Into<String>,
        unknown: &UnknownBecause,
    ) -> Self {
        Self::new(CheckOutcome::Inconclusive, expected, actual).because(unknown.sentence())
    }

    /// Passes if `ok` and all of the domain was observed. Fails if not `ok`.
    pub(super) fn pass_if(
        ok: bool,
        expected: impl Into<String>,
        actual: impl Into<String>,
        domain: Domain,
    ) -> Self {
        if ok {
            Self::pass(expected, actual, domain)
        } else {
            Self::fail(expected, actual, "").covering(domain)
        }
    }

    /// Makes a passing answer inconclusive, because it depends on something unknown. Other answers do not
    /// change.
    pub(super) fn unless(mut self, unknown: &UnknownBecause) -> Self {
        if self.outcome == CheckOutcome::Pass {
            self.outcome = CheckOutcome::Inconclusive;
            self.message = joined([self.message.as_str(), unknown.sentence().as_str()]);
        }
        self
    }

    /// Makes a failing answer inconclusive, because something other than the broker may explain the failure.
    /// Other answers do not change.
    pub(super) fn explained_by(mut self, unknown: &UnknownBecause) -> Self {
        if self.outcome == CheckOutcome::Fail {
            self.outcome = CheckOutcome::Inconclusive;
            self.message = joined([self.message.as_str(), unknown.sentence().as_str()]);
        }
        self
    }

    /// Adds an explanation before the existing message.
    pub(super) fn because(mut self, message: impl Into<String>) -> Self {
        let message = message.into();
        self.message = joined([message.as_str(), self.message.as_str()]);
        self
    }

    pub(super) fn covering(mut self, domain: Domain) -> Self {
        self.covers = domain.covers;
        self
    }

    fn new(outcome: CheckOutcome, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self {
            outcome,
            expected: expected.into(),
            actual: actual.into(),
            message: String::new(),
            covers: String::new(),
        }
    }

    pub const fn outcome(&self) -> CheckOutcome {
        self.outcome
    }

    pub fn expected(&self) -> &str {
        &self.expected
    }

    pub fn actual(&self) -> &str {
        &self.actual
    }

    /// The explanation, if the expected and actual value are not enough. An inconclusive answer ends with
    /// what to do.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The messages or the period that the answer covers. Empty if the check did not run that far.
    pub fn covers(&self) -> &str {
        &self.covers
    }
}

/// Joins the nonempty clauses with semicolons.
fn joined<const N: usize>(clauses: [&str; N]) -> String {
    clauses.into_iter().filter(|clause| !clause.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_not_observed_whole_does_not_pass() {
        let of = |domain| Answer::pass("0 lost", "0 lost", domain);
        let good = of(Domain::judged_all(3, "3 messages"));
        assert_eq!((good.outcome(), good.message(), good.covers()), (CheckOutcome::Pass, "", "3 messages"));
        let part = of(Domain::part(2, 3, "3 messages"));
        assert_eq!(part.outcome(), CheckOutcome::Inconclusive);
        assert_eq!(part.message(), "only 2 of 3 were observed; increase the scenario's `timeout`");
        let why = UnknownBecause::new("the reader timed out", "increase its `timeout`");
        let why = of(Domain::judged_all(3, "3 messages").without(Some(why)));
        assert_eq!(why.outcome(), CheckOutcome::Inconclusive);
        assert_eq!(why.message(), "the reader timed out; increase its `timeout`");
    }

    #[test]
    fn nothing_passes_only_where_that_is_known() {
        let none = Answer::pass("", "", Domain::judged_all(0, "0 messages"));
        assert_eq!(none.outcome(), CheckOutcome::Inconclusive);
        let empty = Answer::pass("", "", Domain::empty("nothing was written to these partitions"));
        assert_eq!(
            (empty.outcome(), empty.message()),
            (CheckOutcome::Pass, "nothing was written to these partitions")
        );
        let late = Domain::empty("nothing was written to these partitions")
            .without(Some(UnknownBecause::new("a", "b")));
        assert_eq!(Answer::pass("", "", late).outcome(), CheckOutcome::Inconclusive);
    }

    #[test]
    fn a_doubt_takes_a_pass_back_and_no_failure() {
        let doubt = UnknownBecause::new("fault `f` never started", "start it earlier");
        let pass =
            Answer::pass("", "", Domain::judged_all(1, "")).because("of 1 acked message").unless(&doubt);
        assert_eq!(pass.outcome(), CheckOutcome::Inconclusive);
        assert_eq!(pass.message(), "of 1 acked message; fault `f` never started; start it earlier");
        assert_eq!(Answer::fail("", "1 lost", "").unless(&doubt).outcome(), CheckOutcome::Fail);
    }

    proptest! {
        #[test]
        fn no_domain_passes_over_what_was_not_observed(
            total in 0_u64..5, observed in 0_u64..5, empty: bool, missing: bool, ok: bool,
        ) {
            let mut domain = Domain::part(observed, total, "it");
            domain.empty = empty;
            let domain = domain.without(missing.then(|| UnknownBecause::new("why", "what to do")));
            let outcome = Answer::pass_if(ok, "", "", domain).outcome();
            if !ok {
                prop_assert_eq!(outcome, CheckOutcome::Fail);
            } else if observed < total || missing || (total == 0 && !empty) {
                prop_assert_eq!(outcome, CheckOutcome::Inconclusive);
            } else {
                prop_assert_eq!(outcome, CheckOutcome::Pass);
            }
        }
    }
}
