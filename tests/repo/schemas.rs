//! Verifies that the committed schemas match the code.
//!
//! To update them: `UPDATE_SCHEMAS=1 cargo test --test repo schemas`.
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
        "schemas/{name} is not what the model says; run `UPDATE_SCHEMAS=1 cargo test --test repo schemas` and commit it"
    );
}

#[test]
fn the_scenario_schema_is_the_models() {
    holds("scenario.schema.json", &kaf6::scenario::format::schema::scenario_text());
}

#[test]
fn it_is_a_good_schema() {
    jsonschema::meta::validate(kaf6::scenario::format::schema::scenario()).unwrap();
    jsonschema::meta::validate(kaf6::scenario::format::schema::profiles()).unwrap();
}

/// Files as they are written, before variables are replaced, with their names.
fn written() -> Vec<(String, String)> {
    let read = |path: &Path| std::fs::read_to_string(path).expect("it is text");
    let mut files = Vec::new();
    for folder in ["examples", "templates/init", "docs", "docs/ci", "."] {
        for entry in std::fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be listed").path();
            let name = path.display().to_string();
            match path.extension().and_then(|ending| ending.to_str()) {
                Some("yaml") => files.push((name, read(&path))),
                Some("md") => {
                    let text = read(&path);
                    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
                    let whole = |block: &&str| block.lines().any(|line| line.starts_with("scenarios:"));
                    files.extend(blocks.filter(whole).map(|block| (name.clone(), block.to_owned())));
                }
                _ => {}
            }
        }
    }
    for name in kaf6::scenario::environment::preset::names() {
        let services = kaf6::scenario::environment::preset::text(name).expect("it is there");
        let services = services.lines().map(|line| format!("  {line}\n")).collect::<String>();
        files.push((name.to_owned(), format!("cluster:\n{services}scenarios: {{a: {{type: connect}}}}\n")));
    }
    files
}

#[test]
fn all_examples_docs_and_presets_fit_the_schema_as_they_are_written() {
    let validator =
        jsonschema::validator_for(&kaf6::scenario::format::schema::written()).expect("a good schema");
    let files = written();
    assert!(files.len() > 15, "{}", files.len());
    for (name, text) in files {
        let file: serde_json::Value =
            serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
        let wrong: Vec<String> =
            validator.iter_errors(&file).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}\n{text}");
    }
}

#[test]
fn the_schema_takes_variables_and_still_finds_slips() {
    let validator =
        jsonschema::validator_for(&kaf6::scenario::format::schema::written()).expect("a good schema");
    let fits = |scenario: &str| {
        let file: serde_json::Value =
            serde_yaml::from_str(&format!("scenarios: {{w: {scenario}}}")).expect("YAML");
        validator.is_valid(&file)
    };
    for good in [
        "{type: produce, messages: '${N:-1000}', rate: '${RATE}', acks: '${ACKS}', idempotence: '${ON}'}",
        "{type: produce, messages: 5, rate: 50/s, acks: all, value: {size: '${SIZE}'}}",
    ] {
        assert!(fits(good), "{good}");
    }
    for wrong in [
        "{type: produce, mesages: 5}",
        "{type: produce, messages: many}",
        "{type: produce, messages: 5, rate: fast}",
        "{type: produce, messages: 5, acks: most}",
        "{type: prodce, messages: 5}",
        "{type: '${TYPE}', messages: 5}",
    ] {
        assert!(!fits(wrong), "{wrong}");
    }
}
