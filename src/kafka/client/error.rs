//! Errors before a message is sent: settings that librdkafka rejects, and clients that it cannot create.
//!
//! No error contains the value of a property, so secrets cannot appear in a report.

use crate::kafka::Code;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A client property is unknown, or its value is invalid.
    #[error("client property `{name}`: {reason}")]
    Property {
        name: String,
        /// The reason, without the value.
        reason: String,
    },
    /// librdkafka accepted each property, but cannot create a client from them.
    #[error("cannot create a Kafka client from these settings: {reason}")]
    Client {
        /// librdkafka's error text.
        reason: String,
    },
    /// A request failed or timed out.
    #[error("{what}: {}", code.in_words())]
    Request { what: String, code: Code },
    /// The embedded broker cannot serve the run.
    #[error("the embedded broker {reason}")]
    Embedded {
        /// The reason, as the rest of the sentence.
        reason: String,
    },
}

impl Error {
    /// The code of a failed request; `None` for errors of settings.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Request { code, .. } => Some(*code),
            _ => None,
        }
    }
}
