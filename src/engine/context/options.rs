//! What a run needs beside its plan.

use std::path::PathBuf;

use super::stop::Stop;
use crate::ids::RunTag;
use crate::kafka::Waits;
use crate::ledger::Saved;

/// What a run needs beside its plan.
#[derive(Debug, Clone)]
pub struct Options {
    pub run_id: String,
    pub run_tag: RunTag,
    /// The run's folder, for the logs of its containers.
    pub folder: PathBuf,
    pub stop: Stop,
    /// Keep the ledger, to be judged again later.
    pub save_ledger: bool,
    /// Send nothing: the plan's producers are those of this ledger, and what they sent then is judged now.
    pub saved: Option<Saved>,
    /// How long reading and judging wait; tests take short ones.
    pub waits: Waits,
}

#[cfg(test)]
impl Options {
    /// Of a run that tests make by hand.
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
