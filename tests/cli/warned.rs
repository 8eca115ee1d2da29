//! Tests warnings about valid files with a likely mistake: printed on stderr, without effect on the exit code.

use crate::place::{Place, text};

const SLIP: &str = "
brokers: embedded
topics: [{name: orders, partitions: 1}]
scenarios:
  write: {type: produce, messages: 10, verify: false}
  read: {type: consume, topic: ordres, idle_timeout: 200ms, timeout: 2s}
";

#[test]
fn a_likely_slip_is_said_once_by_each_command_and_refuses_nothing() {
    let place = Place::new();
    place.write("slip.yaml", SLIP);
    let said = "slip.yaml:6:32: warning: no scenario in the file produces to `ordres`";
    for (words, good) in [
        (&["validate", "slip.yaml"][..], true),
        (&["plan", "slip.yaml"][..], true),
        (&["run", "slip.yaml"][..], false),
    ] {
        let output = place.output(words);
        let stderr = text(&output.stderr);
        assert_eq!(stderr.matches(said).count(), 1, "{words:?}: {stderr}");
        assert!(stderr.contains("did you mean `orders`?"), "{stderr}");
        assert!(!text(&output.stdout).contains("warning:"));
        assert!(!good || output.status.success(), "{stderr}");
        assert_ne!(output.status.code(), Some(2));
    }
    // Messages without a reader must not look verified.
    let output = place.output(&["run", "slip.yaml", "-q", "--run-id", "slip"]);
    assert_eq!(output.status.code(), Some(3));
    let reason = place.json("reports/slip/summary.json")["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.contains("no scenario in the file produces to `ordres`, so `read` verified nothing"),
        "{reason}"
    );
    for said in [", from: any", ", from: any, limit: 1"] {
        place.write("any.yaml", &SLIP.replace("topic: ordres", &format!("topic: ordres{said}")));
        let shown = text(&place.output(&["run", "any.yaml", "-q"]).stdout);
        assert!(!shown.contains("verified nothing"), "{shown}");
    }
    let checked = format!("{SLIP}checks: [{{type: count_equals, scenario: read, expected: 0}}]\n");
    place.write("checked.yaml", &checked);
    assert_eq!(place.code(&["run", "checked.yaml", "-q"]), 0, "the file says what it wants of it");
    let quiet = place.output(&["run", "slip.yaml", "--quiet"]);
    assert!(!text(&quiet.stderr).contains("warning:"));
}
