//! Tests each kind of fault with its proof, and faults without effect.

use std::time::Duration;

use kaf6::docker::FaultOutcome;
use kaf6::plan::{ActionPlan, ClusterPlan, FaultPlan, FaultTarget};

use crate::plans::{
    Run, SOON, UNTIL_TERM, cluster, docker, fault, inspect, kafka_answers, script, shell, tansu, texts,
};

fn target(service: &str, replica: Option<u32>) -> FaultTarget {
    FaultTarget { service: service.to_owned(), replica }
}

fn restart(service: &str, signal: &str, image: Option<&str>) -> ActionPlan {
    ActionPlan::Restart {
        target: target(service, None),
        signal: signal.to_owned(),
        down_for: Duration::from_millis(300),
        image: image.map(str::to_owned),
    }
}

const MS: fn(u64) -> Duration = Duration::from_millis;

/// Asks again and again until the answer is yes.
async fn until(is_so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + SOON;
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "it never came to be so");
        tokio::time::sleep(MS(100)).await;
    }
}

/// A plan of one script, in so many replicas, at most so many.
fn one(text: &str, replicas: u32, most: u32) -> ClusterPlan {
    let mut service = script("one", text);
    (service.replicas, service.most) = (replicas, most);
    cluster(vec![service])
}

async fn done(up: &kaf6::docker::Cluster, length: Option<Duration>, action: ActionPlan) -> FaultOutcome {
    up.inject(&fault(length, action), std::future::pending()).await
}

#[tokio::test]
async fn restart_by_a_signal_keeps_volumes_ports_and_log() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let text = "echo start $(( $(cat /data/n 2>/dev/null) + 1 )); echo $(( $(cat /data/n 2>/dev/null) + 1 )) > /data/n; trap 'echo bye; exit 7' TERM; > /dev/shm/up; while true; do sleep 0.05; done";
    let mut plan = one(text, 1, 1);
    plan.services[0].volumes = vec![("data".into(), "/data".into())];
    let up = run.up(&plan).await.unwrap();
    let before = inspect(&run.container("one", 0), "{{.State.StartedAt}}");

    let gentle = done(&up, None, restart("one", "SIGTERM", None)).await;
    assert!(gentle.effective, "{gentle:?}");
    assert!(gentle.proof.starts_with("exit 7, new start time 20"), "{gentle:?}");
    assert!(gentle.proof.contains(", ready after ") && gentle.proof.ends_with(" ms"), "{gentle:?}");
    assert!(gentle.ended.unwrap() - gentle.began >= MS(300), "{gentle:?}");
    assert_ne!(inspect(&run.container("one", 0), "{{.State.StartedAt}}"), before);

    let hard = done(&up, None, restart("one", "SIGKILL", None)).await;
    assert!(hard.effective && hard.proof.starts_with("exit 137, new start time 20"), "{hard:?}");
    up.down().await;
    run.assert_gone();
    assert_eq!(run.log("one.log"), "start 1\nbye\nstart 2\nstart 3\n");
}

#[tokio::test]
async fn a_signal_that_is_ignored_is_followed_by_sigkill_and_said() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let up =
        run.up(&one("trap '' TERM; > /dev/shm/up; while true; do sleep 0.05; done", 1, 1)).await.unwrap();
    let stubborn = done(&up, None, restart("one", "SIGTERM", None)).await;
    assert!(stubborn.effective, "{stubborn:?}");
    let said = "exit 137 by SIGKILL, because SIGTERM did not end it within 10 s, new start time ";
    assert!(stubborn.proof.starts_with(said), "{stubborn:?}");
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn restart_from_another_image_keeps_name_and_volumes() {
    let Some(image) = shell() else { return };
    let run = Run::new();
    let next = format!("kaf6-lab/shell-next:{}", run.id);
    docker(&["tag", image, &next]);
    let text = "cat /data/word /state/word; echo kept > /data/word; echo kept too > /state/word; > /dev/shm/up; exec sleep 1000";
    let mut plan = one(text, 1, 1);
    plan.services[0].volumes = vec![("data".into(), "/data".into())];
    let up = run.up(&plan).await.unwrap();
    let upgraded = done(&up, None, restart("one", "SIGKILL", Some(&next))).await;
    assert!(upgraded.effective, "{upgraded:?}");
    assert!(upgraded.proof.contains(&format!(" from {next}, ready after ")), "{upgraded:?}");
    assert_eq!(inspect(&run.container("one", 0), "{{.Config.Image}}"), next);
    assert_eq!(up.seen().await[0].image, next);
    up.down().await;
    docker(&["rmi", "--no-prune", &next]);
    run.assert_gone();
    assert!(run.log("one.log").ends_with("kept\nkept too\n"), "{}", run.log("one.log"));
    let absent = run.log("one.log").matches("No such file").count();
    assert_eq!(absent, 2, "{}", run.log("one.log"));
}

