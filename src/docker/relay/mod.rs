//! The relay: a TCP proxy on the link from one service to another, which `throttle` slows down.
//!
//! Listens, connects and counts. It is used from the start, at full speed, so that traffic before, during and
//! after a fault takes the same path.

mod pump;
mod shaping;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::lock::lock;
use pump::pump;
use shaping::{Direction, LinkState};

pub(super) use shaping::{Limited, Passed, Shaping};

/// Timeout of a connection to a target.
const DIAL: Duration = Duration::from_secs(10);

/// Returns the current address of a target.
pub(super) type RelayTarget = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The relay of one link. Its connections end when it is dropped.
pub(super) struct Relay {
    way: Arc<LinkState>,
    /// The active slowdowns, with a number each; the last one applies.
    slowed: Mutex<Vec<(u64, Shaping)>>,
    /// As who connects reaches it, by replica and port of whom it connects to.
    addresses: BTreeMap<(u32, String), String>,
    _listeners: JoinSet<()>,
}

impl Relay {
    /// Listens at `listen`, an address of this machine, which others reach as `name`.
    pub(super) async fn start(
        (listen, name): (&str, &str),
        targets: Vec<((u32, String), RelayTarget)>,
    ) -> io::Result<Self> {
        let way = Arc::new(LinkState::new());
        let mut addresses = BTreeMap::new();
        let mut listeners = JoinSet::new();
        for (port, target) in targets {
            let listener = TcpListener::bind((listen, 0)).await?;
            addresses.insert(port, format!("{name}:{}", listener.local_addr()?.port()));
            listeners.spawn(accept(listener, target, Arc::clone(&way)));
        }
        Ok(Self { way, slowed: Mutex::default(), addresses, _listeners: listeners })
    }

    /// `host:port` in place of a port of a replica.
    pub(super) fn address(&self, replica: u32, port: &str) -> Option<String> {
        self.addresses.get(&(replica, port.to_owned())).cloned()
    }

    /// Slows the link down, until the returned number is passed to `reset`.
    pub(super) fn slow_down(&self, slow: Shaping) -> u64 {
        let mut slowed = lock(&self.slowed);
        let number = slowed.last().map_or(0, |(number, _)| number + 1);
        slowed.push((number, slow));
        self.way.set(slow);
        number
    }

    /// Removes this slowdown; others stay.
    pub(super) fn reset(&self, number: u64) {
        let mut slowed = lock(&self.slowed);
        let was = slowed.last().map(|(last, _)| *last);
        slowed.retain(|(other, _)| *other != number);
        if was == Some(number) {
            self.way.set(slowed.last().map(|(_, slow)| *slow).unwrap_or_default());
        }
    }

    /// Removes all slowdowns.
    pub(super) fn free(&self) {
        lock(&self.slowed).clear();
        self.way.set(Shaping::default());
    }

    /// Traffic statistics since the start.
    pub(super) fn passed(&self) -> Passed {
        self.way.passed()
    }
}

