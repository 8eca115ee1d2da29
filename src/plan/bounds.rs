//! Time bounds: every scenario and fault has a finite one, and from them follows when each can be running.
//!
//! Owns the bounds of those that say none, and the windows that the timeline draws.

use std::time::Duration;

use indexmap::{IndexMap, IndexSet};

use super::{Plan, Schedule, Start, defaults};
use crate::scenario::Scenario;
use crate::scenario::valid::cluster::{Action, Cluster, Fault};
use crate::scenario::valid::{Activity, Metrics, Pace, Produce, When, Work};

/// When a scenario or fault can be running, counted from the run's zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// It does not start before.
    pub earliest: Duration,
    /// It starts by then, if it starts at all.
    pub latest: Duration,
    /// It has ended by then.
    pub end: Duration,
}

/// What a window follows from.
struct Node<'a> {
    after: Option<&'a str>,
    when: Option<&'a str>,
    at: Duration,
}

impl Node<'_> {
    /// Before it, those that it waits for: none where one of them is not known yet.
    fn start(&self, of: &mut dyn FnMut(&str) -> Option<Window>) -> Option<(Duration, Duration)> {
        let (mut earliest, mut latest) = (Duration::ZERO, Duration::ZERO);
        for before in self.after.iter().chain(&self.when) {
            let window = of(before)?;
            earliest = earliest.max(window.earliest);
            latest = latest.max(window.end);
        }
        Some((earliest.saturating_add(self.at), latest.saturating_add(self.at)))
    }
}

/// The schedule of a producer; none is a closed loop.
pub(super) fn schedule(produce: &Produce) -> Option<Schedule> {
    match &produce.pace {
        Pace::Closed => None,
        Pace::Rate(rate) => Some(match produce.duration {
            Some(length) => Schedule::stages([(length.std(), rate.get())]),
            None => Schedule::constant(rate.get()),
        }),
        Pace::Stages(stages) => {
            Some(Schedule::stages(stages.iter().map(|(length, rate)| (length.std(), rate.get()))))
        }
    }
}

/// How long a producer sends, where that is known beforehand.
pub(super) fn length(produce: &Produce) -> Option<Duration> {
    let scheduled = schedule(produce).and_then(|schedule| schedule.length(produce.messages));
    match (scheduled, produce.duration) {
        (Some(scheduled), Some(duration)) => Some(scheduled.min(duration.std())),
        (scheduled, duration) => scheduled.or(duration.map(crate::units::Duration::std)),
    }
}

/// A bound that grows with a count.
fn counted(count: u64, each: Duration) -> Duration {
    let nanos = each.as_nanos().saturating_mul(count.into());
    let sum = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    sum.saturating_add(defaults::LEAST_TIMEOUT).min(defaults::MOST_TIMEOUT)
}

/// Nobody reads a bound more closely.
fn whole_seconds(bound: Duration) -> Duration {
    Duration::from_secs(bound.as_secs() + u64::from(bound.subsec_nanos() > 0))
}

/// What has a time bound.
#[derive(Clone, Copy)]
enum Item<'a> {
    Activity(&'a Activity),
    Fault(&'a Fault),
}

impl<'a> Item<'a> {
    fn node(self) -> Node<'a> {
        let (after, when, at) = match self {
            Self::Activity(it) => (&it.after, &it.when, it.at),
            Self::Fault(it) => (&it.after, &it.when, it.at),
        };
        Node {
            after: after.as_deref(),
            when: when.as_ref().map(|when: &When| when.scenario.as_str()),
            at: at.unwrap_or_default().std(),
        }
    }

    fn is_background(self) -> bool {
        matches!(self, Self::Activity(activity) if activity.work.is_background())
    }
}

/// Finds the time bounds of a file's scenarios and faults, which share one space of names.
pub(super) struct Bounds<'a> {
    items: IndexMap<&'a str, Item<'a>>,
    cluster: Option<&'a Cluster>,
    /// Who waits for a name, by that name.
    waiting: IndexMap<&'a str, Vec<&'a str>>,
    /// `None` while one is being looked at: a reader may wait for one who waits for the reader.
    windows: IndexMap<&'a str, Option<Window>>,
}

impl<'a> Bounds<'a> {
    /// Looks at all of a file; references in it are known to hold, and waiting has no circles.
    pub(super) fn of(scenario: &'a Scenario) -> Self {
        let activities = scenario.activities.iter().map(|it| (it.name.as_str(), Item::Activity(it)));
        let faults = scenario.faults.iter().map(|it| (it.name.as_str(), Item::Fault(it)));
        let items: IndexMap<&str, Item<'_>> = activities.chain(faults).collect();
        let mut waiting: IndexMap<&str, Vec<&str>> = IndexMap::new();
        for (name, item) in &items {
            let node = item.node();
            for before in node.after.into_iter().chain(node.when) {
                waiting.entry(before).or_default().push(name);
            }
        }
        let (background, others): (Vec<&str>, Vec<&str>) =
            items.keys().copied().partition(|name| items.get(name).is_some_and(|item| item.is_background()));
        let mut bounds =
            Self { items, cluster: scenario.cluster.as_ref(), waiting, windows: IndexMap::new() };
        for name in others.into_iter().chain(background) {
            bounds.window(name);
        }
        bounds
    }

