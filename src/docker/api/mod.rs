//! The Docker Engine's API: where it listens, what it is asked for, and what its refusals mean.

pub(crate) mod container;
pub(crate) mod context;
pub(crate) mod credentials;
pub(crate) mod daemon;
pub(crate) mod engine;
pub(crate) mod error;
pub(crate) mod images;
pub(crate) mod platform;
pub(crate) mod refusals;
pub(crate) mod sockets;
