//! A connection of the probe: name resolution, sockets and frames, with one deadline for all steps.
//!
//! No read or write waits longer than the remaining time, however slowly a peer sends.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Maximum size of a response. A Fetch response contains at least one whole batch.
const MOST_BYTES: u32 = 64 << 20;

/// A TCP stream whose reads and writes end by a deadline.
#[derive(Debug)]
pub(super) struct Bounded {
    stream: TcpStream,
    deadline: Instant,
}

impl Bounded {
    pub(super) fn new(stream: TcpStream, deadline: Instant) -> Self {
        Self { stream, deadline }
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer)
    }
}

impl Write for Bounded {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A connection that sends requests as frames.
pub(super) struct Connection {
    stream: Box<dyn Stream>,
    correlation: i32,
}

impl Connection {
    pub(super) fn plain(stream: TcpStream, deadline: Instant) -> Self {
        Self::over(Bounded::new(stream, deadline))
    }

    pub(super) fn over(stream: impl Read + Write + Send + 'static) -> Self {
        Self { stream: Box::new(stream), correlation: 0 }
    }

    pub(super) fn next_correlation(&mut self) -> i32 {
        self.correlation += 1;
        self.correlation
    }

    /// Sends a frame and returns the response after its correlation id.
    pub(super) fn exchange(&mut self, frame: &[u8], correlation: i32) -> Result<Vec<u8>, String> {
        self.stream.write_all(frame).and_then(|()| self.stream.flush()).map_err(|error| describe(&error))?;
        let mut head = [0; 8];
        self.stream.read_exact(&mut head).map_err(|error| describe(&error))?;
        let [l0, l1, l2, l3, c0, c1, c2, c3] = head;
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        if !(4..=MOST_BYTES).contains(&length) {
            return Err(format!(
                "invalid response length {length}: check that this is the port of a Kafka broker, \
                without TLS"
            ));
        }
        let answered = i32::from_be_bytes([c0, c1, c2, c3]);
        if answered != correlation {
            return Err(format!("response to request {answered}, expected {correlation}"));
        }
        // Grows with the received bytes, not with the announced length.
        let mut body = Vec::new();
        let wanted = u64::from(length - 4);
        let read =
            self.stream.as_mut().take(wanted).read_to_end(&mut body).map_err(|error| describe(&error))?;
        if read as u64 == wanted {
            Ok(body)
        } else {
            Err("the broker closed the connection during a response".into())
        }
    }
}

/// An I/O error as text for users.
pub(super) fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "no response in time".into(),
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            "the broker reset the connection".into()
        }
        io::ErrorKind::UnexpectedEof => "the broker closed the connection".into(),
        _ => error.to_string(),
    }
}

/// The addresses of `host:port`, in the order of the system's resolver. The default port is 9092.
pub(super) fn resolve(broker: &str, deadline: Instant) -> Result<Vec<SocketAddr>, String> {
    let (host, port) = split(broker)?;
    let (found, answer) = mpsc::channel();
    let spawned = std::thread::Builder::new().name("kaf6-resolve".into()).spawn(move || {
        let addresses = (host.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        let _ = found.send(addresses);
    });
    spawned.map_err(|error| error.to_string())?;
    match answer.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(Ok(addresses)) if addresses.is_empty() => Err("the host name has no address".into()),
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(format!("cannot resolve the host name: {error}")),
        Err(_) => Err("resolving the host name timed out".into()),
    }
}

/// Host and port of a broker's address. IPv6 addresses are in brackets. A protocol in front (`SASL_SSL://`) is ignored.
pub(super) fn split(broker: &str) -> Result<(String, u16), String> {
    let address = broker.rsplit_once("://").map_or(broker, |(_, address)| address);
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port),
        _ => (address, "9092"),
    };
    let port = port.parse().map_err(|_| format!("invalid port `{port}`"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() { Err("the address has no host".into()) } else { Ok((host.into(), port)) }
}

/// Connects to the first address that accepts. Each address gets an equal share of the remaining time.
pub(super) fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, String> {
    let mut errors = Vec::new();
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let others = u32::try_from(addresses.len() - index).unwrap_or(1);
        let share = left / others.max(1);
        if share.is_zero() {
            errors.push("no time is left".to_owned());
            break;
        }
        match TcpStream::connect_timeout(address, share) {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => errors.push(format!("{address}: {}", describe(&error))),
        }
    }
    Err(errors.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split() {
        for (broker, host, port) in [
            ("localhost:39092", "localhost", 39092),
            ("broker", "broker", 9092),
            ("[::1]:19092", "::1", 19092),
            ("::1", "::1", 9092),
            ("SASL_SSL://h:1", "h", 1),
        ] {
            assert_eq!(split(broker).unwrap(), (host.to_owned(), port));
        }
        assert!(split("host:port").is_err());
        assert!(split(":1").is_err());
        assert!(split("h:99999").is_err());
    }
}
