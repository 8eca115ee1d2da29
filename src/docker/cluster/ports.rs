//! Published host ports: chosen and reserved before the first container is created.
//!
//! A reserved port has a socket that is bound and does not listen. So no other program gets it, and early
//! connections are refused.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;

use tokio::net::TcpSocket;

use crate::docker::lock::lock;

/// Below the ports that systems use for outgoing connections. So none of these takes a port that is unused for a moment
/// because its container is down.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// The ports of a run.
#[derive(Default)]
pub(crate) struct Ports {
    /// Each port with its socket while it is reserved. Ports of other machines cannot be reserved.
    chosen: Mutex<HashMap<u16, Option<TcpSocket>>>,
}

impl Ports {
    /// Chooses an unused port. `here` is whether it is on this machine.
    pub(crate) fn choose(&self, here: bool) -> std::io::Result<u16> {
        let mut chosen = lock(&self.chosen);
        let mut last = std::io::Error::from(std::io::ErrorKind::AddrInUse);
        for _ in 0..1000 {
            let port = random(RANGE);
            if chosen.contains_key(&port) {
                continue;
            }
            if !here {
                chosen.insert(port, None);
                return Ok(port);
            }
            match hold(port) {
                Ok(socket) => {
                    chosen.insert(port, Some(socket));
                    return Ok(port);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Releases a port that a container is about to use.
    pub(crate) fn release(&self, port: u16) {
        if let Some(held) = lock(&self.chosen).get_mut(&port) {
            *held = None;
        }
    }

    /// Reserves the port of a container that is down. Does nothing if the system still uses the port.
    pub(crate) fn hold_again(&self, port: u16) {
        if let Some(held) = lock(&self.chosen).get_mut(&port)
            && held.is_none()
        {
            *held = hold(port).ok();
        }
    }
}

fn hold(port: u16) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

fn random(range: std::ops::Range<u16>) -> u16 {
    let number = uuid::Uuid::new_v4().as_u128() % u128::from(range.end - range.start);
    range.start + u16::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_held_port_is_nobody_elses_and_refuses() {
        let ports = Ports::default();
        let port = ports.choose(true).expect("a port");
        assert!(TcpListener::bind(("127.0.0.1", port)).is_err());
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
        ports.release(port);
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("let go");
        drop(listener);
        ports.hold_again(port);
        assert!(TcpListener::bind(("127.0.0.1", port)).is_err());
    }

    #[test]
    fn no_port_is_chosen_twice() {
        let ports = Ports::default();
        let mut all: Vec<u16> = (0..200).map(|_| ports.choose(false).expect("a port")).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 200);
        assert!(all.iter().all(|port| RANGE.contains(port)));
    }
}
