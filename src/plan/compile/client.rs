//! Compiles brokers and client settings from the command line, the file and the profile.
//!
//! Checks the form of addresses and of `client.security`. The Kafka client validates properties.

use std::path::Path;

use super::context::Context;
use crate::plan::{ClientSettings, Security, Target};
use crate::scenario::environment::options::LoadOptions;
use crate::scenario::environment::profile::Profile;
use crate::scenario::format::{self, Brokers};
use crate::scenario::source::diagnostics::Diagnostic;
use crate::scenario::source::node::below;
use crate::scenario::template::service_template::{Reference, ServiceTemplate};

/// The settings of a profile. The file and the command line override them.
#[derive(Debug, Default)]
pub(crate) struct ProfileSettings {
    pub(crate) target: Option<Target>,
    /// URL for `metrics` scenarios without `url`.
    pub(crate) metrics_url: Option<String>,
    /// How clients connect.
    pub(crate) client: ClientSettings,
    /// The profile is named but cannot be read, so missing settings must not be reported.
    pub(crate) failed: bool,
}

/// Compiles the profile of a file. The second value lists its problems.
pub(super) fn profile(profile: Profile, options: &LoadOptions<'_>) -> (ProfileSettings, Vec<Diagnostic>) {
    let Some(found) = profile.found else {
        return (ProfileSettings { failed: profile.failed, ..ProfileSettings::default() }, Vec::new());
    };
    let mut cx = Context::new(&found.document);
    let brokers = found.written.brokers.as_ref();
    let target = brokers.and_then(|brokers| target(&mut cx, &below(&found.pointer, "brokers"), brokers));
    let client = found.written.client.unwrap_or_default();
    let client = settings(&mut cx, &below(&found.pointer, "client"), &client, options);
    let failed = profile.failed || !cx.problems.is_empty();
    let metrics_url = found.written.metrics_url;
    (ProfileSettings { target, metrics_url, client, failed }, cx.problems)
}

/// Parses `host:port`. The default port is 9092. A reference to a service provides both.
fn address(text: &str) -> Result<ServiceTemplate, String> {
    let text = text.trim();
    let wired = ServiceTemplate::parse(text).map_err(|error| error.message)?;
    if wired.is_only_a_reference() && wired.has_service() {
        return Ok(wired);
    }
    if let Some(reference) =
        wired.references().find(|reference| matches!(reference, Reference::Service { .. }))
    {
        return Err(format!(
            "invalid broker `{text}`: `{reference}` already means `host:port`, so use it alone"
        ));
    }
    let sample = wired.resolve(|_| "id".to_owned());
    let port = literal(&sample)?;
    Ok(if port { wired } else { ServiceTemplate::parse(&format!("{text}:9092")).unwrap_or(wired) })
}

/// Whether an address without references includes a port.
fn literal(text: &str) -> Result<bool, String> {
    if text.contains("://") {
        return Err(format!(
            "invalid broker `{text}`: expected `host:port` without a scheme, and security under \
            `client.security`"
        ));
    }
    let wrong = || format!("invalid broker `{text}`: expected `host:port`");
    let (host, port) = match text.rsplit_once(':') {
        // An IPv6 address without a port ends with a bracket.
        Some(_) if text.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let number: u16 = port.map_or(Ok(9092), str::parse).map_err(|_| wrong())?;
    let legal = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()),
        None => !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._".contains(c)),
    };
    if number == 0 || !legal { Err(wrong()) } else { Ok(port.is_some()) }
}

/// Compiles `brokers` of a file or profile.
pub(super) fn target(cx: &mut Context<'_>, pointer: &str, brokers: &Brokers) -> Option<Target> {
    match brokers {
        Brokers::Text(text) if text.trim() == "embedded" => Some(Target::Embedded),
        Brokers::Text(text) => {
            let parts: Vec<&str> = text.split(',').collect();
            let read: Result<Vec<ServiceTemplate>, String> = parts.into_iter().map(address).collect();
            match read {
                Ok(list) => Some(Target::Brokers(list)),
                Err(message) => {
                    let near = crate::scenario::source::suggest::nearest(text, ["embedded"]);
                    let hint = near.map(|near| format!("did you mean `{near}`?"));
                    cx.about_value(pointer, &message, hint, "a list of brokers");
                    None
                }
            }
        }
        Brokers::List(list) => addresses(cx, pointer, list).map(Target::Brokers),
    }
}

