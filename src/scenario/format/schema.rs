//! The JSON Schema of scenario files. It is generated from the format's types and committed in `schemas/`.
//!
//! kaf6 validates each file against it. This file also simplifies the generated schema for people and
//! editors.

use std::sync::OnceLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value as Json, json};

use crate::scenario::format;

/// The schema of scenario files.
pub fn scenario() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| generate::<format::File>("kaf6 scenario file"))
}

/// The schema of profile files.
pub fn profiles() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| generate::<format::ProfileFile>("kaf6 profiles"))
}

/// The schema of scenario files as written, for editors and other tools. It is [`scenario`], except that
/// numbers, quantities and enums may also be strings that contain `${VAR}`.
pub fn written() -> Json {
    let mut schema = scenario().clone();
    allow_variables(&mut schema);
    schema
}

/// [`written`] as text, for `kaf6 schema scenario` and `schemas/scenario.schema.json`.
pub fn scenario_text() -> String {
    format!("{:#}\n", written())
}

/// Allows a variable in place of each scalar that cannot be any string. A `type` that selects a branch stays.
fn allow_variables(schema: &mut Json) {
    match schema {
        Json::Array(items) => items.iter_mut().for_each(allow_variables),
        Json::Object(object) => {
            // A variable may match several branches, so `oneOf` becomes `anyOf`.
            if let Some(branches) = object.remove("oneOf") {
                object.insert("anyOf".to_owned(), branches);
            }
            if let Some(Json::Object(properties)) = object.get_mut("properties") {
                for (name, property) in properties.iter_mut() {
                    if name != "type" || property.get("const").is_none() {
                        allow_variables(property);
                    }
                }
            }
            for (key, value) in object.iter_mut() {
                if key != "properties" && key != "const" && key != "enum" && key != "default" {
                    allow_variables(value);
                }
            }
            let is_text = |value: &Json| value == "string";
            let narrow = ["pattern", "enum", "const"].iter().any(|key| object.contains_key(*key))
                || object.get("type").is_some_and(|kind| match kind {
                    Json::Array(kinds) => !kinds.iter().any(is_text),
                    kind => ["integer", "number", "boolean"].iter().any(|scalar| kind == scalar),
                });
            if narrow {
                let description = object.remove("description");
                let own = Json::Object(std::mem::take(object));
                object.extend(description.map(|text| ("description".to_owned(), text)));
                let variable = json!({"type": "string", "pattern": r"\$\{.+\}"});
                object.insert("anyOf".to_owned(), json!([own, variable]));
            }
        }
        _ => {}
    }
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

/// Removes what optional fields and integer types add to the schema. An optional field may be omitted, but a
/// key without a value is a mistake, so `null` is rejected. Editors do not know formats such as `uint64`.
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
