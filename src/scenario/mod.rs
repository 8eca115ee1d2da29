//! The scenario file: its format, loading, environment, profiles, schema, positions and templates.
//!
//! Owns everything between the bytes of a file and the validated scenario that a plan is made of.

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
mod profile;
mod put;
pub mod read;
pub mod schema;
pub mod secrets;
mod series;
pub mod suggest;
pub mod template;
pub mod valid;
mod validate;
pub mod wiring;
pub mod yaml;

pub use diagnostics::{Diagnostic, Diagnostics};
pub use format::{CheckKind, FaultKind, ScenarioKind};
pub use load::{load, load_text};
pub use options::{ClientJudge, LoadOptions, Refusal};
pub use position::{Position, Span};
pub use secrets::Secrets;
pub use series::Series;
pub use template::{Template, TemplateError, Values};
pub use valid::Scenario;
pub use wiring::{Reference, Wired};
