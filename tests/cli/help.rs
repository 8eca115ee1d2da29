//! Tests the help texts (as snapshots), shell completions and the version.

use crate::place::{Place, text};

#[test]
fn each_command_has_its_help() {
    let place = Place::new();
    for command in
        ["", "run", "validate", "plan", "report", "schema", "preset", "clean", "init", "completions"]
    {
        let words: Vec<&str> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let output = place.output(&words);
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{command}");
        let name = if command.is_empty() { "kaf6" } else { command };
        // Editors would remove lines that consist of spaces.
        let shown: Vec<String> =
            text(&output.stdout).lines().map(|line| line.trim_end().to_owned()).collect();
        insta::assert_snapshot!(format!("help_{name}"), shown.join("\n"));
    }
}

#[test]
fn every_shell_has_completions_that_know_the_options() {
    let place = Place::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = place.output(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(text(&output.stdout).contains("report-dir"), "{shell}");
    }
}

#[test]
fn the_version_is_the_packages() {
    let output = Place::new().output(&["--version"]);
    assert_eq!(text(&output.stdout), format!("kaf6 {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_preset_is_printed_as_it_is_and_its_names_are_listed() {
    let place = Place::new();
    assert_eq!(text(&place.output(&["preset"]).stdout), "kafscale\ntansu\n");
    let kafscale = place.output(&["preset", "kafscale"]);
    assert_eq!(text(&kafscale.stdout), include_str!("../../templates/presets/kafscale.yaml"));
    let none = place.output(&["preset", "kafscal"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("'kafscale'"), "{}", text(&none.stderr));
}
