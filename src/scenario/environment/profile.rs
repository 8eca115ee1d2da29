//! Profiles: what scenario files share about one place to test, looked up by name.
//!
//! Owns where profile files lie, and what a profile without any such file means: a label.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::options::LoadOptions;
use super::secrets::Secrets;
use super::{env, literals};
use crate::scenario::format;
use crate::scenario::format::{schema, schema_check as conform};
use crate::scenario::source::diagnostics::Diagnostic;
use crate::scenario::source::node::{Content, Document, below};
use crate::scenario::source::{read, suggest};

/// The profile of a scenario file; the file and the command line stand over it.
#[derive(Debug, Default)]
pub struct Profile {
    /// Its name.
    pub name: Option<String>,
    /// What it says; none where its name is a label, or it could not be read.
    pub found: Option<FoundProfile>,
    /// What is likely a slip in its file.
    pub warnings: Vec<Diagnostic>,
    /// It was named and could not be read, so nothing can be said of what is missing.
    pub failed: bool,
}

/// A profile in its file.
#[derive(Debug)]
pub struct FoundProfile {
    /// The file.
    pub document: Document,
    /// The profile's place in it.
    pub pointer: String,
    /// The profile as written.
    pub written: format::ProfileFields,
}

/// The files in which profiles are looked for, in their order.
fn files(scenario: &Path, options: &LoadOptions<'_>) -> Vec<PathBuf> {
    let beside = scenario.parent().unwrap_or(Path::new("")).join("profiles.yaml");
    let here = options.folder.join("kaf6.profiles.yaml");
    [beside, here].into_iter().filter(|path| path.is_file()).collect()
}

/// Looks a profile up. `at` is where the scenario file names it; none where the command line does.
pub(crate) fn look_up(
    name: &str,
    document: &Document,
    options: &LoadOptions<'_>,
    (problems, secrets): (&mut Vec<Diagnostic>, &mut Secrets),
) -> Profile {
    let files = files(&document.path, options);
    let mut known: Vec<String> = Vec::new();
    let before = problems.len();
    for path in &files {
        let mut file = match read::file(path) {
            Ok(file) => file,
            Err(mut found) => {
                found.iter_mut().for_each(literals::blot);
                problems.extend(found);
                continue;
            }
        };
        // Only the profile that is asked for may need variables to be set.
        if let Content::Mapping(members) = &mut file.root.content
            && let Some(profiles) = members.iter_mut().find(|member| member.key == "profiles")
            && let Content::Mapping(profiles) = &mut profiles.node.content
        {
            known.extend(profiles.iter().map(|member| member.key.clone()));
            profiles.retain(|member| member.key == name);
        }
        problems.extend(env::replace(&mut file, options.env, secrets));
        let findings = conform::check(&mut file, schema::profiles());
        problems.extend(findings.problems.iter().cloned());
        let pointer = below("/profiles", name);
        let json = file.root.to_json();
        let Some(value) = json.pointer(&pointer) else { continue };
        let Some(written) =
            format::ProfileFields::deserialize(value).ok().filter(|_| findings.broken.is_empty())
        else {
            continue;
        };
        return Profile {
            name: Some(name.to_owned()),
            warnings: literals::warnings(&file),
            failed: problems.len() > before,
            found: Some(FoundProfile { document: file, pointer, written }),
        };
    }
    if !files.is_empty() && problems.len() == before {
        let among = files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ");
        let hint = suggest::hint(name, known.iter().map(String::as_str));
        problems.push(match (&options.profile, document.is_replaced("/profile")) {
            (Some(_), _) => Diagnostic::of_file(
                Path::new("--profile"),
                format!("unknown profile `{name}` in {among}"),
                hint,
            ),
            (None, true) => {
                let shown = document.shown("/profile").unwrap_or_default();
                let message = format!("the value of `{shown}` is not a profile in {among}");
                document.problem(document.place("/profile"), message, None)
            }
            (None, false) => {
                let message = format!("unknown profile `{name}` in {among}");
                document.problem(document.place("/profile"), message, hint)
            }
        });
    }
    let failed = problems.len() > before;
    // Without a file of profiles the name is a label, as long as something else gives the brokers.
    Profile { name: Some(name.to_owned()), failed, ..Profile::default() }
}
