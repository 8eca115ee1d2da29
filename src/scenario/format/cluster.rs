//! `cluster` as it is written: services to start, or containers to attach to.
//!
//! Owns the fields of a service; presets are files of the same services.

use std::borrow::Cow;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::written::{Plain, Written};
use crate::units::Duration;

/// Services that kaf6 starts and removes again, or containers that it attaches to and leaves as they were.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Cluster")]
pub struct ClusterFields {
    /// Services that come with kaf6: `kafscale` or `tansu`; `kaf6 preset NAME` prints them.
    pub preset: Option<String>,
    /// Services to start, by name. They are merged over those of the preset: mappings merge, all else replaces, and
    /// `null` takes away what the preset has.
    pub services: Option<IndexMap<String, Service>>,
    /// Containers that run already, by the name that faults give them.
    pub attach: Option<IndexMap<String, Attach>>,
}

/// A service: one image, one or more replicas of it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The image. Needed where no preset gives it.
    #[schemars(length(min = 1))]
    pub image: Option<String>,
    /// When the image is pulled. Default: missing.
    pub pull: Option<Pull>,
    /// In place of the image's own.
    pub entrypoint: Option<Vec<Plain>>,
    /// In place of the image's own.
    pub command: Option<Vec<Plain>>,
    /// Its environment; `{{store.api}}`, `{{self.host}}`, `{{self.port.kafka}}`, `{{replica}}` and `{{run_id}}` may
    /// stand in the values.
    pub env: Option<IndexMap<String, Plain>>,
    /// Ports in the container, by name. The one named `kafka` is what clients get.
    pub ports: Option<IndexMap<String, Port>>,
    /// Volumes of the run, by name, and where each is mounted. Each replica has its own.
    pub volumes: Option<IndexMap<String, String>>,
    /// Services that must be ready before this one is started. Those that `env`, `entrypoint` or `command` refer to
    /// need not be named.
    pub needs: Option<Vec<String>>,
    /// Replicas at the start. Default: 1.
    #[schemars(range(min = 1, max = 100))]
    pub replicas: Option<u32>,
    /// How a replica is known to be ready. Default: it runs.
    pub ready: Option<Ready>,
    /// How long a replica may take to become ready. Default: 2m.
    pub ready_timeout: Option<Written<Duration>>,
}

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pull {
    /// Where it is absent.
    Missing,
    /// Each time.
    Always,
    /// Never: it has to be there.
    Never,
}

/// How a replica is known to be ready: exactly one of `http`, `tcp`, `exec` and `kafka`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// A GET is answered with 200 to 299; a port's name and a path, such as `api/minio/health/live`.
    pub http: Option<String>,
    /// The port of this name accepts a connection.
    pub tcp: Option<String>,
    /// This command in the container ends with 0.
    #[schemars(length(min = 1))]
    pub exec: Option<Vec<Plain>>,
    /// The port of this name answers Kafka metadata.
    pub kafka: Option<String>,
}

/// A port in a container.
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

/// A container that runs already: its name or id, a compose service, or a label.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Attach {
    /// Its name or id.
    Container(#[schemars(length(min = 1))] String),
    /// Each container that carries the labels is a replica.
    Labelled(Labelled),
}

/// Containers by label: exactly one of `compose` and `label`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Labelled {
    /// A service of docker compose.
    pub compose: Option<String>,
    /// The compose project, where several have a service of that name.
    pub project: Option<String>,
    /// A label, `key=value`.
    pub label: Option<String>,
}
