//! The format of a scenario file, field by field. The JSON Schema is generated from these types.
//!
//! Defines names, types and limits of single fields. `plan::compile` checks how fields fit together.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

pub mod activity;
pub mod check;
pub mod cluster;
pub mod expr;
pub mod fault;
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

/// A kaf6 scenario file. It defines what to do with a Kafka-compatible broker and what to check afterwards.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The run's name. Default: the file's name without its extension.
    pub name: Option<String>,
    /// A description of the file.
    pub description: Option<String>,
    /// Name of a profile from `profiles.yaml` next to the file, or from `./kaf6.profiles.yaml`. It provides
    /// brokers, metrics_url and client. The file's own fields take precedence.
    pub profile: Option<String>,
    /// The brokers as `host:port`, or `embedded` for the broker inside kaf6. Default: the profile's, or the
    /// ports named `kafka` of the services in `cluster`.
    pub brokers: Option<Brokers>,
    /// How clients connect.
    pub client: Option<ClientFields>,
    /// Topics. Missing ones are created.
    pub topics: Option<Vec<Topic>>,
    /// The scenarios, by name. They run in parallel unless `after`, `at` or `when` delays them.
    pub scenarios: IndexMap<String, Activity>,
    /// Containers that the run starts or attaches to.
    pub cluster: Option<ClusterFields>,
    /// Faults to inject into the cluster, by name.
    pub faults: Option<fault::Faults>,
    /// The checks that decide whether the run passes.
    pub checks: Option<Vec<Check>>,
    /// Settings of the run as a whole.
    pub run: Option<RunFields>,
    /// More values to hide in reports, logs and messages, as `${VAR}`. Variables whose name
    /// marks them as secret, such as `KAFKA_PASSWORD`, are hidden automatically.
    pub secrets: Option<Vec<String>>,
}

/// A list of brokers, or one string: `embedded`, or `host:port` separated by commas.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Brokers {
    /// Brokers as `host:port`. The default port is 9092.
    List(#[schemars(length(min = 1))] Vec<String>),
    /// `embedded`, or `host:port` separated by commas.
    Text(String),
}

/// How clients connect.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Client")]
pub struct ClientFields {
    /// TLS and SASL. Default: plaintext.
    pub security: Option<SecurityFields>,
    /// librdkafka properties by name. librdkafka validates them.
    pub properties: Option<IndexMap<String, Plain>>,
}

/// TLS and SASL settings.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Security")]
pub struct SecurityFields {
    /// The security protocol.
    pub protocol: Protocol,
    /// SASL mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER.
    pub mechanism: Option<String>,
    /// SASL user.
    pub username: Option<String>,
    /// SASL password. Take it from the environment: `${KAFKA_PASSWORD}`.
    pub password: Option<String>,
    /// PEM file with the certificate of the certificate authority.
    pub ca: Option<String>,
    /// PEM file with the client's certificate.
    pub certificate: Option<String>,
    /// PEM file with the client's private key.
    pub key: Option<String>,
}

kinds! {
    /// Security protocols.
    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    Protocol {
        Plaintext = "plaintext",
        Ssl = "ssl",
        SaslPlaintext = "sasl_plaintext",
        SaslSsl = "sasl_ssl",
    }
}

impl Protocol {
    /// True if clients authenticate.
    pub const fn has_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }

    /// True if connections are encrypted.
    pub const fn has_tls(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }
}

/// A topic. It is created if missing.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// The topic's name. It may contain `{{run_id}}`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Number of partitions if the topic is created. Default: 1.
    #[schemars(range(min = 1, max = 10_000))]
    pub partitions: Option<i32>,
    /// Replication factor if the topic is created. -1 uses the broker's default. Default: 1.
    #[schemars(range(min = -1, max = 100))]
    pub replication_factor: Option<i32>,
    /// Delete and recreate the topic before the run. Default: false.
    pub recreate: Option<bool>,
    /// Topic configuration, by Kafka's names.
    pub config: Option<IndexMap<String, Plain>>,
}

/// Settings of the run as a whole.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Run")]
pub struct RunFields {
    /// Timeout of the whole run. Default: 10m, or more if the scenarios' timeouts need more.
    pub timeout: Option<Written<Duration>>,
    /// Seed for payloads and schedule. Default: 0.
    pub seed: Option<u64>,
    /// Re-read each written partition with a fresh client at the end of the run, and decide what is lost,
    /// misplaced or rewritten. With `auto`, this happens if a fault ran, a broker disconnected, or a log was
    /// truncated. Default: auto.
    pub audit: Option<Audit>,
    /// How long a reachable broker may return no record before acknowledged messages count as unreadable. The
    /// time starts after producers and faults end, and restarts with each record that arrives. Default: 90s.
    pub unreadable_after: Option<Written<Duration>>,
}

/// `true`, `false` or `auto`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Audit {
    /// Always or never.
    Fixed(bool),
    /// Automatically, if it is needed.
    Word(Auto),
}

/// The word `auto`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auto {
    /// Decided by kaf6.
    Auto,
}

/// A profile file: `profiles.yaml` next to the scenario file, or `./kaf6.profiles.yaml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileFile {
    /// The profiles, by name.
    pub profiles: IndexMap<String, ProfileFields>,
}

/// Settings that scenario files share for one test environment.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Profile")]
pub struct ProfileFields {
    /// The brokers as `host:port`, or `embedded`.
    pub brokers: Option<Brokers>,
    /// URL for `metrics` scenarios without `url`.
    pub metrics_url: Option<String>,
    /// How clients connect.
    pub client: Option<ClientFields>,
}
