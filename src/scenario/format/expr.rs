//! The two expressions in a file: `when: "write.acked >= 500"` and `expr: "p95 < 200ms"`.
//!
//! Defines their types, their parsers and the names of metrics. Errors say what is expected.

use crate::anomaly::Anomaly;
use crate::scenario::source::suggest;
use crate::units::{Bandwidth, Duration, Rate, Share};

/// A `when` condition, such as `write.acked >= 500`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct When {
    /// The scenario whose count is used.
    pub scenario: String,
    pub counter: Counter,
    /// The count to reach.
    pub at_least: u64,
}

/// The counters of a running scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Messages passed to the client.
    Sent,
    /// Messages acknowledged.
    Acked,
    /// Distinct messages of this run read.
    Received,
}

/// `<metric> <op> <value>` in a threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdExpr {
    pub metric: Metric,
    pub op: Op,
    /// The limit. Latencies are in milliseconds, rates in messages per second, `throughput` in bytes per
    /// second. `error_rate` is a share of 1.
    pub value: f64,
    /// The expression as written.
    pub text: String,
}

/// The metrics that a threshold can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    Sent,
    Acked,
    Received,
    Errors,
    ErrorRate,
    Rate,
    Throughput,
    P50,
    P90,
    P95,
    P99,
    P999,
    Max,
    Mean,
    Anomaly(Anomaly),
}

/// Comparison operators of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// Why an expression is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    pub message: String,
    pub hint: Option<String>,
}

fn error<T>(message: impl Into<String>, hint: Option<String>) -> Result<T, ExprError> {
    Err(ExprError { message: message.into(), hint })
}

/// Parses `<scenario>.<counter> >= <count>`.
pub fn when(text: &str) -> Result<When, ExprError> {
    let form = || Some("write it as `<scenario>.<sent|acked|received> >= <count>`".to_owned());
    let Some((left, right)) = text.split_once(">=") else {
        return error("`when` supports only `>=`", form());
    };
    let Some((scenario, counter)) = left.trim().split_once('.') else {
        return error("the scenario or its counter is missing", form());
    };
    let counter = match counter.trim() {
        "sent" => Counter::Sent,
        "acked" => Counter::Acked,
        "received" => Counter::Received,
        other => {
            let hint = suggest::hint(other, ["sent", "acked", "received"]);
            return error(format!("unknown counter `{other}`"), hint);
        }
    };
    match right.trim().parse() {
        Ok(at_least) if at_least > 0 => Ok(When { scenario: scenario.trim().to_owned(), counter, at_least }),
        _ => error(format!("invalid count `{}`: expected a whole number above 0", right.trim()), form()),
    }
}

impl Metric {
    const PLAIN: [Self; 14] = [
        Self::Sent,
        Self::Acked,
        Self::Received,
        Self::Errors,
        Self::ErrorRate,
        Self::Rate,
        Self::Throughput,
        Self::P50,
        Self::P90,
        Self::P95,
        Self::P99,
        Self::P999,
        Self::Max,
        Self::Mean,
    ];

    /// The name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Acked => "acked",
            Self::Received => "received",
            Self::Errors => "errors",
            Self::ErrorRate => "error_rate",
            Self::Rate => "rate",
            Self::Throughput => "throughput",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p999",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Anomaly(anomaly) => anomaly.name(),
        }
    }

    pub fn every() -> impl Iterator<Item = Self> + Clone {
        Self::PLAIN.into_iter().chain(Anomaly::ALL.into_iter().map(Self::Anomaly))
    }

    /// True if the metric is a duration in milliseconds.
    pub const fn is_latency(self) -> bool {
        matches!(self, Self::P50 | Self::P90 | Self::P95 | Self::P99 | Self::P999 | Self::Max | Self::Mean)
    }

    fn value(self, text: &str) -> Option<f64> {
        let number = || text.parse::<f64>().ok();
        let value = match self {
            _ if self.is_latency() => number().or_else(|| {
                let length: Duration = text.parse().ok()?;
                Some(length.std().as_secs_f64() * 1000.0)
            }),
            Self::ErrorRate => number().or_else(|| text.parse::<Share>().ok().map(Share::get)),
            Self::Rate => number().or_else(|| text.parse::<Rate>().ok().map(Rate::get)),
            #[expect(clippy::cast_precision_loss, reason = "sizes are below 1e15")]
            Self::Throughput => number().or_else(|| Some(text.parse::<Bandwidth>().ok()?.get() as f64)),
            _ => number(),
        };
        value.filter(|value| value.is_finite() && *value >= 0.0)
    }

    const fn value_form(self) -> &'static str {
        match self {
            Self::ErrorRate => "a share, such as `0.01` or `1%`",
            Self::Rate => "a rate, such as `50/s`",
            Self::Throughput => "bytes per second, such as `1MiB/s`",
            _ if self.is_latency() => "a duration, such as `200ms`",
            _ => "a number",
        }
    }
}

