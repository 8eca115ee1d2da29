//! Generates random pairs of a scenario file and a behavior with proptest, so that a pair can be shrunk.

use std::fmt::Write as _;

use kaf6_liar::Behaviour;
use proptest::prelude::*;
use proptest::sample::select;

use crate::rules::behaviour;

/// A scenario file and a behaviour.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    /// `BROKERS` stands for the broker's addresses.
    pub(crate) file: String,
    pub(crate) behaviour: Behaviour,
}

#[derive(Debug, Clone)]
struct Sender {
    roundtrip: bool,
    messages: u32,
    rate: Option<u32>,
    clients: u32,
    partition: Option<u32>,
    acks: &'static str,
    idempotence: bool,
    keyed: bool,
    /// Its keys are there again and again.
    repeats: bool,
    value: &'static str,
    verify: bool,
    after: bool,
}

#[derive(Debug, Clone)]
struct Reader {
    partition: Option<u32>,
    offset: Option<u32>,
    latest: bool,
    limit: Option<u32>,
    after: bool,
    clients: u32,
}

#[derive(Debug, Clone)]
struct Spec {
    partitions: u32,
    config: String,
    senders: Vec<Sender>,
    readers: Vec<Reader>,
    audit: &'static str,
    batch: u32,
    committed: bool,
}

/// Any pair.
pub(crate) fn pair() -> impl Strategy<Value = Pair> {
    (spec(), behaviour()).prop_map(|(spec, behaviour)| Pair { file: spec.text(), behaviour })
}

const VALUES: &[&str] = &[
    "{size: 64B}",
    "{json: {id: \"{{uuid}}\"}}",
    "{text: \"x{{seq}}\"}",
    "{size: 200B, content: zeros}",
    "{text: \"\"}",
];

fn sender() -> impl Strategy<Value = Sender> {
    let what = (
        prop::bool::weighted(0.2),
        20_u32..150,
        prop::option::weighted(0.7, 300_u32..1500),
        1_u32..3,
        prop::option::weighted(0.3, 0_u32..4),
    );
    let how = (
        prop_oneof![8 => Just("all"), 2 => Just("1"), 1 => Just("0")],
        prop::bool::weighted(0.3),
        (any::<bool>(), any::<bool>()),
        select(VALUES),
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.2),
    );
    (what, how).prop_map(
        |(
            (roundtrip, messages, rate, clients, partition),
            (acks, idempotence, (keyed, repeats), value, verify, after),
        )| {
            let acks = if roundtrip && acks == "0" { "all" } else { acks };
            let idempotence = idempotence && acks == "all";
            Sender {
                roundtrip,
                messages,
                rate,
                clients,
                partition,
                acks,
                idempotence,
                keyed,
                repeats,
                value,
                verify,
                after,
            }
        },
    )
}

fn reader() -> impl Strategy<Value = Reader> {
    (
        prop::option::weighted(0.3, 0_u32..4),
        prop::option::weighted(0.15, 0_u32..60),
        prop::bool::weighted(0.1),
        prop::option::weighted(0.2, 1_u32..60),
        prop::bool::weighted(0.3),
        1_u32..3,
    )
        .prop_map(|(partition, offset, latest, limit, after, clients)| Reader {
            partition,
            offset,
            latest,
            limit,
            after,
            clients,
        })
}

fn spec() -> impl Strategy<Value = Spec> {
    (
        (1_u32..5, config()),
        prop::collection::vec(sender(), 1..4),
        prop::collection::vec(reader(), 0..3),
        prop_oneof![5 => Just("auto"), 4 => Just("true"), 1 => Just("false")],
        select(&[1_u32, 5, 10, 1000]),
        any::<bool>(),
    )
        .prop_map(|((partitions, config), senders, readers, audit, batch, committed)| Spec {
            partitions,
            config,
            senders,
            readers,
            audit,
            batch,
            committed,
        })
}

