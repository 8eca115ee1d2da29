//! Relates anomalies to faults by time.
//!
//! The ledger does not know faults, and faults do not know messages. Only this file combines them.

use std::time::Duration;

use crate::anomaly::Anomaly;
use crate::ledger::{Between, Evidence};
use crate::observe::FaultSeen;

/// How long after a fault an anomaly may still be caused by it.
const AFTERMATH: Duration = Duration::from_secs(10);
/// A period shorter than this, in microseconds, is shown as one time.
const ONE: u64 = 150_000;

/// The description of a piece of evidence, and the faults at that time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beside {
    pub(super) detail: String,
    pub(super) faults: Vec<String>,
}

/// Relates a piece of evidence to the faults of its run.
pub(super) fn beside(faults: &[FaultSeen], piece: &Evidence) -> Beside {
    let mut faults: Vec<EffectiveFault<'_>> = faults.iter().filter_map(EffectiveFault::of).collect();
    faults.sort_by_key(|fault| fault.from);
    match piece.anomaly {
        Anomaly::Lost | Anomaly::Rewritten => gone(&faults, piece, "gone"),
        Anomaly::Unreadable => gone(&faults, piece, "unreadable"),
        // These are not caused by an event.
        Anomaly::Unread | Anomaly::Foreign => Beside { detail: piece.words(), faults: Vec::new() },
        _ => happened(&faults, piece),
    }
}

/// A fault that took effect. Times are in microseconds from the start of the run.
struct EffectiveFault<'a> {
    name: &'a str,
    from: u64,
    to: u64,
}

impl<'a> EffectiveFault<'a> {
    fn of(fault: &'a FaultSeen) -> Option<Self> {
        let (from, to) = fault.span.filter(|_| fault.effective)?;
        Some(Self { name: &fault.name, from: micros(from), to: micros(to) })
    }

    fn lasted_at(&self, (from, to): Between) -> bool {
        from <= self.to && to >= self.from
    }

    /// Text such as `during` a fault. For several messages, it says whether all or some of them were acked
    /// then.
    fn during(&self, piece: &Evidence, (from, to): Between) -> String {
        let all = piece.span.more == 0 || (from >= self.from && to <= self.to);
        format!("{} `{}`", if all { "during" } else { "partly during" }, self.name)
    }
}

