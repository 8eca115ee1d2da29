//! Prints a plan for `kaf6 plan` and `kaf6 validate`: what will happen, when, and because of which setting.
//!
//! A pure function of the plan.

use std::fmt::Write;
use std::time::Duration as StdDuration;

use crate::plan::render::containers as containers_page;
use crate::plan::render::{count, line, section, time, when_text};
use crate::plan::windows;
use crate::plan::windows::Window;
use crate::plan::{CheckPlan, ClusterPlan, CountMetric, Plan, ScenarioPlan, Start, Target, Work};
use crate::scenario::ServiceTemplate;

/// Width of the bars, in columns.
const WIDTH: usize = 48;

/// The line that `kaf6 validate` prints for a valid file.
pub fn validate_line(plan: &Plan) -> String {
    let implicit = match plan.checks.iter().filter(|check| check.implicit).count() {
        0 => String::new(),
        implicit => format!(" ({implicit} added automatically)"),
    };
    let faults = match plan.faults.len() as u64 {
        0 => String::new(),
        faults => format!("{}, ", count(faults, "fault")),
    };
    format!(
        "{}: valid: {}, {faults}{}, {}{implicit}",
        plan.source.path.display(),
        count(plan.scenarios.iter().filter(|it| !it.work.is_readback()).count() as u64, "scenario"),
        count(plan.topics.len() as u64, "topic"),
        count(plan.checks.len() as u64, "check"),
    )
}

fn joined(list: &[ServiceTemplate]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The whole output, with variables in place of secrets.
pub fn render(plan: &Plan) -> String {
    let mut out = String::new();
    header(plan, &mut out);
    if let Some(cluster) = &plan.cluster {
        containers_page::cluster(cluster, &mut out);
    }
    topics(plan, &mut out);
    timeline(plan, &mut out);
    scenarios(plan, &mut out);
    containers_page::faults(&plan.faults, &mut out);
    checks(plan, &mut out);
    section(&mut out, "defaults used", plan.defaults.iter().map(|d| (d.field.clone(), d.value.clone())));
    plan.secrets.as_written(&out).into_owned()
}

fn header(plan: &Plan, out: &mut String) {
    line(out, &format!("{}  ({})", plan.name, plan.source.path.display()));
    let mut row = |name: &str, value: &str| {
        line(out, &format!("  {name:9}{value}"));
    };
    if let Some(description) = &plan.description {
        row("about", description.trim());
    }
    match &plan.target {
        Target::Embedded => row("brokers", "embedded in kaf6"),
        Target::Brokers(list) if list.is_empty() => row("brokers", "none needed"),
        Target::Brokers(list) => row("brokers", &joined(list)),
        Target::Cluster => {
            let list: Vec<String> = plan
                .cluster
                .iter()
                .flat_map(ClusterPlan::bootstrap)
                .map(|(service, replica)| format!("{{{{{}.{replica}.kafka}}}}", service.name))
                .collect();
            row("brokers", &list.join(", "));
        }
    }
    if let Some(profile) = &plan.profile {
        row("profile", profile);
    }
    if let Some(security) = &plan.client.security {
        row("security", &security.protocol);
    }
    row("timeout", &format!("{} from the start of the run", time(plan.timeout)));
}

fn topics(plan: &Plan, out: &mut String) {
    section(
        out,
        "topics",
        plan.topics.iter().map(|topic| {
            let copies = match topic.replication_factor {
                -1 => "the broker's default replication factor".to_owned(),
                copies => format!("replication factor {copies}"),
            };
            let how = match (topic.recreate, &topic.position) {
                (true, _) => "deleted and recreated",
                (false, Some(_)) => "created if missing",
                (false, None) => "not declared; created if missing",
            };
            let partitions = count(topic.partitions.unsigned_abs().into(), "partition");
            (topic.name.to_string(), format!("{partitions}, {copies}, {how}"))
        }),
    );
}

struct Row<'a> {
    name: &'a str,
    start: &'a Start,
    expected: Option<StdDuration>,
}

