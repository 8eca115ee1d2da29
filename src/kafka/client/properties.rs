//! Client properties that a scenario file cannot set, and what to write instead: those that kaf6 sets, those
//! of Java clients, and misspelled ones.

use crate::kafka::Error;
use crate::kafka::ffi::Config;
use crate::scenario::Refusal;
use crate::scenario::source::suggest;

/// The reason why a scenario file cannot set this librdkafka property; `None` if it can.
pub(crate) fn owned(property: &str) -> Option<&'static str> {
    Some(match property {
        "bootstrap.servers" | "metadata.broker.list" => "`brokers` in the file sets it",
        "group.id" | "group.instance.id" | "group.protocol" | "group.remote.assignor" => {
            "kaf6 reads by partition, without a consumer group"
        }
        "auto.offset.reset" => "kaf6 reports an offset that is out of range instead of resetting it silently",
        "enable.auto.commit"
        | "auto.commit.enable"
        | "enable.auto.offset.store"
        | "auto.commit.interval.ms" => "kaf6 commits no offsets",
        "enable.metrics.push" => "clients must send only what the scenario defines",
        "enable.partition.eof" | "check.crcs" | "queued.max.messages.kbytes" => {
            "kaf6 sets it so that readers get every record"
        }
        "log.queue" | "log_level" => "kaf6 collects the log lines itself",
        "plugin.library.paths" => "kaf6 loads no plugins",
        "test.mock.num.brokers" => "set `brokers: embedded` in the scenario file",
        "security.protocol" => "set `client.security.protocol`",
        "acks" | "request.required.acks" => "set `acks` in the scenario",
        "compression.type" | "compression.codec" => "set `compression` in the scenario",
        "enable.idempotence" => "set `idempotence` in the scenario",
        "partitioner" => "set `partition` in the scenario",
        "transactional.id" => "kaf6 uses no transactions",
        "queue.buffering.max.messages" | "queue.buffering.max.kbytes" => {
            "set `max_in_flight` in the scenario"
        }
        "dr_cb" | "dr_msg_cb" | "delivery.report.only.error" | "log_cb" | "error_cb" | "opaque" => {
            "kaf6 needs every delivery report"
        }
        "sasl.mechanism"
        | "sasl.mechanisms"
        | "sasl.username"
        | "sasl.password"
        | "ssl.ca.location"
        | "ssl.certificate.location"
        | "ssl.key.location" => "set it under `client.security`",
        _ => return None,
    })
}

/// Aliases that Java clients use, and that librdkafka does not list.
const ALIASES: [&str; 5] = [
    "linger.ms",
    "retries",
    "delivery.timeout.ms",
    "request.timeout.ms",
    "max.in.flight.requests.per.connection",
];

/// What to write instead of a property of Java clients that librdkafka lacks, or has in another form.
fn java(property: &str) -> Option<&'static str> {
    Some(match property {
        "ssl.truststore.location" | "ssl.truststore.certificates" => {
            "set `client.security.ca` to a PEM file with the certificate authority; keytool \
            -exportcert -rfc exports it from a truststore"
        }
        "ssl.truststore.password" | "ssl.truststore.type" => {
            "remove it; a PEM file under `client.security.ca` does not need it"
        }
        "ssl.keystore.type" => "remove it; `ssl.keystore.location` is a PKCS#12 file (.p12)",
        "ssl.keystore.key" => "set `ssl.key.pem`, or set `client.security.key` to its file",
        "ssl.keystore.certificate.chain" => {
            "set `ssl.certificate.pem`, or set `client.security.certificate` to its file"
        }
        "sasl.jaas.config" => "set `username` and `password` under `client.security`",
        "sasl.client.callback.handler.class" | "sasl.login.callback.handler.class" | "sasl.login.class" => {
            "use one of the mechanisms of `client.security.mechanism`; kaf6 cannot load Java \
            classes"
        }
        "ssl.client.auth" => "remove it; it is a setting of brokers",
        "ssl.protocol" | "ssl.enabled.protocols" | "ssl.provider" | "security.providers" => {
            "remove it; the TLS library chooses"
        }
        "key.serializer" | "value.serializer" | "key.deserializer" | "value.deserializer" => {
            "remove it; kaf6 writes and reads bytes"
        }
        "interceptor.classes" | "metric.reporters" | "partitioner.class" => {
            "remove it; kaf6 cannot load Java classes"
        }
        "buffer.memory" => "set `max_in_flight` in the scenario",
        "max.request.size" => "use `message.max.bytes`",
        "max.block.ms" => "set a `timeout` in the scenario",
        "max.poll.records" => "remove it; kaf6 reads record by record",
        "fetch.max.wait.ms" => "use `fetch.wait.max.ms`",
        "default.api.timeout.ms" => "use `socket.timeout.ms`",
        "send.buffer.bytes" => "use `socket.send.buffer.bytes`",
        "receive.buffer.bytes" => "use `socket.receive.buffer.bytes`",
        _ => return None,
    })
}

/// Sets a property. An error contains its name, and never its value.
pub(crate) fn set(config: &mut Config, name: &str, value: &str) -> Result<(), Error> {
    config.set(name, value).map_err(|refusal| {
        let reason = if refusal.unknown {
            "unknown librdkafka property".into()
        } else if value.is_empty() {
            refusal.text
        } else {
            refusal.text.replace(value, "(value)")
        };
        Error::Property { name: name.into(), reason }
    })
}

/// The reason why a scenario file cannot set this property to this value; `None` if it can.
pub(crate) fn refusal(name: &str, value: &str) -> Option<Refusal> {
    let refuse = |message: String, hint: Option<String>| {
        Some(Refusal { property: Some(name.to_owned()), message, hint })
    };
    if let Some(why) = owned(name) {
        return refuse(format!("`{name}` is reserved for kaf6"), Some(why.to_owned()));
    }
    let Err(Error::Property { reason, .. }) = set(&mut Config::new(), name, value) else {
        let is_java = name == "ssl.keystore.location" && value.to_ascii_lowercase().ends_with(".jks");
        return is_java
            .then(|| {
                let hint = "convert it: keytool -importkeystore -srckeystore x.jks -destkeystore x.p12 -deststoretype pkcs12";
                refuse("cannot read a Java keystore (.jks), only PKCS#12".to_owned(), Some(hint.to_owned()))
            })
            .flatten();
    };
    if let Some(instead) = java(name) {
        return refuse(format!("`{name}` is a property of Java clients"), Some(instead.to_owned()));
    }
    if name == "ssl.endpoint.identification.algorithm" && value.is_empty() {
        return refuse(format!("`{name}` is empty"), Some("set `none` to accept any host name".to_owned()));
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
            ("key.serializer", "x", "remove it"),
            ("max.poll.records", "500", "remove it"),
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
