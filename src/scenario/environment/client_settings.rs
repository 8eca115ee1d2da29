//! How clients connect: security settings and librdkafka properties.
//!
//! The password is never printed.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// How clients connect: security, and librdkafka properties by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientSettings {
    /// TLS and SASL. `None` means plaintext.
    pub security: Option<Security>,
    /// librdkafka properties. librdkafka validates them.
    pub properties: BTreeMap<String, String>,
}

/// TLS and SASL settings. `Debug` does not show the password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`.
    pub protocol: String,
    /// SASL mechanism, such as `SCRAM-SHA-512`.
    pub mechanism: Option<String>,
    /// SASL user.
    pub username: Option<String>,
    /// SASL password.
    pub password: Option<String>,
    /// PEM file of the certificate authority.
    pub ca: Option<PathBuf>,
    /// PEM file of the client certificate.
    pub certificate: Option<PathBuf>,
    /// PEM file of the client key.
    pub key: Option<PathBuf>,
}

impl std::fmt::Debug for Security {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Security")
            .field("protocol", &self.protocol)
            .field("mechanism", &self.mechanism)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "(hidden)"))
            .field("ca", &self.ca)
            .field("certificate", &self.certificate)
            .field("key", &self.key)
            .finish()
    }
}
