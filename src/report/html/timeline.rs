//! The timeline section: rate and p95 latency of each scenario, then scraped series, all on one time axis.
//!
//! Selects the strips, and writes their texts and the names of faults above them.

use askama::Template;

use super::super::chart::sane;
use super::super::chart::scale::{Scale, short, time_ticks};
use super::super::chart::strip::{Frame, Points, Strip, axis, strip};
use super::super::format::{count, float, millis, number};
use super::super::summary::{MetricSeries, Num, SeriesSummary, Summary};

/// Maximum number of scraped series shown. The others are only in summary.json.
const MAX_METRICS: usize = 12;

#[derive(Template)]
#[template(path = "report/timeline.html")]
pub(super) struct TimelineSection {
    pub lanes: Vec<Vec<Label>>,
    pub rows: Vec<TimelineRow>,
    pub ticks: Vec<Tick>,
    pub bucket: String,
    pub has_errors: bool,
    pub hidden_metrics: usize,
}

/// A fault's name above its band.
pub(super) struct Label {
    pub text: String,
    pub left: String,
    pub room: String,
    pub flip: bool,
    pub effective: bool,
}

pub(super) struct TimelineRow {
    pub name: String,
    pub measure: &'static str,
    pub facts: String,
    pub errors: String,
    pub log: bool,
    pub class: &'static str,
    pub first: bool,
    pub axis: String,
    pub svg: String,
}

pub(super) struct Tick {
    pub left: String,
    pub label: String,
    pub wide_only: bool,
    pub edge: &'static str,
}

/// `None` if the run measured nothing over time.
pub(super) fn timeline(run: &Summary) -> Option<TimelineSection> {
    let frame = frame(run);
    let mut rows = Vec::new();
    for (i, (name, series)) in run.timeline.series.iter().enumerate() {
        if series.rate.iter().any(|v| v.get() > 0.0) || series.errors.iter().any(|n| *n > 0) {
            scenario_rows(&mut rows, i, name, series, float(run.timeline.bucket_ms), &frame);
        }
    }
    for (i, series) in run.metric_series.iter().take(MAX_METRICS).enumerate() {
        rows.extend(metric_row(i, series, &frame));
    }
    if rows.is_empty() || frame.end_ms <= 0.0 {
        return None;
    }
    Some(TimelineSection {
        lanes: lanes(run, &frame),
        has_errors: rows.iter().any(|r| !r.errors.is_empty()),
        rows,
        ticks: ticks(&frame),
        bucket: millis(float(run.timeline.bucket_ms)),
        hidden_metrics: run.metric_series.len().saturating_sub(MAX_METRICS),
    })
}

/// The ticks of the time axis.
pub(super) fn ticks(frame: &Frame) -> Vec<Tick> {
    let ticks = time_ticks(frame.end_ms);
    let last = ticks.len().saturating_sub(1);
    let edge = |i: usize, at: f64| match i {
        0 => "first",
        i if i == last && at > 97.0 => "last",
        _ => "",
    };
    let tick = |(i, (at, label, narrow)): (usize, (f64, String, bool))| Tick {
        left: format!("{at:.2}"),
        label,
        wide_only: !narrow,
        edge: edge(i, at),
    };
    ticks.into_iter().enumerate().map(tick).collect()
}

/// The axis ends at the end of the run, or at the last measurement, within limits.
pub(super) fn frame(run: &Summary) -> Frame {
    let duration = float(run.duration_ms);
    let longest = run.timeline.series.values().map(|s| s.rate.len()).max().unwrap_or(0);
    let measured = float(longest as u64) * float(run.timeline.bucket_ms);
    let end_ms = if duration <= 0.0 { measured } else { measured.clamp(duration, duration * 1.5) };
    let bands = run
        .faults
        .iter()
        .filter_map(|f| {
            let start = float(f.started_ms?);
            Some((start, f.ended_ms.map_or(end_ms, float).max(start), f.effective))
        })
        .filter(|(start, ..)| *start <= end_ms)
        .collect();
    Frame { end_ms: sane(end_ms), bands }
}

/// The names of faults, in as many rows as needed to avoid overlaps.
pub(super) fn lanes(run: &Summary, frame: &Frame) -> Vec<Vec<Label>> {
    let mut lanes: Vec<(f64, Vec<Label>)> = Vec::new();
    let mut faults: Vec<_> = run.faults.iter().filter_map(|f| Some((float(f.started_ms?), f))).collect();
    faults.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (start, fault) in faults.into_iter().filter(|(start, _)| *start <= frame.end_ms).take(40) {
        let left = frame.x(start) / 10.0;
        let flip = left > 50.0;
        let (from, to) = if flip { (left - 50.0, left) } else { (left, left + 50.0) };
        let label = Label {
            text: format!("{} · {} {}", fault.name, fault.kind, fault.target),
            left: format!("{left:.2}"),
            room: format!("{:.2}", if flip { left } else { 100.0 - left }),
            flip,
            effective: fault.effective,
        };
        match lanes.iter_mut().find(|(end, _)| *end <= from) {
            Some((end, lane)) => {
                *end = to;
                lane.push(label);
            }
            None => lanes.push((to, vec![label])),
        }
    }
    lanes.into_iter().map(|(_, lane)| lane).collect()
}

