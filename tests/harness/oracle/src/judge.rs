//! The rules: what a summary must and must not contain, given the facts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::acks::Range;
use crate::facts::{Facts, Message};
use crate::file::File;
use crate::possible::possible;

const BROKEN: [&str; 6] = ["lost", "unreadable", "skipped", "corrupt", "misplaced", "rewritten"];

/// Everything that is wrong with a summary.
pub fn all(facts: &Facts, file: &File, summary: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let status = summary["status"].as_str().unwrap_or_default();
    let accounts = &summary["accounts"];
    if file.senders.is_empty() {
        if !accounts.is_null() {
            wrong.push("a file without producers has an account".to_owned());
        }
        return wrong;
    }
    if !accounts["total"].is_object() {
        wrong.push("there is no account".to_owned());
    } else {
        sums(accounts, &mut wrong);
        against_the_log(facts, file, accounts, &mut wrong);
        classes(facts, file, summary, &mut wrong);
    }
    if status == "pass" {
        must_not_pass(facts, file, &mut wrong);
    }
    if status == "fail" {
        must_not_fail(facts, file, &mut wrong);
    }
    anomalies(facts, file, summary, &mut wrong);
    wrong
}

fn verify(file: &File, message: &Message) -> bool {
    message.sender.is_none_or(|sender| file.senders[sender].verify && !file.senders[sender].without_acks)
}

fn named(message: &Message, file: &File) -> String {
    let sender = message.sender.map_or("?", |sender| &file.senders[sender].name);
    let what = if message.marker { "end marker" } else { "message" };
    format!(
        "{what} {} of stream {:x} of `{sender}` in {}/{} (acked at {:?}, sent {} times)",
        message.id.2, message.id.1, message.topic, message.partition, message.acks, message.tries
    )
}

/// Never green where a message that should be verified was not.
fn must_not_pass(facts: &Facts, file: &File, wrong: &mut Vec<String>) {
    for (index, sender) in file.senders.iter().enumerate() {
        if sender.without_acks {
            continue;
        }
        let own = || facts.messages.iter().filter(|message| message.sender == Some(index));
        let acked = own().filter(|message| !message.acks.is_empty()).count() as u64;
        if let Some(planned) = sender.planned.filter(|planned| acked < *planned) {
            wrong.push(format!("pass, and `{}` has {acked} acked of {planned} planned", sender.name));
        }
    }
    for message in &facts.messages {
        if message.acks.is_empty() || !verify(file, message) {
            continue;
        }
        if message.marker {
            // Several may have been written to a partition; one that is there is enough for its reader, and each that was acked
            // must be there. Unless an audit is asked for, nobody looks for one behind messages that nobody verifies.
            let mut senders = file.senders.iter().filter(|sender| sender.topic == message.topic);
            if !file.audit && senders.all(|sender| sender.without_acks || !sender.verify) {
                continue;
            }
            // Its key is that of each other one, so what it would be superseded by is there.
            let explained = !message.taken.explained.is_empty();
            if !message.in_place && !message.handed.any && !explained && facts.lies.contains("ack_unwritten")
            {
                wrong.push(format!("pass, and lost: {}", named(message, file)));
            }
        } else if !message.handed.own {
            let what = if message.handed.any { "only handed out altered" } else { "never handed out" };
            wrong.push(format!("pass, and {what}: {}", named(message, file)));
        }
    }
    if facts.duplicates > 0 && !facts.retried {
        wrong.push(format!("pass, and {} further copies in the log without a retry", facts.duplicates));
    }
    if facts.reordered > 0 && !facts.retried {
        wrong.push(format!("pass, and {} messages out of order without a retry", facts.reordered));
    }
    for (name, range) in new_anomalies(facts) {
        if range.least > 0 {
            wrong.push(format!("pass, and {} {name} at least", range.least));
        }
    }
    let repeated = |message: &&Message| {
        let idempotent = message.sender.is_some_and(|sender| file.senders[sender].idempotent);
        message.copies > 1 && verify(file, message) && (message.tries == 1 || idempotent)
    };
    let never_again = facts.messages.iter().filter(repeated);
    let sent_again: usize = facts.messages.iter().map(|message| message.tries.saturating_sub(1)).sum();
    let unexplained: usize = never_again.map(|message| message.copies - 1).sum();
    if unexplained > sent_again {
        wrong.push(format!("pass, and {unexplained} copies, while {sent_again} messages were sent again"));
    }
}

/// It was taken out of the log with right, and kaf6 can know.
fn rightly_taken(message: &Message) -> bool {
    let taken = &message.taken;
    (taken.legally.is_some() && taken.known) || taken.by_leader
}

