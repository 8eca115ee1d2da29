//! The verdict on one partition: each acked message in one class, and each anomaly that any observer saw, once.
//!
//! Two steps: `suspects` says what is to be read again, `judge` decides by what all passes found, those of re-reads too.

use std::collections::{BTreeMap, HashMap};

use super::account::Account;
use super::class::{Class, Scope};
use super::evidence::{Counts, EVIDENCE, Evidence, Judgement, Observer};
use super::pass::Pass;
use super::rewrites::{Ranges, corrupt_ranges, rewritten};
use super::runs::Run;
use super::sent::SentLog;
use super::streams::Streams;
use super::view::View;
use crate::anomaly::Anomaly;
use crate::ids::{Offset, Partition, Seq, StreamId};

/// An end marker that the broker acked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    /// Unique in the run.
    pub number: u64,
    /// Where it was acked.
    pub offset: Offset,
}

/// One partition, with all that is known of it.
#[derive(Debug)]
pub struct Case<'a> {
    /// All streams of the run.
    pub streams: &'a Streams,
    /// What each sent.
    pub sent: &'a HashMap<StreamId, SentLog>,
    /// The topic's number in the run, and the partition.
    pub place: (usize, Partition),
    /// The streams of this partition.
    pub ids: &'a [StreamId],
    /// What each observer found.
    pub passes: &'a [Pass<'a>],
    /// Scenarios that say `verify: false`.
    pub excluded: &'a [usize],
    /// The end markers that were acked here.
    pub markers: &'a [Marker],
    /// The end of the log as the broker reported it once all was written; only of a log that was never reset.
    pub reported_end: Option<Offset>,
}

/// What one reader's pass comes to, as counts: what it saw itself, and what fresh clients saw in its scope.
#[derive(Debug, Clone, Default)]
pub struct ReaderVerdict {
    /// The number of its pass.
    pub pass: usize,
    /// Counts alone, without evidence.
    pub judgement: Judgement,
    /// Acked messages that it was to find.
    pub wanted: u64,
}

/// What a partition comes to.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    /// Anomalies that any observer saw, each message once, with evidence.
    pub judgement: Judgement,
    /// The same for each reader alone.
    pub readers: Vec<ReaderVerdict>,
    /// The account of each scenario that sent here.
    pub accounts: BTreeMap<usize, Account>,
    /// Acked end markers that are not in the log.
    pub lost_markers: u64,
}

/// Judges a partition.
pub fn judge(case: &Case<'_>) -> Judged {
    let (rewritten, conflicts) = rewritten(case);
    let mut judge = Judge {
        case,
        corrupt: corrupt_ranges(case.passes.iter()),
        rewritten,
        readers: case
            .passes
            .iter()
            .enumerate()
            .filter_map(|(at, pass)| match pass.observer {
                Observer::Reader(_) => {
                    Some(ReaderVerdict { pass: at, judgement: Judgement::measured(), wanted: 0 })
                }
                Observer::Audit | Observer::Recheck => None,
            })
            .collect(),
        out: Judgement::measured(),
        accounts: BTreeMap::new(),
        lost_markers: 0,
    };
    for (id, scenario, log) in case.sent_streams() {
        let view = View::new(id, scenario, log, case.passes);
        judge.stream(&view);
    }
    judge.markers();
    judge.found(&conflicts);
    Judged {
        judgement: judge.out,
        readers: judge.readers,
        accounts: judge.accounts,
        lost_markers: judge.lost_markers,
    }
}

/// A judgement in the making.
pub(super) struct Judge<'a> {
    pub(super) case: &'a Case<'a>,
    pub(super) corrupt: Ranges,
    pub(super) rewritten: Ranges,
    pub(super) readers: Vec<ReaderVerdict>,
    pub(super) out: Judgement,
    accounts: BTreeMap<usize, Account>,
    lost_markers: u64,
}

