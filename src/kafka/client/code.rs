//! Error codes: Kafka's own (positive, and -1) and librdkafka's (below -1), as plain numbers.
//!
//! Numbers, because a broker may send any: librdkafka's enum in Rust would be undefined behaviour for an unknown one.

/// An error code of Kafka or librdkafka; 0 is none. Displays as its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub i32);

impl Code {
    pub const NONE: Self = Self(0);

    /// Whether this says that the topic or partition is not there: UNKNOWN_TOPIC_OR_PART, UNKNOWN_TOPIC_ID, and
    /// librdkafka's own words for the two.
    pub const fn means_gone(self) -> bool {
        matches!(self.0, 3 | 100 | -190 | -188)
    }

    /// Whether librdkafka says by this that a batch cannot be read: its checksum is wrong, or it cannot be unpacked (_BAD_MSG,
    /// _BAD_COMPRESSION, and _NOT_IMPLEMENTED for a form that it does not know).
    pub const fn means_bad_batch(self) -> bool {
        matches!(self.0, -199 | -198 | -170)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_codes_are_told_from_a_brokers() {
        assert!(Code(-192).is_local());
        assert!(!Code(-1).is_local());
        assert!(!Code(7).is_local());
    }
}
