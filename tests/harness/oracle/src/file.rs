//! The fields of a scenario file that affect a verdict.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A scenario that sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Its name.
    pub name: String,
    /// Where it sends.
    pub topic: String,
    /// How many messages, if the file says so.
    pub planned: Option<u64>,
    /// `acks` is 0.
    pub without_acks: bool,
    /// `verify` is not false.
    pub verify: bool,
    /// It is idempotent.
    pub idempotent: bool,
}

/// A scenario file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File {
    /// All that sends.
    pub senders: Vec<Sender>,
    /// `run.audit` is false.
    pub no_audit: bool,
    /// A fresh reader reads all of it at the end.
    pub audit: bool,
    /// Names of the consumers.
    pub consumers: Vec<String>,
    /// Some consumer starts elsewhere than at the log's start.
    pub partial: bool,
    /// Its own checks, of all types.
    pub checks: usize,
    /// The settings of its topics.
    pub settings: BTreeMap<String, BTreeSet<String>>,
}

impl File {
    /// Reads it.
    ///
    /// # Errors
    /// Where it is no YAML.
    pub fn read(text: &str) -> Result<Self, String> {
        let root: Value =
            serde_yaml::from_str(text).map_err(|error| format!("the scenario file: {error}"))?;
        let default_topic = root["topics"][0]["name"].as_str().unwrap_or_default();
        let mut file = Self {
            no_audit: root["run"]["audit"] == Value::Bool(false),
            audit: root["run"]["audit"] == Value::Bool(true),
            checks: root["checks"].as_array().map_or(0, Vec::len),
            ..Self::default()
        };
        for topic in root["topics"].as_array().into_iter().flatten() {
            let names = topic["config"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
            file.settings.insert(topic["name"].as_str().unwrap_or_default().to_owned(), names.collect());
        }
        for (name, scenario) in root["scenarios"].as_object().into_iter().flatten() {
            let number = |field: &str, default: u64| scenario[field].as_u64().unwrap_or(default);
            let planned = match scenario["type"].as_str() {
                // A duration or stages may end it before.
                Some("produce") if scenario["duration"].is_null() && scenario["stages"].is_null() => {
                    scenario["messages"].as_u64()
                }
                Some("produce") => None,
                Some("roundtrip") => Some(number("iterations", 100) + number("warmup", 5)),
                Some("consume") => {
                    file.consumers.push(name.clone());
                    file.partial |= !scenario["offset"].is_null();
                    continue;
                }
                _ => continue,
            };
            file.senders.push(Sender {
                name: name.clone(),
                topic: scenario["topic"].as_str().unwrap_or(default_topic).to_owned(),
                planned,
                without_acks: scenario["acks"] == 0 || scenario["acks"] == "0",
                verify: scenario["verify"] != Value::Bool(false),
                idempotent: scenario["idempotence"] == Value::Bool(true),
            });
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_are_read_with_their_defaults() {
        let file = File::read(
            "topics: [{name: t}]\nscenarios:\n  a: {type: produce, messages: 5, acks: 0}\n  \
             b: {type: roundtrip, iterations: 3, topic: u, verify: false}\n  c: {type: consume}\nrun: {audit: true}\n",
        )
        .expect("a file");
        let a = &file.senders[0];
        assert_eq!((a.topic.as_str(), a.planned, a.without_acks, a.verify), ("t", Some(5), true, true));
        let b = &file.senders[1];
        assert_eq!((b.topic.as_str(), b.planned, b.without_acks, b.verify), ("u", Some(8), false, false));
        assert!(file.audit && !file.no_audit && file.consumers == ["c"]);
    }
}
