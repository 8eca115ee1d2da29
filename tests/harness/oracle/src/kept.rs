//! What retention and compaction may remove.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::facts::Message;
use crate::file::File;
use crate::log::{Log, Removed};

/// What kaf6 sees is older than what the log says: it allows a second for clocks, and judges after the last request.
const SLACK_MS: i64 = 1500;
/// Two clocks differ by less.
const SOON_MS: i64 = 50;
/// More than a record or its batch takes beside its content.
const OVERHEAD: usize = 200;

/// What became of a message that was taken out of its log.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// The settings allowed it: `expired` or `superseded`.
    pub legally: Option<&'static str>,
    /// A leader that lacked it took over, and might: the message was sent with acks 1.
    pub by_leader: bool,
    /// What the settings explain, whoever did it.
    pub explained: BTreeSet<&'static str>,
    /// A later record of its key may have it taken, as far as anybody sees.
    pub compacted: bool,
    /// kaf6 knows the settings, or knows that it does not: it did not make the topic itself without any.
    pub known: bool,
}

pub(crate) struct Kept<'a> {
    log: &'a Log,
    file: &'a File,
    last_ms: i64,
    removed: HashMap<(&'a str, i32, &'a str), Vec<&'a Removed>>,
    /// Where compaction removed a record of which key, in whatever state that was stored.
    compacted: HashSet<(&'a str, i32, i64, &'a str)>,
    /// The last offset of each key in the logs as they are in the end.
    last_of_keys: HashMap<(&'a str, i32, &'a str), i64>,
    /// The last of each key that were handed out before retention took them: whoever looked in time saw it.
    once_last: HashMap<(&'a str, i32, &'a str), i64>,
}

impl<'a> Kept<'a> {
    pub(crate) fn new(log: &'a Log, file: &'a File) -> Self {
        let mut removed: HashMap<_, Vec<&Removed>> = HashMap::new();
        for it in &log.removed {
            removed.entry((it.topic.as_str(), it.partition, it.digest.as_str())).or_default().push(it);
        }
        let mut compacted = HashSet::new();
        let mut once_last: HashMap<_, i64> = HashMap::new();
        for it in &log.removed {
            let Some(key) = it.key.as_deref() else { continue };
            let topic = it.topic.as_str();
            if it.why == "compaction" {
                compacted.insert((topic, it.partition, it.offset, key));
            } else if it.why == "retention" && it.seen {
                let last = once_last.entry((topic, it.partition, key)).or_insert(it.offset);
                *last = it.offset.max(*last);
            }
        }
        let mut last_of_keys = HashMap::new();
        for (topic, partitions) in &log.topics {
            for (number, partition) in (0..).zip(partitions) {
                for record in &partition.records {
                    let key = record.key.as_deref();
                    last_of_keys.extend(key.map(|key| ((topic.as_str(), number, key), record.offset)));
                }
            }
        }
        Self { log, file, last_ms: log.last_ms(), removed, compacted, last_of_keys, once_last }
    }

    /// What became of a message with this key.
    pub(crate) fn taken(&self, message: &Message) -> Taken {
        let topic = message.topic.as_str();
        let offset = message.acked_at().unwrap_or(-1);
        let removed = self.removed.get(&(topic, message.partition, message.digest.as_str()));
        let removed = removed.into_iter().flatten().find(|removed| offset < 0 || removed.offset == offset);
        let mut taken = Taken { known: self.known(topic), ..Taken::default() };
        if self.expired(message, offset) {
            taken.explained.insert("expired");
        }
        let key = message.key.as_deref().unwrap_or_default();
        let later = |of: &HashMap<(&str, i32, &str), i64>| {
            of.get(&(topic, message.partition, key)).is_some_and(|last| *last > offset)
        };
        let compacted = self.log.setting(topic, "cleanup.policy").contains("compact");
        taken.compacted = compacted && message.key.is_some();
        let superseded = taken.compacted && later(&self.last_of_keys);
        if superseded || (taken.compacted && later(&self.once_last)) {
            taken.explained.insert("superseded");
        }
        match removed.map(|removed| (removed.why.as_str(), removed)) {
            // A timestamp that was altered is no reason.
            Some(("retention", it)) if self.old_at(message, self.log.ms(it.at_us) + SOON_MS) => {
                taken.legally = Some("expired");
            }
            Some(("retention", _)) if self.limit(topic, "retention.bytes").is_some() => {
                taken.legally = Some("expired");
            }
            Some(("compaction", _)) if superseded => taken.legally = Some("superseded"),
            // What superseded it is gone as well: with right, or not.
            Some(("compaction", _)) if taken.explained.contains("expired") => taken.legally = Some("expired"),
            Some(("lose_tail", it)) => taken.by_leader = !message.acks_all && !it.seen,
            _ => {}
        }
        // One that was altered before it was stored is as gone as any.
        let altered_too = self.compacted.contains(&(topic, message.partition, offset, key));
        if altered_too || removed.is_some_and(|removed| removed.why == "compaction") {
            taken.explained.insert("superseded");
        }
        taken.explained.extend(taken.legally);
        taken
    }

    /// Its place lies below the start of the log, and it is old enough, or enough lies behind it.
    fn expired(&self, message: &Message, offset: i64) -> bool {
        let topic = message.topic.as_str();
        let partitions = self.log.topics.get(topic);
        let number = usize::try_from(message.partition).unwrap_or(0);
        let start = partitions.and_then(|partitions| partitions.get(number)).map_or(0, |log| log.start);
        let policy = self.log.setting(topic, "cleanup.policy");
        if offset >= start || !(policy.is_empty() || policy.contains("delete")) {
            return false;
        }
        let behind = || {
            let batches = self.log.produced.iter();
            let batches =
                batches.filter(|batch| batch.topic == topic && batch.partition == message.partition);
            let records = batches.flat_map(|batch| &batch.records);
            let size = |text: &Option<String>| text.as_ref().map_or(0, |text| text.len() / 2);
            let bytes = records.map(|it| {
                let headers: usize =
                    it.headers.iter().map(|(name, value)| name.len() / 2 + size(value)).sum();
                size(&it.key) + size(&it.value) + headers + OVERHEAD
            });
            i64::try_from(bytes.sum::<usize>()).unwrap_or(i64::MAX)
        };
        self.old_at(message, self.last_ms + SLACK_MS)
            || self.limit(topic, "retention.bytes").is_some_and(|bytes| behind() >= bytes)
    }

    /// It is older than `retention.ms` at this time.
    fn old_at(&self, message: &Message, at_ms: i64) -> bool {
        let sent_ms = message.time_ms.min(self.log.ms(message.came_us));
        self.limit(&message.topic, "retention.ms").is_some_and(|ms| sent_ms + ms < at_ms)
    }

    fn limit(&self, topic: &str, name: &str) -> Option<i64> {
        self.log.setting(topic, name).parse().ok().filter(|limit| *limit >= 0)
    }

    fn known(&self, topic: &str) -> bool {
        let own = self.file.settings.get(topic);
        let settings = self.log.settings.get(topic);
        let unknown = |name: &String| own.is_none_or(|own| !own.contains(name));
        let made = self.log.created.iter().any(|created| created.topic == topic);
        self.log.describes || !made || !settings.is_some_and(|settings| settings.keys().any(unknown))
    }
}
