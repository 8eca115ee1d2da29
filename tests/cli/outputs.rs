//! Tests the outputs of a run: reports, table, JSON, colors, progress.

use serde_json::Value as Json;

use crate::place::{Place, text};

#[test]
fn a_run_writes_three_reports_and_prints_a_table() {
    let place = Place::with_ten();
    let output = place.output(&["run", "ten.yaml", "--run-id", "one"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.names("reports/one"), ["junit.xml", "report.html", "summary.json"]);
    let shown = text(&output.stdout);
    assert!(shown.contains("PASSED  ten") && shown.contains("reports/one/report.html"), "{shown}");
    let progress = text(&output.stderr);
    assert!(progress.starts_with("ten: run one\n"), "{progress}");
    assert!(
        progress.contains("write: 10 of 10, ended") && progress.contains("read: 10, ended"),
        "{progress}"
    );
    for stream in [shown, progress] {
        assert!(!stream.contains('\u{1b}'), "no colour in a pipe: {stream}");
    }
}

#[test]
fn json_goes_to_stdout_alone_and_is_the_summary() {
    let place = Place::with_ten();
    let output = place.output(&["run", "ten.yaml", "--run-id", "one", "--format", "json", "--quiet"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.stdout, std::fs::read(place.path().join("reports/one/summary.json")).unwrap());
    assert_eq!(place.json("reports/one/summary.json")["status"], "pass");
}

#[test]
fn the_summary_keeps_to_the_schema_that_is_printed() {
    let place = Place::with_ten();
    let schema: Json = serde_json::from_slice(&place.output(&["schema", "summary"]).stdout).unwrap();
    assert_eq!(place.code(&["run", "ten.yaml", "--run-id", "one"]), 0);
    let summary = place.json("reports/one/summary.json");
    jsonschema::validate(&schema, &summary).unwrap();
    // Defaults that the run used.
    let seed = serde_json::json!({"field": "run.seed", "value": "0"});
    assert!(summary["defaults"].as_array().unwrap().contains(&seed), "{}", summary["defaults"]);
}

#[test]
fn reports_rendered_again_are_the_same_bytes() {
    let place = Place::with_ten();
    assert_eq!(place.code(&["run", "ten.yaml", "--run-id", "one"]), 0);
    let folder = place.path().join("reports/one");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let before = ["report.html", "junit.xml", "summary.json"].map(read);
    std::fs::remove_file(folder.join("report.html")).unwrap();
    std::fs::write(folder.join("junit.xml"), "torn").unwrap();
    let output = place.output(&["report", "reports/one"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("PASSED  ten"));
    assert!(["report.html", "junit.xml", "summary.json"].map(read) == before, "the same bytes");
    let json = place.output(&["report", "reports/one", "--format", "json"]);
    assert_eq!(json.stdout, before[2]);
}

#[test]
fn colour_follows_the_environment() {
    let place = Place::with_ten();
    let coloured = |name: &str, value: &str, more: &[(&str, &str)]| {
        let mut command = place.kaf6(&["run", "ten.yaml", "-q"]);
        command.env(name, value).envs(more.iter().copied());
        command.output().unwrap().stdout.contains(&0x1b)
    };
    assert!(coloured("CLICOLOR_FORCE", "1", &[]));
    assert!(!coloured("CLICOLOR_FORCE", "1", &[("NO_COLOR", "1")]));
    assert!(!coloured("TERM", "xterm-256color", &[]));
}

#[test]
fn a_reader_that_goes_away_changes_no_verdict() {
    let place = Place::with_ten();
    let mut child =
        place.plain(&["run", "ten.yaml", "-q"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn plan_and_validate_need_no_broker() {
    let place = Place::new();
    place.write("far.yaml", "brokers: [no-such-host.invalid:9092]\nscenarios: {reach: {type: connect}}\n");
    let validated = place.output(&["validate", "far.yaml"]);
    assert_eq!(text(&validated.stdout), "far.yaml: valid: 1 scenario, 0 topics, 0 checks\n");
    let planned = place.output(&["plan", "far.yaml"]);
    assert_eq!(planned.status.code(), Some(0));
    assert!(text(&planned.stdout).contains("no-such-host.invalid:9092"));
    assert_eq!(place.names("."), ["far.yaml"]);
}

#[test]
fn the_scenario_schema_is_the_one_committed() {
    let output = Place::new().output(&["schema", "scenario"]);
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/scenario.schema.json");
    assert_eq!(output.stdout, std::fs::read(committed).unwrap());
}

#[test]
fn an_output_that_no_step_could_take_is_empty_and_that_is_said() {
    let place = Place::new();
    for number in 1..=8 {
        let partitions = "topics: [{name: \"t-{{run_id}}\", partitions: 24}]";
        let file = format!(
            "brokers: embedded\n{partitions}\nscenarios: {{w: {{type: produce, messages: 300}}, r: {{type: consume}}}}\n"
        );
        place.write(&format!("f{number}.yaml"), &file);
    }
    let run = |files: &str| {
        let output = place.path().join("output");
        let _ = std::fs::remove_file(&output);
        let mut command = place.kaf6(&["run", files, "-q"]);
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_OUTPUT", &output);
        let said = text(&command.output().unwrap().stderr);
        let written = std::fs::read_to_string(output).unwrap();
        let json = written.split_once("json<<").unwrap().1.lines().nth(1).unwrap().to_owned();
        (json.len(), said.contains("::notice title=kaf6::the output `json` is empty"))
    };
    let (length, said) = run("f1.yaml");
    assert!((1..=120 << 10).contains(&length) && !said, "{length}");
    assert_eq!(run("f*.yaml"), (0, true));
}

#[test]
fn the_reason_names_the_brokers_code_and_what_to_write() {
    let place = Place::new();
    place.write(
        "big.yaml",
        "brokers: embedded\ntopics: [{name: t}]\nscenarios: {w: {type: produce, messages: 2, value: {size: 50MiB}}, r: {type: consume}}\n",
    );
    let output = place.output(&["run", "big.yaml", "-q", "--run-id", "big"]);
    assert_eq!(output.status.code(), Some(3));
    let summary = place.json("reports/big/summary.json");
    let reason = summary["reason"].as_str().unwrap();
    let read = |name: &str| std::fs::read_to_string(place.path().join("reports/big").join(name)).unwrap();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (place, shown) in [
        ("the reason", reason.to_owned()),
        ("the terminal", text(&output.stdout)),
        ("junit.xml", read("junit.xml")),
        ("report.html", read("report.html")),
    ] {
        let shown = words(&shown);
        assert!(shown.contains("MSG_SIZE_TOO_LARGE (10): "), "{place}: {shown}");
        assert!(
            shown.contains("raise `max.message.bytes` in the topic") || place == "report.html",
            "{place}: {shown}"
        );
    }
}

#[test]
fn paced_round_trips_start_one_interval_apart() {
    let place = Place::new();
    place.write(
        "ping.yaml",
        "brokers: embedded\ntopics: [{name: t}]\nscenarios:\n  \
         ping: {type: roundtrip, iterations: 4, warmup: 1, every: 200ms}\nchecks: [{type: roundtrip_ok}]\n",
    );
    assert_eq!(place.code(&["run", "ping.yaml", "--run-id", "one", "-q"]), 0);
    let ping = &place.json("reports/one/summary.json")["scenarios"]["ping"];
    assert_eq!((&ping["received"], &ping["errors"]), (&Json::from(4), &Json::from(0)));
    let at = |name: &str| ping[name].as_u64().unwrap();
    // Four pauses between five round trips.
    assert!(at("ended_ms") - at("started_ms") >= 800, "{ping}");
}

#[test]
fn the_bounds_of_logs_are_requested_until_the_last_other_scenario_has_ended() {
    let place = Place::new();
    place.write(
        "ends.yaml",
        "brokers: embedded\ntopics: [{name: t, partitions: 3}]\nscenarios:\n  \
         write: {type: produce, messages: 30}\n  ends: {type: offsets, every: 50ms}\n",
    );
    assert_eq!(place.code(&["run", "ends.yaml", "--run-id", "one", "-q"]), 0);
    let summary = place.json("reports/one/summary.json");
    let ends = &summary["scenarios"]["ends"];
    assert_eq!((&ends["ended"], &ends["errors"]), (&Json::from("done"), &Json::from(0)), "{ends}");
    assert!(!summary["notes"].to_string().contains("went back"), "{}", summary["notes"]);
}
