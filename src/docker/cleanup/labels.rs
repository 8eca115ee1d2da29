//! Labels on everything that a run starts: run id, owner, and expiry time.
//!
//! Their format, and the check whether an owner is alive, which `clean` and the next run use.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The run's id, on everything that kaf6 starts.
pub(crate) const RUN: &str = "io.kaf6.run";
pub(crate) const OWNER: &str = "io.kaf6.owner";
/// The expiry time, in seconds since 1970.
pub(crate) const EXPIRES: &str = "io.kaf6.expires";
/// On a container: its service.
pub(crate) const SERVICE: &str = "io.kaf6.service";
/// On a marker: the action that heals a stopped or paused container, `start` or `unpause`.
pub(crate) const HEAL: &str = "io.kaf6.heal";
/// On a marker: the id of this container.
pub(crate) const CONTAINER: &str = "io.kaf6.container";

/// Time for pulls and starts, before the run's timeout begins.
const SETUP: Duration = Duration::from_secs(30 * 60);
/// Time for the end of a run.
const GRACE: Duration = Duration::from_secs(10 * 60);

/// The first process of a PID namespace, which exists as long as the namespace.
const FIRST: u32 = 1;

/// The process that owns containers, and the container in which it runs, if any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunOwner {
    container: Option<String>,
    process: Option<Process>,
}

/// A process of one machine, distinguishable from later processes with the same PID.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    /// The boot id: random for each start of the machine.
    boot: String,
    /// The PID namespace.
    namespace: String,
    pid: u32,
    /// The start time, in ticks since the machine's start.
    started: String,
}

/// Whether an owner is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Alive,
    Dead,
    /// Unknown: it runs on another machine, or in another container.
    Unknown,
}

impl RunOwner {
    pub(crate) fn own(container: Option<&str>) -> Self {
        Self { container: container.map(str::to_owned), process: Process::own() }
    }

    /// Parses a label's value. An invalid value has neither a container nor a process.
    pub(crate) fn parse(text: &str) -> Self {
        let mut owner = Self { container: None, process: None };
        for part in text.split(';') {
            match part.split_once('=') {
                Some(("container", id)) => owner.container = Some(id.to_owned()),
                Some(("process", process)) => owner.process = Process::parse(process),
                _ => {}
            }
        }
        owner
    }

    /// The id of the container in which the owner runs. Docker knows whether it exists.
    pub(crate) fn container(&self) -> Option<&str> {
        self.container.as_deref()
    }

    /// Whether the owner is alive. `container_runs` is the state of its container, if it has one.
    pub(crate) fn life(&self, container_runs: bool) -> Life {
        self.life_at(container_runs, Process::own().as_ref(), start_of)
    }

    fn life_at(
        &self,
        container_runs: bool,
        own: Option<&Process>,
        start_of: impl Fn(u32) -> Option<String>,
    ) -> Life {
        match (&self.process, own) {
            (Some(process), Some(own)) if process.boot == own.boot && process.namespace == own.namespace => {
                match start_of(process.pid) {
                    Some(started) if started == process.started => Life::Alive,
                    // If /proc hides the processes of other users (hidepid), it also hides the first one.
                    None if start_of(FIRST).is_none() => Life::Unknown,
                    _ => Life::Dead,
                }
            }
            _ if self.container.is_some() && !container_runs => Life::Dead,
            _ => Life::Unknown,
        }
    }
}

impl std::fmt::Display for RunOwner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let container = self.container.iter().map(|id| format!("container={id}"));
        let process = self.process.iter().map(|p| {
            let Process { boot, namespace, pid, started } = p;
            format!("process={boot}/{namespace}/{pid}/{started}")
        });
        let parts: Vec<String> = container.chain(process).collect();
        f.write_str(&parts.join(";"))
    }
}

