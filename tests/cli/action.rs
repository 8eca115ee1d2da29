//! Tests that each input of action.yml is an option of `run`, passed in the environment variable of that option.

use std::collections::BTreeSet;
use std::path::Path;

use crate::place::Place;

/// Inputs that are words of the command line, and no option of it.
const WORDS: [&str; 2] = ["files", "extra-args"];

fn action() -> serde_yaml::Value {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml")).unwrap();
    serde_yaml::from_str(&text).unwrap()
}

fn names(of: &serde_yaml::Value) -> BTreeSet<String> {
    of.as_mapping().unwrap().iter().map(|(name, _)| name.as_str().unwrap().to_owned()).collect()
}

/// What `run --help` says.
fn help() -> String {
    String::from_utf8(Place::new().output(&["run", "--help"]).stdout).unwrap()
}

/// What it says of one option: up to the next one.
fn help_on(option: &str) -> String {
    let help = help();
    let is = |line: &str, start: &str| line.trim_start().starts_with(start);
    let mut lines = help.lines().skip_while(|line| !is(line, &format!("--{option}")));
    let first = lines.next().unwrap_or_else(|| panic!("run has no --{option}"));
    let rest = lines.take_while(|line| !is(line, "--") && !is(line, "-q,") && !is(line, "-h,"));
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_input_is_an_option_with_its_variable() {
    let action = action();
    let variables = &action["runs"]["env"];
    let inputs = names(&action["inputs"]);
    for input in &inputs {
        let variable = format!("KAF6_{}", input.replace('-', "_").to_uppercase());
        assert_eq!(variables[&variable].as_str(), Some(format!("${{{{ inputs.{input} }}}}").as_str()));
        if WORDS.contains(&input.as_str()) {
            continue;
        }
        let own = help_on(input);
        assert!(own.contains(&format!("[env: {variable}]")), "--{input} does not read {variable}:\n{own}");
    }
    assert_eq!(names(variables).len(), inputs.len(), "a variable without an input");
}

#[test]
fn each_variable_of_run_is_an_input() {
    let variables = names(&action()["runs"]["env"]);
    let help = help();
    for (at, _) in help.match_indices("[env: ") {
        let name = help[at + 6..].split([']', '=']).next().unwrap();
        assert!(variables.contains(name), "action.yml does not set {name}");
    }
}

#[test]
fn defaults_are_those_of_the_options() {
    let action = action();
    for input in ["report-dir", "fail-on", "log-level", "annotations", "summary"] {
        let default = action["inputs"][input]["default"].as_str().unwrap();
        let own = help_on(input);
        assert!(own.contains(&format!("[default: {default}]")), "--{input} and its input differ: {own}");
    }
}

#[test]
fn outputs_are_those_that_are_written() {
    let written = kaf6::report::github::outputs(&[], Path::new("reports"));
    let written: BTreeSet<String> = written.into_iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names(&action()["outputs"]), written);
}

/// What a run of this file leaves for the post step, without a Docker Engine.
fn state_after(place: &Place, file: &str) -> (Option<i32>, String) {
    let state = place.path().join(format!("{file}.state"));
    let output = place
        .kaf6(&["run", file, "--run-id", "one"])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STATE", &state)
        .env("DOCKER_HOST", "tcp://127.0.0.1:1")
        .output()
        .unwrap();
    (output.status.code(), std::fs::read_to_string(state).unwrap_or_default())
}

#[test]
fn the_post_step_learns_of_runs_with_containers() {
    let place = Place::with_ten();
    assert_eq!(state_after(&place, "ten.yaml"), (Some(0), String::new()), "there is nothing to clean");
    place.write("cluster.yaml", &with_cluster());
    std::fs::remove_dir_all(place.path().join("reports")).unwrap();
    assert_eq!(state_after(&place, "cluster.yaml"), (Some(3), "kaf6_runs=one\n".to_owned()));
}

fn with_cluster() -> String {
    crate::place::TEN.replace(
        "brokers: embedded",
        "cluster: {services: {broker: {image: nobody/nothing, pull: never, ports: {kafka: 9092}}}}",
    )
}
