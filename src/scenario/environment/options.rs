//! What a load takes from outside of the file: the environment, and what the command line sets over the file.
//!
//! Owns those words and no more; which of them wins is `plan::compile`'s.

use std::path::PathBuf;

use super::client_settings::ClientSettings;

/// What the Kafka client says to settings.
#[derive(Debug, Clone, Copy)]
pub struct ClientJudge {
    /// To one property.
    pub property: fn(name: &str, value: &str) -> Option<Refusal>,
    /// To all of them together, where each is good.
    pub whole: fn(&ClientSettings) -> Option<Refusal>,
}

/// Why the client does not take settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The property that is meant, where it is one.
    pub property: Option<String>,
    /// What is wrong, without any value.
    pub message: String,
    /// What would help.
    pub hint: Option<String>,
}

/// What a load takes from outside of the file.
pub struct LoadOptions<'a> {
    /// Looks a variable of the environment up.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// How client settings are judged; without, they are taken as they are.
    pub client: Option<ClientJudge>,
    /// `--profile`: in place of the file's, and before the file's own brokers.
    pub profile: Option<String>,
    /// `--brokers`: before all else, also before those of single scenarios.
    pub brokers: Option<Vec<String>>,
    /// `--embedded`: the broker inside kaf6, before all else.
    pub embedded: bool,
    /// Only how to connect is wanted of the file, not the containers that it starts: `brokers` may then be others.
    pub connect_only: bool,
    /// The folder in which `kaf6.profiles.yaml` is looked for.
    pub folder: PathBuf,
}

impl<'a> LoadOptions<'a> {
    /// Nothing but an environment.
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
