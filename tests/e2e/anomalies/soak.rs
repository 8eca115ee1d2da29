//! Tests that fifty runs over correct brokers, each with another mix of broker, network failures and load, cause no false alarm.
//!
//! They take minutes, so they run only with `KAF6_LONG=1`, as in `.ci/run`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kafka_protocol::messages::ApiKey;

use super::log::{GATHER, Lake};
use super::run::{File, run, topic};
use crate::lab::{Kafka, Relay, Storage, Tansu, Verdict};

/// What happens on the way between kaf6 and the broker.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    None,
    /// All connections break again and again.
    Breaks,
    /// Empty records come as null ones.
    NullRecords,
    /// Acks come late.
    SlowAcks,
    /// Connections break right before an ack.
    LostAcks,
    /// Nothing moves for a second, twice.
    Stalls,
}

const TROUBLES: [Trouble; 6] = [
    Trouble::None,
    Trouble::Breaks,
    Trouble::NullRecords,
    Trouble::SlowAcks,
    Trouble::LostAcks,
    Trouble::Stalls,
];

const LOADS: [&str; 5] = [
    "messages: 600, rate: 400/s, value: {size: 100B}",
    "messages: 600, rate: 400/s, clients: 4, partition: by_key, key: \"{{random(9)}}\"",
    "messages: 600, rate: 400/s, clients: 2, compression: lz4, value: {text: \"{{uuid}} {{seq}}\"}, headers: {source: it}",
    "duration: 1500ms, stages: [{duration: 1s, rate: 100/s}, {duration: 500ms, rate: 800/s}], acks: 1",
    "messages: 1000, clients: 3, max_in_flight: 200KB, value: {size: 1KiB, content: zeros}",
];

const READS: [&str; 5] = [
    "at: 0s",
    "at: 0s, clients: 3",
    "after: write",
    "when: \"write.acked >= 200\"",
    "at: 700ms, limit: 100000",
];

const PARTITIONS: [u32; 4] = [1, 3, 8, 16];

/// How many clients write at once.
#[derive(Debug, Clone, Copy)]
enum Writers {
    /// As the load says.
    Several,
    /// One: where several write, Tansu hands out a batch before the one below it (see `runs_gaps`), and is not healthy.
    One,
}

impl Writers {
    fn of(self, load: &str) -> String {
        match self {
            Self::Several => load.to_owned(),
            Self::One => [2, 3, 4]
                .iter()
                .fold(load.to_owned(), |load, n| load.replace(&format!("clients: {n}"), "clients: 1")),
        }
    }
}

/// Runs one mix.
fn one(number: usize, broker: &str, properties: &str, writers: Writers) {
    let pick = |of: usize, stride: usize| number / stride % of;
    let trouble = TROUBLES[pick(TROUBLES.len(), 1)];
    let relay = Relay::start(broker);
    match trouble {
        Trouble::NullRecords => relay.null_records(),
        Trouble::SlowAcks => relay.on_response(|response| {
            if response.request.api == ApiKey::Produce {
                Verdict::Delay(Duration::from_millis(150))
            } else {
                Verdict::Pass
            }
        }),
        Trouble::LostAcks => {
            let acks = std::sync::atomic::AtomicU64::new(0);
            relay.on_response(move |response| {
                let lost =
                    response.request.api == ApiKey::Produce && acks.fetch_add(1, Ordering::SeqCst) % 50 == 7;
                if lost { Verdict::Cut(0) } else { Verdict::Pass }
            });
        }
        Trouble::None | Trouble::Breaks | Trouble::Stalls => {}
    }
    let topic = topic("soak");
    let text = File::new(&relay.address(), &topic)
        .partitions(PARTITIONS[pick(PARTITIONS.len(), 1)])
        .properties(properties)
        .write(&format!("{}, timeout: 240s", writers.of(LOADS[pick(LOADS.len(), 1)])))
        .read(&format!("{}, idle_timeout: 2m, timeout: 250s", READS[pick(READS.len(), 2)]))
        .more("again: {type: consume, partition: 0, idle_timeout: 2m, timeout: 250s}")
        .audit(number.is_multiple_of(3))
        .text()
        // On a busy machine, a run is slow. That is not a false alarm.
        .replace("timeout: 4m", "timeout: 260s");
    let over = AtomicBool::new(false);
    let wait = |time: Duration| {
        for _ in 0..time.as_millis() / 20 {
            if over.load(Ordering::SeqCst) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                wait(Duration::from_millis(700));
                match trouble {
                    Trouble::Breaks => relay.disconnect(),
                    Trouble::Stalls => {
                        relay.hold(Duration::from_secs(1));
                        wait(Duration::from_secs(4));
                    }
                    _ => {}
                }
            }
        });
        let done = std::panic::catch_unwind(|| run(&text));
        over.store(true, Ordering::SeqCst);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    assert_eq!(done.of("write", "unknown") + done.of("write", "failed"), 0, "{trouble:?}: {}", done.told());
    done.is_healthy(0);
    assert_eq!(done.of("read", "received"), done.of("write", "acked"), "{trouble:?}: {}", done.told());
}

/// Some of the mixes, one after the other.
fn runs(numbers: std::ops::Range<usize>, broker: &str, properties: &str, writers: Writers) {
    for number in numbers {
        one(number, broker, properties, writers);
    }
}

#[test]
#[ignore = "takes a minute"]
fn healthy_soak_over_kafka() {
    let Some(broker) = Kafka::shared() else { return };
    runs(0..14, &broker, "", Writers::Several);
}

#[test]
#[ignore = "takes a minute"]
fn healthy_soak_over_kafka_again() {
    let Some(broker) = Kafka::shared() else { return };
    runs(14..28, &broker, "", Writers::Several);
}

#[test]
#[ignore = "takes a minute"]
fn healthy_soak_over_tansu_on_memory() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    runs(28..40, &tansu.address(), "", Writers::One);
}

#[test]
#[ignore = "takes a minute"]
fn healthy_soak_over_tansu_on_s3() {
    let Some(lake) = Lake::start() else { return };
    runs(40..45, &lake.tansu.address(), GATHER, Writers::One);
}

#[test]
#[ignore = "takes a minute"]
fn healthy_soak_over_tansu_on_s3_again() {
    let Some(lake) = Lake::start() else { return };
    runs(45..50, &lake.tansu.address(), GATHER, Writers::One);
}
