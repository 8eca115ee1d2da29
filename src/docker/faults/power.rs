//! `restart`, `stop` and `start`: ends containers with a signal, and starts them again.
//!
//! Their proof: the exit code, that they stayed down, and a new start time.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::injection::Injection;
use super::shown::{ContainerProof, fit, held, last_until_look, lasting, left, nothing, over, proof, time};
use crate::docker::api::container;
use crate::docker::api::container::Now;
use crate::docker::api::daemon::said;
use crate::docker::api::{images, platform};
use crate::docker::cluster::options::FaultOutcome;
use crate::docker::cluster::state::{ClusterState, DesiredState, Replica};
use crate::docker::cluster::{attach, ready, start as starting};
use crate::plan::defaults::PATIENCE;
use tokio_util::sync::CancellationToken;

#[derive(Clone, Copy)]
pub(super) struct Power<'a> {
    pub signal: &'a str,
    /// The image to start them again from, if not their own.
    pub image: Option<&'a str>,
    /// How long they stay down. `None`: until a fault starts them.
    pub lasts: Option<Duration>,
    /// True for a `restart`: its containers count as running while they are down.
    pub restarts: bool,
}

impl Power<'_> {
    /// The desired state of the containers while they are down.
    const fn makes(self) -> DesiredState {
        if self.restarts { DesiredState::Restarting } else { DesiredState::Stopped }
    }
}

/// A container that was ended.
struct Down {
    unit: Arc<Replica>,
    /// How it ended, or why it did not.
    ended: Result<ContainerEnd, String>,
}

/// How a container was ended.
struct ContainerEnd {
    before: Now,
    words: String,
    /// The number of this fault's change of its desired state.
    turn: u64,
    at: Instant,
}

impl Down {
    /// Whether this fault ended it, and no other fault changed its desired state since.
    fn is_ours(&self) -> bool {
        self.ended.as_ref().is_ok_and(|ended| self.unit.state().turns == ended.turn)
    }

    /// States which other fault changed it since this one began.
    fn taken_over(&self, began: Instant) -> String {
        let state = self.unit.state();
        if let Some((at, name)) = state.started_by.iter().find(|(at, _)| *at >= began) {
            let after = self.ended.as_ref().map_or(began, |ended| ended.at);
            return format!("did not stay down: fault `{name}` started it after {}", time(*at - after));
        }
        let how = if state.wanted == DesiredState::Away { "removed" } else { "started" };
        format!("another fault {how} it")
    }
}

impl Down {
    /// The proof of a fault that only ends it.
    fn shown(self) -> ContainerProof {
        let effective = self.ended.is_ok();
        let words = self.ended.map_or_else(|words| words, |ended| ended.words);
        ContainerProof { unit: self.unit, effective, words }
    }
}

