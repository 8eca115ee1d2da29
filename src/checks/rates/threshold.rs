//! `threshold`: does a metric meet a condition, at the end of the run or, with `abort`, at any time?
//!
//! Latencies are in milliseconds, rates in messages per second, throughput in bytes per second. error_rate is
//! a share of 1.

use std::time::Duration;

use crate::anomaly::Anomaly;
use crate::checks::answer::{Answer, Domain, UnknownBecause};
use crate::checks::case::CheckedScenario;
use crate::checks::check::Check;
use crate::checks::messages::count_equals::saw_nothing;
use crate::checks::messages::readings::undecided;
use crate::checks::own_stalls::OwnStalls;
use crate::checks::targets;
use crate::checks::text::{as_f64, counted, places, span as in_words, time, trimmed};
use crate::metrics::{Bucket, BucketWindow, Latency, RATE_OVER, Snapshot};
use crate::plan::{FaultPart, Metric, Op, Plan, ScenarioKind, ThresholdExpr, Work};

/// Latencies of a part of the run are accurate to this share.
const TIMELINE_ERROR: f64 = 0.03;

/// A metric meets a condition.
pub(crate) struct Threshold<'a> {
    pub(crate) expr: &'a ThresholdExpr,
    pub(crate) span: &'a Option<FaultPart>,
}

impl Check for Threshold<'_> {
    fn targets(&self, plan: &Plan) -> Vec<usize> {
        match (self.span, self.expr.metric) {
            (Some(_), _) => targets::load(plan),
            (None, Metric::Anomaly(_)) => targets::messages(plan),
            (None, Metric::Sent | Metric::Acked) => targets::senders(plan),
            (None, _) => targets::counts(plan),
        }
    }

    fn expected(&self) -> String {
        self.expr.text.clone()
    }

    fn evaluate(&self, case: &CheckedScenario<'_>) -> Answer {
        match (self.span, self.expr.metric) {
            (Some(span), _) => self.in_part(case, span),
            (None, Metric::Anomaly(anomaly)) => self.of_anomaly(case, anomaly),
            (None, _) => self.of_run(case),
        }
    }
}

