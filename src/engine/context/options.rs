//! Options of a run that are not in its plan.

use std::path::PathBuf;

use super::stop::Stop;
use crate::ids::RunTag;
use crate::kafka::Waits;
use crate::ledger::Saved;

#[derive(Debug, Clone)]
pub struct Options {
    pub run_id: String,
    pub run_tag: RunTag,
    /// The run's folder, for container logs.
    pub folder: PathBuf,
    pub stop: Stop,
    /// Save the ledger, so that `kaf6 verify` can judge it again.
    pub save_ledger: bool,
    /// Send nothing: use the producers of this saved ledger, and judge what they sent.
    pub saved: Option<Saved>,
    /// How long reading and judging wait. Tests use short waits.
    pub waits: Waits,
}

#[cfg(test)]
impl Options {
    /// Options for runs that tests construct.
    pub(crate) fn for_tests(waits: Waits) -> Self {
        Self {
            run_id: "x".to_owned(),
            run_tag: RunTag::from_bits(1),
            folder: "x".into(),
            stop: Stop::new(),
            save_ledger: false,
            saved: None,
            waits,
        }
    }
}
