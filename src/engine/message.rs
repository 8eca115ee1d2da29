//! Makes messages: key, headers and value, with the envelope in the value's first bytes or in a header.
//!
//! One maker a client; its buffers are used again, so that a message of given size allocates nothing.

use crate::ids::{Identity, Partition};
use crate::ledger::envelope::{Envelope, HEADER, Kind, LEN, RestSum};
use crate::plan::{Content, ValuePlan};
use crate::scenario::{Template, Values};

/// Random bytes that values are cut from: longer than a batch, so that a codec finds no repeats.
const POOL: usize = 1 << 16;

/// Makes one client's messages.
pub(super) struct Maker {
    run_id: String,
    client: u32,
    key: Option<Template>,
    headers: Vec<(String, Template)>,
    value: Value,
    random: Random,
    key_bytes: Vec<u8>,
    value_bytes: Vec<u8>,
    header_bytes: Vec<Vec<u8>>,
}

enum Value {
    Text(Template),
    Size { bytes: usize, pool: Vec<u8> },
}

/// What a message is to hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) kind: Kind,
    pub(super) identity: Identity,
    /// The message's number in its scenario.
    pub(super) number: u64,
    pub(super) partition: Partition,
    /// When it was due, microseconds since 1970.
    pub(super) due_us: i64,
}

/// A message, ready to send.
pub(super) struct Made<'a> {
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: &'a [u8],
    /// Empty where the value carries the envelope and the user wants no header.
    pub(super) headers: Vec<(&'a str, &'a [u8])>,
    /// Carries the envelope where the value does not.
    pub(super) envelope: Option<[u8; LEN]>,
}

/// The most bytes that a message made of these can have: key, headers and value.
pub(super) fn longest(
    run_id: &str,
    key: Option<&Template>,
    headers: &[(String, Template)],
    value: &ValuePlan,
) -> u64 {
    let value = match value {
        ValuePlan::Text(template) => template.longest(run_id),
        ValuePlan::Size { bytes, .. } => usize::try_from(*bytes).unwrap_or(usize::MAX),
    };
    let headers = headers.iter().map(|(name, template)| name.len().saturating_add(template.longest(run_id)));
    let parts = [value, key.map_or(0, |key| key.longest(run_id)), HEADER.len() + LEN];
    headers.chain(parts).fold(0, |sum, part| sum.saturating_add(part as u64))
}

impl Maker {
    pub(super) fn new(
        run_id: &str,
        client: u32,
        seed: u64,
        key: Option<Template>,
        headers: Vec<(String, Template)>,
        value: &ValuePlan,
    ) -> Self {
        let mut random = Random::new(seed, client);
        let value = match value {
            ValuePlan::Text(template) => Value::Text(template.clone()),
            ValuePlan::Size { bytes, content } => {
                let bytes = usize::try_from(*bytes).unwrap_or(usize::MAX);
                let mut pool = vec![0; bytes.saturating_add(POOL)];
                if *content == Content::Random {
                    for chunk in pool.chunks_mut(8) {
                        chunk.copy_from_slice(&random.next().to_le_bytes()[..chunk.len()]);
                    }
                }
                Value::Size { bytes, pool }
            }
        };
        Self {
            run_id: run_id.to_owned(),
            client,
            key,
            header_bytes: vec![Vec::new(); headers.len()],
            headers,
            value,
            random,
            key_bytes: Vec::new(),
            value_bytes: Vec::new(),
        }
    }

    /// Renders the key alone, for a partition that depends on it; `make` renders the same one again.
    pub(super) fn key(&mut self, values: &Values<'_>) -> Option<&[u8]> {
        let template = self.key.as_ref()?;
        self.key_bytes.clear();
        // A random key must come out the same twice: its numbers come from the message's own.
        let mut random = Random::new(values.seq, self.client);
        template.render(values, &mut || random.next(), &mut self.key_bytes);
        Some(&self.key_bytes)
    }

