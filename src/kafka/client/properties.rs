//! Client properties that a scenario file cannot set, and what to write in their place: kaf6's own ones, those of Java
//! clients, and misspelt ones.

use crate::kafka::Error;
use crate::kafka::ffi::Config;
use crate::scenario::{Refusal, suggest};

/// Why a librdkafka property cannot be set by a file; none where it can.
pub(crate) fn owned(property: &str) -> Option<&'static str> {
    Some(match property {
        "bootstrap.servers" | "metadata.broker.list" => "`brokers` of the file sets it",
        "group.id" | "group.instance.id" | "group.protocol" | "group.remote.assignor" => {
            "kaf6 reads by partition, without a consumer group"
        }
        "auto.offset.reset" => "kaf6 never jumps in silence: a reset is something it reports",
        "enable.auto.commit"
        | "auto.commit.enable"
        | "enable.auto.offset.store"
        | "auto.commit.interval.ms" => "kaf6 commits no offsets",
        "enable.metrics.push" => "clients must send nothing but what the scenario says",
        "enable.partition.eof" | "check.crcs" | "queued.max.messages.kbytes" => "kaf6's reading rests on it",
        "log.queue" | "log_level" => "kaf6 collects the log lines itself",
        "plugin.library.paths" => "kaf6 loads no plugins",
        "test.mock.num.brokers" => "write `brokers: embedded` in the scenario file",
        "security.protocol" => "write it as `client.security.protocol`",
        "acks" | "request.required.acks" => "write it as `acks` of the scenario",
        "compression.type" | "compression.codec" => "write it as `compression` of the scenario",
        "enable.idempotence" => "write it as `idempotence` of the scenario",
        "partitioner" => "write it as `partition` of the scenario",
        "transactional.id" => "kaf6 uses no transactions",
        "queue.buffering.max.messages" | "queue.buffering.max.kbytes" => {
            "write it as `max_in_flight` of the scenario"
        }
        "dr_cb" | "dr_msg_cb" | "delivery.report.only.error" | "log_cb" | "error_cb" | "opaque" => {
            "kaf6 needs each delivery report"
        }
        "sasl.mechanism"
        | "sasl.mechanisms"
        | "sasl.username"
        | "sasl.password"
        | "ssl.ca.location"
        | "ssl.certificate.location"
        | "ssl.key.location" => "write it under `client.security`",
        _ => return None,
    })
}

/// Other names of properties, as Java clients have them; librdkafka does not list them.
const ALIASES: [&str; 5] = [
    "linger.ms",
    "retries",
    "delivery.timeout.ms",
    "request.timeout.ms",
    "max.in.flight.requests.per.connection",
];

/// What Java clients know and librdkafka does not, or takes in another form, and what to write in its place.
fn java(property: &str) -> Option<&'static str> {
    Some(match property {
        "ssl.truststore.location" | "ssl.truststore.certificates" => {
            "write the certificate authority as a PEM file under `client.security.ca`; keytool -exportcert -rfc takes it out of a truststore"
        }
        "ssl.truststore.password" | "ssl.truststore.type" => {
            "a PEM file under `client.security.ca` needs none; leave it out"
        }
        "ssl.keystore.type" => "`ssl.keystore.location` is a PKCS#12 file (.p12); leave the type out",
        "ssl.keystore.key" => "write it as `ssl.key.pem`, or its file under `client.security.key`",
        "ssl.keystore.certificate.chain" => {
            "write it as `ssl.certificate.pem`, or its file under `client.security.certificate`"
        }
        "sasl.jaas.config" => "write `username` and `password` under `client.security`",
        "sasl.client.callback.handler.class" | "sasl.login.callback.handler.class" | "sasl.login.class" => {
            "classes of Java cannot be loaded; use a mechanism of `client.security.mechanism`"
        }
        "ssl.client.auth" => "it is a setting of brokers; leave it out",
        "ssl.protocol" | "ssl.enabled.protocols" | "ssl.provider" | "security.providers" => {
            "the TLS library chooses; leave it out"
        }
        "key.serializer" | "value.serializer" | "key.deserializer" | "value.deserializer" => {
            "kaf6 writes and reads bytes; leave it out"
        }
        "interceptor.classes" | "metric.reporters" | "partitioner.class" => {
            "classes of Java cannot be loaded; leave it out"
        }
        "buffer.memory" => "write it as `max_in_flight` of the scenario",
        "max.request.size" => "write `message.max.bytes`",
        "max.block.ms" => "write a `timeout` of the scenario",
        "max.poll.records" => "kaf6 reads record by record; leave it out",
        "fetch.max.wait.ms" => "write `fetch.wait.max.ms`",
        "default.api.timeout.ms" => "write `socket.timeout.ms`",
        "send.buffer.bytes" => "write `socket.send.buffer.bytes`",
        "receive.buffer.bytes" => "write `socket.receive.buffer.bytes`",
        _ => return None,
    })
}

