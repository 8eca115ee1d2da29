//! Tests `clean`: it removes leftovers of killed runs, restores the containers that they changed, and does not touch active runs.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kaf6::docker::{CleanOptions, clean};

use crate::lab::wait_for;
use crate::plans::{Run, SOON, UNTIL_TERM, cluster, docker, inspect, left_of, script, shell};

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

/// Waits until nothing of a run is left: another test or run may be sweeping it at the same time.
fn swept(run: &Run) {
    wait_for("what the dead left is gone", SOON, || left_of(&run.id).is_empty());
}

fn only(run: &Run) -> CleanOptions {
    CleanOptions { run: Some(run.id.clone()), ..CleanOptions::default() }
}

/// A process that owns something until it is ended: others may sweep as soon as it is, so that what it owns has to be
/// whole by then.
struct Doomed(Child);

impl Doomed {
    fn start() -> Self {
        Self(Command::new("sleep").arg("100").stdin(Stdio::null()).spawn().unwrap())
    }

    fn owner(&self) -> String {
        owner(self.0.id())
    }

    fn end(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn what_a_dead_run_left_is_removed_and_what_a_living_one_has_is_kept() {
    let Some(_) = shell() else { return };
    let (gone, alive, elsewhere, over) = (Run::new(), Run::new(), Run::new(), Run::new());
    leave(&alive, &owner(std::process::id()), 1);
    leave(&elsewhere, "process=another-machine/1/1/1", NEVER);
    let dry = CleanOptions { dry_run: true, ..only(&elsewhere) };
    let would = clean(&dry).await.unwrap();
    assert!(would.done.contains(&format!("network kaf6-{}", elsewhere.id)), "{would:?}");
    assert_eq!(left_of(&elsewhere.id).len(), 3, "a dry run removes nothing");

    let doomed = Doomed::start();
    leave(&gone, &doomed.owner(), NEVER);
    let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 5;
    leave(&over, "process=another-machine/1/1/1", soon);
    doomed.end();
    tokio::time::sleep(Duration::from_secs(7)).await;
    let cleaned = clean(&CleanOptions::default()).await.unwrap();
    swept(&gone);
    swept(&over);
    assert_eq!((left_of(&alive.id).len(), left_of(&elsewhere.id).len()), (3, 3));
    let kept = |run: &Run| cleaned.kept.iter().any(|why| why.starts_with(&format!("run {}: ", run.id)));
    assert!(kept(&alive) && kept(&elsewhere), "{cleaned:?}");

    let refused = clean(&only(&alive)).await.unwrap();
    assert_eq!(
        refused.kept,
        [format!("run {}: its kaf6 process is still active; use --force to remove it anyway", alive.id)]
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
async fn two_owners_of_one_run_id_are_told_apart() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let up = run.up(&cluster(vec![script("one", UNTIL_TERM)])).await.unwrap();
    // Another kaf6 got the same run id before this one had started anything.
    let doomed = Doomed::start();
    let run_label = format!("io.kaf6.run={}", run.id);
    let owner_label = format!("io.kaf6.owner={}", doomed.owner());
    let labels = ["--label", run_label.as_str(), "--label", owner_label.as_str()];
    let others = || docker(&[["volume", "create"].as_slice(), &labels].concat()).trim().to_owned();
    let volume = others();
    assert_eq!(up.down().await, Vec::<String>::new());
    assert_eq!(left_of(&run.id), [volume], "only what it had started itself");
    let up = run.up(&cluster(vec![script("one", UNTIL_TERM)])).await;
    assert!(up.is_err_and(|error| error.to_string().contains("another kaf6 has containers with this id")));
    doomed.end();
    let up = run.up(&cluster(vec![script("one", UNTIL_TERM)])).await.expect("the dead one made way");
    let doomed = Doomed::start();
    let owner_label = format!("io.kaf6.owner={}", doomed.owner());
    docker(&["volume", "create", "--label", &run_label, "--label", &owner_label]);
    let before = left_of(&run.id).len();
    doomed.end();
    clean(&CleanOptions::default()).await.unwrap();
    wait_for("the dead one's volume is gone", SOON, || left_of(&run.id).len() == before - 1);
    assert_eq!(up.down().await, Vec::<String>::new());
    run.assert_gone();
}

#[tokio::test]
async fn an_owner_that_was_a_container_is_dead_when_that_is_gone() {
    let Some(_) = shell() else { return };
    let id = docker(&["run", "--detach", "kaf6-lab/shell:dev", "exec sleep 1000"]).trim().to_owned();
    let run = Run::new();
    leave(&run, &format!("container={id};process=another-machine/1/1/1"), NEVER);
    clean(&CleanOptions::default()).await.unwrap();
    assert_eq!(left_of(&run.id).len(), 3);
    docker(&["rm", "--force", "--volumes", &id]);
    clean(&CleanOptions::default()).await.unwrap();
    swept(&run);
}

#[tokio::test]
async fn what_a_dead_run_had_stopped_or_paused_is_healed() {
    let Some(_) = shell() else { return };
    for (heal, spoil) in [("start", "kill"), ("unpause", "pause")] {
        let id = docker(&["run", "--detach", "kaf6-lab/shell:dev", UNTIL_TERM]).trim().to_owned();
        docker(&[spoil, &id]);
        let (run, doomed) = (Run::new(), Doomed::start());
        let labels = [
            format!("io.kaf6.run={}", run.id),
            format!("io.kaf6.owner={}", doomed.owner()),
            format!("io.kaf6.heal={heal}"),
            format!("io.kaf6.container={id}"),
        ];
        let labels: Vec<&str> = labels.iter().flat_map(|label| ["--label", label]).collect();
        docker(&[["volume", "create"].as_slice(), &labels].concat());
        doomed.end();
        clean(&CleanOptions::default()).await.unwrap();
        swept(&run);
        assert_eq!(inspect(&id, "{{.State.Status}}"), "running", "{heal}");
        docker(&["rm", "--force", "--volumes", &id]);
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
