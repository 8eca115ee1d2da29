//! Tests invalid input: exit code 2, nothing on stdout, and an error with a hint on stderr.

use crate::place::{Place, text};

#[test]
fn what_is_wrong_is_said_once_and_on_stderr() {
    let place = Place::with_ten();
    place.write("empty/note.txt", "");
    place.write("file", "");
    place.write("wrong.yaml", "brokers: embedded\nscenarios: {a: {type: produce, mesages: 3}}\n");
    place.write("old/summary.json", "{}");
    let cases: [&[&str]; 24] = [
        &[],
        &["runn"],
        &["run"],
        &["run", "nofile.yaml"],
        &["run", "empty"],
        &["run", "x*.yaml"],
        &["run", "[x.yaml"],
        &["run", "wrong.yaml"],
        &["validate", "wrong.yaml", "nofile.yaml"],
        &["plan", "wrong.yaml"],
        &["run", "ten.yaml", "--env", "X"],
        &["run", "ten.yaml", "--env", "=X"],
        &["run", "ten.yaml", "--embeded"],
        &["run", "ten.yaml", "--format", "yaml"],
        &["run", "ten.yaml", "--fail-on", "always"],
        &["run", "ten.yaml", "--run-id", "../x"],
        &["run", "ten.yaml", "--report-dir", "file"],
        &["run", "ten.yaml", "--report-dir", "file/below"],
        &["run", "ten.yaml", "--brokers", "a:b"],
        &["report", "nofolder"],
        &["report", "ten.yaml"],
        &["report", "old"],
        &["schema", "broker"],
        &["completions", "tcsh"],
    ];
    let mut said = String::new();
    for words in cases {
        let output = place.output(words);
        said.push_str(&format!("$ kaf6 {}\n{}\n", words.join(" "), text(&output.stderr)));
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{words:?}");
    }
    insta::assert_snapshot!("refused", said);
    assert_eq!(
        place.names("."),
        ["empty", "file", "old", "ten.yaml", "wrong.yaml"],
        "nothing is left behind"
    );
}

#[test]
fn nothing_but_blanks_is_no_scenario_file() {
    let place = Place::with_ten();
    for words in [
        &["run", ""][..],
        &["run", "", "--embedded"],
        &["run", " ", "--format", "json"],
        &["run", "", "\n", " \n "],
        &["validate", ""],
        &["plan", ""],
    ] {
        let output = place.output(words);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{words:?}");
        assert!(text(&output.stderr).contains("no scenario file given"), "{words:?}");
    }
    let outputs = place.path().join("outputs");
    let mut command = place.kaf6(&["run"]);
    command.env("KAF6_FILES", "\n ").env("GITHUB_ACTIONS", "true").env("GITHUB_OUTPUT", &outputs);
    command.assert().code(2);
    assert_eq!(std::fs::read_to_string(outputs).unwrap(), "status=error\n");
    assert_eq!(place.names("."), ["outputs", "ten.yaml"], "nothing is left behind");
}

#[test]
fn a_run_id_is_taken_once() {
    let place = Place::with_ten();
    assert_eq!(place.code(&["run", "ten.yaml", "--run-id", "nightly"]), 0);
    let output = place.output(&["run", "ten.yaml", "--run-id", "nightly"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("run id `nightly` already has reports"));
}

/// A limit on the size of files stands in for a full disk.
#[cfg(unix)]
#[test]
fn a_disk_without_room_is_known_before_the_load() {
    let place = Place::with_ten();
    let kaf6 = place.plain(&[]).get_program().to_string_lossy().into_owned();
    let script = format!("trap '' XFSZ; ulimit -f 600; exec '{kaf6}' run ten.yaml --run-id one");
    let output =
        std::process::Command::new("sh").args(["-c", &script]).current_dir(place.path()).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{said}");
    assert!(said.contains("cannot write to the report folder `reports/one`: "), "{said}");
    assert!(!place.path().join("reports/one").exists(), "nothing is left behind");
}

#[test]
fn empty_variables_count_as_unset() {
    let place = Place::with_ten();
    let mut command = place.kaf6(&["run", "ten.yaml"]);
    for name in ["KAF6_BROKERS", "KAF6_PROFILE", "KAF6_REPORT_DIR", "KAF6_RUN_ID", "KAF6_FAIL_ON"] {
        command.env(name, "");
    }
    command.assert().code(0);
    assert_eq!(place.names("reports").len(), 1);
}

#[test]
fn variables_stand_in_for_options_and_options_win() {
    let place = Place::with_ten();
    let run = |words: &[&str]| {
        let mut command = place.kaf6(words);
        command.env("KAF6_REPORT_DIR", "elsewhere").env("KAF6_RUN_ID", "mine");
        command.assert().code(0);
    };
    run(&["run", "ten.yaml"]);
    run(&["run", "ten.yaml", "--run-id", "other"]);
    assert_eq!(place.names("elsewhere"), ["mine", "other"]);
}
