//! External input when a file is loaded: the environment and the command line's overrides.
//!
//! Defines the options only. `plan::compile` decides which value takes precedence.

use std::path::PathBuf;

use super::client_settings::ClientSettings;

/// Validates client settings with the Kafka client.
#[derive(Debug, Clone, Copy)]
pub struct ClientJudge {
    /// Validates one property.
    pub property: fn(name: &str, value: &str) -> Option<Refusal>,
    /// Validates all properties together, after each one passed on its own.
    pub whole: fn(&ClientSettings) -> Option<Refusal>,
}

/// Why the client rejects settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rejected property, if it is a single one.
    pub property: Option<String>,
    /// The error, without any value.
    pub message: String,
    pub hint: Option<String>,
}

pub struct LoadOptions<'a> {
    /// Looks up an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Validates client settings. If `None`, they are not validated.
    pub client: Option<ClientJudge>,
    /// `--profile`: overrides the file's profile and takes precedence over the file's brokers.
    pub profile: Option<String>,
    /// `--brokers`: overrides all other brokers, including those of single scenarios.
    pub brokers: Option<Vec<String>>,
    /// `--embedded`: uses the broker inside kaf6 instead of any other.
    pub embedded: bool,
    /// Only the connection settings of the file are used, not its containers. `brokers` may then name other
    /// brokers.
    pub connect_only: bool,
    /// The folder to search for `kaf6.profiles.yaml`.
    pub folder: PathBuf,
}

impl<'a> LoadOptions<'a> {
    /// Options with an environment and no overrides.
    pub fn new(env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            env,
            client: None,
            profile: None,
            brokers: None,
            embedded: false,
            connect_only: false,
            folder: PathBuf::from("."),
        }
    }
}

impl std::fmt::Debug for LoadOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadOptions")
            .field("profile", &self.profile)
            .field("brokers", &self.brokers)
            .field("embedded", &self.embedded)
            .field("connect_only", &self.connect_only)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}
