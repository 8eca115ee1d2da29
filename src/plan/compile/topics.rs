//! Compiles `topics`, and the topics that scenarios use.
//!
//! Defines valid topic names, the default topic, and what a compacted topic requires of keys.

use std::collections::BTreeMap;

use super::context::Context;
use super::defaults_recorder::DefaultsRecorder;
use crate::ids::Partition;
use crate::plan::compile::section::Parts;
use crate::plan::{DefaultTaken, TopicPlan, defaults};
use crate::scenario::format;
use crate::scenario::source::node::below;
use crate::scenario::template::{Function, Template};

/// The declared topics.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    pub(crate) list: Vec<TopicPlan>,
    /// The defaults that they use.
    pub(crate) defaults: Vec<DefaultTaken>,
    /// Some are invalid, so missing topics must not be reported.
    incomplete: bool,
}

/// Compiles the topics that the file declares.
pub(crate) fn declared(cx: &mut Context<'_>, parts: &Parts<'_>) -> Topics {
    let count = parts.json.pointer("/topics").and_then(|topics| Some(topics.as_array()?.len())).unwrap_or(0);
    let mut topics = Topics { incomplete: parts.refused("/topics"), ..Topics::default() };
    let mut names: Vec<(String, String)> = Vec::new();
    for index in 0..count {
        let pointer = below("/topics", index);
        let Some(raw) = parts.get::<format::Topic>(&pointer, cx) else { continue };
        let at_name = below(&pointer, "name");
        if raw.replication_factor == Some(0) {
            cx.at(
                &below(&pointer, "replication_factor"),
                "invalid replication factor `0`: expected at least 1",
                None,
            );
        }
        names.push((at_name.clone(), raw.name.clone()));
        let Some(name) = name(cx, &at_name, &raw.name) else {
            topics.incomplete = true;
            continue;
        };
        let config: BTreeMap<String, String> =
            raw.config.into_iter().flatten().map(|(key, value)| (key, value.0)).collect();
        let position = cx.document.position(cx.document.place(&pointer));
        let mut taken = DefaultsRecorder::below(format!("topics[{index}]"));
        topics.list.push(TopicPlan {
            name,
            partitions: taken.or("partitions", raw.partitions, defaults::PARTITIONS, defaults::PARTITIONS),
            replication_factor: taken.or(
                "replication_factor",
                raw.replication_factor,
                defaults::REPLICATION_FACTOR,
                defaults::REPLICATION_FACTOR,
            ),
            recreate: raw.recreate.unwrap_or(false),
            config,
            position: Some(position),
        });
        topics.defaults.extend(taken.into_taken());
    }
    cx.repeats(names.iter().map(|(pointer, name)| (pointer.clone(), name.as_str())), "topics");
    topics
}

/// Compiles a topic's name.
fn name(cx: &mut Context<'_>, pointer: &str, text: &str) -> Option<Template> {
    let template = cx.template(pointer, text)?;
    cx.no_secret(pointer, "a topic's name");
    if let Some(other) = template.functions().find(|function| *function != Function::RunId) {
        let message = format!("`{other}` differs for each message, so a topic name cannot contain it");
        cx.about_value(
            pointer,
            &message,
            Some("only `{{run_id}}` is allowed here".to_owned()),
            "a topic's name",
        );
        return None;
    }
    let sample = template.with_run_id("20260116-145402-7f3a");
    let wrong = if sample.is_empty() {
        Some("a topic name must not be empty".to_owned())
    } else if sample == "." || sample == ".." {
        Some(format!("invalid topic name `{text}`"))
    } else if sample.len() > 249 {
        Some("a topic name has at most 249 characters".to_owned())
    } else {
        sample
            .chars()
            .find(|c| !(c.is_ascii_alphanumeric() || "._-".contains(*c)))
            .map(|c| format!("invalid character {c:?} in a topic name"))
    };
    if let Some(message) = wrong {
        let hint = Some("use letters, digits, `.`, `_` and `-`".to_owned());
        cx.about_value(pointer, &message, hint, "a topic's name");
        return None;
    }
    Some(template)
}

