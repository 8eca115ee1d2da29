//! Run ids: readable, in the order of time, and never the same twice, since each owns its report folder.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use jiff::Timestamp;

/// The folder of a run, with room for its reports.
#[derive(Debug)]
pub struct Folder {
    pub(super) path: PathBuf,
    room: File,
}

impl Folder {
    /// Where it is. What is written there from now on takes the room.
    pub(super) fn open(self) -> PathBuf {
        drop(self.room);
        self.path
    }
}

/// Hands out run ids and makes their folders.
pub struct RunIds {
    report_dir: PathBuf,
    given: Option<String>,
    several: bool,
    /// The folders made so far.
    made: Vec<PathBuf>,
}

impl RunIds {
    /// Ids below this folder; a given one becomes `given-<name>` for each of several files.
    pub fn new(report_dir: &Path, given: Option<String>, several: bool) -> Self {
        Self { report_dir: report_dir.to_owned(), given, several, made: Vec::new() }
    }

    /// The next run's id and its folder, which is new.
    ///
    /// # Errors
    /// Where the folder cannot be made, or a given id has reports already; then none of the folders is left behind.
    pub fn next(&mut self, name: &str) -> anyhow::Result<(String, Folder)> {
        let next = match self.given.clone() {
            Some(given) => self.by_word(&given, name),
            None => self.by_time(),
        };
        if next.is_err() {
            for folder in self.made.drain(..) {
                let _ = std::fs::remove_dir(folder);
            }
        }
        next
    }

    fn by_word(&mut self, given: &str, name: &str) -> anyhow::Result<(String, Folder)> {
        let id = if self.several { format!("{given}-{}", slug(name)) } else { given.to_owned() };
        if !is_plain(&id) {
            bail!(
                "invalid run id `{id}`: expected up to 100 letters, digits, `.`, `_` and `-`, \
                without a leading `.`"
            );
        }
        if self.made.contains(&self.report_dir.join(&id)) {
            bail!("two files would have the run id `{id}`; give one of them another `name`");
        }
        match self.make(&id)? {
            Some(folder) => Ok((id, folder)),
            None => bail!(
                "run id `{id}` already has reports in `{}`; choose another id, or remove them",
                self.report_dir.join(&id).display()
            ),
        }
    }

    fn by_time(&mut self) -> anyhow::Result<(String, Folder)> {
        loop {
            let id = format!("{}-{:04x}", Timestamp::now().strftime("%Y%m%d-%H%M%S"), random());
            if let Some(folder) = self.make(&id)? {
                return Ok((id, folder));
            }
        }
    }

    /// Makes a folder; none where it is there already.
    fn make(&mut self, id: &str) -> anyhow::Result<Option<Folder>> {
        let folder = self.report_dir.join(id);
        std::fs::create_dir_all(&self.report_dir)
            .with_context(|| format!("cannot create the report folder `{}`", self.report_dir.display()))?;
        match std::fs::create_dir(&folder) {
            Ok(()) => {
                self.made.push(folder.clone());
                let room = reserve(&folder)
                    .with_context(|| format!("cannot write to the report folder `{}`", folder.display()))?;
                Ok(Some(Folder { path: folder, room }))
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => {
                Err(error).with_context(|| format!("cannot create the report folder `{}`", folder.display()))
            }
        }
    }
}

/// As much as reports take: a full disk or a used-up quota is known before the load, and a disk that fills up during the run
/// leaves room for its reports.
fn reserve(folder: &Path) -> std::io::Result<File> {
    const ROOM: usize = 1 << 20;
    let path = folder.join(".room");
    let room = File::create(&path).and_then(|mut file| file.write_all(&vec![0; ROOM]).map(|()| file));
    // The room stays until the file is closed, also by the end of a process that was killed.
    let _ = std::fs::remove_file(&path);
    room
}

/// Now, as reports write it.
pub(super) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn random() -> u16 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    u16::try_from(high >> 48).unwrap_or_default()
}

fn is_plain(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !id.is_empty() && id.len() <= 100 && id.chars().all(plain) && !id.starts_with('.')
}

/// A name as part of a folder's.
fn slug(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_never_collide() {
        let dir = tempfile::tempdir().unwrap();
        let mut ids = RunIds::new(dir.path(), None, false);
        let made: std::collections::HashSet<String> = (0..100).map(|_| ids.next("x").unwrap().0).collect();
        assert_eq!(made.len(), 100);
        let one = made.iter().next().unwrap();
        assert_eq!(one.len(), "20260116-145402-7f3a".len(), "{one}");
    }

    #[test]
    fn two_files_of_one_name_are_told_and_leave_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut ids = RunIds::new(dir.path(), Some("x".to_owned()), true);
        ids.next("a").unwrap();
        assert!(ids.next("a").unwrap_err().to_string().contains("two files"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn no_name_leads_out_of_the_report_folder() {
        let dir = tempfile::tempdir().unwrap();
        let mut ids = RunIds::new(dir.path(), Some("x".to_owned()), true);
        for name in ["../../etc", "/etc/passwd", "..", "a\\b", "", "\u{202e}\0"] {
            let (_, folder) = ids.next(name).unwrap();
            let folder = folder.open();
            assert_eq!(folder.parent(), Some(dir.path()), "{name}");
            assert!(folder.canonicalize().unwrap().starts_with(dir.path().canonicalize().unwrap()), "{name}");
            assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "what was tried out is gone");
        }
    }

    #[test]
    fn a_given_id_is_taken_once_and_only_as_a_name() {
        let dir = tempfile::tempdir().unwrap();
        let next = |id: &str, several| RunIds::new(dir.path(), Some(id.to_owned()), several).next("a b");
        assert_eq!(next("nightly", true).unwrap().0, "nightly-a-b");
        assert_eq!(next("nightly", false).unwrap().0, "nightly");
        assert!(next("nightly", false).unwrap_err().to_string().contains("already"));
        assert!(next("../up", false).is_err());
        assert!(next("", false).is_err());
    }
}
