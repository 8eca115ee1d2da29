//! Where problems are collected, and how values of a document are read with their place at hand.
//!
//! Owns the rule that a message shows the file's own text and never what the environment put into it.

use std::collections::HashMap;
use std::str::FromStr;

use crate::scenario::diagnostics::{Diagnostic, PROBLEMS_MAX};
use crate::scenario::model::Written;
use crate::scenario::node::{Document, below};
use crate::scenario::position::Span;
use crate::scenario::template::Template;
use crate::scenario::wiring::Wired;
use crate::units::{Duration, UnitError};

/// A document under validation, and what is wrong with it so far.
pub(crate) struct Context<'a> {
    pub(crate) document: &'a Document,
    pub(crate) problems: Vec<Diagnostic>,
    /// What is likely a slip in a file that is good all the same.
    pub(crate) warnings: Vec<Diagnostic>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(document: &'a Document) -> Self {
        Self { document, problems: Vec::new(), warnings: Vec::new() }
    }

    fn add(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) {
        if !self.is_full() {
            self.problems.push(self.document.problem(span, message, hint));
        }
    }

    /// Whether there are so many problems that no more are told; hostile files must not take long to judge.
    pub(crate) fn is_full(&self) -> bool {
        self.problems.len() >= PROBLEMS_MAX
    }

    /// A problem at the value of a pointer.
    pub(crate) fn at(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        self.add(self.document.place(pointer), message, hint);
    }

    /// A problem at the key of a pointer.
    pub(crate) fn at_key(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        self.add(self.document.key_place(pointer), message, hint);
    }

    /// A problem whose message shows the value; `wanted` stands in for it where the environment gave the value.
    pub(crate) fn about_value(&mut self, pointer: &str, message: &str, hint: Option<String>, wanted: &str) {
        match self.document.shown(pointer).filter(|_| self.document.is_replaced(pointer)) {
            Some(source) => {
                let message = format!("what `{source}` stands for is not {wanted}");
                self.at(pointer, message, None);
            }
            None => self.at(pointer, message, hint),
        }
    }

    /// A warning at the value of a pointer, or at the key of what it would stand in.
    pub(crate) fn warn(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        if self.warnings.len() < PROBLEMS_MAX {
            let is_written = self.document.root.find(pointer).is_some();
            let span =
                if is_written { self.document.place(pointer) } else { self.document.key_place(pointer) };
            self.warnings.push(self.document.problem(span, message, hint));
        }
    }

    /// Reads a quantity; a problem where it is none.
    pub(crate) fn quantity<T>(&mut self, pointer: &str, written: Option<&Written<T>>) -> Option<T>
    where
        T: FromStr<Err = UnitError>,
    {
        match written?.text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.about_value(pointer, &error.to_string(), None, "a quantity of the kind wanted here");
                None
            }
        }
    }

    /// Reads a length of time above zero.
    pub(crate) fn positive(
        &mut self,
        pointer: &str,
        written: Option<&Written<Duration>>,
    ) -> Option<Duration> {
        let value = self.quantity(pointer, written)?;
        if value == Duration::ZERO {
            self.at(pointer, "this must be above 0", None);
            return None;
        }
        Some(value)
    }

    /// Reads a template.
    pub(crate) fn template(&mut self, pointer: &str, text: &str) -> Option<Template> {
        match Template::parse(text) {
            Ok(template) => Some(template),
            Err(error) if self.document.is_replaced(pointer) => {
                self.about_value(pointer, &error.message, None, "a good template");
                None
            }
            Err(error) => {
                self.add(self.within(pointer, text, error.offset), error.message, error.hint);
                None
            }
        }
    }

    /// Reads a text with references to services; it is printed as the file has it.
    pub(crate) fn wired(&mut self, pointer: &str, text: &str) -> Option<Wired> {
        let shown = self.document.shown(pointer).filter(|_| self.document.is_replaced(pointer));
        match (Wired::parse(text), shown) {
            (Ok(wired), Some(source)) => Some(wired.shown_as(source)),
            (Ok(wired), None) => Some(wired),
            (Err(error), Some(_)) => {
                self.about_value(pointer, &error.message, None, "a text with good references");
                None
            }
            (Err(error), None) => {
                self.add(self.within(pointer, text, error.offset), error.message, error.hint);
                None
            }
        }
    }

    /// The place of a byte in the text of a scalar, where the scalar stands in the file as it is read.
    fn within(&self, pointer: &str, text: &str, offset: usize) -> Span {
        let span = self.document.place(pointer);
        let length = text.chars().count();
        let quote = match span.width {
            width if width == length => 0,
            width if width == length + 2 => 1,
            _ => return span,
        };
        let before = text.get(..offset).map_or(0, |text| text.chars().count());
        Span { column: span.column + quote + before, width: (length - before).clamp(1, 12), ..span }
    }

    /// Makes a template of a JSON document below a pointer; each text in it is checked at its own place.
    pub(crate) fn json_template(&mut self, pointer: &str, value: &serde_json::Value) -> Option<Template> {
        let before = self.problems.len();
        self.json_texts(pointer, value);
        if self.problems.len() > before {
            return None;
        }
        match Template::parse_json(value) {
            Ok(template) => Some(template),
            Err(error) => {
                self.at(pointer, error.message, error.hint);
                None
            }
        }
    }

    fn json_texts(&mut self, pointer: &str, value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => {
                self.template(pointer, text);
            }
            serde_json::Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.json_texts(&below(pointer, index), item);
                }
            }
            serde_json::Value::Object(members) => {
                for (key, member) in members {
                    self.json_texts(&below(pointer, key), member);
                }
            }
            _ => {}
        }
    }

    /// Refuses a secret where a name is wanted: every report, folder and label shows it.
    pub(crate) fn no_secret(&mut self, pointer: &str, what: &str) {
        if self.document.is_secret(pointer) {
            let shown = self.document.shown(pointer).unwrap_or_default().to_owned();
            let hint = Some("use a variable whose name does not say that it is secret".to_owned());
            self.at(pointer, format!("`{shown}` brings a secret into {what}, which others see"), hint);
        }
    }

    /// Finds names that are given twice.
    pub(crate) fn repeats<'n>(&mut self, names: impl Iterator<Item = (String, &'n str)>, what: &str) {
        let mut first: HashMap<&str, usize> = HashMap::new();
        for (pointer, name) in names {
            let line = self.document.place(&pointer).line;
            if let Some(before) = first.get(name) {
                let named = if what == "checks" { "; give each a `name`" } else { "" };
                let hint = Some(format!("the first one is in line {before}{named}"));
                let message = format!("there are two {what} `{name}`");
                self.about_value(&pointer, &message, hint, "a name of its own");
            } else {
                first.insert(name, line);
            }
        }
    }
}
