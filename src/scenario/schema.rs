//! The JSON Schema of scenario files: made from the raw model, committed in `schemas/`, applied to each file.
//!
//! Owns the schema's text, and how it is tidied for people and editors.

use std::sync::OnceLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value as Json, json};

use super::model;

/// The schema of scenario files.
pub fn scenario() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| generate::<model::File>("kaf6 scenario file"))
}

/// The schema of files of profiles.
pub fn profiles() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| generate::<model::ProfileFile>("kaf6 profiles"))
}

/// The schema of scenario files as text, for `kaf6 schema scenario` and `schemas/scenario.schema.json`.
pub fn scenario_text() -> String {
    format!("{:#}\n", scenario())
}

fn generate<T: JsonSchema>(title: &str) -> Json {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let mut schema = Json::from(schema);
    tidy(&mut schema);
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), json!(title));
    }
    schema
}

/// An optional field is one that may be left out; a key with nothing behind it is a mistake, so `null` is not
/// accepted. Formats such as `uint64` mean nothing to editors.
fn tidy(schema: &mut Json) {
    match schema {
        Json::Array(items) => items.iter_mut().for_each(tidy),
        Json::Object(object) => {
            if let Some(Json::Array(types)) = object.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    object.insert("type".to_owned(), one);
                }
            }
            if let Some(Json::Array(branches)) = object.get_mut("anyOf") {
                branches.retain(|branch| *branch != json!({"type": "null"}));
                if let [one] = branches.as_slice() {
                    let one = one.clone();
                    object.remove("anyOf");
                    if let Json::Object(one) = one {
                        object.extend(one);
                    }
                }
            }
            if let Some(Json::String(text)) = object.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            object.retain(|key, value| !(key == "format" && value.is_string()));
            object.values_mut().for_each(tidy);
        }
        _ => {}
    }
}
