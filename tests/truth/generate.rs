//! Random pairs of a scenario file and a behaviour, by proptest's strategies, so that a pair can be shrunk.

use std::fmt::Write as _;

use kaf6_liar::Action::*;
use kaf6_liar::Api::{EpochEnd, Fetch, InitProducerId, ListOffsets, Metadata, Produce, ProduceMarker};
use kaf6_liar::{Action, Behaviour, Part, Phase, Rule};
use proptest::prelude::*;
use proptest::sample::select;

/// What is not judged yet: headers, and what acks alone show (`collided`). To be set once it is, and then to go.
pub(crate) const LATER: bool = true;

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
        any::<bool>(),
        select(&[
            "{size: 64B}",
            "{json: {id: \"{{uuid}}\"}}",
            "{text: \"x{{seq}}\"}",
            "{size: 200B, content: zeros}",
        ]),
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.2),
    );
    (what, how).prop_map(
        |(
            (roundtrip, messages, rate, clients, partition),
            (acks, idempotence, keyed, value, verify, after),
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
        1_u32..5,
        prop::collection::vec(sender(), 1..4),
        prop::collection::vec(reader(), 0..3),
        prop_oneof![5 => Just("auto"), 4 => Just("true"), 1 => Just("false")],
        select(&[1_u32, 5, 10, 1000]),
        any::<bool>(),
    )
        .prop_map(|(partitions, senders, readers, audit, batch, committed)| Spec {
            partitions,
            senders,
            readers,
            audit,
            batch,
            committed,
        })
}

impl Spec {
    /// The file's text. Each sender names itself, for the oracle: in its keys or in a header.
    fn text(&self) -> String {
        let mut scenarios = String::new();
        for (index, sender) in self.senders.iter().enumerate() {
            let name = format!("w{index}");
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
                } else if sender.keyed {
                    scenarios.push_str(", partition: by_key");
                }
                if sender.keyed {
                    let _ = write!(scenarios, ", key: \"{name}-{{{{seq}}}}\"");
                } else {
                    let _ = write!(scenarios, ", headers: {{by: {name}}}");
                }
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
             topics: [{{name: t, partitions: {}}}]\n\
             scenarios:\n{scenarios}\
             run: {{timeout: 12s, audit: {}, unreadable_after: 700ms}}\n",
            self.batch, self.partitions, self.audit
        )
    }
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    let rules = prop_oneof![
        2 => Just(Vec::new()),
        3 => prop::collection::vec(healthy(), 1..4),
        3 => prop::collection::vec(lie(), 1..2),
        2 => (prop::collection::vec(lie(), 1..3), prop::collection::vec(healthy(), 0..3))
            .prop_map(|(mut lies, healthy)| {
                lies.extend(healthy);
                lies
            }),
    ];
    (1_u8..3, any::<bool>(), rules).prop_map(|(brokers, null_when_empty, rules)| Behaviour {
        brokers,
        null_when_empty,
        rules,
        ..Behaviour::default()
    })
}

/// Puts a time into a rule: from the nth request on, so many times.
fn some(
    on: kaf6_liar::Api,
    action: impl Strategy<Value = Action>,
    from: u32,
    times: u32,
) -> impl Strategy<Value = Rule> {
    (action, 0..from, 1..=times, prop::option::weighted(0.2, 0_i32..4)).prop_map(
        move |(action, from, times, partition)| Rule {
            partition,
            ..Rule::new(on, action).from(from).times(times)
        },
    )
}

fn brief(
    on: kaf6_liar::Api,
    action: impl Strategy<Value = Action>,
    from: u32,
) -> impl Strategy<Value = Rule> {
    (action, 0..from, 50_u64..350)
        .prop_map(move |(action, from, ms)| Rule::new(on, action).from(from).for_ms(ms))
}

fn code(codes: &'static [i16]) -> impl Strategy<Value = Action> {
    select(codes).prop_map(|code| Error { code, written: false })
}