impl Threshold<'_> {
    /// The count of an anomaly, for this reader.
    fn of_anomaly(&self, case: &CheckedScenario<'_>, anomaly: Anomaly) -> Answer {
        let text = &self.expr.text;
        let readings = case.readings();
        let Some(counts) = readings.count(anomaly) else {
            let unknown = UnknownBecause::new(
                format!("this run did not measure `{}` for `{}`", anomaly.name(), case.scenario.name),
                "set `scenario` to a consumer with `from: run`",
            );
            return Answer::inconclusive(text, "not measured", &unknown);
        };
        let count = counts.count;
        let domain = readings
            .domain(case)
            .without(readings.no_audit_for(anomaly))
            .without(undecided(counts, anomaly.name()))
            .without(readings.unmeasured_in(anomaly));
        if holds(self.expr, as_f64(count)) {
            return Answer::pass(text, count.to_string(), domain);
        }
        // More cases could still meet the condition. Unread messages are not a broken promise.
        if (self.expr.may_come_true(as_f64(count)) || anomaly == Anomaly::Unread)
            && let Some(unknown) = readings
                .missing(case)
                .or_else(|| readings.no_audit_for(anomaly))
                .or_else(|| readings.unmeasured_in(anomaly))
        {
            return Answer::inconclusive(text, count.to_string(), &unknown).covering(domain);
        }
        Answer::fail(text, count.to_string(), "").covering(domain)
    }

    /// A count, a rate or a latency over the whole run.
    fn of_run(&self, case: &CheckedScenario<'_>) -> Answer {
        let text = &self.expr.text;
        let counts = &case.scenario.counts;
        if saw_nothing(case.scenario) {
            return case.no_data(text);
        }
        let metric = self.expr.metric;
        let Some(value) = measure(counts, metric, case.sends()) else {
            let length = counts.span_us.map_or(Duration::ZERO, |(a, b)| Duration::from_micros(b - a));
            let unknown =
                too_short(metric, length, case).unwrap_or_else(|| nothing_measured(case, "in this run"));
            return Answer::inconclusive(text, "not measured", &unknown);
        };
        let domain = domain(case, metric, counts.latency.count(), counts.errors);
        if holds(self.expr, value) {
            return Answer::pass(text, self.expr.shown(value), domain.without(case.unseen()));
        }
        if is_count(metric) && self.expr.may_come_true(value) {
            return case.too_little(text, self.expr.shown(value), "").covering(domain);
        }
        let failed = Answer::fail(text, self.expr.shown(value), "").covering(domain);
        let (work, span, own) = (case.work(), case.whole_span(), case.own_stalls());
        let measured = Measured { expr: self.expr, value, work, counts, span, own };
        match self.own_delay(case, value).or_else(|| measured.own_stall(None)) {
            Some(unknown) => failed.explained_by(&unknown),
            None => failed,
        }
    }

    /// States that a latency is too high only because kaf6 sent messages late. `None` if it is too high
    /// without that delay.
    fn own_delay(&self, case: &CheckedScenario<'_>, value: f64) -> Option<UnknownBecause> {
        let own = case.sends().then_some(case.scenario);
        let senders = own.into_iter().chain(case.producers().map(|(_, scenario)| scenario));
        let late = late_by(self.expr, value, senders.map(|sender| &sender.counts))?;
        let metric = self.expr.metric;
        Some(UnknownBecause::new(
            format!(
                "kaf6 itself sent messages up to {} late, and without this delay the broker may have met the limit",
                with_unit(metric, late, 0).0
            ),
            "use a larger machine or a lower `rate`, or run fewer other jobs on it",
        ))
    }

    /// The part of the run that a fault defines, in whole buckets of the timeline.
    fn in_part(&self, case: &CheckedScenario<'_>, span: &FaultPart) -> Answer {
        let text = &self.expr.text;
        let unmeasured = |unknown: &UnknownBecause| Answer::inconclusive(text, "not measured", unknown);
        let (start, end) = match case.span_of(span.fault()) {
            Ok(span) => span,
            Err(unknown) => return unmeasured(&unknown),
        };
        let (name, fault) = (&case.scenario.name, span.fault());
        let counts = &case.scenario.counts;
        if counts.gaps.first().is_none() && counts.errors == 0 {
            return case.no_data(text);
        }
        let begun = case.scenario.span.map_or(start, |(begun, _)| begun);
        let (from, to, part, whole) = match span {
            FaultPart::During(_) => {
                let (start, end) = case.effect_of(fault, (start, end));
                (start.max(begun), end.min(case.work_end()), "during", end)
            }
            FaultPart::After(_) => (end.max(begun), case.work_end(), "after", Duration::MAX),
        };
        let window = counts.timeline.window(from, to);
        if window.length.is_zero() {
            let width = counts.timeline.width_ms();
            return unmeasured(&UnknownBecause::new(
                format!(
                    "scenario `{name}` was active for no complete {width} ms interval {part} \
                `{fault}`"
                ),
                format!("run `{name}` longer, or start `{fault}` earlier"),
            ));
        }
        let domain = Domain::judged_all(1, format!("`{name}` {part} `{fault}`, {}", in_words((from, to))))
            .without(case.ended_before(whole));
        if is_rate(self.expr.metric) && window.length < RATE_OVER {
            let (least, length) = (time(RATE_OVER), time(window.length));
            return unmeasured(&UnknownBecause::new(
                format!(
                    "a rate needs at least {least}, but `{name}` was active for {length} \
                {part} `{fault}`"
                ),
                format!("run `{name}` longer, or start `{fault}` earlier"),
            ));
        }
        match measure_part(&window, counts, self.expr.metric, case.scenario.kind) {
            Some(value) if !holds(self.expr, value) => {
                let failed = Answer::fail(text, self.expr.shown(value), "").covering(domain);
                let (work, own) = (case.work(), case.own_stalls());
                let measured = Measured { expr: self.expr, value, work, counts, span: (from, to), own };
                match self.own_delay(case, value).or_else(|| measured.own_stall(Some(&window))) {
                    Some(unknown) => failed.explained_by(&unknown),
                    None => failed,
                }
            }
            Some(value) => Answer::pass(text, self.expr.shown(value), domain),
            None if matches!(self.expr.metric, Metric::Sent | Metric::Anomaly(_)) => {
                unmeasured(&UnknownBecause::new(
                    "this metric is only available for the whole run",
                    format!("remove `{part}: {fault}` from the check"),
                ))
            }
            None if window.total.count > 0 => {
                unmeasured(&nothing_measured(case, &format!("{part} `{fault}`")))
            }
            None => Answer::inconclusive(
                text,
                "no data",
                &UnknownBecause::new(
                    format!("scenario `{name}` completed nothing {part} `{fault}`"),
                    "add a `continuity` check to limit the longest gap",
                ),
            ),
        }
    }
}