    /// The values of a message's templates.
    pub(super) fn values<'a>(&self, run_id: &'a str, order: &Order) -> Values<'a> {
        Values {
            uuid: order.identity.uuid(),
            now_unix_ms: order.due_us / 1000,
            seq: order.number,
            client: self.client,
            run_id,
            partition: order.partition,
        }
    }

    /// The size of its messages' values, where they have no headers: the value carries the envelope, and the user wants none.
    /// Then [`Maker::fill`] makes them.
    pub(super) fn plain_size(&self) -> Option<usize> {
        match self.value {
            Value::Size { bytes, .. } if bytes >= LEN && self.headers.is_empty() => Some(bytes),
            _ => None,
        }
    }

    /// Renders the key of this message, where messages have keys.
    pub(super) fn render_key(&mut self, order: &Order) {
        if self.key.is_some() {
            let run_id = std::mem::take(&mut self.run_id);
            let values = self.values(&run_id, order);
            self.key(&values);
            self.run_id = run_id;
        }
    }

    /// The key that was rendered last.
    pub(super) fn last_key(&self) -> Option<&[u8]> {
        self.key.is_some().then_some(self.key_bytes.as_slice())
    }

    /// Makes the value of a message with the last key. `bytes` may hold one that was made there before, whose `note` says the
    /// checksum of all but the envelope: then only that is written.
    pub(super) fn fill(&self, order: &Order, bytes: &mut [u8], note: &mut Option<u32>) {
        let Value::Size { pool, .. } = &self.value else { return };
        let (head, rest) = bytes.split_at_mut(LEN);
        let sum = *note.get_or_insert_with(|| {
            rest.copy_from_slice(&cut(pool, LEN + rest.len(), order.identity.seq)[LEN..]);
            RestSum::of(rest).0
        });
        let envelope = Envelope { kind: order.kind, identity: order.identity, due_us: order.due_us };
        head.copy_from_slice(&envelope.write_over(self.last_key(), RestSum(sum)));
    }

    /// Makes one message.
    pub(super) fn make(&mut self, order: &Order) -> Made<'_> {
        let run_id = std::mem::take(&mut self.run_id);
        let values = self.values(&run_id, order);
        self.key(&values);
        for (bytes, (_, template)) in self.header_bytes.iter_mut().zip(&self.headers) {
            bytes.clear();
            template.render(&values, &mut || self.random.next(), bytes);
        }
        let envelope = Envelope { kind: order.kind, identity: order.identity, due_us: order.due_us };
        let key = self.key.is_some().then_some(self.key_bytes.as_slice());
        let out = &mut self.value_bytes;
        out.clear();
        let in_header = match &self.value {
            Value::Text(template) => {
                template.render(&values, &mut || self.random.next(), out);
                true
            }
            Value::Size { bytes, pool } => {
                out.extend_from_slice(cut(pool, *bytes, order.identity.seq));
                *bytes < LEN
            }
        };
        let envelope = if in_header {
            Some(envelope.write(key, out))
        } else {
            let head = envelope.write(key, &out[LEN..]);
            out[..LEN].copy_from_slice(&head);
            None
        };
        self.run_id = run_id;
        let headers = self
            .headers
            .iter()
            .zip(&self.header_bytes)
            .map(|((name, _), bytes)| (name.as_str(), bytes.as_slice()))
            .collect();
        Made { key, value: &self.value_bytes, headers, envelope }
    }
}

impl Made<'_> {
    /// Bytes of key and value.
    pub(super) fn bytes(&self) -> u64 {
        (self.key.map_or(0, <[u8]>::len) + self.value.len()) as u64
    }

    /// Hands it to `send`, with the envelope among the headers where it travels there.
    pub(super) fn send<E>(
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

/// The part of the random bytes that is the value of this sequence.
fn cut(pool: &[u8], bytes: usize, seq: u64) -> &[u8] {
    let from = usize::try_from(seq.wrapping_mul(0x9e37_79b9) % POOL as u64).unwrap_or(0);
    &pool[from..from + bytes]
}

/// SplitMix64: small, fast and the same on every machine, which is all that payloads need.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64, client: u32) -> Self {
        Self(seed ^ u64::from(client).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(super) fn next(&mut self) -> u64 {
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
    use crate::ids::{RunTag, StreamId};
    use crate::ledger::envelope::{Opened, open};

    #[test]
    fn no_message_is_longer_than_the_longest() {
        let template = |text: &str| Template::parse(text).expect("it is a template");
        let text = ValuePlan::Text(template("{{uuid}} {{random(2000)}}"));
        let size = ValuePlan::Size { bytes: 3000, content: Content::Random };
        let headers = [("h".to_owned(), template("{{random(500)}}"))];
        for value in [&text, &size] {
            for key in [None, Some(template("{{run_id}}-{{seq}}"))] {
                for headers in [&headers[..], &[]] {
                    let longest = longest("run", key.as_ref(), headers, value);
                    let mut maker = Maker::new("run", 3, 42, key.clone(), headers.to_vec(), value);
                    let order = Order {
                        kind: Kind::Message,
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
    fn filled_again_or_made_it_is_a_message_of_its_order() {
        for key in [None, Some("{{client}}-{{seq}}-{{random(4)}}")] {
            let key = key.map(|text| Template::parse(text).expect("it is a template"));
            let value = ValuePlan::Size { bytes: 100, content: Content::Random };
            let mut maker = Maker::new("run", 3, 42, key, Vec::new(), &value);
            assert_eq!(maker.plain_size(), Some(100));
            let (mut bytes, mut note) = ([0; 100], None);
            for seq in [0, 1, 77_000] {
                let order = Order {
                    kind: Kind::Message,
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
                    let opened = open(key.as_deref(), Some(value), || None);
                    let Opened::Kaf6 { envelope, intact: true } = opened else { panic!("{opened:?}") };
                    assert_eq!(envelope.identity, order.identity);
                }
                // Its content is made once.
                assert_eq!(bytes == value[..], seq == 0);
            }
        }
    }
}
