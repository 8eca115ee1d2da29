//! Why a reader stands still before its fence, by a look of kaf6's own.

use std::time::{Duration, Instant};

use super::consumer::Consumer;
use crate::ids::Partition;
use crate::kafka::{self, Code, ReaderSet};
use crate::observe::Note;

/// A broker's answer to a reader that stands outside of the log.
const OFFSET_OUT_OF_RANGE: Code = Code(1);

/// Why a reader stands still, as far as the broker tells.
pub(super) enum Cause {
    /// It stands outside of the log.
    Outside,
    /// The broker answers, and does not refuse.
    Answers,
    /// It refuses, or gave no answer.
    Unknown,
}

/// A reader stands still before its fence: one Fetch of kaf6's own shows the code that librdkafka could not.
pub(super) fn explain(
    client: &kafka::Client,
    consumer: &Consumer,
    set: &ReaderSet,
    partition: Partition,
    still: Duration,
) -> Cause {
    let position = set.position(partition).unwrap_or(0);
    let until = Instant::now() + Duration::from_secs(2);
    let probe = kafka::probe::probe_fetch(client, &consumer.name, partition, position, until);
    let cause = match &probe {
        Ok(probe) if probe.code == OFFSET_OUT_OF_RANGE => Cause::Outside,
        Ok(probe) if probe.code.is_none() => Cause::Answers,
        _ => Cause::Unknown,
    };
    let text = match probe {
        Ok(probe) if !probe.code.is_none() => {
            let null = if probe.null_records { ", with null records" } else { "" };
            format!(
                "the broker refuses to hand out its records: {} ({}){null}",
                probe.code.text(),
                probe.code
            )
        }
        Ok(probe) if probe.record_bytes > 0 => {
            set.refresh(partition);
            "the broker does hand out records: the reader is slow, or the topic was made anew under it"
                .to_owned()
        }
        Ok(probe) => format!(
            "the broker answers without records{}",
            if probe.null_records { " (null ones, where Kafka sends empty ones)" } else { "" }
        ),
        Err(why) => format!("and a look at the cause failed: {why}"),
    };
    consumer.shared.note(Note::warning(format!(
        "the reader of partition {partition} of `{}` stood still for {} s at offset {position}: {text}",
        consumer.name,
        still.as_secs()
    )));
    cause
}
