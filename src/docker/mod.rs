//! Containers through the Docker Engine: services, attaching, faults, relays, logs and clean-up.
//!
//! Owns all that a run starts there: what it started is removed, what it touched is healed.

mod addresses;

pub use addresses::Addresses;