/// Compiles a list of addresses.
pub(crate) fn addresses(
    cx: &mut Context<'_>,
    pointer: &str,
    list: &[String],
) -> Option<Vec<ServiceTemplate>> {
    let mut read = Vec::new();
    for (index, text) in list.iter().enumerate() {
        match address(text) {
            Ok(address) => read.push(address),
            Err(message) => cx.about_value(&below(pointer, index), &message, None, "a broker's `host:port`"),
        }
    }
    (read.len() == list.len()).then_some(read)
}

/// Compiles `--brokers`.
pub(super) fn addresses_of_option(cx: &mut Context<'_>, list: &[String]) -> Target {
    let mut read = Vec::new();
    for text in list.iter().flat_map(|text| text.split(',')).filter(|text| !text.trim().is_empty()) {
        let message = match address(text) {
            Ok(address) if address.constant().is_some() => {
                read.push(address);
                continue;
            }
            Ok(address) => format!("`{address}` works only in a file"),
            Err(message) => message,
        };
        cx.problems.push(Diagnostic::of_file(Path::new("--brokers"), message, None));
    }
    if read.is_empty() && cx.problems.is_empty() {
        cx.problems.push(Diagnostic::of_file(Path::new("--brokers"), "no broker specified", None));
    }
    Target::Brokers(read)
}

/// Compiles `client` of a file or profile. Paths are relative to the file that contains them.
pub(super) fn settings(
    cx: &mut Context<'_>,
    pointer: &str,
    raw: &format::ClientFields,
    options: &LoadOptions<'_>,
) -> ClientSettings {
    for (property, value) in raw.properties.iter().flatten() {
        let refusal = options.client.and_then(|client| (client.property)(property, &value.0));
        if let Some(refusal) = refusal {
            cx.at_key(&below(&below(pointer, "properties"), property), refusal.message, refusal.hint);
        }
    }
    let properties =
        raw.properties.iter().flatten().map(|(key, value)| (key.clone(), value.0.clone())).collect();
    let security = raw
        .security
        .as_ref()
        .map(|security| self::security(cx, &below(pointer, "security"), security, options));
    ClientSettings { security, properties }
}

/// Validates the merged settings of file and profile with the Kafka client.
pub(super) fn together(cx: &mut Context<'_>, settings: &ClientSettings, options: &LoadOptions<'_>) {
    let Some(refusal) = options.client.and_then(|client| (client.whole)(settings)) else { return };
    let property = refusal.property.unwrap_or_default();
    let of_security =
        SECURITY.iter().find(|(name, _)| *name == property).map(|(_, key)| below("/client/security", key));
    let pointer = of_security.unwrap_or_else(|| below("/client/properties", &property));
    cx.at(&pointer, refusal.message, refusal.hint);
}

/// The SASL mechanisms that kaf6's client supports.
const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];
/// Properties that must be written as keys of `client.security`.
pub const SECURITY: [(&str, &str); 8] = [
    ("security.protocol", "protocol"),
    ("sasl.mechanism", "mechanism"),
    ("sasl.mechanisms", "mechanism"),
    ("sasl.username", "username"),
    ("sasl.password", "password"),
    ("ssl.ca.location", "ca"),
    ("ssl.certificate.location", "certificate"),
    ("ssl.key.location", "key"),
];

