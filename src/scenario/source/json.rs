//! Parses JSON into values with positions, with the same limits as YAML.
//!
//! JSON allows escapes and tabs that YAML parsers reject. A separate parser also gives better error messages.

use std::path::Path;

use super::diagnostics::{Diagnostic, PROBLEMS_MAX};
use super::node::{Content, Member, Node, Scalar};
use super::position::Span;
use super::yaml::{DEPTH_MAX, VALUES_MAX};
use crate::units::thousands;

struct JsonReader<'a> {
    path: &'a Path,
    text: &'a str,
    /// Byte offset of the next character.
    at: usize,
    line: usize,
    /// Byte offset of the line's first character.
    line_start: usize,
    values: usize,
    problems: Vec<Diagnostic>,
}

pub fn read(path: &Path, text: &str) -> Result<Node, Vec<Diagnostic>> {
    let mut reader =
        JsonReader { path, text, at: 0, line: 1, line_start: 0, values: 0, problems: Vec::new() };
    let read = reader.value(0).and_then(|node| {
        reader.blank();
        match reader.peek() {
            None => Ok(node),
            Some(_) => Err(reader.wrong("expected the end of the file")),
        }
    });
    match read {
        Ok(node) if reader.problems.is_empty() => Ok(node),
        Ok(_) => Err(reader.problems),
        Err(problem) => {
            reader.problems.push(*problem);
            Err(reader.problems)
        }
    }
}

impl<'a> JsonReader<'a> {
    fn span(&self, width: usize) -> Span {
        let column = self.text[self.line_start..self.at].chars().count() + 1;
        Span { line: self.line, column, width: width.max(1) }
    }

    fn wrong(&self, message: &str) -> Box<Diagnostic> {
        let message = format!("invalid JSON: {message}");
        Box::new(Diagnostic::at(self.path, self.text, self.span(1), message, None))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = self.peek() {
            self.at += 1;
            if byte == b'\n' {
                self.line += 1;
                self.line_start = self.at;
            }
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Box<Diagnostic>> {
        self.blank();
        self.values += 1;
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            let message = if depth > DEPTH_MAX {
                format!("lists and objects are nested more than {DEPTH_MAX} levels deep")
            } else {
                format!("the file has more than {} values", thousands(VALUES_MAX as u64))
            };
            return Err(Box::new(Diagnostic::at(self.path, self.text, self.span(1), message, None)));
        }
        let span = self.span(1);
        match self.peek() {
            Some(b'{') => self.object(depth, span),
            Some(b'[') => self.array(depth, span),
            Some(b'"') => {
                let (text, span) = self.string()?;
                Ok(Node { span, content: Content::Scalar(Scalar::quoted(text)) })
            }
            Some(_) => self.word(),
            None => Err(self.wrong("expected a value, found the end of the file")),
        }
    }

    fn object(&mut self, depth: usize, span: Span) -> Result<Node, Box<Diagnostic>> {
        let mut members: Vec<Member> = Vec::new();
        self.at += 1;
        self.blank();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Node { span, content: Content::Mapping(members) });
        }
        loop {
            self.blank();
            if self.peek() != Some(b'"') {
                return Err(self.wrong("expected a key in double quotes"));
            }
            let (key, key_span) = self.string()?;
            self.blank();
            if self.peek() != Some(b':') {
                return Err(self.wrong("expected `:`"));
            }
            self.at += 1;
            let node = self.value(depth + 1)?;
            match members.iter().find(|member| member.key == key) {
                None => members.push(Member { key, span: key_span, node }),
                Some(_) if self.problems.len() >= PROBLEMS_MAX => {}
                Some(first) => {
                    let message = format!("duplicate key `{key}`");
                    let hint = format!("the first one is on line {}", first.span.line);
                    self.problems.push(Diagnostic::at(self.path, self.text, key_span, message, Some(hint)));
                }
            }
            if self.closes(b'}', "expected `,` or `}`")? {
                return Ok(Node { span, content: Content::Mapping(members) });
            }
        }
    }

    fn array(&mut self, depth: usize, span: Span) -> Result<Node, Box<Diagnostic>> {
        let mut items = Vec::new();
        self.at += 1;
        self.blank();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Node { span, content: Content::Sequence(items) });
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.closes(b']', "expected `,` or `]`")? {
                return Ok(Node { span, content: Content::Sequence(items) });
            }
        }
    }

    /// Whether the list or object ends here instead of continuing after a comma.
    fn closes(&mut self, end: u8, expected: &str) -> Result<bool, Box<Diagnostic>> {
        self.blank();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(false)
            }
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(true)
            }
            _ => Err(self.wrong(expected)),
        }
    }

    /// A quoted string. serde_json decodes the escapes.
    fn string(&mut self) -> Result<(String, Span), Box<Diagnostic>> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(b'\n') | None => {
                    return Err(self.wrong("unclosed string: expected a closing quotation mark"));
                }
                Some(_) => end += 1,
            }
        }
        let source = self.text.get(self.at..=end).unwrap_or_default();
        let span = self.span(source.chars().count());
        let text = serde_json::from_str(source)
            .map_err(|_| self.wrong("this string has an invalid escape or a control character"))?;
        self.at = end + 1;
        Ok((text, span))
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<Node, Box<Diagnostic>> {
        let rest: &'a str = &self.text[self.at..];
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-._".contains(c))).unwrap_or(rest.len());
        let word = &rest[..end];
        let value = serde_json::from_str::<serde_json::Value>(word).map_err(|_| {
            self.wrong(
                "expected a \
            value",
            )
        })?;
        let span = self.span(word.len());
        self.at += end;
        let scalar =
            Scalar { text: word.to_owned(), value, plain: false, source: None, faulty: false, secret: false };
        Ok(Node { span, content: Content::Scalar(scalar) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn errors_have_the_place() {
        let place = |text: &str| {
            let problems = read(Path::new("f.json"), text).expect_err("wrong");
            let at = problems[0].position();
            (at.line, at.column)
        };
        assert_eq!(place("{\n  \"a\": 1,\n}"), (3, 1));
        assert_eq!(place("{\"ä\": x}"), (1, 7));
        assert_eq!(place("{\"a\": \"b"), (1, 7));
        assert_eq!(place("{\"a\": 1, \"a\": 2}"), (1, 10));
        assert_eq!(place("[1] 2"), (1, 5));
        assert_eq!(place(&"[".repeat(100_000)).0, 1);
    }

    proptest! {
        #[test]
        fn reads_what_serde_json_reads(text in "[\\[\\]{}\",:0-9a-z\\\\ .\\n-]{0,24}") {
            // This parser rejects duplicate keys, serde_json does not.
            if let Ok(node) = read(Path::new("f"), &text) {
                let theirs: serde_json::Value = serde_json::from_str(&text).expect("both read it");
                prop_assert_eq!(node.to_json(), theirs);
            }
        }
    }
}
