//! Converts the record of a run to its summary.
//!
//! Defines how observations become fields: units, rounding, order, and which values are absent or null.

mod anomalies;
mod beside;
mod cluster;

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::format::whole_ms as ms;
use super::summary::{
    AccountsSummary, ApiSummary, BrokerConnect, CheckRow, FileSummary, HistogramSummary, MetricSeries, Num,
    PartitionSummary, PositionSummary, ReaderSummary, SCHEMA_VERSION, ScenarioSummary, SeriesSummary,
    SourceSummary, StageSummary, Summary, ThrottledSummary, ThrottlingSummary, TimelineSummary,
};
use crate::checks;
use crate::metrics::{Throttled, Throttling, Timeline};
use crate::observe::{EarlyEnd, Observations, ScenarioSeen};
use crate::plan::{ScenarioKind, Work};
use crate::record::{RunRecord, RunStatus};
use crate::scenario::Position;

/// Number of histogram buckets per factor of two in latency.
const PER_OCTAVE: u32 = 3;

pub fn summarize(record: &RunRecord) -> Summary {
    let (plan, seen) = (&record.plan, &record.seen);
    let interrupted = match &seen.cut {
        Some(EarlyEnd::Signal(name)) => Some((*name).to_owned()),
        _ => None,
    };
    Summary {
        schema_version: SCHEMA_VERSION,
        name: plan.name.clone(),
        description: plan.description.clone(),
        kaf6_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: record.started_at.clone(),
        run_tag: record.run_tag.to_string(),
        run_id: record.run_id.clone(),
        profile: plan.profile.clone(),
        brokers: seen.brokers.clone(),
        scenarios: seen
            .scenarios
            .iter()
            .enumerate()
            .map(|(index, s)| {
                let plan = plan.scenarios.get(index);
                // A readback consumer has no position in the file.
                let implicit = plan.is_some_and(|it| matches!(&it.work, Work::Consume(it) if it.readback));
                let position = plan.filter(|_| !implicit).map(|it| position(&it.position));
                (s.name.clone(), ScenarioSummary { implicit, position, ..scenario(s) })
            })
            .collect(),
        checks: checks::worst(&record.results).into_iter().map(|(n, o)| (n.to_owned(), o)).collect(),
        check_results: check_rows(record),
        accounts: seen.accounts.as_ref().map(|accounts| {
            let name = |index: usize| seen.scenarios.get(index).map(|s| s.name.clone()).unwrap_or_default();
            AccountsSummary::of(accounts, name, &seen.topics)
        }),
        throttling: (seen.throttling != Throttling::default()).then(|| ThrottlingSummary {
            produce: throttled(seen.throttling.produce),
            fetch: throttled(seen.throttling.fetch),
        }),
        anomalies: anomalies::anomalies(record.run_tag, seen),
        faults: cluster::faults(plan, seen),
        timeline: timeline(seen),
        notes: seen.notes.clone(),
        status: record.status,
        reason: record.reason.clone(),
        duration_ms: ms(seen.duration),
        setup_ms: ms(seen.setup),
        interrupted,
        source: SourceSummary {
            path: plan.source.path.display().to_string(),
            text: plan.source.text.clone(),
        },
        defaults: plan.defaults.clone(),
        histograms: seen
            .scenarios
            .iter()
            .filter(|s| s.counts.latency.count() > 0)
            .map(|s| (s.name.clone(), histogram(s)))
            .collect(),
        partitions: partitions(seen),
        connect: seen
            .scenarios
            .iter()
            .filter(|s| !s.of_type.brokers.is_empty())
            .map(|s| (s.name.clone(), connect(s)))
            .collect(),
        metadata_changes: cluster::changes(seen),
        watch: cluster::watch(seen),
        containers: cluster::containers(seen, record.status != RunStatus::Pass),
        metric_series: seen.scenarios.iter().flat_map(metric_series).collect(),
        files: files(seen),
    }
}

fn files(seen: &Observations) -> Vec<FileSummary> {
    let ledger = seen.saved.iter().map(|_| FileSummary {
        path: super::LEDGER_JSON.to_owned(),
        about: "acked offsets, for a later `kaf6 verify`".to_owned(),
    });
    ledger.chain(cluster::logs(seen)).collect()
}

fn scenario(seen: &ScenarioSeen) -> ScenarioSummary {
    let counts = &seen.counts;
    let (sends, reads, attempts) = (seen.kind.writes(), seen.kind.reads(), seen.kind.attempts());
    let latency = |quantile| counts.latency.quantile_ms(quantile).map(Num::new);
    let done = match seen.kind {
        ScenarioKind::Produce => counts.acked,
        _ => counts.received,
    };
    ScenarioSummary {
        kind: seen.kind.to_string(),
        ended: seen.ended.name().to_owned(),
        implicit: false,
        position: None,
        sent: (sends || attempts).then_some(counts.sent),
        acked: sends.then_some(counts.acked),
        failed: sends.then_some(counts.failed),
        unknown: sends.then_some(counts.unknown),
        received: reads.then_some(counts.received),
        records: reads.then_some(counts.records),
        foreign: (seen.kind == ScenarioKind::Consume).then_some(counts.foreign),
        planned: seen.planned,
        errors: counts.errors,
        errors_by_code: by_code(&counts.errors_by_code),
        retries_by_code: by_code(&counts.retries_by_code),
        p50_ms: latency(0.5),
        p90_ms: latency(0.9),
        p95_ms: latency(0.95),
        p99_ms: latency(0.99),
        p999_ms: latency(0.999),
        max_ms: counts.latency.max_ms().map(Num::new),
        mean_ms: counts.latency.mean_ms().map(Num::new),
        measured: counts.latency.count(),
        rate_per_s: if sends || reads { counts.rate_per_s(done).map(Num::new) } else { None },
        target_rate_per_s: seen.target_rate.map(Num::new),
        bytes: counts.bytes,
        late_p99_ms: counts.late.quantile_ms(0.99).map(Num::new),
        open_loop: seen.open_loop,
        started_ms: seen.span.map(|(from, _)| ms(from)),
        ended_ms: seen.span.map(|(_, to)| ms(to)),
        message: seen.message.clone(),
        http_status: seen.of_type.scrape.as_ref().and_then(|s| s.last_status),
    }
}