/// Acked messages that should be verified, and were not handed out as they were sent, or taken out of the log for a reason
/// that kaf6 cannot know.
fn open<'a>(facts: &'a Facts, file: &'a File) -> impl Iterator<Item = &'a Message> {
    let acked = facts.messages.iter().filter(|message| verify(file, message) && !message.acks.is_empty());
    acked.filter(|message| !message.handed.own || (message.taken.legally.is_some() && !message.taken.known))
}

/// Never red where the broker told no lie.
fn must_not_fail(facts: &Facts, file: &File, wrong: &mut Vec<String>) {
    if facts.lies.is_empty() && file.checks == 0 && open(facts, file).all(rightly_taken) {
        wrong.push(
            "fail, and the broker told no lie, and handed out each acked message as it was sent, or removed it rightly"
                .to_owned(),
        );
    }
}

/// The sums of the account, in each of its rows, and over them.
fn sums(accounts: &Value, wrong: &mut Vec<String>) {
    let mut rows = vec![("the run".to_owned(), &accounts["total"], true)];
    for (name, scenario) in accounts["scenarios"].as_object().into_iter().flatten() {
        rows.push((format!("`{name}`"), scenario, true));
        for partition in scenario["partitions"].as_array().into_iter().flatten() {
            let place = format!("`{name}` {}/{}", partition["topic"], partition["partition"]);
            rows.push((place, partition, false));
        }
    }
    for (row, account, whole) in &rows {
        let n = |class: &str| account[class].as_u64().unwrap_or(0);
        let mut equal = |left: u64, right: u64, sum: &str| {
            if left != right {
                wrong.push(format!("the account of {row} does not add up: {sum}: {left} and {right}"));
            }
        };
        if *whole {
            equal(n("planned"), n("unsent") + n("sent"), "planned = unsent + sent");
        }
        equal(n("sent"), n("acked") + n("failed") + n("unknown"), "sent = acked + failed + unknown");
        equal(
            n("unknown"),
            n("found") + n("absent") + n("unchecked"),
            "unknown = found + absent + unchecked",
        );
        let ends = ["verified", "excluded", "expired", "superseded", "unread", "unassigned"];
        let acked = BROKEN.iter().chain(&ends).map(|class| n(class)).sum();
        equal(n("acked"), acked, "acked = the sum of its classes");
    }
    for class in ["planned", "sent", "acked", "failed", "unknown", "verified", "excluded", "lost", "unread"] {
        let total = accounts["total"][class].as_u64().unwrap_or(0);
        let scenarios = accounts["scenarios"].as_object().into_iter().flatten();
        let sum: u64 = scenarios.filter_map(|(_, scenario)| scenario[class].as_u64()).sum();
        if total != sum {
            wrong.push(format!("`{class}` of the run is {total}, and {sum} over its scenarios"));
        }
    }
}

/// What was planned, sent and acked is what the file and the log say.
fn against_the_log(facts: &Facts, file: &File, accounts: &Value, wrong: &mut Vec<String>) {
    for (index, sender) in file.senders.iter().enumerate() {
        let account = &accounts["scenarios"][&sender.name];
        let n = |class: &str| account[class].as_u64().unwrap_or(0);
        if let Some(planned) = sender.planned.filter(|planned| *planned != n("planned")) {
            wrong.push(format!(
                "`{}` plans {planned} messages, and its account {}",
                sender.name,
                n("planned")
            ));
        }
        let own = || facts.messages.iter().filter(|message| message.sender == Some(index));
        let came = own().count() as u64;
        if n("sent") < came {
            wrong.push(format!(
                "{came} messages of `{}` came to the broker, sent is {}",
                sender.name,
                n("sent")
            ));
        }
        let acked = own().filter(|message| !message.acks.is_empty()).count() as u64;
        let surely = own().filter(|message| !message.acks.is_empty() && !message.late).count() as u64;
        if !(surely..=acked).contains(&n("acked")) {
            wrong.push(format!(
                "{surely} to {acked} messages of `{}` were acked, its account says {}",
                sender.name,
                n("acked")
            ));
        }
    }
}

