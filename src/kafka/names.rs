//! What error codes are called, by librdkafka's own tables.
//!
//! Apart from `code`, so that the wrappers below can speak of codes without knowing their names.

use std::fmt;

use super::code::Code;
use super::raw;

impl Code {
    /// The code's name as librdkafka spells it: `MSG_SIZE_TOO_LARGE`, `_TRANSPORT`.
    pub fn name(self) -> String {
        raw::describe(self).0
    }

    /// What it means, in a sentence.
    pub fn text(self) -> String {
        raw::describe(self).1
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
}
