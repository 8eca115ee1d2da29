//! One connection through the relay: two directions, each with a reader that evaluates frames and a writer that waits and
//! writes. So the delay of one frame does not delay reading the next.

use std::collections::HashMap;
use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use kafka_protocol::messages::{
    ApiKey, FetchResponse, FindCoordinatorResponse, MetadataResponse, ProduceResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::frame::{Request, Response, read};
use super::{Inner, Seen, Verdict, close, lock};

/// Bytes on their way to one side.
struct Outgoing {
    due: Instant,
    bytes: Vec<u8>,
    last: bool,
}

/// What the relay remembers of a connection.
struct Connection {
    inner: Arc<Inner>,
    number: u64,
    /// Requests without an answer so far, by the number under which the broker knows them.
    waiting: Mutex<HashMap<i32, Waiting>>,
}

struct Waiting {
    request: Request,
    /// The answer to the second of two equal requests: the client knows of one.
    unasked: bool,
}

/// Frames that wait for the next of their API.
#[derive(Default)]
struct Swapped(HashMap<i16, Vec<u8>>);

/// Relays until either side closes.
pub(super) fn relay(inner: &Arc<Inner>, number: u64, client: TcpStream, broker: TcpStream) {
    for socket in [&client, &broker] {
        socket.set_nodelay(true).ok();
    }
    let copy = |socket: &TcpStream| socket.try_clone().expect("a socket can be cloned");
    let (to_client, for_client) = sync_channel(4096);
    let (to_broker, for_broker) = sync_channel(4096);
    lock(&inner.sockets).insert(number, [copy(&client), copy(&broker)]);
    let connection =
        Arc::new(Connection { inner: Arc::clone(inner), number, waiting: Mutex::new(HashMap::new()) });
    connection.run(copy(&broker), for_broker, Connection::write);
    connection.run(copy(&client), for_client, Connection::write);
    connection.run(client, (to_broker, to_client.clone()), |this, client, (to_broker, to_client)| {
        this.requests(client, &to_broker, &to_client);
    });
    connection.run(broker, to_client, |this, broker, to_client| this.responses(broker, &to_client));
}

impl Connection {
    /// A thread for one of the four parts; whichever ends first closes the connection.
    fn run<T: Send + 'static>(
        self: &Arc<Self>,
        socket: TcpStream,
        ends: T,
        part: impl FnOnce(&Self, TcpStream, T) + Send + 'static,
    ) {
        /// Closes the connection when its part ends, by a panic too.
        struct Closer(Arc<Connection>);
        impl Drop for Closer {
            fn drop(&mut self) {
                let pair = lock(&self.0.inner.sockets).remove(&self.0.number);
                if let Some(pair) = pair {
                    close(&pair);
                }
            }
        }
        let closer = Closer(Arc::clone(self));
        std::thread::spawn(move || part(&closer.0, socket, ends));
    }

    fn write(&self, mut socket: TcpStream, outgoing: Receiver<Outgoing>) {
        for Outgoing { due, bytes, last } in outgoing {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.inner.wait_while_held();
            if socket.write_all(&bytes).is_err() || last {
                return;
            }
        }
    }

    fn requests(
        &self,
        client: TcpStream,
        to_broker: &SyncSender<Outgoing>,
        to_client: &SyncSender<Outgoing>,
    ) {
        let mut client = BufReader::new(client);
        let mut swapped = Swapped::default();
        let mut unasked = -1;
        while let Ok(frame) = read(&mut client) {
            let mut request = Request::parse(self.number, &frame);
            lock(&self.inner.seen).push(Seen {
                api: request.api,
                version: request.version,
                client_id: request.client_id.clone(),
                connection: self.number,
                at: Instant::now(),
            });
            let verdict = self.inner.judge_request(&mut request);
            let id = request.correlation_id;
            if let Verdict::Answer(body) = verdict {
                if to_client.send(Outgoing::now(request.answer(body))).is_err() {
                    return;
                }
                continue;
            }
            self.expect(id, &request, false);
            let mut frames = vec![request.frame(id)];
            if verdict == Verdict::Repeat {
                self.expect(unasked, &request, true);
                frames.push(request.frame(unasked));
                unasked -= 1;
            }
            if swapped.send(request.api, &verdict, frames, to_broker).is_none() {
                return;
            }
        }
    }

    fn expect(&self, id: i32, request: &Request, unasked: bool) {
        lock(&self.waiting).insert(id, Waiting { request: request.without_body(), unasked });
    }

    fn responses(&self, broker: TcpStream, to_client: &SyncSender<Outgoing>) {
        let mut broker = BufReader::new(broker);
        let mut swapped = Swapped::default();
        while let Ok(frame) = read(&mut broker) {
            let id = i32::from_be_bytes(frame[..4].try_into().expect("four bytes"));
            let waiting = lock(&self.waiting).remove(&id);
            let Some(Waiting { request, unasked }) = waiting else { panic!("answer {id} has a request") };
            if unasked {
                continue;
            }
            let mut response = Response::parse(request, &frame);
            self.stay_between(&mut response);
            let verdict = self.inner.judge_response(&mut response);
            let mut frames = vec![response.frame()];
            if verdict == Verdict::Repeat {
                frames.push(response.frame());
            }
            if swapped.send(response.request.api, &verdict, frames, to_client).is_none() {
                return;
            }
        }
    }

    /// Puts the relay's own addresses where the broker names its brokers.
    fn stay_between(&self, response: &mut Response) {
        let rewrite = |host: &mut StrBytes, port: &mut i32| {
            if !host.is_empty() && *port > 0 {
                let local = self.inner.route(&format!("{}:{port}", host.as_str()));
                *host = StrBytes::from_string(local.ip().to_string());
                *port = i32::from(local.port());
            }
        };
        match response.request.api {
            ApiKey::Metadata => {
                let mut metadata: MetadataResponse = response.decode();
                for broker in &mut metadata.brokers {
                    rewrite(&mut broker.host, &mut broker.port);
                }
                response.body = response.encode(&metadata);
            }
            ApiKey::FindCoordinator => {
                let mut found: FindCoordinatorResponse = response.decode();
                rewrite(&mut found.host, &mut found.port);
                for coordinator in &mut found.coordinators {
                    rewrite(&mut coordinator.host, &mut coordinator.port);
                }
                response.body = response.encode(&found);
            }
            // A broker that is not the leader names the one that is, with its address, from these versions on.
            ApiKey::Produce if response.request.version >= 10 => {
                let mut produced: ProduceResponse = response.decode();
                for broker in &mut produced.node_endpoints {
                    rewrite(&mut broker.host, &mut broker.port);
                }
                response.body = response.encode(&produced);
            }
            ApiKey::Fetch if response.request.version >= 16 => {
                let mut fetched: FetchResponse = response.decode();
                for broker in &mut fetched.node_endpoints {
                    rewrite(&mut broker.host, &mut broker.port);
                }
                response.body = response.encode(&fetched);
            }
            _ => {}
        }
    }
}

