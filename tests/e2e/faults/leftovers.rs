//! Tests that a run leaves nothing behind, however it ends, and that leftovers of a killed run are removed.

use std::process::Command;
use std::time::{Duration, Instant};

use super::cluster::{docker, fault, of_run, on_memory, start};
use crate::lab::{Part, S3_IMAGE, require, wait_for};

/// A run that goes on for as long as it is let.
fn endless(cluster: &str) -> String {
    format!(
        "topics: [{{name: \"t-{{{{run_id}}}}\"}}]
scenarios:
  write: {{type: produce, duration: 5m, rate: 100/s, value: {{size: 50B}}}}
  read: {{type: consume, timeout: 10m}}
faults:
  hold: {{type: pause, target: broker, when: \"write.acked >= 50\", for: 4m}}
{cluster}"
    )
}

fn clean(arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_kaf6")).arg("clean").args(arguments).output().expect("kaf6 starts");
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn a_signal_in_the_middle_of_a_fault_leaves_nothing() {
    let Some(cluster) = on_memory() else { return };
    for (signal, code) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
        let (kaf6, id) = start(&endless(&cluster));
        let running = kaf6.start();
        running.wait_for("fault `hold` started");
        running.signal(signal);
        let ran = running.interrupted(code);
        assert_eq!(of_run(&id), Vec::<String>::new(), "{ran}");
        // The fault started, and the run ended it early.
        assert!(ran.summary["faults"][0]["started_ms"].is_u64(), "{ran}");
    }
}

#[test]
fn what_a_killed_run_left_is_swept_and_what_lives_is_not() {
    let Some(cluster) = on_memory() else { return };
    let (kaf6, living) = start(&endless(&cluster));
    let living_run = kaf6.start();
    let (kaf6, killed) = start(&endless(&cluster));
    let killed_run = kaf6.start();
    living_run.wait_for("fault `hold` started");
    killed_run.wait_for("fault `hold` started");
    drop(killed_run); // by SIGKILL
    assert_ne!(of_run(&killed), Vec::<String>::new(), "a killed run cannot clean up");
    let before = of_run(&living);
    assert_ne!(before, Vec::<String>::new());
    clean(&[]);
    assert_eq!(of_run(&killed), Vec::<String>::new());
    assert_eq!(of_run(&living), before, "what lives is left alone");
    living_run.signal("INT");
    living_run.interrupted(130);
    assert_eq!(of_run(&living), Vec::<String>::new());
}

#[test]
fn the_next_run_sweeps_too() {
    let Some(cluster) = on_memory() else { return };
    let (kaf6, killed) = start(&endless(&cluster));
    let run = kaf6.start();
    run.wait_for("fault `hold` started");
    drop(run);
    let (kaf6, next) = start(&endless(&cluster));
    let run = kaf6.start();
    run.wait_for("fault `hold` started");
    wait_for("the next run sweeps", Duration::from_secs(120), || of_run(&killed).is_empty());
    run.signal("TERM");
    run.interrupted(143);
    assert_eq!(of_run(&next), Vec::<String>::new());
}

#[test]
fn a_container_that_ends_by_itself_ends_the_run_soon_is_told_and_removed() {
    let Some(cluster) = on_memory() else { return };
    // Its producer would run for five minutes, and its reader for ten.
    let (kaf6, id) = start(&endless(&cluster).replace(
        "faults:\n  hold: {type: pause, target: broker, when: \"write.acked >= 50\", for: 4m}\n",
        "",
    ));
    let running = kaf6.start();
    running.wait_for("write:");
    docker(&["kill", &format!("kaf6-{id}-broker-0")]);
    let killed = Instant::now();
    let ran = running.end();
    assert!(killed.elapsed() < Duration::from_secs(120), "{:?}: {ran}", killed.elapsed());
    assert!(ran.notes().contains("137"), "{ran}");
    assert_eq!(ran.status(), "error", "a broker that crashes makes no run green, and proves no loss: {ran}");
    assert!(
        ran.summary["reason"].to_string().contains("the container of broker exited by itself: exit code 137"),
        "{ran}"
    );
    assert_eq!(ran.summary["scenarios"]["read"]["ended"], "aborted", "{ran}");
    assert_eq!(of_run(&id), Vec::<String>::new());
    let log = std::fs::read_to_string(ran.folder.join("logs/broker.log"));
    assert!(log.is_ok(), "its log is kept: {log:?}");
}

/// A service that says what it was given, and then works on.
const TELLER: &str = "import os, time; print('key', os.environ['STORE_KEY'], flush=True); time.sleep(1000)";

#[test]
fn what_the_environment_gave_as_a_secret_stands_nowhere() {
    let Some(cluster) = on_memory() else { return };
    let Some(()) = require(Part::Images) else { return };
    let text = format!(
        "topics: [{{name: \"t-{{{{run_id}}}}\"}}]
scenarios:
  write: {{type: produce, messages: 10, rate: 5/s}}
faults:
  tell: {{type: exec, target: teller, at: 1s, command: [sh, -c, 'echo \"$STORE_KEY\"; exit 3']}}
{cluster}
    teller: {{image: {S3_IMAGE}, pull: never, entrypoint: [python3, -c, {TELLER:?}], env: {{STORE_KEY: \"${{FROM_CI}}\"}}}}
"
    );
    let (kaf6, id) = start(&text);
    let ran = kaf6.env("FROM_CI", "hunter2-of-the-store").env("GITHUB_ACTIONS", "true").run().expect("error");
    assert_eq!(of_run(&id), Vec::<String>::new());
    let mask = "::add-mask::hunter2-of-the-store\n";
    let (before, after) = ran.stderr.split_once(mask).unwrap_or_else(|| panic!("it is masked: {ran}"));
    assert_eq!(before, "", "before anything could print it");
    let log = std::fs::read_to_string(ran.folder.join("logs/teller.log")).expect("it is kept");
    assert_eq!(log, "key ***\n");
    assert_eq!(fault(&ran, "tell")["proof"], "exit 3 (***)");
    for text in [after, &ran.stdout, &ran.summary.to_string(), &ran.html, &ran.junit] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}
