//! The relay: a TCP proxy on the link from one service to another, which faults slow down and cut.
//!
//! Listens, connects and counts. It is used from the start, at full speed, so that traffic before, during and
//! after a fault takes the same path.

mod cutting;
mod pump;
mod shaping;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::lock::lock;
use cutting::{CutWatch, Cuts};
use pump::pump;
use shaping::{Direction, LinkState};

pub(super) use cutting::{ActiveCut, CutEffect, LinkCut};
pub(super) use shaping::{Limited, Passed, Shaping};

/// Timeout of a connection to a target.
const DIAL: Duration = Duration::from_secs(10);

/// Returns the current address of a target.
pub(super) type RelayTarget = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The relay of one link. Its connections end when it is dropped.
pub(super) struct Relay {
    way: Arc<LinkState>,
    cuts: Arc<Cuts>,
    /// The active slowdowns with their numbers. The last one applies.
    slowed: Mutex<Vec<(u64, Shaping)>>,
    /// The relay's addresses for clients, by replica and port of the target.
    addresses: BTreeMap<(u32, String), String>,
    _listeners: JoinSet<()>,
}

impl Relay {
    /// Listens at `listen`, an address of this machine. Clients connect to it as `name`.
    pub(super) async fn start(
        (listen, name): (&str, &str),
        targets: Vec<((u32, String), RelayTarget)>,
    ) -> io::Result<Self> {
        let (way, cuts) = (Arc::new(LinkState::new()), Arc::new(Cuts::default()));
        let mut addresses = BTreeMap::new();
        let mut listeners = JoinSet::new();
        for (port, target) in targets {
            let listener = TcpListener::bind((listen, 0)).await?;
            addresses.insert(port, format!("{name}:{}", listener.local_addr()?.port()));
            listeners.spawn(accept(listener, target, Arc::clone(&way), Arc::clone(&cuts)));
        }
        Ok(Self { way, cuts, slowed: Mutex::default(), addresses, _listeners: listeners })
    }

    /// The `host:port` that replaces a port of a replica.
    pub(super) fn address(&self, replica: u32, port: &str) -> Option<String> {
        self.addresses.get(&(replica, port.to_owned())).cloned()
    }

    /// Slows down the link, until the returned number is passed to `reset`.
    pub(super) fn slow_down(&self, slow: Shaping) -> u64 {
        let mut slowed = lock(&self.slowed);
        let number = slowed.last().map_or(0, |(number, _)| number + 1);
        slowed.push((number, slow));
        self.way.set(slow);
        number
    }

    /// Removes this slowdown and no other.
    pub(super) fn reset(&self, number: u64) {
        let mut slowed = lock(&self.slowed);
        let was = slowed.last().map(|(last, _)| *last);
        slowed.retain(|(other, _)| *other != number);
        if was == Some(number) {
            self.way.set(slowed.last().map(|(_, slow)| *slow).unwrap_or_default());
        }
    }

    /// Cuts the link, until the returned cut is passed to `mend`. The last cut that began applies.
    pub(super) fn cut(&self, how: LinkCut) -> Arc<ActiveCut> {
        self.cuts.cut(how)
    }

    /// Ends this cut and no other. Connections that lost bytes are reset.
    pub(super) fn mend(&self, cut: &Arc<ActiveCut>) {
        self.cuts.mend(cut);
    }

    /// Removes all slowdowns and cuts.
    pub(super) fn free(&self) {
        lock(&self.slowed).clear();
        self.way.set(Shaping::default());
        self.cuts.mend_all();
    }

    /// Traffic statistics since the start.
    pub(super) fn passed(&self) -> Passed {
        self.way.passed()
    }
}

async fn accept(listener: TcpListener, target: RelayTarget, way: Arc<LinkState>, cuts: Arc<Cuts>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((near, _)) => match cuts.open() {
                    Some(cuts) => {
                        connections.spawn(relay(near, Arc::clone(&target), Arc::clone(&way), cuts));
                    }
                    None => reset(&near),
                },
                // For example, too many open files. The client waits.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn relay(mut near: TcpStream, target: RelayTarget, way: Arc<LinkState>, cuts: CutWatch) {
    let far = tokio::select! {
        biased;
        () = cuts.must_reset() => Err(None),
        far = dial(&mut near, &target, &cuts) => far.map_err(Some),
    };
    let mut far = match far {
        Ok(Some(far)) => far,
        // The client has closed its connection.
        Ok(None) => return,
        Err(error) => {
            // The client sees a reset, as it would without a relay.
            reset(&near);
            if error.is_some() {
                way.unreachable();
            }
            return;
        }
    };
    way.connected();
    for stream in [&near, &far] {
        // A stream that does not support it is only slower.
        let _ = stream.set_nodelay(true);
    }
    let whole = {
        let (near_reader, near_writer) = near.split();
        let (far_reader, far_writer) = far.split();
        let both = async {
            tokio::try_join!(
                pump(near_reader, far_writer, (&way, &cuts), Direction::Out),
                pump(far_reader, near_writer, (&way, &cuts), Direction::Back)
            )
        };
        tokio::select! {
            biased;
            () = cuts.must_reset() => false,
            both = both => both.is_ok(),
        }
    };
    if !whole {
        // Forward a reset of one side to the other.
        reset(&near);
        reset(&far);
    }
}

