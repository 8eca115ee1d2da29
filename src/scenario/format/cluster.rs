//! `cluster` as a file defines it: services to start, or running containers to attach to.
//!
//! Defines the fields of a service. Presets use the same format.

use std::borrow::Cow;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::written::{Plain, Written};
use crate::units::Duration;

/// Services that kaf6 starts and removes, or running containers that it attaches to and keeps.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Cluster")]
pub struct ClusterFields {
    /// Services that come with kaf6: `kafscale` or `tansu`. `kaf6 preset NAME` prints them.
    pub preset: Option<String>,
    /// Services to start, by name. They are merged into the preset's services: mappings merge, other values
    /// replace, and `null` removes a key of the preset.
    pub services: Option<IndexMap<String, Service>>,
    /// Running containers, by the name that faults use.
    pub attach: Option<IndexMap<String, Attach>>,
}

/// A service: one or more replicas of one image.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The image. Required if no preset defines it.
    #[schemars(length(min = 1))]
    pub image: Option<String>,
    /// When to pull the image. Default: missing.
    pub pull: Option<Pull>,
    /// Override the image's entrypoint.
    pub entrypoint: Option<Vec<Plain>>,
    /// Override the image's command.
    pub command: Option<Vec<Plain>>,
    /// Environment variables. Values may contain `{{store.api}}`, `{{self.host}}`, `{{self.port.kafka}}`,
    /// `{{replica}}` and `{{run_id}}`.
    pub env: Option<IndexMap<String, Plain>>,
    /// Container ports, by name. Clients connect to the port named `kafka`.
    pub ports: Option<IndexMap<String, Port>>,
    /// Volumes by name, each with its mount path. kaf6 creates them for the run, one per replica.
    pub volumes: Option<IndexMap<String, String>>,
    /// Services that must be ready before this one starts. Services that `env`, `entrypoint` or `command`
    /// refer to are included automatically.
    pub needs: Option<Vec<String>>,
    /// Number of replicas at the start. Default: 1.
    #[schemars(range(min = 1, max = 100))]
    pub replicas: Option<u32>,
    /// How to tell that a replica is ready. Default: it is running.
    pub ready: Option<Ready>,
    /// Maximum time for a replica to become ready. Default: 2m.
    pub ready_timeout: Option<Written<Duration>>,
}

/// When to pull an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pull {
    /// If it is not present locally.
    Missing,
    /// Every time.
    Always,
    /// Never. It must be present locally.
    Never,
}

/// How to tell that a replica is ready. Set exactly one of `http`, `tcp`, `exec` and `kafka`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// A GET request returns 200 to 299. Port name and path, such as `api/minio/health/live`.
    pub http: Option<String>,
    /// The port of this name accepts a connection.
    pub tcp: Option<String>,
    /// This command in the container exits with 0.
    #[schemars(length(min = 1))]
    pub exec: Option<Vec<Plain>>,
    /// The port of this name answers a Kafka metadata request.
    pub kafka: Option<String>,
}

/// A container port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Port(pub u16);

impl JsonSchema for Port {
    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "A port in the container.", "type": "integer", "minimum": 1, "maximum": 65535})
    }
}

/// A running container: its name or id, a compose service, or a label.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Attach {
    /// The container's name or id.
    Container(#[schemars(length(min = 1))] String),
    /// A service of Docker Compose, or containers with a label. Each container is a replica.
    Labelled(Labelled),
}

/// Containers of a Docker Compose service, or with a label. Set exactly one of `compose` and `label`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Labelled {
    /// A service of Docker Compose.
    pub compose: Option<String>,
    /// The compose project, if several have a service of that name.
    pub project: Option<String>,
    /// A label, as `key=value`.
    pub label: Option<String>,
}