/// Sets a property. An error names it, and never its value.
pub(crate) fn set(config: &mut Config, name: &str, value: &str) -> Result<(), Error> {
    config.set(name, value).map_err(|refusal| {
        let reason = if refusal.unknown {
            "librdkafka has no property of this name".into()
        } else if value.is_empty() {
            refusal.text
        } else {
            refusal.text.replace(value, "(value)")
        };
        Error::Property { name: name.into(), reason }
    })
}

/// Why a property with this value cannot be set by a file; none where it can.
pub(crate) fn refusal(name: &str, value: &str) -> Option<Refusal> {
    let refuse = |message: String, hint: Option<String>| {
        Some(Refusal { property: Some(name.to_owned()), message, hint })
    };
    if let Some(why) = owned(name) {
        return refuse(format!("`{name}` is kaf6's own to set"), Some(why.to_owned()));
    }
    let Err(Error::Property { reason, .. }) = set(&mut Config::new(), name, value) else {
        let is_java = name == "ssl.keystore.location" && value.to_ascii_lowercase().ends_with(".jks");
        return is_java
            .then(|| {
                let hint = "convert it: keytool -importkeystore -srckeystore x.jks -destkeystore x.p12 -deststoretype pkcs12";
                refuse("a keystore of Java (.jks) cannot be read; PKCS#12 can".to_owned(), Some(hint.to_owned()))
            })
            .flatten();
    };
    if let Some(instead) = java(name) {
        return refuse(format!("`{name}` is a property of Java clients"), Some(instead.to_owned()));
    }
    if name == "ssl.endpoint.identification.algorithm" && value.is_empty() {
        return refuse(format!("`{name}` is empty"), Some("write `none` to accept any host name".to_owned()));
    }
    let known = Config::new().names();
    let near = suggest::nearest(name, known.iter().map(String::as_str).chain(ALIASES));
    refuse(
        format!("`{name}`: {reason}"),
        near.filter(|near| *near != name).map(|near| format!("did you mean `{near}`?")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_says_what_to_write() {
        for (name, value, hint) in [
            ("group.id", "x", "consumer group"),
            ("ssl.truststore.location", "/x.jks", "client.security.ca"),
            ("ssl.keystore.location", "/x.jks", "keytool"),
            ("sasl.jaas.config", "x", "`username` and `password`"),
            ("key.serializer", "x", "leave it out"),
            ("max.poll.records", "500", "leave it out"),
            ("fetch.max.wait.ms", "5", "fetch.wait.max.ms"),
            ("buffer.memory", "1", "max_in_flight"),
            ("ssl.endpoint.identification.algorithm", "", "`none`"),
            ("linger.sm", "5", "did you mean `linger.ms`?"),
        ] {
            let refusal = refusal(name, value).unwrap_or_else(|| panic!("{name} is taken"));
            assert_eq!(refusal.property.as_deref(), Some(name));
            assert!(refusal.hint.is_some_and(|it| it.contains(hint)), "{name}");
        }
        let refusal = refusal("socket.timeout.ms", "soon-s3cret").unwrap();
        assert!(!refusal.message.contains("s3cret"), "{refusal:?}");
    }

    #[test]
    fn what_both_kinds_of_clients_know_is_taken() {
        for (name, value) in [
            ("linger.ms", "5"),
            ("batch.size", "16384"),
            ("reconnect.backoff.ms", "50"),
            ("isolation.level", "read_committed"),
            ("ssl.keystore.location", "x.p12"),
            ("ssl.key.password", "x"),
            ("delivery.timeout.ms", "5000"),
            ("max.in.flight.requests.per.connection", "5"),
            ("request.timeout.ms", "5000"),
            ("ssl.endpoint.identification.algorithm", "none"),
        ] {
            assert_eq!(refusal(name, value), None, "{name}");
        }
    }
}
