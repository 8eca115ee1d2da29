//! All timeouts and polling intervals of sending, reading and judging.
//!
//! A run uses the defaults. Tests use short ones, so that many runs fit into a second.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// Maximum wait for brokers and topics before the start of the run.
    pub setup: Duration,
    /// Maximum wait for a first response if a `connect` scenario starts immediately.
    pub setup_quick: Duration,
    /// Maximum time to find the cause of a failed setup.
    pub setup_cause: Duration,
    /// Minimum time before a failed setup is repeated.
    pub setup_again: Duration,
    /// Maximum wait for the start and end offsets of a topic that was just created.
    pub created: Duration,
    /// Maximum wait of one attempt to open a reader: connections, metadata, start offsets.
    pub open: Duration,
    /// Pause between two requests about one partition: its watermarks, whether the broker knows it, a probe for a
    /// reader that is stuck.
    pub ask: Duration,
    /// Maximum wait for the response to such a request.
    pub answer: Duration,
    /// How long a reader may be stuck before kaf6 looks for the cause, if there are records ahead of it.
    pub still: Duration,
    /// Maximum wait for a log's start and end, or for metadata, before a reader restarts after an error.
    pub restart: Duration,
    /// First pause before a reader requests a rejected offset again. It doubles each time.
    pub refused_first: Duration,
    pub refused_most: Duration,
    /// Minimum time between two fetches of one partition that are answered with null records or rejected: 20 per
    /// second.
    pub fetch_backoff: Duration,
    /// How long a broker may wait for records (`fetch.wait.max.ms`), unless the file or the number of partitions
    /// changes it.
    pub fetch: Duration,
    /// The same for a reader that uses long polls.
    pub fetch_patient: Duration,
    /// Maximum time to write end markers if no fault happened.
    pub marker: Duration,
    /// Maximum time to write them after a fault.
    pub marker_after_fault: Duration,
    /// Maximum wait for the ack of one end marker before another is written.
    pub marker_ack: Duration,
    /// Maximum wait for a connection to write end markers.
    pub marker_open: Duration,
    /// Pause before end markers are written again after an error.
    pub marker_again: Duration,
    /// A re-read without records requests the log's end after this time.
    pub quiet: Duration,
    /// The same if an end marker is known to be in the log, so that silence alone proves little.
    pub quiet_before_marker: Duration,
    /// Maximum wait of one attempt to open a re-read. It is repeated until the timeout of the re-read.
    pub reopen: Duration,
    /// Maximum wait for the end offsets of one topic when judging.
    pub ends: Duration,
    /// Maximum time of all re-reads of messages that seem lost.
    pub recheck: Duration,
    /// Maximum time of the audit.
    pub audit: Duration,
    /// Maximum wait of a producer for its partitions before it sends.
    pub warm_up: Duration,
    /// How long acks of messages in flight may still arrive after a producer stops early: at a stop, on timeout, or
    /// after a fatal error.
    pub late_acks: Duration,
    /// Maximum wait for the reports of purged messages, and then for librdkafka's threads.
    pub give_up: Duration,
    /// Interval at which the audit and re-reads report their progress.
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
    /// For tests with a broker in the same process. Intervals are tens to hundreds of milliseconds. Timeouts of answers
    /// and phases are seconds, so that a busy machine does not look like an unreachable broker.
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