impl Op {
    /// The operator in files.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }
}

/// Parses `<metric> <op> <value>`.
pub fn threshold(text: &str) -> Result<ThresholdExpr, ExprError> {
    let form = || Some("write it as `<metric> <op> <value>`, such as `p95 < 200ms`".to_owned());
    let Some(at) = text.find(['<', '>', '=', '!']) else {
        return error("a threshold needs one of `<`, `<=`, `>`, `>=`, `==` and `!=`", form());
    };
    let (name, rest) = (text[..at].trim(), &text[at..]);
    let ops = [Op::LessOrEqual, Op::GreaterOrEqual, Op::Equal, Op::NotEqual, Op::Less, Op::Greater];
    let Some(op) = ops.into_iter().find(|op| rest.starts_with(op.sign())) else {
        return error("a threshold needs one of `<`, `<=`, `>`, `>=`, `==` and `!=`", form());
    };
    let plain = Metric::PLAIN.into_iter().find(|metric| metric.name() == name);
    let Some(metric) = plain.or_else(|| Anomaly::from_name(name).map(Metric::Anomaly)) else {
        let names: Vec<&str> = Metric::every().map(Metric::name).collect();
        return error(format!("unknown metric `{name}`"), suggest::hint(name, names));
    };
    let written = rest[op.sign().len()..].trim();
    match metric.value(written) {
        Some(value) => Ok(ThresholdExpr { metric, op, value, text: text.trim().to_owned() }),
        None => error(
            format!("cannot compare `{name}` with `{written}`"),
            Some(format!("write {}", metric.value_form())),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn thresholds_have_units() {
        let read = |text: &str| threshold(text).map(|t| (t.metric.name(), t.op.sign(), t.value));
        assert_eq!(read("p95 < 200ms"), Ok(("p95", "<", 200.0)));
        assert_eq!(read("max<=1s"), Ok(("max", "<=", 1000.0)));
        assert_eq!(read("p99 < 5"), Ok(("p99", "<", 5.0)));
        assert_eq!(read("error_rate <= 1%"), Ok(("error_rate", "<=", 0.01)));
        assert_eq!(read("rate >= 1k/s"), Ok(("rate", ">=", 1000.0)));
        assert_eq!(read("throughput > 1MiB/s"), Ok(("throughput", ">", 1_048_576.0)));
        assert_eq!(read("lost == 0"), Ok(("lost", "==", 0.0)));
        assert_eq!(read("watermark_lie == 0"), Ok(("stale_end", "==", 0.0)), "its old name");
        for wrong in
            ["", "p95", "p95 ~ 1", "p95 < ", "p96 < 1", "sent < 5ms", "p95 < -1", "p95 = 3", "lost ! 1"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(threshold("p9 < 1").expect_err("unknown").hint.as_deref(), Some("did you mean `p90`?"));
    }

    #[test]
    fn starts_by_count() {
        let wanted = When { scenario: "write".to_owned(), counter: Counter::Acked, at_least: 500 };
        assert_eq!(when("write.acked >= 500"), Ok(wanted.clone()));
        assert_eq!(when(" write.acked>=500 "), Ok(wanted));
        for wrong in
            ["", "write", "write.acked > 5", "write.ackd >= 5", "write.acked >= 0", "write.acked >= -1"]
        {
            assert!(when(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_them_panic(text in ".*", near in "[a-z0-9.<>=! %/]{0,20}") {
            let _ = (threshold(&text), when(&text), threshold(&near), when(&near));
        }
    }
}
