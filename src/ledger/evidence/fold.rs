//! Merges repeated evidence: one piece for consecutive messages with the same finding.
//!
//! Sequences grow by one. Offsets, and whole numbers in the text, stay the same or grow evenly.

use crate::ids::{Offset, Seq};
use crate::ledger::evidence::{Evidence, MessageSpan, Spot};

/// Maximum constant step between offsets. There is a step if several clients send to one partition in turn.
const WIDEST: i64 = 16;

impl Evidence {
    /// The number of messages in this piece.
    pub const fn messages(&self) -> u64 {
        self.span.more.saturating_add(1)
    }

    /// The sequence of the last message.
    pub fn to_seq(&self) -> Option<Seq> {
        self.message.map(|(_, seq)| seq + self.span.more)
    }

    /// The text for all its messages. Numbers that grow become ranges.
    pub fn words(&self) -> String {
        let mut out = String::with_capacity(self.detail.len());
        let mut rest = 0;
        for ((from, number), step) in numbers(&self.detail).into_iter().zip(&self.span.moves) {
            let end = from + number.len();
            out.push_str(&self.detail[rest..end]);
            if let Some(first) = number.parse::<u64>().ok().filter(|_| *step > 0) {
                out.push_str(&format!(" to {}", first.saturating_add(step.saturating_mul(self.span.more))));
            }
            rest = end;
        }
        out.push_str(&self.detail[rest..]);
        let whose = if self.span.more > 0 { "the first value" } else { "its value" };
        match &self.head {
            Some(head) => format!("{out}; {whose} begins with {head}"),
            None => out,
        }
    }

    /// Merges the next piece if it is about the next message and has the same finding. Returns whether it did.
    pub(crate) fn fold(&mut self, next: &Self) -> bool {
        let ahead = self.span.more + 1;
        let same = self.anomaly == next.anomaly
            && (self.topic, self.partition, self.observer) == (next.topic, next.partition, next.observer)
            && (self.explained, self.retry_us) == (next.explained, next.retry_us)
            && next.span.more == 0;
        let beside = match (self.message, next.message) {
            (Some((stream, seq)), Some((other, next))) => stream == other && next == seq + ahead,
            (None, None) => true,
            _ => false,
        };
        let last = |to: Option<Offset>, first| if ahead == 1 { first } else { to };
        let offsets = follow(self.offset, last(self.span.to_offset, self.offset), ahead, next.offset);
        let others = follow(
            self.other_offset,
            last(self.span.to_other_offset, self.other_offset),
            ahead,
            next.other_offset,
        );
        let (Some(offset), Some(_)) = (offsets, others) else { return false };
        // For pieces without a message, only the offset differs.
        let apart = match next.message {
            Some(_) => offset > 0 || next.offset.is_none(),
            None => offset == 1,
        };
        if !(same && beside && apart && self.spots_follow(next, ahead)) {
            return false;
        }
        let Some(moves) = self.moves(&next.detail, ahead) else { return false };
        let head = self.head.is_some() == next.head.is_some();
        if !head {
            return false;
        }
        for (spot, other) in self.spots.iter_mut().zip(&next.spots) {
            (spot.to_offset, spot.to_us) = (other.offset, other.at_us);
        }
        for (all, one) in [(&mut self.acked_us, next.acked_us), (&mut self.read_us, next.read_us)] {
            *all = match (*all, one) {
                (Some(all), Some(one)) => Some((all.0.min(one.0), all.1.max(one.1))),
                _ => None,
            };
        }
        self.span = MessageSpan {
            more: ahead,
            to_offset: next.offset,
            to_other_offset: next.other_offset,
            to_us: next.at_us,
            moves,
        };
        true
    }

    fn spots_follow(&self, next: &Self, ahead: u64) -> bool {
        let follows = |(spot, other): (&Spot, &Spot)| {
            (spot.observer, spot.found) == (other.observer, other.found)
                && step(spot.offset, spot.to_offset, ahead, other.offset).is_some()
        };
        self.spots.len() == next.spots.len() && self.spots.iter().zip(&next.spots).all(follows)
    }

    /// How much the numbers in the text grow per message, if the text of the message `ahead` differs only in numbers.
    fn moves(&self, detail: &str, ahead: u64) -> Option<Vec<u64>> {
        let (first, next) = (numbers(&self.detail), numbers(detail));
        if first.len() != next.len() || blank(&self.detail, &first) != blank(detail, &next) {
            return None;
        }
        let moves = first.iter().zip(&next).enumerate().map(|(at, ((_, first), (_, next)))| {
            if first == next {
                return (ahead == 1 || self.span.moves.get(at) == Some(&0)).then_some(0);
            }
            let (first, next): (i64, i64) = (first.parse().ok()?, next.parse().ok()?);
            let so_far = self.span.moves.get(at).copied().unwrap_or(0).checked_mul(ahead - 1)?;
            step(first, first.checked_add_unsigned(so_far)?, ahead, next).map(i64::unsigned_abs)
        });
        moves.collect()
    }
}

