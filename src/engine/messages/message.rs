//! Renders messages: key, headers and value, with the envelope at the start of the value or in a header.
//!
//! Each client has one maker. It reuses its buffers, so messages of a fixed size need no allocation.

use crate::ids::{Identity, Partition, RunTag, StreamId};
use crate::ledger::envelope::{Envelope, HEADER, LEN, RecordKind, RestSum};
use crate::plan::{MessagePlan, ValueContent, ValuePlan};
use crate::scenario::{Template, Values};

/// Number of random bytes from which values are cut. Longer than a batch, so that codecs find no repetition.
const POOL: usize = 1 << 16;

pub(crate) struct Maker {
    run_id: String,
    client: u32,
    key: Option<KeyMaker>,
    headers: Vec<(String, Template)>,
    value: ValueMaker,
    random: Random,
    /// Whether the key of the next message is already rendered, because it determined the partition.
    key_is_ready: bool,
    value_bytes: Vec<u8>,
    header_bytes: Vec<Vec<u8>>,
}

/// Renders the keys of one client's messages. The same message always gets the same bytes.
pub(crate) struct KeyMaker {
    template: Template,
    run_id: String,
    client: u32,
    bytes: Vec<u8>,
}

enum ValueMaker {
    Text(Template),
    Size { bytes: usize, pool: Vec<u8> },
}

/// The inputs of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) kind: RecordKind,
    pub(crate) identity: Identity,
    /// The message's number in its scenario.
    pub(crate) number: u64,
    pub(crate) partition: Partition,
    /// When it was due, in microseconds since 1970.
    pub(crate) due_us: i64,
}

/// A message that is ready to send.
pub(crate) struct Made<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: &'a [u8],
    /// Empty if the value contains the envelope and the file has no headers.
    pub(crate) headers: Vec<(&'a str, &'a [u8])>,
    /// The envelope, if it goes into a header.
    pub(crate) envelope: Option<[u8; LEN]>,
}

/// The maximum size of such a message: key, headers and value.
pub(crate) fn longest(run_id: &str, message: &MessagePlan) -> u64 {
    let MessagePlan { key, headers, value, .. } = message;
    let value = match value {
        ValuePlan::Text(template) => template.longest(run_id),
        ValuePlan::Size { bytes, .. } => usize::try_from(*bytes).unwrap_or(usize::MAX),
    };
    let headers = headers.iter().map(|(name, template)| name.len().saturating_add(template.longest(run_id)));
    let parts = [value, key.as_ref().map_or(0, |key| key.longest(run_id)), HEADER.len() + LEN];
    headers.chain(parts).fold(0, |sum, part| sum.saturating_add(part as u64))
}

impl Maker {
    pub(crate) fn new((run_id, seed): (&str, u64), client: u32, message: &MessagePlan) -> Self {
        let MessagePlan { key, headers, value, .. } = message;
        let mut random = Random::new(seed, client);
        let value = match value {
            ValuePlan::Text(template) => ValueMaker::Text(template.clone()),
            ValuePlan::Size { bytes, content } => {
                let bytes = usize::try_from(*bytes).unwrap_or(usize::MAX);
                let mut pool = vec![0; bytes.saturating_add(POOL)];
                if *content == ValueContent::Random {
                    for chunk in pool.chunks_mut(8) {
                        chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
                    }
                }
                ValueMaker::Size { bytes, pool }
            }
        };
        Self {
            run_id: run_id.to_owned(),
            client,
            key: key.as_ref().map(|template| KeyMaker::new(run_id, client, template.clone())),
            header_bytes: vec![Vec::new(); headers.len()],
            headers: headers.clone(),
            value,
            random,
            key_is_ready: false,
            value_bytes: Vec::new(),
        }
    }

    /// The key of a message that determines its partition. It is rendered once: the caller hashes it, and it is sent
    /// unmodified.
    pub(crate) fn hashed_key(&mut self, order: &Order, scenario: usize) -> Option<&[u8]> {
        self.key_is_ready = true;
        Some(self.key.as_mut()?.render_hashed(order, scenario))
    }

