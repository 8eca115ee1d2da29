//! `summary.json`: reads and writes it. All other reports are rendered from it.
//!
//! Also provides its JSON Schema. An invalid file causes a clear error, never a panic.

use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::Value;

use super::summary::{SCHEMA_VERSION, Summary};
use crate::anomaly::Anomaly;
use crate::scenario::Secrets;

/// Maximum size of a file. A run of one hour with 256 partitions has well under 1 MiB.
const MAX_BYTES: usize = 256 << 20;

/// Why a file is not a valid summary.
#[derive(Debug, thiserror::Error)]
pub enum ReadSummaryError {
    /// The file is not JSON.
    #[error("invalid JSON")]
    NotJson(#[source] serde_json::Error),
    #[error("not a kaf6 summary")]
    NotSummary(#[source] serde_json::Error),
    /// The format is newer than this version of kaf6 supports.
    #[error(
        "unsupported schema_version {found}: this kaf6 reads versions up to {SCHEMA_VERSION}; use \
        a newer kaf6"
    )]
    Newer {
        /// The version in the file.
        found: u64,
    },
    /// The version is lower than the first one.
    #[error("invalid schema_version {found}: no such version exists")]
    NoSuchVersion {
        /// The version in the file.
        found: u64,
    },
    /// The file is larger than any run writes.
    #[error("the summary is too large: {bytes} bytes, at most {MAX_BYTES} are read")]
    TooLarge { bytes: usize },
}

/// The file's content: indented, with members in the order of the types and a line feed at the end.
///
/// # Errors
///
/// Does not happen in practice: every value of the types can be written as JSON.
pub fn to_json(summary: &Summary) -> Result<Vec<u8>, serde_json::Error> {
    pretty(summary)
}

/// Members whose values are kaf6's own words. The values that are such words in any member follow.
const OWN_MEMBERS: [&str; 8] = ["status", "result", "level", "kind", "type", "ended", "run_id", "run_tag"];
const OWN_WORDS: [&str; 6] = ["pass", "fail", "inconclusive", "error", "warning", "hint"];

/// The summary with all secrets hidden: in names, messages and the text of the file.
///
/// # Panics
///
/// Never: what was serialized can be deserialized.
#[expect(
    clippy::expect_used,
    reason = "the same types write and read it, and a report with secrets is worse"
)]
pub fn hide(summary: Summary, secrets: &Secrets) -> Summary {
    if secrets.is_empty() {
        return summary;
    }
    let mut value = serde_json::to_value(summary).expect("a summary can be written");
    hide_in(&mut value, secrets);
    serde_json::from_value(value).expect("a summary is read as it is written")
}

fn hide_in(value: &mut Value, secrets: &Secrets) {
    match value {
        Value::String(text) if OWN_WORDS.contains(&text.as_str()) => {}
        Value::String(text) => secrets.hide_from(text),
        Value::Array(items) => items.iter_mut().for_each(|item| hide_in(item, secrets)),
        Value::Object(members) => {
            for (name, mut member) in std::mem::take(members) {
                if !(member.is_string() && OWN_MEMBERS.contains(&name.as_str())) {
                    hide_in(&mut member, secrets);
                }
                members.insert(name, member);
            }
        }
        _ => {}
    }
}

/// Any report type as indented JSON with a line feed at the end.
pub(super) fn pretty(value: &impl serde::Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Parses a summary.
///
/// # Errors
///
/// If the bytes are not JSON, not a summary, or in a newer format.
pub fn from_json(bytes: &[u8]) -> Result<Summary, ReadSummaryError> {
    #[derive(Deserialize)]
    struct SummaryVersion {
        schema_version: u64,
    }
    if bytes.len() > MAX_BYTES {
        return Err(ReadSummaryError::TooLarge { bytes: bytes.len() });
    }
    // The version is read first. A newer format may lack required members, and the error must not call it
    // broken.
    let version: SummaryVersion = serde_json::from_slice(bytes).map_err(|e| match e.classify() {
        serde_json::error::Category::Data => ReadSummaryError::NotSummary(e),
        _ => ReadSummaryError::NotJson(e),
    })?;
    match version.schema_version {
        found if found > u64::from(SCHEMA_VERSION) => Err(ReadSummaryError::Newer { found }),
        0 => Err(ReadSummaryError::NoSuchVersion { found: 0 }),
        _ => serde_json::from_slice(bytes).map(renamed).map_err(ReadSummaryError::NotSummary),
    }
}

/// Replaces old names of anomalies with the current ones.
fn renamed(mut summary: Summary) -> Summary {
    for (was, row) in std::mem::take(&mut summary.anomalies) {
        let name = Anomaly::from_name(&was).map_or(was, |anomaly| anomaly.name().to_owned());
        summary.anomalies.insert(name, row);
    }
    summary
}

/// The JSON Schema of the file, as in `schemas/summary.schema.json`.
///
/// # Errors
///
/// Does not happen in practice.
pub fn summary_schema() -> Result<Vec<u8>, serde_json::Error> {
    let schema =
        SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Summary>();
    pretty(&schema)
}
