//! TLS for the probe, by the client's settings, read as librdkafka reads them.
//!
//! Owns the handshake; SASL is only recognised, so that the probe can stop before it.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{HandshakeError, SslConnector, SslFiletype, SslMethod, SslVerifyMode};

use super::connection::{self, Bounded, Connection};
use crate::kafka::Client;

/// Where systems keep their certificate authorities: the OpenSSL in kaf6 is static and has none of its own.
const BUNDLES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/openssl/cert.pem",
    "/opt/homebrew/etc/openssl@3/cert.pem",
];

fn protocol(client: &Client) -> String {
    client.property("security.protocol").unwrap_or("plaintext").to_ascii_lowercase()
}

/// Whether the client's settings ask for TLS.
pub(super) fn wanted(client: &Client) -> bool {
    matches!(protocol(client).as_str(), "ssl" | "sasl_ssl")
}

/// Whether the client's settings ask for SASL.
pub(super) fn sasl(client: &Client) -> bool {
    protocol(client).starts_with("sasl_")
}

/// Speaks TLS with a broker.
pub(super) fn handshake(
    client: &Client,
    broker: &str,
    stream: TcpStream,
    deadline: Instant,
) -> Result<Connection, String> {
    let connector = connector(client)?;
    let (host, _) = connection::split(broker)?;
    let mut configuration = connector.configure().map_err(|error| error.to_string())?;
    configuration.set_verify_hostname(
        client.property("ssl.endpoint.identification.algorithm").unwrap_or("https") != "none",
    );
    match configuration.connect(&host, Bounded::new(stream, deadline)) {
        Ok(stream) => Ok(Connection::over(stream)),
        Err(HandshakeError::SetupFailure(error)) => Err(error.to_string()),
        Err(HandshakeError::Failure(stream) | HandshakeError::WouldBlock(stream)) => {
            let verified = stream.ssl().verify_result();
            if verified != openssl::x509::X509VerifyResult::OK {
                return Err(format!("the broker's certificate does not verify: {}", verified.error_string()));
            }
            let error = stream.into_error();
            Err(match error.io_error() {
                Some(error) => connection::describe(error),
                None => format!("{error}: does the broker speak TLS on this port?"),
            })
        }
    }
}

fn connector(client: &Client) -> Result<SslConnector, String> {
    let text = |error: ErrorStack| error.to_string();
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(text)?;
    let file = |name: &str, error: ErrorStack| format!("{name} cannot be used: {error}");
    match client.property("ssl.ca.location").filter(|ca| *ca != "probe") {
        Some(ca) if Path::new(ca).is_dir() => {
            builder.load_verify_locations(None, Some(Path::new(ca))).map_err(|error| file("ca", error))?;
        }
        Some(ca) => builder.set_ca_file(ca).map_err(|error| file("ca", error))?,
        None => {
            if let Some(bundle) = BUNDLES.iter().find(|bundle| Path::new(bundle).exists()) {
                builder.set_ca_file(bundle).map_err(|error| file("the system's CA bundle", error))?;
            }
        }
    }
    if client.property("enable.ssl.certificate.verification") == Some("false") {
        builder.set_verify(SslVerifyMode::NONE);
    }
    if let Some(certificate) = client.property("ssl.certificate.location") {
        builder.set_certificate_chain_file(certificate).map_err(|error| file("certificate", error))?;
    }
    if let Some(key) = client.property("ssl.key.location") {
        if let Some(password) = client.property("ssl.key.password") {
            let pem = fs::read(key).map_err(|error| format!("key cannot be read: {error}"))?;
            let key = PKey::private_key_from_pem_passphrase(&pem, password.as_bytes())
                .map_err(|error| file("key", error))?;
            builder.set_private_key(&key).map_err(|error| file("key", error))?;
        } else {
            builder.set_private_key_file(key, SslFiletype::PEM).map_err(|error| file("key", error))?;
        }
    }
    Ok(builder.build())
}
