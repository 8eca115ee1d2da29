//! Computes timeouts. Every scenario and fault gets a finite one, which determines when each one can be
//! running.
//!
//! Defines the default timeouts.

use std::time::Duration;

use indexmap::{IndexMap, IndexSet};

use crate::plan::scenarios::DefaultTimeout;
use crate::plan::windows::{Window, settle, start_of};
use crate::plan::{ClusterPlan, ConsumePlan, FaultPlan, ScenarioPlan, Start, Work, defaults};

/// Rounds a timeout up, because readers need no more precision.
fn whole_seconds(bound: Duration) -> Duration {
    let bound = bound.min(defaults::LONGEST);
    Duration::from_secs(bound.as_secs() + u64::from(bound.subsec_nanos() > 0))
}

/// An item with a timeout.
#[derive(Clone, Copy)]
enum Item<'a> {
    /// A scenario, with the timeout in the file.
    Scenario(&'a ScenarioPlan, Option<Duration>),
    Fault(&'a FaultPlan),
}

impl<'a> Item<'a> {
    fn start(self) -> &'a Start {
        match self {
            Self::Scenario(it, _) => &it.start,
            Self::Fault(it) => &it.start,
        }
    }

    fn is_background(self) -> bool {
        matches!(self, Self::Scenario(scenario, _) if scenario.is_background())
    }
}

/// Computes the timeouts of a file's scenarios and faults. They share one namespace.
pub(super) struct Timeouts<'a> {
    items: IndexMap<&'a str, Item<'a>>,
    cluster: Option<&'a ClusterPlan>,
    faults: &'a [FaultPlan],
    /// How long a reader waits for messages that a reachable broker does not return.
    unreadable_after: Duration,
    /// For each name, the items that wait for it.
    waiting: IndexMap<&'a str, Vec<&'a str>>,
    /// `None` while an item is being computed. A reader may wait for an item that waits for the reader.
    windows: IndexMap<&'a str, Option<Window>>,
}