    /// The size of the values, if messages have no headers (the value contains the envelope, and the file has no
    /// headers). [`Maker::fill`] then renders the values.
    pub(crate) fn plain_size(&self) -> Option<usize> {
        match self.value {
            ValueMaker::Size { bytes, .. } if bytes >= LEN && self.headers.is_empty() => Some(bytes),
            _ => None,
        }
    }

    /// Renders the key of this message, if messages have keys and it is not rendered yet.
    pub(crate) fn render_key(&mut self, order: &Order) {
        if !std::mem::take(&mut self.key_is_ready)
            && let Some(key) = &mut self.key
        {
            key.render(order);
        }
    }

    pub(crate) fn last_key(&self) -> Option<&[u8]> {
        self.key.as_ref().map(KeyMaker::last)
    }

    /// Renders the value of a message with the last key. If `bytes` contains an earlier value, whose `note` has the
    /// checksum of everything except the envelope, only the envelope is written.
    pub(crate) fn fill(&self, order: &Order, bytes: &mut [u8], note: &mut Option<u32>) {
        let ValueMaker::Size { pool, .. } = &self.value else { return };
        let (head, rest) = bytes.split_at_mut(LEN);
        let sum = *note.get_or_insert_with(|| {
            rest.copy_from_slice(&cut(pool, LEN + rest.len(), order.identity.seq)[LEN..]);
            RestSum::of(rest).0
        });
        let envelope = Envelope { kind: order.kind, identity: order.identity, due_us: order.due_us };
        head.copy_from_slice(&envelope.write_over(self.last_key(), std::iter::empty(), RestSum(sum)));
    }

    pub(crate) fn make(&mut self, order: &Order) -> Made<'_> {
        self.render_key(order);
        let values = values(&self.run_id, self.client, order);
        for (bytes, (_, template)) in self.header_bytes.iter_mut().zip(&self.headers) {
            bytes.clear();
            template.render(&values, &mut || self.random.next(), bytes);
        }
        let envelope = Envelope { kind: order.kind, identity: order.identity, due_us: order.due_us };
        let key = self.key.as_ref().map(KeyMaker::last);
        let out = &mut self.value_bytes;
        out.clear();
        let in_header = match &self.value {
            ValueMaker::Text(template) => {
                template.render(&values, &mut || self.random.next(), out);
                true
            }
            ValueMaker::Size { bytes, pool } => {
                out.extend_from_slice(cut(pool, *bytes, order.identity.seq));
                *bytes < LEN
            }
        };
        let names = self.headers.iter().map(|(name, _)| name.as_str());
        let headers: Vec<(&str, &[u8])> = names.zip(self.header_bytes.iter().map(Vec::as_slice)).collect();
        let covered = headers.iter().map(|(name, value)| (name.as_bytes(), Some(*value)));
        let envelope = if in_header {
            Some(envelope.write(key, covered, out))
        } else {
            let head = envelope.write(key, covered, &out[LEN..]);
            out[..LEN].copy_from_slice(&head);
            None
        };
        Made { key, value: &self.value_bytes, headers, envelope }
    }
}

impl KeyMaker {
    pub(crate) fn new(run_id: &str, client: u32, template: Template) -> Self {
        Self { template, run_id: run_id.to_owned(), client, bytes: Vec::new() }
    }

    /// Renders the key of this message.
    pub(crate) fn render(&mut self, order: &Order) -> &[u8] {
        self.bytes.clear();
        // A random key must always be rendered the same, so its seed is derived from the message's number.
        let mut random = Random::new(order.number, self.client);
        let values = values(&self.run_id, self.client, order);
        self.template.render(&values, &mut || random.next(), &mut self.bytes);
        &self.bytes
    }

    /// The key of a message whose partition it decides.
    ///
    /// A message's identity contains its stream, which is known only when its partition is. So `{{uuid}}` in
    /// such a key is a separate UUID, unique in the run and the same each time this message is rendered: see
    /// [`key_uuid`]. In the value, `{{uuid}}` is the message's identity as usual. `{{partition}}` is 0 in
    /// such a key.
    pub(crate) fn render_hashed(&mut self, order: &Order, scenario: usize) -> &[u8] {
        let identity = key_uuid(order.identity.run, scenario, order.number);
        self.render(&Order { identity, partition: 0, ..*order })
    }