/// Connects to the target as soon as the link is not cut. `None` if the client closes its connection first.
async fn dial(near: &mut TcpStream, target: &RelayTarget, cuts: &CutWatch) -> io::Result<Option<TcpStream>> {
    tokio::select! {
        biased;
        () = cuts.reaches_target() => {}
        () = discard(near, cuts) => return Ok(None),
    }
    let address = target().ok_or(io::ErrorKind::AddrNotAvailable)?;
    tokio::time::timeout(DIAL, TcpStream::connect(address)).await?.map(Some)
}

/// Discards what the client sends into a blackhole, until it closes its connection.
async fn discard(near: &mut TcpStream, cuts: &CutWatch) {
    let mut buffer = vec![0; pump::CHUNK];
    while let Ok(length @ 1..) = near.read(&mut buffer).await {
        if !cuts.swallow(Direction::Out, length) {
            // The blackhole ended after these bytes were read. They are lost, so the connection must end.
            reset(near);
            return;
        }
    }
}

/// Makes the connection end with a reset.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tokio::io::AsyncWriteExt as _;

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
        let latency = Duration::from_millis(50);
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
        for _ in 0..3000 {
            if TcpStream::connect(&address).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it still listens");
    }

    /// A link to a target that the test itself reads and writes.
    async fn open_relay() -> (Relay, String, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (relay, address) = relay_to(listener.local_addr().expect("bound").to_string()).await;
        (relay, address, listener)
    }

    /// A connection with both of its ends.
    async fn connect(address: &str, listener: &TcpListener) -> (TcpStream, TcpStream) {
        let near = TcpStream::connect(address).await.expect("connected");
        let (far, _) = listener.accept().await.expect("it comes");
        (near, far)
    }

    /// Waits until a cut did that.
    async fn did(cut: &ActiveCut, effect: CutEffect) {
        let mut before = None;
        for _ in 0..3000 {
            let now = cut.effect();
            if now == effect {
                return;
            }
            before = Some(now);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{before:?}, and not {effect:?}");
    }

    async fn passes(from: &mut TcpStream, to: &mut TcpStream) {
        from.write_all(b"on").await.expect("written");
        let mut bytes = [0; 2];
        to.read_exact(&mut bytes).await.expect("it passes");
        assert_eq!(&bytes, b"on", "and nothing before it");
    }

    async fn is_reset(stream: &mut TcpStream) {
        let end = stream.read(&mut [0; 16]).await;
        assert_eq!(end.expect_err("no byte and no end").kind(), io::ErrorKind::ConnectionReset);
    }

    fn blackhole(out: bool, back: bool) -> LinkCut {
        LinkCut::Blackhole { out, back }
    }

    #[tokio::test]
    async fn a_blackhole_discards_both_directions_and_resets_what_lost_bytes() {
        let (relay, address, listener) = open_relay().await;
        let (mut near, mut far) = connect(&address, &listener).await;
        let (mut idle, mut idle_far) = connect(&address, &listener).await;
        passes(&mut near, &mut far).await;
        passes(&mut far, &mut near).await;
        let cut = relay.cut(blackhole(true, true));
        near.write_all(&[1; 5]).await.expect("written");
        did(&cut, CutEffect { discarded: [5, 0], torn: 1, ..CutEffect::default() }).await;
        far.write_all(&[2; 7]).await.expect("written");
        did(&cut, CutEffect { discarded: [5, 7], torn: 1, ..CutEffect::default() }).await;
        // New connections are accepted, and do not reach the target.
        let mut new = TcpStream::connect(&address).await.expect("connected");
        let mut new_idle = TcpStream::connect(&address).await.expect("connected");
        new.write_all(&[3; 11]).await.expect("written");
        did(&cut, CutEffect { discarded: [16, 7], torn: 2, ..CutEffect::default() }).await;
        let passed = relay.passed();
        assert_eq!((passed.connections, passed.out, passed.back), (2, 2, 2));
        relay.mend(&cut);
        for torn in [&mut near, &mut far, &mut new] {
            is_reset(torn).await;
        }
        // Those that lost nothing go on.
        passes(&mut idle, &mut idle_far).await;
        passes(&mut idle_far, &mut idle).await;
        let (mut new_far, _) = listener.accept().await.expect("it comes");
        passes(&mut new_idle, &mut new_far).await;
        let passed = relay.passed();
        assert_eq!((passed.connections, passed.refused, passed.out, passed.back), (3, 0, 6, 4));
        assert_eq!(cut.effect(), CutEffect { discarded: [16, 7], torn: 2, ..CutEffect::default() });
    }

    #[tokio::test]
    async fn a_blackhole_in_one_direction_lets_the_other_pass() {
        let (relay, address, listener) = open_relay().await;
        let (mut near, mut far) = connect(&address, &listener).await;
        let out = relay.cut(blackhole(true, false));
        near.write_all(&[1; 5]).await.expect("written");
        did(&out, CutEffect { discarded: [5, 0], torn: 1, ..CutEffect::default() }).await;
        passes(&mut far, &mut near).await;
        relay.mend(&out);
        is_reset(&mut near).await;
        is_reset(&mut far).await;

        let (mut near, mut far) = connect(&address, &listener).await;
        let back = relay.cut(blackhole(false, true));
        far.write_all(&[1; 5]).await.expect("written");
        did(&back, CutEffect { discarded: [0, 5], torn: 1, ..CutEffect::default() }).await;
        passes(&mut near, &mut far).await;
        // New connections reach the target, which gets requests. Only its answers vanish.
        let (mut new, mut new_far) = connect(&address, &listener).await;
        passes(&mut new, &mut new_far).await;
        new_far.write_all(&[1; 3]).await.expect("written");
        did(&back, CutEffect { discarded: [0, 8], torn: 2, ..CutEffect::default() }).await;
        relay.mend(&back);
        for torn in [&mut near, &mut far, &mut new, &mut new_far] {
            is_reset(torn).await;
        }
    }

    #[tokio::test]
    async fn a_blackhole_hides_the_end_of_a_connection() {
        let (relay, address, listener) = open_relay().await;
        let (near, mut far) = connect(&address, &listener).await;
        let (reset_near, mut reset_far) = connect(&address, &listener).await;
        let (mut other_near, other_far) = connect(&address, &listener).await;
        let cut = relay.cut(blackhole(true, true));
        reset(&reset_near);
        drop((near, reset_near, other_far));
        did(&cut, CutEffect { ends: 3, ..CutEffect::default() }).await;
        relay.mend(&cut);
        for hidden in [&mut far, &mut reset_far, &mut other_near] {
            is_reset(hidden).await;
        }
    }

    #[tokio::test]
    async fn a_reset_ends_open_connections_and_refuses_new_ones() {
        let (relay, address, listener) = open_relay().await;
        let (mut one, mut one_far) = connect(&address, &listener).await;
        let (mut two, mut two_far) = connect(&address, &listener).await;
        passes(&mut one, &mut one_far).await;
        let cut = relay.cut(LinkCut::Reset);
        for ended in [&mut one, &mut one_far, &mut two, &mut two_far] {
            is_reset(ended).await;
        }
        did(&cut, CutEffect { reset: 2, ..CutEffect::default() }).await;
        let mut new = TcpStream::connect(&address).await.expect("connected");
        is_reset(&mut new).await;
        did(&cut, CutEffect { reset: 2, refused: 1, ..CutEffect::default() }).await;
        relay.mend(&cut);
        let (mut later, mut later_far) = connect(&address, &listener).await;
        passes(&mut later, &mut later_far).await;
        // However short it is.
        let cut = relay.cut(LinkCut::Reset);
        relay.mend(&cut);
        is_reset(&mut later).await;
        assert_eq!((cut.effect().reset, relay.passed().connections), (1, 3));
    }

    #[tokio::test]
    async fn a_refusal_leaves_open_connections_alone() {
        let (relay, address, listener) = open_relay().await;
        let (mut open, mut open_far) = connect(&address, &listener).await;
        let cut = relay.cut(LinkCut::Refuse);
        for _ in 0..3 {
            let mut new = TcpStream::connect(&address).await.expect("connected");
            is_reset(&mut new).await;
        }
        passes(&mut open, &mut open_far).await;
        assert_eq!(cut.effect(), CutEffect { refused: 3, ..CutEffect::default() });
        relay.free();
        let (mut later, mut later_far) = connect(&address, &listener).await;
        passes(&mut later, &mut later_far).await;
        passes(&mut open, &mut open_far).await;
        assert_eq!((relay.passed().connections, relay.passed().refused), (2, 0));
    }

    #[tokio::test]
    async fn the_last_cut_that_began_applies() {
        let (relay, address, listener) = open_relay().await;
        let refuse = relay.cut(LinkCut::Refuse);
        let blackhole = relay.cut(blackhole(true, true));
        let mut new = TcpStream::connect(&address).await.expect("connected");
        new.write_all(&[1; 5]).await.expect("written");
        did(&blackhole, CutEffect { discarded: [5, 0], torn: 1, ..CutEffect::default() }).await;
        relay.mend(&blackhole);
        is_reset(&mut new).await;
        let mut new = TcpStream::connect(&address).await.expect("connected");
        is_reset(&mut new).await;
        assert_eq!(refuse.effect(), CutEffect { refused: 1, ..CutEffect::default() });
        // The end of one that no longer applies changes nothing.
        let reset = relay.cut(LinkCut::Reset);
        relay.mend(&refuse);
        let mut new = TcpStream::connect(&address).await.expect("connected");
        is_reset(&mut new).await;
        assert_eq!(reset.effect(), CutEffect { refused: 1, ..CutEffect::default() });
        relay.mend(&reset);
        let (mut later, mut later_far) = connect(&address, &listener).await;
        passes(&mut later, &mut later_far).await;
    }
}