    /// The time bound of a scenario or fault, counted from its start.
    pub(super) fn bound(&self, name: &str) -> Duration {
        let window = self.windows.get(name).copied().flatten().unwrap_or_default();
        window.end.saturating_sub(window.latest)
    }

    /// When the last one has ended.
    pub(super) fn end(&self) -> Duration {
        self.windows.values().flatten().map(|window| window.end).max().unwrap_or_default()
    }

    fn window(&mut self, name: &str) -> Option<Window> {
        if let Some(known) = self.windows.get(name) {
            return *known;
        }
        let (name, item) = self.items.get_key_value(name).map(|(name, item)| (*name, *item))?;
        self.windows.insert(name, None);
        let (earliest, latest) = item.node().start(&mut |before| self.window(before)).unwrap_or_default();
        let bound = match item {
            Item::Activity(Activity { timeout: Some(timeout), .. }) => timeout.std(),
            Item::Activity(activity) => whole_seconds(self.default_bound(activity, earliest)),
            Item::Fault(fault) => whole_seconds(fault_bound(fault, self.cluster)),
        };
        let window = Window { earliest, latest, end: latest.saturating_add(bound) };
        self.windows.insert(name, Some(window));
        Some(window)
    }

    /// All that wait for a scenario, and all that wait for those.
    fn waiting_for(&self, name: &'a str) -> IndexSet<&'a str> {
        let mut found: IndexSet<&str> = IndexSet::new();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            let more = self.waiting.get(name).into_iter().flatten();
            open.extend(more.filter(|waiting| found.insert(waiting)));
        }
        found
    }

    /// When the last producer of a reader, and the last fault, has ended, but for those that wait for the reader itself:
    /// only then is the log's end written.
    fn written(&mut self, reader: &'a str, producers: &[String]) -> Duration {
        let later = self.waiting_for(reader);
        let faults =
            self.items.iter().filter(|(_, item)| matches!(item, Item::Fault(_))).map(|(name, _)| *name);
        let before: Vec<&str> = faults.filter(|name| !later.contains(name)).collect();
        let producers = producers.iter().map(String::as_str).filter(|name| !later.contains(name));
        let all: Vec<&str> = producers.chain(before).collect();
        all.into_iter().filter_map(|name| Some(self.window(name)?.end)).max().unwrap_or_default()
    }

    fn default_bound(&mut self, activity: &'a Activity, earliest: Duration) -> Duration {
        match &activity.work {
            Work::Connect => defaults::CONNECT_TIMEOUT,
            Work::Watch(_) | Work::Metrics(Metrics { every: Some(_), .. }) => {
                self.end().saturating_sub(earliest).max(defaults::METRICS_TIMEOUT)
            }
            Work::Metrics(_) => defaults::METRICS_TIMEOUT,
            Work::Produce(produce) => match length(produce) {
                Some(length) => length.saturating_add(defaults::GRACE),
                None => counted(produce.messages.unwrap_or(0), defaults::PER_MESSAGE),
            },
            Work::Consume(consume) => {
                let written = self.written(&activity.name, &consume.producers).saturating_sub(earliest);
                written.saturating_add(defaults::GRACE).max(defaults::LEAST_TIMEOUT)
            }
            Work::Roundtrip(roundtrip) => {
                let count = roundtrip
                    .iterations
                    .unwrap_or(defaults::ITERATIONS)
                    .saturating_add(roundtrip.warmup.unwrap_or(defaults::WARMUP));
                let clients = u64::from(roundtrip.clients.unwrap_or(defaults::CLIENTS)).max(1);
                counted(count.div_ceil(clients), defaults::PER_ROUNDTRIP)
            }
        }
    }
}

/// The longest time that a fault may take, from its start to the end of its healing.
fn fault_bound(fault: &Fault, cluster: Option<&Cluster>) -> Duration {
    let length = fault.length.map(crate::units::Duration::std);
    // A service that kaf6 starts says how long it may take to be ready again.
    let ready = |service: &str| match cluster.and_then(|cluster| cluster.service(service)) {
        Some(service) => {
            service.ready_timeout.map_or(defaults::READY_TIMEOUT.std(), crate::units::Duration::std)
        }
        None => defaults::FAULT_TIMEOUT,
    };
    let bound = match &fault.action {
        Action::Restart { target, down_for, .. } => {
            down_for.unwrap_or(defaults::DOWN_FOR).std().saturating_add(ready(&target.service))
        }
        Action::Start { target } | Action::Pause { target } => ready(&target.service),
        Action::Stop { target, .. } if length.is_some() => ready(&target.service),
        Action::Stop { .. } | Action::Throttle { .. } | Action::Exec { .. } => defaults::FAULT_TIMEOUT,
        // There and back.
        Action::Scale { service, .. } => ready(service).saturating_mul(1 + u32::from(length.is_some())),
    };
    bound.saturating_add(length.unwrap_or_default())
}

