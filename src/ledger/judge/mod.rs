//! The judgment of one partition: the class of each acked message, and each anomaly that any observer saw,
//! counted once.
//!
//! It has two steps: `suspects` decides what to re-read, and `judge` uses all passes, including the re-reads.

pub(crate) mod acks;
pub(crate) mod altered;
pub(crate) mod case;
pub(crate) mod class;
pub(crate) mod collisions;
pub(crate) mod records;
pub(crate) mod removals;
pub(crate) mod repeats;
pub(crate) mod rewrites;
pub(crate) mod suspects;

use std::collections::BTreeMap;

use super::account::Account;
use super::evidence::{Evidence, Judgement, Observer, looked_at};
use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq};
use crate::ledger::read::last_looks::LastLooks;
use crate::ledger::read::pass::Pass;
use crate::ledger::read::ranges::Ranges;
use crate::ledger::read::view::StreamView;
use crate::ledger::sent::runs::Run;
use acks::that_hold;
use case::{Judge, PartitionCase, ReaderVerdict, bits};
use class::{Class, Scope};
use collisions::Collisions;
use removals::RemovalReason;
use rewrites::{corrupt_ranges, rewritten};

/// The verdict on a partition.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    /// The anomalies of all observers with evidence. Each message is counted once.
    pub judgement: Judgement,
    /// The same for each reader.
    pub readers: Vec<ReaderVerdict>,
    /// The account of each scenario that sent here.
    pub accounts: BTreeMap<usize, Account>,
    /// Acked end markers that are missing from the log.
    pub lost_markers: u64,
    /// Acked end markers of which kaf6 cannot tell whether they are in the log.
    pub unread_markers: u64,
    /// Verified messages that retention or compaction removed after they were read.
    pub removed_later: u64,
}

pub fn judge(case: &PartitionCase<'_>) -> Judged {
    let (rewritten, conflicts) = rewritten(case);
    let mut judge = Judge {
        case,
        corrupt: corrupt_ranges(case.passes.iter()),
        last_looks: if rewritten.is_empty() { LastLooks::default() } else { LastLooks::of(case.passes) },
        rewritten,
        occupied: case.passes.iter().map(|pass| occupied(case, pass)).collect(),
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
        looked_at: looked_at(case.sent_streams().map(|(.., log)| log.acks().memory()).max().unwrap_or(0)),
        looked: BTreeMap::new(),
        accounts: BTreeMap::new(),
        lost_markers: 0,
        unread_markers: 0,
        collisions: if case.one_log { Collisions::of(that_hold(case)) } else { Collisions::default() },
        removed_later: 0,
    };
    for (id, scenario, log) in case.sent_streams() {
        let view = StreamView::new(id, scenario, log, case.passes);
        judge.stream(&view);
    }
    judge.markers();
    judge.found(&conflicts);
    judge.collided();
    judge.forget_unmeasured();
    Judged {
        judgement: judge.out,
        readers: judge.readers,
        accounts: judge.accounts,
        lost_markers: judge.lost_markers,
        unread_markers: judge.unread_markers,
        removed_later: judge.removed_later,
    }
}

/// The offsets at which a re-read found any record. Retention and compaction leave an offset empty. So if another
/// record is at the offset of an acked message, they did not remove the message. Does not apply to another log.
fn occupied(case: &PartitionCase<'_>, pass: &Pass<'_>) -> Ranges {
    let other_log = !case.one_log || case.earlier.is_some_and(|earlier| earlier.is_other_log);
    match pass.is_recheck() && !other_log && pass.reads.resets() == 0 {
        true => pass.reads.occupied(),
        false => Ranges::default(),
    }
}

