//! Container logs: followed from the start into files, across restarts, with the last lines in memory.
//!
//! Each line is written once, even if a restarted container's log is read again. Log size is limited, and
//! secrets are hidden.

pub(crate) mod log_line;

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::query_parameters::LogsOptionsBuilder;
use console::strip_ansi_codes;
use futures_util::StreamExt as _;
use tokio::task::JoinHandle;

use super::lock::lock;
use crate::docker::api::daemon::{Daemon, is_conflict, is_gone, said};
use crate::scenario::Secrets;
use log_line::readable;

/// The first bytes of a log, which are written immediately.
const HEAD: usize = 32 << 20;
/// The last bytes of a log, which are kept in memory and written at the end. The part in between is omitted.
const TAIL: usize = 1 << 20;
/// Lines that are kept in memory.
const KEPT: usize = 50;
/// Bytes of one line that are kept in memory.
const LINE: usize = 2000;
/// How long log lines may still arrive after their container has ended.
const SETTLE: Duration = Duration::from_secs(2);

/// The log of one replica, across all of its containers.
pub(super) struct ReplicaLog {
    path: PathBuf,
    secrets: Secrets,
    written: Mutex<LogWritten>,
    follower: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct LogWritten {
    file: Option<File>,
    /// The error because of which the file is incomplete.
    failed: Option<std::io::Error>,
    /// The number of bytes written to it. The next field is whether they end with a complete line.
    head: usize,
    ends_line: bool,
    /// The last bytes beyond `HEAD`. The next field is the number of bytes dropped before them.
    tail: VecDeque<u8>,
    left_out: u64,
    lines: VecDeque<String>,
    /// The reason why Docker does not return the log.
    unreadable: Option<String>,
    /// The incomplete last line of each stream.
    open: HashMap<u8, String>,
    /// The followed container, and the time of its last line, in Docker's format.
    last: (String, String),
    /// Lines before this time are ignored: they were written before the run.
    since: Option<i32>,
    /// Lines up to this time were read before the restart. Times of the two streams may overlap by
    /// microseconds, so the last line alone does not show which lines are old.
    old: String,
}

impl ReplicaLog {
    /// Creates a log at `path`. The file is created with the first container.
    pub(super) fn new(path: PathBuf, secrets: Secrets) -> Self {
        Self { path, secrets, written: Mutex::default(), follower: Mutex::default() }
    }

    /// Its path, once it exists.
    pub(super) fn path(&self) -> Option<&Path> {
        lock(&self.written).file.as_ref().map(|_| self.path.as_path())
    }

    /// The reason why the log is empty, if Docker does not return it.
    pub(super) fn unreadable(&self) -> Option<String> {
        lock(&self.written).unreadable.clone()
    }

    /// The last lines, formatted for people: without color codes, and only the message of JSON objects.
    pub(super) fn last_lines(&self) -> Vec<String> {
        let written = lock(&self.written);
        let open = written.open.values().filter(|line| !line.is_empty());
        written.lines.iter().chain(open).map(|line| self.shown(line)).collect()
    }

    fn shown(&self, line: &str) -> String {
        // Color codes may surround the JSON object, and be escaped inside it.
        let mut text = strip_ansi_codes(&readable(&strip_ansi_codes(line))).into_owned();
        // Unescaping JSON may reveal a secret.
        self.secrets.hide_from(&mut text);
        text
    }

    /// Follows a container that was just started. If it was already running, follows it from the time `since`.
    pub(super) fn follow(
        self: &Arc<Self>,
        daemon: &Daemon,
        id: &str,
        since: Option<i32>,
    ) -> std::io::Result<()> {
        let since = {
            let mut written = lock(&self.written);
            if written.file.is_none() {
                if let Some(folder) = self.path.parent() {
                    std::fs::create_dir_all(folder)?;
                }
                written.file = Some(File::options().create(true).append(true).open(&self.path)?);
            }
            if written.last.0 != id {
                written.last = (id.to_owned(), String::new());
                written.since = since;
            }
            written.old = written.last.1.clone();
            written.since
        };
        let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true).timestamps(true);
        let options = since.map_or(options.clone(), |since| options.since(since)).build();
        let (log, docker, id) = (Arc::clone(self), daemon.docker.clone(), id.to_owned());
        let task = tokio::spawn(async move {
            let mut stream = std::pin::pin!(docker.logs(&id, Some(options)));
            let mut first = true;
            while let Some(next) = stream.next().await {
                match next {
                    Ok(output) => log.take(&output),
                    Err(error) => {
                        if first && has_no_log(&error) {
                            log.is_unreadable(&docker, &id, &error).await;
                        }
                        break;
                    }
                }
                first = false;
            }
        });
        if let Some(earlier) = lock(&self.follower).replace(task) {
            earlier.abort();
        }
        Ok(())
    }

    /// Waits for the rest of the log of a container that has ended.
    pub(super) async fn settle(&self) {
        let follower = lock(&self.follower).take();
        if let Some(mut follower) = follower
            && tokio::time::timeout(SETTLE, &mut follower).await.is_err()
        {
            follower.abort();
        }
    }