/// The constant step between offsets, from the first, the last so far, and the next, whose index is `ahead`. `None` if
/// the step is not constant.
fn step(first: i64, last: i64, ahead: u64, next: i64) -> Option<i64> {
    let ahead = i64::try_from(ahead).ok()?;
    let step = match ahead {
        1 => next.checked_sub(first)?,
        _ => last.checked_sub(first)? / (ahead - 1),
    };
    ((0..=WIDEST).contains(&step) && first.checked_add(step.checked_mul(ahead)?)? == next).then_some(step)
}

/// The same for optional offsets. If all are missing, the step is 0. If only some are missing, there is no step.
fn follow(first: Option<i64>, last: Option<i64>, ahead: u64, next: Option<i64>) -> Option<i64> {
    match (first, last, next) {
        (None, _, None) => Some(0),
        (Some(first), Some(last), Some(next)) => step(first, last, ahead, next),
        _ => None,
    }
}

/// The whole numbers in a text, with their positions. A number has no adjacent letters or digits, and no point or sign.
/// Bytes of a value are not numbers.
fn numbers(text: &str) -> Vec<(usize, &str)> {
    let text = text.split_once("begins with").map_or(text, |(before, _)| before);
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '/' | '.' | ',');
    let mut out = Vec::new();
    let mut at = 0;
    for part in text.split(|c: char| !word(c)) {
        let number = part.trim_end_matches([',', '.', ':']);
        let plain = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        // Counts are not longer, and do not start with a zero.
        if plain && number.len() < 19 && (number == "0" || !number.starts_with('0')) {
            out.push((at, number));
        }
        at += part.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    out
}

