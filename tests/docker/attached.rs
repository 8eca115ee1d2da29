//! Tests attached containers: how kaf6 finds them, injects faults, and restores them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kaf6::docker::ClusterStep;

use kaf6::plan::cluster::{AttachBy, AttachPlan};
use kaf6::plan::{ActionPlan, ClusterPlan, FaultPlan, FaultTarget};
use kaf6::scenario::Position;

use crate::plans::{Run, UNTIL_TERM, docker, fault, inspect, left_of, shell};

/// A container that the test starts itself; removed when dropped.
pub struct Bystander(pub String);

impl Bystander {
    pub fn start(more: &[&str]) -> Self {
        let name = format!("kaf6-bystander-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let mut words = vec!["run", "--detach", "--name", &name];
        words.extend(more);
        words.extend(["kaf6-lab/shell:dev", UNTIL_TERM]);
        docker(&words);
        Self(name)
    }

    fn status(&self) -> String {
        inspect(&self.0, "{{.State.Status}}")
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = std::process::Command::new("docker").args(["rm", "-f", "-v", &self.0]).output();
    }
}

fn plan(by: AttachBy) -> ClusterPlan {
    let position = Position { file: "test.yaml".into(), line: 1, column: 1 };
    ClusterPlan { attached: vec![AttachPlan { name: "it".into(), by, position }], ..ClusterPlan::default() }
}

fn it(replica: Option<u32>) -> FaultTarget {
    FaultTarget { service: "it".into(), replica }
}

#[tokio::test]
async fn an_attached_container_is_restarted_paused_and_stopped_and_then_as_it_was() {
    let Some(_) = shell() else { return };
    let other = Bystander::start(&[]);
    let run = Run::new();
    let up = run.up(&plan(AttachBy::Container(other.0.clone()))).await.unwrap();
    let id = inspect(&other.0, "{{.Id}}");

    let restart = ActionPlan::Restart {
        target: it(None),
        signal: "SIGTERM".into(),
        down_for: Duration::from_millis(300),
        image: None,
    };
    let restarted = up.inject(&fault(None, restart), std::future::pending()).await;
    assert!(restarted.effective && restarted.proof.starts_with("exit 7, new start time "), "{restarted:?}");
    assert!(left_of(&run.id).is_empty(), "the marker is taken away");

    let pause = fault(Some(Duration::from_secs(3)), ActionPlan::Pause { target: it(None) });
    let over = AtomicBool::new(false);
    let inject = async {
        let paused = up.inject(&pause, std::future::pending()).await;
        over.store(true, Ordering::SeqCst);
        paused
    };
    let (paused, marked) = tokio::join!(inject, async {
        loop {
            let marked = left_of(&run.id);
            if !marked.is_empty() || over.load(Ordering::SeqCst) {
                break marked;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    assert!(paused.effective, "{paused:?}");
    assert_eq!(marked.len(), 1, "a marker for kaf6 clean: {marked:?}");

    let exec = ActionPlan::Exec {
        target: it(None),
        command: crate::plans::texts(&["/bin/bash", "-c", "echo in {{run_id}}"]),
    };
    let ran = up.inject(&fault(None, exec), std::future::pending()).await;
    assert_eq!(ran.proof, format!("exit 0 (in {})", run.id));

    let exec = ActionPlan::Exec {
        target: it(None),
        command: crate::plans::texts(&["/bin/bash", "-c", "echo waits; kill -STOP $$"]),
    };
    let endless = FaultPlan { timeout: Duration::from_secs(5), ..fault(None, exec) };
    let ran = up.inject(&endless, std::future::pending()).await;
    assert_eq!(ran.proof, "it did not end within 5s (waits)", "what it said tells why");

    let stop = ActionPlan::Stop { target: it(None), signal: "SIGKILL".into() };
    let stopped = up.inject(&fault(None, stop), std::future::pending()).await;
    assert!(stopped.effective && stopped.ended.is_none(), "{stopped:?}");
    assert_eq!(other.status(), "exited");
    assert_eq!(up.down().await, Vec::<String>::new());
    assert_eq!(other.status(), "running");
    assert_eq!(inspect(&other.0, "{{.Id}}"), id, "the same container");
    run.assert_gone();
    let steps = run.steps.lock().unwrap();
    assert!(
        !steps.iter().any(|step| matches!(step, ClusterStep::Removing)),
        "nothing of it is removed: {steps:?}"
    );
    drop(steps);
    let log = run.log("it.log");
    assert!(log.contains("bye\nhello\n"), "{log}");
}

#[tokio::test]
async fn a_restart_policy_that_brings_it_back_makes_a_stop_one_without_effect() {
    let Some(_) = shell() else { return };
    // Docker restarts the container after any signal except the container's own stop signal.
    let other = Bystander::start(&["--restart", "always", "--stop-signal", "SIGUSR1"]);
    let run = Run::new();
    let up = run.up(&plan(AttachBy::Container(other.0.clone()))).await.unwrap();
    let stop = |signal: &str| {
        let action = ActionPlan::Stop { target: it(None), signal: signal.into() };
        fault(Some(Duration::from_secs(2)), action)
    };
    let back = up.inject(&stop("SIGTERM"), std::future::pending()).await;
    assert!(!back.effective && back.proof.contains(", did not stay down: it was started at 20"), "{back:?}");
    let off = format!(
        " (its restart policy is always; to turn it off, run docker update --restart no {})",
        other.0
    );
    assert!(back.proof.ends_with(&off), "{back:?}");
    let down = up.inject(&stop("SIGKILL"), std::future::pending()).await;
    assert!(down.effective && down.proof.starts_with("exit 137, new start time "), "{down:?}");
    assert_eq!(up.down().await, Vec::<String>::new());
    assert_eq!(other.status(), "running");
    run.assert_gone();
}

#[tokio::test]
async fn containers_with_a_label_are_replicas_in_the_order_of_names() {
    let Some(_) = shell() else { return };
    let label = format!("kaf6-test={}", uuid::Uuid::new_v4().simple());
    let mut all = [Bystander::start(&["--label", &label]), Bystander::start(&["--label", &label])];
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let run = Run::new();
    let up = run.up(&plan(AttachBy::Labels(vec![label]))).await.unwrap();
    assert!(up.running().is_empty(), "watch asks those that were started");
    let names: Vec<String> = up.seen().await.into_iter().map(|state| state.container).collect();
    assert_eq!(names, [all[0].0.clone(), all[1].0.clone()]);
    let stop = ActionPlan::Stop { target: it(Some(1)), signal: "SIGTERM".into() };
    let stopped = up.inject(&fault(Some(Duration::from_millis(300)), stop), std::future::pending()).await;
    assert!(stopped.effective, "{stopped:?}");
    up.down().await;
    assert_eq!((all[0].status(), all[1].status()), ("running".into(), "running".into()));
    assert_eq!(inspect(&all[0].0, "{{.State.ExitCode}}"), "0", "never stopped");
    run.assert_gone();
}

#[tokio::test]
async fn one_that_docker_would_remove_is_left_alone() {
    let Some(_) = shell() else { return };
    let other = Bystander::start(&["--rm"]);
    let run = Run::new();
    let up = run.up(&plan(AttachBy::Container(other.0.clone()))).await.unwrap();
    let stop = ActionPlan::Stop { target: it(None), signal: "SIGKILL".into() };
    let stopped = up.inject(&fault(None, stop), std::future::pending()).await;
    assert!(!stopped.effective && stopped.proof.contains("--rm"), "{stopped:?}");
    up.down().await;
    assert_eq!(other.status(), "running");
    run.assert_gone();
}

#[tokio::test]
async fn what_is_not_there_is_told_with_what_is() {
    let Some(_) = shell() else { return };
    let other = Bystander::start(&[]);
    let stopped = Bystander::start(&[]);
    docker(&["kill", &stopped.0]);
    let by = |name: &str| AttachBy::Container(name.to_owned());
    let labels = AttachBy::Labels(vec!["kaf6-test=nobody".into()]);
    for by in [by("kaf6-nobody"), by(&stopped.0), by("../etc"), by(""), labels] {
        let run = Run::new();
        let error = run.up(&plan(by)).await.err().unwrap().to_string();
        assert!(error.contains("no running container ") && error.contains(&other.0), "{error}");
        run.assert_gone();
    }
}
