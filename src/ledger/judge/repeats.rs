//! Duplicates and reorderings of all passes, each message once, and how many of them retries explain.
//!
//! librdkafka reports how many messages of which partition were requeued, but not which. `SentLog` has the messages
//! that may have been resent, and no more of them are explained than were requeued.

use std::collections::BTreeMap;

use super::case::{Judge, ReaderVerdict, bits};
use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq};
use crate::ledger::evidence::{Evidence, Observer};
use crate::ledger::read::pass::Pass;
use crate::ledger::read::view::{StreamView, offsets_in};
use crate::ledger::sent::{Bound, Retry};
use crate::units::thousands;

/// A repeat or a reordering of one message, as seen by one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SeenRepeat {
    offset: Offset,
    /// For a repeat, the offset of the first copy. For a reordering, the sequence of the message before it.
    beside: Option<i64>,
    observer: Observer,
    at_us: Option<u64>,
}

type FoundBySequence = BTreeMap<Seq, SeenRepeat>;

/// How a message is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RepeatVerdict {
    Explained,
    /// It may have been resent. Log lines of the client were lost, so the number of resent messages is unknown.
    Undecided,
    Unexplained,
}

impl Judge<'_> {
    /// Counts reorderings and copies of the messages of one stream.
    pub(crate) fn stream_anomalies(&mut self, view: &StreamView<'_>) {
        self.phantoms(view);
        for anomaly in [Anomaly::Duplicate, Anomaly::Reordered] {
            let passes = self.case.passes;
            let by_pass: Vec<FoundBySequence> =
                passes.iter().map(|pass| found(pass, view, anomaly)).collect();
            let mut all = FoundBySequence::new();
            for found in &by_pass {
                for (seq, seen) in found {
                    all.entry(*seq).or_insert(*seen);
                }
            }
            if all.is_empty() {
                continue;
            }
            let verdicts = self.verdicts(view, anomaly, &all);
            for (seq, seen) in &all {
                let verdict = verdicts.get(seq).copied().unwrap_or(RepeatVerdict::Unexplained);
                count(self.out.counts.entry(anomaly).or_default(), verdict);
                if self.has_room(anomaly, verdict == RepeatVerdict::Explained) {
                    let evidence = repeat_evidence(view, anomaly, *seq, seen, verdict);
                    self.show(evidence);
                }
            }
            for ReaderVerdict { pass, judgement, .. } in &mut self.readers {
                let counts = judgement.counts.entry(anomaly).or_default();
                for (seq, verdict) in &verdicts {
                    let fresh = passes
                        .iter()
                        .zip(&by_pass)
                        .any(|(other, found)| other.observer.is_fresh() && found.contains_key(seq));
                    if fresh || by_pass[*pass].contains_key(seq) {
                        count(counts, *verdict);
                    }
                }
            }
        }
    }

    /// Counts messages that were read although their sending certainly failed.
    fn phantoms(&mut self, view: &StreamView<'_>) {
        for run in view.log.failures().runs() {
            for seq in run.seq..run.end() {
                let Some(pass) = (0..self.case.passes.len()).find(|pass| view.seen(*pass, seq)) else {
                    continue;
                };
                self.out.add(Anomaly::Phantom, 1);
                for ReaderVerdict { pass: reader, judgement, .. } in &mut self.readers {
                    let saw = |at: usize| at == *reader || self.case.passes[at].observer.is_fresh();
                    if (0..self.case.passes.len()).any(|at| saw(at) && view.seen(at, seq)) {
                        judgement.add(Anomaly::Phantom, 1);
                    }
                }
                self.show(Evidence {
                    observer: Some(self.case.passes[pass].observer),
                    offset: view.first_copy(pass, seq),
                    message: Some((view.id, seq)),
                    detail: "its send failed with an error that rules out a write, but it was read"
                        .to_owned(),
                    ..Evidence::of(Anomaly::Phantom)
                });
            }
        }
    }

    fn verdicts(
        &self,
        view: &StreamView<'_>,
        anomaly: Anomaly,
        all: &FoundBySequence,
    ) -> BTreeMap<Seq, RepeatVerdict> {
        let (may_be, bound) = if anomaly == Anomaly::Duplicate {
            (bits(view.log.maybe_twice()), view.log.repeats())
        } else {
            (bits(view.log.maybe_out_of_order()), view.log.reorders())
        };
        let eligible: Vec<Seq> = all.keys().copied().filter(|seq| may_be.contains(*seq)).collect();
        let free = |seq: &Seq| anomaly == Anomaly::Reordered && view.is_unknown(*seq);
        let (free, bounded): (Vec<Seq>, Vec<Seq>) = eligible.into_iter().partition(free);
        let explained = within(&bounded, &bound);
        let verdict = |seq: Seq| {
            if free.binary_search(&seq).is_ok() || explained.binary_search(&seq).is_ok() {
                RepeatVerdict::Explained
            } else if bound.lines_lost && may_be.contains(seq) {
                RepeatVerdict::Undecided
            } else {
                RepeatVerdict::Unexplained
            }
        };
        all.keys().map(|seq| (*seq, verdict(*seq))).collect()
    }
}

/// Of these sorted messages, those that the bound explains. The repeats of one batch are consecutive in sequence. So
/// the number of explained runs, longest first, is at most the number of requeued batches, and the number of explained
/// messages is at most that of requeued messages.
fn within(eligible: &[Seq], bound: &Bound) -> Vec<Seq> {
    let mut runs: Vec<&[Seq]> = eligible.chunk_by(|a, b| a + 1 == *b).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    let batches = usize::try_from(bound.batches).unwrap_or(usize::MAX);
    let messages = usize::try_from(bound.messages).unwrap_or(usize::MAX);
    let mut out: Vec<Seq> = runs.into_iter().take(batches).flatten().copied().take(messages).collect();
    out.sort_unstable();
    out
}