#[tokio::test]
async fn a_broker_answers_on_its_own_port_again() {
    let Some(broker) = tansu("broker") else { return };
    let run = Run::new();
    let up = run.up(&cluster(vec![broker])).await.unwrap();
    let address = up.addresses().get("broker", 0, "kafka").unwrap().to_owned();
    kafka_answers(&address).unwrap();
    let mut action = restart("broker", "SIGKILL", None);
    if let ActionPlan::Restart { down_for, .. } = &mut action {
        *down_for = MS(8000);
    }
    let fault = fault(None, action);
    // Send requests until the broker is down.
    let goes_down = async {
        loop {
            let address = address.clone();
            if tokio::task::spawn_blocking(move || kafka_answers(&address).is_err()).await.unwrap() {
                break;
            }
        }
    };
    let (bounced, ()) = tokio::join!(up.inject(&fault, std::future::pending()), goes_down);
    assert!(bounced.effective && bounced.proof.contains("exit 137"), "{bounced:?}");
    kafka_answers(&address).unwrap();
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn stop_lasts_until_a_start() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let up = run.up(&one(UNTIL_TERM, 1, 1)).await.unwrap();
    let stop = || ActionPlan::Stop { target: target("one", None), signal: "SIGTERM".into() };
    let stopped = done(&up, None, stop()).await;
    assert!(stopped.effective && stopped.ended.is_none(), "{stopped:?}");
    assert_eq!(stopped.proof, "exit 7");
    assert_eq!(stopped.holds, [("one".to_owned(), 0)]);
    assert_eq!(up.let_run(&stopped.holds, stopped.began), None, "it lasts");
    assert!(up.running().is_empty() && up.unexpected().await.is_empty());

    let again = done(&up, None, stop()).await;
    assert!(!again.effective && again.ended.is_some() && again.holds.is_empty(), "{again:?}");
    assert_eq!(again.proof, "it was not running: it had ended with exit code 7");

    let start = || ActionPlan::Start { target: target("one", None) };
    let started = done(&up, None, start()).await;
    assert!(started.effective && started.ended.is_some(), "{started:?}");
    assert!(started.proof.starts_with("new start time 20"), "{started:?}");
    let let_run = up.let_run(&stopped.holds, stopped.began).unwrap();
    assert!(
        (started.began..=started.ended.unwrap()).contains(&let_run),
        "until then it was down: {let_run:?}"
    );
    assert_eq!(up.running().len(), 1);
    let idle = done(&up, None, start()).await;
    assert_eq!((idle.effective, idle.proof.as_str()), (false, "it was already running"));

    let bounded = done(&up, Some(MS(500)), stop()).await;
    assert!(bounded.effective && bounded.proof.contains("exit 7, new start time"), "{bounded:?}");
    assert!(bounded.ended.unwrap() - bounded.began >= MS(500));
    let left_down = done(&up, None, stop()).await;
    assert_eq!(up.let_run(&left_down.holds, left_down.began), None, "earlier starts are not its end");
    assert_eq!(up.heal(std::future::pending()).await, Vec::<String>::new());
    assert!(up.let_run(&left_down.holds, left_down.began).is_some());
    // The first of several starts counts.
    done(&up, None, restart("one", "SIGTERM", None)).await;
    assert_eq!(up.let_run(&stopped.holds, stopped.began), Some(let_run));
    assert_eq!(inspect(&run.container("one", 0), "{{.State.Running}}"), "true");
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn pause_gives_processes_no_time() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let up = run.up(&one("while true; do :; done", 1, 1)).await.unwrap();
    let pause = || ActionPlan::Pause { target: target("one", None) };
    let paused = done(&up, Some(MS(1500)), pause()).await;
    assert!(paused.effective, "{paused:?}");
    assert!(paused.proof.contains("its processes used no CPU time, ready after"), "{paused:?}");
    // The effect lasts from the freeze to the beginning of the resume.
    let (from, undone) = paused.effect.unwrap();
    assert!(from > paused.began && undone.unwrap() < paused.ended.unwrap(), "{paused:?}");
    assert!(undone.unwrap() - from >= MS(1500), "{paused:?}");
    assert_eq!(inspect(&run.container("one", 0), "{{.State.Status}}"), "running");

    let fault = fault(Some(Duration::from_secs(60)), pause());
    let cut = up.inject(&fault, tokio::time::sleep(MS(300))).await;
    assert!(cut.ended.unwrap() - cut.began < Duration::from_secs(60), "cut short: {cut:?}");
    assert!(!cut.effective && cut.proof.contains("; ended early with the run, after "), "{cut:?}");
    // A fault that nearly lasted its whole time has no proof either.
    let fault = self::fault(Some(MS(9000)), pause());
    let cut = up.inject(&fault, tokio::time::sleep(MS(5000))).await;
    assert!(!cut.effective && cut.proof.ends_with(" ms of 9000 ms"), "{cut:?}");
    assert_eq!(inspect(&run.container("one", 0), "{{.State.Status}}"), "running");
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn a_pause_that_somebody_else_ends_is_no_proof() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let up = run.up(&one(UNTIL_TERM, 1, 1)).await.unwrap();
    let name = run.container("one", 0);
    // It ends as soon as somebody else has ended it.
    let fault = fault(Some(MS(60_000)), ActionPlan::Pause { target: target("one", None) });
    let (paused, ()) = tokio::join!(up.inject(&fault, std::future::pending()), async {
        until(|| inspect(&name, "{{.State.Paused}}") == "true").await;
        tokio::time::sleep(MS(1000)).await;
        docker(&["unpause", &name]);
        tokio::time::sleep(MS(1500)).await;
        docker(&["pause", &name]);
    });
    // The container is paused at the start and at the end, but was resumed in between.
    assert!(!paused.effective, "{paused:?}");
    let how = "did not stay paused: something other than kaf6 resumed it after ";
    assert!(paused.proof.starts_with(how), "{paused:?}");
    assert!(paused.ended.unwrap() - paused.began < MS(60_000), "it is over then: {paused:?}");
    docker(&["unpause", &name]);
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn scale_adds_replicas_at_their_addresses_and_takes_them_back() {
    let Some(mut broker) = tansu("broker") else { return };
    broker.most = 3;
    let run = Run::new();
    let up = run.up(&cluster(vec![broker])).await.unwrap();
    let addresses: Vec<_> =
        (0..3).map(|replica| up.addresses().get("broker", replica, "kafka").unwrap().to_owned()).collect();
    assert!(kafka_answers(&addresses[1]).is_err() && kafka_answers(&addresses[2]).is_err());
    assert_eq!(up.running(), [("broker".to_owned(), 0)]);

    let scale = |to| ActionPlan::Scale { service: "broker".into(), to };
    let grown = done(&up, None, scale(3)).await;
    assert!(grown.effective && grown.ended.is_some(), "{grown:?}");
    assert!(grown.proof.starts_with("1 -> 3 replicas: broker.1 joined, ready after "), "{grown:?}");
    for address in &addresses {
        kafka_answers(address).unwrap();
    }
    assert_eq!(up.running().len(), 3);
    let idle = done(&up, None, scale(3)).await;
    assert_eq!((idle.effective, idle.proof.as_str()), (false, "it already had 3 replicas"));

    let shrunk = done(&up, Some(MS(500)), scale(1)).await;
    assert!(shrunk.effective, "{shrunk:?}");
    assert!(shrunk.proof.starts_with("3 -> 1 replicas: broker.2 ended with exit code "), "{shrunk:?}");
    assert!(shrunk.proof.contains("; broker.2 joined, ready after "), "{shrunk:?}");
    assert_eq!(up.running().len(), 3);
    kafka_answers(&addresses[2]).unwrap();

    assert_eq!(up.heal(std::future::pending()).await, Vec::<String>::new());
    assert_eq!(up.running(), [("broker".to_owned(), 0)], "as at the start");
    assert!(up.seen().await.iter().any(|state| state.replica == 2), "what was there is still told");
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn a_container_without_volumes_that_a_fault_removed_is_told_once() {
    let (Some(_), Some(mut broker)) = (shell(), tansu("broker")) else { return };
    (broker.replicas, broker.most) = (2, 2);
    let image = broker.image.clone();
    // The shell's image declares a volume.
    let run = Run::new();
    let up = run.up(&cluster(vec![broker, script("one", UNTIL_TERM)])).await.unwrap();
    let told = |service| up.dropped(service);
    for action in [
        restart("broker", "SIGKILL", None),
        ActionPlan::Pause { target: target("broker", None) },
        restart("one", "SIGKILL", shell()),
    ] {
        let kept = done(&up, Some(MS(100)), action).await;
        assert!(kept.effective, "{kept:?}");
        assert_eq!(told(None), Vec::<String>::new(), "{kept:?}");
    }
    let upgraded = done(&up, None, restart("broker", "SIGKILL", Some(&image))).await;
    assert!(upgraded.effective, "{upgraded:?}");
    assert_eq!(told(Some("one")), Vec::<String>::new());
    assert_eq!(told(Some("broker")), ["broker.0", "broker.1"]);
    assert_eq!(told(None), Vec::<String>::new(), "once");
    let shrunk = done(&up, None, ActionPlan::Scale { service: "broker".into(), to: 1 }).await;
    assert!(shrunk.effective, "{shrunk:?}");
    assert_eq!(told(Some("broker")), ["broker.1"]);
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn a_replica_that_does_not_come_up_is_no_proof() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let mut plan = one("[ $REPLICA = 0 ] && exec sleep 1000; echo I am too many; exit 5", 1, 2);
    plan.services[0].env = vec![("REPLICA".into(), texts(&["{{replica}}"])[0].clone())];
    let up = run.up(&plan).await.unwrap();
    let grown = done(&up, None, ActionPlan::Scale { service: "one".into(), to: 2 }).await;
    assert!(!grown.effective, "{grown:?}");
    assert!(grown.proof.contains("ended again with exit code 5 (I am too many)"), "{grown:?}");
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn exec_is_proven_by_its_exit_code() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let up = run.up(&one("exec sleep 1000", 2, 2)).await.unwrap();
    let exec = |replica, command: &[&str]| ActionPlan::Exec {
        target: target("one", replica),
        command: texts(command),
    };
    // Docker keeps the order of output only within one stream.
    let good =
        done(&up, None, exec(Some(1), &["/bin/bash", "-c", "printf 'a\\nb\\n'; echo {{replica}} >&2"])).await;
    assert!(good.effective, "{good:?}");
    let said = good.proof.strip_prefix("exit 0 (").and_then(|rest| rest.strip_suffix(')'));
    let (errors, lines): (Vec<&str>, Vec<&str>) =
        said.expect("its proof").split(" / ").partition(|line| *line == "1");
    assert_eq!((lines, errors.len()), (vec!["a", "b"], 1), "{good:?}");
    let bad = done(&up, None, exec(Some(0), &["/bin/bash", "-c", "echo no; exit 9"])).await;
    assert_eq!((bad.effective, bad.proof.as_str()), (false, "exit 9 (no)"));
    let both = done(&up, None, exec(None, &["/bin/bash", "-c", "exit {{replica}}"])).await;
    assert_eq!(
        (both.effective, both.proof.as_str()),
        (false, "one.0: exit 0 (no output); one.1: exit 1 (no output)")
    );
    let absent = done(&up, None, exec(Some(0), &["/no/such/program"])).await;
    assert!(!absent.effective && absent.proof.contains("no such"), "{absent:?}");
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn all_replicas_of_a_service_are_hit_and_each_is_named() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let up = run.up(&one(UNTIL_TERM, 2, 2)).await.unwrap();
    let both = done(&up, None, restart("one", "SIGTERM", None)).await;
    assert!(both.effective, "{both:?}");
    assert!(
        both.proof.starts_with("one.0: exit 7, ") && both.proof.contains("; one.1: exit 7, "),
        "{both:?}"
    );
    up.down().await;
    run.assert_gone();
    assert!(run.log("one-1.log").contains("bye"));
}

#[tokio::test]
async fn what_the_run_cuts_short_is_healed_at_once_and_not_effective() {
    let Some(_) = shell() else { return };
    let minute = Duration::from_secs(120);
    let mut restart = restart("one", "SIGKILL", None);
    if let ActionPlan::Restart { down_for, .. } = &mut restart {
        *down_for = minute;
    }
    let stop = ActionPlan::Stop { target: target("one", None), signal: "SIGTERM".into() };
    let scale = ActionPlan::Scale { service: "one".into(), to: 2 };
    let run = Run::new();
    let up = run.up(&one(UNTIL_TERM, 1, 2)).await.unwrap();
    for (fault, ended) in [
        (fault(None, restart), "exit 137, new start time "),
        (fault(Some(minute), stop), "exit 7, new start time "),
        (fault(Some(minute), scale), "1 -> 2 replicas: one.1 joined"),
    ] {
        let (first, second) = (run.container("one", 0), run.container("one", 1));
        let grows = matches!(fault.action, ActionPlan::Scale { .. });
        let cut = async move {
            until(|| match grows {
                true => !docker(&["ps", "--quiet", "--filter", &format!("name={second}")]).is_empty(),
                false => inspect(&first, "{{.State.Running}}") == "false",
            })
            .await;
            tokio::time::sleep(MS(1500)).await;
        };
        let cut = up.inject(&fault, cut).await;
        assert!(cut.ended.unwrap() - cut.began < minute, "{cut:?}");
        assert!(!cut.effective && cut.proof.trim_start_matches("one.0: ").starts_with(ended), "{cut:?}");
        let short = cut.proof.split("; ended early with the run, after ").nth(1);
        assert!(short.is_some_and(|times| times.ends_with(" of 120.0 s")), "{cut:?}");
        assert_eq!(up.heal(std::future::pending()).await, Vec::<String>::new());
        assert_eq!(inspect(&run.container("one", 0), "{{.State.Running}}"), "true");
    }
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn a_service_that_something_else_starts_meanwhile_was_not_stopped() {
    let Some(_) = shell() else { return };
    let run = Run::new();
    let up = run.up(&one(UNTIL_TERM, 1, 1)).await.unwrap();
    let name = run.container("one", 0);
    let supervise = async || {
        until(|| inspect(&name, "{{.State.Running}}") == "false").await;
        docker(&["start", &name]);
    };
    let stop = || ActionPlan::Stop { target: target("one", None), signal: "SIGTERM".into() };
    let bounded = fault(Some(MS(8000)), stop());
    let (stopped, ()) = tokio::join!(up.inject(&bounded, std::future::pending()), supervise());
    let how = "did not stay down: it was started at 20";
    assert!(!stopped.effective && stopped.proof.contains(&format!(", {how}")), "{stopped:?}");
    assert!(stopped.proof.ends_with(", not by kaf6") && stopped.ended.is_some(), "{stopped:?}");
    // The service was started and is down again, so it was up in between.
    let (stopped, ()) = tokio::join!(up.inject(&bounded, std::future::pending()), async {
        supervise().await;
        docker(&["kill", &name]);
    });
    assert!(!stopped.effective && stopped.proof.contains(how), "{stopped:?}");
    // Without `for`, kaf6 knows this only when the service is started or restored.
    for by_a_fault in [true, false] {
        let stopped = done(&up, None, stop()).await;
        assert!(stopped.effective, "{stopped:?}");
        assert_eq!(up.came_back(&stopped.holds, stopped.began), Vec::<String>::new());
        supervise().await;
        if by_a_fault {
            let idle = done(&up, None, ActionPlan::Start { target: target("one", None) }).await;
            assert_eq!((idle.effective, idle.proof.as_str()), (false, "it was already running"));
        }
        assert_eq!(up.heal(std::future::pending()).await, Vec::<String>::new());
        let back = up.came_back(&stopped.holds, stopped.began);
        assert!(back.len() == 1 && back[0].starts_with(&format!("one {how}")), "{back:?}");
    }
    // The result of one fault does not affect the next.
    let good = done(&up, Some(MS(300)), stop()).await;
    assert!(good.effective, "{good:?}");
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn what_another_fault_undoes_is_over_then_and_not_effective() {
    let Some(_) = shell() else { return };
    let minute = Duration::from_secs(60);
    let mut restart = restart("one", "SIGKILL", None);
    if let ActionPlan::Restart { down_for, .. } = &mut restart {
        *down_for = minute;
    }
    let stop = ActionPlan::Stop { target: target("one", None), signal: "SIGKILL".into() };
    let run = Run::new();
    let up = run.up(&one(UNTIL_TERM, 1, 3)).await.unwrap();
    let name = run.container("one", 0);
    let up_again = async || {
        while inspect(&name, "{{.State.Running}}") == "true" {
            tokio::time::sleep(MS(100)).await;
        }
        tokio::time::sleep(MS(1000)).await;
        let start = FaultPlan {
            name: "up".to_owned(),
            ..fault(None, ActionPlan::Start { target: target("one", None) })
        };
        up.inject(&start, std::future::pending()).await
    };
    for down in [fault(None, restart), fault(Some(minute), stop)] {
        let (down, start) = tokio::join!(up.inject(&down, std::future::pending()), up_again());
        assert!(start.effective, "{start:?}");
        let how = "exit 137, did not stay down: fault `up` started it after ";
        assert!(!down.effective && down.proof.starts_with(how), "{down:?}");
        assert!(down.ended.unwrap() - down.began < minute / 2 && down.holds.is_empty(), "{down:?}");
        assert_eq!(inspect(&name, "{{.State.Running}}"), "true");
    }

    let scale = |to| ActionPlan::Scale { service: "one".into(), to };
    let bounded = fault(Some(minute), scale(2));
    let (grown, more) = tokio::join!(up.inject(&bounded, std::future::pending()), async {
        while !up.seen().await.iter().any(|it| it.replica == 1 && it.ready.is_some()) {
            tokio::time::sleep(MS(100)).await;
        }
        tokio::time::sleep(MS(1000)).await;
        done(&up, None, scale(3)).await
    });
    assert!(more.effective, "{more:?}");
    let how = "; did not stay at this scale: another fault changed it to 3 replicas after ";
    assert!(!grown.effective && grown.proof.contains(how), "{grown:?}");
    assert!(grown.ended.unwrap() - grown.began < minute / 2, "{grown:?}");
    assert_eq!(up.running().len(), 3, "what the other one made is kept");
    up.down().await;
    run.assert_gone();
}

#[tokio::test]
async fn what_does_nothing_is_over_at_once_and_undoes_no_other_fault() {
    let Some(_) = shell() else { return };
    let minute = Duration::from_secs(60);
    let mut restart = restart("one", "SIGKILL", None);
    if let ActionPlan::Restart { down_for, .. } = &mut restart {
        *down_for = minute;
    }
    let stop = || ActionPlan::Stop { target: target("one", None), signal: "SIGKILL".into() };
    let pause = || ActionPlan::Pause { target: target("one", None) };
    let run = Run::new();
    let up = run.up(&one(UNTIL_TERM, 1, 1)).await.unwrap();
    let name = run.container("one", 0);
    let all = [fault(None, restart), fault(Some(minute), stop()), fault(Some(minute), pause())];
    let first = fault(Some(MS(20_000)), pause());
    let (first, ()) = tokio::join!(up.inject(&first, std::future::pending()), async {
        until(|| inspect(&name, "{{.State.Paused}}") == "true").await;
        for second in &all {
            let second = up.inject(second, std::future::pending()).await;
            assert_eq!((second.effective, second.proof.as_str()), (false, "it was already paused"));
            assert!(second.ended.unwrap() - second.began < minute / 2, "{second:?}");
        }
        assert_eq!(inspect(&name, "{{.State.Status}}"), "paused");
    });
    assert!(first.effective, "{first:?}");
    // If a fault begins when the run is about to end, its proof has only the reason.
    let down = done(&up, None, stop()).await;
    assert!(down.effective, "{down:?}");
    let late = up.inject(&all[0], std::future::ready(())).await;
    assert_eq!(late.proof, "it was not running: it had ended with exit code 137");
    up.down().await;
    run.assert_gone();
}
