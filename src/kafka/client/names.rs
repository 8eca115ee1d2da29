//! The names of error codes, from librdkafka's tables.
//!
//! Separate from `code`, so that the wrappers in `ffi` can use codes without their names.

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use super::code::Code;
use crate::kafka::ffi as raw;

/// Kafka has no higher code.
const MOST: i32 = 200;

impl Code {
    /// The code's name in librdkafka's spelling: `MSG_SIZE_TOO_LARGE`, `_TRANSPORT`.
    pub fn name(self) -> String {
        raw::describe(self).0
    }

    /// The name in parentheses for the end of a sentence, with the number if it is a broker's code:
    /// `(MSG_SIZE_TOO_LARGE, 10)`, `(_TRANSPORT)`.
    pub fn aside(self) -> String {
        if self.is_local() { format!("({})", self.name()) } else { format!("({}, {})", self.name(), self.0) }
    }

    /// The broker's code that librdkafka describes with this text.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        static TEXTS: OnceLock<HashMap<String, Code>> = OnceLock::new();
        let all =
            || (-1..=MOST).filter(|code| *code != 0).map(Code).map(|code| (code.text(), code)).collect();
        TEXTS.get_or_init(all).get(text).copied()
    }

    /// librdkafka's description of the code.
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

    #[test]
    fn a_text_leads_back_to_its_code() {
        for code in [-1, 8, 19, 56, 74, 89] {
            assert_eq!(Code::of_text(&Code(code).text()), Some(Code(code)));
        }
        assert_eq!(Code::of_text(&Code(-195).text()), None, "no broker answers with it");
        assert_eq!([19, -195].map(|code| Code(code).aside()), ["(NOT_ENOUGH_REPLICAS, 19)", "(_TRANSPORT)"]);
    }
}
