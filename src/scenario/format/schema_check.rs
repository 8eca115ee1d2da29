//! Validates a document against its JSON Schema and explains each error in the terms of the file's author.
//!
//! Selects the branch that `type` names, so that no one sees a message about an unmatched "anyOf".

use std::str::FromStr;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value as Json;

use crate::scenario::source::diagnostics::{Diagnostic, PROBLEMS_MAX};
use crate::scenario::source::node::{Document, below};
use crate::scenario::source::position::Span;
use crate::scenario::source::suggest;
use crate::units::{Bandwidth, ByteSize, Duration, Rate, Share, UnitError};

/// What is wrong with a document according to its schema.
#[derive(Debug, Default)]
pub struct Findings {
    /// The problems.
    pub problems: Vec<Diagnostic>,
    /// JSON pointers to invalid values. The values around them cannot be compiled.
    pub broken: Vec<String>,
    /// True if the number of problems exceeds the limit. The document cannot be compiled then.
    pub cut: bool,
}

impl Findings {
    /// Whether a value at or below this pointer is invalid.
    pub fn touch(&self, pointer: &str) -> bool {
        self.cut
            || self
                .broken
                .iter()
                .any(|b| b.strip_prefix(pointer).is_some_and(|r| r.is_empty() || r.starts_with('/')))
    }
}

struct Finding {
    pointer: String,
    span: Span,
    message: String,
    hint: Option<String>,
    /// Only the type is wrong, because the text of a variable looks like a number or boolean.
    wants_text: bool,
}

struct Checker<'a> {
    document: &'a Document,
    schema: &'a Json,
    found: Vec<Finding>,
}

/// Checks a document. If a variable's text looks like a number but the schema expects a string, it becomes a
/// string.
pub fn check(document: &mut Document, schema: &Json) -> Findings {
    // The schema is part of kaf6, and a test checks that it is valid.
    let Ok(validator) = jsonschema::validator_for(schema) else { return Findings::default() };
    let mut found = find(document, schema, &validator);
    let texts: Vec<String> = found.iter().filter(|f| f.wants_text).map(|f| f.pointer.clone()).collect();
    if !texts.is_empty() {
        for pointer in texts {
            if let Some(scalar) = document.root.scalar_mut(&pointer) {
                scalar.value = Json::from(scalar.text.as_str());
            }
        }
        found = find(document, schema, &validator);
    }
    let mut faulty = Vec::new();
    document.root.faulty("", &mut faulty);
    let problems = found
        .iter()
        .filter(|finding| !faulty.contains(&finding.pointer))
        .map(|f| document.problem(f.span, f.message.clone(), f.hint.clone()))
        .collect();
    let cut = found.len() >= PROBLEMS_MAX;
    let broken = found.into_iter().map(|f| f.pointer).chain(faulty).collect();
    Findings { problems, broken, cut }
}

fn find(document: &Document, schema: &Json, validator: &Validator) -> Vec<Finding> {
    let json = document.root.to_json();
    let mut checker = Checker { document, schema, found: Vec::new() };
    for error in validator.iter_errors(&json) {
        if checker.found.len() >= PROBLEMS_MAX {
            break;
        }
        checker.explain(&error);
    }
    checker.found
}

