//! Tests services that start: order, readiness, addresses, logs, progress; and that nothing is left at the end.

use std::time::{Duration, Instant};

use kaf6::docker::ClusterStep;
use kaf6::plan::cluster::Readiness;

use crate::plans::{
    Run, SOON, UNTIL_TERM, cluster, docker, fault, inspect, kafka_answers, script, shell, tansu, texts,
};

#[tokio::test]
async fn services_start_in_their_order_and_leave_nothing() {
    let Some(_) = shell() else { return };
    let Some(broker) = tansu("broker") else { return };
    let run = Run::new();
    let first = script("first", "sleep 1; echo first is ready; echo ok > /tmp/ready; exec sleep 1000");
    let mut first = kaf6::plan::ServicePlan {
        ready: Some(Readiness::Exec(texts(&["/bin/bash", "-c", "[ -f /tmp/ready ]"]))),
        ..first
    };
    first.volumes = vec![("data".to_owned(), "/data".to_owned())];
    let mut second = script("second", "echo $WHO; exec sleep 1000");
    second.env = vec![(
        "WHO".to_owned(),
        texts(&["{{run_id}}/{{replica}}/{{broker.kafka}}/{{self.host}}"])[0].clone(),
    )];
    second.needs = vec!["first".to_owned(), "broker".to_owned()];
    let plan = cluster(vec![first, broker, second]);
    let up = run.up(&plan).await.unwrap();
    run.says("first.log", 1).await;
    run.says("second.log", 1).await;

    let address = up.addresses().get("broker", 0, "kafka").unwrap().to_owned();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    kafka_answers(&address).unwrap();
    let running: Vec<_> = ["broker", "first", "second"].map(|name| (name.to_owned(), 0)).into();
    assert_eq!(up.running(), running);

    let steps = run.steps.lock().unwrap().clone();
    let at = |wanted: &str, started: bool| {
        let found = steps.iter().position(|step| match step {
            ClusterStep::Starting { service, .. } => started && service == wanted,
            ClusterStep::Ready { service, .. } => !started && service == wanted,
            _ => false,
        });
        found.unwrap()
    };
    assert!(at("first", false) < at("second", true) && at("broker", false) < at("second", true));

    let seen = up.seen().await;
    assert_eq!(seen.len(), 3);
    let first = seen.iter().find(|state| state.service == "first").unwrap();
    assert_eq!(first.container, run.container("first", 0));
    assert!(first.ready.unwrap() >= Duration::from_millis(300), "{first:?}");
    assert_eq!(first.last_lines, ["first is ready"]);
    assert_eq!(seen.last().unwrap().service, "second", "in the order of their start");
    // The volume in the plan, and the volume that the image declares.
    assert_eq!(inspect(&first.container, "{{len .Mounts}}"), "2");

    assert_eq!(up.unexpected().await, Vec::<String>::new());
    assert_eq!(up.down().await, Vec::<String>::new());
    run.assert_gone();
    assert_eq!(run.log("first.log"), "first is ready\n");
    assert_eq!(run.log("second.log"), format!("{}/0/broker:9092/127.0.0.1\n", run.id));
    assert!(matches!(run.steps.lock().unwrap().last(), Some(ClusterStep::Removing)));
}

#[tokio::test]
async fn containers_of_a_run_reach_each_other_by_their_names() {
    let Some(_) = shell() else { return };
    let Some(mut broker) = tansu("broker") else { return };
    broker.replicas = 2;
    broker.most = 2;
    let run = Run::new();
    let ask = "for to in {{broker.0.kafka}} {{broker.1.kafka}}; do exec 3<>/dev/tcp/${to/:/\\/} && echo \"$to is there\"; done; sleep 1000";
    let mut asker = script("asker", &ask.replace("\\/", "/"));
    asker.needs = vec!["broker".to_owned()];
    let up = run.up(&cluster(vec![broker, asker])).await.unwrap();
    run.says("asker.log", 2).await;
    assert_eq!(run.log("asker.log"), "broker-0:9092 is there\nbroker-1:9092 is there\n");
    assert_ne!(up.addresses().get("broker", 0, "kafka"), up.addresses().get("broker", 1, "kafka"));
    assert_eq!(up.running().len(), 3);
    up.down().await;
    run.assert_gone();
    assert!(!run.log("broker-0.log").is_empty() || run.log("broker.log").is_empty());
}

