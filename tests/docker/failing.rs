//! Tests services that fail to start: each error has a hint, and nothing is left.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::ContainerInspectResponse;
use kaf6::docker::{Cluster, DockerError};
use kaf6::plan::cluster::{Link, Readiness};
use kaf6::plan::{ClusterPlan, ServicePlan};

use crate::plans::{Run, UNTIL_TERM, cluster, docker, inspect, kafka_answers, script, shell, tansu, texts};

async fn error_of(run: &Run, plan: &ClusterPlan) -> String {
    let error = run.up(plan).await.err().expect("it fails");
    run.assert_gone();
    error.to_string()
}

#[tokio::test]
async fn a_container_that_exits_at_once_is_told_with_its_last_lines() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let bad = script("bad", "echo one; echo no such bucket >&2; exit 3");
    let error = error_of(&run, &cluster(vec![script("good", UNTIL_TERM), bad])).await;
    assert!(
        error.starts_with("bad ended with exit code 3 before it was ready; its last log lines:\n"),
        "{error}"
    );
    assert!(error.contains("\n  one") && error.contains("\n  no such bucket"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let mut bad = script("bad", "");
    bad.entrypoint = Some(texts(&["/no/such/program"]));
    let error = error_of(&run, &cluster(vec![bad])).await;
    assert!(error.contains("start bad") && error.contains("/no/such/program"), "{error}");
}

#[tokio::test]
async fn readiness_that_never_comes_says_what_was_tried() {
    let Some(_) = shell() else { return };
    for (ready, tried) in [
        (Readiness::Tcp { port: "api".into() }, "a connection to 127.0.0.1:"),
        (Readiness::Http { port: "api".into(), path: "/health".into() }, "GET http://127.0.0.1:"),
        (Readiness::Kafka { port: "api".into() }, "Kafka metadata from 127.0.0.1:"),
        (
            Readiness::Exec(texts(&["/bin/bash", "-c", "echo not yet; exit 4"])),
            "the command /bin/bash in the container",
        ),
    ] {
        let run = Run::new();
        let slow = ServicePlan {
            ports: vec![("api".into(), 9000)],
            ready: Some(ready),
            ready_timeout: Duration::from_secs(6),
            ..script("slow", UNTIL_TERM)
        };
        let error = error_of(&run, &cluster(vec![slow])).await;
        assert!(error.starts_with("slow was not ready within 6s (tried: "), "{error}");
        assert!(error.contains(tried) && error.contains("\n  hello"), "{error}");
        assert!(!tried.contains("command") || error.contains("exit code 4, not yet"), "{error}");
    }
}

#[tokio::test]
async fn an_image_that_is_not_to_be_had_is_told() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let mut absent = script("absent", "");
    absent.image = "kaf6-lab/no-such-image:dev".into();
    let error = error_of(&run, &cluster(vec![absent.clone()])).await;
    assert!(
        error.contains("kaf6-lab/no-such-image:dev of service absent is not on this Docker Engine"),
        "{error}"
    );
    absent.pull = kaf6::plan::cluster::Pull::Missing;
    // A registry that refuses at once, so that the test needs no network.
    absent.image = "localhost:9/kaf6-lab/no-such-image:dev".into();
    let error = error_of(&run, &cluster(vec![absent])).await;
    assert!(
        error.starts_with("cannot pull image localhost:9/kaf6-lab/no-such-image:dev for service"),
        "{error}"
    );
    assert!(error.contains("the Docker host cannot reach localhost:9; check"), "{error}");
}

#[tokio::test]
async fn an_image_of_a_later_upgrade_is_looked_for_at_the_start() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let mut options = run.options();
    options.later_images = vec![("one".into(), "kaf6-lab/no-such-image:next".into())];
    let plan = cluster(vec![script("one", UNTIL_TERM)]);
    let error = Cluster::up(&plan, options, std::future::pending()).await.err().unwrap();
    assert!(matches!(error, DockerError::ImageAbsent { .. }), "{error}");
    run.assert_gone();
}

