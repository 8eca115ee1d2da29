//! Determines the class of one acked message by the precedence of the account, and writes its evidence.

use super::case::Judge;
use super::removals::RemovalReason;
use crate::anomaly::Anomaly;
use crate::ids::{Offset, Seq};
use crate::ledger::account::Account;
use crate::ledger::evidence::{Evidence, Observer};
use crate::ledger::read::view::{StreamView, offset_in};
use crate::ledger::sent::marks::Between;

/// The class of an acked message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Corrupt,
    /// This pass found it only at other offsets.
    Misplaced(usize),
    Rewritten,
    /// This re-read did not find it.
    Lost(usize),
    Unreadable(usize),
    /// This pass did not find it, but a fresh client did: the audit or a re-read.
    Skipped(usize),
    /// This pass did not reach it.
    Unread(usize),
    /// This pass did not find it at its offset, and it was not re-read.
    NotRechecked(usize),
    /// Compaction removed it before it was read.
    Superseded,
    /// Retention removed it before it was read.
    Expired,
    /// It is unknown whether retention or compaction removed it, read or not.
    Unclear,
    /// Only its leader had it, and the partition may have another leader now.
    Dropped,
    Unassigned,
    Verified,
    /// Read, and later removed by retention or compaction.
    RemovedLater,
}

/// The passes that determine a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Partition,
    /// The pass of one reader, and those of fresh clients.
    Reader(usize),
}

impl Scope {
    fn holds(self, pass: usize, observer: Observer) -> bool {
        match self {
            Self::Partition => true,
            Self::Reader(reader) => pass == reader || observer.is_fresh(),
        }
    }
}

impl Class {
    /// Its counter in an account.
    pub(crate) const fn of(self, account: &mut Account) -> &mut u64 {
        match self {
            Self::Corrupt => &mut account.corrupt,
            Self::Misplaced(_) => &mut account.misplaced,
            Self::Rewritten => &mut account.rewritten,
            Self::Lost(_) => &mut account.lost,
            Self::Unreadable(_) => &mut account.unreadable,
            Self::Skipped(_) => &mut account.skipped,
            Self::Superseded => &mut account.superseded,
            Self::Expired | Self::Unclear => &mut account.expired,
            Self::Unread(_) | Self::NotRechecked(_) | Self::Dropped => &mut account.unread,
            Self::Unassigned => &mut account.unassigned,
            Self::Verified | Self::RemovedLater => &mut account.verified,
        }
    }

    /// The anomaly that counts this class per message. Corrupt and rewritten ones are counted per record.
    pub(crate) const fn anomaly(self) -> Option<Anomaly> {
        match self {
            Self::Misplaced(_) => Some(Anomaly::Misplaced),
            Self::Lost(_) => Some(Anomaly::Lost),
            Self::Unreadable(_) => Some(Anomaly::Unreadable),
            Self::Skipped(_) => Some(Anomaly::Skipped),
            Self::Unread(_) | Self::NotRechecked(_) | Self::Dropped => Some(Anomaly::Unread),
            Self::Corrupt
            | Self::Rewritten
            | Self::Superseded
            | Self::Expired
            | Self::Unclear
            | Self::Unassigned
            | Self::Verified
            | Self::RemovedLater => None,
        }
    }
}

impl From<RemovalReason> for Class {
    fn from(removed: RemovalReason) -> Self {
        match removed {
            RemovalReason::Superseded => Self::Superseded,
            RemovalReason::Expired => Self::Expired,
            RemovalReason::Unclear => Self::Unclear,
        }
    }
}

