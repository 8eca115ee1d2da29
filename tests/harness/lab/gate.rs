//! A gate at which a run pauses until the test opens it, so that the test can make changes without a time limit.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long a run may take to get there on the busiest machine.
const LONGEST: Duration = Duration::from_secs(300);

/// A `metrics` scenario asks its URL, and the run goes on when the answer comes.
pub struct Gate {
    url: String,
    reached: Receiver<TcpStream>,
}

/// A run that waits; it goes on when this is dropped.
pub struct Held(TcpStream);

impl Gate {
    /// A gate that nobody has reached.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port to listen on");
        let url = format!("http://{}/", listener.local_addr().expect("its own address"));
        let (sender, reached) = channel();
        std::thread::spawn(move || {
            if let Some(Ok(stream)) = listener.incoming().next() {
                sender.send(stream).ok();
            }
        });
        Self { url, reached }
    }

    /// The scenario that stands for it, named `gate`, in one line of YAML after its name; `start` says when, such
    /// as `after: write`. It waits for 4 minutes, which only a test that hangs needs.
    pub fn scenario(&self, start: &str) -> String {
        format!("gate: {{type: metrics, url: \"{}\", {start}, timeout: 4m}}", self.url)
    }

    /// Waits until the run stands there.
    ///
    /// # Panics
    ///
    /// Where it never does, with what the run said.
    pub fn reached(&self, said: impl FnOnce() -> String) -> Held {
        let Ok(stream) = self.reached.recv_timeout(LONGEST) else {
            panic!("the run reaches the gate: {}", said())
        };
        let mut lines = BufReader::new(stream.try_clone().expect("a socket can be cloned")).lines();
        lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
        Held(stream)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nup\n").ok();
    }
}
