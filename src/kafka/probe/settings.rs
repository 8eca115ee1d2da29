//! The settings of a topic that let a broker remove records, and its timestamp type.
//!
//! The probe requests them, because librdkafka supports only DescribeConfigs 0 and 1, and some brokers
//! (KafScale) only 4. They can also be read from the topic config in a file.

use std::collections::BTreeMap;
use std::time::Instant;

use super::requests;
use super::seen::Probe;
use super::steps::steps;
use crate::kafka::Client;
use crate::kafka::client::code::Code;

const RETENTION_MS: &str = "retention.ms";
const RETENTION_BYTES: &str = "retention.bytes";
const CLEANUP_POLICY: &str = "cleanup.policy";
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
const SEGMENT_BYTES: &str = "segment.bytes";
const TIMESTAMP_TYPE: &str = "message.timestamp.type";
/// Kafka's default for `retention.ms`: seven days.
const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// The settings of a topic that determine which records may be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSettings {
    /// `retention.ms`: a record older than this may be removed; `None` for no limit.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`: a record with this many bytes after it in the partition may be removed; `None` for
    /// no limit.
    pub retention_bytes: Option<i64>,
    /// `cleanup.policy` contains `compact`: a record may be removed if a later one has the same key.
    pub compacted: bool,
    /// `cleanup.policy` contains `delete`: retention applies.
    pub deletes: bool,
    /// `message.timestamp.type` is `LogAppendTime`: timestamps are from the broker's clock, not the producer's.
    pub append_time: bool,
    /// `max.message.bytes`: the maximum size of a batch; `None` if unknown.
    pub max_message_bytes: Option<u64>,
    /// `segment.bytes`: the approximate maximum size of a segment, which is removed as a whole; `None` if unknown.
    pub segment_bytes: Option<u64>,
}

/// The reasons why a topic's settings are unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSettings {
    #[error("the probe does not support SASL")]
    Sasl,
    /// The broker does not support DescribeConfigs 1 to 4.
    #[error("the broker does not support DescribeConfigs 1 to 4")]
    Unsupported,
    /// The broker returned an error code.
    #[error("the broker refuses DescribeConfigs: {}", .0.in_words())]
    Refused(Code),
    /// No broker returned a readable answer in time.
    #[error("{0}")]
    Unanswered(String),
    /// The answer lacks `retention.ms`, or a number for it or for `retention.bytes` is invalid.
    #[error("the broker does not report `retention.ms`")]
    Silent,
}

impl TopicSettings {
    /// The settings of a topic that an Apache Kafka with default settings creates with this config.
    pub fn of_config(config: &BTreeMap<String, String>) -> Self {
        let number = |name| config.get(name).and_then(|text| number(text));
        Self {
            retention_ms: limit(number(RETENTION_MS).unwrap_or(WEEK_MS)),
            retention_bytes: number(RETENTION_BYTES).and_then(limit),
            ..Self::of_words(config)
        }
    }

    /// The settings that a broker reports.
    fn reported(values: &BTreeMap<String, String>) -> Result<Self, NoSettings> {
        let read = |name| values.get(name).map(|text| number(text).ok_or(NoSettings::Silent)).transpose();
        Ok(Self {
            retention_ms: limit(read(RETENTION_MS)?.ok_or(NoSettings::Silent)?),
            retention_bytes: read(RETENTION_BYTES)?.and_then(limit),
            ..Self::of_words(values)
        })
    }

    /// Reads the settings, of which each may be missing.
    fn of_words(values: &BTreeMap<String, String>) -> Self {
        let policy = values.get(CLEANUP_POLICY).map_or("delete", String::as_str);
        let size = |name| values.get(name).and_then(|text| u64::try_from(number(text)?).ok());
        let has = |word| policy.split(',').any(|policy| policy.trim() == word);
        Self {
            retention_ms: None,
            retention_bytes: None,
            compacted: has("compact"),
            deletes: has("delete"),
            append_time: values.get(TIMESTAMP_TYPE).is_some_and(|text| text.trim() == "LogAppendTime"),
            max_message_bytes: size(MAX_MESSAGE_BYTES),
            segment_bytes: size(SEGMENT_BYTES),
        }
    }
}

