//! Which scenario files a command line means: files, folders and globs, in a fixed order, each once.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Endings of scenario files in a folder.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Expands the arguments.
///
/// # Errors
/// For one that stands for nothing.
pub fn expand(arguments: &[String]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::new();
    // A variable holds one a line, perhaps with empty ones between.
    for argument in arguments.iter().map(|argument| argument.trim()).filter(|argument| !argument.is_empty()) {
        let path = Path::new(argument);
        let found = if path.is_dir() {
            let found = folder(path)?;
            if found.is_empty() {
                bail!("the folder `{argument}` holds no scenario file (*.yaml, *.yml or *.json)");
            }
            found
        } else if path.exists() || !is_glob(argument) {
            // A file that is not there is reported when it is read, with the reason.
            vec![path.to_owned()]
        } else {
            let found = globbed(argument)?;
            if found.is_empty() {
                bail!("`{argument}` matches no scenario file (*.yaml, *.yml or *.json)");
            }
            found
        };
        for file in found {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    Ok(files)
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn folder(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(path).with_context(|| format!("cannot read the folder `{}`", path.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.with_context(|| format!("cannot read the folder `{}`", path.display()))?.path();
        if file.is_file() && is_scenario(&file) {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// By its ending; profiles lie beside scenarios and are none.
fn is_scenario(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str());
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    ending.is_some_and(|e| ENDINGS.contains(&e)) && stem != "profiles" && stem != "kaf6.profiles"
}

fn globbed(pattern: &str) -> anyhow::Result<Vec<PathBuf>> {
    let paths = glob::glob(pattern).with_context(|| format!("`{pattern}` is no glob"))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.with_context(|| format!("cannot read what `{pattern}` stands for"))?;
        if path.is_file() && is_scenario(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_globs_leave_profiles_out() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.json", "profiles.yaml", "note.txt"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let names = |argument: String| -> Vec<String> {
            let files = expand(&[argument]).unwrap();
            files.iter().map(|f| f.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(dir.path().display().to_string()), ["a.json", "b.yaml"]);
        assert_eq!(names(format!("{}/*.yaml", dir.path().display())), ["b.yaml"]);
        assert!(expand(&[format!("{}/*.yml", dir.path().display())]).is_err());
        let twice = format!("{}/b.yaml", dir.path().display());
        assert_eq!(expand(&[twice.clone(), twice]).unwrap().len(), 1);
    }
}