/// The windows of a plan's scenarios, in their order, and then those of its faults.
pub fn windows(plan: &Plan) -> Vec<Window> {
    let scenarios = plan.scenarios.iter().map(|it| (it.name.as_str(), &it.start, it.timeout));
    let faults = plan.faults.iter().map(|it| (it.name.as_str(), &it.start, it.timeout));
    let all: Vec<(&str, &Start, Duration)> = scenarios.chain(faults).collect();
    let mut known: IndexMap<&str, Window> = IndexMap::new();
    // Waiting has no circles, so each round settles at least one more.
    for _ in 0..all.len() {
        for (name, start, timeout) in &all {
            if known.contains_key(name) {
                continue;
            }
            let node = Node {
                after: start.after.as_deref(),
                when: start.when.as_ref().map(|when| when.scenario.as_str()),
                at: start.at,
            };
            if let Some((earliest, latest)) = node.start(&mut |before| known.get(before).copied()) {
                known.insert(name, Window { earliest, latest, end: latest.saturating_add(*timeout) });
            }
        }
        if known.len() == all.len() {
            break;
        }
    }
    all.iter().map(|(name, _, _)| known.get(name).copied().unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::plan::{Plan, build};
    use crate::scenario::{LoadOptions, load_text};

    fn plan(scenarios: &str) -> Plan {
        let text = format!("brokers: embedded\ntopics: [{{name: t}}]\nscenarios:\n{scenarios}");
        let none = |_: &str| None;
        build(&load_text(Path::new("f.yaml"), &text, &LoadOptions::new(&none)).expect("a good file"))
    }

    fn seconds(plan: &Plan) -> Vec<u64> {
        plan.scenarios.iter().map(|scenario| scenario.timeout.as_secs()).collect()
    }

    #[test]
    fn a_reader_has_its_producers_time_and_more() {
        let together = plan("  w: {type: produce, messages: 1000, rate: 50/s}\n  r: {type: consume}\n");
        assert_eq!(seconds(&together), [50, 80]);
        let late = plan(
            "  w: {type: produce, messages: 1000, rate: 50/s}\n  r: {type: consume, at: 10s}\n  \
             x: {type: metrics, url: \"http://x\", every: 1s}\n",
        );
        assert_eq!(seconds(&late), [50, 70, 80]);
    }

    #[test]
    fn a_reader_may_wait_for_a_producer_that_waits_for_a_reader() {
        let plan = plan(
            "  w1: {type: produce, messages: 10}\n  r: {type: consume}\n  w2: {type: produce, messages: 10, after: r}\n",
        );
        assert!(plan.scenarios.iter().all(|scenario| scenario.timeout >= Duration::from_secs(60)));
        let windows = windows(&plan);
        assert_eq!(windows[2].latest, windows[1].end);
    }

    #[test]
    fn a_reader_has_the_faults_time_too_but_for_those_that_wait_for_it() {
        let with = |reader: &str, faults: &str| {
            let text = format!(
                "brokers: [\"x:1\"]\ntopics: [{{name: t}}]\ncluster: {{attach: {{b: x}}}}\nscenarios:\n  \
                 w: {{type: produce, messages: 1000, rate: 50/s}}\n  r: {{type: consume{reader}}}\nfaults:\n{faults}"
            );
            let none = |_: &str| None;
            build(&load_text(Path::new("f.yaml"), &text, &LoadOptions::new(&none)).expect("a good file"))
        };
        let bounce = "  f: {type: restart, target: b, after: w, down_for: 5s}\n";
        let plan = with(", after: f", bounce);
        // The producer 50 s, the fault 65 s after it, and the reader then as long as any.
        assert_eq!((seconds(&plan), plan.faults[0].timeout.as_secs()), (vec![50, 145], 65));
        assert_eq!(seconds(&with("", bounce)), [50, 145]);
        assert_eq!(seconds(&with("", "  f: {type: restart, target: b, after: r, down_for: 5s}\n")), [50, 80]);
        let later = with(
            "",
            "  f: {type: restart, target: b, after: r}\n  g: {type: pause, target: b, for: 1h, after: f}\n",
        );
        assert_eq!(seconds(&later), [50, 80]);
        assert!(later.timeout > Duration::from_secs(3600));
    }

    #[test]
    fn what_is_counted_is_bounded_too() {
        let plan =
            plan("  w: {type: produce, messages: 1000000000000}\n  r: {type: roundtrip, clients: 5}\n");
        assert_eq!(seconds(&plan), [24 * 3600, 65]);
        assert!(plan.timeout > Duration::from_secs(24 * 3600));
    }
}
