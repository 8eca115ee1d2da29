//! What a run found, from its scenarios and background tasks, for its verdict.

use std::collections::HashMap;
use std::sync::Arc;

use super::topology::Topology;
use crate::engine::messages::ends::{AckedMarkers, PartitionEnd};
use crate::ids::StreamId;
use crate::ledger::SentLog;

/// Everything that the verdict judges.
#[derive(Debug, Default)]
pub(crate) struct RunFindings {
    /// `None` if no broker was reached.
    pub(crate) topology: Option<Arc<Topology>>,
    /// What the scenarios sent.
    pub(crate) sent: HashMap<StreamId, SentLog>,
    /// What each scenario read from each partition.
    pub(crate) ends: Vec<(usize, PartitionEnd)>,
    pub(crate) markers: AckedMarkers,
    /// The containers that exited unexpectedly, each as a sentence.
    pub(crate) crashed: Vec<String>,
}

impl RunFindings {
    /// What was sent: by this run, or by the run of the saved ledger.
    pub(crate) fn sent(&self) -> &HashMap<StreamId, SentLog> {
        self.topology.as_ref().and_then(|topology| topology.restored.as_ref()).unwrap_or(&self.sent)
    }
}
