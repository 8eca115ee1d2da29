//! The scenario file: raw model, loading, environment, profiles, schema, positions and templates.
//!
//! Owns everything between the bytes of a file and the validated scenario that a plan is made of.

use std::path::PathBuf;

pub mod conform;
pub mod diagnostics;
pub mod env;
pub mod expr;
pub mod json;
pub mod load;
pub mod model;
pub mod node;
pub mod profile;
pub mod schema;
pub mod suggest;
pub mod template;
pub mod valid;
mod validate;
pub mod yaml;

pub use diagnostics::{Diagnostic, Diagnostics};
pub use load::{LoadOptions, load, load_text};
pub use template::{Template, TemplateError, Values};
pub use valid::Scenario;

/// A place in a scenario file, counted from 1; columns in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The file as given.
    pub file: PathBuf,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}