/// A text without these numbers.
fn blank<'a>(text: &'a str, numbers: &[(usize, &str)]) -> Vec<&'a str> {
    let mut out = Vec::with_capacity(numbers.len() + 1);
    let mut rest = 0;
    for (from, number) in numbers {
        out.push(&text[rest..*from]);
        rest = from + number.len();
    }
    out.push(&text[rest..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anomaly::Anomaly;
    use crate::ids::StreamId;
    use crate::ledger::FoundAs;
    use proptest::prelude::*;

    impl Evidence {
        /// The pieces that were merged into this one, without their times.
        pub(in crate::ledger) fn unfold(&self) -> Vec<Self> {
            let at = |first: i64, to: i64, k: u64| {
                let step = (to - first) / i64::try_from(self.span.more.max(1)).expect("few");
                first + step * i64::try_from(k).expect("few")
            };
            let place = |first: Option<i64>, to: Option<i64>, k| Some(at(first?, to.or(first)?, k));
            let piece = |k: u64| {
                let mut detail = self.detail.clone();
                for ((from, number), step) in numbers(&self.detail).into_iter().zip(&self.span.moves).rev() {
                    let first: u64 = number.parse().expect("a number");
                    detail.replace_range(from..from + number.len(), &(first + step * k).to_string());
                }
                Self {
                    offset: place(self.offset, self.span.to_offset, k),
                    other_offset: place(self.other_offset, self.span.to_other_offset, k),
                    message: self.message.map(|(stream, seq)| (stream, seq + k)),
                    detail,
                    spots: self
                        .spots
                        .iter()
                        .map(|spot| {
                            let offset = at(spot.offset, spot.to_offset, k);
                            Spot { offset, to_offset: offset, ..*spot }
                        })
                        .collect(),
                    span: MessageSpan::default(),
                    ..self.clone()
                }
            };
            (0..self.messages()).map(piece).collect()
        }
    }

    fn lost(seq: Seq, offset: Offset) -> Evidence {
        Evidence {
            offset: Some(offset),
            message: Some((StreamId(0), seq)),
            detail: "message 231 before it and message 252 after it were read".to_owned(),
            ..Evidence::of(Anomaly::Lost)
        }
    }

    fn folded(pieces: &[Evidence]) -> Vec<Evidence> {
        let mut out: Vec<Evidence> = Vec::new();
        for piece in pieces {
            if !out.iter_mut().rev().any(|row| row.fold(piece)) {
                out.push(piece.clone());
            }
        }
        out
    }

    #[test]
    fn messages_side_by_side_are_one_piece() {
        let pieces: Vec<Evidence> =
            (0..20).map(|k| lost(232 + k, 470 + 2 * k.cast_signed())).chain([lost(260, 600)]).collect();
        let rows = folded(&pieces);
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (rows[0].messages(), rows[0].span.to_offset, rows[0].to_seq()),
            (20, Some(508), Some(251))
        );
        assert_eq!(rows[0].words(), "message 231 before it and message 252 after it were read");
    }

    #[test]
    fn numbers_that_grow_are_ranges_in_words() {
        let piece = |k: u64| Evidence {
            detail: format!(
                "this offset first returned message {} of stream 3, then message {} of stream 1",
                9 + k,
                40 + 2 * k
            ),
            head: Some(format!("6b {k:02x}")),
            ..lost(k, 470 + k.cast_signed())
        };
        let rows = folded(&(0..3).map(piece).collect::<Vec<_>>());
        assert_eq!(rows.len(), 1);
        assert_eq!(
            rows[0].words(),
            "this offset first returned message 9 to 11 of stream 3, then message 40 to 44 of stream 1; the first value begins with 6b 00"
        );
        assert_eq!(piece(0).words().rsplit_once("; ").map(|it| it.1), Some("its value begins with 6b 00"));
    }

    #[test]
    fn what_differs_stays_apart() {
        let first = lost(5, 10);
        let next = lost(6, 11);
        assert!(first.clone().fold(&next));
        for other in [
            Evidence { anomaly: Anomaly::Skipped, ..next.clone() },
            Evidence { partition: 1, ..next.clone() },
            Evidence { observer: Some(crate::ledger::Observer::Audit), ..next.clone() },
            Evidence { message: Some((StreamId(1), 6)), ..next.clone() },
            Evidence { explained: true, ..next.clone() },
            Evidence { detail: "the broker returned no record".to_owned(), ..next.clone() },
            Evidence { other_offset: Some(3), ..next },
            lost(7, 11),
            lost(5, 11),
            lost(6, 10),
            lost(6, 9),
            lost(6, 11 + WIDEST),
            Evidence { message: None, ..lost(6, 11) },
        ] {
            assert!(!first.clone().fold(&other), "{other:?}");
        }
        // A constant step does not change.
        let mut range = first;
        assert!(range.fold(&lost(6, 12)) && !range.fold(&lost(7, 13)) && range.fold(&lost(7, 14)));
        assert_eq!(
            numbers("at 8.010 s, 127.0.0.1:9092 said -1 for v2: 7, 08 and 9."),
            [(43, "7"), (53, "9")]
        );
    }

    fn pieces() -> impl Strategy<Value = Vec<Evidence>> {
        let piece = (0..3_u32, 0..4_u64, 0..3_i64, 0..3_i64, 0..8_u32);
        prop::collection::vec(piece, 0..60).prop_map(|all| {
            let mut next = [(0_u64, 0_i64); 3];
            let mut out = Vec::new();
            for (stream, skip, apart, other, odd) in all {
                let (seq, offset) = &mut next[stream as usize];
                *seq += 1 + u64::from(skip == 3);
                *offset += 1 + apart * i64::from(skip > 1);
                let numbers = if odd == 1 { 7 } else { *seq };
                out.push(Evidence {
                    message: (odd != 2).then_some((StreamId(stream), *seq)),
                    offset: (odd != 3).then_some(*offset),
                    other_offset: (odd == 4).then_some(*offset + other),
                    detail: format!("acked at {numbers}, or {} of 5", *seq * other.unsigned_abs()),
                    spots: (0..odd / 6)
                        .map(|_| Spot {
                            observer: None,
                            found: FoundAs::Acked,
                            offset: *offset,
                            to_offset: *offset,
                            at_us: 0,
                            to_us: 0,
                        })
                        .collect(),
                    ..Evidence::of(Anomaly::Lost)
                });
            }
            out
        })
    }

    proptest! {
        #[test]
        fn unfolding_gives_what_was_folded(pieces in pieces()) {
            let rows = folded(&pieces);
            let unfolded: Vec<Vec<Evidence>> = rows.iter().map(Evidence::unfold).collect();
            // Each piece is in one row. Rows are in the order of their first pieces, and the pieces of a row keep their
            // order.
            let mut left = pieces;
            for row in &unfolded {
                prop_assert_eq!(left.first(), row.first());
                let mut from = 0;
                for piece in row {
                    let at = left[from..].iter().position(|it| it == piece);
                    let Some(at) = at else { return Err(TestCaseError::fail(format!("{piece:?} went nowhere"))) };
                    left.remove(from + at);
                    from += at;
                }
            }
            prop_assert!(left.is_empty(), "{left:?}");
        }
    }
}
