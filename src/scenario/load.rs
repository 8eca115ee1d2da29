//! From a path to a validated scenario, or to all that is wrong with the file.
//!
//! Owns the order: bytes, text, values with places, environment, preset, schema, profile, meaning.

use std::path::Path;

use super::diagnostics::{Diagnostic, Diagnostics};
use super::node::Document;
use super::options::LoadOptions;
use super::secrets::Secrets;
use super::valid::{Profile, Scenario};
use super::{conform, env, literals, preset, profile, read, schema, validate};

/// Loads a scenario file.
pub fn load(path: &Path, options: &LoadOptions<'_>) -> Result<Scenario, Diagnostics> {
    let document = read::file(path).map_err(unreadable)?;
    from_document(document, options)
}

/// Loads a scenario file whose text is at hand; `path` is what problems name and what profiles lie beside.
pub fn load_text(path: &Path, text: &str, options: &LoadOptions<'_>) -> Result<Scenario, Diagnostics> {
    let document = read::text(path, text.to_owned()).map_err(unreadable)?;
    from_document(document, options)
}

fn unreadable(mut problems: Vec<Diagnostic>) -> Diagnostics {
    problems.iter_mut().for_each(literals::blot);
    Diagnostics::new(problems)
}

fn from_document(mut document: Document, options: &LoadOptions<'_>) -> Result<Scenario, Diagnostics> {
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
    let found = match validate::run(&document, &findings, profile, options) {
        Ok(mut scenario) if problems.is_empty() => {
            scenario.warnings.extend(warnings);
            scenario.warnings.iter_mut().for_each(|warning| warning.hide(&secrets));
            scenario.secrets = secrets;
            return Ok(scenario);
        }
        Ok(_) => Vec::new(),
        Err(found) => found,
    };
    problems.extend(found);
    problems.iter_mut().for_each(|problem| problem.hide(&secrets));
    Err(Diagnostics::new(problems))
}
