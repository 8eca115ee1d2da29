//! Tests throttles of the relay between two containers: their effect on traffic, and that nothing is left.

use std::time::Duration;

use kaf6::plan::cluster::Link;
use kaf6::plan::{ActionPlan, ClusterPlan};

use crate::plans::{Run, cluster, fault, script, shell, tansu};

/// Asks a broker for its API versions again and again, each time on a new connection, and says how long the answer
/// took, in milliseconds.
const ASKER: &str = r#"
at=${AT/:/\/}
while true; do
    exec 3<>/dev/tcp/$at || exit 1
    start=${EPOCHREALTIME/./}
    printf '\0\0\0\x0d\0\x12\0\0\0\0\0\x01\0\x03lab' >&3
    head -c 8 <&3 >/dev/null
    echo $(( (${EPOCHREALTIME/./} - start) / 1000 ))
    exec 3>&-
    sleep 0.05
done
"#;

fn plan() -> Option<ClusterPlan> {
    shell()?;
    let mut asker = script("asker", ASKER);
    asker.env = vec![("AT".into(), crate::plans::texts(&["{{store.kafka}}"])[0].clone())];
    asker.needs = vec!["store".into()];
    let link = Link { from: "asker".into(), to: "store".into() };
    Some(ClusterPlan { links: vec![link], ..cluster(vec![tansu("store")?, asker]) })
}

fn throttle(latency: u64, bandwidth: Option<u64>) -> ActionPlan {
    ActionPlan::Throttle {
        link: Link { from: "asker".into(), to: "store".into() },
        latency: Duration::from_millis(latency),
        jitter: Duration::ZERO,
        bandwidth,
    }
}

/// What the asker measured since a line.
fn measured(run: &Run, since: usize) -> Vec<u64> {
    run.log("asker.log").lines().skip(since).map(|line| line.parse().expect("a number")).collect()
}

fn median(mut all: Vec<u64>) -> u64 {
    all.sort_unstable();
    all[all.len() / 2]
}

#[tokio::test]
async fn a_way_is_slow_for_as_long_as_the_fault_lasts() {
    let Some(plan) = plan() else { return };
    let run = Run::new();
    let up = run.up(&plan).await.unwrap();
    run.says("asker.log", 6).await;
    let before = measured(&run, 0);

    let slow =
        up.inject(&fault(Some(Duration::from_secs(4)), throttle(200, None)), std::future::pending()).await;
    assert!(slow.effective, "{slow:?}");
    let mean = slow.proof.split(", by ").nth(1).and_then(|rest| rest.split(' ').next());
    let mean: f64 = mean.unwrap().parse().unwrap();
    assert!(slow.proof.contains(" bytes forward and ") && mean >= 200.0, "{slow:?}");
    assert!(
        slow.proof.contains(" pieces delayed, ") && slow.proof.ends_with(" (200 ms configured)"),
        "{slow:?}"
    );
    let lasted = slow.ended.unwrap() - slow.began;
    assert!(lasted >= Duration::from_secs(4), "{lasted:?}");
    let during = measured(&run, before.len() + 1);
    assert!(median(during.clone()) >= 200, "{during:?}");
    // Whatever else the machine does, some answers come without further delay.
    assert!(during.iter().any(|took| (200..390).contains(took)), "once, not twice: {during:?}");

    let since = measured(&run, 0).len() + 2;
    run.says("asker.log", since + 6).await;
    let after = measured(&run, since);
    assert!(after.iter().any(|took| *took < 200), "nothing is left of it: {after:?}");
    assert_eq!(up.down().await, Vec::<String>::new());
    run.assert_gone();
}

/// As [`ASKER`], with requests of 200,000 bytes, which Tansu does not understand and need not.
const PUSHER: &str = r"
at=${AT/:/\/}
while true; do
    exec 3<>/dev/tcp/$at || exit 1
    { printf '\0\3\x0d\x40'; head -c 200000 /dev/zero; } >&3
    head -c 1 <&3 >/dev/null
    exec 3>&-
    sleep 0.05
done
";

