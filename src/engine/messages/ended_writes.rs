//! What the scenarios that have ended wrote, for the readers that still run.

use std::collections::HashMap;

use crate::ids::{Offset, Partition, StreamId};
use crate::ledger::{SentLog, Streams};

/// What ended scenarios wrote to each partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct EndedWrites(Vec<WrittenStream>);

/// What one client wrote to one partition.
#[derive(Debug, Clone, Copy)]
struct WrittenStream {
    scenario: usize,
    topic: usize,
    partition: Partition,
    /// The highest acked offset.
    last: Option<Offset>,
    /// Not all of its messages failed.
    may_be_in_log: bool,
}

impl EndedWrites {
    /// What these logs wrote.
    pub(crate) fn of(streams: &Streams, sent: &HashMap<StreamId, SentLog>) -> Self {
        let of_log = |(id, log): (&StreamId, &SentLog)| {
            let info = streams.get(*id)?;
            Some(WrittenStream {
                scenario: info.scenario,
                topic: info.topic,
                partition: info.partition,
                last: log.offsets().map(|(_, last)| last),
                may_be_in_log: log.sent() > log.failures().len(),
            })
        };
        Self(sent.iter().filter_map(of_log).collect())
    }

    pub(crate) fn add(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    /// The highest acked offset in each partition of this topic.
    pub(crate) fn acked_ends(&self, topic: usize) -> HashMap<Partition, Offset> {
        let mut out = HashMap::new();
        for stream in self.0.iter().filter(|stream| stream.topic == topic) {
            if let Some(last) = stream.last {
                let highest = out.entry(stream.partition).or_insert(last);
                *highest = last.max(*highest);
            }
        }
        out
    }

    /// Whether any of these scenarios may have written to this topic.
    pub(crate) fn may_be_by(&self, topic: usize, scenarios: &[usize]) -> bool {
        self.0.iter().any(|it| it.topic == topic && it.may_be_in_log && scenarios.contains(&it.scenario))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Resent, StreamInfo};

    #[test]
    fn a_reader_waits_for_what_was_acked_and_for_no_scenario_whose_messages_all_failed() {
        let mut streams = Streams::default();
        let info = |scenario, topic| StreamInfo {
            scenario,
            client: 0,
            topic,
            partition: 0,
            has_uuid: false,
            roundtrip: false,
        };
        let ids = [info(0, 0), info(1, 0), info(2, 1)].map(|info| streams.add(&info, [3]));
        let mut logs = [SentLog::default(), SentLog::default(), SentLog::default()];
        for offset in [7, 5] {
            let seq = logs[0].next_seq();
            logs[0].acked(seq, offset, Resent::No);
        }
        let seq = logs[1].next_seq();
        logs[1].failed(seq, Resent::No);
        logs[2].next_seq();
        let mut written = EndedWrites::default();
        for (id, log) in ids.into_iter().zip(logs) {
            written.add(EndedWrites::of(&streams, &HashMap::from([(id, log)])));
        }
        assert_eq!(written.acked_ends(0), HashMap::from([(3, 7)]));
        assert_eq!(written.acked_ends(1), HashMap::new());
        let may_be = [(0, 0), (0, 1), (1, 2), (1, 0)].map(|(topic, by)| written.may_be_by(topic, &[by]));
        assert_eq!(may_be, [true, false, true, false], "an unknown message may be in the log");
    }
}