fn scenario_rows(
    rows: &mut Vec<TimelineRow>,
    i: usize,
    name: &str,
    s: &SeriesSummary,
    bucket: f64,
    frame: &Frame,
) {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / float(v.len() as u64);
    let most = |v: &[f64]| v.iter().copied().fold(f64::MIN, f64::max);
    // Nothing is drawn before the scenario's first message and after its last one.
    let active = active(&s.rate).unwrap_or(0..0);
    let rate = |(i, v): (usize, &Num)| active.contains(&i).then(|| v.get().max(0.0));
    let rates: Vec<_> = s.rate.iter().enumerate().map(rate).collect();
    let points = Points::buckets(&rates, bucket, true, mean);
    let error_ms: Vec<f64> = s
        .errors
        .iter()
        .enumerate()
        .filter(|(_, n)| **n > 0)
        .map(|(i, _)| (float(i as u64) + 0.5) * bucket)
        .collect();
    let errors = s.errors.iter().fold(0_u64, |a, n| a.saturating_add(*n));
    let facts = rate_facts(&s.rate);
    let scale = Scale::linear(points.known());
    rows.push(TimelineRow {
        name: name.to_owned(),
        measure: "messages/s",
        facts: facts.clone(),
        errors: if errors > 0 { count(errors) } else { String::new() },
        log: false,
        class: "rate",
        first: true,
        axis: axis(scale, short),
        svg: strip(
            &Strip {
                id: format!("r{i}"),
                title: format!("Rate of {name} over time"),
                desc: format!("Messages per second: {facts}. Buckets with errors: {}.", error_ms.len()),
                class: "rate",
                scale,
                points: &points,
                error_ms: &error_ms,
                unit: "/s",
            },
            frame,
        ),
    });
    let latencies: Vec<_> = s.p95_ms.iter().map(|v| v.as_ref().map(Num::get)).collect();
    let points = Points::buckets(&latencies, bucket, false, most);
    if points.known().next().is_none() {
        return;
    }
    let scale = Scale::fitting(points.known());
    let low = points.known().fold(f64::MAX, f64::min);
    let facts = format!("{} to {}", millis(low.max(0.0)), millis(points.known().fold(0.0, f64::max)));
    rows.push(TimelineRow {
        name: name.to_owned(),
        measure: "p95 latency",
        facts: facts.clone(),
        errors: String::new(),
        log: scale.is_log(),
        class: "latency",
        first: false,
        axis: axis(scale, time_label),
        svg: strip(
            &Strip {
                id: format!("l{i}"),
                title: format!("95th percentile of latency of {name} over time"),
                desc: format!("{facts}{}.", if scale.is_log() { ", on a logarithmic scale" } else { "" }),
                class: "latency",
                scale,
                points: &points,
                error_ms: &[],
                unit: " ms",
            },
            frame,
        ),
    });
}

/// From the first bucket with a message to the last.
fn active(rate: &[Num]) -> Option<std::ops::Range<usize>> {
    let first = rate.iter().position(|v| v.get() > 0.0)?;
    let last = rate.iter().rposition(|v| v.get() > 0.0)?;
    Some(first..last + 1)
}

/// The mean rate while the scenario was active, and the highest bucket.
fn rate_facts(rate: &[Num]) -> String {
    let Some(active) = active(rate).and_then(|range| rate.get(range)) else { return "none".to_owned() };
    let sum: f64 = active.iter().map(|v| sane(v.get())).sum();
    let peak = active.iter().map(|v| sane(v.get())).fold(0.0, f64::max);
    format!("mean {}, peak {}", number(sum / float(active.len() as u64)), number(peak))
}

/// A latency tick with its unit. Zero has no unit.
fn time_label(ms: f64) -> String {
    if ms > 0.0 { millis(ms) } else { "0".to_owned() }
}

fn metric_row(i: usize, series: &MetricSeries, frame: &Frame) -> Option<TimelineRow> {
    let values: Vec<f64> = series.value.iter().map(Num::get).collect();
    let points = Points::samples(&series.at_ms, &values, frame.end_ms);
    let low = points.known().reduce(f64::min)?;
    let high = points.known().reduce(f64::max)?;
    let scale = Scale::linear(points.known());
    let facts = if low.total_cmp(&high).is_eq() {
        format!("always {}", number(low))
    } else {
        format!("{} to {}", number(low), number(high))
    };
    Some(TimelineRow {
        name: series.name.clone(),
        measure: "",
        facts: facts.clone(),
        errors: String::new(),
        log: false,
        class: "metric",
        first: true,
        axis: axis(scale, short),
        svg: strip(
            &Strip {
                id: format!("m{i}"),
                title: format!("{} over time, scraped by {}", series.name, series.scenario),
                desc: format!("{facts}."),
                class: "metric",
                scale,
                points: &points,
                error_ms: &[],
                unit: "",
            },
            frame,
        ),
    })
}
