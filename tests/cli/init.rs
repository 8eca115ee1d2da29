//! Tests that the file of `kaf6 init` is valid and passes.

use crate::place::{Place, text};

#[test]
fn what_it_writes_validates_and_runs() {
    let place = Place::new();
    let output = place.output(&["init"]);
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!("init", text(&output.stdout));
    assert_eq!(place.code(&["validate", "kaf6"]), 0);
    assert_eq!(place.code(&["run", "kaf6", "--embedded", "-q", "--env", "KAFKA_BROKERS=unused:1"]), 0);
}

#[test]
fn it_writes_over_nothing_unless_told_to() {
    let place = Place::new();
    let scenario = place.write("here/kaf6/smoke.yaml", "mine");
    let refused = place.output(&["init", "here"]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(
        text(&refused.stderr),
        "error: here/kaf6/smoke.yaml already exists; use --force to overwrite it\n"
    );
    assert_eq!(std::fs::read_to_string(&scenario).unwrap(), "mine");
    assert_eq!(place.names("here"), ["kaf6"], "nothing is half written");
    assert_eq!(place.code(&["init", "here", "--force"]), 0);
    assert_ne!(std::fs::read_to_string(&scenario).unwrap(), "mine");
    assert_eq!(place.names("here"), [".github", "kaf6"]);
}
