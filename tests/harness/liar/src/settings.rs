//! Settings of topics: stored, described, and used by the cleaner.

use std::collections::BTreeMap;

use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use kafka_protocol::protocol::StrBytes;

use crate::state::State;

const UNKNOWN_TOPIC: i16 = 3;
const INVALID_REQUEST: i16 = 42;
const TOPIC: i8 = 2;
/// Where a value comes from: the topic, the broker, or nobody.
const OF_TOPIC: i8 = 1;
const OF_BROKER: i8 = 4;
const BY_DEFAULT: i8 = 5;

/// Kafka's own.
const DEFAULTS: [(&str, &str); 4] = [
    ("cleanup.policy", "delete"),
    ("message.timestamp.type", "CreateTime"),
    ("retention.bytes", "-1"),
    ("retention.ms", "604800000"),
];

/// What the settings say about a partition's records. The default is to keep all.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keep {
    pub ms: Option<i64>,
    pub bytes: Option<i64>,
    pub compact: bool,
    pub append_time: bool,
}

impl Keep {
    pub fn of(settings: &BTreeMap<String, String>) -> Self {
        let text = |name: &str| settings.get(name).map_or("", String::as_str);
        let policy = text("cleanup.policy");
        let deletes = policy.is_empty() || policy.contains("delete");
        let limit = |name: &str| text(name).parse().ok().filter(|limit| deletes && *limit >= 0);
        Self {
            ms: limit("retention.ms"),
            bytes: limit("retention.bytes"),
            compact: policy.contains("compact"),
            append_time: text("message.timestamp.type") == "LogAppendTime",
        }
    }
}

pub fn describe(state: &State, asked: &DescribeConfigsRequest) -> DescribeConfigsResponse {
    let results = asked.resources.iter().map(|resource| described(state, resource)).collect();
    DescribeConfigsResponse::default().with_results(results)
}

fn described(state: &State, resource: &DescribeConfigsResource) -> DescribeConfigsResult {
    let mut out = DescribeConfigsResult::default()
        .with_resource_type(resource.resource_type)
        .with_resource_name(resource.resource_name.clone());
    if resource.resource_type != TOPIC {
        return out.with_error_code(INVALID_REQUEST);
    }
    let Some(topic) = state.topics.get(resource.resource_name.as_str()) else {
        return out.with_error_code(UNKNOWN_TOPIC);
    };
    let mut all: BTreeMap<&str, (&str, i8)> =
        DEFAULTS.iter().map(|(name, value)| (*name, (*value, BY_DEFAULT))).collect();
    for (settings, source) in [(&state.behaviour.defaults, OF_BROKER), (&topic.settings, OF_TOPIC)] {
        all.extend(settings.iter().map(|(name, value)| (name.as_str(), (value.as_str(), source))));
    }
    let wanted = resource.configuration_keys.as_ref();
    for (name, (value, source)) in all {
        if wanted.is_none_or(|wanted| wanted.iter().any(|wanted| wanted.as_str() == name)) {
            out.configs.push(
                DescribeConfigsResourceResult::default()
                    .with_name(StrBytes::from_string(name.to_owned()))
                    .with_value(Some(StrBytes::from_string(value.to_owned())))
                    .with_config_source(source),
            );
        }
    }
    out
}