/// For a message that was in the log and is now missing or unreadable. Every fault that had not ended before
/// may have caused it.
fn gone(faults: &[EffectiveFault<'_>], piece: &Evidence, what: &str) -> Beside {
    let there = piece.read_us.or(piece.acked_us);
    let suspects: Vec<&EffectiveFault<'_>> =
        faults.iter().filter(|fault| there.is_none_or(|(from, _)| fault.to >= from)).collect();
    let mut words = Vec::new();
    if let Some(acked) = piece.acked_us {
        words.push(format!("acked {}", when(acked)));
        if let Some(fault) = faults.iter().find(|fault| fault.lasted_at(acked)) {
            words.push(fault.during(piece, acked));
        }
    }
    words.extend(piece.read_us.map(|read| format!("read {}", when(read))));
    let names: Vec<String> = suspects.iter().map(|fault| format!("`{}`", fault.name)).collect();
    if !names.is_empty() {
        words.push(format!("{what} after {}", names.join(" or ")));
    }
    let faults = suspects.iter().map(|fault| fault.name.to_owned()).collect();
    Beside { detail: join(&words.join(", "), &piece.words(), "; "), faults }
}

/// For an anomaly with a time: that of the retry that explains it, of the message's ack, or else of the read.
fn happened(faults: &[EffectiveFault<'_>], piece: &Evidence) -> Beside {
    let detail = &piece.words();
    let by =
        |fault: &EffectiveFault<'_>, detail: String| Beside { detail, faults: vec![fault.name.to_owned()] };
    let none = || Beside { detail: detail.clone(), faults: Vec::new() };
    let written = piece.retry_us.map(|at| (at, at)).or(piece.acked_us);
    let Some(time) = written else {
        let read = piece.at_us.and_then(|at| faults.iter().find(|fault| fault.lasted_at((at, at))));
        return read.map_or_else(none, |fault| by(fault, format!("{detail}; read during `{}`", fault.name)));
    };
    // The description of a retry already includes its time.
    let (time_told, between) = match piece.retry_us {
        Some(_) => (String::new(), ""),
        None => (format!("; acked {}", when(time)), ","),
    };
    if let Some(fault) = faults.iter().find(|fault| fault.lasted_at(time)) {
        let comma = if between.is_empty() { "," } else { between };
        return by(fault, format!("{detail}{time_told}{comma} {}", fault.during(piece, time)));
    }
    let before = faults.iter().filter(|fault| fault.to <= time.0).max_by_key(|fault| fault.to);
    match before.filter(|fault| time.0 - fault.to <= micros(AFTERMATH)) {
        Some(fault) => {
            let later = seconds(time.0 - fault.to, 2);
            by(fault, format!("{detail}{time_told}, {later} after `{}`", fault.name))
        }
        None => none(),
    }
}

fn join(first: &str, second: &str, between: &str) -> String {
    if first.is_empty() || second.is_empty() {
        return format!("{first}{second}");
    }
    format!("{first}{between}{second}")
}

/// Such as `at 3.2 s`, or `between 3 s and 5.5 s` if the time is not known exactly.
fn when((from, to): Between) -> String {
    if to.saturating_sub(from) <= ONE {
        format!("at {}", seconds(from, 1))
    } else {
        format!("between {} and {}", seconds(from, 1), seconds(to, 1))
    }
}

fn seconds(us: u64, digits: usize) -> String {
    format!("{:.digits$} s", crate::report::format::float(us) / 1e6)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::FaultKind;

    fn fault(name: &str, from: u64, to: u64) -> FaultSeen {
        FaultSeen {
            name: name.to_owned(),
            kind: FaultKind::Restart,
            target: "broker".to_owned(),
            span: Some((Duration::from_millis(from), Duration::from_millis(to))),
            effect: None,
            settled: None,
            effective: true,
            proof: String::new(),
        }
    }

    fn piece(anomaly: Anomaly) -> Evidence {
        Evidence { detail: "so it is".to_owned(), ..Evidence::of(anomaly) }
    }

    fn words(faults: &[FaultSeen], piece: &Evidence) -> String {
        let beside = beside(faults, piece);
        format!("{} {:?}", beside.detail, beside.faults)
    }

    const S: u64 = 1_000_000;

    #[test]
    fn lost_names_each_fault_that_was_not_over_before() {
        let faults = [fault("late", 9000, 9500), fault("bounce", 5000, 7000)];
        let lost = |acked_us, read_us| Evidence { acked_us, read_us, ..piece(Anomaly::Lost) };
        let early = Some((3 * S, 3 * S + 100_000));
        assert_eq!(
            words(&faults[1..], &lost(early, Some((3 * S + 200_000, 3 * S + 300_000)))),
            r#"acked at 3.0 s, read at 3.2 s, gone after `bounce`; so it is ["bounce"]"#
        );
        assert_eq!(
            words(&faults, &lost(Some((5 * S, 6 * S)), None)),
            r#"acked between 5.0 s and 6.0 s, during `bounce`, gone after `bounce` or `late`; so it is ["bounce", "late"]"#
        );
        // It was read after the first fault, so it was still in the log then.
        assert_eq!(
            words(&faults, &lost(early, Some((8 * S, 8 * S)))),
            r#"acked at 3.0 s, read at 8.0 s, gone after `late`; so it is ["late"]"#
        );
        assert_eq!(words(&faults[1..], &lost(None, None)), r#"gone after `bounce`; so it is ["bounce"]"#);
        assert_eq!(words(&[], &lost(early, None)), "acked at 3.0 s; so it is []");
        assert_eq!(words(&faults[1..], &lost(Some((8 * S, 8 * S)), None)), "acked at 8.0 s; so it is []");
    }

    #[test]
    fn others_stand_beside_the_fault_of_their_time() {
        let faults = [fault("bounce", 5000, 7000)];
        let twice =
            |retry_us, acked_us, at_us| Evidence { retry_us, acked_us, at_us, ..piece(Anomaly::Duplicate) };
        assert_eq!(
            words(&faults, &twice(Some(6 * S), None, None)),
            r#"so it is, during `bounce` ["bounce"]"#
        );
        assert_eq!(
            words(&faults, &twice(None, Some((7 * S + 310_000, 7 * S + 400_000)), Some(6 * S))),
            r#"so it is; acked at 7.3 s, 0.31 s after `bounce` ["bounce"]"#
        );
        assert_eq!(words(&faults, &twice(None, Some((3 * S, 3 * S)), None)), "so it is []");
        assert_eq!(words(&faults, &twice(None, Some((18 * S, 18 * S)), None)), "so it is []");
        assert_eq!(
            words(&faults, &twice(None, None, Some(6 * S))),
            r#"so it is; read during `bounce` ["bounce"]"#
        );
        assert_eq!(words(&faults, &twice(None, None, Some(8 * S))), "so it is []");
        assert_eq!(
            words(&faults, &Evidence { at_us: Some(6 * S), ..piece(Anomaly::Foreign) }),
            "so it is []"
        );
    }

    #[test]
    fn a_range_is_beside_a_fault_in_part() {
        let faults = [fault("bounce", 5000, 7000)];
        let lost = |from, to| {
            let mut piece = Evidence { acked_us: Some((from, to)), ..piece(Anomaly::Lost) };
            piece.span.more = 9;
            piece
        };
        assert_eq!(
            words(&faults, &lost(4 * S, 6 * S)),
            r#"acked between 4.0 s and 6.0 s, partly during `bounce`, gone after `bounce`; so it is ["bounce"]"#
        );
        assert_eq!(
            words(&faults, &lost(5 * S, 6 * S)),
            r#"acked between 5.0 s and 6.0 s, during `bounce`, gone after `bounce`; so it is ["bounce"]"#
        );
        let twice = Evidence { anomaly: Anomaly::Duplicate, ..lost(6 * S, 8 * S) };
        assert_eq!(
            words(&faults, &twice),
            r#"so it is; acked between 6.0 s and 8.0 s, partly during `bounce` ["bounce"]"#
        );
    }

    #[test]
    fn a_fault_without_effect_did_nothing() {
        let weak = FaultSeen { effective: false, ..fault("bounce", 5000, 7000) };
        assert_eq!(words(&[weak], &piece(Anomaly::Lost)), "so it is []");
    }
}