fn security(
    cx: &mut Context<'_>,
    pointer: &str,
    raw: &format::SecurityFields,
    options: &LoadOptions<'_>,
) -> Security {
    let (sasl, tls) = (raw.protocol.has_sasl(), raw.protocol.has_tls());
    if sasl && raw.mechanism.is_none() {
        let hint = Some("add, for example, `mechanism: SCRAM-SHA-512`".to_owned());
        cx.at_key(pointer, "`mechanism` is missing: the protocol uses SASL", hint);
    }
    if let Some(mechanism) = raw.mechanism.as_ref().filter(|_| sasl && !options.embedded) {
        self::mechanism(cx, pointer, mechanism, raw);
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
            cx.at_key(&below(pointer, field), format!("`{field}` works only with {by}"), hint);
        }
    }
    if raw.certificate.is_some() != raw.key.is_some() {
        cx.at_key(pointer, "`certificate` and `key` must be set together", None);
    }
    let folder = cx.document.path.parent().unwrap_or(Path::new(""));
    let path = |text: &Option<String>| text.as_ref().map(|text| folder.join(text));
    for (field, written) in [("ca", &raw.ca), ("certificate", &raw.certificate), ("key", &raw.key)] {
        // The embedded broker uses none of these files.
        let file = path(written).filter(|_| tls && !options.embedded && options.client.is_some());
        if let Some(Err(error)) = file.map(std::fs::File::open) {
            let hint =
                Some("set the path of a PEM file, relative to the folder of the scenario file".to_owned());
            let shown = cx.document.shown(&below(pointer, field)).unwrap_or_default().to_owned();
            cx.at(&below(pointer, field), format!("cannot read `{shown}`: {error}"), hint);
        }
    }
    Security {
        protocol: raw.protocol.name().to_owned(),
        mechanism: raw.mechanism.clone(),
        username: raw.username.clone(),
        password: raw.password.clone(),
        ca: path(&raw.ca),
        certificate: path(&raw.certificate),
        key: path(&raw.key),
    }
}

/// Whether the mechanism is supported and has the settings that it needs.
fn mechanism(cx: &mut Context<'_>, pointer: &str, mechanism: &str, raw: &format::SecurityFields) {
    if !MECHANISMS.contains(&mechanism) {
        let hint = match mechanism.to_ascii_uppercase() {
            upper if MECHANISMS.contains(&upper.as_str()) => format!("use `{upper}`"),
            upper if upper == "AWS_MSK_IAM" => {
                "only Java clients support it; give the user a SCRAM-SHA-512 secret, or use \
                OAUTHBEARER tokens"
                    .to_owned()
            }
            upper if upper == "GSSAPI" => {
                "kaf6 is built without Kerberos; use SCRAM-SHA-512 or PLAIN".to_owned()
            }
            _ => format!("use one of {}", MECHANISMS.join(", ")),
        };
        return cx.about_value(
            &below(pointer, "mechanism"),
            &format!("unknown SASL mechanism `{mechanism}`"),
            Some(hint),
            "a SASL mechanism",
        );
    }
    if mechanism != "OAUTHBEARER" {
        for (field, written) in [("username", &raw.username), ("password", &raw.password)] {
            if written.is_none() {
                cx.at_key(pointer, format!("`{field}` is missing: {mechanism} needs it"), None);
            }
        }
    }
}

/// Merges the file's settings into those of its profile.
pub(super) fn merge(profile: ClientSettings, file: ClientSettings) -> ClientSettings {
    let mut properties = profile.properties;
    properties.extend(file.properties);
    ClientSettings { security: file.security.or(profile.security), properties }
}

/// The embedded broker supports plaintext only.
pub(super) fn for_embedded(settings: ClientSettings) -> ClientSettings {
    ClientSettings { security: None, ..settings }
}

#[cfg(test)]
mod tests {
    #[test]
    fn addresses_have_a_host_and_a_port() {
        let address = |text: &str| super::address(text).map(|wired| wired.to_string());
        assert_eq!(address("localhost").as_deref(), Ok("localhost:9092"));
        assert_eq!(address(" b-1.x:39092").as_deref(), Ok("b-1.x:39092"));
        assert_eq!(address("[::1]:9093").as_deref(), Ok("[::1]:9093"));
        assert_eq!(address("[::1]").as_deref(), Ok("[::1]:9092"));
        assert_eq!(address(" {{broker.1.kafka}}").as_deref(), Ok("{{broker.1.kafka}}"));
        assert_eq!(address("b-{{run_id}}").as_deref(), Ok("b-{{run_id}}:9092"));
        for wrong in [
            "",
            ":9092",
            "a:b",
            "a:70000",
            "a:0",
            "kafka://a:9092",
            "::1:9092",
            "a b",
            "[x]:1",
            "{{broker.kafka}}:1",
            "{{uuid}}",
            "{{",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
