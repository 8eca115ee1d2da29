//! Sends requests about a reader's partition on a separate thread, so that the reader does not wait for the answer.
//!
//! Only one request is pending at a time.

use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::{Duration, Instant};

use crate::ids::{Offset, Partition};
use crate::kafka::probe::{self, FetchProbe, NoFetch};
use crate::kafka::{self, ReadEvent, ReaderOptions, ReaderSet};
use crate::plan::StartOffset;

/// The answer to a request.
#[derive(Debug)]
pub(super) enum ProbeAnswer {
    /// A fetch by the wire probe.
    Look(Result<FetchProbe, NoFetch>),
    Fresh(Fresh),
    /// The topic's partitions in the metadata; `None` if no broker answered.
    Known(Option<Vec<Partition>>),
}

/// The result of a fresh client at a reader's offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fresh {
    /// A record at this offset or later.
    Record,
    /// No record from a reachable broker.
    Nothing,
    /// The broker could not be reached.
    Unreached,
}

#[derive(Default)]
pub(super) struct Prober {
    pending: Option<(Partition, Offset, Receiver<ProbeAnswer>)>,
}

impl Prober {
    pub(super) fn is_free(&self) -> bool {
        self.pending.is_none()
    }

    /// The answer, if it has arrived, with its partition and offset.
    pub(super) fn take(&mut self) -> Option<(Partition, Offset, ProbeAnswer)> {
        let (partition, at, answer) = self.pending.as_ref()?;
        match answer.try_recv() {
            Ok(found) => {
                let found = Some((*partition, *at, found));
                self.pending = None;
                found
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.pending = None;
                None
            }
        }
    }

    /// Fetches at this offset with the wire probe.
    pub(super) fn look(&mut self, client: &kafka::Client, topic: &str, partition: Partition, at: Offset) {
        let wait = client.waits().answer;
        self.ask(client, topic, (partition, at), move |client, topic| {
            ProbeAnswer::Look(probe::probe_fetch(client, topic, partition, at, Instant::now() + wait))
        });
    }

    /// Reads at this offset with a fresh client.
    pub(super) fn fresh(&mut self, client: &kafka::Client, topic: &str, partition: Partition, at: Offset) {
        self.ask(client, topic, (partition, at), move |client, topic| {
            ProbeAnswer::Fresh(fresh(client, topic, partition, at))
        });
    }

    /// Requests the topic's partitions.
    pub(super) fn known(&mut self, client: &kafka::Client, topic: &str) {
        let wait = client.waits().answer;
        self.ask(client, topic, (0, 0), move |client, topic| {
            ProbeAnswer::Known(kafka::client::metadata::known(client, topic, wait))
        });
    }

    fn ask(
        &mut self,
        client: &kafka::Client,
        topic: &str,
        (partition, at): (Partition, Offset),
        question: impl FnOnce(&kafka::Client, &str) -> ProbeAnswer + Send + 'static,
    ) {
        let (found, answer) = mpsc::channel();
        let (client, topic) = (client.clone(), topic.to_owned());
        let spawned = std::thread::Builder::new().name("kaf6-look".into()).spawn(move || {
            // The receiver no longer exists if the reader has ended.
            let _ = found.send(question(&client, &topic));
        });
        if spawned.is_ok() {
            self.pending = Some((partition, at, answer));
        }
    }
}

fn fresh(client: &kafka::Client, topic: &str, partition: Partition, at: Offset) -> Fresh {
    let waits = client.waits();
    let options = ReaderOptions {
        topic: topic.to_owned(),
        partitions: vec![partition],
        start: StartOffset::At(at),
        prefetch_bytes: 1 << 20,
        patient: true,
        open_timeout: waits.reopen,
    };
    let Ok(mut set) = ReaderSet::open(client, &options) else { return Fresh::Unreached };
    let until = Instant::now() + waits.quiet.max(waits.fetch_patient * 3);
    let (mut record, mut unreached) = (false, false);
    while !record && Instant::now() < until {
        if set.wait(until.saturating_duration_since(Instant::now()).min(Duration::from_millis(100))) {
            set.drain(usize::MAX, &mut |event| match event {
                ReadEvent::Record(found) => record |= found.offset >= at,
                ReadEvent::BadBatch { to, .. } => record |= to >= at,
                ReadEvent::Error { code, .. } => unreached |= code.is_local(),
                ReadEvent::Reset { .. } | ReadEvent::Refused { .. } => {}
            });
        }
    }
    match (record, unreached) {
        (true, _) => Fresh::Record,
        (false, true) => Fresh::Unreached,
        (false, false) => Fresh::Nothing,
    }
}
