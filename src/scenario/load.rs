//! Loads a scenario file: from a path to values, with all problems that were found.
//!
//! The steps are: bytes, text, values with positions, environment, preset, schema, profile.

use std::path::Path;

use crate::scenario::environment::options::LoadOptions;
use crate::scenario::environment::profile::Profile;
use crate::scenario::environment::secrets::Secrets;
use crate::scenario::environment::{env, literals, preset, profile};
use crate::scenario::format::schema_check::Findings;
use crate::scenario::format::{schema, schema_check as conform};
use crate::scenario::source::diagnostics::{Diagnostic, Diagnostics};
use crate::scenario::source::node::Document;
use crate::scenario::source::read;

/// A loaded scenario file. `plan::compile` checks how its fields fit together.
#[derive(Debug)]
pub struct ScenarioFile {
    /// The file's values with their positions. Variables are replaced, and the preset's services are
    /// included.
    pub document: Document,
    /// Problems found by schema validation.
    pub findings: Findings,
    /// The profile named in the file or on the command line.
    pub profile: Profile,
    pub secrets: Secrets,
    /// Problems in the file and its profile.
    pub problems: Vec<Diagnostic>,
    /// Likely mistakes that do not make the file invalid.
    pub warnings: Vec<Diagnostic>,
}

/// Loads a scenario file.
pub fn load(path: &Path, options: &LoadOptions<'_>) -> Result<ScenarioFile, Diagnostics> {
    read::file(path).map_err(unreadable).map(|document| from_document(document, options))
}

/// Loads a scenario file from its text. `path` is used in messages and to find profiles.
pub fn load_text(path: &Path, text: &str, options: &LoadOptions<'_>) -> Result<ScenarioFile, Diagnostics> {
    read::text(path, text.to_owned()).map_err(unreadable).map(|document| from_document(document, options))
}

fn unreadable(mut problems: Vec<Diagnostic>) -> Diagnostics {
    problems.iter_mut().for_each(literals::blot);
    Diagnostics::new(problems)
}

fn from_document(mut document: Document, options: &LoadOptions<'_>) -> ScenarioFile {
    let mut secrets = Secrets::default();
    let mut problems = env::replace(&mut document, options.env, &mut secrets);
    preset::merge(&mut document);
    let findings = conform::check(&mut document, schema::scenario());
    problems.extend(findings.problems.iter().cloned());
    let name = match &options.profile {
        Some(name) => Some(name.clone()),
        None if findings.touch("/profile") => None,
        None => document.root.to_json().pointer("/profile").and_then(|name| Some(name.as_str()?.to_owned())),
    };
    let profile = match name {
        Some(name) => profile::look_up(&name, &document, options, (&mut problems, &mut secrets)),
        None => Profile::default(),
    };
    let mut warnings = literals::warnings(&document);
    warnings.extend(profile.warnings.iter().cloned());
    ScenarioFile { document, findings, profile, secrets, problems, warnings }
}
