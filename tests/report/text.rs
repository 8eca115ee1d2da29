//! The result on a terminal.

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
