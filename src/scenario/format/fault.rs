//! The fault types as a file defines them.
//!
//! Defines the fields of each type and the fields that all types share.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::written::{Plain, Written};
use crate::units::{Bandwidth, Duration};

pub type Faults = IndexMap<String, Fault>;

/// The fields that every fault shares.
#[derive(Debug, Clone, Default)]
pub struct FaultCommon {
    /// The scenario or fault that must have ended.
    pub after: Option<String>,
    /// Delay after the start of the run, or after the end of `after`.
    pub at: Option<Written<Duration>>,
    /// A count to wait for, such as `write.acked >= 500`.
    pub when: Option<String>,
}

/// How a link is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CutMode {
    /// Bytes vanish. Connections stay open, and new ones are accepted.
    Blackhole,
    /// Connections are reset, and new ones are refused.
    Reset,
    /// New connections are refused, and open ones stay.
    Refuse,
}

/// A direction of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CutDirection {
    /// In both directions.
    Both,
    /// From the first service to the second.
    Out,
    /// From the second service to the first.
    In,
}

macro_rules! faults {
    ($($(#[$about:meta])* $variant:ident = $tag:literal {
        $($(#[doc = $doc:expr])* $(#[schemars($($schema:tt)*)])? $(#[serde($($serde:tt)*)])? $field:ident: $kind:ty,)*
    })*) => {
        /// A fault to inject into the cluster. `type` selects its kind.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        #[serde(tag = "type")]
        pub enum Fault {
            $($(#[$about])* #[serde(rename = $tag)] $variant($variant),)*
        }

        $(
            $(#[$about])*
            #[derive(Debug, Clone, Deserialize, JsonSchema)]
            #[serde(deny_unknown_fields)]
            pub struct $variant {
                $($(#[doc = $doc])* $(#[schemars($($schema)*)])? $(#[serde($($serde)*)])? pub $field: $kind,)*
                /// The scenario or fault that must have ended, with any result. Default: do not wait.
                pub after: Option<String>,
                /// Delay after the start of the run, or after the end of `after`. Default: 0s.
                pub at: Option<Written<Duration>>,
                /// Start when a count is reached, such as `write.acked >= 500`. Replaces `at`.
                pub when: Option<String>,
            }
        )*

        kinds! {
            /// The kinds of faults.
            FaultKind {
                $($(#[$about])* $variant = $tag,)*
            }
        }

        impl Fault {
            /// The fields that every fault shares.
            pub fn common(&self) -> FaultCommon {
                match self {
                    $(Self::$variant(it) => FaultCommon {
                        after: it.after.clone(),
                        at: it.at.clone(),
                        when: it.when.clone(),
                    },)*
                }
            }
        }
    };
}

faults! {
    /// Stops a service with a signal and starts it again.
    Restart = "restart" {
        /// The service, or one of its replicas: `broker` or `broker.1`.
        target: String,
        /// The signal to send. Default: KILL.
        signal: Option<String>,
        /// How long the service stays down. Default: 1s.
        down_for: Option<Written<Duration>>,
        /// The image to start again from, for example another version. Default: the same.
        image: Option<String>,
    }
    /// Stops a service with a signal.
    Stop = "stop" {
        /// The service, or one of its replicas: `broker` or `broker.1`.
        target: String,
        /// The signal to send. Default: KILL.
        signal: Option<String>,
        /// How long the service stays down. Default: until a `start` fault with the same target.
        #[serde(rename = "for")]
        length: Option<Written<Duration>>,
    }
    /// Starts a service that a `stop` fault has stopped.
    Start = "start" {
        /// The service, or one of its replicas: `broker` or `broker.1`.
        target: String,
    }
    /// Freezes all processes of a service.
    Pause = "pause" {
        /// The service, or one of its replicas: `broker` or `broker.1`.
        target: String,
        /// How long the fault lasts.
        #[serde(rename = "for")]
        length: Written<Duration>,
    }
    /// Adds latency or limits bandwidth between two services.
    Throttle = "throttle" {
        /// The connection, such as `broker -> store`.
        target: String,
        /// How long the fault lasts.
        #[serde(rename = "for")]
        length: Written<Duration>,
        /// Latency added in the direction of the arrow. The reverse direction is not delayed.
        latency: Option<Written<Duration>>,
        /// Maximum random deviation above or below the latency. Default: 0s.
        jitter: Option<Written<Duration>>,
        /// Maximum bytes per second in each direction. Default: no limit.
        bandwidth: Option<Written<Bandwidth>>,
    }
    /// Cuts the connections between two services.
    Cut = "cut" {
        /// The connection, such as `broker -> store`.
        target: String,
        /// How long the fault lasts.
        #[serde(rename = "for")]
        length: Written<Duration>,
        /// What happens to connections. Default: blackhole.
        mode: Option<CutMode>,
        /// The direction in which a `blackhole` discards bytes. Default: both.
        direction: Option<CutDirection>,
    }
    /// Changes the number of replicas of a service.
    Scale = "scale" {
        /// The service.
        target: String,
        /// The new number of replicas.
        #[schemars(range(min = 1, max = 100))]
        to: u32,
        /// Time until the previous number is restored. Default: until the end of the run.
        #[serde(rename = "for")]
        length: Option<Written<Duration>>,
    }
    /// Runs a command in a service. The fault takes effect if the command exits with 0.
    Exec = "exec" {
        /// The service, or one of its replicas: `broker` or `broker.1`.
        target: String,
        /// The command and its arguments.
        #[schemars(length(min = 1))]
        command: Vec<Plain>,
    }
}
