//! Profiles: settings that scenario files share for one test environment, looked up by name.
//!
//! Knows where profile files are. Without a profile file, a profile's name is only a label.

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

/// The profile of a scenario file. The file and the command line override it.
#[derive(Debug, Default)]
pub struct Profile {
    pub name: Option<String>,
    /// The profile's settings. `None` if the name is only a label or the profile cannot be read.
    pub found: Option<FoundProfile>,
    /// Likely mistakes in the profile file.
    pub warnings: Vec<Diagnostic>,
    /// The profile is named but cannot be read, so missing settings must not be reported.
    pub failed: bool,
}

/// A profile in a profile file.
#[derive(Debug)]
pub struct FoundProfile {
    /// The profile file.
    pub document: Document,
    /// JSON pointer to the profile in the file.
    pub pointer: String,
    /// The profile as written.
    pub written: format::ProfileFields,
}

/// The files to search for profiles, in order.
fn files(scenario: &Path, options: &LoadOptions<'_>) -> Vec<PathBuf> {
    let beside = scenario.parent().unwrap_or(Path::new("")).join("profiles.yaml");
    let here = options.folder.join("kaf6.profiles.yaml");
    [beside, here].into_iter().filter(|path| path.is_file()).collect()
}

/// Looks up a profile. `at` is the position of its name in the scenario file, or `None` if the command line
/// names it.
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
        // Only the selected profile may fail because of unset variables.
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
    // Without profile files, the name is a label, provided that brokers are defined elsewhere.
    Profile { name: Some(name.to_owned()), failed, ..Profile::default() }
}