    /// Completes the log: writes the last bytes. Returns the error if the file is incomplete.
    pub(super) fn finish(&self) -> Option<String> {
        let mut written = lock(&self.written);
        written.finish();
        let why = written.failed.take()?;
        Some(format!("could not write all of {}: {why}", self.path.display()))
    }

    /// Writes into the log file that Docker does not return the log.
    async fn is_unreadable(&self, docker: &Docker, id: &str, error: &Error) {
        let found = docker.inspect_container(id, None).await.ok();
        let driver = found.and_then(|found| found.host_config?.log_config?.typ).unwrap_or_default();
        let why = match driver.as_str() {
            "" => said(error),
            driver => format!("its log driver is {driver} ({})", said(error)),
        };
        let mut written = lock(&self.written);
        if written.unreadable.is_some() {
            return;
        }
        let line = format!("[kaf6: cannot read this log: {why}]");
        written.write(format!("{line}\n").as_bytes());
        written.lines.push_back(line);
        written.unreadable = Some(why);
    }

    fn take(&self, output: &LogOutput) {
        let (stream, bytes) = match output {
            LogOutput::StdErr { message } => (2, message),
            LogOutput::StdOut { message } | LogOutput::StdIn { message } | LogOutput::Console { message } => {
                (1, message)
            }
        };
        let mut written = lock(&self.written);
        let (time, text) = split_time(bytes);
        if let Some(time) = time {
            // This line was read again after a restart and is already written. Times have a fixed width, so they can be
            // compared as text.
            if *time <= *written.old {
                return;
            }
            if *time > *written.last.1 {
                time.clone_into(&mut written.last.1);
            }
        }
        let text = self.secrets.hide_in(text);
        written.keep(&text);
        let text = String::from_utf8_lossy(&text);
        for part in text.split_inclusive('\n') {
            let open = written.open.entry(stream).or_default();
            let room = LINE.saturating_sub(open.len());
            open.extend(part.trim_end_matches(['\n', '\r']).chars().take(room));
            if part.ends_with('\n') {
                let line = std::mem::take(open);
                if written.lines.len() == KEPT {
                    written.lines.pop_front();
                }
                written.lines.push_back(line);
            }
        }
    }
}

impl LogWritten {
    fn keep(&mut self, bytes: &[u8]) {
        if self.tail.is_empty() && self.head + bytes.len() <= HEAD {
            self.write(bytes);
            self.head += bytes.len();
            return;
        }
        // Write all later bytes to the tail.
        self.head = HEAD;
        self.tail.extend(bytes);
        let more = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..more);
        self.left_out += more as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(file) = &mut self.file {
            // A full disk must not end the run.
            if let Err(error) = file.write_all(bytes) {
                self.failed.get_or_insert(error);
            }
            self.ends_line = bytes.last().is_none_or(|last| *last == b'\n');
        }
    }

    fn finish(&mut self) {
        let mut tail: Vec<u8> = std::mem::take(&mut self.tail).into();
        if self.left_out > 0 {
            // Start at the beginning of a line, if there is one.
            let line = tail.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            tail.drain(..line);
            let left_out = std::mem::take(&mut self.left_out) + line as u64;
            let before = if self.ends_line { "" } else { "\n" };
            let note = format!(
                "{before}[kaf6: {left_out} bytes omitted; kaf6 keeps the first {} MiB and the last \
                {} MiB of a log]\n",
                HEAD >> 20,
                TAIL >> 20
            );
            self.write(note.as_bytes());
        }
        if !tail.is_empty() {
            self.write(&tail);
        }
    }
}

impl Drop for ReplicaLog {
    fn drop(&mut self) {
        if let Some(follower) = lock(&self.follower).take() {
            follower.abort();
        }
        let _ = self.finish();
    }
}

/// Whether the error means that the container exists and Docker does not return its log.
const fn has_no_log(error: &Error) -> bool {
    // For a container that is being removed, the error is a conflict.
    matches!(error, Error::DockerResponseServerError { .. }) && !is_gone(error) && !is_conflict(error)
}