fn count(counts: &mut crate::ledger::Counts, verdict: RepeatVerdict) {
    match verdict {
        RepeatVerdict::Explained => counts.explained += 1,
        RepeatVerdict::Undecided => counts.undecided += 1,
        RepeatVerdict::Unexplained => counts.count += 1,
    }
}

/// The repeats or reorderings of a stream in one pass, separately for each epoch.
fn found(pass: &Pass<'_>, view: &StreamView<'_>, anomaly: Anomaly) -> FoundBySequence {
    let mut out = FoundBySequence::new();
    for reads in pass.reads.of(view.id) {
        let log = if anomaly == Anomaly::Duplicate { &reads.repeats } else { &reads.reordered };
        if log.is_empty() {
            continue;
        }
        let firsts = firsts_of(log, &reads.order);
        for run in log.runs() {
            for seq in run.seq..run.end() {
                let offset = run.offset_of(seq);
                let sighting = pass.reads.sighting(anomaly, (view.id, seq), offset);
                let beside = if anomaly == Anomaly::Duplicate {
                    firsts.get(&seq).copied()
                } else {
                    sighting.map(|sighting| sighting.beside)
                };
                // The same record at the same offset was only read twice.
                if anomaly == Anomaly::Duplicate && beside == Some(offset) {
                    continue;
                }
                let at_us = sighting.map(|sighting| sighting.at_us);
                out.entry(seq).or_insert(SeenRepeat { offset, beside, observer: pass.observer, at_us });
            }
        }
    }
    out
}

/// The first copies of the messages of a log.
fn firsts_of(log: &crate::ledger::RunLog, order: &crate::ledger::RunLog) -> BTreeMap<Seq, Offset> {
    let wanted: std::collections::BTreeSet<Seq> = log.runs().flat_map(|run| run.seq..run.end()).collect();
    let mut out = BTreeMap::new();
    for run in order.runs() {
        for seq in wanted.range(run.seq..run.end()) {
            out.entry(*seq).or_insert_with(|| run.offset_of(*seq));
        }
    }
    out
}

fn repeat_evidence(
    view: &StreamView<'_>,
    anomaly: Anomaly,
    seq: Seq,
    seen: &SeenRepeat,
    verdict: RepeatVerdict,
) -> Evidence {
    let log = view.log;
    let behind = seen.beside.map(i64::cast_unsigned).filter(|_| anomaly == Anomaly::Reordered);
    let retry = log.retry_of(seq).filter(|_| verdict != RepeatVerdict::Unexplained);
    let what = match (anomaly, behind) {
        (Anomaly::Reordered, Some(behind)) => Some(format!("follows message {behind}, which was sent later")),
        (Anomaly::Reordered, None) => Some("follows a message that was sent later".to_owned()),
        _ => None,
    };
    let why = match (verdict, retry) {
        (RepeatVerdict::Explained | RepeatVerdict::Undecided, Some(retry)) => Some(retried(retry)),
        (RepeatVerdict::Explained, None) => {
            Some("one attempt to send it got no response and may have been written".to_owned())
        }
        (RepeatVerdict::Undecided, None) => {
            Some("it may have been resent: log lines of the client were lost".to_owned())
        }
        (RepeatVerdict::Unexplained, _) if anomaly == Anomaly::Duplicate => Some(unexplained(view, seq)),
        (RepeatVerdict::Unexplained, _) => None,
    };
    let parts: Vec<String> = what.into_iter().chain(why).collect();
    Evidence {
        observer: Some(seen.observer),
        offset: Some(seen.offset),
        other_offset: seen.beside.filter(|_| anomaly == Anomaly::Duplicate),
        message: Some((view.id, seq)),
        at_us: seen.at_us,
        retry_us: retry.map(|retry| retry.at_us),
        explained: verdict == RepeatVerdict::Explained,
        detail: parts.join("; "),
        ..Evidence::of(anomaly)
    }
}

fn unexplained(view: &StreamView<'_>, seq: Seq) -> String {
    let bound = view.log.repeats();
    if offsets_in(view.log.maybe_twice(), seq).next().is_none() {
        return "the producer sent it once, or resent it only after an attempt that was not written"
            .to_owned();
    }
    format!(
        "more messages are duplicated than the producer resent ({} messages in {} batches)",
        thousands(bound.messages),
        thousands(bound.batches)
    )
}

/// Text about what the producer saw before it resent.
fn retried(retry: &Retry) -> String {
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a run are far below 2^53")]
    let at = retry.at_us as f64 / 1e6;
    let text = retry.text.strip_prefix("Local: ").or(retry.text.strip_prefix("Broker: "));
    let text = text.unwrap_or(&retry.text).replace('`', "'");
    format!("the producer saw `{text}` at {at:.3} s and resent its batch")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_explained_than_went_back() {
        let bound = |messages, batches| Bound { messages, batches, lines_lost: false };
        let repeats: Vec<Seq> = vec![1, 2, 3, 7, 20, 21];
        assert_eq!(within(&repeats, &bound(6, 3)), repeats);
        assert_eq!(within(&repeats, &bound(100, 2)), [1, 2, 3, 20, 21]);
        assert_eq!(within(&repeats, &bound(4, 2)), [1, 2, 3, 20]);
        assert_eq!(within(&repeats, &bound(0, 0)), [0; 0]);
    }
}
