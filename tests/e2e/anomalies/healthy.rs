//! Tests that correct brokers cause no false alarm, even with failures of the network.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kaf6::kafka::{Code, Embedded};
use kafka_protocol::messages::ApiKey;

use super::log::Lake;
use super::run::{Done, File, run, topic};
use crate::lab::{Kafka, Relay, Storage, Tansu, Verdict};

const PRODUCE: i16 = 0;
const FETCH: i16 = 1;

/// Runs while the relay breaks all connections again and again.
fn restless(relay: &Relay, every: Duration, file: &str) -> Done {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let load = [ApiKey::Produce, ApiKey::Fetch];
            let sent = || relay.seen().iter().filter(|seen| load.contains(&seen.api)).count();
            let mut before = 0;
            while !over.load(Ordering::SeqCst) {
                std::thread::sleep(every);
                // A machine that needs longer than this to connect would never send anything.
                if sent() >= before + 20 {
                    before = sent();
                    relay.disconnect();
                }
            }
        });
        let done = std::panic::catch_unwind(|| run(file));
        over.store(true, Ordering::SeqCst);
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn healthy_while_connections_break() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    let topic = topic("healthy");
    let file = File::new(&relay.address(), &topic)
        .partitions(4)
        .write("messages: 2000, rate: 1000/s, clients: 3, value: {size: 100B}")
        .read("at: 0s, clients: 2");
    let done = restless(&relay, Duration::from_millis(300), &file.text());
    done.is_healthy(0);
    assert_eq!((done.of("write", "acked"), done.of("read", "received")), (2000, 2000));
}

#[test]
fn healthy_over_tansu_on_memory_and_on_s3() {
    let (Some(memory), Some(lake)) = (Tansu::start(&Storage::Memory), Lake::start()) else { return };
    for broker in [memory.address(), lake.tansu.address()] {
        let topic = topic("healthy");
        let file = File::new(&broker, &topic).partitions(3).read("at: 0s, clients: 3");
        let done = run(&file.text());
        done.has(&[]).is_healthy(0);
    }
}

#[test]
fn healthy_with_null_records_and_slow_acks() {
    let Some(broker) = Kafka::shared() else { return };
    let relay = Relay::start(&broker);
    relay.null_records();
    relay.on_response(|response| {
        if response.request.api == ApiKey::Produce {
            Verdict::Delay(Duration::from_millis(300))
        } else {
            Verdict::Pass
        }
    });
    let topic = topic("healthy");
    let file = File::new(&relay.address(), &topic)
        .partitions(6)
        .write("messages: 400, rate: 400/s, clients: 2, partition: by_key, key: \"{{random(9)}}\"")
        .read("at: 0s");
    let done = run(&file.text());
    done.is_healthy(0);
    assert_eq!(done.of("read", "received"), 400);
}

#[test]
fn healthy_with_several_of_everything() {
    let Some(broker) = Kafka::shared() else { return };
    let (one, other) = (topic("healthy"), topic("healthy"));
    let text = format!(
        r#"
brokers: ["{broker}"]
topics: [{{name: "{one}", partitions: 12}}, {{name: "{other}", partitions: 1}}]
scenarios:
  write: {{type: produce, topic: "{one}", clients: 3, messages: 1000, rate: 1000/s, value: {{size: 200B}}}}
  more: {{type: produce, topic: "{one}", clients: 2, messages: 500, compression: zstd}}
  beside: {{type: produce, topic: "{other}", messages: 500, compression: gzip, key: "{{{{seq}}}}"}}
  again: {{type: roundtrip, topic: "{other}", iterations: 20}}
  live: {{type: consume, topic: "{one}", clients: 4}}
  late: {{type: consume, topic: "{one}", after: more, at: 500ms, clients: 2}}
  part: {{type: consume, topic: "{one}", partition: 3}}
  twin: {{type: consume, topic: "{one}", partition: 3}}
  read: {{type: consume, topic: "{other}", offset: earliest, limit: 500}}
"#
    );
    let done = run(&text);
    done.has(&[]).is_healthy(0);
    for (reader, received) in [("live", 1500), ("late", 1500), ("read", 500)] {
        assert_eq!(done.of(reader, "received"), received, "{reader}");
    }
    assert_eq!(done.of("part", "received"), done.of("twin", "received"));
}

#[test]
fn healthy_over_the_embedded_broker_with_errors_injected() {
    let topic = topic("healthy");
    let embedded = Embedded::start(1, &[(topic.clone(), 2, 1)]).expect("a mock cluster");
    let broker = embedded.bootstrap().remove(0);
    // The client retries after each error. The mock writes nothing if it returns an error. -195 closes the connection.
    embedded.push_errors(PRODUCE, &[7, 19, 6, -195, 20, 3, 7].map(Code));
    embedded.push_errors(FETCH, &[6, 3, 9, -195, 5, -1].map(Code));
    let file = File::new(&broker, &topic).partitions(2).read("at: 0s");
    let done = run(&file.text());
    done.is_healthy(0);
    assert_eq!((done.of("write", "acked"), done.of("read", "received")), (200, 200));
}
