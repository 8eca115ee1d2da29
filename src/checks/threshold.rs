//! `threshold`: a metric compared with a value, at the end or, with `abort`, while the run goes on.
//!
//! Latencies in milliseconds, rates in messages a second, throughput in bytes a second, error_rate as a share of 1.

use super::answer::{Answer, Outcome};
use super::case::Case;
use super::integrity::{anomaly_count, lacks_audit};
use crate::metrics::{Snapshot, Window};
use crate::observe::{Observations, ScenarioSeen};
use crate::plan::{Metric, Op, Span, ThresholdExpr, Work};

/// Compares at the end.
pub(super) fn threshold(
    index: usize,
    scenario: &ScenarioSeen,
    seen: &Observations,
    expr: &ThresholdExpr,
) -> Answer {
    if let Metric::Anomaly(anomaly) = expr.metric {
        let Some(count) = anomaly_count(index, seen, anomaly) else {
            return Answer::new(Outcome::Inconclusive, &expr.text, "not measured")
                .because(format!("this run had no way to measure `{}` here", anomaly.name()));
        };
        let answer = Answer::passes_if(holds(expr, as_f64(count)), &expr.text, count.to_string());
        return match lacks_audit(index, seen, anomaly, &expr.text) {
            Some(open) if answer.outcome == Outcome::Pass => open,
            _ => answer,
        };
    }
    let sends = scenario.kind != "consume";
    match measure(&scenario.counts, expr.metric, sends) {
        Some(value) => Answer::passes_if(holds(expr, value), &expr.text, print(value)),
        // Reading of old records measures no latency; that is no fault of the broker.
        None if scenario.counts.received + scenario.counts.acked > 0 => {
            Answer::new(Outcome::Inconclusive, &expr.text, "not measured").because(format!(
                "scenario `{}` had nothing to measure it on: latency of reading counts only messages sent after the reader had caught up",
                scenario.name
            ))
        }
        None => Answer::no_data(&expr.text),
    }
}

/// Compares in the part of the run that a fault cuts out, by the whole buckets of the timeline in it.
pub(super) fn within(case: &Case<'_>, expr: &ThresholdExpr, span: &Span) -> Answer {
    let unknown = |why: String| Answer::new(Outcome::Inconclusive, &expr.text, "not measured").because(why);
    let (start, end) = match case.span_of(span.fault()) {
        Ok(span) => span,
        Err(why) => return unknown(why),
    };
    let (name, fault) = (&case.scenario.name, span.fault());
    let counts = &case.scenario.counts;
    if counts.gaps.first().is_none() && counts.errors == 0 {
        return Answer::no_data(&expr.text);
    }
    let begun = case.scenario.span.map_or(start, |(begun, _)| begun);
    let (from, to, part) = match span {
        Span::During(_) => (start.max(begun), end.min(case.work_end()), "during"),
        Span::After(_) => (end.max(begun), case.work_end(), "after"),
    };
    let window = counts.timeline.window(from, to);
    if window.length.is_zero() {
        let width = counts.timeline.width_ms();
        return unknown(format!("scenario `{name}` was at work for no whole {width} ms {part} `{fault}`"));
    }
    match measure_part(&window, counts, expr.metric, case.scenario.kind) {
        Some(value) => Answer::passes_if(holds(expr, value), &expr.text, print(value)),
        None if matches!(expr.metric, Metric::Sent | Metric::Anomaly(_)) => {
            unknown("this is known of a whole run only".to_owned())
        }
        None if window.total.count > 0 => unknown(format!(
            "scenario `{name}` had nothing to measure it on {part} `{fault}`: latency of reading counts only messages sent after the reader had caught up"
        )),
        None => Answer::no_data(&expr.text)
            .because(format!("scenario `{name}` got nothing done {part} `{fault}`")),
    }
}

/// The metric's value in a part of the run; none where nothing was measured.
fn measure_part(part: &Window, counts: &Snapshot, metric: Metric, kind: &str) -> Option<f64> {
    let (sends, reads) = (kind != "consume", kind != "produce");
    let cell = &part.total;
    match metric {
        Metric::Sent | Metric::Anomaly(_) => None,
        Metric::Acked => Some(as_f64(if sends { cell.count } else { 0 })),
        Metric::Received => Some(as_f64(if reads { cell.count } else { 0 })),
        Metric::Errors => Some(as_f64(cell.errors)),
        Metric::ErrorRate => {
            let of = cell.count + cell.errors;
            (of > 0).then(|| as_f64(cell.errors) / as_f64(of))
        }
        Metric::Rate => part.rate_per_s(),
        // Messages of one scenario are of one making: their mean size is that of the whole run.
        Metric::Throughput => {
            let done = if sends { counts.acked } else { counts.received };
            part.rate_per_s().map(|rate| rate * as_f64(counts.bytes) / as_f64(done.max(1)))
        }
        Metric::P50 => cell.quantile_ms(0.5),
        Metric::P90 => cell.quantile_ms(0.9),
        Metric::P95 => cell.quantile_ms(0.95),
        Metric::P99 => cell.quantile_ms(0.99),
        Metric::P999 => cell.quantile_ms(0.999),
        Metric::Max => cell.quantile_ms(1.0),
        Metric::Mean => cell.mean_ms(),
    }
}

/// It fails on what has been seen so far, and not just for want of data.
pub(super) fn fails_already(work: &Work, counts: &Snapshot, expr: &ThresholdExpr) -> bool {
    let sends = !matches!(work, Work::Consume(_));
    measure(counts, expr.metric, sends).is_some_and(|value| !holds(expr, value))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay below 2^53")]
const fn as_f64(count: u64) -> f64 {
    count as f64
}

/// The metric's value; none where nothing was measured.
fn measure(counts: &Snapshot, metric: Metric, sends: bool) -> Option<f64> {
    let done = if sends { counts.acked } else { counts.received };
    match metric {
        Metric::Sent => Some(as_f64(counts.sent)),
        Metric::Acked => Some(as_f64(counts.acked)),
        Metric::Received => Some(as_f64(counts.received)),
        Metric::Errors => Some(as_f64(counts.errors)),
        Metric::ErrorRate => {
            let of = if sends { counts.sent } else { counts.received + counts.errors };
            (of > 0).then(|| as_f64(counts.errors) / as_f64(of))
        }
        Metric::Rate => counts.rate_per_s(done),
        Metric::Throughput => {
            counts.rate_per_s(done).map(|rate| rate * as_f64(counts.bytes) / as_f64(done.max(1)))
        }
        Metric::P50 => counts.latency.quantile_ms(0.5),
        Metric::P90 => counts.latency.quantile_ms(0.9),
        Metric::P95 => counts.latency.quantile_ms(0.95),
        Metric::P99 => counts.latency.quantile_ms(0.99),
        Metric::P999 => counts.latency.quantile_ms(0.999),
        Metric::Max => counts.latency.max_ms(),
        Metric::Mean => counts.latency.mean_ms(),
        Metric::Anomaly(_) => None,
    }
}

fn holds(expr: &ThresholdExpr, value: f64) -> bool {
    match expr.op {
        Op::Less => value < expr.value,
        Op::LessOrEqual => value <= expr.value,
        Op::Greater => value > expr.value,
        Op::GreaterOrEqual => value >= expr.value,
        #[expect(clippy::float_cmp, reason = "counts are whole; for others the user asked for it")]
        Op::Equal => value == expr.value,
        #[expect(clippy::float_cmp, reason = "counts are whole; for others the user asked for it")]
        Op::NotEqual => value != expr.value,
    }
}

/// Whole numbers plain, others with three digits.
fn print(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{value:.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}
