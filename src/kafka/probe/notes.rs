//! Notes about what a broker's API versions mean for a run.
//!
//! Contains the thresholds: the versions that added functions which kaf6's users may miss.

use super::seen::Api;

/// An API, the version without known restrictions, and two notes: for brokers without the API, and for brokers with an
/// older version.
struct ApiRule {
    key: i16,
    name: &'static str,
    wanted: i16,
    missing: &'static str,
    older: &'static str,
}

const RULES: &[ApiRule] = &[
    ApiRule {
        key: 0,
        name: "Produce",
        wanted: 3,
        missing: "nothing can be written",
        older: "too old for record headers",
    },
    ApiRule { key: 0, name: "Produce", wanted: 7, missing: "", older: "too old for zstd" },
    ApiRule {
        key: 1,
        name: "Fetch",
        wanted: 4,
        missing: "nothing can be read",
        older: "too old for record headers",
    },
    ApiRule {
        key: 2,
        name: "ListOffsets",
        wanted: 1,
        missing: "readers find neither the start nor the end of a log",
        older: "too old to find a place in a log by time",
    },
    ApiRule {
        key: 3,
        name: "Metadata",
        wanted: 10,
        missing: "clients find no partitions",
        older: "no topic ids, so kaf6 cannot tell a recreated topic from the old one",
    },
    ApiRule {
        key: 19,
        name: "CreateTopics",
        wanted: 0,
        missing: "topics must exist beforehand, or the broker creates them on the first write",
        older: "",
    },
    ApiRule { key: 20, name: "DeleteTopics", wanted: 0, missing: "`recreate` cannot work", older: "" },
    ApiRule { key: 22, name: "InitProducerId", wanted: 0, missing: "idempotence is off", older: "" },
    ApiRule {
        key: 23,
        name: "OffsetForLeaderEpoch",
        wanted: 0,
        missing: "readers do not notice a log that was truncated and has grown again",
        older: "",
    },
];

/// Notes about a broker's API versions; empty if the versions are unknown.
pub fn api_notes(apis: &[Api]) -> Vec<String> {
    if apis.is_empty() {
        return Vec::new();
    }
    RULES
        .iter()
        .filter_map(|rule| match apis.iter().find(|api| api.key == rule.key) {
            None => (!rule.missing.is_empty()).then(|| format!("no {}: {}", rule.name, rule.missing)),
            Some(api) => (api.max < rule.wanted && !rule.older.is_empty())
                .then(|| format!("{} only up to v{}: {}", rule.name, api.max, rule.older)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(key: i16, max: i16) -> Api {
        Api { key, name: "", min: 0, max }
    }

    #[test]
    fn what_a_broker_lacks_is_said_in_sentences() {
        let modern: Vec<_> = [0, 1, 2, 3, 19, 20, 22, 23].map(|key| api(key, 12)).into();
        assert!(api_notes(&modern).is_empty());
        assert!(api_notes(&[]).is_empty());
        let old = api_notes(&[api(0, 2), api(1, 12), api(2, 4), api(3, 12), api(19, 2), api(20, 2)]);
        assert_eq!(
            old,
            [
                "Produce only up to v2: too old for record headers",
                "Produce only up to v2: too old for zstd",
                "no InitProducerId: idempotence is off",
                "no OffsetForLeaderEpoch: readers do not notice a log that was truncated and has grown again",
            ]
        );
    }
}
