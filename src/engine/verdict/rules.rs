//! The rules by which a topic's settings let a broker remove records, as far as they are known.

use std::time::Instant;

use crate::engine::context::run_context::RunContext;
use crate::engine::context::topology::Topology;
use crate::kafka::probe::{self, TopicSettings};
use crate::observe::{Note, Retention};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// These settings apply: the broker's, or those in the file if this run created the topic.
    Known(TopicSettings),
    /// The topic existed before, and the broker does not report its settings.
    Unknown,
    /// The embedded broker keeps a fixed amount per partition.
    Embedded,
}

impl Rules {
    /// For a topic, by its index in the run.
    pub(crate) fn of(context: &RunContext, topology: &Topology, topic: usize) -> Self {
        if context.client.is_embedded() {
            return Self::Embedded;
        }
        let state = &topology.topics[topic];
        let until = Instant::now() + context.client.waits().answer;
        match probe::topic_settings(&context.client, &state.name, until) {
            Ok(settings) => Self::Known(settings),
            Err(why) if state.birth.is_some() => {
                context.notes.add(Note::hint(format!(
                    "the broker does not report the settings of `{}` ({why}): kaf6 uses the file's \
                    `config` and Kafka's defaults to decide which records may be removed",
                    state.name
                )));
                Self::Known(TopicSettings::of_config(&context.plan.topics[topic].config))
            }
            Err(why) => {
                context.notes.add(Note::warning(format!(
                    "the settings of `{}` are unknown ({why}): kaf6 cannot tell whether retention \
                    or compaction explains missing records",
                    state.name
                )));
                Self::Unknown
            }
        }
    }

    /// What is known without a request to the broker.
    pub(crate) fn unasked(context: &RunContext) -> Self {
        if context.client.is_embedded() { Self::Embedded } else { Self::Unknown }
    }

    /// Whether the bytes after a record matter.
    pub(crate) const fn counts_bytes(self) -> bool {
        match self {
            Self::Known(settings) => settings.retention_bytes.is_some(),
            Self::Unknown => false,
            Self::Embedded => true,
        }
    }

    pub(crate) const fn retention(self) -> Retention {
        match self {
            Self::Known(_) => Retention::Settings,
            Self::Unknown => Retention::Unknown,
            Self::Embedded => Retention::Embedded,
        }
    }

    /// Whether old records, or those before enough others, may be removed.
    pub(crate) const fn deletes(self) -> bool {
        match self {
            Self::Known(settings) => settings.deletes,
            Self::Unknown | Self::Embedded => true,
        }
    }

    /// Whether a record may be removed after a later one with its key.
    pub(crate) fn compacts(self) -> bool {
        match self {
            Self::Known(settings) => settings.compacted,
            Self::Unknown => true,
            Self::Embedded => false,
        }
    }

    /// The setting that removes records, for a note.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Known(TopicSettings { compacted: true, deletes: false, .. }) => "`cleanup.policy: compact`",
            Self::Known(TopicSettings { compacted: true, .. }) => {
                "`cleanup.policy: compact`, `retention.ms` or `retention.bytes`"
            }
            Self::Known(TopicSettings { retention_bytes: None, .. }) => "`retention.ms`",
            Self::Known(_) => "`retention.ms` or `retention.bytes`",
            Self::Unknown => "topic settings that the broker does not report",
            Self::Embedded => {
                "the embedded broker, which keeps only the newest 5 MiB or so of a \
            partition"
            }
        }
    }
}
