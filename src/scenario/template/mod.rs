//! Templates: texts with `{{function}}` calls, parsed once and rendered for each message without allocation.
//!
//! Defines the template functions and their names. Templates in JSON documents always render valid JSON.

pub(crate) mod encode;
pub mod service_template;

use std::fmt;

use uuid::Uuid;

use crate::scenario::source::suggest;
use encode::{push_json_escaped, push_number, push_random, push_time};

/// A text with `{{function}}` calls, already parsed. The default is the empty text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<TemplatePart>,
    /// Whether inserted values must be escaped as in a JSON string.
    json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Call(Function),
}

/// The functions of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// The message's identity as a version 8 UUID.
    Uuid,
    /// When the message is scheduled or, without a rate, sent: RFC 3339 in UTC with milliseconds.
    Now,
    /// The message's number in its scenario, over all clients. For a round trip, its number in its client.
    Seq,
    /// The client's number, from 0.
    Client,
    RunId,
    /// The partition of the message.
    Partition,
    /// This number of random lowercase letters and digits.
    Random(u32),
}

/// The values of the functions for one message.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    pub uuid: Uuid,
    /// For `now`, in milliseconds since 1970.
    pub now_unix_ms: i64,
    pub seq: u64,
    pub client: u32,
    pub run_id: &'a str,
    pub partition: i32,
}

/// Why a text is not a valid template. `offset` counts bytes from the start of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    pub message: String,
    pub hint: Option<String>,
    pub offset: usize,
}

/// The names of all functions in files.
pub const FUNCTIONS: [&str; 7] = ["uuid", "now", "seq", "client", "run_id", "partition", "random"];

/// Maximum length of `random(n)`.
pub const RANDOM_MAX: u32 = 1 << 20;

impl Template {
    /// Parses a text. `\{{` is a literal `{{`.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        scan(text, &mut parts, &mut |literal, out| out.push_str(literal))?;
        Ok(Self { source: text.to_owned(), parts, json: false })
    }

    /// Makes a template from a JSON document. The document is written compactly, and functions work in its
    /// strings and keys.
    ///
    /// The offset of an error counts within the string that is wrong.
    pub fn parse_json(value: &serde_json::Value) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        json_parts(value, &mut parts)?;
        Ok(Self { source: value.to_string(), parts, json: true })
    }

    /// Appends the text to `out` with the values of its functions. Allocates only to grow `out`.
    pub fn render(&self, values: &Values<'_>, random: &mut dyn FnMut() -> u64, out: &mut Vec<u8>) {
        for part in &self.parts {
            match part {
                TemplatePart::Text(text) => out.extend_from_slice(text.as_bytes()),
                TemplatePart::Call(function) => self.call(*function, values, random, out),
            }
        }
    }

    fn call(
        &self,
        function: Function,
        values: &Values<'_>,
        random: &mut dyn FnMut() -> u64,
        out: &mut Vec<u8>,
    ) {
        match function {
            Function::Uuid => {
                let mut buffer = Uuid::encode_buffer();
                out.extend_from_slice(values.uuid.hyphenated().encode_lower(&mut buffer).as_bytes());
            }
            Function::Now => push_time(values.now_unix_ms, out),
            Function::Seq => push_number(values.seq, 1, out),
            Function::Client => push_number(values.client.into(), 1, out),
            Function::Partition => {
                if values.partition < 0 {
                    out.push(b'-');
                }
                push_number(values.partition.unsigned_abs().into(), 1, out);
            }
            Function::RunId if self.json => push_json_escaped(values.run_id, out),
            Function::RunId => out.extend_from_slice(values.run_id.as_bytes()),
            Function::Random(count) => push_random(count, random, out),
        }
    }

    /// Maximum length in bytes of the rendered text in a run with this id.
    pub fn longest(&self, run_id: &str) -> usize {
        let of = |part: &TemplatePart| match part {
            TemplatePart::Text(text) => text.len(),
            TemplatePart::Call(Function::Uuid) => 36,
            // A year may have up to twelve digits.
            TemplatePart::Call(Function::Now) => 32,
            TemplatePart::Call(Function::Seq) => 20,
            TemplatePart::Call(Function::Client | Function::Partition) => 11,
            // An escaped byte takes up to six bytes.
            TemplatePart::Call(Function::RunId) => 6 * run_id.len(),
            TemplatePart::Call(Function::Random(count)) => usize::try_from(*count).unwrap_or(usize::MAX),
        };
        self.parts.iter().map(of).fold(0, usize::saturating_add)
    }

    /// The text with only `run_id` replaced, as topic names need it. Other functions stay as written.
    pub fn with_run_id(&self, run_id: &str) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                TemplatePart::Text(text) => out.push_str(text),
                TemplatePart::Call(Function::RunId) => out.push_str(run_id),
                TemplatePart::Call(other) => out.push_str(&other.to_string()),
            }
        }
        out
    }

    /// The text, if it contains no functions.
    pub fn constant(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [TemplatePart::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether the text contains the message's UUID.
    pub fn uses_uuid(&self) -> bool {
        self.uses(|function| function == Function::Uuid)
    }

    /// Whether the text contains a function for which `wanted` returns true.
    pub fn uses(&self, wanted: impl Fn(Function) -> bool) -> bool {
        self.functions().any(wanted)
    }

    /// The functions in the text, in order.
    pub fn functions(&self) -> impl Iterator<Item = Function> + '_ {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Text(_) => None,
            TemplatePart::Call(function) => Some(*function),
        })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid => f.write_str("{{uuid}}"),
            Self::Now => f.write_str("{{now}}"),
            Self::Seq => f.write_str("{{seq}}"),
            Self::Client => f.write_str("{{client}}"),
            Self::RunId => f.write_str("{{run_id}}"),
            Self::Partition => f.write_str("{{partition}}"),
            Self::Random(count) => write!(f, "{{{{random({count})}}}}"),
        }
    }
}

