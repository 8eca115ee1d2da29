//! How clients connect: converts brokers, security and properties to librdkafka's configuration.
//!
//! Contains the properties that kaf6 sets and those that it rejects; librdkafka validates the rest.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::properties::{self, set};
use crate::kafka::ffi::{ClientKind, Config, Handle};
use crate::kafka::{Embedded, Error, LogLines, Waits};
use crate::metrics::Throttling;
use crate::plan::{ClientSettings, Security};
use crate::scenario::{ClientJudge, Refusal};

/// Brokers and connection settings, from which producers, readers and single requests are created. Clones share their
/// log lines.
#[derive(Clone)]
pub struct Client {
    brokers: Vec<String>,
    properties: Arc<[(String, String)]>,
    embedded: bool,
    logs: LogLines,
    throttling: Arc<Mutex<Throttling>>,
    waits: Waits,
}

impl Client {
    /// Settings for these brokers (`host:port` each).
    ///
    /// # Errors
    ///
    /// [`Error::Property`] for the first property that librdkafka rejects or that kaf6 sets itself (such as `group.id`
    /// and `bootstrap.servers`). [`Error::Client`] if the combination is invalid (for example, if a CA file cannot be
    /// read).
    pub fn new(brokers: &[String], settings: &ClientSettings) -> Result<Self, Error> {
        Self::checked(brokers.to_vec(), settings, false)
    }

    /// Settings for the embedded broker: no security, and shorter waits.
    ///
    /// # Errors
    ///
    /// Those of [`Client::new`].
    pub fn embedded(embedded: &Embedded, settings: &ClientSettings) -> Result<Self, Error> {
        let settings = ClientSettings { security: None, ..settings.clone() };
        Self::checked(embedded.bootstrap(), &settings, true)
    }

    fn checked(brokers: Vec<String>, settings: &ClientSettings, embedded: bool) -> Result<Self, Error> {
        for name in settings.properties.keys() {
            if let Some(instead) = properties::owned(name) {
                return Err(Error::Property {
                    name: name.clone(),
                    reason: format!("not allowed in a scenario file: {instead}"),
                });
            }
        }
        let mut properties = settings.security.as_ref().map(security_properties).unwrap_or_default();
        properties.extend(settings.properties.iter().map(|(name, value)| (name.clone(), value.clone())));
        let properties = properties.into();
        let client = Self {
            brokers,
            properties,
            embedded,
            logs: LogLines::default(),
            throttling: Arc::default(),
            waits: Waits::default(),
        };
        // Validate each property, and then all of them together, which reads certificates and keys. Without brokers,
        // the client connects to nothing. Its log lines are discarded.
        let check = Self { brokers: Vec::new(), logs: LogLines::default(), ..client.clone() };
        drop(check.handle(ClientKind::Consumer, &[], |_, _, _| {})?);
        Ok(client)
    }

    /// The same settings for other brokers (a scenario's own `brokers`). Clients share the log lines.
    #[must_use]
    pub fn with_brokers(&self, brokers: &[String]) -> Self {
        Self { brokers: brokers.to_vec(), ..self.clone() }
    }

    /// The same settings with other timeouts and intervals.
    #[must_use]
    pub fn with_waits(self, waits: Waits) -> Self {
        Self { waits, ..self }
    }

    /// The timeouts and intervals.
    pub fn waits(&self) -> &Waits {
        &self.waits
    }

    /// `host:port` of each broker, as given.
    pub fn brokers(&self) -> &[String] {
        &self.brokers
    }

    /// Whether this connects to the embedded broker.
    pub fn is_embedded(&self) -> bool {
        self.embedded
    }

    /// Whether the client uses SASL, which only librdkafka supports.
    pub fn uses_sasl(&self) -> bool {
        self.property("security.protocol").is_some_and(|it| it.to_ascii_lowercase().starts_with("sasl_"))
    }