impl Judge<'_> {
    fn stream(&mut self, view: &View<'_>) {
        let mut account = Account {
            sent: view.log.sent(),
            acked: view.log.acked_total(),
            failed: view.log.failures().len(),
            unknown: view.log.unknowns(),
            ..Account::default()
        };
        if self.case.excluded.contains(&view.scenario) {
            account.excluded = account.acked;
        } else {
            for run in view.log.acks().runs() {
                self.acked_run(view, run, &mut account);
            }
            for run in view.log.placeless().runs() {
                for seq in run.seq..run.end() {
                    let class = self.placeless(view, seq, Scope::Partition);
                    self.book(view, class, seq, None, &mut account);
                }
            }
        }
        self.unknowns(view, &mut account);
        self.accounts.entry(view.scenario).or_default().add_sent(&account);
        self.stream_anomalies(view);
    }

    fn acked_run(&mut self, view: &View<'_>, run: Run, account: &mut Account) {
        let offsets = run.offset..run.offset_of(run.end());
        for reader in &mut self.readers {
            let pass = &self.case.passes[reader.pass];
            if pass.wants(view.scenario, run.offset_of(run.end() - 1)) {
                reader.wanted += run.len - run.len.min(u64::try_from(pass.start - run.offset).unwrap_or(0));
            }
        }
        if !self.corrupt.meets(&offsets) && !self.rewritten.meets(&offsets) && view.all_verified(run) {
            account.verified += run.len;
            return;
        }
        for seq in run.seq..run.end() {
            let offset = run.offset_of(seq);
            let class = self.class(view, seq, offset, Scope::Partition);
            self.book(view, class, seq, Some(offset), account);
        }
    }

    /// Counts an acked message in its class, for the partition and for each reader that was to find it.
    fn book(
        &mut self,
        view: &View<'_>,
        class: Class,
        seq: Seq,
        acked: Option<Offset>,
        account: &mut Account,
    ) {
        *class.of(account) += 1;
        if let Some(anomaly) = class.anomaly() {
            self.out.add(anomaly, 1);
            if self.out.has_room(anomaly, false) {
                let evidence = self.evidence_of(view, class, seq, acked);
                self.show(evidence);
            }
        }
        for at in 0..self.readers.len() {
            let reader = &self.case.passes[self.readers[at].pass];
            // Those with offsets are counted by run.
            let wanted = acked.is_none() && reader.wants(view.scenario, reader.start);
            self.readers[at].wanted += u64::from(wanted);
            if let Some(anomaly) = self.of_reader(self.readers[at].pass, view, class, seq, acked) {
                self.readers[at].judgement.add(anomaly, 1);
            }
        }
    }

    /// What a message is in the eyes of one reader that was to find it: what it did not reach is its own; of what it reached,
    /// fresh clients may know more, and other readers do not.
    fn of_reader(
        &self,
        number: usize,
        view: &View<'_>,
        class: Class,
        seq: Seq,
        acked: Option<Offset>,
    ) -> Option<Anomaly> {
        let reader = &self.case.passes[number];
        let place = acked.unwrap_or(reader.start);
        if !reader.wants(view.scenario, place) {
            return None;
        }
        let reached = view.seen(number, seq) || acked.map_or(reader.to_end, |place| reader.passed(place));
        if !reached {
            let unreadable = reader.unreadable.is_some_and(|from| from <= place);
            return if unreadable {
                Some(Anomaly::Unreadable)
            } else {
                reader.full.then_some(Anomaly::Unread)
            };
        }
        if self.readers.len() == 1 {
            return class.anomaly();
        }
        let scope = Scope::Reader(number);
        let own = match acked {
            Some(offset) => self.class(view, seq, offset, scope),
            None => self.placeless(view, seq, scope),
        };
        own.anomaly()
    }

    fn unknowns(&self, view: &View<'_>, account: &mut Account) {
        if account.unknown == 0 {
            return;
        }
        let read_to_end = self.case.passes.iter().any(|pass| pass.to_end && pass.start == 0);
        let (acked, placeless) = (bits(view.log.acks()), bits(view.log.placeless()));
        let failed = bits(view.log.failures());
        for seq in 0..view.log.sent() {
            if acked.contains(seq) || placeless.contains(seq) || failed.contains(seq) {
                continue;
            }
            if view.seen_by_any(seq) {
                account.found += 1;
            } else if read_to_end {
                account.absent += 1;
            } else {
                account.unchecked += 1;
            }
        }
    }

    /// The acked end markers: one that a fresh client reads past without finding it is lost.
    fn markers(&mut self) {
        for marker in self.case.markers {
            let mut rechecks = self.case.passes.iter().filter(|pass| pass.is_recheck());
            if !rechecks.any(|pass| pass.passed(marker.offset) && !pass.reads.has_marker(*marker)) {
                continue;
            }
            self.lost_markers += 1;
            self.out.add(Anomaly::Lost, 1);
            for ReaderVerdict { judgement, .. } in &mut self.readers {
                judgement.add(Anomaly::Lost, 1);
            }
            self.show(Evidence {
                offset: Some(marker.offset),
                observer: Some(Observer::Recheck),
                detail: "kaf6's own end marker was acknowledged here, and a re-read did not find it"
                    .to_owned(),
                ..Evidence::of(Anomaly::Lost)
            });
        }
    }

    /// Adds evidence while there is room.
    pub(super) fn show(&mut self, mut piece: Evidence) {
        (piece.topic, piece.partition) = self.case.place;
        let sent = |(id, seq): (StreamId, Seq)| self.case.sent.get(&id)?.when_acked(seq);
        piece.acked_us = piece.message.and_then(sent);
        self.out.show(piece);
    }
}

impl Judgement {
    /// All anomalies that are measured in each partition, none found yet.
    fn measured() -> Self {
        let counts = Anomaly::ALL
            .into_iter()
            .filter(|anomaly| !matches!(anomaly, Anomaly::Rewritten | Anomaly::WatermarkLie))
            .map(|anomaly| (anomaly, Counts::default()))
            .collect();
        Self { counts, evidence: Vec::new() }
    }

    /// Counts some that nothing explains.
    pub(super) fn add(&mut self, anomaly: Anomaly, count: u64) {
        self.counts.entry(anomaly).or_default().count += count;
    }

    /// There is room for a piece of evidence: unexplained ones push explained ones out.
    pub(super) fn has_room(&self, anomaly: Anomaly, explained: bool) -> bool {
        let kept = self.evidence.iter().filter(|e| e.anomaly == anomaly);
        kept.clone().count() < EVIDENCE || (!explained && kept.into_iter().any(|e| e.explained))
    }

    /// Keeps a piece of evidence where there is room for it.
    fn show(&mut self, piece: Evidence) {
        if !self.has_room(piece.anomaly, piece.explained) {
            return;
        }
        let kept = self.evidence.iter().filter(|e| e.anomaly == piece.anomaly).count();
        let explained = self.evidence.iter_mut().find(|e| e.anomaly == piece.anomaly && e.explained);
        match explained {
            Some(explained) if kept >= EVIDENCE => *explained = piece,
            _ => self.evidence.push(piece),
        }
    }
}

/// The sequences of a log as a set.
pub(super) fn bits(log: &super::runs::RunLog) -> super::runs::Bits {
    log.runs().collect()
}
