//! The scenario file: format, loading, environment, profiles, schema, positions and templates.
//!
//! Turns the bytes of a file into values with positions. `plan::compile` makes a plan of them.

pub mod environment;
pub mod format;
pub mod load;
pub mod source;
pub mod template;

pub use environment::client_settings::{ClientSettings, Security};
pub use environment::options::{ClientJudge, LoadOptions, Refusal};
pub use environment::secrets::Secrets;
pub use format::series::Series;
pub use format::{CheckKind, FaultKind, ScenarioKind};
pub use load::{ScenarioFile, load, load_text};
pub use source::diagnostics::{Diagnostic, Diagnostics};
pub use source::position::{Position, Span};
pub use template::service_template::{Reference, ServiceTemplate};
pub use template::{Template, TemplateError, Values};