/// The settings of the topic.
fn config() -> BoxedStrategy<String> {
    let ms = || 300_u32..3000;
    prop_oneof![
        6 => Just(String::new()),
        2 => ms().prop_map(|ms| format!("retention.ms: {ms}")),
        1 => (500_u32..20_000).prop_map(|bytes| format!("retention.bytes: {bytes}")),
        2 => Just("cleanup.policy: compact".to_owned()),
        1 => ms().prop_map(|ms| format!("cleanup.policy: \"compact,delete\", retention.ms: {ms}")),
        1 => Just("message.timestamp.type: LogAppendTime".to_owned()),
    ]
    .boxed()
}

impl Spec {
    /// The file's text. Each sender names itself, for the oracle: in its keys or in a header.
    fn text(&self) -> String {
        let mut scenarios = String::new();
        for (index, sender) in self.senders.iter().enumerate() {
            let name = format!("w{index}");
            // A compacted topic takes no others.
            let keyed = sender.keyed || self.config.contains("compact");
            let _ = write!(scenarios, "  {name}: {{");
            if sender.roundtrip {
                // A round trip has a stream a partition as well, and neither keys nor headers; it has a topic of its own.
                let iterations = sender.messages / 10 + 1;
                let _ = write!(
                    scenarios,
                    "type: roundtrip, topic: rt{index}, iterations: {iterations}, warmup: 2, iteration_timeout: 1s, timeout: 3s"
                );
            } else {
                let _ = write!(
                    scenarios,
                    "type: produce, topic: t, messages: {}, clients: {}, value: {}, timeout: 3s",
                    sender.messages, sender.clients, sender.value
                );
                if let Some(rate) = sender.rate {
                    let _ = write!(scenarios, ", rate: {rate}/s");
                }
                if let Some(partition) = sender.partition {
                    let _ = write!(scenarios, ", partition: {}", partition % self.partitions);
                } else if keyed {
                    scenarios.push_str(", partition: by_key");
                }
                if keyed {
                    let number = if sender.repeats { "client" } else { "seq" };
                    let _ = write!(scenarios, ", key: \"{name}-{{{{{number}}}}}\"");
                }
                let _ = write!(scenarios, ", headers: {{by: {name}, none: \"\"}}");
            }
            let _ = write!(scenarios, ", acks: {}, idempotence: {}", sender.acks, sender.idempotence);
            if !sender.verify {
                scenarios.push_str(", verify: false");
            }
            if sender.after && index > 0 {
                scenarios.push_str(", after: w0");
            }
            scenarios.push_str("}\n");
        }
        let writes = self.senders.iter().any(|sender| !sender.roundtrip);
        for (index, reader) in self.readers.iter().enumerate().filter(|_| writes) {
            let _ = write!(
                scenarios,
                "  r{index}: {{type: consume, topic: t, from: run, idle_timeout: 1500ms, timeout: 5s, clients: {}",
                reader.clients
            );
            if let Some(partition) = reader.partition {
                let _ = write!(scenarios, ", partition: {}", partition % self.partitions);
            }
            match (reader.offset, reader.latest) {
                (Some(offset), _) => {
                    let _ = write!(scenarios, ", offset: {offset}");
                }
                (None, true) => scenarios.push_str(", offset: latest"),
                (None, false) => {}
            }
            if let Some(limit) = reader.limit {
                let _ = write!(scenarios, ", limit: {limit}");
            }
            if reader.after {
                scenarios.push_str(", after: w0");
            }
            scenarios.push_str("}\n");
        }
        let isolation = if self.committed { "read_committed" } else { "read_uncommitted" };
        format!(
            "brokers: BROKERS\n\
             client: {{properties: {{socket.timeout.ms: 1000, retry.backoff.ms: 20, linger.ms: 10, \
             batch.num.messages: {}, isolation.level: {isolation}}}}}\n\
             topics: [{{name: t, partitions: {}, config: {{{}}}}}]\n\
             scenarios:\n{scenarios}\
             run: {{timeout: 12s, audit: {}, unreadable_after: 700ms}}\n",
            self.batch, self.partitions, self.config, self.audit
        )
    }
}
