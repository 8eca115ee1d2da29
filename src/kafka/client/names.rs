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
/// No code of librdkafka is lower.
const LEAST: i32 = -200;

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

    /// What it means and its name: `timed out (_TIMED_OUT)`, `not enough in-sync replicas (NOT_ENOUGH_REPLICAS, 19)`.
    pub fn in_words(self) -> String {
        format!("{} {}", self.meaning(), self.aside())
    }

    /// What it means, as a part of a sentence.
    pub fn meaning(self) -> String {
        let text = self.text();
        let text = text.strip_prefix("Local: ").or(text.strip_prefix("Broker: ")).unwrap_or(&text);
        let mut chars = text.chars();
        let first = chars.next().map(|c| c.to_ascii_lowercase());
        // Abbreviations such as `SSL error` do not change.
        match chars.clone().next() {
            Some(second) if !second.is_uppercase() => first.into_iter().chain(chars).collect(),
            _ => text.to_owned(),
        }
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

/// A code for people, by its name. Reports use it for all codes, because names of librdkafka do not explain
/// themselves: `message timed out (_MSG_TIMED_OUT)`. Other names are Kafka's own, and do not change.
pub fn code_words(name: &str) -> String {
    static LOCAL: OnceLock<HashMap<String, Code>> = OnceLock::new();
    let local = || (LEAST..-1).map(Code).map(|code| (code.name(), code)).collect();
    match LOCAL.get_or_init(local).get(name) {
        Some(code) if name.starts_with('_') => code.in_words(),
        _ => name.to_owned(),
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
    fn people_read_words_before_the_names_of_librdkafka() {
        for (name, words) in [
            ("_TIMED_OUT", "timed out (_TIMED_OUT)"),
            ("_DESTROY", "broker handle destroyed for termination (_DESTROY)"),
            ("_SSL", "SSL error (_SSL)"),
            ("REQUEST_TIMED_OUT", "REQUEST_TIMED_OUT"),
            ("_OTHER", "_OTHER"),
        ] {
            assert_eq!(code_words(name), words);
        }
        assert_eq!(Code(3).in_words(), "unknown topic or partition (UNKNOWN_TOPIC_OR_PART, 3)");
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
