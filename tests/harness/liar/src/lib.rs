//! A Kafka broker for tests that misbehaves for single requests, as a [`Behaviour`] describes. It keeps a [`Log`] of its requests,
//! its responses and what it stored.
//!
//! Several brokers (node ids) share one set of topics, so that leaders can move. Each listens on a free port of 127.0.0.1.
mod batch;
mod behaviour;
mod clean;
mod fetch;
mod log;
mod produce;
mod serve;
mod settings;
mod state;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use behaviour::{Action, Api, Behaviour, Part, Phase, Rule};
pub use log::{Created, Fetched, Fired, Log, Moved, PartitionLog, Produced, Removed, Stored};

use state::State;

/// A running cluster of one or more such brokers; dropping it closes all connections.
pub struct Liar {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    /// Notified on each change of a log, and at the end.
    changed: Condvar,
    stopped: AtomicBool,
    started: Instant,
    ports: Vec<u16>,
    connections: AtomicU64,
    sockets: Mutex<Vec<TcpStream>>,
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Liar {
    /// Starts the brokers.
    pub fn start(behaviour: Behaviour) -> Self {
        let listeners: Vec<TcpListener> = (0..behaviour.brokers.max(1))
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port to listen on"))
            .collect();
        let ports =
            listeners.iter().map(|listener| listener.local_addr().expect("its own address").port()).collect();
        let inner = Arc::new(Inner {
            state: Mutex::new(State::new(behaviour)),
            changed: Condvar::new(),
            stopped: AtomicBool::new(false),
            started: Instant::now(),
            ports,
            connections: AtomicU64::new(0),
            sockets: Mutex::default(),
        });
        let cleaner = Arc::clone(&inner);
        std::thread::spawn(move || clean::run(&cleaner));
        for (node, listener) in listeners.into_iter().enumerate() {
            let inner = Arc::clone(&inner);
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if inner.is_stopped() {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    serve::connection(&inner, node, stream);
                }
            });
        }
        Self { inner }
    }

    /// `host:port` of each broker.
    pub fn addresses(&self) -> Vec<String> {
        self.inner.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect()
    }

    /// The time in its log, in microseconds from the start.
    pub fn now_us(&self) -> u64 {
        self.inner.now_us()
    }

    /// What happened so far, and what the logs hold now.
    pub fn log(&self) -> Log {
        self.inner.state().export()
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.inner.stopped.store(true, Ordering::Release);
        self.inner.changed.notify_all();
        for port in &self.inner.ports {
            // Ends the wait for the next connection.
            let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, *port));
        }
        for socket in self.inner.sockets.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }
}
