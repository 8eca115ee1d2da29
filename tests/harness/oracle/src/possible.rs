//! The classes of the account that an acked message may have.

use std::collections::BTreeSet;

use crate::facts::{Facts, Message};
use crate::file::File;

pub(crate) fn possible(facts: &Facts, file: &File, message: &Message, cut: bool) -> BTreeSet<&'static str> {
    let mut out = BTreeSet::new();
    let (handed, taken) = (&message.handed, &message.taken);
    let own = handed.own;
    let without_place = message.acked_at() == Some(-1) || message.seems_without_place;
    let did = |action: &str| facts.actions.contains(action);
    let hides = HIDE.iter().any(|action| did(action));
    // The log was cut, and readers may stand where another message comes to lie.
    let was_cut = did("truncate") || facts.lies.contains("lose_tail");
    if own {
        out.insert("verified");
    }
    if handed.marred {
        out.insert("corrupt");
        // Where its batch is gone before it can be asked for, nobody knows how far that went.
        out.extend(["lost"].iter().filter(|_| !message.in_place));
    }
    if handed.strange {
        // Foreign records have contents that nobody sent, too.
        out.insert("corrupt");
        out.extend(["lost", "misplaced"].iter().filter(|_| !own));
    }
    if own && handed.others {
        // Who was handed another one there before has passed it.
        out.extend(["rewritten", "lost", "skipped"]);
    }
    if !own && handed.others {
        out.insert(if message.elsewhere.is_empty() { "lost" } else { "misplaced" });
        // What was handed out need not have been taken: not beyond the limit of the only reader, nor by one that stood before
        // a place that cannot be read.
        out.extend(["lost"].iter().filter(|_| file.no_audit));
        out.extend(["unreadable", "unread"].iter().filter(|_| hides));
    }
    if !handed.any {
        match message.elsewhere.is_empty() {
            true => out.extend(["lost"]),
            // Who had it elsewhere may not have passed its place, and who passed it may have come when it was gone.
            false if message.copies == 0 => out.extend(["misplaced", "lost"]),
            false => out.extend(["misplaced"]),
        }
        if message.in_place {
            // Where it is refused, with an end that is too low beside it, it seems not to be there.
            if !(did("end_at") && did("out_of_range")) {
                out.remove("lost");
            }
            out.extend(["unreadable", "unread", "skipped"]);
        }
    }
    match taken.legally {
        // What was handed out need not have been taken before it went.
        Some(_) => {
            out.extend(taken.explained.iter().copied());
            // An earlier copy may have gone before another.
            out.extend(["misplaced"].iter().filter(|_| !message.elsewhere.is_empty()));
            if taken.known {
                out.remove("lost");
            } else {
                // Without the settings it seems to be taken without right, whoever had read it.
                out.insert("lost");
            }
        }
        // Whoever took it, nobody can tell it from what the settings say. What was handed out need not have been taken; and of what
        // was, nobody can tell whether `retention.bytes` took it with a segment of unknown size.
        None if !own || !message.in_place => out.extend(taken.explained.iter().copied()),
        None => {}
    }
    // What nobody can tell counts as expired: of one without a place, or by settings that no broker tells.
    if !taken.explained.is_empty() && (without_place || !taken.known) {
        out.insert("expired");
    }
    // Nor can anybody tell it where what may lie behind it is not given: of what is not there, or is not given at its place.
    let missed = !message.in_place || did("from_partition") || did("skip_batch");
    let is_cut_short = hides || was_cut || did("from_partition") || did("last_stable");
    if taken.compacted && missed && is_cut_short {
        out.insert("expired");
    }
    let gone = taken.legally.is_some() || taken.by_leader;
    // What is missing behind a place that cannot be read was never looked for, and nobody can tell what is missing at the end of
    // a log from what is not given.
    if !handed.any && !gone && !message.passed {
        out.extend(["unreadable", "unread"]);
    }
    if !handed.any && hides {
        out.extend(["unreadable", "unread"]);
    }
    // With acks 1, a new leader may lack it.
    if !own && !message.acks_all && message.moved {
        out.insert("unread");
        if taken.by_leader {
            out.remove("lost");
        }
    }
    if own && !message.in_place && !gone {
        out.insert("lost");
        if !without_place {
            out.extend(["rewritten", "misplaced", "unreadable"]);
        }
    }
    // What one observer did not get, another may have.
    if own && did("skip_batch") {
        out.insert("skipped");
    }
    if own && hides {
        out.insert("unreadable");
    }
    if without_place && !own && (message.copies > 0 || hides) {
        out.extend(["unreadable", "unread"]);
    }
    if without_place && (!message.elsewhere.is_empty() || message.copies > 1) {
        out.extend(["lost", "misplaced", "verified"]);
    }
    // Nobody can tell where it was.
    if without_place && taken.legally.is_some() {
        out.extend(["expired", "superseded"]);
    }
    if message.strayed || did("from_partition") {
        out.extend(["lost", "misplaced", "unreadable", "unread"]);
    }
    if was_cut {
        // A reader that stood behind the new end read past what came to lie before it.
        out.insert("skipped");
    }
    if was_cut || !message.is_sure() {
        out.extend(["lost", "misplaced", "rewritten", "unreadable", "verified", "unread"]);
        out.extend(taken.explained.iter().copied());
    }
    if cut {
        out.extend(["unread", "verified"].iter().filter(|class| **class == "unread" || own));
    }
    out
}

/// Actions that may keep a record from being read although others get it.
const HIDE: [&str; 5] = ["end_at", "out_of_range", "empty", "null_records", "error"];