fn error(offset: usize, message: String, hint: Option<String>) -> TemplateError {
    TemplateError { message, hint, offset }
}

/// Splits a text into parts. `literal` writes the text between the calls.
fn scan(
    text: &str,
    parts: &mut Vec<TemplatePart>,
    literal: &mut dyn FnMut(&str, &mut String),
) -> Result<(), TemplateError> {
    let mut at = 0;
    while let Some(found) = text[at..].find("{{") {
        let open = at + found;
        if let Some(before) = text[at..open].strip_suffix('\\') {
            push_text(parts, |out| {
                literal(before, out);
                literal("{{", out);
            });
            at = open + 2;
            continue;
        }
        let Some(length) = text[open + 2..].find("}}") else {
            return Err(error(
                open,
                "unclosed `{{`".to_owned(),
                Some(r"close it with `}}`; for a literal `{{` write `\{{`".to_owned()),
            ));
        };
        push_text(parts, |out| literal(&text[at..open], out));
        let inside = &text[open + 2..open + 2 + length];
        let blank = inside.len() - inside.trim_start().len();
        parts.push(TemplatePart::Call(function(inside.trim(), open + 2 + blank)?));
        at = open + 2 + length + 2;
    }
    push_text(parts, |out| literal(&text[at..], out));
    Ok(())
}

/// Appends to the last part if it is text, so that text parts are never adjacent.
fn push_text(parts: &mut Vec<TemplatePart>, write: impl FnOnce(&mut String)) {
    let mut text = match parts.pop() {
        Some(TemplatePart::Text(text)) => text,
        Some(call) => {
            parts.push(call);
            String::new()
        }
        None => String::new(),
    };
    write(&mut text);
    if !text.is_empty() {
        parts.push(TemplatePart::Text(text));
    }
}

fn function(call: &str, offset: usize) -> Result<Function, TemplateError> {
    let (name, argument) = match call.split_once('(') {
        Some((name, rest)) => (name.trim_end(), Some(rest)),
        None => (call, None),
    };
    let plain = |function| match argument {
        None => Ok(function),
        Some(_) => Err(error(offset, format!("`{name}` takes no argument"), None)),
    };
    match name {
        "uuid" => plain(Function::Uuid),
        "now" => plain(Function::Now),
        "seq" => plain(Function::Seq),
        "client" => plain(Function::Client),
        "run_id" => plain(Function::RunId),
        "partition" => plain(Function::Partition),
        "random" => argument
            .and_then(|rest| rest.strip_suffix(')'))
            .and_then(|number| number.trim().parse().ok())
            .filter(|count| (1..=RANDOM_MAX).contains(count))
            .map(Function::Random)
            .ok_or_else(|| {
                error(
                    offset,
                    format!("`random` needs a number of characters, 1 to {RANDOM_MAX}"),
                    Some("write `{{random(8)}}`".to_owned()),
                )
            }),
        "" => Err(error(offset, "the function name is missing between the braces".to_owned(), None)),
        unknown => Err(error(
            offset,
            format!("unknown template function `{unknown}`"),
            suggest::hint(unknown, FUNCTIONS),
        )),
    }
}

