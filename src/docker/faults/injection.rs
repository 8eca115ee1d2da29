//! The input of each kind of fault: the cluster, the fault, and a token that is canceled when the run ends.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::docker::cluster::state::ClusterState;
use crate::plan::FaultPlan;

/// A fault to inject.
#[derive(Clone, Copy)]
pub(super) struct Injection<'a> {
    pub shared: &'a Arc<ClusterState>,
    pub fault: &'a FaultPlan,
    /// Canceled when the run ends.
    pub cancel: &'a CancellationToken,
}
