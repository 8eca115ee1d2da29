//! Tests cuts of the relay between two containers: their effect on connections, and that nothing is left.

use std::future::pending;
use std::time::Duration;

use kaf6::docker::FaultOutcome;
use kaf6::plan::cluster::Link;
use kaf6::plan::{ActionPlan, ClusterPlan, FaultPlan};
use kaf6::scenario::format::fault::{CutDirection, CutMode};

use crate::plans::{Run, cluster, fault, script, shell, tansu};

/// Asks a broker for its API versions again and again, each time on a new connection, and says what came of it.
const ASKER: &str = r"
at=${AT/:/\/}
exec 2>/dev/null
while true; do
    exec 3<>/dev/tcp/$at
    printf '\0\0\0\x0d\0\x12\0\0\0\0\0\x01\0\x03lab' >&3
    > /tmp/answer
    head -c 8 <&3 >/tmp/answer
    if [[ -s /tmp/answer ]]; then echo answered; else echo failed; fi
    exec 3>&-
    sleep 0.05
done
";

/// The length of its request.
const REQUEST: u64 = 17;

fn plan(text: &str) -> Option<ClusterPlan> {
    shell()?;
    let mut asker = script("asker", text);
    asker.env = vec![("AT".into(), crate::plans::texts(&["{{store.kafka}}"])[0].clone())];
    asker.needs = vec!["store".into()];
    let link = Link { from: "asker".into(), to: "store".into() };
    Some(ClusterPlan { links: vec![link], ..cluster(vec![tansu("store")?, asker]) })
}

fn cut(seconds: u64, mode: CutMode, direction: CutDirection) -> FaultPlan {
    let link = Link { from: "asker".into(), to: "store".into() };
    fault(Some(Duration::from_secs(seconds)), ActionPlan::Cut { link, mode, direction })
}

/// When the run ends.
#[derive(Clone, Copy, PartialEq)]
enum RunEnd {
    AfterFault,
    /// As soon as two connections of the asker have failed.
    DuringFault,
}

/// Cuts the way of an asker, and asserts that it gets answers before and afterwards. Gives the outcome, and how many of its
/// connections failed.
async fn asked_through(fault: &FaultPlan, end: RunEnd) -> Option<(FaultOutcome, u64)> {
    let plan = plan(ASKER)?;
    let run = Run::new();
    let up = run.up(&plan).await.unwrap();
    let failed = |lines: &[String]| lines.iter().filter(|line| *line == "failed").count();
    let before = run.says("asker.log", 6).await;
    assert_eq!(failed(&before), 0, "{before:?}");
    let until = async {
        let lines = || run.log("asker.log").lines().map(str::to_owned).collect::<Vec<_>>();
        while end == RunEnd::AfterFault || failed(&lines()) < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let outcome = up.inject(fault, until).await;
    let so_far = run.log("asker.log").lines().count();
    let after = run.says("asker.log", so_far + 6).await;
    assert_eq!(failed(&after[so_far + 2..]), 0, "nothing is left of it: {after:?}");
    assert_eq!(up.down().await, Vec::<String>::new());
    run.assert_gone();
    Some((outcome, u64::try_from(failed(&after)).unwrap()))
}

/// The numbers of a proof.
fn numbers(outcome: &FaultOutcome) -> Vec<u64> {
    outcome.proof.split(' ').filter_map(|word| word.parse().ok()).collect()
}

#[tokio::test]
async fn a_blackhole_swallows_requests_until_it_ends() {
    let fault = cut(4, CutMode::Blackhole, CutDirection::Out);
    let Some((outcome, failed)) = asked_through(&fault, RunEnd::AfterFault).await else { return };
    assert!(
        outcome.effective && outcome.ended.unwrap() - outcome.began >= Duration::from_secs(4),
        "{outcome:?}"
    );
    // The client waits for the response to its only request until its connection is reset.
    assert_eq!(
        outcome.proof,
        format!("{REQUEST} bytes forward and 0 back discarded, 1 connection lost data")
    );
    assert_eq!(failed, 1, "{outcome:?}");
}

#[tokio::test]
async fn a_blackhole_swallows_answers_only() {
    let fault = cut(4, CutMode::Blackhole, CutDirection::In);
    let Some((outcome, failed)) = asked_through(&fault, RunEnd::AfterFault).await else { return };
    let [forward, back, torn] = numbers(&outcome)[..] else { panic!("{outcome:?}") };
    assert!(outcome.effective && back > 0, "{outcome:?}");
    assert_eq!((forward, torn, failed), (0, 1, 1), "{outcome:?}");
}

#[tokio::test]
async fn a_reset_is_proven_by_each_connection_that_failed() {
    let fault = cut(4, CutMode::Reset, CutDirection::Both);
    let Some((outcome, failed)) = asked_through(&fault, RunEnd::AfterFault).await else { return };
    let [reset, refused] = numbers(&outcome)[..] else { panic!("{outcome:?}") };
    assert!(outcome.effective && outcome.proof.contains(" reset, "), "{outcome:?}");
    // A connection with a response may be reset before the client closes it.
    assert!(
        refused >= 2 && (refused..=refused + reset).contains(&failed) && reset <= 1,
        "{failed}: {outcome:?}"
    );
}

#[tokio::test]
async fn a_refusal_is_proven_by_each_new_connection() {
    let fault = cut(4, CutMode::Refuse, CutDirection::Both);
    let Some((outcome, failed)) = asked_through(&fault, RunEnd::AfterFault).await else { return };
    assert!(outcome.effective && failed >= 2, "{outcome:?}");
    assert_eq!(outcome.proof, format!("{failed} new connections refused"));
}

#[tokio::test]
async fn a_cut_that_the_run_ends_early_is_not_effective_and_heals() {
    let fault = cut(600, CutMode::Reset, CutDirection::Both);
    let Some((outcome, failed)) = asked_through(&fault, RunEnd::DuringFault).await else { return };
    assert!(!outcome.effective && failed >= 2, "{outcome:?}");
    assert!(outcome.proof.contains(" refused; ended early with the run, after "), "{outcome:?}");
}

#[tokio::test]
async fn a_cut_that_nobody_met_is_not_effective() {
    let Some(plan) = plan("exec sleep 1000") else { return };
    let run = Run::new();
    let up = run.up(&plan).await.unwrap();
    for (mode, proof) in [
        (CutMode::Blackhole, "no byte was discarded: nothing was sent during the fault"),
        (CutMode::Reset, "no connection was open or opened during the fault"),
        (CutMode::Refuse, "no connection was opened during the fault"),
    ] {
        let idle = up.inject(&cut(1, mode, CutDirection::Both), pending()).await;
        assert_eq!((idle.effective, idle.proof.as_str()), (false, proof));
    }
    // A run that ends during a cut leaves nothing behind.
    let long = cut(600, CutMode::Blackhole, CutDirection::Both);
    tokio::select! {
        biased;
        _ = up.inject(&long, pending()) => panic!("it lasts"),
        () = tokio::time::sleep(Duration::from_millis(300)) => {}
    }
    assert_eq!(up.down().await, Vec::<String>::new());
    run.assert_gone();
}
