//! A TCP relay between clients and a real broker. It parses Kafka frames, records them, and simulates failures of networks and
//! brokers on request: hold, drop, delay, repeat, swap, cut, refuse, falsify.
//!
//! It rewrites the addresses that brokers advertise, so that clients keep using it. Hooks get each frame in the order in which they
//! were added. Each hook gets the body that the previous one returned. The first hook that does more than pass or replace a frame
//! decides.

mod connection;
mod frame;
mod hooks;

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use kafka_protocol::messages::ApiKey;

pub use frame::{Request, Response};

/// What becomes of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on unchanged.
    Pass,
    /// It goes on with this body behind its header.
    Replace(Vec<u8>),
    /// A request only: this body goes back as its answer, and the broker never sees the request.
    Answer(Vec<u8>),
    /// It is lost; the connection stays.
    Drop,
    /// It goes on so much later, and what follows it on the connection stays behind it.
    Delay(Duration),
    /// It goes on twice. The broker's answer to the second of two requests is kept from the client.
    Repeat,
    /// It goes on right after the next frame of the same API on the same connection; until that comes, it waits.
    Swap,
    /// Its first bytes go on, then the connection is closed. With 0 nothing of it does.
    Cut(usize),
}

/// One request that came through.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Which API.
    pub api: ApiKey,
    /// In which version.
    pub version: i16,
    /// The client's `client.id`.
    pub client_id: String,
    /// The number of the connection, from 1 in the order in which they came.
    pub connection: u64,
    /// When.
    pub at: Instant,
}

type RequestHook = dyn Fn(&Request) -> Verdict + Send + Sync;
type ResponseHook = dyn Fn(&Response) -> Verdict + Send + Sync;

/// A running relay; dropped, it closes every connection.
pub struct Relay {
    inner: Arc<Inner>,
    address: SocketAddr,
}

#[derive(Default)]
struct Inner {
    /// The local address that stands for each broker, by its real one.
    routes: Mutex<HashMap<String, SocketAddr>>,
    /// Sockets to close at the end, by connection.
    sockets: Mutex<HashMap<u64, [TcpStream; 2]>>,
    seen: Mutex<Vec<Seen>>,
    on_request: RwLock<Vec<Arc<RequestHook>>>,
    on_response: RwLock<Vec<Arc<ResponseHook>>>,
    held_until: Mutex<Option<Instant>>,
    connections: AtomicU64,
    stopped: AtomicBool,
}

impl Relay {
    /// Listens on a free port and relays to the broker at `upstream` (`host:port`), and to those it names.
    pub fn start(upstream: &str) -> Self {
        let inner = Arc::new(Inner::default());
        let address = inner.route(upstream);
        Self { inner, address }
    }

    /// `host:port` for clients.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Adds a hook on requests, on their way to the broker.
    pub fn on_request(&self, hook: impl Fn(&Request) -> Verdict + Send + Sync + 'static) {
        self.inner.on_request.write().expect("no thread panics here").push(Arc::new(hook));
    }

    /// Adds a hook on answers, on their way to the client.
    pub fn on_response(&self, hook: impl Fn(&Response) -> Verdict + Send + Sync + 'static) {
        self.inner.on_response.write().expect("no thread panics here").push(Arc::new(hook));
    }

    /// Takes all hooks away: from now on everything passes.
    pub fn clear(&self) {
        self.inner.on_request.write().expect("no thread panics here").clear();
        self.inner.on_response.write().expect("no thread panics here").clear();
    }

    /// From now on for this long nothing moves, in either direction; then all of it does.
    pub fn hold(&self, duration: Duration) {
        *lock(&self.inner.held_until) = Some(Instant::now() + duration);
    }

    /// Closes every connection; new ones are accepted.
    pub fn disconnect(&self) {
        for (_, pair) in lock(&self.inner.sockets).drain() {
            close(&pair);
        }
    }

    /// Every request so far, in the order in which they came.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.inner.seen).clone()
    }

    /// The different APIs of all requests so far, in the order of their first.
    pub fn apis(&self) -> Vec<ApiKey> {
        let mut apis = Vec::new();
        for seen in lock(&self.inner.seen).iter() {
            if !apis.contains(&seen.api) {
                apis.push(seen.api);
            }
        }
        apis
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.inner.stopped.store(true, Ordering::SeqCst);
        self.disconnect();
        for local in lock(&self.inner.routes).values() {
            // Wakes the listener, which then sees that it is over.
            TcpStream::connect(local).ok();
        }
    }
}

impl Inner {
    /// The local address that stands for this broker; a listener is started for one that is new.
    fn route(self: &Arc<Self>, upstream: &str) -> SocketAddr {
        let mut routes = lock(&self.routes);
        if let Some(local) = routes.get(upstream) {
            return *local;
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port to listen on");
        let local = listener.local_addr().expect("its own address");
        routes.insert(upstream.to_owned(), local);
        let (inner, upstream) = (Arc::clone(self), upstream.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if inner.stopped.load(Ordering::SeqCst) {
                    return;
                }
                // A broker that is down closes the client's connection, as one that dies does.
                if let Ok(broker) = TcpStream::connect(&upstream) {
                    let number = inner.connections.fetch_add(1, Ordering::SeqCst) + 1;
                    connection::relay(&inner, number, client, broker);
                }
            }
        });
        local
    }

    /// The hooks' word on a request; what they replaced is in it.
    fn judge_request(&self, request: &mut Request) -> Verdict {
        let hooks = self.on_request.read().expect("no thread panics here").clone();
        for hook in hooks {
            match hook(request) {
                Verdict::Pass => {}
                Verdict::Replace(body) => request.body = body,
                decided => return decided,
            }
        }
        Verdict::Pass
    }

    /// The hooks' word on an answer; what they replaced is in it.
    fn judge_response(&self, response: &mut Response) -> Verdict {
        let hooks = self.on_response.read().expect("no thread panics here").clone();
        for hook in hooks {
            match hook(response) {
                Verdict::Pass => {}
                Verdict::Replace(body) => response.body = body,
                decided => return decided,
            }
        }
        Verdict::Pass
    }

    /// Returns when nothing holds the traffic.
    fn wait_while_held(&self) {
        loop {
            let left = lock(&self.held_until).map(|until| until.saturating_duration_since(Instant::now()));
            match left {
                Some(left) if !left.is_zero() && !self.stopped.load(Ordering::SeqCst) => {
                    std::thread::sleep(left.min(Duration::from_millis(50)));
                }
                _ => return,
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics here")
}

fn close(pair: &[TcpStream; 2]) {
    for socket in pair {
        socket.shutdown(Shutdown::Both).ok();
    }
}
