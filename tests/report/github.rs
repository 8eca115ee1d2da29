//! Tests the account on GitHub: a line in the step summary, and annotations at the producing scenarios.

use std::path::Path;

use kaf6::report::findings::PAGE;
use kaf6::report::github::{annotations, markdown};

use crate::fixtures;

#[test]
fn the_step_summary_says_where_the_messages_went() {
    let text = markdown(&[fixtures::open()], Path::new("reports"));
    let line =
        "messages: 1,000 planned, 788 verified, 200 excluded, 10 unread, 2 failed (not all accounted for)";
    assert!(text.contains(line), "{text}");
    assert!(
        text.contains(&format!("Causes and next steps: [unread]({PAGE}#unread), [failed]({PAGE}#failed)\n")),
        "{text}"
    );
    assert!(text.contains(r"increase the reader's \`timeout\`"), "what to write is not cut off: {text}");
    assert!(text.contains("| verify:orders | read back by kaf6 |"), "{text}");
}

#[test]
fn the_step_summary_links_each_anomaly() {
    let text = markdown(&[fixtures::fail()], Path::new("reports"));
    assert!(text.contains(&format!("| [lost]({PAGE}#lost) | 3 |")), "{text}");
    let text = markdown(&[fixtures::pass()], Path::new("reports"));
    assert!(!text.contains(PAGE), "{text}");
}

#[test]
fn a_broken_promise_is_an_error_at_the_scenario_that_sent() {
    let text = annotations(&[fixtures::fail()], None);
    let line = "::error file=examples/durability.yaml,line=7,col=3,title=messages of write%3A promise broken::\
                3 lost: Acked, but missing from the log, also when re-read by a fresh client.\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn an_open_account_is_a_warning_with_what_to_write() {
    let text = annotations(&[fixtures::open()], None);
    let line = "::warning file=examples/backlog.yaml,line=5,col=3,title=messages of write are not accounted for::\
                12 of 800 planned messages are not accounted for: 10 unread, 2 failed (increase the reader's `timeout`, or set `verify: false` in `write`; set `allow: {failed: 1%25}` in `all_acked`)\n";
    assert!(text.contains(line), "{text}");
    assert!(!text.contains("messages of log"), "its messages are excluded: {text}");
}
