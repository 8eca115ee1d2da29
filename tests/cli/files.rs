//! Tests disks that are full, read-only or limited: kaf6 fails before the load or reports it immediately, and leaves no
//! partial files.
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use crate::place::{Place, TEN, text};

/// Two seconds of load.
fn slow() -> String {
    TEN.replace("messages: 10", "messages: 40, rate: 20/s").replace("expected: 10", "expected: 40")
}

fn kaf6(place: &Place) -> String {
    place.plain(&[]).get_program().to_string_lossy().into_owned()
}

/// Runs a script in a mount namespace of its own, where `mount` is allowed; none where the system has none.
fn with_mounts(place: &Place, script: &str) -> Option<Output> {
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        command.current_dir(place.path()).env("KAF6", kaf6(place)).env_remove("GITHUB_ACTIONS").output()
    };
    let works = unshare("mount -t tmpfs tmpfs .").is_ok_and(|output| output.status.success());
    works.then(|| unshare(script).unwrap())
}

/// Starts a run, and calls `then` with its process id once messages flow.
fn in_the_middle(place: &Place, words: &[&str], then: impl FnOnce(&str)) -> Output {
    place.write("slow.yaml", &slow());
    let mut command = place.plain(words);
    command.env("GITHUB_OUTPUT", place.path().join("output")).env("GITHUB_ACTIONS", "true");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.by_ref().any(|line| line.starts_with("write: ")), "the load never started");
    then(&child.id().to_string());
    let said: Vec<String> = lines.collect();
    let output = child.wait_with_output().unwrap();
    Output { stderr: said.join("\n").into_bytes(), ..output }
}

fn limit(id: &str, bytes: usize) {
    let limited = Command::new("prlimit").args(["--pid", id, &format!("--fsize={bytes}")]).status().unwrap();
    assert!(limited.success());
}

#[test]
fn a_disk_that_fills_up_during_a_run_leaves_room_for_its_reports() {
    let place = Place::new();
    place.write("slow.yaml", &slow());
    std::fs::create_dir(place.path().join("reports")).unwrap();
    let script = "mount -t tmpfs -o size=3m tmpfs reports
        \"$KAF6\" run slow.yaml --run-id one >/dev/null 2>said & kaf6=$!
        until grep -q '^write: ' said; do sleep 0.05; done
        dd if=/dev/zero of=reports/fill bs=64k 2>/dev/null
        wait $kaf6; echo $?; ls -A reports/one; tail -c 20 reports/one/summary.json; df --output=avail reports";
    let Some(output) = with_mounts(&place, script) else { return };
    let shown = text(&output.stdout);
    assert!(
        shown.starts_with("0\njunit.xml\nreport.html\nsummary.json\n"),
        "{shown}{}",
        text(&output.stderr)
    );
    assert!(shown.contains("\n}\n"), "{shown}");
}

#[test]
fn reports_that_cannot_be_written_are_said_and_not_left_half() {
    let place = Place::new();
    let words = ["run", "slow.yaml", "--run-id", "one", "--save-ledger"];
    let output = in_the_middle(&place, &words, |id| limit(id, 100));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    for name in ["summary.json", "report.html", "junit.xml", "ledger.json"] {
        assert!(said.contains(&format!("error: cannot write reports/one/{name}: ")), "{said}");
    }
    assert!(place.names("reports/one").is_empty(), "{:?}", place.names("reports/one"));
    assert!(text(&output.stdout).contains("PASSED"), "the terminal has the verdict");
}

#[test]
fn an_output_of_the_action_is_whole_or_not_there() {
    const LIMIT: usize = 2 << 20;
    let place = Place::new();
    let before = format!("before={}\n", "x".repeat(LIMIT - 300));
    place.write("output", &before);
    let output = in_the_middle(&place, &["run", "slow.yaml"], |id| limit(id, LIMIT));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("error: cannot write ") && said.contains(" for GitHub: "), "{said}");
    assert_eq!(std::fs::read_to_string(place.path().join("output")).unwrap(), before);
}

#[test]
fn a_result_that_cannot_be_printed_is_said() {
    let place = Place::with_ten();
    for words in [&["run", "ten.yaml", "-q"][..], &["run", "ten.yaml", "-q", "--format", "json"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = place.plain(words).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains("error: cannot write to stdout: "), "{said}");
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_known_before_the_load() {
    let place = Place::with_ten();
    std::fs::create_dir(place.path().join("reports")).unwrap();
    for (options, why) in [("ro", "Read-only file system"), ("size=400k", "No space left on device")] {
        let script = format!(
            "mount -t tmpfs -o {options} tmpfs reports; \"$KAF6\" run ten.yaml --run-id one; echo $?; ls -A reports"
        );
        let Some(output) = with_mounts(&place, &script) else { return };
        let said = text(&output.stderr);
        assert_eq!(text(&output.stdout), "2\n", "{said}");
        assert!(said.contains("the report folder `reports/one`: ") && said.contains(why), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
