//! The scenario file: its format, loading, environment, profiles, schema, positions and templates.
//!
//! Owns everything between the bytes of a file and the values, each with its place, that a plan is compiled from.

mod client_settings;
pub mod conform;
pub mod diagnostics;
pub mod env;
pub mod expr;
pub mod format;
pub mod json;
mod literals;
pub mod load;
pub mod node;
pub mod options;
mod plain;
mod position;
pub mod preset;
pub mod profile;
mod put;
pub mod read;
pub mod schema;
pub mod secrets;
mod series;
pub mod suggest;
pub mod template;
pub mod wiring;
pub mod yaml;

pub use client_settings::{ClientSettings, Security};
pub use diagnostics::{Diagnostic, Diagnostics};
pub use format::{CheckKind, FaultKind, ScenarioKind};
pub use load::{ScenarioFile, load, load_text};
pub use options::{ClientJudge, LoadOptions, Refusal};
pub use position::{Position, Span};
pub use secrets::Secrets;
pub use series::Series;
pub use template::{Template, TemplateError, Values};
pub use wiring::{Reference, ServiceTemplate};
