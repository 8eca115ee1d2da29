//! Renders the keys of one client's messages to one partition again, exactly as they were sent.
//!
//! Converts a message's sequence to its number in the scenario, from which its key is rendered. Nothing is stored
//! during sending. Only messages that are missing from a compacted topic are looked up.

use super::message::{KeyMaker, Order};
use super::partitioner;
use crate::ids::{Identity, Partition, RunTag, Seq, StreamId};
use crate::ledger::envelope::RecordKind;
use crate::plan::{Partitioning, ProducePlan};
use crate::scenario::Template;
use crate::scenario::template::Function;

/// Maximum number of messages that a client may have dropped before sending them, while later ones of another partition
/// were sent. Larger than what `produce` ever stages.
const GIVEN_UP: u64 = 1 << 16;

/// A client that has sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender<'a> {
    pub(crate) run: RunTag,
    pub(crate) run_id: &'a str,
    /// The scenario's index in the plan, and the client's index in the scenario.
    pub(crate) scenario: usize,
    pub(crate) client: u32,
    /// Its stream to this partition.
    pub(crate) stream: StreamId,
    pub(crate) partitions: i32,
    /// Number of messages that it sent, to all partitions.
    pub(crate) sent: u64,
}

/// How a producer renders keys and chooses partitions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyRule<'a> {
    pub(crate) key: Option<&'a Template>,
    pub(crate) clients: u32,
    pub(crate) partition: Partitioning,
}

impl<'a> KeyRule<'a> {
    pub(crate) fn of(plan: &'a ProducePlan) -> Self {
        Self { key: plan.message.key.as_ref(), clients: plan.clients, partition: plan.partition }
    }
}

/// The reasons why the keys of a client's messages cannot be rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKeys {
    /// The messages have no keys.
    None,
    Unknown,
}

/// The keys of one client's messages to one partition, by sequence.
pub(crate) struct Keys {
    maker: KeyMaker,
    run: RunTag,
    stream: StreamId,
    partition: Partition,
    way: KeyFunction,
}

/// How to convert a sequence to a message number.
enum KeyFunction {
    /// The number of sequence 0, and the difference between the numbers of two adjacent sequences.
    Steps { first: u64, step: u64 },
    /// The key decides the partition: search all messages of the client in order.
    Search(Search),
}

struct Search {
    scenario: usize,
    client: u32,
    clients: u32,
    partitions: i32,
    /// How many messages of the client may be searched.
    most: u64,
    /// The client's next message, and the next sequence of this partition.
    mine: u64,
    seq: Seq,
}

impl Keys {
    /// The keys of a producer's client.
    ///
    /// # Errors
    ///
    /// The client sends nothing to this partition, its messages have no keys, or its keys cannot be rendered
    /// again because they contain `{{now}}`.
    pub(crate) fn of_producer(
        rule: &KeyRule<'_>,
        sender: &Sender<'_>,
        partition: Partition,
    ) -> Result<Self, NoKeys> {
        let (client, clients) = (u64::from(sender.client), u64::from(rule.clients));
        let count = sender.partitions.max(1);
        let way = match rule.partition {
            Partitioning::Fixed(fixed) if fixed != partition => return Err(NoKeys::None),
            _ if !(0..count).contains(&partition) => return Err(NoKeys::None),
            Partitioning::Fixed(_) => KeyFunction::Steps { first: client, step: clients },
            Partitioning::RoundRobin => {
                let count = u64::from(count.unsigned_abs());
                let mine = (u64::from(partition.unsigned_abs()) + count - client % count) % count;
                KeyFunction::Steps { first: mine * clients + client, step: count * clients }
            }
            Partitioning::ByKey => KeyFunction::Search(Search {
                scenario: sender.scenario,
                client: sender.client,
                clients: rule.clients,
                partitions: count,
                most: sender.sent.saturating_add(GIVEN_UP),
                mine: 0,
                seq: 0,
            }),
        };
        Self::new(rule.key, sender, partition, way)
    }

