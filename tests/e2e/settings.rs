//! Tests the topic settings that the wire probe reads from real brokers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kaf6::kafka::probe::{NoSettings, TopicSettings, topic_settings};
use kaf6::kafka::{Client, Code, TopicSpec, ensure_topics};
use kaf6::plan::ClientSettings;
use kafka_protocol::messages::ApiKey;

use crate::lab::{Kafka, Relay, Storage, Tansu};

const SOON: Duration = Duration::from_secs(60);

fn client(broker: &str) -> Client {
    Client::new(&[broker.to_owned()], &ClientSettings::default()).expect("a client")
}

/// Creates a topic with these properties.
fn create(client: &Client, topic: &str, config: &[(&str, &str)]) -> BTreeMap<String, String> {
    let config: BTreeMap<_, _> =
        config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let spec = TopicSpec {
        name: topic.to_owned(),
        partitions: 1,
        replication: 1,
        config: config.clone(),
        recreate: true,
    };
    ensure_topics(client, &[spec], SOON).expect("the topic is created");
    config
}

fn ask(client: &Client, topic: &str) -> Result<TopicSettings, NoSettings> {
    topic_settings(client, topic, Instant::now() + SOON)
}

#[test]
fn settings_of_a_topic_on_kafka_in_every_version() {
    let Some(kafka) = Kafka::shared() else { return };
    let direct = client(&kafka);
    let relay = Relay::start(&kafka);
    let relayed = client(&relay.address());
    for (topic, config) in [
        ("settings-plain", &[][..]),
        ("settings-forever", &[("retention.ms", "-1"), ("retention.bytes", "1048576")]),
        (
            "settings-both",
            &[
                ("retention.ms", "3000"),
                ("cleanup.policy", "compact,delete"),
                ("message.timestamp.type", "LogAppendTime"),
            ],
        ),
        ("settings-compacted", &[("cleanup.policy", "compact")]),
    ] {
        let config = create(&direct, topic, config);
        // Kafka also reports its defaults.
        let expected = TopicSettings {
            max_message_bytes: Some(1_048_588),
            segment_bytes: Some(1 << 30),
            ..TopicSettings::of_config(&config)
        };
        assert_eq!(ask(&direct, topic), Ok(expected), "{topic}");
        for version in 1..=3 {
            relay.clear();
            relay.limit_api(ApiKey::DescribeConfigs, Some(version));
            assert_eq!(ask(&relayed, topic), Ok(expected), "{topic}, version {version}");
        }
    }
    let missing = ask(&direct, "settings-of-no-topic");
    assert_eq!(missing, Err(NoSettings::Refused(Code(3))));
    relay.clear();
    relay.limit_api(ApiKey::DescribeConfigs, None);
    assert_eq!(ask(&relayed, "settings-plain"), Err(NoSettings::Unsupported));
}

#[test]
fn settings_of_a_topic_on_tansu() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let client = client(&tansu.address());
    let config = create(&client, "written", &[("retention.ms", "3000"), ("cleanup.policy", "compact")]);
    assert_eq!(ask(&client, "written"), Ok(TopicSettings::of_config(&config)));
    // This broker reports only settings that were set.
    create(&client, "default", &[]);
    assert_eq!(ask(&client, "default"), Err(NoSettings::Silent));
}
