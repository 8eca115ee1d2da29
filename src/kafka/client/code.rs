//! Error codes: Kafka's own (positive, and -1) and librdkafka's (below -1), as plain numbers.
//!
//! A broker may send any number, and an unknown one in librdkafka's Rust enum would be undefined behavior.

/// An error code of Kafka or librdkafka; 0 is none. Displays as its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub i32);

impl Code {
    pub const NONE: Self = Self(0);

    /// Whether the code means that the topic or partition does not exist: UNKNOWN_TOPIC_OR_PART, UNKNOWN_TOPIC_ID, and
    /// librdkafka's codes for both.
    pub const fn means_gone(self) -> bool {
        matches!(self.0, 3 | 100 | -190 | -188)
    }

    /// Whether the code means that librdkafka cannot read a batch: its checksum is wrong, or it cannot be decompressed
    /// (_BAD_MSG, _BAD_COMPRESSION, and _NOT_IMPLEMENTED for an unknown format).
    pub const fn means_bad_batch(self) -> bool {
        matches!(self.0, -199 | -198 | -170)
    }

    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether librdkafka created the code itself, without a response of a broker.
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