/// The time that Docker puts before a message, and the message.
fn split_time(message: &[u8]) -> (Option<&str>, &[u8]) {
    let Some(space) = message.iter().take(40).position(|byte| *byte == b' ') else { return (None, message) };
    match std::str::from_utf8(&message[..space]) {
        Ok(time) if time.len() >= 20 && time.as_bytes()[10] == b'T' && time.starts_with(['1', '2']) => {
            (Some(time), &message[space + 1..])
        }
        _ => (None, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> LogOutput {
        LogOutput::StdOut { message: text.to_owned().into() }
    }

    #[test]
    fn each_line_is_written_once_and_the_last_ones_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.log");
        let log = ReplicaLog::new(path.clone(), Secrets::default());
        assert_eq!(log.path(), None);
        lock(&log.written).file = Some(File::create(&path).expect("a file"));
        log.take(&said("2026-01-16T14:54:02.000000001Z one\n"));
        log.take(&said("2026-01-16T14:54:02.000000002Z tw"));
        log.take(&LogOutput::StdErr { message: "2026-01-16T14:54:02.000000003Z err\n".into() });
        log.take(&said("2026-01-16T14:54:02.000000004Z o\n"));
        let old = lock(&log.written).last.1.clone();
        lock(&log.written).old = old;
        log.take(&said("2026-01-16T14:54:02.000000001Z one\n"));
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "one\ntwerr\no\n");
        assert_eq!(log.last_lines(), ["one", "err", "two"]);
        for number in 10..90 {
            log.take(&said(&format!("2026-01-16T14:54:03.0000000{number}Z line {number}\n")));
        }
        let lines = log.last_lines();
        assert_eq!((lines.len(), lines[0].as_str(), lines[49].as_str()), (50, "line 40", "line 89"));
        log.take(&said("no time before it"));
        assert_eq!(log.last_lines().last().expect("a line"), "no time before it");
    }

    /// The length of a line of [`filled`].
    const LINE: usize = 16 << 10;

    /// A numbered line of [`filled`], without its end.
    fn line(number: usize) -> String {
        format!("{number:0width$}", width = LINE - 1)
    }

    /// A finished log of this number of lines.
    fn filled(lines: usize) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.log");
        let log = ReplicaLog::new(path.clone(), Secrets::default());
        lock(&log.written).file = Some(File::create(&path).expect("a file"));
        for number in 0..lines {
            log.take(&said(&format!("{}\n", line(number))));
        }
        let so_far = std::fs::metadata(&path).expect("a file").len();
        assert!(so_far <= HEAD as u64, "{so_far}");
        log.finish();
        log.finish();
        std::fs::read_to_string(path).expect("read")
    }

    #[test]
    fn of_a_log_without_end_its_head_and_its_tail_are_kept() {
        let (head, tail) = (HEAD / LINE, TAIL / LINE);
        let whole = filled(head + tail);
        assert_eq!(whole.len(), HEAD + TAIL, "nothing is left out before it has to be");
        assert!(whole.lines().enumerate().all(|(number, text)| text == line(number)));
        let lines = head + 5 * tail;
        let cut = filled(lines);
        let (before, note) = (cut.lines().take(head), cut.lines().nth(head).expect("a note"));
        assert!(before.enumerate().all(|(number, text)| text == line(number)));
        let after: Vec<&str> = cut.lines().skip(head + 1).collect();
        assert!(after.len() >= tail - 1, "{}", after.len());
        for (number, text) in (lines - after.len()..).zip(&after) {
            assert_eq!(*text, line(number));
        }
        let left_out = (lines - head - after.len()) * LINE;
        assert_eq!(
            note,
            format!(
                "[kaf6: {left_out} bytes omitted; kaf6 keeps the first 32 MiB and the last 1 MiB of a log]"
            )
        );
    }

    #[test]
    fn colours_are_left_out_of_the_last_lines_also_where_json_escapes_them() {
        let log = ReplicaLog::new(PathBuf::from("a.log"), Secrets::default());
        for (line, shown) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            (r#"{"level":"\u001b[32minfo\u001b[0m","msg":"pino \u001b[31mred\u001b[0m"}"#, "INFO pino red"),
            (r#"{"msg":"a\u009b31mb","k\u001b[1m":"v\u001b]0;title\u0007"}"#, "ab (k=v)"),
            ("{\"msg\":\"\u{1b}[31mred\u{1b}[0m\"}", "red"),
        ] {
            log.take(&said(&format!("{line}\n")));
            assert_eq!(log.last_lines().last().expect("a line"), shown);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_ends_nothing_and_is_said() {
        let log = ReplicaLog::new("logs/a.log".into(), Secrets::default());
        lock(&log.written).file = Some(File::options().write(true).open("/dev/full").expect("it opens"));
        log.take(&said("2026-01-16T14:54:02.000000001Z one\n"));
        log.take(&said("2026-01-16T14:54:02.000000002Z two\n"));
        assert_eq!(log.last_lines(), ["one", "two"]);
        assert!(
            log.finish()
                .is_some_and(|text| text.starts_with("could not write all of logs/a.log: No space left"))
        );
        assert_eq!(log.finish(), None, "once");
    }

    #[test]
    fn a_secret_is_not_in_the_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.log");
        let mut secrets = Secrets::default();
        secrets.add("hunter2", "***", &[]);
        let log = ReplicaLog::new(path.clone(), secrets);
        lock(&log.written).file = Some(File::create(&path).expect("a file"));
        log.take(&said("2026-01-16T14:54:02.000000001Z password=hunter2 accepted\n"));
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "password=*** accepted\n");
        assert_eq!(log.last_lines(), ["password=*** accepted"]);
        // JSON escapes some letters.
        log.take(&said("2026-01-16T14:54:03.000000001Z {\"msg\":\"it is h\\u0075nter2\"}\n"));
        assert_eq!(log.last_lines()[1], "it is ***");
    }
}