impl ThresholdExpr {
    /// The value with its unit, with enough digits to see on which side of the limit it is.
    fn shown(&self, value: f64) -> String {
        let side = |value: f64| value.partial_cmp(&self.value);
        let metric = self.metric;
        (0..6)
            .map(|more| with_unit(metric, value, more))
            .find(|(_, shown)| side(*shown) == side(value))
            .map_or_else(|| with_unit(metric, value, 6).0, |(text, _)| text)
    }

    /// Whether the condition is not met for this count, but could be for a greater one.
    fn may_come_true(&self, count: f64) -> bool {
        match self.op {
            Op::Greater | Op::GreaterOrEqual | Op::NotEqual => true,
            Op::Equal => count < self.value,
            Op::Less | Op::LessOrEqual => false,
        }
    }
}

/// Whether the metric only increases during a run.
const fn is_count(metric: Metric) -> bool {
    matches!(metric, Metric::Sent | Metric::Acked | Metric::Received | Metric::Errors)
}

/// The domain of a metric over the whole run.
fn domain(case: &CheckedScenario<'_>, metric: Metric, latencies: u64, errors: u64) -> Domain {
    let counts = &case.scenario.counts;
    let span = case.span_in_words();
    if metric.is_latency() {
        return Domain::judged_all(
            latencies,
            format!("{} of {span}", counted(latencies, "latency", "latencies")),
        );
    }
    // An error is an observation, too.
    let messages = counts.sent.max(counts.acked).max(counts.received).max(counts.records).max(errors);
    Domain::judged_all(messages.max(1), span)
}

const fn is_rate(metric: Metric) -> bool {
    matches!(metric, Metric::Rate | Metric::Throughput)
}

/// States that the messages of a run were too close together to compute a rate. `None` if they were not, or
/// for another metric.
fn too_short(metric: Metric, length: Duration, case: &CheckedScenario<'_>) -> Option<UnknownBecause> {
    (is_rate(metric) && length < RATE_OVER).then(|| {
        let name = &case.scenario.name;
        let what = if case.sends_only() { "ack" } else { "message" };
        let (least, length) = (time(RATE_OVER), time(length));
        UnknownBecause::new(
            format!(
                "a rate needs at least {least} from the first {what} to the last, but `{name}` \
            has only {length}"
            ),
            format!("run `{name}` longer"),
        )
    })
}

/// There are no samples. Reading old records measures no latency, which proves nothing about the broker.
fn nothing_measured(case: &CheckedScenario<'_>, part: &str) -> UnknownBecause {
    let name = &case.scenario.name;
    if case.consume().is_some() {
        return UnknownBecause::new(
            format!(
                "scenario `{name}` has no latency samples {part}: read latency counts only \
                messages that were sent after the reader caught up"
            ),
            format!("start `{name}` before its producer, or give the producer a `rate`"),
        );
    }
    UnknownBecause::new(
        format!("scenario `{name}` has no samples {part}"),
        format!("send more messages with `{name}`, or increase its `timeout`"),
    )
}

/// The metric's value in a part of the run. `None` if nothing was measured.
fn measure_part(part: &BucketWindow, counts: &Snapshot, metric: Metric, kind: ScenarioKind) -> Option<f64> {
    let (sends, reads) = (kind.writes(), kind.reads());
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
        // Messages of one scenario have the same form, so their mean size over the whole run is used.
        Metric::Throughput => {
            let done = if sends { counts.acked } else { counts.received };
            part.rate_per_s().map(|rate| rate * as_f64(counts.bytes) / as_f64(done.max(1)))
        }
        _ => latency_of(cell, metric),
    }
}

/// The latency of a part of the run. `None` if nothing was measured, or for another metric.
fn latency_of(cell: &Bucket, metric: Metric) -> Option<f64> {
    match metric {
        Metric::P50 => cell.quantile_ms(0.5),
        Metric::P90 => cell.quantile_ms(0.9),
        Metric::P95 => cell.quantile_ms(0.95),
        Metric::P99 => cell.quantile_ms(0.99),
        Metric::P999 => cell.quantile_ms(0.999),
        Metric::Max => cell.quantile_ms(1.0),
        Metric::Mean => cell.mean_ms(),
        _ => None,
    }
}