impl<'a> Timeouts<'a> {
    /// Computes all timeouts. References must be valid and without cycles. Each scenario comes with the
    /// timeout in the file.
    pub(super) fn of(
        scenarios: impl Iterator<Item = (&'a ScenarioPlan, Option<Duration>)>,
        cluster: Option<&'a ClusterPlan>,
        faults: &'a [FaultPlan],
        unreadable_after: Duration,
    ) -> Self {
        let scenarios = scenarios.map(|(it, timeout)| (it.name.as_str(), Item::Scenario(it, timeout)));
        let items: IndexMap<&str, Item<'_>> =
            scenarios.chain(faults.iter().map(|it| (it.name.as_str(), Item::Fault(it)))).collect();
        let mut waiting: IndexMap<&str, Vec<&str>> = IndexMap::new();
        for (name, item) in &items {
            for before in item.start().waits_for() {
                waiting.entry(before).or_default().push(name);
            }
        }
        let (background, others): (Vec<&str>, Vec<&str>) =
            items.keys().copied().partition(|name| items.get(name).is_some_and(|item| item.is_background()));
        let mut timeouts =
            Self { items, cluster, faults, unreadable_after, waiting, windows: IndexMap::new() };
        for name in &others {
            timeouts.window(name);
        }
        // Readers may have been computed in a cycle. Once all timeouts are known, windows depend on starts
        // only.
        let known = timeouts.items.iter().filter(|(name, _)| others.contains(name));
        let known: Vec<_> = known.map(|(name, item)| (*name, item.start(), timeouts.timeout(name))).collect();
        timeouts.windows = settle(&known).into_iter().map(|(name, window)| (name, Some(window))).collect();
        for name in background {
            timeouts.window(name);
        }
        timeouts
    }

    /// The timeout of a scenario or fault, from its start.
    pub(super) fn timeout(&self, name: &str) -> Duration {
        let window = self.windows.get(name).copied().flatten().unwrap_or_default();
        window.end.saturating_sub(window.latest)
    }

    /// When a scenario or fault has ended at the latest.
    pub(super) fn end_of(&self, name: &str) -> Duration {
        self.windows.get(name).copied().flatten().unwrap_or_default().end
    }

    /// The timeout of a run without `run.timeout`.
    pub(super) fn of_run(&self) -> Duration {
        self.end().saturating_add(defaults::GRACE).max(defaults::RUN_TIMEOUT)
    }

    /// When the last item has ended.
    fn end(&self) -> Duration {
        self.windows.values().flatten().map(|window| window.end).max().unwrap_or_default()
    }

    fn window(&mut self, name: &str) -> Option<Window> {
        if let Some(known) = self.windows.get(name) {
            return *known;
        }
        let (name, item) = self.items.get_key_value(name).map(|(name, item)| (*name, *item))?;
        self.windows.insert(name, None);
        let (earliest, latest) =
            start_of(item.start(), &mut |before| self.window(before)).unwrap_or_default();
        if let Item::Scenario(ScenarioPlan { work: Work::Consume(consume), .. }, _) = item {
            // Its end marker may wait for an item that another reader's count starts, and that reader's end
            // marker for an item that this reader's count starts. The other reader then uses this value,
            // which ignores faults.
            let written = self.last_end(name, consume.producers.iter().map(String::as_str));
            let end = latest.saturating_add(self.reading(consume, written.saturating_sub(earliest)));
            self.windows.insert(name, Some(Window { earliest, latest, end }));
        }
        let timeout = match item {
            Item::Scenario(_, Some(timeout)) => timeout,
            Item::Scenario(scenario, None) => whole_seconds(self.default_of(scenario, earliest)),
            Item::Fault(fault) => whole_seconds(fault.longest(self.cluster, self.faults)),
        };
        let window = Window { earliest, latest, end: latest.saturating_add(timeout) };
        self.windows.insert(name, Some(window));
        Some(window)
    }

    /// All items that wait for a scenario, directly or indirectly.
    fn waiting_for(&self, name: &'a str) -> IndexSet<&'a str> {
        let mut found: IndexSet<&str> = IndexSet::new();
        let mut open = vec![name];
        while let Some(name) = open.pop() {
            let more = self.waiting.get(name).into_iter().flatten();
            open.extend(more.filter(|waiting| found.insert(waiting)));
        }
        found
    }

    /// When the last of these has ended, except those that wait for the reader itself.
    fn last_end(&mut self, reader: &'a str, names: impl Iterator<Item = &'a str>) -> Duration {
        let later = self.waiting_for(reader);
        let before: Vec<&str> = names.filter(|name| !later.contains(name)).collect();
        before.into_iter().filter_map(|name| Some(self.window(name)?.end)).max().unwrap_or_default()
    }

    /// When the last producer of a reader and the last fault have ended, except those that wait for the
    /// reader itself. The end markers are written after that.
    fn written(&mut self, reader: &'a str, producers: &'a [String]) -> Duration {
        let faults: Vec<&str> = self
            .items
            .iter()
            .filter(|(_, item)| matches!(item, Item::Fault(_)))
            .map(|(name, _)| *name)
            .collect();
        self.last_end(reader, producers.iter().map(String::as_str).chain(faults))
    }

    /// Total length of the faults that start on a count of this scenario, directly or indirectly, except
    /// those that wait for its end. They may run one after the other.
    fn held_up(&self, name: &'a str) -> Duration {
        let mut behind: IndexSet<&str> = IndexSet::new();
        for waiting in self.waiting.get(name).into_iter().flatten() {
            if self.items.get(waiting).is_some_and(|item| item.start().after.as_deref() == Some(name)) {
                behind.insert(waiting);
                behind.extend(self.waiting_for(waiting));
            }
        }
        let waiting = self.waiting_for(name);
        let begun = waiting.difference(&behind).filter_map(|name| match self.items.get(name) {
            Some(Item::Fault(fault)) => Some(fault.longest(self.cluster, self.faults)),
            _ => None,
        });
        begun.fold(Duration::ZERO, Duration::saturating_add)
    }

    /// Maximum time for a reader whose log is complete after `written`. Acked messages may be unreadable for
    /// a while.
    fn reading(&self, consume: &ConsumePlan, written: Duration) -> Duration {
        let unreadable = if consume.producers.is_empty() { Duration::ZERO } else { self.unreadable_after };
        let more = unreadable.saturating_add(defaults::GRACE);
        written.saturating_add(more).max(defaults::LEAST_TIMEOUT)
    }

    fn default_of(&mut self, scenario: &'a ScenarioPlan, earliest: Duration) -> Duration {
        match scenario.work.default_timeout() {
            DefaultTimeout::Fixed(timeout) => timeout,
            DefaultTimeout::Background => self.end().saturating_sub(earliest).max(defaults::METRICS_TIMEOUT),
            DefaultTimeout::Reading(consume) => {
                let written = self.written(&scenario.name, &consume.producers).saturating_sub(earliest);
                self.reading(consume, written).saturating_add(self.held_up(&scenario.name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Plan, defaults, load_text, windows};
    use crate::scenario::LoadOptions;

    fn plan(scenarios: &str) -> Plan {
        let text = format!("brokers: embedded\ntopics: [{{name: t}}]\nscenarios:\n{scenarios}");
        let none = |_: &str| None;
        load_text(Path::new("f.yaml"), &text, &LoadOptions::new(&none)).expect("a good file")
    }

    fn seconds(plan: &Plan) -> Vec<u64> {
        plan.scenarios.iter().map(|scenario| scenario.timeout.as_secs()).collect()
    }

    #[test]
    fn a_reader_has_its_producers_time_and_more() {
        let together = plan("  w: {type: produce, messages: 1000, rate: 50/s}\n  r: {type: consume}\n");
        assert_eq!(seconds(&together), [50, 170]);
        let late = plan(
            "  w: {type: produce, messages: 1000, rate: 50/s}\n  r: {type: consume, at: 10s}\n  \
             x: {type: metrics, url: \"http://x\", every: 1s}\n",
        );
        assert_eq!(seconds(&late), [50, 160, 170]);
    }

    #[test]
    fn a_reader_has_time_to_find_something_unreadable() {
        let text = |run: &str, reader: &str| {
            let text = format!(
                "brokers: embedded\ntopics: [{{name: t}}, {{name: u}}]\n{run}scenarios:\n  \
                 w: {{type: produce, topic: t, messages: 1000, rate: 50/s}}\n  r: {{type: consume, topic: {reader}}}\n"
            );
            let none = |_: &str| None;
            load_text(Path::new("f.yaml"), &text, &LoadOptions::new(&none)).expect("a good file")
        };
        assert_eq!(seconds(&text("run: {unreadable_after: 5m}\n", "t"))[1], 50 + 300 + 30);
        assert_eq!(seconds(&text("run: {unreadable_after: 1s}\n", "t"))[1], 81);
        // Readers of other producers' messages have no acked messages to wait for.
        assert_eq!(seconds(&text("run: {unreadable_after: 5m}\n", "u"))[1], 60);
        assert_eq!(text("", "t").unreadable_after, Duration::from_secs(90));
    }

    #[test]
    fn a_reader_may_wait_for_a_producer_that_waits_for_a_reader() {
        let plan = plan(
            "  w1: {type: produce, messages: 10}\n  r: {type: consume}\n  w2: {type: produce, messages: 10, after: r}\n",
        );
        assert!(plan.scenarios.iter().all(|scenario| scenario.timeout >= Duration::from_secs(60)));
        let windows = windows::of_plan(&plan);
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
            load_text(Path::new("f.yaml"), &text, &LoadOptions::new(&none)).expect("a good file")
        };
        let bounce = "  f: {type: restart, target: b, after: w, down_for: 5s}\n";
        let plan = with(", after: f", bounce);
        // The producer takes 50 s. The fault takes 90 s after it: 25 s to stop the broker, 5 s down, 60 s to
        // be ready. Then the reader takes the usual time.
        assert_eq!((seconds(&plan), plan.faults[0].timeout.as_secs()), (vec![50, 260], 90));
        assert_eq!(seconds(&with("", bounce)), [50, 260]);
        assert_eq!(
            seconds(&with("", "  f: {type: restart, target: b, after: r, down_for: 5s}\n")),
            [50, 170]
        );
        let later = with(
            "",
            "  f: {type: restart, target: b, after: r}\n  g: {type: pause, target: b, for: 1h, after: f}\n",
        );
        assert_eq!(seconds(&later), [50, 170]);
        assert!(later.timeout > Duration::from_secs(3600));
    }

    fn faulted(scenarios: &str, faults: &str) -> Plan {
        let text = format!(
            "brokers: [\"x:1\"]\ntopics: [{{name: t}}]\ncluster: {{services: {{b: {{image: i, ready_timeout: 40s}}}}}}\n\
             scenarios:\n  w: {{type: produce, messages: 1000, rate: 50/s}}\n{scenarios}faults:\n{faults}"
        );
        let none = |_: &str| None;
        load_text(Path::new("f.yaml"), &text, &LoadOptions::new(&none)).expect("a good file")
    }

    #[test]
    fn ending_a_service_is_in_a_faults_bound() {
        let plan = faulted(
            "",
            "  a: {type: restart, target: b, down_for: 5s}\n  b: {type: stop, target: b, for: 7s, at: 100s}\n  \
             c: {type: scale, target: b, to: 4, at: 200s}\n  d: {type: scale, target: b, to: 2, at: 300s}\n  \
             e: {type: scale, target: b, to: 3, for: 10s, at: 400s}\n",
        );
        let bounds: Vec<u64> = plan.faults.iter().map(|fault| fault.timeout.as_secs()).collect();
        // 40 s to be ready, and 25 s to stop each replica that is removed: two when scaling from 4 to 2, and
        // at most three out and back.
        assert_eq!(bounds, [70, 72, 40, 40 + 50, 10 + 2 * 40 + 3 * 25]);
    }

    #[test]
    fn readers_whose_counts_start_faults_for_each_other_are_bounded_in_any_order() {
        let readers = ["  r1: {type: consume}\n", "  r2: {type: consume}\n"];
        let faults = "  f1: {type: restart, target: b, when: \"r1.received >= 9\"}\n  \
                      f2: {type: restart, target: b, when: \"r2.received >= 9\"}\n";
        for order in [readers, [readers[1], readers[0]]] {
            let plan = faulted(&order.concat(), faults);
            let windows = windows::of_plan(&plan);
            for reader in &plan.scenarios[1..] {
                // The producer, both faults of 66 s one after the other, and the rest of the reading.
                assert!(reader.timeout.as_secs() >= 50 + 2 * 66 + 120, "{:?}", seconds(&plan));
            }
            let last = windows.iter().map(|window| window.end).max().expect("there are some");
            assert!(plan.timeout >= last, "the run's bound is behind all: {:?} {last:?}", plan.timeout);
        }
    }

    proptest! {
        /// Each fault waits for the reader's count, for an earlier fault, or for the reader's end.
        #[test]
        fn faults_that_a_readers_count_starts_are_in_its_bound(
            faults in prop::collection::vec((0_u64..100, 0_usize..3, any::<prop::sample::Index>()), 1..8)
        ) {
            let (mut text, mut during) = (String::new(), Vec::new());
            for (number, (down, how, other)) in faults.iter().enumerate() {
                let before = (number > 0).then(|| other.index(number.max(1)));
                let start = match (how, before) {
                    (1, Some(before)) => {
                        during.push(during[before]);
                        format!("after: f{before}")
                    }
                    (2, _) => {
                        during.push(false);
                        "after: r".to_owned()
                    }
                    _ => {
                        during.push(true);
                        format!("when: \"r.received >= {}\"", number + 1)
                    }
                };
                text += &format!("  f{number}: {{type: restart, target: b, down_for: {down}s, {start}}}\n");
            }
            let plan = faulted("  r: {type: consume}\n", &text);
            let held: u64 = plan.faults.iter().zip(&during).filter(|(_, during)| **during)
                .map(|(fault, _)| fault.timeout.as_secs()).sum();
            prop_assert_eq!(seconds(&plan), [50, 170 + held]);
        }
    }

    #[test]
    fn bounds_that_double_along_a_chain_stay_finite() {
        let chain: String = (0..300)
            .map(|n| {
                let before = if n == 0 { String::new() } else { format!(", after: r{}", n - 1) };
                format!(
                    "  w{n}: {{type: produce, messages: 9{before}}}\n  r{n}: {{type: consume, after: w{n}}}\n"
                )
            })
            .collect();
        let start = std::time::Instant::now();
        let plan = plan(&chain);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        assert!(plan.scenarios.iter().all(|scenario| scenario.timeout <= 2 * defaults::LONGEST));
        assert!(std::time::Instant::now().checked_add(plan.timeout).is_some());
    }

    #[test]
    fn what_is_counted_is_bounded_too() {
        let plan =
            plan("  w: {type: produce, messages: 1000000000000}\n  r: {type: roundtrip, clients: 5}\n");
        assert_eq!(seconds(&plan), [24 * 3600, 65, 24 * 3600 + 120]);
        assert!(plan.timeout > Duration::from_secs(24 * 3600));
    }
}
