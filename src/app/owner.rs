//! Sets the owner of report files. Reports that root writes in a container get the owner of the folder they
//! are in.
//!
//! A CI system mounts its folder into the container and reads it later as its own user.

use std::path::Path;

/// Gives a folder and its contents the owner of its parent folder or of the working directory, if this
/// process is root and that owner is not. Otherwise it does nothing. Files whose owner cannot be changed stay
/// readable.
#[cfg(unix)]
pub(super) fn hand_over(folder: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let owner = |path: &Path| std::fs::symlink_metadata(path).ok().map(|m| (m.uid(), m.gid()));
    let Some(folder) = folder.canonicalize().ok().filter(|path| owner(path).is_some_and(|(uid, _)| uid == 0))
    else {
        return;
    };
    let around = std::env::current_dir().ok().and_then(|path| path.canonicalize().ok());
    // This process created the folders between the two.
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

/// On other systems, folders are not mounted from another user.
#[cfg(not(unix))]
pub(super) fn hand_over(_: &Path) {}
