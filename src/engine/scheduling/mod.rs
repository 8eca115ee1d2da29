//! Start times: of the cluster, the topics, each scenario and each fault.

pub(crate) mod abort;
pub(crate) mod advertised;
pub(crate) mod cluster;
pub(crate) mod crash;
pub(crate) mod faults;
pub(crate) mod setup;
pub(crate) mod starts;
