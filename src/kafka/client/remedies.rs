//! What to do about the errors that brokers return, in terms of a scenario file.

use crate::kafka::Code;

struct Remedy {
    code: i32,
    name: &'static str,
    write: &'static str,
}

const REMEDIES: &[Remedy] = &[
    r(-1, "UNKNOWN", "the broker failed without giving a reason: check its log"),
    r(
        8,
        "BROKER_NOT_AVAILABLE",
        "a required broker is down: start it, or wait for it with \
    `connect`",
    ),
    r(
        10,
        "MSG_SIZE_TOO_LARGE",
        "a message or batch is larger than the topic's `max.message.bytes` or the broker's \
        `message.max.bytes`: send smaller messages, raise `max.message.bytes` in the topic's \
        `config`, or lower `batch.size` under `client.properties`",
    ),
    r(19, "NOT_ENOUGH_REPLICAS", TOO_FEW_REPLICAS),
    r(20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND", TOO_FEW_REPLICAS),
    r(
        29,
        "TOPIC_AUTHORIZATION_FAILED",
        "the user of `client.security` lacks permissions on the topic: grant Describe, Create, \
        Read and Write, or create the topic beforehand",
    ),
    r(
        31,
        "CLUSTER_AUTHORIZATION_FAILED",
        "the user of `client.security` lacks permissions on the cluster: grant Create, and \
        IdempotentWrite for `idempotence: true`",
    ),
    r(
        33,
        "UNSUPPORTED_SASL_MECHANISM",
        "the broker does not support this SASL mechanism: set `mechanism` in `client.security` to \
        one that it supports",
    ),
    r(38, "INVALID_REPLICATION_FACTOR", "there are fewer brokers than replicas: lower `replication_factor`"),
    r(
        41,
        "NOT_CONTROLLER",
        "the broker is not the controller, or does not know the controller: wait with `connect`, or check the \
        brokers' logs",
    ),
    r(
        43,
        "UNSUPPORTED_FOR_MESSAGE_FORMAT",
        "the broker or topic does not support messages of this form: set `compression: none`, and \
        remove `headers` and `idempotence`",
    ),
    r(
        44,
        "POLICY_VIOLATION",
        "a broker policy forbids this (its log names the policy): change the topic's `partitions`, \
        `replication_factor` or `config`, or create the topic beforehand",
    ),
    r(
        56,
        "KAFKA_STORAGE_ERROR",
        "the broker cannot use its disk: check its log, and whether the disk is full",
    ),
    r(58, "SASL_AUTHENTICATION_FAILED", WRONG_PASSWORD),
    r(-169, "_AUTHENTICATION", WRONG_PASSWORD),
    r(74, "FENCED_LEADER_EPOCH", "leaders changed, and brokers disagree about the leader: check their logs"),
    r(
        76,
        "UNSUPPORTED_COMPRESSION_TYPE",
        "the broker does not support this compression: set `compression: none`",
    ),
    r(
        -152,
        "_PURGE_QUEUE",
        "the producer timed out before it could send these messages: look for the cause in the broker's log and in the notes",
    ),
    r(
        -151,
        "_PURGE_INFLIGHT",
        "the producer timed out before the broker answered: look for the cause in the broker's log and in the notes",
    ),
    r(87, "INVALID_RECORD", "the broker rejects the message: a compacted topic needs a `key`"),
    r(
        89,
        "THROTTLING_QUOTA_EXCEEDED",
        "a broker quota is exhausted: lower `rate` or `partitions`, or raise the quota of the user \
        or client id",
    ),
];

const TOO_FEW_REPLICAS: &str = "fewer replicas are in sync than `min.insync.replicas` requires: \
lower `min.insync.replicas` in the topic's `config`, or increase `replication_factor`";
const WRONG_PASSWORD: &str =
    "the broker rejects the user: check `mechanism`, `username` and `password` in `client.security`";

const fn r(code: i32, name: &'static str, write: &'static str) -> Remedy {
    Remedy { code, name, write }
}

/// Advice for an error code, if kaf6 has some.
pub(crate) fn what_to_do(code: Code) -> Option<&'static str> {
    REMEDIES.iter().find(|remedy| remedy.code == code.0).map(|remedy| remedy.write)
}

/// The name of an error with advice, `MSG_SIZE_TOO_LARGE (10): ...`; `None` if kaf6 has no advice.
pub fn remedy(name: &str) -> Option<String> {
    let remedy = REMEDIES.iter().find(|remedy| remedy.name == name)?;
    Some(format!("{name} ({}): {}", remedy.code, remedy.write))
}

/// librdkafka's text about a broken connection, with advice added.
pub fn with_remedy(text: String) -> String {
    let code = [("SASL authentication error", 58), ("SASL mechanism", 33)];
    let code = code.into_iter().find(|(words, _)| text.contains(words)).map(|(_, code)| Code(code));
    match code.and_then(|code| remedy(&code.name())) {
        Some(remedy) => format!("{text}; {remedy}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_the_names_of_librdkafka() {
        for remedy in REMEDIES {
            assert_eq!(Code(remedy.code).name(), remedy.name);
        }
        assert_eq!(remedy("_TRANSPORT"), None);
    }
}
