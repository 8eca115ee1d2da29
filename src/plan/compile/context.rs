//! Where problems are collected, and how values of a document are read with their place at hand.
//!
//! Owns the rule that a message shows the file's own text and never what the environment put into it.

use std::collections::HashMap;
use std::str::FromStr;

use crate::scenario::Span;
use crate::scenario::format::Written;
use crate::scenario::source::diagnostics::{Diagnostic, PROBLEMS_MAX};
use crate::scenario::source::node::{Document, below};
use crate::scenario::template::Template;
use crate::scenario::template::service_template::ServiceTemplate;
use crate::units::{Duration, UnitError};

/// A document that is checked, and what is wrong with it so far.
pub(super) struct Context<'a> {
    pub(super) document: &'a Document,
    pub(super) problems: Vec<Diagnostic>,
    /// What is likely a slip in a file that is good all the same.
    pub(super) warnings: Vec<Diagnostic>,
}

impl<'a> Context<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self { document, problems: Vec::new(), warnings: Vec::new() }
    }

    fn add(&mut self, span: Span, message: impl Into<String>, hint: Option<String>) {
        if !self.is_full() {
            self.problems.push(self.document.problem(span, message, hint));
        }
    }

    /// Whether there are so many problems that no more are told; hostile files must not take long to judge.
    pub(super) fn is_full(&self) -> bool {
        self.problems.len() >= PROBLEMS_MAX
    }

    /// A problem at the value of a pointer.
    pub(super) fn at(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        self.add(self.document.place(pointer), message, hint);
    }

    /// A problem at the key of a pointer.
    pub(super) fn at_key(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        self.add(self.document.key_place(pointer), message, hint);
    }

    /// A problem whose message shows the value; `wanted` stands in for it where the environment gave the value.
    pub(super) fn about_value(&mut self, pointer: &str, message: &str, hint: Option<String>, wanted: &str) {
        match self.document.shown(pointer).filter(|_| self.document.is_replaced(pointer)) {
            Some(source) => {
                let message = format!("the value of `{source}` is not {wanted}");
                self.at(pointer, message, None);
            }
            None => self.at(pointer, message, hint),
        }
    }

    /// Whether the file has a value at a pointer.
    pub(super) fn is_written(&self, pointer: &str) -> bool {
        self.document.root.find(pointer).is_some()
    }

    /// A warning at the value of a pointer, or at the key of what it would stand in.
    pub(super) fn warn(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        if self.warnings.len() < PROBLEMS_MAX {
            let span = if self.is_written(pointer) {
                self.document.place(pointer)
            } else {
                self.document.key_place(pointer)
            };
            self.warnings.push(self.document.problem(span, message, hint));
        }
    }

    /// Reads a quantity; a problem where it is none.
    pub(super) fn quantity<T>(&mut self, pointer: &str, written: Option<&Written<T>>) -> Option<T>
    where
        T: FromStr<Err = UnitError>,
    {
        match written?.text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.about_value(pointer, &error.to_string(), None, "a valid quantity");
                None
            }
        }
    }

    /// Reads a length of time above zero.
    pub(super) fn positive(
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
    pub(super) fn template(&mut self, pointer: &str, text: &str) -> Option<Template> {
        match Template::parse(text) {
            Ok(template) => Some(template),
            Err(error) if self.document.is_replaced(pointer) => {
                self.about_value(pointer, &error.message, None, "a valid template");
                None
            }
            Err(error) => {
                self.add(self.within(pointer, text, error.offset), error.message, error.hint);
                None
            }
        }
    }

    /// Reads a text with references to services; it is printed as the file has it.
    pub(super) fn wired(&mut self, pointer: &str, text: &str) -> Option<ServiceTemplate> {
        let shown = self.document.shown(pointer).filter(|_| self.document.is_replaced(pointer));
        match (ServiceTemplate::parse(text), shown) {
            (Ok(wired), Some(source)) => Some(wired.shown_as(source)),
            (Ok(wired), None) => Some(wired),
            (Err(error), Some(_)) => {
                self.about_value(pointer, &error.message, None, "a text with valid references");
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
    pub(super) fn json_template(&mut self, pointer: &str, value: &serde_json::Value) -> Option<Template> {
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
    pub(super) fn no_secret(&mut self, pointer: &str, what: &str) {
        if self.document.is_secret(pointer) {
            let shown = self.document.shown(pointer).unwrap_or_default().to_owned();
            let hint = Some("use a variable whose name does not suggest a secret".to_owned());
            self.at(pointer, format!("`{shown}` exposes a secret in {what}"), hint);
        }
    }

    /// Finds names that are given twice.
    pub(super) fn repeats<'n>(&mut self, names: impl Iterator<Item = (String, &'n str)>, what: &str) {
        let mut first: HashMap<&str, usize> = HashMap::new();
        for (pointer, name) in names {
            let line = self.document.place(&pointer).line;
            if let Some(before) = first.get(name) {
                let named = if what == "checks" { "; give each a `name`" } else { "" };
                let hint = Some(format!("the first one is in line {before}{named}"));
                let message = format!("two {what} have the name `{name}`");
                self.about_value(&pointer, &message, hint, "a unique name");
            } else {
                first.insert(name, line);
            }
        }
    }
}