/// Whether the condition already fails on the observations up to now, and neither because of missing data nor
/// because kaf6 itself was late. `producers` are the scenarios whose messages this one reads, and `own` are the
/// periods in which kaf6 made no progress until `elapsed`.
pub(crate) fn fails_already(
    work: &Work,
    counts: &Snapshot,
    producers: &[Snapshot],
    expr: &ThresholdExpr,
    (elapsed, own): (Duration, OwnStalls<'_>),
) -> bool {
    let sends = !matches!(work, Work::Consume(_));
    measure(counts, expr.metric, sends).is_some_and(|value| {
        let measured = Measured { expr, value, work, counts, span: (Duration::ZERO, elapsed), own };
        let senders = sends.then_some(counts).into_iter().chain(producers);
        !holds(expr, value) && late_by(expr, value, senders).is_none() && measured.own_stall(None).is_none()
    })
}

/// A value that does not meet the condition, and its source.
struct Measured<'a> {
    expr: &'a ThresholdExpr,
    value: f64,
    work: &'a Work,
    counts: &'a Snapshot,
    span: (Duration, Duration),
    own: OwnStalls<'a>,
}

impl Measured<'_> {
    /// States that a latency or rate may fail only because kaf6 made no progress, in a part of the run or in all of
    /// it. `None` if it fails without that, too.
    fn own_stall(&self, part: Option<&BucketWindow>) -> Option<UnknownBecause> {
        let metric = self.expr.metric;
        let low = matches!(self.expr.op, Op::Less | Op::LessOrEqual);
        let explained = if metric.is_latency() {
            low && self.latency_holds(part.is_some())
        } else if is_rate(metric) {
            self.rate_holds(part)
        } else {
            self.errors_hold(part)
        };
        explained.then(|| self.own.during(self.own.reach(self.span)))?
    }

    /// Whether there are too many errors only because round trips timed out.
    fn errors_hold(&self, part: Option<&BucketWindow>) -> bool {
        let timed_out = self.counts.errors_by_code.get("TIMED_OUT").copied().unwrap_or_default();
        let late = timed_out.min(self.own.late_trips(self.work, self.own.reach(self.span)));
        let less = match self.expr.metric {
            Metric::Errors => as_f64(late),
            Metric::ErrorRate => {
                let of = part.map_or(self.counts.sent, |part| part.total.count + part.total.errors);
                as_f64(late) / as_f64(of.max(1))
            }
            _ => return false,
        };
        late > 0 && holds(self.expr, (self.value - less).max(0.0))
    }

    /// Whether a latency may meet the limit without the stalls: all latencies without the length of the stalls,
    /// and the latencies of the other times as they are.
    fn latency_holds(&self, is_part: bool) -> bool {
        let Self { expr, value, counts, .. } = self;
        let reach = self.own.reach(self.span);
        let stalled_ms = self.own.within(reach).as_secs_f64() * 1e3;
        let span = if is_part { self.span } else { (Duration::ZERO, Duration::MAX) };
        let others = counts.timeline.window_without(span, &self.own.with_aftermath(reach));
        let others = latency_of(&others, expr.metric);
        holds(expr, value - stalled_ms)
            && others.is_none_or(|others| holds(expr, others * (1.0 - TIMELINE_ERROR)))
    }

    /// Whether a rate may meet the condition without the stalls. After a stall, the rate of a part of the run
    /// may also be too high.
    fn rate_holds(&self, part: Option<&BucketWindow>) -> bool {
        let micros = |(from, to)| (Duration::from_micros(from), Duration::from_micros(to));
        let span = part.map_or_else(|| self.counts.span_us.map(micros), |_| Some(self.span));
        let Some(span) = span else { return false };
        let length = span.1.saturating_sub(span.0).as_secs_f64();
        let alone = self.own.alone(span).as_secs_f64();
        let slowed = alone <= 0.0 || holds(self.expr, self.value * length / alone);
        // Messages that a stall before the part delayed count in the part.
        let before = (span.0.saturating_sub(span.1.saturating_sub(span.0)), span.1);
        let stalled = self.own.within(before).as_secs_f64();
        let hurried = part.is_some() && holds(self.expr, self.value * length / (length + stalled));
        slowed || hurried
    }
}

