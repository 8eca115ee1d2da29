//! From a path to a validated scenario, or to all that is wrong with the file.
//!
//! Owns the order: bytes, text, values with places, environment, schema, profile, meaning.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::diagnostics::{Diagnostic, Diagnostics};
use super::node::{Document, Span};
use super::profile::{self, Profile};
use super::valid::Scenario;
use super::{conform, env, json, schema, validate, yaml};

/// The largest file that is read.
pub const FILE_MAX: u64 = 1 << 20;

/// What a load takes from outside of the file.
pub struct LoadOptions<'a> {
    /// Looks a variable of the environment up.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// `--profile`: in place of the file's, and before the file's own brokers.
    pub profile: Option<String>,
    /// `--brokers`: before all else, also before those of single scenarios.
    pub brokers: Option<Vec<String>>,
    /// `--embedded`: the broker inside kaf6, before all else.
    pub embedded: bool,
    /// The folder in which `kaf6.profiles.yaml` is looked for.
    pub folder: PathBuf,
}

impl<'a> LoadOptions<'a> {
    /// Nothing but an environment.
    pub fn new(env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { env, profile: None, brokers: None, embedded: false, folder: PathBuf::from(".") }
    }
}

impl std::fmt::Debug for LoadOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadOptions")
            .field("profile", &self.profile)
            .field("brokers", &self.brokers)
            .field("embedded", &self.embedded)
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// Loads a scenario file.
pub fn load(path: &Path, options: &LoadOptions<'_>) -> Result<Scenario, Diagnostics> {
    let document = read(path).map_err(Diagnostics::new)?;
    from_document(document, options)
}

/// Loads a scenario file whose text is at hand; `path` is what problems name and what profiles lie beside.
pub fn load_text(path: &Path, text: &str, options: &LoadOptions<'_>) -> Result<Scenario, Diagnostics> {
    let document = parse(path, text.to_owned()).map_err(Diagnostics::new)?;
    from_document(document, options)
}

fn from_document(mut document: Document, options: &LoadOptions<'_>) -> Result<Scenario, Diagnostics> {
    let mut problems = env::replace(&mut document, options.env);
    let findings = conform::check(&mut document, schema::scenario());
    problems.extend(findings.problems.iter().cloned());
    let name = match &options.profile {
        Some(name) => Some(name.clone()),
        None if findings.touch("/profile") => None,
        None => document.root.to_json().pointer("/profile").and_then(|name| Some(name.as_str()?.to_owned())),
    };
    let profile = match name {
        Some(name) => profile::look_up(&name, &document, options, &mut problems),
        None => Profile::default(),
    };
    match validate::run(&document, &findings, profile, options) {
        Ok(scenario) if problems.is_empty() => Ok(scenario),
        Ok(_) => Err(Diagnostics::new(problems)),
        Err(found) => {
            problems.extend(found);
            Err(Diagnostics::new(problems))
        }
    }
}

/// Reads a file into values with places.
pub(super) fn read(path: &Path) -> Result<Document, Vec<Diagnostic>> {
    let whole = |message: String, hint: Option<&str>| {
        vec![Diagnostic::of_file(path, message, hint.map(str::to_owned))]
    };
    let file = std::fs::File::open(path).map_err(|error| whole(format!("cannot be read: {error}"), None))?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits, and /dev/zero ends too.
    file.take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| whole(format!("cannot be read: {error}"), None))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(whole("is larger than 1 MiB, so it is no scenario file".to_owned(), None));
    }
    match String::from_utf8(bytes) {
        Ok(text) => parse(path, text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let before = String::from_utf8_lossy(&bytes[..at]);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
            let text = String::from_utf8_lossy(&bytes);
            let span = Span { line, column, width: 1 };
            let message = "this is no text: a byte here is not UTF-8";
            Err(vec![Diagnostic::at(path, &text, span, message, Some("save the file as UTF-8".to_owned()))])
        }
    }
}

/// Reads a text into values with places. What ends in `.json` is JSON; without a known ending, what reads as JSON.
pub(super) fn parse(path: &Path, mut text: String) -> Result<Document, Vec<Diagnostic>> {
    // Editors of one system put a mark in front that means nothing in UTF-8.
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    let wrong = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{85}');
    if let Some(at) = text.find(wrong) {
        let before = &text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        let span = Span { line, column, width: 1 };
        let message = "this is no text: a control character stands here";
        return Err(vec![Diagnostic::at(path, &text, span, message, None)]);
    }
    if text.len() as u64 > FILE_MAX {
        return Err(vec![Diagnostic::of_file(path, "is larger than 1 MiB, so it is no scenario file", None)]);
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let root = match ending.as_str() {
        "json" => json::read(path, &text)?,
        "yaml" | "yml" => yaml::read(path, &text)?,
        _ if text.trim_start().starts_with('{') => {
            json::read(path, &text).or_else(|_| yaml::read(path, &text))?
        }
        _ => yaml::read(path, &text)?,
    };
    Ok(Document { path: path.to_owned(), text, root })
}