    pub(crate) fn last(&self) -> &[u8] {
        &self.bytes
    }
}

/// The values of a message's template variables.
fn values<'a>(run_id: &'a str, client: u32, order: &Order) -> Values<'a> {
    Values {
        uuid: order.identity.uuid(),
        now_unix_ms: order.due_us / 1000,
        seq: order.number,
        client,
        run_id,
        partition: order.partition,
    }
}

impl Made<'_> {
    /// Bytes of key and value.
    pub(crate) fn bytes(&self) -> u64 {
        (self.key.map_or(0, <[u8]>::len) + self.value.len()) as u64
    }

    /// Passes the message to `send`, with the envelope among the headers if it goes there.
    pub(crate) fn send<E>(
        &self,
        send: impl FnOnce(Option<&[u8]>, &[u8], &[(&str, &[u8])]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(envelope) = &self.envelope else { return send(self.key, self.value, &self.headers) };
        if self.headers.is_empty() {
            return send(self.key, self.value, &[(HEADER, envelope)]);
        }
        let mut headers = self.headers.clone();
        headers.push((HEADER, envelope));
        send(self.key, self.value, &headers)
    }
}

/// The stream in the UUIDs of keys that determine a partition. No message uses it. (End markers use the next higher
/// one.)
const KEYS: StreamId = StreamId(0xff_fffe);
/// Number of bits of the sequence for a message's number in its scenario. The higher bits contain the scenario's index.
const NUMBER_BITS: u32 = 36;

/// The UUID of such a key, from the scenario and the message's number in it.
fn key_uuid(run: RunTag, scenario: usize, number: u64) -> Identity {
    let number = number & ((1 << NUMBER_BITS) - 1);
    Identity { run, stream: KEYS, seq: ((scenario as u64) << NUMBER_BITS) | number }
}

/// The slice of the random bytes that is the value of this sequence.
fn cut(pool: &[u8], bytes: usize, seq: u64) -> &[u8] {
    let from = usize::try_from(seq.wrapping_mul(0x9e37_79b9) % POOL as u64).unwrap_or(0);
    &pool[from..from + bytes]
}

