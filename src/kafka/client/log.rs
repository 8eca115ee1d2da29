//! librdkafka's log lines: collected, merged by kind with a count, and never printed.
//!
//! Contains explanations of the known kinds.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// Maximum number of kinds that are distinguished.
const MOST_KINDS: usize = 200;

/// Maximum length of a stored text.
const MOST_TEXT: usize = 500;

/// syslog's debug level. librdkafka logs these lines only because kaf6 enables debug contexts to detect retries.
const DEBUG: u8 = 7;

/// The log lines of all clients that share it. Clones share the same lines.
#[derive(Clone, Default)]
pub struct LogLines(Arc<Mutex<Lines>>);

#[derive(Default)]
struct Lines {
    entries: Vec<Entry>,
    /// Whether the last failed connection used the other address of `localhost`.
    is_other_address: bool,
}

struct Entry {
    key: String,
    kind: LogKind,
}

/// One kind of log line: the facility, and the text without numbers and addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogKind {
    /// syslog's level: 3 error, 4 warning, 5 notice, 6 info.
    pub level: u8,
    /// librdkafka's facility, such as `FAIL` or `PROTOERR`.
    pub facility: String,
    /// The first line of this kind.
    pub sample: String,
    pub count: u64,
    pub first: SystemTime,
    pub last: SystemTime,
    /// An explanation for the user, if kaf6 has one; kinds with the same meaning share a text.
    pub note: Option<&'static str>,
}

const REFUSED: &str = "Connection refused";
const UNRESOLVED: &str = "Failed to resolve";
const ALL_DOWN: &str = "brokers are down";
const RESET: &str = "Receive failed: Connection reset";
const DISCONNECTED: &str = "Disconnected";

/// Facility (empty for any), a part of the text, and the explanation.
const KNOWN: &[(&str, &str, &str)] = &[
    (
        "",
        "invalid MessageSetSize -1",
        "the broker sends null records at the end of a log (Kafka sends empty ones); harmless \
        here, because kaf6 reads each partition with its own client",
    ),
    ("", REFUSED, "a broker refused connections: nothing listened on its port at that time"),
    (
        "",
        "certificate verify failed",
        "cannot verify a broker's TLS certificate: check `ca` and the host name in `brokers`",
    ),
    (
        "",
        "SSL handshake failed",
        "a TLS handshake failed: check that the broker uses TLS on this port and accepts this \
        client's certificate",
    ),
    (
        "",
        "SASL authentication error",
        "a broker refused the SASL credentials: check `username` and `password` in `client.security`",
    ),
    ("", "SASL mechanism", "a broker does not support this SASL mechanism: check `mechanism`"),
    (
        "",
        UNRESOLVED,
        "cannot resolve a broker's host name; it may come from the broker's own advertised address",
    ),
    (
        "APIVERSION",
        "",
        "a broker did not answer ApiVersions, so librdkafka guessed its versions: check that it is \
        a Kafka broker, version 0.10 or later",
    ),
    ("", ALL_DOWN, "all brokers were unreachable at times"),
    ("REQTMOUT", "", "a broker did not answer requests before their timeout"),
    ("", RESET, "a broker reset connections"),
    ("", DISCONNECTED, "a broker closed connections"),
    ("MAXPOLL", "", "kaf6 did not read a client's queue for minutes: this machine is too slow"),
];

impl LogLines {
    /// All kinds so far, in the order of their first line. Lines beyond the first 200 kinds are counted under the
    /// facility `MORE`.
    pub fn snapshot(&self) -> Vec<LogKind> {
        self.lock().entries.iter().map(|entry| entry.kind.clone()).collect()
    }