impl Topics {
    /// The declared topics, followed by those that only scenarios name, each with its fixed partition.
    pub(crate) fn with_named<'a>(
        &self,
        named: impl Iterator<Item = (&'a Template, Option<Partition>)>,
    ) -> Vec<TopicPlan> {
        let mut topics = self.list.clone();
        let declared = topics.len();
        for (name, fixed) in named {
            let partitions = fixed.map_or(defaults::PARTITIONS, |partition| partition + 1);
            match topics.iter().position(|topic| topic.name == *name) {
                Some(index) if index < declared => {}
                // The topic needs enough partitions for scenarios with a fixed partition.
                Some(index) => topics[index].partitions = topics[index].partitions.max(partitions),
                None => topics.push(TopicPlan {
                    name: name.clone(),
                    partitions,
                    replication_factor: defaults::REPLICATION_FACTOR,
                    recreate: false,
                    config: BTreeMap::new(),
                    position: None,
                }),
            }
        }
        topics
    }

    /// The topic of a scenario: the one it names, or else the only declared one.
    pub(crate) fn used(
        &self,
        cx: &mut Context<'_>,
        scenario: &str,
        written: Option<&str>,
        partition: Option<i32>,
        taken: &mut DefaultsRecorder,
    ) -> Option<Template> {
        let at_topic = below(scenario, "topic");
        let found = match (written, self.list.as_slice()) {
            (Some(text), _) => name(cx, &at_topic, text),
            _ if self.incomplete => None,
            (None, [only]) => {
                taken.note("topic", &only.name);
                Some(only.name.clone())
            }
            (None, []) => {
                let hint = Some("add `topic: name`, or declare one under `topics`".to_owned());
                cx.at_key(scenario, "the scenario names no topic, and the file declares none", hint);
                None
            }
            (None, several) => {
                let names: Vec<String> = several.iter().map(|t| format!("`topic: {}`", t.name)).collect();
                let hint = Some(format!("add {}", names.join(" or ")));
                cx.at_key(scenario, "the scenario names no topic, and the file declares several", hint);
                None
            }
        }?;
        if let (Some(partition), Some(topic)) = (partition, self.list.iter().find(|t| t.name == found)) {
            let partitions = topic.partitions;
            if partition >= partitions {
                let noun = if partitions == 1 { "partition" } else { "partitions" };
                let message =
                    format!("unknown partition: `{}` is declared with {partitions} {noun}", topic.name);
                let hint =
                    Some(format!("partitions are numbered from 0, so the last one is {}", partitions - 1));
                cx.at(&below(scenario, "partition"), message, hint);
            }
        }
        Some(found)
    }

    /// Checks a scenario's keys against its topic. A compacted topic rejects records without a key. A key
    /// that is rendered twice must be the same both times.
    pub(crate) fn check_key(&self, cx: &mut Context<'_>, scenario: &str, topic: &Template, key: Key<'_>) {
        if !self.list.iter().any(|declared| declared.name == *topic && is_compacted(&declared.config)) {
            return;
        }
        let at_key = below(scenario, "key");
        if !key.is_written {
            let hint = Some("add a `key`, such as `key: \"{{client}}\"`".to_owned());
            let message = "the messages have no key, but brokers reject such messages for a \
            compacted topic";
            return cx.at_key(scenario, message, hint);
        }
        let differs = |function: &Function| matches!(function, Function::Now | Function::Random(_));
        if let Some(function) = key.template.and_then(|key| key.functions().find(differs))
            && key.is_verified
        {
            let message = format!(
                "`{function}` is not allowed in the key of a compacted topic: kaf6 renders the key again to find a later record of the same key"
            );
            let hint = "use `{{seq}}`, `{{uuid}}`, `{{client}}` or `{{partition}}`, or set \
            `verify: false`";
            cx.about_value(&at_key, &message, Some(hint.to_owned()), "a key for a compacted topic");
        }
    }
}

/// The key of a scenario's messages.
#[derive(Clone, Copy)]
pub(crate) struct Key<'a> {
    /// The file defines a key.
    pub(crate) is_written: bool,
    /// `None` if the key is missing or not a valid template.
    pub(crate) template: Option<&'a Template>,
    /// The messages must be read back.
    pub(crate) is_verified: bool,
}

/// Whether the topic configuration keeps only the last record of each key.
fn is_compacted(config: &BTreeMap<String, String>) -> bool {
    let policy = config.get("cleanup.policy");
    policy.is_some_and(|policy| policy.split(',').any(|policy| policy.trim() == "compact"))
}
