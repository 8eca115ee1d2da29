//! Deserializes sections of a document, such as `run`, into the types of `scenario::format`.
//!
//! Also handles what the schema accepts but serde rejects: integers with a decimal point.

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::context::Context;
use crate::scenario::format::schema_check::Findings;

/// Deserializes sections that passed schema validation.
pub(crate) struct Parts<'a> {
    pub(crate) json: &'a Json,
    findings: &'a Findings,
}

impl<'a> Parts<'a> {
    pub(crate) fn new(json: &'a Json, findings: &'a Findings) -> Self {
        Self { json, findings }
    }

    /// The section at a pointer. `None` if it is absent or invalid.
    pub(crate) fn get<T: DeserializeOwned>(&self, pointer: &str, cx: &mut Context<'_>) -> Option<T> {
        let value = self.json.pointer(pointer)?;
        if self.findings.touch(pointer) {
            return None;
        }
        // The schema is generated from the same types, so this succeeds. If it does not, that must be
        // reported.
        let part = T::deserialize(value).or_else(|_| T::deserialize(&whole_numbers(value))).ok();
        if part.is_none() {
            cx.at(pointer, "invalid value", None);
        }
        part
    }

    /// Whether a mapping itself or one of its direct members is invalid, not only a nested value.
    pub(crate) fn shallowly_refused(&self, pointer: &str) -> bool {
        let shallow = |broken: &String| {
            broken == pointer
                || broken
                    .strip_prefix(pointer)
                    .and_then(|rest| rest.strip_prefix('/'))
                    .is_some_and(|key| !key.contains('/'))
        };
        self.findings.cut || self.findings.broken.iter().any(shallow)
    }

    pub(crate) fn refused(&self, pointer: &str) -> bool {
        self.findings.touch(pointer)
    }
}

/// JSON Schema accepts `10.0` and `1e3` as integers, but serde does not. Values in a producer's JSON document
/// are not changed.
fn whole_numbers(value: &Json) -> Json {
    match value {
        Json::Array(items) => items.iter().map(whole_numbers).collect(),
        Json::Object(members) => {
            let change =
                |key: &str, value: &Json| if key == "json" { value.clone() } else { whole_numbers(value) };
            Json::Object(members.iter().map(|(key, value)| (key.clone(), change(key, value))).collect())
        }
        Json::Number(number) if number.is_f64() => {
            // Without its fraction, an integer below 2^63 parses to the same value.
            let whole = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e18);
            whole
                .and_then(|float| format!("{float:.0}").parse::<i64>().ok())
                .map_or_else(|| value.clone(), Json::from)
        }
        _ => value.clone(),
    }
}
