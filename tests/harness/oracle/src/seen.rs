//! Which records the broker returned, and whether they were unaltered: content, timestamp, and the CRC of the batch.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::log::{Fetched, Log};

/// A timestamp may be off by this much.
const OFF_MS: i64 = 1000;
/// And it need not be seen where it is off by less than this more: kaf6 looks at its own clock, and somewhat later.
const UNSURE_MS: i64 = 1000;

/// A record in an answer.
struct Sight {
    digest: String,
    time_ms: i64,
    /// The time of the answer.
    read_ms: i64,
    /// Its batch's checksum is wrong, though no record of the batch differs.
    bad_batch: bool,
}

/// All that was handed out, by topic, partition and offset.
pub(crate) struct Seen {
    sights: HashMap<(String, i32, i64), Vec<Sight>>,
    /// The offsets of batches with wrong checksums: the first, and one past the last.
    wrong_crcs: HashMap<(String, i32), BTreeSet<(i64, i64)>>,
    last_ms: i64,
    log_append: HashSet<String>,
}

/// What was handed out at a message's place. Several of these may be true at once, over several answers.
#[derive(Debug, Clone, Default)]
pub struct Handed {
    /// Anything.
    pub any: bool,
    /// The message, maybe as it was sent.
    pub own: bool,
    /// Content that nobody sent.
    pub strange: bool,
    /// Something under a wrong checksum, or the message, maybe with a wrong timestamp.
    pub marred: bool,
    /// Another message.
    pub others: bool,
}

impl Seen {
    pub(crate) fn new(log: &Log, known: &HashSet<String>) -> Self {
        let mut sights: HashMap<_, Vec<Sight>> = HashMap::new();
        let mut wrong_crcs: HashMap<(String, i32), BTreeSet<(i64, i64)>> = HashMap::new();
        for fetched in log.fetched.iter().filter(|fetched| fetched.answered) {
            let bad = bad_offsets(fetched, known);
            let place = (fetched.topic.clone(), fetched.partition);
            wrong_crcs.entry(place).or_default().extend(fetched.bad_offsets.iter().copied());
            for (offset, digest, time_ms) in &fetched.records {
                if *offset < fetched.offset {
                    continue;
                }
                sights.entry((fetched.topic.clone(), fetched.partition, *offset)).or_default().push(Sight {
                    digest: digest.clone(),
                    time_ms: *time_ms,
                    read_ms: log.ms(fetched.at_us),
                    bad_batch: bad.contains(offset),
                });
            }
        }
        let append = |topic: &&String| log.setting(topic, "message.timestamp.type") == "LogAppendTime";
        let log_append = log.settings.keys().filter(append).cloned().collect();
        Self { sights, wrong_crcs, last_ms: log.last_ms(), log_append }
    }

    /// Each digest of a partition with an offset at which it was handed out.
    pub(crate) fn digests(&self) -> impl Iterator<Item = (&str, i32, &str, i64)> {
        self.sights.iter().flat_map(|((topic, partition, offset), sights)| {
            let digests: BTreeSet<&str> = sights.iter().map(|sight| sight.digest.as_str()).collect();
            digests.into_iter().map(move |digest| (topic.as_str(), *partition, digest, *offset))
        })
    }

    /// What was handed out at this place, where a message belongs that was sent at a time.
    pub(crate) fn at(
        &self,
        place: &(String, i32, i64),
        digest: &str,
        sent_ms: i64,
        known: &HashSet<String>,
    ) -> Handed {
        let (topic, partition, offset) = place;
        let wrong_crcs = self.wrong_crcs.get(&(topic.clone(), *partition)).into_iter().flatten();
        // Who gets only a part of such a batch, since it was compacted or lies across a limit, cannot see that another of its
        // records differs, nor which of its offsets are empty.
        let marred = wrong_crcs.into_iter().any(|(first, end)| (*first..*end).contains(offset));
        let mut handed = Handed { marred, ..Handed::default() };
        for sight in self.sights.get(place).into_iter().flatten() {
            handed.any = true;
            if sight.digest != digest {
                handed.others |= known.contains(&sight.digest);
                handed.strange |= !known.contains(&sight.digest);
                continue;
            }
            let time = sight.time_ms;
            let judged = !self.log_append.contains(&place.0);
            let maybe_off = judged && (time < sent_ms - OFF_MS + 50 || time > sight.read_ms + OFF_MS);
            let off =
                judged && (time < sent_ms - OFF_MS - UNSURE_MS || time > self.last_ms + OFF_MS + UNSURE_MS);
            handed.own |= !sight.bad_batch && !off;
            handed.marred |= maybe_off;
        }
        handed
    }
}

/// The offsets of whole batches that are corrupt: their checksums are wrong, and no record of them differs.
fn bad_offsets(fetched: &Fetched, known: &HashSet<String>) -> HashSet<i64> {
    let none_differs = |batch: &&Vec<(i64, String)>| batch.iter().all(|(_, digest)| known.contains(digest));
    fetched.bad_crc.iter().filter(none_differs).flatten().map(|(offset, _)| *offset).collect()
}
