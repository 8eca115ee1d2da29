//! Run ids: readable, sorted by time, and unique, because each run has its own report folder.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use jiff::Timestamp;

/// The folder of a run, with disk space reserved for its reports.
#[derive(Debug)]
pub struct Folder {
    pub(super) path: PathBuf,
    room: File,
}

impl Folder {
    /// Returns the path and releases the reserved space for the reports.
    pub(super) fn open(self) -> PathBuf {
        drop(self.room);
        self.path
    }
}

/// Creates run ids and their folders.
pub struct RunIds {
    report_dir: PathBuf,
    given: Option<String>,
    several: bool,
    /// The folders created so far.
    made: Vec<PathBuf>,
}

impl RunIds {
    /// Creates ids for folders in `report_dir`. With several files, a given id becomes `given-<name>` for
    /// each of them.
    pub fn new(report_dir: &Path, given: Option<String>, several: bool) -> Self {
        Self { report_dir: report_dir.to_owned(), given, several, made: Vec::new() }
    }

    /// The next run's id and its new folder.
    ///
    /// # Errors
    ///
    /// If the folder cannot be created, or if a given id already has reports. In both cases, all folders
    /// created so far are removed.
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

    /// Creates a folder. Returns `None` if it already exists.
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

/// Reserves as much space as reports need. This detects a full disk or an exceeded quota before the load
/// starts, and keeps space for the reports if the disk fills up during the run.
fn reserve(folder: &Path) -> std::io::Result<File> {
    const ROOM: usize = 1 << 20;
    let path = folder.join(".room");
    let room = File::create(&path).and_then(|mut file| file.write_all(&vec![0; ROOM]).map(|()| file));
    // The space stays reserved until the file is closed, which also happens if the process is killed.
    let _ = std::fs::remove_file(&path);
    room
}

/// The current time in the form that reports use.
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

/// Converts a name to a part of a folder name.
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