/// Stops containers, and starts them again unless they should stay down.
pub(super) async fn off(
    Injection { shared, fault, cancel }: Injection<'_>,
    units: Vec<Arc<Replica>>,
    power: Power<'_>,
) -> FaultOutcome {
    let service = units.first().and_then(|unit| shared.plan.service(&unit.service));
    if let (Some(image), Some(service)) = (power.image, service) {
        let wanted = (service.name.as_str(), image, service.pull);
        // Pulled before the fault begins, so that the pull does not add to the downtime.
        if let Err(error) = images::ensure(&shared.daemon, wanted, &shared.options.progress, cancel).await {
            return nothing(error.to_string());
        }
    }
    let began = Instant::now();
    let all = join_all(units.into_iter().map(|unit| end(shared, unit, power))).await;
    let Some(from) = all.iter().filter_map(|down| Some(down.ended.as_ref().ok()?.at)).max() else {
        // It had no effect, so it does not last.
        return over(began, proof(&all.into_iter().map(Down::shown).collect::<Vec<_>>()));
    };
    let still = || held(all.iter().filter(|down| down.is_ours()).map(|down| &down.unit), power.makes());
    let Some(lasts) = power.lasts else {
        let holds = still();
        let ended = holds.is_empty().then(Instant::now);
        let (effective, proof) = proof(&all.into_iter().map(Down::shown).collect::<Vec<_>>());
        return FaultOutcome { began, ended, effect: Some((from, None)), holds, effective, proof };
    };
    let all_down = Instant::now();
    let cut_short = loop {
        if !all.iter().any(Down::is_ours) {
            break None;
        }
        if let ControlFlow::Break(short) = last_until_look(all_down, lasts, cancel).await {
            break short;
        }
    };
    let until = Instant::now();
    let started = join_all(all.iter().map(|down| async {
        if down.ended.is_err() {
            return Ok(());
        }
        // If another fault has changed it since, keep that state.
        if !down.is_ours() {
            return Err(down.taken_over(began));
        }
        let started = start(shared, &down.unit, power.image).await;
        started.map_err(|reason| format!("could not restart it: {reason}"))
    }))
    .await;
    let up_again = Instant::now();
    let holds = still();
    let ended = holds.is_empty().then_some(up_again);
    let bound = left(fault, began);
    let shown = join_all(all.into_iter().zip(started).map(|(down, started)| async move {
        let Down { unit, ended } = down;
        let (before, words) = match ended {
            Ok(ContainerEnd { before, words, .. }) => (before, words),
            Err(words) => return ContainerProof { unit, effective: false, words },
        };
        if let Some(how) = unit.came_back(began).or(started.err()) {
            return ContainerProof { unit, effective: false, words: format!("{words}, {how}") };
        }
        let (effective, again) = started_again(shared, &unit, Some(&before)).await;
        let ready = readiness(shared, &unit, (up_again, bound), cancel).await;
        let of = power.image.map(|image| format!(" from {image}")).unwrap_or_default();
        ContainerProof { unit, effective, words: format!("{words}, {again}{of}, {ready}") }
    }))
    .await;
    let (effective, proof) = lasting(proof(&shown), cut_short);
    FaultOutcome { began, ended, effect: Some((from, Some(until))), holds, effective, proof }
}

/// Starts containers that are down.
pub(super) async fn on(
    Injection { shared, fault, cancel }: Injection<'_>,
    units: Vec<Arc<Replica>>,
) -> FaultOutcome {
    let began = Instant::now();
    let shown = join_all(units.into_iter().map(|unit| async move {
        let before = match unit.id() {
            Some(id) => container::inspect(&shared.daemon, &id).await.ok().flatten(),
            None => None,
        };
        if before.as_ref().is_some_and(|before| before.running) {
            look_whether_it_stayed_down(shared, &unit).await;
            return ContainerProof { unit, effective: false, words: "it was already running".to_owned() };
        }
        unit.state().started_by.push((Instant::now(), fault.name.clone()));
        if let Err(reason) = start(shared, &unit, None).await {
            return ContainerProof { unit, effective: false, words: format!("could not start it: {reason}") };
        }
        let (effective, again) = started_again(shared, &unit, before.as_ref()).await;
        let ready = readiness(shared, &unit, (Instant::now(), left(fault, began)), cancel).await;
        ContainerProof { unit, effective, words: format!("{again}, {ready}") }
    }))
    .await;
    over(began, proof(&shown))
}

/// Ends one container, and waits until it has.
async fn end(shared: &ClusterState, unit: Arc<Replica>, power: Power<'_>) -> Down {
    let ended = end_it(shared, &unit, power).await;
    Down { unit, ended }
}

async fn end_it(shared: &ClusterState, unit: &Replica, power: Power<'_>) -> Result<ContainerEnd, String> {
    let (id, before) = fit(shared, unit, "start").await?;
    let signal = power.signal;
    let turn = unit.want(power.makes());
    let daemon = &shared.daemon;
    if let Err(error) = container::kill(daemon, &id, signal).await {
        unit.want(DesiredState::Running);
        return Err(format!("could not send {signal}: {}", said(&error)));
    }
    let mut how = String::new();
    if !container::ended(daemon, &id, &before.started_at, PATIENCE).await {
        how = format!(" by SIGKILL, because {signal} did not end it within {} s", PATIENCE.as_secs());
        let killed = container::kill(daemon, &id, "SIGKILL").await;
        if killed.is_err() || !container::ended(daemon, &id, &before.started_at, PATIENCE).await {
            unit.want(DesiredState::Running);
            return Err(format!("neither {signal} nor SIGKILL ended it"));
        }
    }
    let at = Instant::now();
    for port in starting::host_ports(shared, unit) {
        shared.ports.hold_again(port);
    }
    unit.log.settle().await;
    unit.state().down_since_start = Some(before.started_at.clone());
    let words = match container::inspect(daemon, &id).await.map_err(|error| said(&error))? {
        Some(after) if after.running && !after.restarting => format!("ended{how}"),
        Some(after) => format!("exit {}{how}", after.exit_code),
        None => format!("ended{how}, and its container is gone"),
    };
    Ok(ContainerEnd { before, words, turn, at })
}