/// How late kaf6 itself sent messages, in milliseconds, if a latency is too high only because of that.
fn late_by<'a>(expr: &ThresholdExpr, value: f64, senders: impl Iterator<Item = &'a Snapshot>) -> Option<f64> {
    let to_be_low = matches!(expr.op, Op::Less | Op::LessOrEqual);
    let late = senders.filter_map(|sender| late(&sender.late, expr.metric)).fold(0.0, f64::max);
    (expr.metric.is_latency() && to_be_low && late > 0.0 && holds(expr, value - late)).then_some(late)
}

/// The metric's value. `None` if nothing was measured.
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

/// How late kaf6 sent messages. The quantile is chosen so that it excludes at most a tenth of the messages
/// above the metric's quantile. Without these messages and this delay, nine tenths of them are still above
/// the limit.
fn late(late: &Latency, metric: Metric) -> Option<f64> {
    match metric {
        Metric::P50 => late.quantile_ms(0.95),
        Metric::P90 => late.quantile_ms(0.99),
        Metric::P95 => late.quantile_ms(0.995),
        Metric::P99 => late.quantile_ms(0.999),
        Metric::P999 => late.quantile_ms(0.9999),
        Metric::Mean => late.mean_ms(),
        Metric::Max => late.max_ms(),
        _ => None,
    }
}

fn holds(expr: &ThresholdExpr, value: f64) -> bool {
    match expr.op {
        Op::Less => value < expr.value,
        Op::LessOrEqual => value <= expr.value,
        Op::Greater => value > expr.value,
        Op::GreaterOrEqual => value >= expr.value,
        #[expect(clippy::float_cmp, reason = "counts are whole; other values are as the file sets them")]
        Op::Equal => value == expr.value,
        #[expect(clippy::float_cmp, reason = "counts are whole; other values are as the file sets them")]
        Op::NotEqual => value != expr.value,
    }
}

/// A value with its unit, with about three digits plus `more`, and the value that this text represents.
fn with_unit(metric: Metric, value: f64, more: usize) -> (String, f64) {
    let (scale, unit) = match metric {
        _ if metric.is_latency() => {
            (if value < 999.5 { 1.0 } else { 1e3 }, if value < 999.5 { " ms" } else { " s" })
        }
        Metric::Rate => (1.0, "/s"),
        Metric::ErrorRate => (0.01, " %"),
        Metric::Throughput => {
            let units =
                [(1.0, " B/s"), (1024.0, " KiB/s"), (1_048_576.0, " MiB/s"), (1_073_741_824.0, " GiB/s")];
            units.into_iter().rev().find(|(scale, _)| value >= *scale).unwrap_or(units[0])
        }
        _ => (1.0, ""),
    };
    let scaled = value / scale;
    let places =
        if value.fract() == 0.0 && scale.to_bits() == 1.0_f64.to_bits() { 0 } else { places(scaled) + more };
    let text = trimmed(&format!("{scaled:.places$}"));
    let read = text.parse().unwrap_or(scaled) * scale;
    (format!("{text}{unit}"), read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_has_its_unit_and_the_digits_that_tell_it_from_the_bound() {
        let shown = |metric, bound, value| {
            ThresholdExpr { metric, op: Op::Less, value: bound, text: String::new() }.shown(value)
        };
        for (metric, bound, value, text) in [
            (Metric::P99, 2.0, 2.777, "2.78 ms"),
            (Metric::P99, 200.0, 200.4, "200.4 ms"),
            (Metric::Max, 1000.0, 1000.04, "1.00004 s"),
            (Metric::Mean, 1500.0, 1500.0, "1.5 s"),
            (Metric::P50, 5.0, 0.0, "0 ms"),
            (Metric::Rate, 100.0, 98.72, "98.7/s"),
            (Metric::Rate, 10_000.0, 12_345.6, "12346/s"),
            (Metric::Throughput, 1.0, 1_258_291.0, "1.2 MiB/s"),
            (Metric::Throughput, 1_048_576.0, 1_048_575.0, "1023.999 KiB/s"),
            (Metric::ErrorRate, 0.01, 0.0104, "1.04 %"),
            (Metric::Acked, 3.0, 3.0, "3"),
            (Metric::Anomaly(Anomaly::Lost), 0.0, 12_345.0, "12345"),
        ] {
            assert_eq!(shown(metric, bound, value), text);
        }
    }
}