/// What a correct broker may do.
fn healthy() -> impl Strategy<Value = Rule> {
    let written = || any::<bool>();
    prop_oneof![
        some(Produce, code(&[5, 6, 7, 19, 20, -1]), 12, 3),
        some(Produce, written().prop_map(|written| Error { code: 7, written }), 12, 3),
        some(Produce, written().prop_map(|written| Drop { written }), 12, 2),
        some(Produce, written().prop_map(|written| NoAnswer { written }), 12, 1),
        some(Produce, (1_u64..200).prop_map(|ms| Delay { ms }), 12, 3),
        some(Produce, Just(ControlRecord), 12, 3),
        some(Produce, (1_u32..9).prop_map(|count| ForeignRecords { count }), 12, 2),
        some(Produce, Just(AckWithoutOffset { written: true }), 12, 2),
        some(Produce, Just(AckDuplicate { written: true }), 12, 2),
        some(Produce, Just(MoveLeader), 12, 2),
        Just(Rule::new(Produce, DuplicateToRetries)),
        some(ProduceMarker, code(&[6, 7]), 2, 1),
        some(ProduceMarker, Just(Drop { written: true }), 2, 1),
        some(Fetch, (1_u64..200).prop_map(|ms| Delay { ms }), 12, 3),
        some(Fetch, Just(Drop { written: false }), 12, 2),
        Just(Rule::new(Fetch, OneBatch)),
        some(Fetch, Just(MoveLeader), 12, 2),
        brief(Fetch, Just(Empty), 12),
        brief(Fetch, Just(NullRecords), 12),
        brief(Fetch, code(&[3, 5, 6, -1]), 12),
        brief(Metadata, Just(UnknownTopic), 12),
        brief(Metadata, code(&[5]), 12),
        some(InitProducerId, code(&[14, 15]), 2, 2),
        some(ListOffsets, code(&[5, 6]), 4, 2),
        some(EpochEnd, (1_i64..30).prop_map(|by| EndTooLow { by }), 2, 2),
    ]
}

/// What it may not.
fn lie() -> BoxedStrategy<Rule> {
    if LATER {
        prop_oneof![9 => judged_lie(), 1 => lie_about_headers()].boxed()
    } else {
        judged_lie().boxed()
    }
}

fn lie_about_headers() -> impl Strategy<Value = Rule> {
    let index = || 0_u32..10;
    prop_oneof![
        some(
            Produce,
            (index(), 0_u32..80, any::<bool>()).prop_map(|(index, byte, fix_crc)| FlipOnWrite {
                index,
                part: Part::Header,
                byte,
                fix_crc
            }),
            12,
            2
        ),
        some(Produce, index().prop_map(|index| StripHeader { index }), 12, 2),
        (0_i64..60).prop_map(|offset| Rule::new(Fetch, StripHeaderOnRead { offset })),
    ]
}

fn judged_lie() -> impl Strategy<Value = Rule> {
    let index = || 0_u32..10;
    let part = || select(&[Part::Key, Part::Value]);
    let offset = || 0_i64..60;
    prop_oneof![
        some(Produce, any::<bool>().prop_map(|gap| AckUnwritten { gap }), 12, 3),
        some(Produce, Just(Twice), 12, 3),
        some(Produce, select(&[Swap, SwapAfterAck]), 12, 2),
        some(Produce, Just(AckWithoutOffset { written: false }), 12, 2),
        some(Produce, Just(AckDuplicate { written: false }), 12, 2),
        some(Produce, select(&[-3_i64, -1, 1, 5, 1000]).prop_map(|by| AckOffset { by }), 12, 2),
        some(Produce, index().prop_map(|index| DropRecord { index }), 12, 2),
        some(
            Produce,
            (index(), part(), 0_u32..80, any::<bool>())
                .prop_map(|(index, part, byte, fix_crc)| FlipOnWrite { index, part, byte, fix_crc }),
            12,
            2
        ),
        some(Produce, (0_i32..4).prop_map(|to| OtherPartition { to }), 12, 2),
        some(Produce, Just(Error { code: 87, written: true }), 12, 1),
        some(Produce, offset().prop_map(|to| Truncate { to }), 20, 1),
        some(ProduceMarker, any::<bool>().prop_map(|gap| AckUnwritten { gap }), 2, 1),
        (0_u32..12)
            .prop_map(|from| Rule::new(Produce, Drop { written: true }).from(from).times(1))
            .prop_flat_map(|_| Just(Rule::new(Produce, WriteRetries))),
        (offset(), 0_u32..3, any::<bool>())
            .prop_map(|(offset, sights, fix_crc)| Rule::new(Fetch, FlipOnRead { offset, sights, fix_crc })),
        prop::option::of(0_i32..4).prop_map(|partition| Rule { partition, ..Rule::new(Fetch, Empty) }),
        prop::option::of(0_i32..4).prop_map(|partition| Rule { partition, ..Rule::new(Fetch, NullRecords) }),
        (offset(), any::<bool>()).prop_map(|(offset, hide)| Rule::new(Fetch, EndAt { offset, hide })),
        (offset(), 1_i64..60).prop_map(|(from, more)| Rule::new(Fetch, OutOfRange { from, to: from + more })),
        (0_i32..4, 0_i32..4)
            .prop_map(|(of, partition)| Rule::new(Fetch, FromPartition { partition }).partition(of)),
        some(Fetch, Just(SkipBatch), 6, 1),
        offset().prop_map(|offset| Rule::new(Fetch, LastStable { offset })),
        (select(&[-1_i16, 3, 56]), 0_u32..10).prop_map(|(code, from)| Rule::new(
            Fetch,
            Error { code, written: false }
        )
        .from(from)),
        offset().prop_map(|to| Rule::new(Fetch, Truncate { to }).phase(Phase::AfterMarker).times(1)),
    ]
}
