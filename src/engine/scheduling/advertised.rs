//! The addresses that brokers advertise. Clients use the bootstrap addresses first, and then the advertised ones.
//!
//! Requested only if a broker could not be reached, after the scenarios have ended.

use std::sync::Arc;
use std::time::Instant;

use crate::engine::context::outcome::unwind;
use crate::engine::context::run_context::RunContext;
use crate::engine::scenarios::watch;
use crate::kafka::client::metadata::Broker;
use crate::kafka::probe;

/// A sentence with advice for each advertised address that is unusable from here.
pub(crate) async fn unusable(context: &Arc<RunContext>) -> Vec<String> {
    let is_asked = context.client.logs().has_unreachable() && !context.client.is_embedded();
    if !is_asked || context.stop.is_stopped() {
        return Vec::new();
    }
    let context = Arc::clone(context);
    unwind(tokio::task::spawn_blocking(move || look(&context)).await)
}

fn look(context: &RunContext) -> Vec<String> {
    // Uses separate connections, because librdkafka replaces the bootstrap address with the advertised ones.
    let client = &context.client;
    let seen = client.brokers().iter().find_map(|broker| watch::look(client, broker, &[]).0.metadata);
    // Without an answer there are no addresses to check.
    let brokers = seen.map(|metadata| metadata.brokers).unwrap_or_default();
    let until = Instant::now() + client.waits().answer;
    brokers.iter().filter_map(|broker| problem(broker, until)).collect()
}

/// The problem with a broker's address; `None` if it accepts a connection.
fn problem(broker: &Broker, until: Instant) -> Option<String> {
    let Broker { id, host, port } = broker;
    let (why, write) = if host.is_empty() {
        ("the host is missing".to_owned(), "a host name")
    } else if !(1..=65535).contains(port) {
        (format!("invalid port {port}"), "a port")
    } else {
        let is_any = matches!(host.as_str(), "0.0.0.0" | "::");
        match probe::reach(broker, until) {
            Ok(()) => return None,
            Err(_) if is_any => ("this address names no host".to_owned(), "a host name"),
            Err(why) => (why, "an address"),
        }
    };
    Some(format!(
        "broker {id} advertises `{host}:{port}`, which kaf6 cannot use: {why} (set the broker's \
        `advertised.listeners` to {write} that kaf6 can reach)"
    ))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;

    fn of(host: &str, port: i32) -> Option<String> {
        let until = Instant::now() + Duration::from_secs(10);
        problem(&Broker { id: 3, host: host.to_owned(), port }, until)
    }

    #[test]
    fn addresses_that_lead_nowhere_are_shown_as_advertised() {
        for (host, port, why) in [
            ("", 9092, "the host is missing"),
            ("127.0.0.1", 0, "invalid port 0"),
            ("127.0.0.1", -1, "invalid port -1"),
            ("0.0.0.0", 1, "this address names no host"),
            ("::", 1, "this address names no host"),
            ("3f2a9b7c1d0e.invalid", 9092, "cannot resolve the host name"),
            ("127.0.0.1", 1, "connection refused"),
        ] {
            let text = of(host, port).unwrap();
            assert!(text.starts_with(&format!("broker 3 advertises `{host}:{port}`")), "{text}");
            assert!(text.contains(why) && text.contains("`advertised.listeners`"), "{text}");
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = i32::from(listener.local_addr().unwrap().port());
        assert_eq!(of("127.0.0.1", port), None);
        assert_eq!(of("0.0.0.0", port), None, "on Linux that is this machine");
    }
}