/// Each class holds at least those that can be in no other, and at most those that can be in it.
fn classes(facts: &Facts, file: &File, summary: &Value, wrong: &mut Vec<String>) {
    let total = &summary["accounts"]["total"];
    let scenarios = summary["scenarios"].as_object();
    let cut = scenarios.into_iter().flatten().any(|(_, scenario)| scenario["ended"] != "done")
        || summary["status"] == "error";
    let mut least: BTreeMap<&str, u64> = BTreeMap::new();
    let mut most: BTreeMap<&str, u64> = BTreeMap::new();
    let mut why: BTreeMap<&str, &Message> = BTreeMap::new();
    for message in &facts.messages {
        if message.acks.is_empty() || message.marker {
            continue;
        }
        let excluded = message.sender.is_some_and(|sender| !file.senders[sender].verify);
        let mut possible =
            if excluded { BTreeSet::from(["excluded"]) } else { possible(facts, file, message, cut) };
        // What lies behind the limit of its only reader is handed out, and nobody takes it.
        if file.no_audit && !excluded {
            possible.insert("unassigned");
        }
        for class in &possible {
            *most.entry(class).or_default() += 1;
        }
        if possible.len() == 1 && !message.late {
            for class in &possible {
                *least.entry(class).or_default() += 1;
                why.insert(class, message);
            }
        }
    }
    for class in BROKEN.iter().copied().chain(["verified", "excluded", "expired", "superseded"]) {
        let (least, most) = (least.get(class).copied().unwrap_or(0), most.get(class).copied().unwrap_or(0));
        let found = total[class].as_u64().unwrap_or(0);
        if !(least..=most).contains(&found) {
            let one = why.get(class).map(|message| format!(", such as {}", named(message, file)));
            wrong.push(format!(
                "{found} {class}, and it must be {least} to {most}{}",
                one.unwrap_or_default()
            ));
        }
        if least > 0 && BROKEN.contains(&class) && summary["status"] != "fail" {
            wrong.push(format!("{least} {class} at least, and the status is {}", summary["status"]));
        }
    }
    let markers = &summary["accounts"]["markers"];
    let (acked, lost) = (markers["acked"].as_u64().unwrap_or(0), markers["lost"].as_u64().unwrap_or(0));
    // kaf6 cannot know of a retention that nobody tells it.
    let mut markers = facts.messages.iter().filter(|message| message.marker);
    let explained = markers.any(|marker| !marker.taken.known && marker.taken.legally.is_some());
    if lost > acked || (lost > 0 && facts.lies.is_empty() && !explained) {
        wrong.push(format!("{lost} of {acked} end markers lost"));
    }
}

fn new_anomalies(facts: &Facts) -> [(&'static str, Range); 3] {
    [("collided", facts.collided), ("overtaken", facts.overtaken), ("resurrected", facts.resurrected)]
}

/// Anomalies beside the classes.
fn anomalies(facts: &Facts, file: &File, summary: &Value, wrong: &mut Vec<String>) {
    let count = |name: &str| summary["anomalies"][name]["count"].as_u64().unwrap_or(0);
    if facts.lies.is_empty() && file.checks == 0 {
        for (name, row) in summary["anomalies"].as_object().into_iter().flatten() {
            let mut healthy = ["foreign", "unread", "stale_end", "unreadable"].contains(&name.as_str());
            // Where kaf6 cannot know that it was taken with right.
            let mut unknown = open(facts, file).filter(|it| it.taken.legally.is_some() && !rightly_taken(it));
            healthy |= match name.as_str() {
                "lost" => unknown.next().is_some(),
                // Another copy of it was handed out: that of a retry.
                "misplaced" => unknown.any(|it| !it.elsewhere.is_empty()),
                _ => false,
            };
            let found = row["count"].as_u64().unwrap_or(0);
            if found > 0 && !healthy {
                wrong.push(format!("{found} {name}, and the broker told no lie"));
            }
        }
    }
    for (name, range) in new_anomalies(facts) {
        // A run that could not measure it says null.
        let found = summary["anomalies"][name]["count"].as_u64();
        if let Some(found) = found.filter(|found| !(range.least..=range.most).contains(found)) {
            wrong.push(format!("{found} {name}, and it must be {} to {}", range.least, range.most));
        }
    }
    // Where nothing was sent again and no log was cut, all of what lies there counts.
    let all_count = file.senders.iter().all(|sender| sender.verify && !sender.without_acks);
    let plain = !facts.retried
        && !facts.removed
        && all_count
        && facts.actions.iter().all(|action| ["twice", "swap", "delay"].contains(&action.as_str()))
        && summary["status"] == "fail";
    for (name, expected) in [("duplicate", facts.duplicates), ("reordered", facts.reordered)] {
        // A reader that starts in the middle may see a second copy first.
        let from_the_start = name == "duplicate" || !file.partial;
        // What nobody reads back may hold some of them.
        let least = if file.no_audit { 0 } else { expected };
        if plain && from_the_start && !(least..=expected).contains(&count(name)) {
            wrong.push(format!("{} {name}, and it must be {least} to {expected}", count(name)));
        }
    }
    if plain && facts.duplicates + facts.reordered == 0 {
        wrong.push("fail, and all is in the log once and in order".to_owned());
    }
}