/// Checks whether a stopped container stayed down, and notes if it did not. Only kaf6 should start it, but a
/// restart policy or another program may have.
async fn look_whether_it_stayed_down(shared: &ClusterState, unit: &Replica) {
    let Some(earlier) = unit.state().down_since_start.take() else { return };
    let Some(id) = unit.id() else { return };
    let how = match container::inspect(&shared.daemon, &id).await {
        Ok(Some(now)) if now.restarting || now.running || now.started_at != earlier => {
            let again = if now.started_at == earlier {
                "Docker restarts it".to_owned()
            } else {
                format!("it was started at {}, not by kaf6", to_the_millisecond(&now.started_at))
            };
            let off = || format!("to turn it off, run docker update --restart no {}", unit.container);
            let policy = now.restart_policy.map(|name| format!(" (its restart policy is {name}; {})", off()));
            format!("did not stay down: {again}{}", policy.unwrap_or_default())
        }
        Ok(_) => return,
        Err(error) => format!("it is unknown whether it stayed down: {}", said(&error)),
    };
    unit.state().came_back.push((Instant::now(), how));
}

/// Starts one container again, perhaps from another image.
pub(super) async fn start(shared: &ClusterState, unit: &Replica, image: Option<&str>) -> Result<(), String> {
    look_whether_it_stayed_down(shared, unit).await;
    if let (Some(image), Some(service), false) = (image, shared.plan.service(&unit.service), unit.attached) {
        starting::drop_container(shared, unit).await.map_err(|error| error.to_string())?;
        image.clone_into(&mut unit.state().image);
        starting::create(shared, service, unit).await.map_err(|error| error.to_string())?;
    }
    starting::run(shared, unit).await.map_err(|error| error.to_string())?;
    if let (true, Some(id)) = (unit.attached, unit.id()) {
        attach::unmark(shared, &id).await;
    }
    Ok(())
}

/// Whether the start time of a container has changed, with the text for the proof.
async fn started_again(shared: &ClusterState, unit: &Replica, before: Option<&Now>) -> (bool, String) {
    let now = match unit.id() {
        Some(id) => container::inspect(&shared.daemon, &id).await.ok().flatten(),
        None => None,
    };
    let Some(now) = now else { return (false, "its container is gone".to_owned()) };
    let earlier = before.map_or("", |before| before.started_at.as_str());
    if now.started_at.is_empty() || now.started_at == earlier {
        return (false, "its start time did not change".to_owned());
    }
    (true, format!("new start time {}", to_the_millisecond(&now.started_at)))
}

/// A timestamp of Docker, in milliseconds.
fn to_the_millisecond(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, rest)) => {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).take(3).collect();
            format!("{seconds}.{digits:0<3}Z")
        }
        None => time.to_owned(),
    }
}

/// Waits until a container is ready. Returns a text with the time that it took.
pub(super) async fn readiness(
    shared: &ClusterState,
    unit: &Replica,
    (since, bound): (Instant, Duration),
    cancel: &CancellationToken,
) -> String {
    match ready::wait(shared, unit, (since, bound), cancel).await {
        Ok(after) => format!("ready after {}", time(after)),
        Err(error) => format!("{}{}", error.words(unit), platform::remark(shared, unit).await),
    }
}

#[cfg(test)]
mod tests {
    use super::to_the_millisecond;

    #[test]
    fn times_are_shortened() {
        assert_eq!(to_the_millisecond("2026-11-24T11:00:00.123456789Z"), "2026-11-24T11:00:00.123Z");
        assert_eq!(to_the_millisecond("2026-11-24T11:00:00.1Z"), "2026-11-24T11:00:00.100Z");
        assert_eq!(to_the_millisecond("2026-11-24T11:00:00Z"), "2026-11-24T11:00:00Z");
    }
}
