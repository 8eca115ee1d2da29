//! Error codes: Kafka's own (positive, and -1) and librdkafka's (below -1), as plain numbers.
//!
//! Numbers, because a broker may send any: librdkafka's enum in Rust would be undefined behaviour for an unknown one.

use std::fmt;

use super::raw;

/// An error code of Kafka or librdkafka; 0 is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub i32);

impl Code {
    /// No error.
    pub const NONE: Self = Self(0);

    /// The code's name as librdkafka spells it: `MSG_SIZE_TOO_LARGE`, `_TRANSPORT`.
    pub fn name(self) -> String {
        raw::describe(self.0).0
    }

    /// What it means, in a sentence.
    pub fn text(self) -> String {
        raw::describe(self.0).1
    }

    /// Whether this says that the topic or partition is not there: UNKNOWN_TOPIC_OR_PART, UNKNOWN_TOPIC_ID, and
    /// librdkafka's own words for the two.
    pub const fn means_gone(self) -> bool {
        matches!(self.0, 3 | 100 | -190 | -188)
    }

    /// Whether this says that all is well.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether librdkafka made it up itself, no broker having answered with it.
    pub const fn is_local(self) -> bool {
        self.0 < -1
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_has_a_name() {
        assert_eq!(Code(10).name(), "MSG_SIZE_TOO_LARGE");
        assert_eq!(Code(-195).name(), "_TRANSPORT");
        assert_eq!(Code(-1).name(), "UNKNOWN");
        for strange in [i32::MIN, -5000, 4000, i32::MAX] {
            assert!(!Code(strange).name().is_empty());
            assert!(!Code(strange).text().is_empty());
        }
    }

    #[test]
    fn local_codes_are_told_from_a_brokers() {
        assert!(Code(-192).is_local());
        assert!(!Code(-1).is_local());
        assert!(!Code(7).is_local());
    }
}