async fn accept(listener: TcpListener, target: RelayTarget, way: Arc<LinkState>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((near, _)) => {
                    connections.spawn(relay(near, Arc::clone(&target), Arc::clone(&way)));
                }
                // For example, out of file descriptors: the client waits.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn relay(mut near: TcpStream, target: RelayTarget, way: Arc<LinkState>) {
    let far = match target() {
        Some(address) => tokio::time::timeout(DIAL, TcpStream::connect(address)).await,
        None => return way.unreachable(),
    };
    let Ok(Ok(mut far)) = far else {
        // The client sees a reset, as it would without a relay.
        let _ = near.set_zero_linger();
        return way.unreachable();
    };
    way.connected();
    for stream in [&near, &far] {
        // A stream that does not support it is only slower.
        let _ = stream.set_nodelay(true);
    }
    let both = {
        let (near_reader, near_writer) = near.split();
        let (far_reader, far_writer) = far.split();
        tokio::try_join!(
            pump(near_reader, far_writer, &way, Direction::Out),
            pump(far_reader, near_writer, &way, Direction::Back)
        )
    };
    if both.is_err() {
        // Forward a reset of one side to the other.
        let _ = (near.set_zero_linger(), far.set_zero_linger());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A server that sends back what it gets and then its end; gives its address.
    async fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reader, mut writer) = stream.split();
                    let _ = tokio::io::copy(&mut reader, &mut writer).await;
                    let _ = writer.write_all(b"end").await;
                });
            }
        });
        address
    }

    async fn relay_to(address: String) -> (Relay, String) {
        let target: RelayTarget = Arc::new(move || Some(address.clone()));
        let port = (0, "api".to_owned());
        let relay = Relay::start(("127.0.0.1", "127.0.0.1"), vec![(port, target)]).await.expect("it listens");
        let address = relay.address(0, "api").expect("its address");
        (relay, address)
    }

    #[tokio::test]
    async fn many_connections_pass_with_their_half_closes() {
        let (relay, address) = relay_to(echo().await).await;
        let mut all = JoinSet::new();
        for number in 0..50u8 {
            let address = address.clone();
            all.spawn(async move {
                let mut stream = TcpStream::connect(address).await.expect("connected");
                stream.write_all(&[number; 100_000]).await.expect("written");
                stream.shutdown().await.expect("half closed");
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await.expect("answered");
                assert_eq!(answer.len(), 100_003);
                assert!(answer[..100_000].iter().all(|byte| *byte == number) && answer.ends_with(b"end"));
            });
        }
        while let Some(done) = all.join_next().await {
            done.expect("no connection fails");
        }
        let passed = relay.passed();
        assert_eq!((passed.connections, passed.out, passed.back), (50, 5_000_000, 5_000_150));
        assert_eq!((passed.delayed, passed.refused), (0, 0));
    }

    #[tokio::test]
    async fn a_request_takes_the_latency_longer_once() {
        let (relay, address) = relay_to(echo().await).await;
        let mut stream = TcpStream::connect(address).await.expect("connected");
        let mut ask = async || {
            let start = Instant::now();
            stream.write_all(b"ask").await.expect("written");
            stream.read_exact(&mut [0; 3]).await.expect("answered");
            start.elapsed()
        };
        ask().await;
        let latency = Duration::from_millis(300);
        let number = relay.slow_down(Shaping { latency, ..Shaping::default() });
        let slow = ask().await;
        assert!(slow >= latency, "{slow:?}");
        assert_eq!(relay.passed().delayed, 1, "once, not twice");
        relay.reset(number);
        ask().await;
        assert_eq!(relay.passed().delayed, 1, "no longer");

        // The end of one is not the end of another.
        let first = relay.slow_down(Shaping { latency, ..Shaping::default() });
        let second = relay.slow_down(Shaping { latency: latency * 2, ..Shaping::default() });
        relay.reset(first);
        assert!(ask().await >= latency * 2);
        let third = relay.slow_down(Shaping { latency, ..Shaping::default() });
        relay.reset(third);
        assert!(ask().await >= latency * 2);
        relay.reset(second);
        let before = relay.passed().slowed;
        ask().await;
        assert_eq!(relay.passed().slowed, before);
    }

    #[tokio::test]
    async fn a_latency_does_not_slow_the_flow() {
        const SIZE: usize = 32 << 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (relay, address) = relay_to(listener.local_addr().expect("bound").to_string()).await;
        relay.slow_down(Shaping { latency: Duration::from_millis(200), ..Shaping::default() });
        let start = Instant::now();
        let write = async {
            let mut stream = TcpStream::connect(address).await.expect("connected");
            stream.write_all(&vec![7; SIZE]).await.expect("written");
        };
        let read = async {
            let (mut stream, _) = listener.accept().await.expect("it comes");
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.expect("read")
        };
        let ((), length) = tokio::join!(write, read);
        let (took, passed) = (start.elapsed(), relay.passed());
        assert_eq!(length, u64::try_from(SIZE).expect("small"));
        let one_by_one = Duration::from_millis(200) * u32::try_from(passed.delayed).expect("few");
        assert!(took < one_by_one / 2, "{took:?} for {} pieces", passed.delayed);
    }

    #[tokio::test]
    async fn a_target_that_refuses_and_one_that_resets_are_passed_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let closed = listener.local_addr().expect("bound").to_string();
        drop(listener);
        let (relay, address) = relay_to(closed).await;
        let mut stream = TcpStream::connect(address).await.expect("connected");
        assert!(stream.read(&mut [0; 1]).await.is_err(), "a reset");
        assert_eq!(relay.passed().refused, 1);

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (_relay, address) = relay_to(listener.local_addr().expect("bound").to_string()).await;
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(b"x").await.expect("written");
        let (accepted, _) = listener.accept().await.expect("it comes");
        accepted.set_zero_linger().expect("a reset is possible");
        drop(accepted);
        assert!(stream.read(&mut [0; 1]).await.is_err(), "a reset");
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_relay_that_is_gone() {
        let (relay, address) = relay_to(echo().await).await;
        let mut stream = TcpStream::connect(&address).await.expect("connected");
        stream.write_all(b"x").await.expect("written");
        stream.read_exact(&mut [0; 1]).await.expect("answered");
        drop(relay);
        assert!(matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_)), "its connections end");
        let mut refused = false;
        for _ in 0..100 {
            refused |= TcpStream::connect(&address).await.is_err();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(refused, "nobody listens");
    }
}