/// When each scenario and fault is expected to run (`=`) and can be running (`.`).
fn timeline(plan: &Plan, out: &mut String) {
    let windows = windows::of_plan(plan);
    let end = windows.iter().map(|window| window.end).max().unwrap_or_default();
    if end.is_zero() {
        return;
    }
    let scenarios =
        plan.scenarios.iter().map(|it| Row { name: &it.name, start: &it.start, expected: expected(it) });
    let faults =
        plan.faults.iter().map(|it| Row { name: &it.name, start: &it.start, expected: it.expected() });
    let rows: Vec<Row<'_>> = scenarios.chain(faults).collect();
    let name_width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    let _ = writeln!(out, "\ntimeline  (= as planned, . up to its timeout)");
    let right = time(end);
    let gap = WIDTH.saturating_sub(right.len() + 2);
    let _ = writeln!(out, "  {:name_width$}  0s{:gap$}{right}", "", "");
    for (row, window) in rows.iter().zip(&windows) {
        let bar = bar(row, window, end);
        let why = start_text(row.start);
        line(out, &format!("  {:name_width$} |{bar}| {why}", row.name));
    }
}

fn bar(row: &Row<'_>, window: &Window, end: StdDuration) -> String {
    let column = |at: StdDuration| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a small width"
        )]
        let column = (at.as_secs_f64() / end.as_secs_f64() * WIDTH as f64).round() as usize;
        column.min(WIDTH)
    };
    let start = column(window.earliest).min(WIDTH - 1);
    let stop = column(window.end).max(start + 1);
    let planned = match row.expected {
        // The start is unknown if it depends on others.
        Some(length) if row.start.after.is_none() && row.start.when.is_none() => {
            column(window.earliest.saturating_add(length)).clamp(start + 1, stop)
        }
        _ => start,
    };
    (0..WIDTH)
        .map(|at| match at {
            _ if at < start || at >= stop => ' ',
            _ if at < planned => '=',
            _ => '.',
        })
        .collect()
}

/// How long a scenario runs if nothing fails, if the plan knows it.
fn expected(scenario: &ScenarioPlan) -> Option<StdDuration> {
    match &scenario.work {
        Work::Produce(produce) => produce.length(),
        _ if scenario.is_background() => Some(scenario.timeout),
        _ => None,
    }
}

fn start_text(start: &Start) -> String {
    let mut parts = Vec::new();
    if let Some(after) = &start.after {
        parts.push(format!("<- after {after}"));
    }
    if let Some(when) = &start.when {
        parts.push(format!("<- when {}", when_text(when)));
    }
    if !start.at.is_zero() {
        parts.push(format!("{}{}", if start.after.is_some() { "+ " } else { "at " }, time(start.at)));
    }
    parts.join(" ")
}

fn scenarios(plan: &Plan, out: &mut String) {
    let _ = writeln!(out, "\nscenarios");
    for scenario in &plan.scenarios {
        let kind = scenario.work.kind();
        line(out, &format!("  {} ({kind}, at most {})", scenario.name, time(scenario.timeout)));
        for text in scenario.work.lines(&plan.secrets) {
            line(out, &format!("    {text}"));
        }
        if let Some(brokers) = &scenario.brokers {
            line(out, &format!("    own brokers: {}", joined(brokers)));
        }
    }
}

fn checks(plan: &Plan, out: &mut String) {
    section(
        out,
        "checks",
        plan.checks.iter().map(|check| {
            let kind = check.ask.kind();
            // A check without a name already uses its kind as name.
            let parts = [
                (check.name != kind.name()).then(|| kind.to_string()),
                check.ask.in_words(default_count(plan, check)),
                check.scenario.as_ref().map(|scenario| format!("of {scenario}")),
                check.implicit.then(|| "added automatically".to_owned()),
            ];
            (check.name.clone(), parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
        }),
    );
}

/// What a check counts by default: `acked` for a producer, otherwise `received`.
fn default_count(plan: &Plan, check: &CheckPlan) -> CountMetric {
    let named = |s: &&ScenarioPlan| check.scenario.as_ref().is_none_or(|name| s.name == *name);
    let receives =
        |s: &ScenarioPlan| matches!(s.work, Work::Consume(_) | Work::Roundtrip(_)) && !s.work.is_readback();
    if plan.scenarios.iter().filter(named).any(receives) { CountMetric::Received } else { CountMetric::Acked }
}
