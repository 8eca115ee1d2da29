//! Chooses the partition of a message. kaf6 decides it, so that the stream of a message is known before it is
//! sent.

use crate::ids::Partition;
use crate::plan::Partitioning;

/// The partition of a client's message number `index` (from 0) with this key, out of `count` partitions.
pub(crate) fn partition(
    how: Partitioning,
    client: u32,
    index: u64,
    key: Option<&[u8]>,
    count: i32,
) -> Partition {
    let count = u64::from(count.max(1).unsigned_abs());
    let number = match (how, key) {
        (Partitioning::Fixed(partition), _) => return partition,
        // Like Kafka's own clients, drop the sign bit of the hash.
        (Partitioning::ByKey, Some(key)) => u64::from(murmur2(key) & 0x7fff_ffff),
        (Partitioning::ByKey | Partitioning::RoundRobin, _) => index.wrapping_add(u64::from(client)),
    };
    Partition::try_from(number % count).unwrap_or(0)
}

/// MurmurHash2 with Kafka's seed.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    #[expect(clippy::cast_possible_truncation, reason = "the hash is defined over the length's low 32 bits")]
    let mut hash = 0x9747_b28c_u32 ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * i);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_kafka() {
        // Values from org.apache.kafka.common.utils.UtilsTest.
        for (text, hash) in [
            ("21", -973_932_308_i32),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ] {
            assert_eq!(murmur2(text.as_bytes()).cast_signed(), hash, "{text}");
        }
    }

    #[test]
    fn round_robin_is_even() {
        let mut counts = [0; 3];
        for i in 0..300 {
            counts[usize::try_from(partition(Partitioning::RoundRobin, 1, i, None, 3)).unwrap()] += 1;
        }
        assert_eq!(counts, [100, 100, 100]);
        assert_eq!(partition(Partitioning::Fixed(7), 0, 5, None, 9), 7);
    }
}