fn throttled(seen: Throttled) -> ThrottledSummary {
    ThrottledSummary { answers: seen.answers, total_ms: ms(seen.total), longest_ms: ms(seen.longest) }
}

fn by_code(counts: &BTreeMap<String, u64>) -> IndexMap<String, u64> {
    counts.iter().map(|(code, count)| (code.clone(), *count)).collect()
}

fn check_rows(record: &RunRecord) -> Vec<CheckRow> {
    record
        .results
        .iter()
        .map(|result| CheckRow {
            name: result.check.name.clone(),
            kind: result.check.ask.kind().to_string(),
            result: result.answer.outcome(),
            expected: result.answer.expected().to_owned(),
            actual: result.answer.actual().to_owned(),
            message: result.answer.message().to_owned(),
            covers: result.answer.covers().to_owned(),
            scenario: result.scenario.clone(),
            implicit: result.check.implicit,
            position: position(&result.check.position),
        })
        .collect()
}

fn position(at: &Position) -> PositionSummary {
    PositionSummary { file: at.file.display().to_string(), line: at.line, column: at.column }
}

fn timeline(seen: &Observations) -> TimelineSummary {
    let moving: Vec<&ScenarioSeen> =
        seen.scenarios.iter().filter(|s| !s.counts.timeline.cells().is_empty()).collect();
    let width = moving.iter().map(|s| s.counts.timeline.width_ms()).max().unwrap_or(100);
    let lines: Vec<(&str, Timeline)> =
        moving.iter().map(|s| (s.name.as_str(), s.counts.timeline.clone().widened(width))).collect();
    let length = lines.iter().map(|(_, t)| t.cells().len()).max().unwrap_or(0);
    #[expect(clippy::cast_precision_loss, reason = "counts and widths stay below 2^53")]
    let series = lines
        .into_iter()
        .map(|(name, line)| {
            let mut series = SeriesSummary::default();
            for at in 0..length {
                let cell = line.cells().get(at);
                let count = cell.map_or(0, |c| c.count);
                series.rate.push(Num::new(count as f64 * 1000.0 / width as f64));
                series.p95_ms.push(cell.and_then(crate::metrics::Bucket::p95_ms).map(Num::new));
                series.errors.push(cell.map_or(0, |c| c.errors));
            }
            (name.to_owned(), series)
        })
        .collect();
    TimelineSummary { bucket_ms: width, series }
}

fn histogram(seen: &ScenarioSeen) -> HistogramSummary {
    let (upper_ms, count) = seen
        .counts
        .latency
        .buckets(PER_OCTAVE)
        .into_iter()
        .map(|(upper, count)| (Num::new(upper), count))
        .unzip();
    HistogramSummary { upper_ms, count }
}

fn partitions(seen: &Observations) -> Vec<PartitionSummary> {
    seen.partitions
        .iter()
        .map(|partition| PartitionSummary {
            topic: seen.topics.get(partition.topic).cloned().unwrap_or_default(),
            partition: partition.partition,
            acked: partition.acked,
            first_acked_offset: partition.acked_offsets.map(|(low, _)| low),
            last_acked_offset: partition.acked_offsets.map(|(_, high)| high),
            fence_offset: partition.end_marker,
            readers: seen
                .readings
                .iter()
                .filter(|r| (r.topic, r.partition) == (partition.topic, partition.partition))
                .map(|r| ReaderSummary {
                    scenario: seen.scenarios.get(r.scenario).map(|s| s.name.clone()).unwrap_or_default(),
                    received: r.received,
                    foreign: r.foreign,
                    first_offset: r.offsets.0,
                    last_offset: r.offsets.1,
                    reached_fence: r.reached_end_marker,
                    resets: r.resets,
                })
                .collect(),
        })
        .filter(|p| p.acked > 0 || !p.readers.is_empty())
        .collect()
}

fn connect(seen: &ScenarioSeen) -> Vec<BrokerConnect> {
    seen.of_type
        .brokers
        .iter()
        .map(|broker| BrokerConnect {
            broker: broker.broker.clone(),
            reachable: broker.reachable,
            attempts: broker.attempts,
            stages: broker
                .stages
                .iter()
                .map(|(name, took, error)| StageSummary {
                    name: (*name).to_owned(),
                    ms: Num::new(took.as_secs_f64() * 1e3),
                    error: error.clone(),
                })
                .collect(),
            apis: broker
                .apis
                .iter()
                .map(|(key, name, min, max)| ApiSummary {
                    key: *key,
                    name: (*name).to_owned(),
                    min: *min,
                    max: *max,
                })
                .collect(),
        })
        .collect()
}

fn metric_series(seen: &ScenarioSeen) -> Vec<MetricSeries> {
    let points = seen.of_type.scrape.iter().flat_map(|scrape| &scrape.points);
    points
        .map(|series| MetricSeries {
            scenario: seen.name.clone(),
            name: series.name.clone(),
            at_ms: series.points.iter().map(|(at, _)| ms(*at)).collect(),
            value: series.points.iter().map(|(_, value)| Num::new(*value)).collect(),
        })
        .collect()
}
