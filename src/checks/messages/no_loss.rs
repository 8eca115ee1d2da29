//! `no_loss`: did each reader read each acked message that it had to read?

use super::readings::{Readings, unmeasured};
use crate::anomaly::Anomaly;
use crate::checks::answer::{Answer, UnknownBecause};
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;
use crate::checks::text::counted;
use crate::observe::Retention;

/// No acked message is lost, skipped, unreadable or unread.
pub(crate) struct NoLoss;

const EXPECTED: &str = "0 lost";

impl Check for NoLoss {
    fn expected(&self) -> String {
        EXPECTED.to_owned()
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        let readings = case.readings();
        if readings.count(Anomaly::Lost).is_none() {
            return unmeasured(case, EXPECTED);
        }
        let domain = readings.domain(case).without(readings.no_audit()).without(removed(case, &readings));
        let (scope, acked) = readings.scope(case);
        let [one, many] =
            if acked { ["acked message", "acked messages"] } else { ["message read", "messages read"] };
        let of = format!("of {}", counted(scope, one, many));
        let [lost, skipped, unreadable] =
            [Anomaly::Lost, Anomaly::Skipped, Anomaly::Unreadable].map(|anomaly| readings.number(anomaly));
        let unread = readings.unread();
        if lost + skipped + unreadable > 0 {
            let own = case.seen.partitions.iter().filter(|it| readings.has(it.topic, it.partition));
            let markers = own.map(|it| it.lost_markers).sum::<u64>().min(lost);
            let lost = lost - markers;
            let not_come_to = unread.min(readings.lost_in_the_end(case).saturating_sub(lost));
            let (lost, unread) = (lost + not_come_to, unread - not_come_to);
            let others = [(skipped, "skipped"), (unreadable, "unreadable"), (unread, "unread")];
            let others = others.into_iter().filter(|(count, _)| *count > 0);
            let mut actual =
                others.fold(format!("{lost} lost"), |text, (n, word)| format!("{text}, {n} {word}"));
            if markers > 0 {
                actual = format!("{actual}, {} lost", counted(markers, "end marker", "end markers"));
            }
            return Answer::fail(EXPECTED, actual, of).covering(domain);
        }
        if readings.wanted() == 0 {
            return Answer::pass(EXPECTED, EXPECTED, domain);
        }
        let actual = if unread > 0 { format!("{unread} unread") } else { EXPECTED.to_owned() };
        Answer::pass(EXPECTED, actual, domain).because(of)
    }
}

/// Acked messages that retention or compaction removed, or may have removed, before this run read them.
fn removed(case: &CheckedScenario<'_>, readings: &Readings<'_>) -> Option<UnknownBecause> {
    let (mut expired, mut unclear, mut superseded) = (0, 0, 0);
    for account in readings.accounts(case) {
        expired += account.expired - account.unclear.min(account.expired);
        unclear += account.unclear;
        superseded += account.superseded;
    }
    let messages = |count| counted(count, "acked message was", "acked messages were");
    if expired > 0 {
        let messages = messages(expired);
        return Some(match readings.retention() {
            Retention::Embedded => UnknownBecause::new(
                format!(
                    "{messages} removed before this run read them: the embedded broker keeps only \
                    the newest 5 MiB per partition"
                ),
                "send fewer messages to each partition, or use a real broker",
            ),
            Retention::Settings | Retention::Unknown => UnknownBecause::new(
                format!("{messages} removed by retention before this run read them"),
                "increase `retention.ms` and `retention.bytes` in the topic's `config`",
            ),
        });
    }
    if unclear > 0 {
        let messages = messages(unclear);
        return Some(match readings.retention() {
            Retention::Unknown => UnknownBecause::new(
                format!(
                    "{messages} not found, and the topic's settings are unknown: they may allow \
                    the removal"
                ),
                "use a topic that the file creates, or set `verify: false` in the producer",
            ),
            Retention::Settings | Retention::Embedded => UnknownBecause::new(
                format!("{messages} not found, and retention or compaction may have removed them"),
                "increase `retention.ms` and `retention.bytes` in the topic's `config`, or set \
                `cleanup.policy: delete` if it is compacted",
            ),
        });
    }
    (superseded > 0).then(|| {
        UnknownBecause::new(
            format!("{} removed by compaction before this run read them", messages(superseded)),
            "set `cleanup.policy: delete` in the topic's `config`, or `verify: false` in its \
            producer",
        )
    })
}
