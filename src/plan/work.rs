//! What can be said of a scenario's work without knowing its kind.

use super::{ScenarioPlan, Work};

impl Work {
    /// The type as files write it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Metrics(_) => "metrics",
            Self::Produce(_) => "produce",
            Self::Consume(_) => "consume",
            Self::Roundtrip(_) => "roundtrip",
            Self::Watch(_) => "watch",
        }
    }

    /// What it is to reach: messages, limit or round trips.
    pub const fn planned(&self) -> Option<u64> {
        match self {
            Self::Produce(p) => p.messages,
            Self::Consume(c) => c.limit,
            Self::Roundtrip(r) => Some(r.iterations),
            Self::Connect(_) | Self::Metrics(_) | Self::Watch(_) => None,
        }
    }

    /// It talks to brokers.
    pub const fn needs_kafka(&self) -> bool {
        !matches!(self, Self::Metrics(_))
    }
}

impl ScenarioPlan {
    /// It ends with the last other scenario.
    pub const fn is_background(&self) -> bool {
        match &self.work {
            Work::Metrics(metrics) => metrics.every.is_some(),
            Work::Watch(_) => true,
            _ => false,
        }
    }
}
