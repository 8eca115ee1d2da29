//! Values that are stored as text and parsed later, when their position is known.
//!
//! Defines the few field types that accept more than one JSON type.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

/// A quantity as written. It has the schema of `T` and is parsed when its position is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    pub text: String,
    kind: PhantomData<T>,
}

/// A string, number or boolean where a string is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain(pub String);

#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Other(serde_json::Value),
}

impl Form {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        Ok(match Self::deserialize(deserializer)? {
            Self::Text(text) => text,
            Self::Other(value) => value.to_string(),
        })
    }
}

impl<'de, T> Deserialize<'de> for Written<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { text: Form::read(deserializer)?, kind: PhantomData })
    }
}

impl<T: JsonSchema> JsonSchema for Written<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Form::read(deserializer).map(Self)
    }
}

impl JsonSchema for Plain {
    fn schema_name() -> Cow<'static, str> {
        "Plain".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "a string, a number, or true or false", "type": ["string", "number", "boolean"]})
    }
}