    /// The keys of a client's round trips, warm-up first. The errors are those of [`Keys::of_producer`].
    pub(crate) fn of_trips(
        key: Option<&Template>,
        sender: &Sender<'_>,
        partition: Partition,
    ) -> Result<Self, NoKeys> {
        Self::new(key, sender, partition, KeyFunction::Steps { first: 0, step: 1 })
    }

    fn new(
        key: Option<&Template>,
        sender: &Sender<'_>,
        partition: Partition,
        way: KeyFunction,
    ) -> Result<Self, NoKeys> {
        let key = key.ok_or(NoKeys::None)?;
        if key.uses(|function| function == Function::Now) {
            return Err(NoKeys::Unknown);
        }
        Ok(Self {
            maker: KeyMaker::new(sender.run_id, sender.client, key.clone()),
            run: sender.run,
            stream: sender.stream,
            partition,
            way,
        })
    }

    /// The key of the message with this sequence, as it was sent; `None` if the client sent no such message. Fast for
    /// ascending sequences. If the key decides the partition, a lower sequence restarts the search.
    pub(crate) fn key(&mut self, seq: Seq) -> Option<&[u8]> {
        let order = Order {
            kind: RecordKind::Message,
            identity: Identity { run: self.run, stream: self.stream, seq },
            number: 0,
            partition: self.partition,
            due_us: 0,
        };
        match &mut self.way {
            KeyFunction::Steps { first, step } => {
                let number = step.checked_mul(seq)?.checked_add(*first)?;
                Some(self.maker.render(&Order { number, ..order }))
            }
            KeyFunction::Search(search) => search.find(&mut self.maker, &order),
        }
    }
}