fn number(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// Converts a limit; -1 means no limit.
fn limit(number: i64) -> Option<i64> {
    Some(number).filter(|number| *number >= 0)
}

/// Requests a topic's settings from one broker after the other until one answers. Never panics, and ends by `deadline`.
///
/// # Errors
///
/// The reason why the settings are unknown. The embedded broker has no settings.
pub fn topic_settings(client: &Client, topic: &str, deadline: Instant) -> Result<TopicSettings, NoSettings> {
    if client.is_embedded() {
        return Err(NoSettings::Unsupported);
    }
    if client.uses_sasl() {
        return Err(NoSettings::Sasl);
    }
    let mut last = "no broker is known".to_owned();
    let brokers = client.brokers();
    for (index, broker) in brokers.iter().enumerate() {
        // Reserve a share of the time for each remaining broker.
        let others = u32::try_from(brokers.len() - index).unwrap_or(u32::MAX);
        let now = Instant::now();
        let until = now + deadline.saturating_duration_since(now) / others;
        match ask(client, broker, topic, until) {
            Err(NoSettings::Unanswered(error)) => last = format!("{broker}: {error}"),
            answer => return answer,
        }
    }
    Err(NoSettings::Unanswered(last))
}

fn ask(client: &Client, broker: &str, topic: &str, deadline: Instant) -> Result<TopicSettings, NoSettings> {
    let mut probe = Probe { broker: broker.into(), ..Probe::default() };
    let mut connection = steps(&mut probe, client, &[], deadline).map_err(NoSettings::Unanswered)?;
    let version = requests::describe_configs_version(&probe.apis).map_err(|_| NoSettings::Unsupported)?;
    let described = requests::describe_configs(&mut connection, version, topic);
    let described = described.map_err(NoSettings::Unanswered)?;
    let found = described.iter().find(|it| it.kind == requests::TOPIC && it.name == topic);
    let found = found.ok_or(NoSettings::Silent)?;
    if !found.code.is_none() {
        return Err(NoSettings::Refused(found.code));
    }
    TopicSettings::reported(&found.values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// The settings of a topic that Apache Kafka creates without config.
    const DEFAULTS: TopicSettings = TopicSettings {
        retention_ms: Some(WEEK_MS),
        retention_bytes: None,
        compacted: false,
        deletes: true,
        append_time: false,
        max_message_bytes: None,
        segment_bytes: None,
    };

    #[test]
    fn a_file_sets_what_kafka_has_defaults_for() {
        for (config, expected) in [
            (&[][..], DEFAULTS),
            (&[("retention.ms", "3000")], TopicSettings { retention_ms: Some(3000), ..DEFAULTS }),
            (&[("retention.ms", "-1")], TopicSettings { retention_ms: None, ..DEFAULTS }),
            (&[("retention.ms", "soon")], DEFAULTS),
            (
                &[("retention.bytes", " 1048576")],
                TopicSettings { retention_bytes: Some(1 << 20), ..DEFAULTS },
            ),
            (&[("cleanup.policy", "compact")], TopicSettings { compacted: true, deletes: false, ..DEFAULTS }),
            (&[("cleanup.policy", "delete, compact")], TopicSettings { compacted: true, ..DEFAULTS }),
            (&[("cleanup.policy", "")], TopicSettings { deletes: false, ..DEFAULTS }),
            (&[("message.timestamp.type", "LogAppendTime")], TopicSettings { append_time: true, ..DEFAULTS }),
            (
                &[("max.message.bytes", "10000"), ("segment.bytes", "1048576")],
                TopicSettings { max_message_bytes: Some(10_000), segment_bytes: Some(1 << 20), ..DEFAULTS },
            ),
            (&[("max.message.bytes", "-1"), ("segment.bytes", "large")], DEFAULTS),
        ] {
            assert_eq!(TopicSettings::of_config(&values(config)), expected, "{config:?}");
        }
    }

    #[test]
    fn a_broker_that_says_nothing_of_retention_is_silent() {
        for silent in [
            &[][..],
            &[("retention.bytes", "-1"), ("cleanup.policy", "delete")],
            &[("retention.ms", "soon")],
            &[("retention.ms", "1"), ("retention.bytes", "")],
        ] {
            assert_eq!(TopicSettings::reported(&values(silent)), Err(NoSettings::Silent), "{silent:?}");
        }
        let few = TopicSettings::reported(&values(&[("retention.ms", "-1")]));
        assert_eq!(few, Ok(TopicSettings { retention_ms: None, ..DEFAULTS }));
    }
}
