//! From a path to a scenario file as it was read, with what is wrong with it by then.
//!
//! Owns the order: bytes, text, values with places, environment, preset, schema, profile.

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

/// A scenario file as it was read. What its fields mean together is not looked at yet.
#[derive(Debug)]
pub struct ScenarioFile {
    /// Its values, each with its place; variables are replaced, and the services of a preset are in it.
    pub document: Document,
    /// What the schema finds wrong with it.
    pub findings: Findings,
    /// The profile that it names, or that the command line names.
    pub profile: Profile,
    /// What the environment brought in and nobody is to see.
    pub secrets: Secrets,
    /// What is wrong with the file and its profile, as far as they were looked at.
    pub problems: Vec<Diagnostic>,
    /// What is likely a slip, though the file may be good.
    pub warnings: Vec<Diagnostic>,
}

/// Loads a scenario file.
pub fn load(path: &Path, options: &LoadOptions<'_>) -> Result<ScenarioFile, Diagnostics> {
    read::file(path).map_err(unreadable).map(|document| from_document(document, options))
}

/// Loads a scenario file whose text is at hand; `path` is what problems name and what profiles lie beside.
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
