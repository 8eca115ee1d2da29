//! External input of a scenario file: variables, secrets, profiles, presets and options.

pub(crate) mod client_settings;
pub mod env;
pub(crate) mod literals;
pub mod options;
pub mod preset;
pub mod profile;
pub mod secrets;