#[tokio::test]
async fn a_bandwidth_is_proven_by_what_it_held_back() {
    let Some(mut plan) = plan() else { return };
    let asked = fault(Some(Duration::from_secs(6)), throttle(0, Some(100 << 10)));
    let run = Run::new();
    let up = run.up(&plan).await.unwrap();
    let small = up.inject(&asked, std::future::pending()).await;
    assert!(!small.effective, "{small:?}");
    assert!(small.proof.ends_with("too little traffic for 100.00 KiB/s to limit it"), "{small:?}");
    up.down().await;
    run.assert_gone();

    plan.services[1].command = Some(crate::plans::texts(&[PUSHER]));
    let run = Run::new();
    let up = run.up(&plan).await.unwrap();
    let large = up.inject(&asked, std::future::pending()).await;
    assert!(large.effective, "{large:?}");
    let there = large.proof.split("; forward, held back ").nth(1).unwrap();
    let numbers: Vec<f64> = there.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [held, lasted, rate, ..] = numbers[..] else { panic!("{large:?}") };
    assert!(held > lasted / 2.0 && held <= lasted && lasted >= 6.0, "{large:?}");
    assert!((20.0..=103.0).contains(&rate) && there.contains(" KiB/s passed"), "{large:?}");
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn what_nobody_used_is_not_effective() {
    let Some(mut plan) = plan() else { return };
    plan.services[1] = script("asker", "exec sleep 1000");
    let run = Run::new();
    let up = run.up(&plan).await.unwrap();
    let idle = up
        .inject(&fault(Some(Duration::from_millis(300)), throttle(200, None)), std::future::pending())
        .await;
    assert_eq!(
        (idle.effective, idle.proof.as_str()),
        (false, "no byte passed through the relay during the fault")
    );
    up.down().await;
    run.assert_gone();
}

/// As [`ASKER`], with nothing but one large request once it is told to, on a connection that has been open for long.
const WAITER: &str = r"
at=${AT/:/\/}
{ printf '\0\1\x11\x60'; head -c 69984 /dev/zero; } > /tmp/large
exec 3<>/dev/tcp/$at || exit 1
until [[ -e /state/go ]]; do sleep 0.02; done
cat /tmp/large >&3
exec sleep 1000
";

#[tokio::test]
async fn one_large_request_does_not_pass_a_bandwidth_at_once() {
    let Some(mut plan) = plan() else { return };
    plan.services[1].command = Some(crate::plans::texts(&[WAITER]));
    let run = Run::new();
    let up = run.up(&plan).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let asked = fault(Some(Duration::from_secs(10)), throttle(0, Some(5 << 10)));
    let container = run.container("asker", 0);
    let go = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(200));
        crate::plans::docker(&["exec", &container, "/bin/bash", "-c", "> /state/go"])
    });
    let slow = up.inject(&asked, std::future::pending()).await;
    go.await.unwrap();
    assert!(slow.effective, "{slow:?}");
    let there = slow.proof.split("; forward, held back ").nth(1).unwrap();
    let numbers: Vec<f64> = there.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [held, lasted, rate, ..] = numbers[..] else { panic!("{slow:?}") };
    // At most 50 of 68 KiB pass in 10 s. If the relay sent them as one piece, none would pass.
    assert!((1.0..=lasted).contains(&held) && (0.1..=5.2).contains(&rate), "{slow:?}");
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn a_latency_that_delayed_one_piece_is_not_shown() {
    let Some(mut plan) = plan() else { return };
    plan.services[1].command = Some(crate::plans::texts(&[WAITER]));
    let run = Run::new();
    let up = run.up(&plan).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let asked = fault(Some(Duration::from_secs(10)), throttle(200, None));
    let container = run.container("asker", 0);
    // The relay must run while the client waits, so the client has its own thread.
    let one = tokio::task::spawn_blocking(move || {
        let request = r"\0\0\0\x0d\0\x12\0\0\0\0\0\1\0\3lab";
        let ask = format!("exec 3<>/dev/tcp/${{AT/://}}; printf '{request}' >&3; head -c 8 <&3 >/dev/null");
        std::thread::sleep(Duration::from_millis(300));
        crate::plans::docker(&["exec", &container, "/bin/bash", "-c", &ask])
    });
    let slow = up.inject(&asked, std::future::pending()).await;
    one.await.unwrap();
    assert!(!slow.effective && slow.proof.contains("; 1 of 1 pieces delayed, by "), "{slow:?}");
    assert!(slow.proof.ends_with("configured): too few to show the latency"), "{slow:?}");
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn a_latency_longer_than_the_fault_delays_nothing_in_full() {
    let Some(plan) = plan() else { return };
    let run = Run::new();
    let up = run.up(&plan).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let asked = fault(Some(Duration::from_secs(5)), throttle(60_000, None));
    let never = up.inject(&asked, std::future::pending()).await;
    assert!(!never.effective && never.proof.contains(" 0 of them in full: too few"), "{never:?}");
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn a_throttle_that_the_run_cuts_short_is_not_effective() {
    let Some(plan) = plan() else { return };
    let run = Run::new();
    let up = run.up(&plan).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let asked = fault(Some(Duration::from_secs(60)), throttle(100, None));
    let slow = up.inject(&asked, tokio::time::sleep(Duration::from_secs(3))).await;
    assert!(!slow.effective && slow.proof.contains("; ended early with the run, after "), "{slow:?}");
    up.down().await;
    run.assert_gone();
}
