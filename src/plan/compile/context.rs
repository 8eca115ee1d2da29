//! The context of compilation: collects problems, and parses values with their positions.
//!
//! Messages show the file's own text, never the values of environment variables.

use std::collections::HashMap;
use std::str::FromStr;

use crate::scenario::Span;
use crate::scenario::format::Written;
use crate::scenario::source::diagnostics::{Diagnostic, PROBLEMS_MAX};
use crate::scenario::source::node::{Document, below};
use crate::scenario::template::Template;
use crate::scenario::template::service_template::ServiceTemplate;
use crate::units::{Duration, UnitError};

/// The document that is compiled, and the problems found so far.
pub(crate) struct Context<'a> {
    pub(crate) document: &'a Document,
    pub(crate) problems: Vec<Diagnostic>,
    /// Likely mistakes in a file that is valid.
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

    /// Whether the maximum number of problems is reached. It limits the time that malicious files can take.
    pub(crate) fn is_full(&self) -> bool {
        self.problems.len() >= PROBLEMS_MAX
    }

    /// Reports a problem at the value of a pointer.
    pub(crate) fn at(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        self.add(self.document.place(pointer), message, hint);
    }

    /// Reports a problem at the key of a pointer.
    pub(crate) fn at_key(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        self.add(self.document.key_place(pointer), message, hint);
    }

    /// Reports a problem whose message shows the value. If the value comes from the environment, the message
    /// shows `wanted` instead.
    pub(crate) fn about_value(&mut self, pointer: &str, message: &str, hint: Option<String>, wanted: &str) {
        match self.document.shown(pointer).filter(|_| self.document.is_replaced(pointer)) {
            Some(source) => {
                let message = format!("the value of `{source}` is not {wanted}");
                self.at(pointer, message, None);
            }
            None => self.at(pointer, message, hint),
        }
    }

    /// Whether the file has a value at a pointer.
    pub(crate) fn is_written(&self, pointer: &str) -> bool {
        self.document.root.find(pointer).is_some()
    }

    /// Reports a warning at the value of a pointer, or at the enclosing key if there is no value.
    pub(crate) fn warn(&mut self, pointer: &str, message: impl Into<String>, hint: Option<String>) {
        if self.warnings.len() < PROBLEMS_MAX {
            let span = if self.is_written(pointer) {
                self.document.place(pointer)
            } else {
                self.document.key_place(pointer)
            };
            self.warnings.push(self.document.problem(span, message, hint));
        }
    }

    /// Parses a quantity and reports a problem if it is invalid.
    pub(crate) fn quantity<T>(&mut self, pointer: &str, written: Option<&Written<T>>) -> Option<T>
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

    /// Parses a duration above zero.
    pub(crate) fn positive(
        &mut self,
        pointer: &str,
        written: Option<&Written<Duration>>,
    ) -> Option<Duration> {
        let value = self.quantity(pointer, written)?;
        if value == Duration::ZERO {
            self.at(pointer, format!("invalid value `{value}`: expected more than 0"), None);
            return None;
        }
        Some(value)
    }

    /// Parses a template.
    pub(crate) fn template(&mut self, pointer: &str, text: &str) -> Option<Template> {
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

    /// Parses a text with references to services. It is printed as the file has it.
    pub(crate) fn wired(&mut self, pointer: &str, text: &str) -> Option<ServiceTemplate> {
        let shown = self.document.shown(pointer).filter(|_| self.document.is_replaced(pointer));
        match (ServiceTemplate::parse(text), shown) {
            (Ok(wired), Some(source)) => Some(wired.shown_as(source)),
            (Ok(wired), None) => Some(wired),
            (Err(error), Some(_)) => {
                self.about_value(pointer, &error.message, None, "a string with valid references");
                None
            }
            (Err(error), None) => {
                self.add(self.within(pointer, text, error.offset), error.message, error.hint);
                None
            }
        }
    }

    /// Position of a byte in a scalar's text, if the file contains the scalar exactly as it was parsed.
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

    /// Makes a template from the JSON document at a pointer. Problems get the position of the string that
    /// they concern.
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

    /// Rejects a secret in a name, because names appear in every report, folder and label.
    pub(crate) fn no_secret(&mut self, pointer: &str, what: &str) {
        if self.document.is_secret(pointer) {
            let shown = self.document.shown(pointer).unwrap_or_default().to_owned();
            let hint = Some("use a variable whose name does not mark it as a secret".to_owned());
            self.at(pointer, format!("`{shown}` exposes a secret in {what}"), hint);
        }
    }

    /// Reports duplicate names.
    pub(crate) fn repeats<'n>(&mut self, names: impl Iterator<Item = (String, &'n str)>, what: &str) {
        let mut first: HashMap<&str, usize> = HashMap::new();
        for (pointer, name) in names {
            let line = self.document.place(&pointer).line;
            if let Some(before) = first.get(name) {
                let named = if what == "checks" { "; give each a `name`" } else { "" };
                let hint = Some(format!("the first one is on line {before}{named}"));
                let message = format!("two {what} have the name `{name}`");
                self.about_value(&pointer, &message, hint, "a unique name");
            } else {
                first.insert(name, line);
            }
        }
    }
}
