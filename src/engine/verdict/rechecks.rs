//! Re-reads: missing messages of a partition are read again before they count as lost, and the topic's
//! settings are requested.

use super::audit::{AuditResult, Reread};
use super::inputs::{PartitionInputs, settle};
use super::judge::{Judging, Missing};
use super::removals::PartitionRemovals;
use super::rules::Rules;
use super::same_topic::Leaders;
use crate::engine::context::outcome::lock;
use crate::ids::{Offset, Partition};
use crate::ledger::{Contents, Marker, Observer, Pass};
use crate::observe::Note;
use crate::plan::Acks;
use crate::units::thousands;

/// The scenarios with `acks: 1` whose partition may have another leader now.
#[derive(Debug, Default)]
pub(crate) struct LeadersAlone {
    pub(crate) scenarios: Vec<usize>,
    /// Whether the partition certainly has another leader. Otherwise this is unknown.
    pub(crate) is_certain: bool,
}

impl Judging<'_> {
    /// Decides which records the topic's settings let the broker remove; `None` if nothing is missing. Settings that a
    /// stopped run has not requested are unknown.
    pub(crate) fn removals<'b>(
        &'b self,
        place: (usize, Partition),
        found: &PartitionInputs<'_>,
        markers: &[Marker],
        passes: &[Pass<'_>],
    ) -> Option<PartitionRemovals<'b>> {
        let case = self.case(place, found, markers, passes);
        if passes.iter().all(|pass| case.suspects(pass).range.is_none()) {
            return None;
        }
        let rules = {
            let mut known = lock(&self.rules);
            match known.get(&place.0) {
                Some(rules) => *rules,
                None if self.context.stop.is_stopped() => Rules::unasked(self.context),
                None => *known.entry(place.0).or_insert(Rules::of(self.context, self.topology, place.0)),
            }
        };
        let logs = found.ids.iter().filter_map(|id| self.found.sent().get(id));
        // This needs memory for each run of records, so it is computed only if sizes matter.
        let earlier = self.context.saved.iter().flat_map(|saved| saved.markers(place.0, place.1));
        let markers: Vec<Marker> = markers.iter().copied().chain(earlier).collect();
        let contents =
            if rules.counts_bytes() { Contents::of(logs, &markers, passes) } else { Contents::default() };
        let rules = (rules, contents);
        Some(PartitionRemovals::of(self.context, self.topology, self.found, &self.topics, place, rules))
    }

    /// The scenarios whose acks a change of leader may have undone: those with `acks: 1`, unless the partition has had
    /// one leader all the time.
    pub(crate) fn leaders_alone(
        &self,
        place: (usize, Partition),
        found: &PartitionInputs<'_>,
        matters: bool,
    ) -> LeadersAlone {
        let by_leader =
            |scenario: &usize| self.context.plan.scenarios[*scenario].work.acks() == Some(Acks::Leader);
        let streams = found.ids.iter().filter_map(|id| self.topology.streams.get(*id));
        let mut out: Vec<usize> = streams.map(|stream| stream.scenario).filter(by_leader).collect();
        out.sort_unstable();
        out.dedup();
        let name = &self.topology.topics[place.0].name;
        if !matters || out.is_empty() {
            return LeadersAlone::default();
        }
        match self.topics.leaders(name, place.1) {
            Leaders::One => LeadersAlone::default(),
            leaders => LeadersAlone { scenarios: out, is_certain: leaders == Leaders::Several },
        }
    }

    /// Re-reads the offsets at which a pass did not find an acked message.
    pub(crate) fn recheck(
        &self,
        place: (usize, Partition),
        found: &PartitionInputs<'_>,
        missing: &Missing<'_>,
        passes: &[Pass<'_>],
    ) -> Vec<AuditResult> {
        let Missing { acked, mark, markers, removals, gone } = *missing;
        let case = self.case(place, found, markers, passes);
        // In a compacted log, a later record explains why an earlier one was removed. It may be after the end markers,
        // because kaf6 does not wait for every producer.
        let compacted = removals.filter(|removals| removals.rules.compacts());
        let last_marker = markers.iter().map(|marker| marker.offset).max();
        let mut out = Vec::new();
        for pass in passes {
            let suspects = case.suspects(pass);
            let Some((from, to)) = suspects.range else { continue };
            let client = match pass.observer {
                Observer::Reader(scenario) => self.context.client_of(scenario),
                Observer::Audit | Observer::Recheck => self.context.client.clone(),
            };
            let (deadline, until) =
                (&self.deadline, self.deadline.within(self.context.client.waits().recheck));
            let to = compacted.map_or(to, |removals| {
                let end = removals.start_and_end(&client, until).map(|(_, end)| end - 1);
                to.max(last_marker.max(end).unwrap_or(to))
            });
            let mark = mark.filter(|mark| mark.ends_reading(to, acked));
            let reread = Reread { client: &client, place, from, to, mark, until, deadline, what: "re-read" };
            let mut again = if gone {
                reread.gone(self.context)
            } else {
                self.read(&reread, |key, offset| {
                    if let Some(removals) = compacted {
                        removals.keys.borrow_mut().see(key, offset);
                    }
                })
            };
            if !again.passed && !again.gone {
                let name = &self.topology.topics[place.0].name;
                self.context.notes.add(Note::warning(format!(
                    "partition {} of `{name}`: {} did not find {} acked messages at their offsets, \
                    and re-reading offsets {from} to {to} failed ({}); messages that no reader found \
                    count as unread",
                    place.1,
                    pass.observer.words(),
                    thousands(suspects.count),
                    again.why
                )));
            }
            if again.why.is_empty() && removals.is_some_and(|removals| removals.is_other_log) {
                again.why = "the topic was recreated since the run".to_owned();
            }
            again.whole = suspects.anywhere && again.passed;
            if let Some(removals) = compacted.filter(|_| again.passed || again.gone) {
                removals.keys.borrow_mut().see_all(from);
            }
            out.push(again);
        }
        out
    }

    pub(crate) fn read(&self, reread: &Reread<'_>, on_key: impl FnMut(&[u8], Offset)) -> AuditResult {
        let mut found = reread.read(self.context, self.topology, on_key);
        settle(self.topology, self.found, &mut found.reads, self.times);
        found
    }
}