impl Search {
    fn find<'a>(&mut self, maker: &'a mut KeyMaker, order: &Order) -> Option<&'a [u8]> {
        if order.identity.seq < self.seq {
            (self.mine, self.seq) = (0, 0);
        }
        while self.mine < self.most {
            let number = self.mine * u64::from(self.clients) + u64::from(self.client);
            let key = maker.render_hashed(&Order { number, ..*order }, self.scenario);
            let at = partitioner::partition(
                Partitioning::ByKey,
                self.client,
                self.mine,
                Some(key),
                self.partitions,
            );
            self.mine += 1;
            if at == order.partition {
                self.seq += 1;
                if self.seq > order.identity.seq {
                    return Some(maker.last());
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::engine::messages::message::Maker;
    use crate::plan::{Acks, Compression, MessagePlan, ValueContent, ValuePlan};

    const RUN_ID: &str = "a \"run\"";
    const SCENARIO: usize = 3;
    /// Uses every variable that a key may contain.
    const KEY: &str = "{{uuid}}/{{seq}}/{{client}}/{{run_id}}/{{partition}}/{{random(4)}}";

    fn plan(partition: Partitioning, clients: u32, key: Option<&str>) -> ProducePlan {
        ProducePlan {
            topic: Template::parse("t").unwrap(),
            clients,
            messages: None,
            duration: None,
            schedule: None,
            partition,
            max_in_flight: 1 << 20,
            message: MessagePlan {
                acks: Acks::All,
                compression: Compression::None,
                idempotence: false,
                key: key.map(|key| Template::parse(key).unwrap()),
                headers: Vec::new(),
                value: ValuePlan::Size { bytes: 40, content: ValueContent::Zeros },
                verify: true,
            },
        }
    }

    fn sender(client: u32, partitions: i32, sent: u64) -> Sender<'static> {
        let run = RunTag::from_bits(5);
        Sender { run, run_id: RUN_ID, scenario: SCENARIO, client, stream: StreamId(70), partitions, sent }
    }

    /// The same client, sending to another partition.
    fn to(from: &Sender<'static>, partition: Partition) -> Sender<'static> {
        Sender { stream: StreamId(from.stream.0 + partition.unsigned_abs()), ..*from }
    }

    /// The keys of a client's messages by partition, in the order of sending, rendered as `produce` does.
    fn sent(plan: &ProducePlan, from: &Sender<'_>) -> BTreeMap<Partition, Vec<Vec<u8>>> {
        let mut maker = Maker::new((RUN_ID, 42), from.client, &plan.message);
        let mut all = BTreeMap::<_, Vec<_>>::new();
        for mine in 0..from.sent {
            let mut order = Order {
                kind: RecordKind::Message,
                identity: Identity { run: from.run, stream: from.stream, seq: 0 },
                number: mine * u64::from(plan.clients) + u64::from(from.client),
                partition: 0,
                due_us: 1_700_000_000_000_000,
            };
            let key = match plan.partition {
                Partitioning::ByKey => maker.hashed_key(&order, SCENARIO),
                _ => None,
            };
            order.partition = partitioner::partition(plan.partition, from.client, mine, key, from.partitions);
            let keys = all.entry(order.partition).or_default();
            order.identity.stream = StreamId(from.stream.0 + order.partition.unsigned_abs());
            order.identity.seq = keys.len() as u64;
            keys.push(maker.make(&order).key.unwrap().to_vec());
        }
        all
    }

    proptest! {
        #[test]
        fn rendered_again_they_are_those_that_were_sent(
            how in 0_usize..3,
            (clients, client) in (1_u32..5).prop_flat_map(|clients| (Just(clients), 0..clients)),
            partitions in 1_i32..7,
            count in 0_u64..200,
            skipped in prop::collection::vec(any::<bool>(), 200),
        ) {
            let how = [Partitioning::RoundRobin, Partitioning::ByKey, Partitioning::Fixed(partitions - 1)][how];
            let (plan, sender) = (plan(how, clients, Some(KEY)), sender(client, partitions, count));
            for (partition, expected) in sent(&plan, &sender) {
                let mut keys = Keys::of_producer(&KeyRule::of(&plan), &to(&sender, partition), partition).unwrap();
                for (seq, key) in (0..).zip(&expected).filter(|(seq, _)| !skipped[*seq]) {
                    prop_assert_eq!(keys.key(seq as u64), Some(&key[..]), "{}/{}", partition, seq);
                }
                prop_assert_eq!(keys.key(0), Some(&expected[0][..]), "backwards");
            }
        }
    }

    #[test]
    fn there_are_none_of_what_cannot_be_rendered_again_or_was_never_sent() {
        for (key, why) in [(None, NoKeys::None), (Some("{{seq}}-{{now}}"), NoKeys::Unknown)] {
            let plan = plan(Partitioning::RoundRobin, 1, key);
            assert_eq!(Keys::of_producer(&KeyRule::of(&plan), &sender(0, 3, 9), 0).err(), Some(why));
        }
        let fixed = plan(Partitioning::Fixed(2), 1, Some(KEY));
        let has = |partition| Keys::of_producer(&KeyRule::of(&fixed), &sender(0, 3, 9), partition).is_ok();
        assert_eq!([0, 1, 2, 3].map(has), [false, false, true, false]);
        let robin = plan(Partitioning::RoundRobin, 2, Some(KEY));
        assert!(Keys::of_producer(&KeyRule::of(&robin), &sender(0, 3, 9), 3).is_err());
        // All keys are equal, so all messages go to one partition.
        let same = plan(Partitioning::ByKey, 1, Some("k"));
        let found = [0, 1, 2].map(|partition| {
            Keys::of_producer(&KeyRule::of(&same), &sender(0, 3, 9), partition)
                .unwrap()
                .key(5)
                .map(<[u8]>::to_vec)
        });
        assert_eq!(found.iter().flatten().collect::<Vec<_>>(), [b"k"]);
        let mut robin = Keys::of_producer(&KeyRule::of(&robin), &sender(0, 3, 9), 0).unwrap();
        assert_eq!(robin.key(u64::MAX), None);
    }
}