impl Outgoing {
    fn now(bytes: Vec<u8>) -> Self {
        Self { due: Instant::now(), bytes, last: false }
    }
}

impl Swapped {
    /// Hands frames over as the verdict says; none where the other side is gone.
    fn send(
        &mut self,
        api: ApiKey,
        verdict: &Verdict,
        mut frames: Vec<Vec<u8>>,
        to: &SyncSender<Outgoing>,
    ) -> Option<()> {
        let mut due = Instant::now();
        let mut last = false;
        match verdict {
            Verdict::Drop => return Some(()),
            Verdict::Swap if !self.0.contains_key(&(api as i16)) => {
                self.0.insert(api as i16, frames.concat());
                return Some(());
            }
            Verdict::Delay(by) => due += *by,
            Verdict::Cut(bytes) => {
                frames = vec![frames.concat()];
                frames[0].truncate(*bytes);
                last = true;
            }
            Verdict::Answer(_) => panic!("only a request can be answered by the relay"),
            Verdict::Pass | Verdict::Replace(_) | Verdict::Repeat | Verdict::Swap => {}
        }
        frames.extend(self.0.remove(&(api as i16)));
        let count = frames.len();
        for (n, bytes) in frames.into_iter().enumerate() {
            to.send(Outgoing { due, bytes, last: last && n + 1 == count }).ok()?;
        }
        Some(())
    }
}
