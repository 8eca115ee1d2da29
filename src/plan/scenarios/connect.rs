//! `connect`: the topics whose metadata it requests.

use crate::scenario::Template;

/// `type: connect`.
#[derive(Debug, Clone)]
pub struct ConnectPlan {
    /// The topics whose metadata is requested: all that the file names.
    pub topics: Vec<Template>,
}

impl ConnectPlan {
    /// Its lines in `kaf6 plan`.
    pub(super) fn lines(&self) -> Vec<String> {
        let topics: Vec<String> = self.topics.iter().map(ToString::to_string).collect();
        let mut lines = vec!["tries to reach each broker until it succeeds or times out".to_owned()];
        if !topics.is_empty() {
            lines.push(format!("requests the metadata of {}", topics.join(", ")));
        }
        lines
    }
}
