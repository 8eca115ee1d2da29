//! Errors before a message is sent: settings that librdkafka rejects, and clients that it cannot create.
//!
//! No error contains the value of a property, so no secret can get into a report.

use crate::kafka::Code;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A client property is unknown, or its value is refused.
    #[error("client property `{name}`: {reason}")]
    Property {
        name: String,
        /// Why, without the value.
        reason: String,
    },
    /// librdkafka accepted each setting, but cannot create a client from them.
    #[error("cannot create a Kafka client from these settings: {reason}")]
    Client {
        /// Why, in librdkafka's words.
        reason: String,
    },
    /// A request failed or did not end in time.
    #[error("{what}: {} {}", code.text(), code.aside())]
    Request { what: String, code: Code },
    /// The embedded broker cannot serve the run.
    #[error("the embedded broker {reason}")]
    Embedded {
        /// Why, as the rest of the sentence.
        reason: String,
    },
}

impl Error {
    /// The code of a failed request; none for errors of settings.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Request { code, .. } => Some(*code),
            _ => None,
        }
    }
}