impl Judge<'_> {
    fn stream(&mut self, view: &StreamView<'_>) {
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
        self.accounts.entry(view.scenario).or_default().add(&account);
        self.stream_anomalies(view);
        self.overtaken(view);
    }

    fn acked_run(&mut self, view: &StreamView<'_>, run: Run, account: &mut Account) {
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

    /// Counts an acked message in its class, for the partition and for each reader that had to find it.
    fn book(
        &mut self,
        view: &StreamView<'_>,
        class: Class,
        seq: Seq,
        acked: Option<Offset>,
        account: &mut Account,
    ) {
        *class.of(account) += 1;
        self.removed_later += u64::from(class == Class::RemovedLater);
        account.unclear += u64::from(class == Class::Unclear);
        account.dropped += u64::from(class == Class::Dropped);
        if let Some(anomaly) = class.anomaly() {
            self.out.add(anomaly, 1);
            if self.has_room(anomaly, false) {
                let evidence = self.evidence_of(view, class, seq, acked);
                self.show(evidence);
            }
        }
        for at in 0..self.readers.len() {
            let reader = &self.case.passes[self.readers[at].pass];
            // Messages with offsets are counted by run.
            let wanted = acked.is_none() && reader.wants(view.scenario, reader.start);
            self.readers[at].wanted += u64::from(wanted);
            if let Some(anomaly) = self.of_reader(self.readers[at].pass, view, class, seq, acked) {
                self.readers[at].judgement.add(anomaly, 1);
            }
        }
    }

    /// The class of a message for one reader that had to find it. Its own pass decides what it reached. For this part,
    /// fresh clients decide too, but other readers do not.
    fn of_reader(
        &self,
        number: usize,
        view: &StreamView<'_>,
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

    fn unknowns(&self, view: &StreamView<'_>, account: &mut Account) {
        if account.unknown == 0 {
            return;
        }
        let read_to_end = self.case.read_to_end(view.scenario);
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

    /// Judges the acked end markers. An end marker is lost if a fresh client passed and did not find it. It is unread
    /// if another observer missed it and no fresh client read that far. It is also unread if no observer read it, and
    /// the audit ended between the messages and it.
    fn markers(&mut self) {
        let unclear = self.accounts.values().any(|account| account.unclear > 0);
        for marker in self.case.markers {
            let missed = |pass: &&Pass<'_>| pass.passed(marker.offset) && !pass.reads.has_marker(*marker);
            let read = self.case.passes.iter().any(|pass| pass.reads.has_marker(*marker));
            let stuck = |pass: &&Pass<'_>| {
                pass.observer == Observer::Audit && marker.offset >= pass.start && !pass.passed(marker.offset)
            };
            // If messages are unread too, their evidence is sufficient.
            let alone = !read && self.accounts.values().all(|account| account.unread == 0);
            let mut passes = self.case.passes.iter();
            let first = passes.find(missed).or_else(|| self.case.passes.iter().filter(|_| alone).find(stuck));
            let Some(first) = first else { continue };
            let recheck = self.case.passes.iter().find(|pass| pass.is_recheck() && missed(pass));
            let mut fresh = self.case.passes.iter().filter(|pass| pass.observer.is_fresh());
            let found = fresh.any(|pass| pass.reads.has_marker(*marker));
            let gone =
                recheck.filter(|_| !self.holds_other(marker.offset, |at| missed(&&self.case.passes[at])));
            let removed = gone.and_then(|_| self.case.removals.of_marker(*marker));
            let (anomaly, observer, detail) = match recheck {
                // If the same applies to messages, their evidence is sufficient.
                Some(_) if removed == Some(RemovalReason::Unclear) && unclear => continue,
                Some(_) if removed == Some(RemovalReason::Unclear) => {
                    self.unread_markers += 1;
                    let detail = "a re-read did not find it, and it is unknown whether the topic's \
                    settings removed it";
                    (Anomaly::Unread, Observer::Recheck, detail.to_owned())
                }
                Some(_) if removed.is_some() => continue,
                Some(_) => {
                    self.lost_markers += 1;
                    (Anomaly::Lost, Observer::Recheck, "a re-read did not find it".to_owned())
                }
                None if found => continue,
                None => {
                    self.unread_markers += 1;
                    let who = first.observer.words();
                    (
                        Anomaly::Unread,
                        first.observer,
                        if read || missed(&first) {
                            format!("{who} did not find it, and it could not be re-read")
                        } else {
                            format!("{who} did not reach it")
                        },
                    )
                }
            };
            self.out.add(anomaly, 1);
            for ReaderVerdict { judgement, .. } in &mut self.readers {
                judgement.add(anomaly, 1);
            }
            self.show(Evidence {
                offset: Some(marker.offset),
                observer: Some(observer),
                detail: format!("kaf6's own end marker was acknowledged here, but {detail}"),
                ..Evidence::of(anomaly)
            });
        }
    }
}
