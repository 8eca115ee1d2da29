//! Expands the command line's arguments to scenario files: files, folders and globs, in a fixed order,
//! without duplicates.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use glob::{MatchOptions, Pattern};

/// File name extensions of scenario files in a folder.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// The expanded arguments.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Files {
    pub files: Vec<PathBuf>,
    /// Files that are omitted, because an earlier argument already includes them.
    pub repeated: Vec<PathBuf>,
}

/// Expands the arguments.
///
/// # Errors
///
/// If an argument matches no file, or if there are no arguments.
pub fn expand(arguments: &[String]) -> anyhow::Result<Files> {
    let mut all = Files::default();
    let mut known = HashSet::new();
    // A variable may contain several arguments, newline-separated, with empty lines.
    for argument in arguments.iter().map(|argument| argument.trim()).filter(|argument| !argument.is_empty()) {
        let mut own = HashSet::new();
        for file in stands_for(argument)? {
            // Several paths may lead to the same file.
            let real = file.canonicalize().unwrap_or_else(|_| file.clone());
            if !own.insert(real.clone()) {
                continue;
            }
            if known.insert(real) {
                all.files.push(file);
            } else {
                all.repeated.push(file);
            }
        }
    }
    if all.files.is_empty() {
        bail!("no scenario file given; pass a file, a folder or a glob such as `scenarios/*.yaml`");
    }
    Ok(all)
}

/// The files that one argument matches.
fn stands_for(argument: &str) -> anyhow::Result<Vec<PathBuf>> {
    let path = Path::new(argument);
    if path.is_dir() {
        let found = folder(path)?;
        if found.is_empty() {
            bail!("no scenario file in folder `{argument}`: expected *.yaml, *.yml or *.json");
        }
        return Ok(found);
    }
    if path.exists() || !is_glob(argument) {
        // A missing file is reported with the reason when it is read.
        return Ok(vec![path.to_owned()]);
    }
    let found = globbed(argument)?;
    if found.is_empty() {
        bail!("`{argument}` matches no scenario file: expected *.yaml, *.yml or *.json");
    }
    Ok(found)
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn folder(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = entries(path)?;
    let mut files: Vec<PathBuf> =
        entries.into_iter().filter(|file| file.is_file() && is_scenario(file)).collect();
    files.sort();
    Ok(files)
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let wrong = || format!("cannot read the folder `{}`", folder.display());
    let entries = std::fs::read_dir(folder).with_context(wrong)?;
    entries.map(|entry| Ok(entry.with_context(wrong)?.path())).collect()
}

/// Decides by extension. Profile files are next to scenario files but are not scenarios.
fn is_scenario(path: &Path) -> bool {
    let ending = path.extension().and_then(|e| e.to_str());
    let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or_default();
    ending.is_some_and(|e| ENDINGS.contains(&e)) && stem != "profiles" && stem != "kaf6.profiles"
}

fn globbed(pattern: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = match pattern.split_once("**") {
        Some((before, _)) => below(pattern, before)?,
        None => glob::glob(pattern)
            .with_context(|| format!("invalid glob `{pattern}`"))?
            .collect::<Result<_, _>>()
            .with_context(|| format!("cannot read the files that match `{pattern}`"))?,
    };
    paths.retain(|path| path.is_file() && is_scenario(path));
    paths.sort();
    Ok(paths)
}

/// The files that a pattern with `**` matches. Each folder is visited once, because links may form cycles.
fn below(pattern: &str, before: &str) -> anyhow::Result<Vec<PathBuf>> {
    let wanted = Pattern::new(pattern).with_context(|| format!("invalid glob `{pattern}`"))?;
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::default() };
    // The path before the first wildcard is a literal folder.
    let literal = &before[..before.find(['*', '?', '[']).unwrap_or(before.len())];
    let base = literal.rfind('/').map_or("", |slash| &literal[..=slash]);
    let mut open = vec![PathBuf::from(base)];
    let (mut entered, mut found) = (HashSet::new(), Vec::new());
    while let Some(folder) = open.pop() {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        if !here.canonicalize().is_ok_and(|real| entered.insert(real)) {
            continue;
        }
        let mut inside = entries(here)?;
        // Of several paths to a folder, the one without links counts.
        inside.sort_by_key(|path| (path.is_symlink(), path.clone()));
        for path in inside.into_iter().rev() {
            let path = path.file_name().map_or_else(|| path.clone(), |name| folder.join(name));
            if path.is_dir() {
                open.push(path);
            } else if wanted.matches_path_with(&path, options) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(argument: &str) -> Vec<String> {
        let files = expand(&[argument.to_owned()]).unwrap().files;
        files.iter().map(|f| f.file_name().unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn folders_and_globs_leave_profiles_out() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.json", "profiles.yaml", "note.txt"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(names(&dir.path().display().to_string()), ["a.json", "b.yaml"]);
        assert_eq!(names(&format!("{}/*.yaml", dir.path().display())), ["b.yaml"]);
        assert!(expand(&[format!("{}/*.yml", dir.path().display())]).is_err());
    }

    #[test]
    fn a_file_given_twice_is_told_and_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("b.yaml"), "").unwrap();
        let ways = ["b.yaml", "b.yaml", "sub/../b.yaml", "*.yaml"].map(|way| dir.path().join(way));
        let all = expand(&ways.map(|way| way.display().to_string())).unwrap();
        assert_eq!((all.files.len(), all.repeated.len()), (1, 3));
        assert_eq!(all.repeated[1], dir.path().join("sub/../b.yaml"));
    }

    #[test]
    fn no_argument_stands_for_no_file() {
        for none in [&[][..], &[""], &[" ", "\n"]] {
            let none: Vec<String> = none.iter().map(|&text| text.to_owned()).collect();
            assert!(expand(&none).unwrap_err().to_string().starts_with("no scenario file given"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_are_followed_once() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        std::fs::create_dir_all(at("a/b")).unwrap();
        for file in ["top.yaml", "a/one.yaml", "a/b/two.yaml", "a/b/x.txt"] {
            std::fs::write(at(file), "").unwrap();
        }
        // Two links from a folder to itself: `glob` would visit 2^40 paths.
        symlink(at("a"), at("a/self")).unwrap();
        symlink(at("a"), at("a/b/up")).unwrap();
        symlink(dir.path(), at("a/b/root")).unwrap();
        let pattern = |text: &str| format!("{}/{text}", dir.path().display());
        assert_eq!(names(&pattern("**/*.yaml")), ["two.yaml", "one.yaml", "top.yaml"]);
        assert_eq!(names(&pattern("a/**/two.yaml")), ["two.yaml"]);
        assert_eq!(
            names(&pattern("a/**/*.yaml")),
            ["top.yaml", "two.yaml", "one.yaml"],
            "a link leads there"
        );
        assert_eq!(names(&pattern("?/**/b/*.yaml")), ["two.yaml"]);
        let plain = |text: &str| {
            let paths: Vec<PathBuf> = glob::glob(&pattern(text)).unwrap().map(Result::unwrap).collect();
            paths
        };
        std::fs::remove_file(at("a/self")).unwrap();
        std::fs::remove_file(at("a/b/up")).unwrap();
        std::fs::remove_file(at("a/b/root")).unwrap();
        for text in ["**/*.yaml", "a/**/*.yaml", "**/b/*.yaml", "**/two.yaml"] {
            assert_eq!(expand(&[pattern(text)]).unwrap().files, plain(text), "{text}");
        }
    }
}
