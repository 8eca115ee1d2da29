//! The API of the Docker Engine: its address, kaf6's requests, and the meaning of errors.

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
