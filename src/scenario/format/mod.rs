//! The format: a scenario file as it is written, field by field. The JSON Schema is made from it.
//!
//! Owns names, types and bounds of single fields; what fields mean together is `plan::compile`'s.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

pub mod activity;
pub mod check;
pub mod cluster;
pub mod expr;
pub mod fault;
mod kind;
pub mod schema;
pub mod schema_check;
pub(crate) mod series;
pub mod written;

pub use activity::{Acks, Activity, Compression, From, Partitioning, ScenarioKind, ValueContent};
pub use check::{Aspect, Check, CheckKind, CountMetric};
pub use cluster::{ClusterFields, Pull};
pub use fault::{Fault, FaultKind};
pub use written::Written;

use crate::units::Duration;
use written::Plain;

/// A kaf6 scenario file: what to do with a Kafka-compatible broker, and what has to be true afterwards.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The run's name. Default: the file's stem.
    pub name: Option<String>,
    /// What the file says of itself.
    pub description: Option<String>,
    /// A profile's name, looked up in `profiles.yaml` beside the file, then in `./kaf6.profiles.yaml`. It gives
    /// brokers, metrics_url and client; the file's own fields win.
    pub profile: Option<String>,
    /// The brokers, `host:port` each, or `embedded` for the broker inside kaf6. Default: the profile's, or the ports
    /// named `kafka` of the services in `cluster`.
    pub brokers: Option<Brokers>,
    /// How clients connect.
    pub client: Option<ClientFields>,
    /// Topics, created where missing.
    pub topics: Option<Vec<Topic>>,
    /// The activities, by name.
    pub scenarios: IndexMap<String, Activity>,
    /// Containers that the run starts, or touches.
    pub cluster: Option<ClusterFields>,
    /// What is done to them on purpose, by name.
    pub faults: Option<fault::Faults>,
    /// The questions that decide between pass and fail.
    pub checks: Option<Vec<Check>>,
    /// Settings of the run as a whole.
    pub run: Option<RunFields>,
    /// More values to hide in reports, logs and messages: `${VAR}` each. Those of variables whose names say that they are
    /// secret are hidden anyway.
    pub secrets: Option<Vec<String>>,
}

/// A list of brokers, or one text: `embedded`, or `host:port` separated by commas.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Brokers {
    /// Each `host:port`; the port is 9092 where left out.
    List(#[schemars(length(min = 1))] Vec<String>),
    /// `embedded`, or addresses separated by commas.
    Text(String),
}

/// How clients connect.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Client")]
pub struct ClientFields {
    /// TLS and SASL; plaintext where absent.
    pub security: Option<SecurityFields>,
    /// librdkafka properties by their own names; librdkafka checks them.
    pub properties: Option<IndexMap<String, Plain>>,
}

/// TLS and SASL.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Security")]
pub struct SecurityFields {
    /// How the connection is secured.
    pub protocol: Protocol,
    /// SASL mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.
    pub mechanism: Option<String>,
    /// SASL user.
    pub username: Option<String>,
    /// SASL password; take it from the environment: `${KAFKA_PASSWORD}`.
    pub password: Option<String>,
    /// PEM file of the certificate authority.
    pub ca: Option<String>,
    /// PEM file of the client's certificate.
    pub certificate: Option<String>,
    /// PEM file of the client's key.
    pub key: Option<String>,
}

/// How a connection is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl Protocol {
    /// As files and librdkafka write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    /// Clients say who they are.
    pub const fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    /// Connections are encrypted.
    pub const fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }
}

/// A topic, created where it is missing.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// Its name; `{{run_id}}` may stand in it.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Partitions to create it with. Default: 1.
    #[schemars(range(min = 1, max = 10_000))]
    pub partitions: Option<i32>,
    /// Copies of each partition. Default: 1. With -1 the broker decides.
    #[schemars(range(min = -1, max = 100))]
    pub replication_factor: Option<i32>,
    /// Delete it and create it anew first. Default: false.
    pub recreate: Option<bool>,
    /// Topic properties by Kafka's names.
    pub config: Option<IndexMap<String, Plain>>,
}

/// Settings of the run as a whole.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Run")]
pub struct RunFields {
    /// The run's own timeout. Default: 10m, or more where the scenarios' own bounds need more.
    pub timeout: Option<Written<Duration>>,
    /// Fixes payloads and schedule. Default: 0.
    pub seed: Option<u64>,
    /// After all else, a fresh reader reads each written partition again up to its end, and decides what is lost,
    /// misplaced or rewritten. `auto` does so where a fault ran, a broker went away, or a log lost its end.
    /// Default: auto.
    pub audit: Option<Audit>,
    /// How long a broker that can be reached may give no acknowledged message back before that is called unreadable; it
    /// counts from the end of producers and faults, and anew from each record that arrives. Default: 90s.
    pub unreadable_after: Option<Written<Duration>>,
}

/// `true`, `false` or `auto`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Audit {
    /// Always, or never.
    Fixed(bool),
    /// Where a fault ran.
    Word(Auto),
}

/// The word `auto`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auto {
    /// As kaf6 sees fit.
    Auto,
}

/// A file of profiles: `profiles.yaml` beside the scenario file, or `./kaf6.profiles.yaml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileFile {
    /// The profiles, by name.
    pub profiles: IndexMap<String, ProfileFields>,
}

/// What scenario files share about one place to test.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Profile")]
pub struct ProfileFields {
    /// The brokers, `host:port` each, or `embedded`.
    pub brokers: Option<Brokers>,
    /// Where `metrics` scenarios ask that name no `url`.
    pub metrics_url: Option<String>,
    /// How clients connect.
    pub client: Option<ClientFields>,
}