impl Judge<'_> {
    /// The class of a message that was acked at an offset, according to these passes: the first one that matches.
    pub(crate) fn class(&self, view: &StreamView<'_>, seq: Seq, acked: Offset, scope: Scope) -> Class {
        let passes = self.case.passes;
        let within = |at: &usize| scope.holds(*at, passes[*at].observer);
        let all = || (0..passes.len()).filter(within);
        let wanting = || view.wanting(acked).filter(|(at, _)| within(at));
        let verified = all().any(|at| view.there(at, seq));
        if self.corrupt.contains(acked) {
            return Class::Corrupt;
        }
        // The last fresh client decides whether the message exists, because another observer may have read only its
        // second copy.
        let last = all().rev().find(|at| passes[*at].observer.is_fresh() && passes[*at].passed(acked));
        let lies_there = last.is_some_and(|at| view.there(at, seq));
        if !lies_there && let Some(pass) = all().find(|pass| view.misplaced_in(*pass, seq, acked)) {
            // A retry may have written it twice, and the topic's settings may explain the removal of the acked copy.
            let twice = offset_in(view.log.maybe_twice(), seq).is_some();
            let gone = twice && !self.holds_other(acked, |at| !view.there(at, seq));
            let removed = self.case.removals.of_message(view.id, seq, Some(acked)).filter(|_| gone);
            return removed.map_or(Class::Misplaced(pass), Class::from);
        }
        if verified && self.rewritten.contains(acked) {
            // An observer that read another record there read it before this message was written. It saw no gap, so the
            // message is not skipped. The earlier message at this offset is rewritten.
            let now = self.last_looks.held((view.id, seq), acked);
            return match now {
                true => Class::Verified,
                false if self.case.leaders_alone.contains(&view.scenario) => Class::Dropped,
                false => Class::Rewritten,
            };
        }
        // A message that was removed after it was read keeps its class, because a reader may have skipped it before the
        // removal.
        let mut removed = None;
        let mut rechecks = passes.iter().enumerate().filter(|(_, pass)| pass.is_recheck());
        if let Some((pass, _)) = rechecks.find(|(at, pass)| pass.passed(acked) && !view.seen(*at, seq)) {
            match self.gone(view, seq, Some(acked), verified, pass) {
                class @ (Class::RemovedLater | Class::Unclear) if verified => removed = Some(class),
                class => return class,
            }
        }
        let unreadable =
            |(_, pass): &(usize, &crate::ledger::Pass<'_>)| pass.unreadable.is_some_and(|from| from <= acked);
        if !verified && let Some((pass, _)) = wanting().find(unreadable) {
            return Class::Unreadable(pass);
        }
        let fresh = |at: usize| passes[at].observer.is_fresh() && view.there(at, seq);
        let still_there = |at: usize| removed.is_none() || all().any(|later| later > at && fresh(later));
        let without = |(at, pass): &(usize, &crate::ledger::Pass<'_>)| {
            pass.passed(acked) && !view.there(*at, seq) && still_there(*at)
        };
        if let Some((pass, _)) = wanting().find(without) {
            return if all().any(fresh) { Class::Skipped(pass) } else { Class::NotRechecked(pass) };
        }
        if removed == Some(Class::Unclear) {
            return Class::Unclear;
        }
        let unreached = |(at, pass): &(usize, &crate::ledger::Pass<'_>)| {
            pass.full && !pass.passed(acked) && !view.there(*at, seq)
        };
        if let Some((pass, _)) = wanting().find(unreached) {
            return Class::Unread(pass);
        }
        match verified {
            true => removed.unwrap_or(Class::Verified),
            false => Class::Unassigned,
        }
    }

    /// The class of a message that was acked without an offset: verified if it was found. `no_duplicates` judges
    /// further copies, because a retry may explain them.
    pub(crate) fn placeless(&self, view: &StreamView<'_>, seq: Seq, scope: Scope) -> Class {
        let passes = self.case.passes;
        let all = || (0..passes.len()).filter(|at| scope.holds(*at, passes[*at].observer));
        // The message may be anywhere, so an observer must have started at the log start.
        let whole = |pass: &crate::ledger::Pass<'_>| pass.to_end && pass.wants(view.scenario, 0);
        let absent = |at: usize| whole(&passes[at]) && !view.seen(at, seq);
        let found = all().any(|at| view.seen(at, seq));
        // Its place is the offset at which it was read.
        let place = (0..passes.len()).find_map(|at| view.first_copy(at, seq));
        if place.is_some_and(|place| self.corrupt.contains(place)) {
            return Class::Corrupt;
        }
        let mut removed = None;
        if let Some(pass) = all().find(|at| passes[*at].is_recheck() && absent(*at)) {
            match self.gone(view, seq, place, found, pass) {
                class @ (Class::RemovedLater | Class::Unclear) if found => removed = Some(class),
                class => return class,
            }
        }
        let again = |at: usize| passes[at].observer.is_fresh() && view.seen(at, seq);
        let still_there = |at: usize| removed.is_none() || all().any(|later| later > at && again(later));
        if let Some(pass) = all().find(|at| absent(*at) && still_there(*at)) {
            return if all().any(again) { Class::Skipped(pass) } else { Class::NotRechecked(pass) };
        }
        if removed == Some(Class::Unclear) {
            return Class::Unclear;
        }
        let unreached = |at: &usize| {
            let pass = &passes[*at];
            pass.full && !pass.to_end && !view.seen(*at, seq) && pass.wants(view.scenario, 0)
        };
        if let Some(pass) = all().find(unreached) {
            return match passes[pass].unreadable {
                Some(_) if !found => Class::Unreadable(pass),
                _ => Class::Unread(pass),
            };
        }
        match found {
            true => removed.unwrap_or(Class::Verified),
            false => Class::Unassigned,
        }
    }

    /// The class of a message that this re-read did not find.
    fn gone(&self, view: &StreamView<'_>, seq: Seq, place: Option<Offset>, read: bool, pass: usize) -> Class {
        let other = place.is_some_and(|place| self.holds_other(place, |at| !view.seen(at, seq)));
        match self.case.removals.of_message(view.id, seq, place).filter(|_| !other) {
            Some(RemovalReason::Unclear) => Class::Unclear,
            Some(_) if read => Class::RemovedLater,
            Some(removed) => removed.into(),
            None if self.case.leaders_alone.contains(&view.scenario) => Class::Dropped,
            None => Class::Lost(pass),
        }
    }

    /// Whether a re-read that missed the message acked at this offset found another record there. Then neither
    /// retention nor compaction removed the message.
    pub(crate) fn holds_other(&self, offset: Offset, missed: impl Fn(usize) -> bool) -> bool {
        let mut rereads = self.occupied.iter().enumerate();
        rereads.any(|(at, occupied)| occupied.contains(offset) && missed(at))
    }

    /// The evidence for a message that is not verified.
    pub(crate) fn evidence_of(
        &self,
        view: &StreamView<'_>,
        class: Class,
        seq: Seq,
        acked: Option<Offset>,
    ) -> Evidence {
        let passes = self.case.passes;
        let read_before =
            |pass: usize| (0..passes.len()).filter(move |at| *at != pass).find(|at| view.seen(*at, seq));
        let (pass, detail) = match class {
            Class::Lost(pass) => {
                let before = read_before(pass).map_or_else(
                    || "no reader read it, and a re-read by a fresh client did not find it".to_owned(),
                    |at| {
                        format!(
                            "{} read it, but a re-read by a fresh client no longer found it",
                            passes[at].observer.words()
                        )
                    },
                );
                let why = &passes[pass].why;
                let before = if why.is_empty() { before } else { format!("{before} ({why})") };
                (pass, format!("{before}; {}", self.neighbours(view, pass, seq)))
            }
            Class::Skipped(pass) => (
                pass,
                format!(
                    "{} passed its offset without reading it, but a fresh client found it; {}",
                    passes[pass].observer.words(),
                    self.neighbours(view, pass, seq)
                ),
            ),
            Class::NotRechecked(pass) => (
                pass,
                format!(
                    "{} passed its offset without reading it, and it could not be re-read",
                    passes[pass].observer.words()
                ),
            ),
            Class::Unreadable(pass) => {
                (pass, format!("the broker returned no record from this offset on: {}", passes[pass].why))
            }
            Class::Unread(pass) => {
                let why = if passes[pass].why.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", passes[pass].why)
                };
                (pass, format!("{} did not reach this offset{why}", passes[pass].observer.words()))
            }
            Class::Misplaced(pass) => {
                let acked = acked.map_or_else(|| "an unknown offset".to_owned(), |at| format!("offset {at}"));
                (pass, format!("acknowledged at {acked}"))
            }
            Class::Dropped => {
                let leader = match self.case.leader_changed {
                    true => "the partition's leader has changed",
                    false => "it is unknown whether the partition's leader has changed",
                };
                (usize::MAX, format!("only the leader acknowledged it (`acks: 1`), and {leader}"))
            }
            Class::Corrupt
            | Class::Rewritten
            | Class::Superseded
            | Class::Expired
            | Class::Unclear
            | Class::Unassigned
            | Class::Verified
            | Class::RemovedLater => (0, String::new()),
        };
        let mut detail = detail;
        let found = matches!(class, Class::Misplaced(_)).then(|| view.first_copy(pass, seq)).flatten();
        if matches!(class, Class::Lost(_) | Class::Skipped(_) | Class::NotRechecked(_))
            && let Some(offset) = acked
        {
            let others = [self.stranger_at(offset), self.other_at(offset, (view.id, seq))];
            for other in others.into_iter().flatten() {
                detail = format!("{detail}; {other}");
            }
        }
        Evidence {
            observer: passes.get(pass).map(|pass| pass.observer),
            offset: found.or(acked),
            other_offset: found.and(acked),
            message: Some((view.id, seq)),
            read_us: matches!(class, Class::Lost(_)).then(|| self.when_read(view, pass, seq)).flatten(),
            detail,
            ..Evidence::of(class.anomaly().unwrap_or(Anomaly::Lost))
        }
    }

    /// The interval in which another pass read the first copy of a message.
    fn when_read(&self, view: &StreamView<'_>, but: usize, seq: Seq) -> Option<Between> {
        let mut others = self.case.passes.iter().enumerate().filter(|(at, _)| *at != but);
        others.find_map(|(at, pass)| pass.reads.when_read(view.first_copy(at, seq)?))
    }

    /// The foreign record at an offset where a message was acked.
    fn stranger_at(&self, offset: Offset) -> Option<String> {
        let pass = self.case.passes.iter().find_map(|pass| pass.reads.stranger_at(offset))?;
        let begins =
            pass.hex().map_or_else(String::new, |hex| format!(", with a value that begins with {hex}"));
        Some(format!("its offset has a record that is not from this run{begins}"))
    }

    /// The nearest messages of the same stream that a pass read.
    fn neighbours(&self, view: &StreamView<'_>, pass: usize, seq: Seq) -> String {
        /// Maximum distance of the search, because a whole log may be lost.
        const NEAR: u64 = 10_000;
        // A re-read examines only a few offsets, so use the pass of a reader or of the audit.
        let is_full = |at: &usize| !self.case.passes[*at].is_recheck();
        let pass =
            if is_full(&pass) { pass } else { (0..self.case.passes.len()).find(is_full).unwrap_or(pass) };
        if self.case.passes[pass].reads.of(view.id).next().is_none() {
            return "no message of this client was read in this partition".to_owned();
        }
        let before = (seq.saturating_sub(NEAR)..seq).rev().find(|s| view.seen(pass, *s));
        let after = (seq + 1..view.log.sent().min(seq.saturating_add(NEAR))).find(|s| view.seen(pass, *s));
        match (before, after) {
            (Some(b), Some(a)) => format!("message {b} before it and message {a} after it were read"),
            (Some(b), None) => format!("message {b} before it was read, none after it"),
            (None, Some(a)) => format!("message {a} after it was read, none before it"),
            (None, None) => "no message near it was read".to_owned(),
        }
    }
}

impl Observer {
    /// Whether it read the log after all scenarios had ended.
    pub(crate) const fn is_fresh(self) -> bool {
        matches!(self, Self::Audit | Self::Recheck)
    }
}