#[tokio::test]
async fn the_first_error_ends_the_whole_start() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let start = Instant::now();
    let mut slow = script("slow", UNTIL_TERM);
    slow.ready = Some(Readiness::Exec(texts(&["/bin/bash", "-c", "exit 1"])));
    slow.ready_timeout = Duration::from_secs(600);
    let error = error_of(&run, &cluster(vec![slow, script("bad", "exit 1")])).await;
    assert!(error.starts_with("bad ended with exit code 1"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(120), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_start_that_is_interrupted_leaves_nothing() {
    let Some(_) = shell() else { return };
    for millis in [0, 50, 200, 600, 1500] {
        let run = Run::new();
        let mut slow = script("slow", UNTIL_TERM);
        slow.replicas = 3;
        slow.most = 3;
        slow.ready = Some(Readiness::Exec(texts(&["/bin/bash", "-c", "exit 1"])));
        let cut = tokio::time::sleep(Duration::from_millis(millis));
        let error = Cluster::up(&cluster(vec![slow]), run.options(), cut).await.err().unwrap();
        assert!(matches!(error, DockerError::Interrupted), "{error}");
        run.assert_gone();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_given_up_leaves_nothing() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let mut slow = script("slow", UNTIL_TERM);
    slow.ready = Some(Readiness::Exec(texts(&["/bin/bash", "-c", "exit 1"])));
    let plan = cluster(vec![slow]);
    let given_up = tokio::time::timeout(Duration::from_millis(400), run.up(&plan)).await;
    assert!(given_up.is_err());
    run.assert_gone();
}

#[tokio::test]
async fn a_run_id_in_use_is_refused() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let plan = cluster(vec![script("one", UNTIL_TERM)]);
    let up = run.up(&plan).await.unwrap();
    let error = run.up(&plan).await.err().unwrap().to_string();
    assert!(error.contains(&format!("the run id {} is in use", run.id)), "{error}");
    assert_eq!(
        docker(&["inspect", "--format", "{{.State.Running}}", &run.container("one", 0)]).trim(),
        "true"
    );
    up.down().await;
    run.assert_gone();
}

/// Somebody who takes the port of a container between its creation and its start; gives what was taken.
fn thief(container: String, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<Option<(u16, TcpListener)>> {
    let port_of = |found: ContainerInspectResponse| {
        let bindings = found.host_config?.port_bindings?.into_values().flatten().flatten();
        bindings.filter_map(|binding| binding.host_port?.parse::<u16>().ok()).next()
    };
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // The `docker` command would take too long, so use the API.
        let docker = runtime.block_on(async { Docker::connect_with_local_defaults().unwrap() });
        let docker = runtime.block_on(docker.negotiate_version()).unwrap();
        while !stop.load(Ordering::Relaxed) {
            let found = runtime.block_on(docker.inspect_container(&container, None));
            let Some(port) = found.ok().and_then(port_of) else { continue };
            while !stop.load(Ordering::Relaxed) {
                if let Ok(taken) = TcpListener::bind(("127.0.0.1", port)) {
                    return Some((port, taken));
                }
            }
        }
        None
    })
}

#[tokio::test]
async fn a_port_that_is_taken_meanwhile_is_chosen_anew() {
    let Some(mut broker) = tansu("broker") else { return };
    broker.ready = Some(Readiness::Tcp { port: "kafka".into() });
    let plan = cluster(vec![broker]);
    // The time window is short, so the thief does not always succeed.
    for _ in 0..20 {
        let run = Run::new();
        let stop = Arc::new(AtomicBool::new(false));
        let thief = thief(run.container("broker", 0), Arc::clone(&stop));
        let up = run.up(&plan).await.unwrap();
        stop.store(true, Ordering::Relaxed);
        let stolen = thief.join().unwrap();
        let address = up.addresses().get("broker", 0, "kafka").unwrap().to_owned();
        kafka_answers(&address).unwrap();
        let advertised = inspect(&run.container("broker", 0), "{{.Config.Env}}");
        assert!(advertised.contains(&format!("tcp://{address}")), "{advertised}");
        up.down().await;
        run.assert_gone();
        if let Some((port, _)) = stolen {
            assert_ne!(address, format!("127.0.0.1:{port}"));
            return;
        }
    }
    panic!("the port was never taken");
}

#[tokio::test]
async fn a_way_to_what_kaf6_did_not_start_is_refused() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let mut plan = cluster(vec![script("one", UNTIL_TERM)]);
    plan.links = vec![Link { from: "one".into(), to: "elsewhere".into() }];
    let error = error_of(&run, &plan).await;
    assert!(error.contains("cannot run a relay for one -> elsewhere"), "{error}");
}