    /// Whether an open connection broke since this time and a broker became unreachable: it restarted or stopped.
    pub fn broker_went_away(&self, since: SystemTime) -> bool {
        let kinds = self.snapshot();
        let seen = |texts: &[&str]| {
            let is = |kind: &LogKind| texts.iter().any(|text| kind.sample.contains(text));
            kinds.iter().any(|kind| kind.last >= since && is(kind))
        };
        seen(&[DISCONNECTED, RESET]) && seen(&[REFUSED, ALL_DOWN])
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a broker could not be reached at one of its addresses.
    pub fn has_unreachable(&self) -> bool {
        let texts = [REFUSED, ALL_DOWN, UNRESOLVED, "timed out in state CONNECT", "Host is unreachable"];
        self.snapshot().iter().any(|kind| texts.iter().any(|text| kind.sample.contains(text)))
    }

    /// The explanations of the lines with their counts, most frequent first.
    pub fn notes(&self) -> Vec<(&'static str, u64)> {
        let mut notes: Vec<(&'static str, u64)> = Vec::new();
        for kind in self.snapshot() {
            let Some(note) = kind.note else { continue };
            match notes.iter_mut().find(|(text, _)| *text == note) {
                Some((_, count)) => *count += kind.count,
                None => notes.push((note, kind.count)),
            }
        }
        notes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        notes
    }

    /// Adds a line. Ignores debug lines, and warnings about properties of the other type of client.
    pub(crate) fn add(&self, level: u8, facility: &str, text: &str) {
        let other_role = facility == "CONFWARN"
            && (text.contains("is a consumer property") || text.contains("is a producer property"));
        // The next line repeats this message with the reason.
        let echo = facility == "PROTOERR" && text.contains("Protocol parse failure for ");
        if level >= DEBUG || other_role || echo {
            return;
        }
        let (key, now) = (key(facility, text), SystemTime::now());
        let mut lines = self.lock();
        if facility == "FAIL" {
            lines.is_other_address = is_other_address(text);
        }
        // The next line reports that all brokers are down, although librdkafka has not yet tried the other address.
        if is_other_address(text) || (lines.is_other_address && text.contains(ALL_DOWN)) {
            return;
        }
        let entries = &mut lines.entries;
        let full = entries.len() >= MOST_KINDS;
        let position =
            entries.iter().position(|entry| entry.key == key).or_else(|| full.then(|| entries.len() - 1));
        if let Some(entry) = position.and_then(|index| entries.get_mut(index)) {
            entry.kind.count += 1;
            entry.kind.last = now;
            return;
        }
        let last = entries.len() + 1 == MOST_KINDS;
        let note = KNOWN
            .iter()
            .find(|(known, part, _)| (known.is_empty() || *known == facility) && text.contains(part))
            .map(|(_, _, note)| *note);
        let kind = LogKind {
            level,
            facility: if last { "MORE".into() } else { facility.into() },
            sample: text.chars().take(MOST_TEXT).collect(),
            count: 1,
            first: now,
            last: now,
            note: note.filter(|_| !last),
        };
        entries.push(Entry { key, kind });
    }
}

/// Whether a connection to the IPv6 address of `localhost` was refused. librdkafka then tries 127.0.0.1, and logs
/// another line if that fails too.
fn is_other_address(text: &str) -> bool {
    let Some((broker, rest)) = text.split_once(": Connect to ipv6#[::1]:") else { return false };
    broker.split(['/', ' ']).any(|word| word.starts_with("localhost:")) && rest.contains(REFUSED)
}

/// The facility and the text, without words that contain a digit: addresses, offsets, times, partitions.
fn key(facility: &str, text: &str) -> String {
    let mut key = facility.to_owned();
    for word in text.split_whitespace() {
        key.push(' ');
        if word.bytes().any(|byte| byte.is_ascii_digit()) {
            key.push('#');
        } else {
            key.push_str(word);
        }
        if key.len() > MOST_TEXT {
            break;
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_kind_are_counted_and_explained() {
        let lines = LogLines::default();
        for n in 0..1000 {
            let text = format!(
                "127.0.0.1:{n}/0: Protocol parse failure at {n}/94: orders [{n}]: invalid MessageSetSize -1"
            );
            lines.add(4, "PROTOERR", &text);
        }
        lines.add(
            3,
            "FAIL",
            "127.0.0.1:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused",
        );
        let kinds = lines.snapshot();
        assert_eq!(kinds.len(), 2);
        assert_eq!(kinds[0].count, 1000);
        assert!(kinds[0].note.unwrap().contains("null records"));
        assert_eq!(lines.notes()[0].1, 1000);
        assert!(lines.notes()[1].0.contains("refused"));
    }

    #[test]
    fn a_broker_went_away_where_a_connection_broke_and_nothing_listened() {
        let refused = "Connect to ipv6#[::1]:9092 failed: Connection refused";
        let lines = LogLines::default();
        let since = SystemTime::now();
        lines.add(3, "FAIL", refused);
        assert!(!lines.broker_went_away(since), "`localhost` may have an address that nobody listens on");
        lines.add(3, "FAIL", "127.0.0.1:9092/1: Disconnected (after 3000ms in state UP)");
        assert!(lines.broker_went_away(since));
        let later = SystemTime::now() + std::time::Duration::from_secs(1);
        assert!(!lines.broker_went_away(later), "before the run");
    }

    #[test]
    fn another_address_of_localhost_is_no_broker_that_is_down() {
        let lines = LogLines::default();
        let refused = |address: &str| {
            format!(
                "localhost:9092/bootstrap: Connect to {address}:9092 failed: Connection refused (after 0ms in state CONNECT)"
            )
        };
        lines.add(3, "FAIL", &refused("ipv6#[::1]"));
        lines.add(3, "ERROR", &refused("ipv6#[::1]"));
        lines.add(3, "ERROR", "1/1 brokers are down");
        lines.add(3, "FAIL", &format!("sasl_ssl://{}", refused("ipv6#[::1]")));
        assert!(lines.snapshot().is_empty(), "the broker listens on 127.0.0.1");
        lines.add(3, "FAIL", &refused("ipv4#127.0.0.1"));
        lines.add(3, "ERROR", "1/1 brokers are down");
        assert_eq!(lines.notes().len(), 2, "it listens on neither");
        lines.add(3, "FAIL", &refused("ipv6#[::1]").replace("localhost:9092/", "[::1]:9092/"));
        assert_eq!(
            lines.snapshot().iter().map(|kind| kind.count).sum::<u64>(),
            3,
            "this is the only address"
        );
    }

    #[test]
    fn memory_is_bounded_whatever_is_said() {
        let lines = LogLines::default();
        for n in 0..1000_u32 {
            let word: String = n.to_string().bytes().map(|digit| char::from(digit + 49)).collect();
            lines.add(4, "FAC", &format!("{word} {}", "x".repeat(10_000)));
        }
        let kinds = lines.snapshot();
        assert_eq!(kinds.len(), MOST_KINDS);
        assert_eq!(kinds.iter().map(|kind| kind.count).sum::<u64>(), 1000);
        assert_eq!(kinds.last().unwrap().facility, "MORE");
    }

    #[test]
    fn lines_without_news_say_nothing() {
        let lines = LogLines::default();
        lines.add(
            3,
            "PROTOERR",
            "h:1/0: Protocol parse failure for Fetch v13(flex) at 65/68 (f:604) (incorrect broker.version.fallback?)",
        );
        lines.add(7, "MSGSET", "delivered");
        lines.add(4, "CONFWARN", "Configuration property fetch.wait.max.ms is a consumer property and will be ignored by this producer instance");
        assert!(lines.snapshot().is_empty());
    }
}
