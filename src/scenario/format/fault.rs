//! The faults as they are written.
//!
//! Owns the fields of each type of fault, and those that all share.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::kind::kinds;
use super::written::{Plain, Written};
use crate::units::{Bandwidth, Duration};

/// Faults by name.
pub type Faults = IndexMap<String, Fault>;

/// What every fault may say.
#[derive(Debug, Clone, Default)]
pub struct FaultCommon {
    /// The scenario or fault that must have ended.
    pub after: Option<String>,
    /// Offset from the start of the run, or from the end of `after`.
    pub at: Option<Written<Duration>>,
    /// A count to wait for.
    pub when: Option<String>,
}

macro_rules! faults {
    ($($(#[$about:meta])* $variant:ident = $tag:literal {
        $($(#[doc = $doc:expr])* $(#[schemars($($schema:tt)*)])? $(#[serde($($serde:tt)*)])? $field:ident: $kind:ty,)*
    })*) => {
        /// Something done to the cluster on purpose; `type` says what.
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
                /// The scenario or fault that must have ended, well or not. Default: nothing is waited for.
                pub after: Option<String>,
                /// Offset from the run's start, or from the end of `after`. Default: 0s.
                pub at: Option<Written<Duration>>,
                /// Starts by count in place of `at`, such as `write.acked >= 500`.
                pub when: Option<String>,
            }
        )*

        kinds! {
            /// The kinds of fault.
            FaultKind {
                $($(#[$about])* $variant = $tag,)*
            }
        }

        impl Fault {
            /// What every fault may say.
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
    /// Ends a service by a signal and starts it again.
    Restart = "restart" {
        /// The service, or one replica of it: `broker` or `broker.1`.
        target: String,
        /// The signal that ends it. Default: KILL.
        signal: Option<String>,
        /// How long it stays down. Default: 1s.
        down_for: Option<Written<Duration>>,
        /// The image that it is started from again: another version, say. Default: the same.
        image: Option<String>,
    }
    /// Ends a service by a signal.
    Stop = "stop" {
        /// The service, or one replica of it: `broker` or `broker.1`.
        target: String,
        /// The signal that ends it. Default: KILL.
        signal: Option<String>,
        /// How long it stays down. Default: until a `start` of the same target.
        #[serde(rename = "for")]
        length: Option<Written<Duration>>,
    }
    /// Starts again what a `stop` has ended.
    Start = "start" {
        /// The service, or one replica of it: `broker` or `broker.1`.
        target: String,
    }
    /// Freezes a service: its processes get no time.
    Pause = "pause" {
        /// The service, or one replica of it: `broker` or `broker.1`.
        target: String,
        /// How long.
        #[serde(rename = "for")]
        length: Written<Duration>,
    }
    /// Slows the way from one service to another down.
    Throttle = "throttle" {
        /// The way, such as `broker -> store`.
        target: String,
        /// How long.
        #[serde(rename = "for")]
        length: Written<Duration>,
        /// Added once to what goes from the first to the second; its answers come back undelayed.
        latency: Option<Written<Duration>>,
        /// Up to so much more or less latency. Default: 0s.
        jitter: Option<Written<Duration>>,
        /// Bytes in a second that pass in each direction. Default: no limit.
        bandwidth: Option<Written<Bandwidth>>,
    }
    /// Changes how many replicas of a service run.
    Scale = "scale" {
        /// The service.
        target: String,
        /// How many there are to be.
        #[schemars(range(min = 1, max = 100))]
        to: u32,
        /// How long, before there are as many as were again. Default: to the end of the run.
        #[serde(rename = "for")]
        length: Option<Written<Duration>>,
    }
    /// Runs a command inside a service; its exit code is the proof.
    Exec = "exec" {
        /// The service, or one replica of it: `broker` or `broker.1`.
        target: String,
        /// The command and its arguments.
        #[schemars(length(min = 1))]
        command: Vec<Plain>,
    }
}
