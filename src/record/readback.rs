//! Readers that kaf6 adds itself, to read back what no reader of the file reads completely.

/// How their names begin. Names in scenario files have no colon.
const PREFIX: &str = "verify:";

/// Whether a scenario of this name is one of them.
pub fn is_readback(scenario: &str) -> bool {
    scenario.starts_with(PREFIX)
}
