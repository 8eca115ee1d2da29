//! TLS for the probe, from the client's settings, read like librdkafka reads them.
//!
//! SASL is only detected, so that the probe can stop before it.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{HandshakeError, SslConnector, SslFiletype, SslMethod, SslVerifyMode};

use super::connection::{self, Bounded, Connection};
use crate::kafka::Client;

/// Paths of the system's certificate authorities. The OpenSSL in kaf6 is linked statically and has no default path.
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

/// Whether the client's settings require TLS.
pub(super) fn wanted(client: &Client) -> bool {
    matches!(protocol(client).as_str(), "ssl" | "sasl_ssl")
}

/// Performs the TLS handshake with a broker.
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
                return Err(format!("cannot verify the broker's certificate: {}", verified.error_string()));
            }
            let error = stream.into_error();
            Err(match error.io_error() {
                Some(error) => connection::describe(error),
                None => format!("{error}: check that the broker uses TLS on this port"),
            })
        }
    }
}

fn connector(client: &Client) -> Result<SslConnector, String> {
    let text = |error: ErrorStack| error.to_string();
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(text)?;
    let file = |name: &str, error: ErrorStack| format!("cannot use {name}: {error}");
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
            let pem = fs::read(key).map_err(|error| format!("cannot read key: {error}"))?;
            let key = PKey::private_key_from_pem_passphrase(&pem, password.as_bytes())
                .map_err(|error| file("key", error))?;
            builder.set_private_key(&key).map_err(|error| file("key", error))?;
        } else {
            builder.set_private_key_file(key, SslFiletype::PEM).map_err(|error| file("key", error))?;
        }
    }
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::time::Duration;

    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::rsa::Rsa;
    use openssl::ssl::SslAcceptor;
    use openssl::x509::extension::SubjectAlternativeName;
    use openssl::x509::{X509, X509NameBuilder};

    use super::*;
    use crate::kafka::probe::probe;
    use crate::plan::{ClientSettings, Security};

    /// Starts a server for one connection with a self-signed certificate for `localhost`. Returns its port and the
    /// certificate.
    fn server() -> (u16, Vec<u8>) {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", "localhost").unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
        let names = SubjectAlternativeName::new().dns("localhost").build(&builder.x509v3_context(None, None));
        builder.append_extension(names.unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let certificate = builder.build();
        let pem = certificate.to_pem().unwrap();
        let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls_server()).unwrap();
        acceptor.set_private_key(&key).unwrap();
        acceptor.set_certificate(&certificate).unwrap();
        let acceptor = acceptor.build();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            if let Ok(mut stream) = acceptor.accept(stream) {
                let _ = stream.write_all(&[0; 64]);
            }
        });
        (port, pem)
    }

    /// The name and the error of a probe's last step.
    fn last(host: &str, port: u16, security: Security) -> (&'static str, String) {
        let settings = ClientSettings { security: Some(security), ..ClientSettings::default() };
        let client = Client::new(&[format!("{host}:{port}")], &settings).unwrap();
        let probe = probe(&client, &client.brokers()[0], &[], Instant::now() + Duration::from_secs(5));
        let last = probe.stages.last().unwrap();
        (last.name, last.error.clone().unwrap_or_default())
    }

    fn tls() -> Security {
        Security { protocol: "ssl".into(), ..Security::default() }
    }

    #[test]
    fn a_certificate_verifies_by_its_authority_and_name_or_the_reason_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let trusting = |pem: Vec<u8>| {
            let ca = folder.path().join("ca.pem");
            fs::write(&ca, pem).unwrap();
            Security { ca: Some(ca), ..tls() }
        };
        // TLS succeeds, and the next step fails because the server does not speak Kafka.
        let (port, pem) = server();
        let (step, error) = last("localhost", port, trusting(pem));
        assert_eq!(step, "api_versions", "{error}");
        assert!(error.contains("the port of a Kafka broker"), "{error}");
        let (port, pem) = server();
        let (step, error) = last("127.0.0.1", port, trusting(pem));
        assert_eq!(step, "tls");
        assert!(error.contains("cannot verify"), "{error}");
        let (port, _) = server();
        let (step, error) = last("localhost", port, tls());
        assert_eq!(step, "tls");
        assert!(error.contains("cannot verify"), "{error}");
    }

    #[test]
    fn a_port_without_tls_is_named_so() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad Request"));
        let (step, error) = last("localhost", port, tls());
        assert_eq!(step, "tls");
        assert!(error.contains("that the broker uses TLS"), "{error}");
    }
}
