//! All waits and polling intervals of sending, reading and judging.
//!
//! A run uses the defaults. Tests use short ones, so that many runs fit into a second.

use std::time::Duration;

/// Every wait of reading and judging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// Longest wait for brokers and topics before the start of the run.
    pub setup: Duration,
    /// Longest wait for a first answer where a `connect` starts at once.
    pub setup_quick: Duration,
    /// Longest search for the cause of a failed set-up.
    pub setup_cause: Duration,
    /// A failed set-up is not repeated within this time.
    pub setup_again: Duration,
    /// Longest wait for the starts and ends of the logs of a topic that was just created.
    pub created: Duration,
    /// Longest wait of one try to open a reader: connections, metadata, start offsets.
    pub open: Duration,
    /// Pause between two questions about one partition: its watermarks, whether the broker knows it, a probe of a reader that
    /// makes no progress.
    pub ask: Duration,
    /// Longest wait for an answer to such a question.
    pub answer: Duration,
    /// How long a reader with records ahead of it may make no progress before its cause is looked for.
    pub still: Duration,
    /// Longest wait for a log's start and end, or for metadata, before a reader starts again after an error.
    pub restart: Duration,
    /// First pause before a reader asks again for an offset that the broker refused; it doubles.
    pub refused_first: Duration,
    pub refused_most: Duration,
    /// Shortest time between two fetches of one partition that are answered with null records, or refused: 20 a second.
    pub fetch_backoff: Duration,
    /// How long a broker may gather records for an answer (`fetch.wait.max.ms`), unless the file or many partitions say
    /// otherwise.
    pub fetch: Duration,
    /// The same for a patient reader.
    pub fetch_patient: Duration,
    /// Longest time for writing end markers where no fault happened.
    pub marker: Duration,
    /// Longest time for writing them after a fault.
    pub marker_after_fault: Duration,
    /// Longest wait for the ack of one end marker before another is written.
    pub marker_ack: Duration,
    /// Longest wait for a connection to write them over.
    pub marker_open: Duration,
    /// Pause before they are written again after an error.
    pub marker_again: Duration,
    /// A re-read that gets nothing asks for the log's end after this time.
    pub quiet: Duration,
    /// The same where an end marker is known to be in the log, so that silence alone says little.
    pub quiet_before_marker: Duration,
    /// Longest wait of one try to open a re-read; it is tried again until the re-read's own timeout.
    pub reopen: Duration,
    /// Longest wait for the ends of one topic's logs when judging.
    pub ends: Duration,
    /// Longest time of all re-reads of what seems lost.
    pub recheck: Duration,
    /// Longest time of the audit.
    pub audit: Duration,
    /// Longest wait of a producer for its partitions before it sends.
    pub warm_up: Duration,
    /// How long acks of what is in flight may still come once a producer stops sending before its messages are done: at a
    /// stop, at its timeout, or after a fatal error.
    pub late_acks: Duration,
    /// Longest wait for the ends of messages that were given up, and then for librdkafka's threads.
    pub give_up: Duration,
    /// How often audit and re-reads report their progress.
    pub tell: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        Self {
            setup: s(10),
            setup_quick: s(1),
            setup_cause: s(2),
            setup_again: s(3),
            created: s(2),
            open: s(20),
            ask: s(1),
            answer: s(2),
            still: s(3),
            restart: s(1),
            refused_first: ms(50),
            refused_most: s(1),
            fetch_backoff: ms(50),
            fetch: ms(100),
            fetch_patient: s(1),
            marker: s(30),
            marker_after_fault: s(90),
            marker_ack: s(10),
            marker_open: s(5),
            marker_again: ms(200),
            quiet: s(3),
            quiet_before_marker: s(10),
            reopen: s(5),
            ends: s(5),
            recheck: s(60),
            audit: s(300),
            warm_up: s(10),
            late_acks: s(1),
            give_up: s(2),
            tell: s(5),
        }
    }
}

impl Waits {
    /// For tests over a broker in the same process: tens to hundreds of milliseconds between two questions, and seconds where a
    /// wait bounds an answer or a whole phase, so that a busy machine does not pass for a broker that is away.
    pub fn short() -> Self {
        let (ms, s) = (Duration::from_millis, Duration::from_secs);
        Self {
            setup: s(8),
            setup_quick: ms(500),
            setup_cause: ms(200),
            setup_again: ms(100),
            created: s(4),
            open: s(4),
            ask: ms(50),
            answer: s(1),
            still: ms(150),
            restart: ms(300),
            refused_first: ms(5),
            refused_most: ms(50),
            fetch_backoff: ms(50),
            fetch: ms(20),
            fetch_patient: ms(50),
            marker: s(2),
            marker_after_fault: s(3),
            marker_ack: ms(500),
            marker_open: ms(500),
            marker_again: ms(20),
            quiet: ms(150),
            quiet_before_marker: ms(300),
            reopen: ms(500),
            ends: s(2),
            recheck: s(2),
            audit: s(3),
            warm_up: ms(500),
            late_acks: ms(200),
            give_up: ms(300),
            tell: ms(100),
        }
    }
}
