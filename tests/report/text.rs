//! Tests the result on the terminal.

use std::path::Path;

use kaf6::report::console::render;
use kaf6::report::terminal::Style;

use crate::faulted::faulted;
use crate::fixtures;

#[test]
fn pass() {
    insta::assert_snapshot!(render(&fixtures::pass(), Style::PLAIN, Some(Path::new("reports/x"))));
}

#[test]
fn fail() {
    insta::assert_snapshot!(render(&fixtures::fail(), Style::PLAIN, Some(Path::new("reports/x"))));
}

#[test]
fn inconclusive() {
    insta::assert_snapshot!(render(&fixtures::error(), Style::PLAIN, Some(Path::new("reports/x"))));
}

#[test]
fn open_account() {
    insta::assert_snapshot!(render(&fixtures::open(), Style::PLAIN, None));
}

#[test]
fn under_faults() {
    insta::assert_snapshot!(render(&faulted(), Style::PLAIN, None));
}

#[test]
fn narrow_in_ascii() {
    let style = Style { colour: false, width: 60, unicode: false };
    insta::assert_snapshot!(render(&fixtures::fail(), style, None));
}

#[test]
fn colours_are_the_only_difference() {
    let style = Style { colour: true, ..Style::PLAIN };
    let coloured = render(&fixtures::fail(), style, None);
    assert!(coloured.contains("\x1b[31m"));
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, render(&fixtures::fail(), Style::PLAIN, None));
}

#[test]
fn a_hostile_summary_cannot_steer_the_terminal() {
    let text = render(&fixtures::hostile(), Style::PLAIN, Some(Path::new("reports/\x1b[2J")));
    let odd: Vec<_> = text.chars().filter(|c| c.is_control() && *c != '\n').collect();
    assert!(odd.is_empty(), "{odd:?}");
}

#[test]
fn no_line_is_a_command_of_githubs_runner() {
    let mut run = fixtures::hostile();
    let command = ["::error::told"; 60].join(" ");
    run.reason = command.clone();
    run.run_id = command.clone();
    for row in &mut run.check_results {
        row.name = command.clone();
        row.message = command.clone();
        row.position.file = command.clone();
    }
    for note in &mut run.notes {
        note.text = command.clone();
    }
    for container in &mut run.containers {
        container.last_lines = vec![command.clone()];
    }
    let scenarios = std::mem::take(&mut run.scenarios);
    for (number, (_, mut scenario)) in scenarios.into_iter().enumerate() {
        scenario.message = Some(command.clone());
        scenario.ended = "failed".to_owned();
        run.scenarios.insert(format!("::error::{number}"), scenario);
    }
    for colour in [false, true] {
        for unicode in [false, true] {
            let text = render(&run, Style { colour, unicode, ..Style::PLAIN }, Some(Path::new("::error::x")));
            assert!(text.matches("::error::").count() > 100);
            for line in text.lines() {
                let plain = console::strip_ansi_codes(line);
                assert!(!plain.trim_start().starts_with("::"), "{line}");
            }
        }
    }
}