impl Process {
    /// This process; `None` if the system does not provide the data.
    fn own() -> Option<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
        let digits: String = namespace.to_str()?.chars().filter(char::is_ascii_digit).collect();
        let pid = std::process::id();
        Some(Self { boot, namespace: digits, pid, started: start_of(pid)? })
    }

    fn parse(text: &str) -> Option<Self> {
        let [boot, namespace, pid, started] = text.split('/').collect::<Vec<_>>().try_into().ok()?;
        Some(Self {
            boot: boot.to_owned(),
            namespace: namespace.to_owned(),
            pid: pid.parse().ok()?,
            started: started.to_owned(),
        })
    }
}

/// The start time of a process of this machine, in ticks since the machine's start; `None` if it no longer exists.
fn start_of(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain spaces and parentheses.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    // A zombie has ended; its parent has not yet waited for it.
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18).map(str::to_owned))?
}

/// The labels of everything that a run starts.
pub(crate) fn of_run(run_id: &str, owner: &RunOwner, timeout: Duration) -> HashMap<String, String> {
    let expires = now().saturating_add(SETUP + GRACE).saturating_add(timeout);
    HashMap::from([
        (RUN.to_owned(), run_id.to_owned()),
        (OWNER.to_owned(), owner.to_string()),
        (EXPIRES.to_owned(), expires.as_secs().to_string()),
    ])
}

/// Whether the time in a label has passed. An invalid time never passes.
pub(crate) fn is_over(expires: Option<&String>) -> bool {
    expires.and_then(|text| text.parse::<u64>().ok()).is_some_and(|at| at < now().as_secs())
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process() -> Process {
        Process { boot: "b".into(), namespace: "7".into(), pid: 12, started: "99".into() }
    }

    #[test]
    fn an_owner_survives_its_label() {
        for container in [None, Some("abc")] {
            let owner = RunOwner::own(container);
            assert_eq!(RunOwner::parse(&owner.to_string()), owner);
        }
        assert_eq!(RunOwner::parse("rubbish;process=1/2;x=y"), RunOwner { container: None, process: None });
    }

    #[test]
    fn this_process_lives() {
        assert_eq!(RunOwner::own(None).life(false), Life::Alive);
    }

    #[test]
    fn only_who_can_be_seen_is_dead() {
        let owner = |container: Option<&str>| RunOwner {
            container: container.map(str::to_owned),
            process: Some(process()),
        };
        let seen = |owner: &RunOwner, runs, own: Process, started: Option<&str>| {
            let start_of = |pid| if pid == FIRST { Some("1") } else { started }.map(str::to_owned);
            owner.life_at(runs, Some(&own), start_of)
        };
        assert_eq!(seen(&owner(None), false, process(), Some("99")), Life::Alive);
        assert_eq!(seen(&owner(None), false, process(), Some("100")), Life::Dead, "another has the number");
        assert_eq!(seen(&owner(None), false, process(), None), Life::Dead);
        let hidden = owner(None).life_at(false, Some(&process()), |_| None);
        assert_eq!(hidden, Life::Unknown, "another user's, where /proc shows only one's own");
        let elsewhere = Process { boot: "c".into(), ..process() };
        assert_eq!(seen(&owner(None), false, elsewhere, None), Life::Unknown);
        let inside = Process { namespace: "8".into(), ..process() };
        assert_eq!(seen(&owner(None), false, inside.clone(), None), Life::Unknown);
        assert_eq!(seen(&owner(Some("c")), true, inside.clone(), None), Life::Unknown);
        assert_eq!(seen(&owner(Some("c")), false, inside, None), Life::Dead, "its container is gone");
        assert_eq!(
            seen(&owner(Some("c")), false, process(), Some("99")),
            Life::Alive,
            "it shared the network of a container that is gone"
        );
        assert_eq!(owner(None).life_at(false, None, |_| None), Life::Unknown);
    }

    #[test]
    fn time_is_over_once_it_has_passed() {
        assert!(is_over(Some(&"1".to_owned())));
        assert!(!is_over(Some(&"99999999999".to_owned())));
        assert!(!is_over(Some(&"soon".to_owned())) && !is_over(None));
        let labels = of_run("r", &RunOwner::own(None), Duration::MAX);
        assert!(!is_over(labels.get(EXPIRES)), "also with a bound without end");
    }
}