#[tokio::test]
async fn a_cluster_that_is_dropped_is_removed_all_the_same() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let up = run.up(&cluster(vec![script("one", UNTIL_TERM)])).await.unwrap();
    assert_eq!(inspect(&run.container("one", 0), "{{.State.Running}}"), "true");
    tokio::task::spawn_blocking(move || drop(up)).await.unwrap();
    run.assert_gone();
}

/// Ends by itself once its test lets it.
const AT_GO: &str = "until [[ -e /dev/shm/go ]]; do sleep 0.05; done; echo that was it; exit 3";

#[tokio::test]
async fn a_container_that_ends_by_itself_is_told_once() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let up = run.up(&cluster(vec![script("short", AT_GO)])).await.unwrap();
    docker(&["exec", &run.container("short", 0), "/bin/bash", "-c", "> /dev/shm/go"]);
    let deadline = Instant::now() + SOON;
    let mut told = Vec::new();
    while told.is_empty() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
        told = up.unexpected().await;
    }
    assert_eq!(told, ["the container of short exited by itself: exit code 3 (that was it)"]);
    assert!(up.unexpected().await.is_empty());
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn what_was_there_before_is_there_after() {
    let Some(_) = shell() else { return };
    let name = format!("kaf6-bystander-{}", uuid::Uuid::new_v4().simple());
    docker(&["run", "--detach", "--name", &name, "kaf6-lab/shell:dev", "exec sleep 1000"]);
    let run = Run::new();
    let up = run.up(&cluster(vec![script("one", UNTIL_TERM)])).await.unwrap();
    up.down().await;
    assert_eq!(inspect(&name, "{{.State.Running}}"), "true");
    docker(&["rm", "--force", "--volumes", &name]);
    run.assert_gone();
}

#[tokio::test]
async fn a_restart_is_no_crash_and_an_end_by_itself_is() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let up = run.up(&cluster(vec![script("one", UNTIL_TERM)])).await.unwrap();
    let restart = kaf6::plan::ActionPlan::Restart {
        target: kaf6::plan::FaultTarget { service: "one".into(), replica: None },
        signal: "SIGKILL".into(),
        down_for: Duration::ZERO,
        image: None,
    };
    let fault = fault(None, restart);
    let told = std::sync::Mutex::new(Vec::new());
    for _ in 0..5 {
        let over = std::sync::atomic::AtomicBool::new(false);
        let watch = async {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                let crashed = up.crashed().await;
                told.lock().unwrap().extend(crashed);
                tokio::task::yield_now().await;
            }
        };
        let bounce = async {
            let done = up.inject(&fault, std::future::pending()).await;
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(done.effective, "{done:?}");
        };
        tokio::join!(watch, bounce);
    }
    assert_eq!(told.into_inner().unwrap(), Vec::<String>::new());
    docker(&["kill", &run.container("one", 0)]);
    assert_eq!(up.crashed().await.len(), 1);
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn a_log_without_end_fills_no_disk_and_holds_no_secret() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let mut options = run.options();
    options.secrets.add("hunter2", "***", &[]);
    // 60 MB in lines of 1000 bytes, one of which contains a secret.
    let text = "printf -v line '%0993d' 0; echo my hunter2; for ((i = 100000; i < 160000; i++)); do echo $i$line; done; echo the end; exec sleep 1000";
    let plan = cluster(vec![script("loud", text)]);
    let up = kaf6::docker::Cluster::up(&plan, options, std::future::pending()).await.unwrap();
    for _ in 0..3000 {
        if up.seen().await[0].last_lines.last().is_some_and(|line| line == "the end") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let file = inspect(&run.container("loud", 0), "{{.HostConfig.LogConfig.Config}}");
    assert_eq!(file, "map[max-file:2 max-size:128m]");
    up.down().await;
    run.assert_gone();
    let log = run.log("loud.log");
    assert!(log.starts_with("my ***\n1000000") && log.ends_with("\nthe end\n"), "{}", &log[..100]);
    assert!(log.len() < 34 << 20, "{}", log.len());
    let (head, rest) = log.split_once("\n[kaf6: ").unwrap();
    let (left_out, tail) = rest
        .split_once(" bytes omitted; kaf6 keeps the first 32 MiB and the last 1 MiB of a log]\n")
        .unwrap();
    let all = "my ***\n".len() + 60_000 * 1000 + "the end\n".len();
    assert_eq!(head.len() + 1 + left_out.parse::<usize>().unwrap() + tail.len(), all);
}
