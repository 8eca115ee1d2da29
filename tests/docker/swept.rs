//! `clean`: what the dead left is removed, what they did to others is healed, and the living are left alone.

use std::process::{Command, Stdio};

use kaf6::docker::{CleanOptions, clean};

use crate::plans::{Run, UNTIL_TERM, cluster, docker, inspect, left_of, script, shell};

/// Who owned something: a process of this machine.
fn owner(pid: u32) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let namespace: String = std::fs::read_link("/proc/self/ns/pid")
        .unwrap()
        .display()
        .to_string()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let stat = read(&format!("/proc/{pid}/stat"));
    let started = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(19)).unwrap_or("1").to_owned();
    format!("process={}/{namespace}/{pid}/{started}", read("/proc/sys/kernel/random/boot_id").trim())
}

/// One container, network and volume under a run's labels.
fn leave(run: &Run, owner: &str, expires: u64) {
    let labels = [
        format!("io.kaf6.run={}", run.id),
        format!("io.kaf6.owner={owner}"),
        format!("io.kaf6.expires={expires}"),
    ];
    let labels: Vec<&str> = labels.iter().flat_map(|label| ["--label", label]).collect();
    let name = format!("kaf6-{}", run.id);
    docker(&[["network", "create"].as_slice(), &labels, &[&name]].concat());
    docker(&[["volume", "create"].as_slice(), &labels, &[&name]].concat());
    let volume = format!("{name}:/data");
    let container = ["--network", &name, "--volume", &volume, "kaf6-lab/shell:dev", UNTIL_TERM];
    docker(&[["run", "--detach"].as_slice(), &labels, &container].concat());
}

const NEVER: u64 = 99_999_999_999;

fn only(run: &Run) -> CleanOptions {
    CleanOptions { run: Some(run.id.clone()), ..CleanOptions::default() }
}

/// A process that has ended, with the number and start time that it had.
fn dead() -> String {
    let mut child = Command::new("sleep").arg("100").stdin(Stdio::null()).spawn().unwrap();
    let owner = owner(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    owner
}

#[tokio::test]
async fn what_a_dead_run_left_is_removed_and_what_a_living_one_has_is_kept() {
    let Some(_) = shell() else { return };
    let (gone, alive, elsewhere, over) = (Run::new(), Run::new(), Run::new(), Run::new());
    leave(&gone, &dead(), NEVER);
    leave(&alive, &owner(std::process::id()), 1);
    leave(&elsewhere, "process=another-machine/1/1/1", NEVER);
    leave(&over, "process=another-machine/1/1/1", 1);

    let dry = CleanOptions { dry_run: true, ..CleanOptions::default() };
    let would = clean(&dry).await.unwrap();
    for run in [&gone, &over] {
        assert!(would.done.contains(&format!("network kaf6-{}", run.id)), "{would:?}");
    }
    assert_eq!(left_of(&gone.id).len(), 3, "a dry run removes nothing");

    let cleaned = clean(&CleanOptions::default()).await.unwrap();
    assert!(left_of(&gone.id).is_empty() && left_of(&over.id).is_empty(), "{cleaned:?}");
    assert_eq!((left_of(&alive.id).len(), left_of(&elsewhere.id).len()), (3, 3));
    let kept = |run: &Run| cleaned.kept.iter().any(|why| why.starts_with(&format!("run {}: ", run.id)));
    assert!(kept(&alive) && kept(&elsewhere), "{cleaned:?}");
    assert!(cleaned.failed.is_empty(), "{cleaned:?}");

    let refused = clean(&only(&alive)).await.unwrap();
    assert_eq!(
        refused.kept,
        [format!("run {}: its kaf6 still runs; --force removes it all the same", alive.id)]
    );
    assert_eq!(left_of(&alive.id).len(), 3);
    clean(&only(&elsewhere)).await.unwrap();
    elsewhere.assert_gone();
    let forced = clean(&CleanOptions { force: true, ..only(&alive) }).await.unwrap();
    assert_eq!(forced.done.len(), 3, "{forced:?}");
    alive.assert_gone();
    assert_eq!(clean(&only(&alive)).await.unwrap(), kaf6::docker::Cleaned::default());
}

#[tokio::test]
async fn an_owner_that_was_a_container_is_dead_when_that_is_gone() {
    let Some(_) = shell() else { return };
    let id = docker(&["run", "--detach", "kaf6-lab/shell:dev", "exec sleep 100"]).trim().to_owned();
    let run = Run::new();
    leave(&run, &format!("container={id};process=another-machine/1/1/1"), NEVER);
    clean(&CleanOptions::default()).await.unwrap();
    assert_eq!(left_of(&run.id).len(), 3);
    docker(&["rm", "--force", "--volumes", &id]);
    clean(&CleanOptions::default()).await.unwrap();
    run.assert_gone();
}

#[tokio::test]
async fn what_a_dead_run_had_stopped_or_paused_is_healed() {
    let Some(_) = shell() else { return };
    for (heal, spoil) in [("start", "kill"), ("unpause", "pause")] {
        let id = docker(&["run", "--detach", "kaf6-lab/shell:dev", UNTIL_TERM]).trim().to_owned();
        docker(&[spoil, &id]);
        let run = Run::new();
        let labels = [
            format!("io.kaf6.run={}", run.id),
            format!("io.kaf6.owner={}", dead()),
            format!("io.kaf6.heal={heal}"),
            format!("io.kaf6.container={id}"),
        ];
        let labels: Vec<&str> = labels.iter().flat_map(|label| ["--label", label]).collect();
        docker(&[["volume", "create"].as_slice(), &labels].concat());
        let cleaned = clean(&CleanOptions::default()).await.unwrap();
        assert_eq!(inspect(&id, "{{.State.Status}}"), "running");
        assert!(cleaned.done.contains(&format!("container {} healed ({heal})", &id[..12])), "{cleaned:?}");
        docker(&["rm", "--force", "--volumes", &id]);
        run.assert_gone();
    }
}

#[tokio::test]
async fn a_run_of_this_process_is_never_swept() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let up = run.up(&cluster(vec![script("one", UNTIL_TERM)])).await.unwrap();
    let label = inspect(&run.container("one", 0), r#"{{index .Config.Labels "io.kaf6.owner"}}"#);
    assert_eq!(label, owner(std::process::id()));
    clean(&CleanOptions::default()).await.unwrap();
    assert_eq!(inspect(&run.container("one", 0), "{{.State.Running}}"), "true");
    up.down().await;
    run.assert_gone();
}
