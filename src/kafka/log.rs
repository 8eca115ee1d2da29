//! librdkafka's log lines: caught, merged by kind with a count, never printed.
//!
//! Owns the kinds that kaf6 can explain in the user's words.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// The log lines of all clients that share it. Clones are the same collection.
#[derive(Clone, Default)]
pub struct LogLines(#[expect(dead_code, reason = "filled in the next commit")] Arc<Mutex<Vec<LogKind>>>);

/// One kind of log line: the facility and the text with its numbers and addresses taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKind {
    /// syslog's level: 3 error, 4 warning, 5 notice, 6 info.
    pub level: u8,
    /// librdkafka's facility, such as `FAIL` or `PROTOERR`.
    pub facility: String,
    /// The first line of this kind.
    pub sample: String,
    /// How many there were.
    pub count: u64,
    /// When the first came.
    pub first: SystemTime,
    /// When the last came.
    pub last: SystemTime,
    /// What it means for the run, in the user's words, where kaf6 knows; kinds with one meaning share one text.
    pub note: Option<&'static str>,
}

impl LogLines {
    /// All kinds so far, in the order of their first line. At most 200 kinds are kept apart; what comes after
    /// those is counted under facility `MORE`.
    pub fn snapshot(&self) -> Vec<LogKind> {
        unimplemented!()
    }
}
