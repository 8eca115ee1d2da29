//! The committed schemas are those that the code has.
//!
//! To write them anew: `UPDATE_SCHEMAS=1 cargo test --test schemas`.
#![expect(clippy::expect_used, reason = "a test ends where it cannot go on")]

use std::path::Path;

fn holds(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(name);
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, text).expect("the folder is there");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "schemas/{name} is not what the model says; run `UPDATE_SCHEMAS=1 cargo test --test schemas` and commit it"
    );
}

#[test]
fn the_scenario_schema_is_the_models() {
    holds("scenario.schema.json", &kaf6::scenario::schema::scenario_text());
}

#[test]
fn it_is_a_good_schema() {
    jsonschema::meta::validate(kaf6::scenario::schema::scenario()).unwrap();
    jsonschema::meta::validate(kaf6::scenario::schema::profiles()).unwrap();
}
