//! The settings of a topic that let a broker remove records, and its timestamp type.
//!
//! The probe requests them, because librdkafka supports only DescribeConfigs 0 and 1, and some brokers
//! (KafScale) only 4. They can also be read from the config with which a file creates the topic.

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

/// The settings of a topic that say what may be gone from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicSettings {
    /// `retention.ms`: a record older than this may be removed; none is no limit.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`: a record with this many bytes after it in the partition may be removed; `None` for
    /// no limit.
    pub retention_bytes: Option<i64>,
    /// `cleanup.policy` has `compact`: a record may be removed once a later one has its key.
    pub compacted: bool,
    /// `cleanup.policy` has `delete`: retention applies.
    pub deletes: bool,
    /// `message.timestamp.type` is `LogAppendTime`: the broker's clock and not the producer's.
    pub append_time: bool,
    /// `max.message.bytes`: a batch is no larger; none where nobody says so.
    pub max_message_bytes: Option<u64>,
    /// `segment.bytes`: a part of the log that is removed at once is about as large at most; none where nobody says so.
    pub segment_bytes: Option<u64>,
}

/// Why a topic's settings are not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSettings {
    #[error("the probe does not support SASL")]
    Sasl,
    /// The broker lacks DescribeConfigs, or the versions 1 to 4 of it.
    #[error("the broker does not support DescribeConfigs 1 to 4")]
    Unsupported,
    /// The broker answered with an error code.
    #[error("the broker refuses DescribeConfigs: {}", .0.text())]
    Refused(Code),
    /// No broker gave an answer in time that can be read.
    #[error("{0}")]
    Unanswered(String),
    /// The answer lacks `retention.ms`, or has no number for it or for `retention.bytes`.
    #[error("the broker does not report `retention.ms`")]
    Silent,
}

impl TopicSettings {
    /// The settings of a topic that is created with these by an Apache Kafka with default settings of its own.
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

    /// What may be absent from them.
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

/// -1 is no limit.
fn limit(number: i64) -> Option<i64> {
    Some(number).filter(|number| *number >= 0)
}

/// Asks the brokers for a topic's settings, one after the other until one answers. Never panics, and ends by `deadline`.
///
/// # Errors
/// Why the settings are not known. The embedded broker has none.
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
        // A broker that does not answer leaves the others their share of the time.
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

    /// What Apache Kafka does with a topic that nothing is said of.
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
