//! Describes the account as text: where the planned messages are, what is broken or open, and what to change.
//!
//! The verdict and all reports use these sentences.

use crate::checks::CheckOutcome;
use crate::ledger::{Account, Accounts, Markers};
use crate::units::thousands;

/// Classes of acked messages for which kaf6 cannot tell whether they are lost.
pub const UNJUDGED: [&str; 4] = ["expired", "superseded", "unread", "unassigned"];
/// Classes of messages that were not acked.
pub const UNACKED: [&str; 3] = ["unsent", "failed", "unknown"];

/// What the account shows about a run, including end markers: a broker broke a promise (fail), every planned
/// message is verified, excluded or permitted (pass), or neither (inconclusive).
pub fn standing(total: &Account, markers: Markers) -> CheckOutcome {
    if total.broken() > 0 || markers.lost > 0 {
        CheckOutcome::Fail
    } else if total.closes() && markers.unread == 0 {
        CheckOutcome::Pass
    } else {
        CheckOutcome::Inconclusive
    }
}

/// The count of a class, by name.
pub fn count_of(account: &Account, class: &str) -> u64 {
    Account::CLASSES.iter().find(|(name, _)| *name == class).map_or(0, |(_, count)| count(account))
}

/// Where the planned messages are, as a sentence without a period.
pub fn sentence(total: &Account, markers: Markers) -> String {
    let mut text = match total.planned {
        0 => "No messages were planned".to_owned(),
        planned if total.closes() => {
            let all = if planned == 1 {
                "The 1 planned message is".to_owned()
            } else {
                format!("All {} planned messages are", thousands(planned))
            };
            format!("{all} accounted for: {}", list(&closed_parts(total)))
        }
        planned => {
            let closed = total.verified.saturating_add(total.excluded).saturating_add(total.permitted);
            let missing = planned.saturating_sub(closed);
            let (planned, noun) =
                (thousands(planned), if planned == 1 { "planned message" } else { "planned messages" });
            let verb = if missing == 1 { "is" } else { "are" };
            let parts = list(&open_parts(total));
            format!("{} of {planned} {noun} {verb} not accounted for: {parts}", thousands(missing))
        }
    };
    for open in open_markers(markers) {
        text.push_str("; ");
        text.push_str(&open);
    }
    text
}

/// The same as a short line: `1,000 planned, 988 verified, 10 unread, 2 failed (not all accounted for)`.
pub fn line(total: &Account, markers: Markers) -> String {
    let mut parts = vec![format!("{} planned", thousands(total.planned))];
    parts.extend(closed_parts(total));
    if !total.closes() {
        parts.extend(open_parts(total));
    }
    parts.extend(open_markers(markers));
    let end = match standing(total, markers) {
        CheckOutcome::Pass => "",
        CheckOutcome::Inconclusive => " (not all accounted for)",
        CheckOutcome::Fail => " (promise broken)",
    };
    format!("{}{end}", list(&parts))
}

/// The broken promises in the account: `the account has 3 lost messages`. `None` if there are none.
pub fn broken(accounts: &Accounts, but: &[&str]) -> Option<String> {
    let classes = Account::BROKEN.iter().filter(|(name, _)| !but.contains(name));
    let mut parts = counted(classes.map(|(name, count)| (*name, count(&accounts.total))), " messages");
    if accounts.markers.lost > 0 && !but.contains(&"lost") {
        let lost = accounts.markers.lost;
        parts.push(format!("{} lost end {}", thousands(lost), if lost == 1 { "marker" } else { "markers" }));
    }
    (!parts.is_empty()).then(|| format!("the run has {}", parts.join(" and ")))
}

