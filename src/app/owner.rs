//! Whose the reports are: those that root writes in a container belong to whoever owns the folder that they go to.
//!
//! A CI system mounts its own folder and reads it as its own user afterwards.

use std::path::Path;

/// Gives a folder and all in it to whoever owns the folder above it, or the working folder around it, where this
/// process is root and that owner is not. Elsewhere it does nothing; what cannot be given stays as it is, readable.
#[cfg(unix)]
pub(super) fn hand_over(folder: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let owner = |path: &Path| std::fs::symlink_metadata(path).ok().map(|m| (m.uid(), m.gid()));
    let Some(folder) = folder.canonicalize().ok().filter(|path| owner(path).is_some_and(|(uid, _)| uid == 0))
    else {
        return;
    };
    let around = std::env::current_dir().ok().and_then(|path| path.canonicalize().ok());
    // The folders between are this process's own.
    let between: Vec<&Path> = folder
        .ancestors()
        .skip(1)
        .take_while(|above| {
            owner(above).is_some_and(|(uid, _)| uid == 0) && Some(*above) != around.as_deref()
        })
        .collect();
    let above = between.last().copied().unwrap_or(&folder).parent();
    let Some((uid, gid)) = above.and_then(owner).filter(|(uid, _)| *uid != 0) else { return };
    let inside = above.is_some_and(|above| Some(above) == around.as_deref());
    if !between.is_empty() && !inside {
        return;
    }
    for folder in &between {
        let _ = std::os::unix::fs::lchown(folder, Some(uid), Some(gid));
    }
    give(&folder, uid, gid, 0);
}

#[cfg(unix)]
fn give(path: &Path, uid: u32, gid: u32, depth: usize) {
    const DEEPEST: usize = 4;
    let _ = std::os::unix::fs::lchown(path, Some(uid), Some(gid));
    let is_folder = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    if is_folder && depth < DEEPEST {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            give(&entry.path(), uid, gid, depth + 1);
        }
    }
}

/// Elsewhere nobody mounts folders of others.
#[cfg(not(unix))]
pub(super) fn hand_over(_: &Path) {}
