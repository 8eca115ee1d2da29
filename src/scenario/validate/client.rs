//! Brokers and client settings, from the command line, the file and the profile.
//!
//! Owns the form of a broker's address, and the librdkafka properties that are kaf6's own to set.

use std::path::Path;

use super::context::Context;
use crate::scenario::Wired;
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::model::{self, Brokers};
use crate::scenario::node::below;
use crate::scenario::valid::{ClientSettings, Security, Target};

/// Reads `host:port`; the port is 9092 where left out.
fn address(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.contains("://") {
        return Err(format!(
            "`{text}` has a scheme; write `host:port`, and security under `client.security`"
        ));
    }
    let wrong = || format!("`{text}` is no broker; write `host:port`");
    let (host, port) = match text.rsplit_once(':') {
        // An IPv6 address without a port ends in its bracket.
        Some(_) if text.ends_with(']') => (text, "9092"),
        Some((host, port)) => (host, port),
        None => (text, "9092"),
    };
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let legal = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()),
        None => !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c)),
    };
    if port == 0 || !legal { Err(wrong()) } else { Ok(format!("{host}:{port}")) }
}

/// Reads `brokers` of a file or profile.
pub(crate) fn target(cx: &mut Context<'_>, pointer: &str, brokers: &Brokers) -> Option<Target> {
    match brokers {
        Brokers::Text(text) if text.trim() == "embedded" => Some(Target::Embedded),
        Brokers::Text(text) => {
            let parts: Vec<&str> = text.split(',').collect();
            let read: Result<Vec<String>, String> = parts.into_iter().map(address).collect();
            match read {
                Ok(list) => Some(Target::Brokers(plain(list))),
                Err(message) => {
                    let near = crate::scenario::suggest::nearest(text, ["embedded"]);
                    let hint = near.map(|near| format!("did you mean `{near}`?"));
                    cx.about_value(pointer, &message, hint, "a list of brokers");
                    None
                }
            }
        }
        Brokers::List(list) => addresses(cx, pointer, list).map(plain).map(Target::Brokers),
    }
}

fn plain(list: Vec<String>) -> Vec<Wired> {
    list.into_iter().map(Wired::plain).collect()
}

/// Reads a list of addresses.
pub(super) fn addresses(cx: &mut Context<'_>, pointer: &str, list: &[String]) -> Option<Vec<String>> {
    let mut read = Vec::new();
    for (index, text) in list.iter().enumerate() {
        match address(text) {
            Ok(address) => read.push(address),
            Err(message) => cx.about_value(&below(pointer, index), &message, None, "a broker's `host:port`"),
        }
    }
    (read.len() == list.len()).then_some(read)
}

/// Reads `--brokers`.
pub(super) fn addresses_of_option(cx: &mut Context<'_>, list: &[String]) -> Target {
    let mut read = Vec::new();
    for text in list.iter().flat_map(|text| text.split(',')).filter(|text| !text.trim().is_empty()) {
        match address(text) {
            Ok(address) => read.push(address),
            Err(message) => cx.problems.push(Diagnostic::of_file(Path::new("--brokers"), message, None)),
        }
    }
    if read.is_empty() && cx.problems.is_empty() {
        cx.problems.push(Diagnostic::of_file(Path::new("--brokers"), "no broker is given", None));
    }
    Target::Brokers(plain(read))
}

/// Why a librdkafka property cannot be set by a file; none where it can.
fn owned(property: &str) -> Option<&'static str> {
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

/// Reads `client` of a file or profile. Paths in it are relative to the file that they stand in.
pub(crate) fn settings(cx: &mut Context<'_>, pointer: &str, raw: &model::Client) -> ClientSettings {
    let properties_at = below(pointer, "properties");
    for property in raw.properties.iter().flat_map(|properties| properties.keys()) {
        if let Some(why) = owned(property) {
            let message = format!("`{property}` is kaf6's own to set");
            cx.at_key(&below(&properties_at, property), message, Some(why.to_owned()));
        }
    }
    let properties =
        raw.properties.iter().flatten().map(|(key, value)| (key.clone(), value.0.clone())).collect();
    let security =
        raw.security.as_ref().map(|security| self::security(cx, &below(pointer, "security"), security));
    ClientSettings { security, properties }
}

fn security(cx: &mut Context<'_>, pointer: &str, raw: &model::Security) -> Security {
    use model::Protocol;
    let sasl = matches!(raw.protocol, Protocol::SaslPlaintext | Protocol::SaslSsl);
    let tls = matches!(raw.protocol, Protocol::Ssl | Protocol::SaslSsl);
    if sasl && raw.mechanism.is_none() {
        let hint = Some("such as `mechanism: SCRAM-SHA-512`".to_owned());
        cx.at_key(pointer, "`mechanism` is missing: the protocol is one of SASL", hint);
    }
    for (field, written, used, by) in [
        ("mechanism", &raw.mechanism, sasl, "SASL"),
        ("username", &raw.username, sasl, "SASL"),
        ("password", &raw.password, sasl, "SASL"),
        ("ca", &raw.ca, tls, "TLS"),
        ("certificate", &raw.certificate, tls, "TLS"),
        ("key", &raw.key, tls, "TLS"),
    ] {
        if written.is_some() && !used {
            let hint = Some("choose `protocol: ssl`, `sasl_plaintext` or `sasl_ssl`".to_owned());
            cx.at_key(&below(pointer, field), format!("`{field}` is used only with {by}"), hint);
        }
    }
    if raw.certificate.is_some() != raw.key.is_some() {
        cx.at_key(pointer, "`certificate` and `key` go together", None);
    }
    let folder = cx.document.path.parent().unwrap_or(Path::new(""));
    let path = |text: &Option<String>| text.as_ref().map(|text| folder.join(text));
    Security {
        protocol: match raw.protocol {
            Protocol::Plaintext => "plaintext",
            Protocol::Ssl => "ssl",
            Protocol::SaslPlaintext => "sasl_plaintext",
            Protocol::SaslSsl => "sasl_ssl",
        }
        .to_owned(),
        mechanism: raw.mechanism.clone(),
        username: raw.username.clone(),
        password: raw.password.clone(),
        ca: path(&raw.ca),
        certificate: path(&raw.certificate),
        key: path(&raw.key),
    }
}

/// The file's settings over those of its profile.
pub(super) fn merge(profile: ClientSettings, file: ClientSettings) -> ClientSettings {
    let mut properties = profile.properties;
    properties.extend(file.properties);
    ClientSettings { security: file.security.or(profile.security), properties }
}

/// The embedded broker speaks plaintext only.
pub(super) fn for_embedded(settings: ClientSettings) -> ClientSettings {
    ClientSettings { security: None, ..settings }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_have_a_host_and_a_port() {
        assert_eq!(address("localhost").as_deref(), Ok("localhost:9092"));
        assert_eq!(address(" b-1.x:39092").as_deref(), Ok("b-1.x:39092"));
        assert_eq!(address("[::1]:9093").as_deref(), Ok("[::1]:9093"));
        assert_eq!(address("[::1]").as_deref(), Ok("[::1]:9092"));
        for wrong in ["", ":9092", "a:b", "a:70000", "a:0", "kafka://a:9092", "::1:9092", "a b", "[x]:1"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