/// What to change in the scenario file about messages that are not accounted for, by sending scenario. Empty
/// if the account is closed, or open only because of broken promises. `embedded` is true for the embedded
/// broker, whose topics cannot be configured.
pub fn advice<'a>(
    scenarios: impl IntoIterator<Item = (&'a str, &'a Account)>,
    embedded: bool,
) -> Vec<String> {
    let mut out: Vec<(&str, Vec<String>, u64)> = Vec::new();
    for (name, account) in scenarios {
        let open = UNJUDGED.into_iter().chain([DROPPED]);
        let open = open.chain(UNACKED.into_iter().filter(|_| account.unacked() > 0));
        for class in open {
            let count = match class {
                // A longer timeout does not bring dropped messages back.
                "unread" => account.unread.saturating_sub(account.dropped),
                DROPPED => account.dropped,
                class => count_of(account, class),
            };
            if count == 0 {
                continue;
            }
            // Checks count each scenario separately, so this does, too.
            let percent = count.saturating_mul(100).div_ceil(account.planned.max(1)).clamp(1, 100);
            let name = format!("`{name}`");
            match out.iter_mut().find(|(other, ..)| *other == class) {
                Some((_, names, most)) => {
                    names.push(name);
                    *most = percent.max(*most);
                }
                None => out.push((class, vec![name], percent)),
            }
        }
    }
    let advice = |(class, names, percent): (&str, Vec<String>, u64)| {
        advice_on(class, &names.join(" and "), percent, embedded)
    };
    out.into_iter().map(advice).collect()
}

/// Unread messages that are lost with their leader, or may be.
const DROPPED: &str = "dropped";

fn advice_on(class: &str, names: &str, percent: u64, embedded: bool) -> String {
    match class {
        "unsent" => format!("increase `timeout`, or send fewer messages, in {names}"),
        "failed" | "unknown" => format!("set `allow: {{{class}: {percent}%}}` in `all_acked`"),
        "expired" if embedded => format!(
            "send fewer messages to each partition in {names}, or set `brokers` to a real cluster: \
            the embedded broker keeps only 5 MiB per partition"
        ),
        DROPPED => format!("set `acks: all` or `verify: false` in {names}"),
        "expired" => format!(
            "increase `retention.ms` and `retention.bytes` in the topic's `config`, or set \
            `verify: false` in {names}"
        ),
        "superseded" => {
            format!(
                "set `cleanup.policy: delete` in the topic's `config`, or `verify: false` in \
            {names}"
            )
        }
        "unassigned" => format!("set `audit: true` in `run`, or `verify: false` in {names}"),
        _ => format!("increase the reader's `timeout`, or set `verify: false` in {names}"),
    }
}

fn closed_parts(total: &Account) -> Vec<String> {
    let mut parts = vec![format!("{} verified", thousands(total.verified))];
    parts.extend(counted([("excluded", total.excluded), ("permitted", total.permitted)], ""));
    parts
}

fn open_parts(total: &Account) -> Vec<String> {
    let mut parts = counted(Account::BROKEN.iter().map(|(name, count)| (*name, count(total))), "");
    parts.extend(counted(UNJUDGED.iter().map(|name| (*name, count_of(total, name))), ""));
    if total.unacked() > 0 {
        parts.extend(counted(UNACKED.iter().map(|name| (*name, count_of(total, name))), ""));
        if total.permitted > 0 {
            let last = parts.pop().unwrap_or_default();
            parts.push(format!("{last} ({} of them permitted)", thousands(total.permitted)));
        }
    }
    parts
}

/// Such as `3 lost`, for each count that is not 0.
fn counted<'a>(classes: impl IntoIterator<Item = (&'a str, u64)>, noun: &str) -> Vec<String> {
    let found = classes.into_iter().filter(|(_, count)| *count > 0);
    found
        .map(|(name, count)| {
            let noun = if count == 1 { noun.trim_end_matches('s') } else { noun };
            format!("{} {name}{noun}", thousands(count))
        })
        .collect()
}

/// End markers that are not accounted for, by class.
fn open_markers(markers: Markers) -> impl Iterator<Item = String> {
    let open =
        [(markers.lost, "lost"), (markers.unread, "unread")].into_iter().filter(|(count, _)| *count > 0);
    open.map(move |(count, class)| {
        let verb = if count == 1 { "is" } else { "are" };
        format!("{} of {} end markers {verb} {class}", thousands(count), thousands(markers.acked))
    })
}

fn list(parts: &[String]) -> String {
    parts.join(", ")
}
