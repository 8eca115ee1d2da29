//! Time bounds: every scenario has a finite one, and from them follows when each can be running.
//!
//! Owns the bounds of scenarios that say none, and the windows that the timeline draws.

use std::time::Duration;

use indexmap::IndexMap;

use super::{ScenarioPlan, Schedule, defaults};
use crate::scenario::valid::{Activity, Metrics, Pace, Produce, Work};

/// When a scenario can be running, counted from the run's zero.
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

/// Finds the time bounds of a file's scenarios.
pub(super) struct Bounds<'a> {
    activities: IndexMap<&'a str, &'a Activity>,
    /// `None` while a scenario is being looked at: a reader may wait for one who waits for the reader.
    windows: IndexMap<&'a str, Option<Window>>,
}

impl<'a> Bounds<'a> {
    /// Looks at all scenarios; references in them are known to hold, and waiting has no circles.
    pub(super) fn of(activities: &'a [Activity]) -> Self {
        let activities: IndexMap<&str, &Activity> = activities.iter().map(|a| (a.name.as_str(), a)).collect();
        let mut bounds = Self { activities, windows: IndexMap::new() };
        let names: Vec<&str> = bounds.activities.keys().copied().collect();
        let is_background = |name: &str| bounds.activities.get(name).is_some_and(|a| a.work.is_background());
        let (background, others): (Vec<&str>, Vec<&str>) =
            names.into_iter().partition(|name| is_background(name));
        for name in others.into_iter().chain(background) {
            bounds.window(name);
        }
        bounds
    }

    /// The time bound of a scenario, counted from its start.
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
        let activity = *self.activities.get(name)?;
        self.windows.insert(&activity.name, None);
        let node = Node {
            after: activity.after.as_deref(),
            when: activity.when.as_ref().map(|when| when.scenario.as_str()),
            at: activity.at.unwrap_or_default().std(),
        };
        let (earliest, latest) = node.start(&mut |before| self.window(before)).unwrap_or_default();
        let bound = match activity.timeout {
            Some(timeout) => timeout.std(),
            None => whole_seconds(self.default_bound(activity, earliest)),
        };
        let window = Window { earliest, latest, end: latest.saturating_add(bound) };
        self.windows.insert(&activity.name, Some(window));
        Some(window)
    }

    fn default_bound(&mut self, activity: &Activity, earliest: Duration) -> Duration {
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
                let ends: Vec<Duration> =
                    consume.producers.iter().filter_map(|name| Some(self.window(name)?.end)).collect();
                let written = ends.into_iter().max().unwrap_or_default().saturating_sub(earliest);
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

/// The windows of a plan's scenarios, in their order.
pub fn windows(scenarios: &[ScenarioPlan]) -> Vec<Window> {
    let mut known: IndexMap<&str, Window> = IndexMap::new();
    // Waiting has no circles, so each round settles at least one more.
    for _ in 0..scenarios.len() {
        for scenario in scenarios
            .iter()
            .filter(|scenario| !known.contains_key(scenario.name.as_str()))
            .collect::<Vec<_>>()
        {
            let node = Node {
                after: scenario.start.after.as_deref(),
                when: scenario.start.when.as_ref().map(|when| when.scenario.as_str()),
                at: scenario.start.at,
            };
            if let Some((earliest, latest)) = node.start(&mut |before| known.get(before).copied()) {
                let end = latest.saturating_add(scenario.timeout);
                known.insert(&scenario.name, Window { earliest, latest, end });
            }
        }
        if known.len() == scenarios.len() {
            break;
        }
    }
    scenarios.iter().map(|scenario| known.get(scenario.name.as_str()).copied().unwrap_or_default()).collect()
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
        let windows = windows(&plan.scenarios);
        assert_eq!(windows[2].latest, windows[1].end);
    }

    #[test]
    fn what_is_counted_is_bounded_too() {
        let plan =
            plan("  w: {type: produce, messages: 1000000000000}\n  r: {type: roundtrip, clients: 5}\n");
        assert_eq!(seconds(&plan), [24 * 3600, 65]);
        assert!(plan.timeout > Duration::from_secs(24 * 3600));
    }
}