/// Recursion is safe, because the parser limits depth.
fn json_parts(value: &serde_json::Value, parts: &mut Vec<TemplatePart>) -> Result<(), TemplateError> {
    use serde_json::Value as Json;
    let string = |text: &str, parts: &mut Vec<TemplatePart>| {
        push_text(parts, |out| out.push('"'));
        scan(text, parts, &mut |literal, out| {
            let quoted = Json::from(literal).to_string();
            out.push_str(&quoted[1..quoted.len() - 1]);
        })?;
        push_text(parts, |out| out.push('"'));
        Ok(())
    };
    match value {
        Json::String(text) => string(text, parts)?,
        Json::Array(items) => {
            push_text(parts, |out| out.push('['));
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    push_text(parts, |out| out.push(','));
                }
                json_parts(item, parts)?;
            }
            push_text(parts, |out| out.push(']'));
        }
        Json::Object(members) => {
            push_text(parts, |out| out.push('{'));
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    push_text(parts, |out| out.push(','));
                }
                string(key, parts)?;
                push_text(parts, |out| out.push(':'));
                json_parts(member, parts)?;
            }
            push_text(parts, |out| out.push('}'));
        }
        scalar => push_text(parts, |out| out.push_str(&scalar.to_string())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(run_id: &str) -> Values<'_> {
        Values {
            uuid: Uuid::from_u128(0x0123_4567_89ab_8def_8123_4567_89ab_cdef),
            now_unix_ms: 1_768_575_242_113,
            seq: 7,
            client: 2,
            run_id,
            partition: 3,
        }
    }

    fn render(template: &Template, run_id: &str) -> String {
        let (mut out, mut state) = (Vec::new(), 1_u64);
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state
        };
        template.render(&values(run_id), &mut random, &mut out);
        String::from_utf8(out).expect("texts are UTF-8")
    }

    fn text(source: &str) -> String {
        render(&Template::parse(source).expect("a valid template"), "r1")
    }

    #[test]
    fn each_function_has_its_value() {
        assert_eq!(text("{{uuid}}"), "01234567-89ab-8def-8123-456789abcdef");
        assert_eq!(text("{{ now }}"), "2026-01-16T14:54:02.113Z");
        assert_eq!(text("{{seq}}/{{client}}/{{partition}}/{{run_id}}"), "7/2/3/r1");
        assert_eq!(text("{{ random( 30 ) }}").len(), 30);
        assert_eq!(text(r"a \{{uuid}} }} {"), "a {{uuid}} }} {");
        assert_eq!(text(""), "");
    }

    #[test]
    fn errors_name_their_place_and_what_was_meant() {
        let e = Template::parse("ä {{ uid }}").expect_err("no such function");
        assert_eq!((e.offset, e.hint.as_deref()), (6, Some("did you mean `uuid`?")));
        assert_eq!(Template::parse("a{{uuid").expect_err("open").offset, 1);
        for wrong in ["{{}}", "{{uuid()}}", "{{random}}", "{{random(0)}}", "{{random(x)}}", "{{random(1}}"] {
            assert!(Template::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn knows_what_is_in_it() {
        let t = |s: &str| Template::parse(s).expect("good");
        assert_eq!(t("plain").constant(), Some("plain"));
        assert_eq!(t(r"\{{x").constant(), Some("{{x"));
        assert_eq!(t("{{seq}}").constant(), None);
        assert!(t("a{{uuid}}").uses_uuid() && !t("{{now}}").uses_uuid());
        assert_eq!(t("o-{{run_id}}").with_run_id("r"), "o-r");
        assert_eq!(t("o-{{ run_id }}").to_string(), "o-{{ run_id }}");
    }

    #[test]
    fn json_stays_json() {
        let source = serde_json::json!({"a\"b": "{{run_id}} {{uuid}}", "n": [1, null, "{{seq}}"], "o": {"{{client}}": {}}});
        let t = Template::parse_json(&source).expect("good");
        let back: serde_json::Value = serde_json::from_str(&render(&t, "q\"\\\n")).expect("valid JSON");
        assert_eq!(back["a\"b"], "q\"\\\n 01234567-89ab-8def-8123-456789abcdef");
        assert_eq!(back["n"][2], "7");
        assert_eq!(back["o"]["2"], serde_json::json!({}));
        assert!(t.uses_uuid());
    }

    proptest! {
        #[test]
        fn none_is_longer_than_the_longest(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "{{uuid}}", "{{now}}", "{{seq}}", "{{client}}", "{{partition}}", "{{run_id}}", "{{random(13)}}", "é\"",
                ]),
                0..8,
            ),
            run_id in "[\u{1}-\u{7f}]{0,9}",
            (now_unix_ms, seq, client, partition) in any::<(i32, u64, u32, i32)>(),
        ) {
            let source = parts.concat();
            let now_unix_ms = i64::from(now_unix_ms) * 1_000_000;
            let values = Values { now_unix_ms, seq, client, partition, ..values(&run_id) };
            for t in [Template::parse(&source), Template::parse_json(&source.as_str().into())] {
                let (t, mut out) = (t.expect("good"), Vec::new());
                t.render(&values, &mut || 7, &mut out);
                prop_assert!(out.len() <= t.longest(&run_id), "{}", String::from_utf8_lossy(&out));
            }
        }

        #[test]
        fn no_text_makes_it_panic(source in ".*", braces in "[{}\\\\ a-z(]{0,12}") {
            let _ = Template::parse(&source);
            let _ = Template::parse(&braces);
        }

        #[test]
        fn times_are_those_of_jiff(ms in -62_000_000_000_000_i64..250_000_000_000_000) {
            let mut out = Vec::new();
            push_time(ms, &mut out);
            let expected = jiff::Timestamp::from_millisecond(ms).expect("in range");
            prop_assert_eq!(String::from_utf8(out).expect("ASCII"), format!("{expected:.3}"));
        }

        #[test]
        fn numbers_are_those_of_the_standard_library(number: u64) {
            let mut out = Vec::new();
            push_number(number, 1, &mut out);
            prop_assert_eq!(String::from_utf8(out).expect("ASCII"), number.to_string());
        }
    }
}