impl Checker<'_> {
    fn add(&mut self, pointer: &str, span: Span, message: impl Into<String>, hint: Option<String>) {
        let (pointer, message) = (pointer.to_owned(), message.into());
        self.found.push(Finding { pointer, span, message, hint, wants_text: false });
    }

    fn explain(&mut self, error: &ValidationError<'_>) {
        let at = error.instance_path().as_str();
        let rule = error.schema_path().as_str();
        let value_place = self.document.place(at);
        if let Some(message) = self.unit(at, rule, error.kind()) {
            return self.add(at, value_place, message, None);
        }
        match error.kind() {
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                self.unknown_keys(at, rule, unexpected, error.instance());
            }
            Kind::Required { property } => {
                let message = format!("`{}` is missing", property.as_str().unwrap_or_default());
                let about = self.schema.pointer(&around(rule)).and_then(|s| s.get("properties"));
                let about = about.and_then(|p| p.get(property.as_str()?)?.get("description")?.as_str());
                self.add(at, self.document.key_place(at), message, about.map(lower));
            }
            Kind::OneOfNotValid { context } | Kind::AnyOf { context } => {
                self.branches(at, rule, context, error.instance());
            }
            Kind::Type { .. } => self.wrong_type(at, rule, error.instance()),
            Kind::Enum { options } => {
                let words: Vec<String> = options.as_array().into_iter().flatten().map(plain).collect();
                let mut known: Vec<&str> = words.iter().map(String::as_str).collect();
                // `1` may be written as a number or as a string. People read both as one value.
                let mut seen = Vec::new();
                known.retain(|word| {
                    let new = !seen.contains(word);
                    seen.push(*word);
                    new
                });
                self.none_of(at, &known);
            }
            Kind::Minimum { limit } => {
                let message = format!("invalid value {}: expected at least {limit}", self.shown(at));
                self.add(at, value_place, message, None);
            }
            Kind::Maximum { limit } => {
                let message = format!("invalid value {}: expected at most {limit}", self.shown(at));
                self.add(at, value_place, message, None);
            }
            Kind::Pattern { .. } => {
                let about = self.schema.pointer(&around(rule)).and_then(|s| s.get("description")?.as_str());
                let message = format!(
                    "invalid value {}: expected {}",
                    self.shown(at),
                    lower(about.unwrap_or("a different string"))
                );
                self.add(at, value_place, message, None);
            }
            Kind::MinItems { .. } => self.add(at, value_place, "the list is empty", None),
            Kind::MinLength { .. } => self.add(at, value_place, "the string is empty", None),
            Kind::MaxItems { limit } => {
                self.add(at, value_place, format!("the list has more than {limit} items"), None);
            }
            // Masked, because the value may come from the environment.
            _ => self.add(at, value_place, error.masked().to_string(), None),
        }
    }

    /// A scalar as the file has it.
    fn shown(&self, pointer: &str) -> String {
        self.document.shown(pointer).map_or_else(|| "this".to_owned(), |text| format!("`{}`", short(text)))
    }

    fn none_of(&mut self, at: &str, known: &[&str]) {
        let message = format!("unknown value {}: expected one of {}", self.shown(at), list(known));
        let near = self.document.shown(at).and_then(|word| suggest::nearest(word, known.iter().copied()));
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        self.add(at, self.document.place(at), message, hint);
    }

    /// What is wrong with a duration, rate or size, from the parser of that unit.
    fn unit(&self, at: &str, rule: &str, kind: &Kind) -> Option<String> {
        fn wrong<T: FromStr<Err = UnitError>>(text: &str) -> Option<String> {
            text.parse::<T>().err().map(|error| error.to_string())
        }
        if matches!(kind, Kind::AdditionalProperties { .. } | Kind::Required { .. }) {
            return None;
        }
        let text = short(self.document.shown(at).filter(|text| !text.is_empty())?);
        match rule.strip_prefix("/$defs/")?.split('/').next()? {
            "Duration" => wrong::<Duration>(&text),
            "Rate" => wrong::<Rate>(&text),
            "ByteSize" => wrong::<ByteSize>(&text),
            "Bandwidth" => wrong::<Bandwidth>(&text),
            "Share" => wrong::<Share>(&text),
            _ => None,
        }
    }

    fn unknown_keys(&mut self, at: &str, rule: &str, unexpected: &[String], instance: &Json) {
        let known = self.schema.pointer(&around(rule)).and_then(|s| s.get("properties")?.as_object());
        let known: Vec<&str> = known.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        let open: Vec<&str> = known.iter().copied().filter(|key| instance.get(*key).is_none()).collect();
        for key in unexpected.iter().take(PROBLEMS_MAX) {
            let pointer = below(at, key);
            let hint = match key.as_str() {
                key if key.starts_with("x-") => Some(
                    "custom keys are not supported; define an anchor (`&name`) where you \
                    first use it"
                        .to_owned(),
                ),
                key => match suggest::nearest(key, known.iter().copied()) {
                    Some(near) => Some(format!("did you mean `{near}`?")),
                    None => suggest::hint(key, open.iter().copied()),
                },
            };
            let message = format!("unknown key `{}`", short(key));
            self.add(&pointer, self.document.key_place(&pointer), message, hint);
        }
    }

    fn branches(&mut self, at: &str, rule: &str, context: &[Vec<ValidationError<'static>>], instance: &Json) {
        let branches = self.schema.pointer(rule).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
        let tags: Vec<&str> =
            branches.iter().filter_map(|b| b.pointer("/properties/type/const")?.as_str()).collect();
        if tags.len() == branches.len() && !tags.is_empty() {
            return self.tagged(at, &tags, context, instance);
        }
        // Each branch is one word with a description.
        let one_word: Vec<&str> = branches.iter().filter_map(|b| b.get("const")?.as_str()).collect();
        if one_word.len() == branches.len() {
            return self.none_of(at, &one_word);
        }
        // A branch whose type matches explains the error best, if its own error is more specific.
        let mut fitting = context.iter().filter(|errors| {
            !errors.iter().any(|e| {
                e.instance_path().as_str() == at
                    && matches!(
                        e.kind(),
                        Kind::Type { .. }
                            | Kind::Enum { .. }
                            | Kind::Pattern { .. }
                            | Kind::OneOfNotValid { .. }
                    )
            })
        });
        if let (Some(only), None) = (fitting.next(), fitting.next()) {
            for error in only {
                self.explain(error);
            }
            return;
        }
        let words: Vec<String> = branches
            .iter()
            .filter_map(|branch| branch.get("enum")?.as_array())
            .flatten()
            .map(plain)
            .collect();
        let about = self.schema.pointer(&around(rule)).and_then(|s| s.get("description")?.as_str());
        let found = self.document.shown(at).map_or_else(|| kind_of(instance).to_owned(), |_| self.shown(at));
        let message = format!(
            "expected {}, found {found}",
            lower(about.unwrap_or(
                "a \
        different value"
            ))
        );
        let near = self
            .document
            .shown(at)
            .and_then(|word| suggest::nearest(word, words.iter().map(String::as_str)))
            .map(|near| format!("did you mean `{near}`?"));
        self.add(at, self.document.place(at), message, near);
    }

    fn tagged(
        &mut self,
        at: &str,
        tags: &[&str],
        context: &[Vec<ValidationError<'static>>],
        instance: &Json,
    ) {
        if !instance.is_object() {
            let found = match self.document.shown(at) {
                Some(_) if !instance.is_null() => format!("{} {}", kind_of(instance), self.shown(at)),
                _ => kind_of(instance).to_owned(),
            };
            let message = format!("expected a mapping with a `type`, found {found}");
            let tag = tags.iter().find(|tag| self.document.shown(at) == Some(tag));
            let hint = if instance.is_null() {
                Some("indent its fields below it".to_owned())
            } else if at.ends_with("/type") {
                Some("indent it deeper than the name above it".to_owned())
            } else {
                tag.map(|tag| format!("use `type: {tag}`"))
            };
            return self.add(at, self.document.place(at), message, hint);
        }
        let pointer = below(at, "type");
        let Some(tag) = instance.get("type") else {
            let hint = Some(format!("set it to one of {}", list(tags)));
            return self.add(at, self.document.key_place(at), "`type` is missing", hint);
        };
        match tags.iter().position(|t| tag.as_str() == Some(t)).and_then(|index| context.get(index)) {
            Some(errors) => {
                for error in errors {
                    self.explain(error);
                }
            }
            None => {
                let message = format!("unknown type {}", self.shown(&pointer));
                let hint =
                    suggest::hint(self.document.shown(&pointer).unwrap_or_default(), tags.iter().copied());
                self.add(&pointer, self.document.place(&pointer), message, hint);
            }
        }
    }

    fn wrong_type(&mut self, at: &str, rule: &str, instance: &Json) {
        let wanted: Vec<&str> = match self.schema.pointer(rule) {
            Some(Json::Array(types)) => types.iter().filter_map(Json::as_str).collect(),
            Some(Json::String(one)) => vec![one],
            _ => Vec::new(),
        };
        let scalar = self.document.shown(at);
        let place = self.document.place(at);
        if instance.is_null() {
            let key = at.rsplit('/').next().unwrap_or_default();
            let message =
                if at.is_empty() { "the file is empty".to_owned() } else { format!("`{key}` has no value") };
            let hint = format!("expected {}", words(&wanted));
            return self.add(at, self.document.key_place(at), message, Some(hint));
        }
        let hint = match instance {
            Json::Array(_) if matches!(at, "/scenarios" | "/faults") => {
                Some("replace each `-` with a name: `name: {type: ...}`".to_owned())
            }
            Json::Number(_) | Json::Bool(_) if wanted.contains(&"string") => {
                Some("put it in quotes".to_owned())
            }
            Json::String(text) if wanted.contains(&"integer") && text.parse::<i64>().is_ok() => {
                Some("remove the quotes".to_owned())
            }
            _ => None,
        };
        let found = scalar.map_or_else(
            || kind_of(instance).to_owned(),
            |_| format!("{} {}", kind_of(instance), self.shown(at)),
        );
        self.add(at, place, format!("expected {}, found {found}", words(&wanted)), hint);
        if let Some(last) = self.found.last_mut() {
            last.wants_text = wanted.contains(&"string") && self.document.is_replaced(at);
        }
    }
}

/// The schema that contains a keyword.
fn around(rule: &str) -> String {
    rule.rsplit_once('/').map_or("", |(front, _)| front).to_owned()
}

fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn short(text: &str) -> String {
    if text.chars().count() > 60 { text.chars().take(60).chain(['…']).collect() } else { text.to_owned() }
}

/// A description for use within a sentence.
fn lower(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => first.to_lowercase().chain(chars).collect(),
        _ => text.to_owned(),
    }
}

fn words(types: &[&str]) -> String {
    let name = |kind: &&str| match *kind {
        "string" => "a string",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a mapping",
        _ => "nothing",
    };
    let names: Vec<&str> = types.iter().map(name).collect();
    match names.as_slice() {
        [front @ .., last] if front.len() > 1 => format!("{}, or {last}", front.join(", ")),
        names => names.join(" or "),
    }
}

fn kind_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "nothing",
        Json::Bool(_) => "the boolean",
        Json::Number(_) => "the number",
        Json::String(_) => "the string",
        Json::Array(_) => "a list",
        Json::Object(_) => "a mapping",
    }
}