/// SplitMix64: small, fast and equal on every machine, which is sufficient for payloads.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, client: u32) -> Self {
        Self(seed ^ u64::from(client).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::messages::partitioner;
    use crate::ledger::envelope::{CheckedUuid, Opened, check_uuid, open};
    use crate::plan::{Acks, Compression};

    fn template(text: &str) -> Template {
        Template::parse(text).expect("it is a template")
    }

    fn message(key: Option<&str>, headers: &[(String, Template)], value: &ValuePlan) -> MessagePlan {
        MessagePlan {
            acks: Acks::All,
            compression: Compression::None,
            idempotence: false,
            key: key.map(template),
            headers: headers.to_vec(),
            value: value.clone(),
            verify: true,
        }
    }

    #[test]
    fn no_message_is_longer_than_the_longest() {
        let text = ValuePlan::Text(template("{{uuid}} {{random(2000)}}"));
        let size = ValuePlan::Size { bytes: 3000, content: ValueContent::Random };
        let headers = [("h".to_owned(), template("{{random(500)}}"))];
        for value in [&text, &size] {
            for key in [None, Some("{{run_id}}-{{seq}}")] {
                for headers in [&headers[..], &[]] {
                    let message = message(key, headers, value);
                    let longest = longest("run", &message);
                    let mut maker = Maker::new(("run", 42), 3, &message);
                    let order = Order {
                        kind: RecordKind::Message,
                        identity: Identity { run: RunTag::from_bits(5), stream: StreamId(1), seq: 9 },
                        number: 18,
                        partition: 1,
                        due_us: 1_700_000_000_000_000,
                    };
                    let mut bytes = 0;
                    let sent: Result<(), ()> = maker.make(&order).send(|key, value, headers| {
                        let of_headers = headers.iter().map(|(name, value)| name.len() + value.len());
                        bytes = key.map_or(0, <[u8]>::len) + value.len() + of_headers.sum::<usize>();
                        Ok(())
                    });
                    assert_eq!(sent, Ok(()));
                    assert!((bytes as u64..bytes as u64 + 100).contains(&longest), "{bytes} {longest}");
                }
            }
        }
    }

    #[test]
    fn a_key_that_decides_the_partition_is_sent_as_it_was_hashed() {
        let run = RunTag::from_bits(5);
        let text = ValuePlan::Text(template("{{uuid}}"));
        let size = ValuePlan::Size { bytes: 100, content: ValueContent::Random };
        for (value, key) in [(&text, "{{uuid}}"), (&size, "{{uuid}}-{{random(4)}}"), (&size, "{{seq}}")] {
            let mut maker = Maker::new(("run", 42), 0, &message(Some(key), &[], value));
            let (mut counts, mut keys, mut next) = ([0_u64; 4], std::collections::BTreeSet::new(), [0; 4]);
            for number in 0..400 {
                let identity = Identity { run, stream: StreamId(0), seq: 0 };
                let mut order =
                    Order { kind: RecordKind::Message, identity, number, partition: 0, due_us: 0 };
                let hashed = maker.hashed_key(&order, 3).map(<[u8]>::to_vec);
                let by_key = crate::plan::Partitioning::ByKey;
                order.partition = partitioner::partition(by_key, 0, number, hashed.as_deref(), 4);
                let at = usize::try_from(order.partition).unwrap();
                order.identity =
                    Identity { run, stream: StreamId(order.partition.unsigned_abs()), seq: next[at] };
                next[at] += 1;
                counts[at] += 1;
                let made = maker.make(&order);
                assert_eq!(made.key.map(<[u8]>::to_vec), hashed);
                let has_uuid = matches!(value, ValuePlan::Text(_));
                let fine = check_uuid(made.value, &order.identity) == CheckedUuid::Fine;
                assert!(!has_uuid || fine);
                assert!(keys.insert(hashed), "each is another one");
            }
            assert!(counts.iter().all(|count| (60..140).contains(count)), "{key}: {counts:?}");
        }
    }

    #[test]
    fn uuids_of_such_keys_are_unique_and_no_messages() {
        let run = RunTag::from_bits(5);
        let all: std::collections::BTreeSet<_> = [0, 1, 4000]
            .into_iter()
            .flat_map(|scenario| [0, 1, (1 << NUMBER_BITS) - 1].map(|number| key_uuid(run, scenario, number)))
            .map(|identity| {
                Identity::from_uuid(identity.uuid()).map(|back| (back == identity, back.stream.0, back.seq))
            })
            .collect();
        assert_eq!(all.len(), 9);
        assert!(all.iter().all(|it| matches!(it, Some((true, 0xff_fffe, _)))), "{all:?}");
    }

    #[test]
    fn filled_again_or_made_it_is_a_message_of_its_order() {
        for key in [None, Some("{{client}}-{{seq}}-{{random(4)}}")] {
            let value = ValuePlan::Size { bytes: 100, content: ValueContent::Random };
            let mut maker = Maker::new(("run", 42), 3, &message(key, &[], &value));
            assert_eq!(maker.plain_size(), Some(100));
            let (mut bytes, mut note) = ([0; 100], None);
            for seq in [0, 1, 77_000] {
                let order = Order {
                    kind: RecordKind::Message,
                    identity: Identity { run: RunTag::from_bits(5), stream: StreamId(1), seq },
                    number: seq * 2,
                    partition: 1,
                    due_us: 1_700_000_000_000_000,
                };
                maker.render_key(&order);
                maker.fill(&order, &mut bytes, &mut note);
                let made = maker.make(&order);
                assert!(made.headers.is_empty() && made.envelope.is_none());
                let (key, value) = (made.key.map(<[u8]>::to_vec), made.value.to_vec());
                assert_eq!(maker.last_key(), key.as_deref());
                for value in [&bytes[..], &value] {
                    let opened = open(key.as_deref(), Some(value), std::iter::empty());
                    let Opened::Kaf6 { envelope, intact: true } = opened else { panic!("{opened:?}") };
                    assert_eq!(envelope.identity, order.identity);
                }
                // The content is rendered only once.
                assert_eq!(bytes == value[..], seq == 0);
            }
        }
    }
}
