//! `all_acked`: was each planned message sent and acked, except for those that `allow` permits?

use super::count_equals::codes;
use crate::checks::answer::{Answer, Domain, UnknownBecause};
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;
use crate::checks::targets;
use crate::checks::text::{as_f64, counted, percent};
use crate::kafka::remedy;
use crate::ledger::Account;
use crate::plan::{AllowedShares, Plan, Work};
use crate::units::thousands;

/// Every planned message was acked.
pub(crate) struct AllAcked<'a> {
    pub(crate) allow: &'a AllowedShares,
}

impl Check for AllAcked<'_> {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        targets::of(plan, Work::is_acked)
    }

    fn expected(&self) -> String {
        let AllowedShares { failed, unknown } = *self.allow;
        let parts = [(failed, "failed"), (unknown, "unknown")];
        let parts = parts.into_iter().filter(|(share, _)| *share > 0.0);
        let parts: Vec<String> = parts.map(|(share, word)| format!("{} {word}", percent(share))).collect();
        if parts.is_empty() {
            "all acked".to_owned()
        } else {
            format!("all acked, up to {}", parts.join(", "))
        }
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let name = &case.scenario.name;
        let accounts = case.seen.accounts.as_ref();
        let row = accounts.and_then(|it| it.scenarios.iter().find(|row| row.scenario == case.index));
        let Some(row) = row else {
            let unknown = UnknownBecause::new(
                format!("this run has no account for `{name}`"),
                "set `scenario` to a producer or a round trip",
            );
            return Answer::inconclusive(self.expected(), "no account", &unknown);
        };
        let account = &row.account;
        let planned = account.planned;
        let domain = Domain::judged_all(planned, counted(planned, "planned message", "planned messages"));
        let domain = domain.without(self.beyond(case, account));
        Answer::pass(self.expected(), found(account), domain)
    }
}

impl AllAcked<'_> {
    /// What was not acked beyond the permitted shares.
    fn beyond(&self, case: &CheckedScenario<'_>, account: &Account) -> Option<UnknownBecause> {
        let name = &case.scenario.name;
        let Account { planned, unsent, failed, unknown, .. } = *account;
        let mut why = Vec::new();
        let mut advice = Vec::new();
        if unsent > 0 {
            why.push(format!("{} of {} messages were not sent", thousands(unsent), thousands(planned)));
            match case.ended_early() {
                Some(early) => why.push(early.sentence()),
                None => advice.push(format!("increase `timeout` of `{name}`, or send fewer messages")),
            }
        }
        let mut shares = Vec::new();
        for (count, share, word) in
            [(failed, self.allow.failed, "failed"), (unknown, self.allow.unknown, "unknown")]
        {
            if count > allowed(planned, share) {
                why.push(format!("{} of {} {word}", thousands(count), thousands(planned)));
                shares.push(format!("{word}: {}%", whole_percent(count, planned)));
            }
        }
        if !shares.is_empty() {
            if !case.scenario.counts.errors_by_code.is_empty() {
                why.push(codes(case.scenario));
                why.extend(case.scenario.counts.errors_by_code.keys().filter_map(|code| remedy(code)));
            }
            advice.push(format!("if this is expected, set `allow: {{{}}}`", shares.join(", ")));
            if unknown > 0 {
                advice.push(format!("increase `timeout` of `{name}`"));
            }
        }
        (!why.is_empty()).then(|| UnknownBecause::new(why.join("; "), advice.join("; or ")))
    }
}

/// Such as `990 of 1000 acked, 10 failed`.
fn found(account: &Account) -> String {
    let parts = [(account.unsent, "unsent"), (account.failed, "failed"), (account.unknown, "unknown")];
    let parts = parts.into_iter().filter(|(count, _)| *count > 0);
    let acked = format!("{} of {} acked", account.acked, account.planned);
    parts.fold(acked, |text, (count, word)| format!("{text}, {count} {word}"))
}

/// Converts a share of the planned messages to a number of messages.
pub(crate) fn allowed(planned: u64, share: f64) -> u64 {
    // Shares such as 1 % are not exact in binary: 100 * 0.29 is 28.999...
    let messages = (as_f64(planned) * share + 1e-6).floor();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count is a smaller count"
    )]
    let messages = messages as u64;
    messages.min(planned)
}

/// The smallest whole percentage that permits a count.
const fn whole_percent(count: u64, planned: u64) -> u64 {
    if planned == 0 { 100 } else { count.saturating_mul(100).div_ceil(planned) }
}