    /// Whether the client uses SASL with tokens that expire.
    fn uses_tokens(&self) -> bool {
        let is_it = |name| self.property(name).is_some_and(|it| it.eq_ignore_ascii_case("OAUTHBEARER"));
        self.uses_sasl() && (is_it("sasl.mechanism") || is_it("sasl.mechanisms"))
    }

    /// The log lines of all clients created from this one and its clones.
    pub fn logs(&self) -> &LogLines {
        &self.logs
    }

    /// The throttle times that brokers reported to producers and readers, over all clients created from this one and
    /// its clones.
    pub fn throttling(&self) -> Throttling {
        *self.throttling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether readers only receive records of committed transactions, according to the file's `isolation.level`.
    pub fn reads_committed(&self) -> bool {
        self.property("isolation.level") == Some("read_committed")
    }

    /// The same settings for readers and requests that need the whole log.
    pub(crate) fn reading_uncommitted(&self) -> Self {
        let own = ("isolation.level".to_owned(), "read_uncommitted".to_owned());
        Self { properties: self.properties.iter().cloned().chain([own]).collect(), ..self.clone() }
    }

    /// The value of a property, if the file sets it under `security` or `properties`.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Creates a librdkafka client. kaf6's properties are overridden by the `defaults` of its role, and those by the
    /// file's properties. `also_log` receives each log line of all enabled levels.
    pub(crate) fn handle(
        &self,
        kind: ClientKind,
        defaults: &[(&str, String)],
        also_log: impl Fn(u8, &str, &str) + Send + Sync + 'static,
    ) -> Result<Arc<Handle>, Error> {
        let mut config = Config::new();
        if !self.brokers.is_empty() {
            set(&mut config, "bootstrap.servers", &self.brokers.join(","))?;
        }
        let own: &[(&str, &str)] = &[
            ("client.id", "kaf6"),
            ("enable.metrics.push", "false"),
            ("log.thread.name", "false"),
            // Reconnect to a restarted broker within one second instead of ten. Also, librdkafka does not repeat a
            // first connection attempt within half of the shortest backoff, which often adds 50 ms.
            ("reconnect.backoff.ms", "20"),
            ("reconnect.backoff.max.ms", "1000"),
            ("socket.connection.setup.timeout.ms", "10000"),
        ];
        let defaults_of_role = defaults.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in own.iter().copied().chain(defaults_of_role) {
            set(&mut config, name, value)?;
        }
        for (name, value) in self.properties.iter() {
            match (name.as_str(), defaults.iter().find(|(role, _)| role == name)) {
                // The debug contexts of a role show retries; the file's contexts are added.
                ("debug", Some((_, role))) => set(&mut config, name, &format!("{role},{value}"))?,
                _ => set(&mut config, name, value)?,
            }
        }
        if self.uses_tokens() {
            config.renew_tokens();
        }
        let logs = self.logs.clone();
        let on_log = Box::new(move |level: u8, facility: &str, text: &str| {
            also_log(level, facility, text);
            logs.add(level, facility, text);
        });
        let throttling = Arc::clone(&self.throttling);
        let on_throttle = Box::new(move |time| {
            let mut all = throttling.lock().unwrap_or_else(PoisonError::into_inner);
            match kind {
                ClientKind::Producer => all.produce.add(time),
                ClientKind::Consumer => all.fetch.add(time),
            }
        });
        Handle::new(config, kind, on_log, on_throttle).map_err(|reason| Error::Client { reason })
    }
}

/// librdkafka's validation of the settings of a file.
pub const JUDGE: ClientJudge = ClientJudge { property: properties::refusal, whole };

/// Creates a client from the settings. This reads certificates and keys, and opens no connection.
fn whole(settings: &ClientSettings) -> Option<Refusal> {
    let mechanism = settings.security.as_ref().and_then(|it| it.mechanism.as_deref());
    if mechanism.is_some_and(|it| it.eq_ignore_ascii_case("OAUTHBEARER")) {
        // Such a client may request a token as soon as it is created.
        return None;
    }
    let (property, reason) = match Client::new(&[], settings).err()? {
        Error::Property { name, reason } => (Some(name), reason),
        other => (None, other.to_string()),
    };
    let security = settings.security.as_ref().map(security_properties).unwrap_or_default();
    let mut names = security.iter().map(|(name, _)| name).chain(settings.properties.keys());
    // librdkafka's text contains the name of the property that it rejects.
    let property = property.or_else(|| names.find(|name| reason.contains(name.as_str())).cloned());
    Some(Refusal { property, message: reason, hint: None })
}

fn security_properties(security: &Security) -> Vec<(String, String)> {
    let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    [
        ("security.protocol", Some(security.protocol.clone())),
        ("sasl.mechanism", security.mechanism.clone()),
        ("sasl.username", security.username.clone()),
        ("sasl.password", security.password.clone()),
        ("ssl.ca.location", path(&security.ca)),
        ("ssl.certificate.location", path(&security.certificate)),
        ("ssl.key.location", path(&security.key)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.properties.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Client")
            .field("brokers", &self.brokers)
            .field("properties", &names)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(properties: &[(&str, &str)]) -> Result<Client, Error> {
        let properties = properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Client::new(&["127.0.0.1:1".into()], &ClientSettings { security: None, properties })
    }

    #[test]
    fn refusals_name_the_property_and_never_its_value() {
        for (name, value) in [
            ("socket.timeout.ms", "soon-s3cret"),
            ("no.such.property", "s3cret"),
            ("group.id", "s3cret"),
            ("security.protocol", "s3cret"),
            ("acks", "s3cret"),
        ] {
            let error = with(&[(name, value)]).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn properties_of_producers_and_topics_pass() {
        assert!(with(&[("linger.ms", "3"), ("fetch.wait.max.ms", "20"), ("retries", "5")]).is_ok());
    }

    #[test]
    fn a_missing_ca_file_is_an_error_of_the_settings() {
        let security =
            Security { protocol: "ssl".into(), ca: Some("/no/such/ca.pem".into()), ..Security::default() };
        let settings = ClientSettings { security: Some(security), ..ClientSettings::default() };
        let error = Client::new(&["127.0.0.1:1".into()], &settings).unwrap_err().to_string();
        assert!(error.contains("ca"), "{error}");
    }

    #[test]
    fn tokens_are_renewed_though_nobody_polls() {
        let security = Security {
            protocol: "sasl_plaintext".into(),
            mechanism: Some("OAUTHBEARER".into()),
            ..Security::default()
        };
        let properties = [
            ("enable.sasl.oauthbearer.unsecure.jwt", "true"),
            ("sasl.oauthbearer.config", "principal=kaf6 lifeSeconds=1"),
        ];
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let settings = ClientSettings { security: Some(security), properties };
        // Without brokers there are no errors of connections either.
        let client = Client::new(&[], &settings).unwrap();
        assert!(client.uses_sasl());
        let kinds = [ClientKind::Consumer, ClientKind::Producer];
        let handles = kinds.map(|kind| client.handle(kind, &[], |_, _, _| {}).unwrap());
        // librdkafka requests another token once a second. If nothing serves the client's queue, the request stays
        // there.
        std::thread::sleep(std::time::Duration::from_millis(1300));
        // One may just have come.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while handles.iter().any(|handle| handle.waiting() > 0) {
            assert!(std::time::Instant::now() < deadline, "{:?}", handles.map(|handle| handle.waiting()));
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(!with(&[]).unwrap().uses_sasl());
    }

    #[test]
    fn debug_shows_names_only() {
        let security = Security {
            protocol: "sasl_plaintext".into(),
            mechanism: Some("PLAIN".into()),
            username: Some("u".into()),
            password: Some("hunter2".into()),
            ..Security::default()
        };
        let settings = ClientSettings { security: Some(security), ..ClientSettings::default() };
        let client = Client::new(&["127.0.0.1:1".into()], &settings).unwrap();
        let debug = format!("{client:?}");
        assert!(debug.contains("sasl.password") && !debug.contains("hunter2"), "{debug}");
    }
}
