//! A process that ends with its test, even if the test panics or is killed.
//! Also small functions that all parts use: free ports, waiting for a condition, waiting for a line of output.

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running program, its output in a file.
#[derive(Debug)]
pub struct Process {
    child: Child,
    watchdog: Child,
    log: PathBuf,
}

impl Process {
    /// Starts the command with its output appended to `log`.
    pub fn spawn(command: &mut Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).expect("the log file opens");
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file handle can be cloned"))
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("{} starts: {error}", command.get_program().display()));
        // Its standard input is a pipe that only this process holds: it ends when this process does, however.
        let watchdog = Command::new("sh")
            .args(["-c", r#"read -r _; kill -KILL "$0""#])
            .arg(child.id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh starts");
        Self { child, watchdog, log: log.to_owned() }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All that it has printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it still runs.
    pub fn running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_none()
    }

    /// Sends a signal by its name, such as `STOP` or `TERM`.
    pub fn signal(&self, name: &str) {
        let sent =
            Command::new("sh").args(["-c", r#"kill -"$0" "$1""#, name]).arg(self.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIG{name} reaches process {}", self.id());
    }

    /// Ends it at once, as a power cut would, and waits until it is gone.
    pub fn kill(&mut self) {
        // The watchdog goes first, or it could hit a stranger that got the number next.
        for child in [&mut self.watchdog, &mut self.child] {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port of this host that nobody listens on. It lies below those that the kernel gives to outgoing
/// connections, so that a broker can be started again on its own.
pub fn free_port() -> u16 {
    for _ in 0..1000 {
        let port = 20_000 + random() % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port in 20000..32000")
}

/// Asks again and again until the answer is yes.
///
/// # Panics
///
/// When the time is up, naming `what`.
pub fn wait_for(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a Kafka broker answers there: it is asked for its API versions.
pub(super) fn broker_answers(address: &str) -> bool {
    ask_broker(address).is_ok()
}

/// The same, where a broker that does not answer may just be slow: only one that refuses connections is gone at once.
pub(super) fn broker_lives(address: &str) -> bool {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        match ask_broker(address) {
            Ok(()) => return true,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => return false,
            Err(_) if Instant::now() > deadline => return false,
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn ask_broker(address: &str) -> std::io::Result<()> {
    const API_VERSIONS_V0: &[u8] = b"\0\0\0\x0d\0\x12\0\0\0\0\0\x01\0\x03lab";
    let place = address.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::NotFound)?;
    let mut stream = TcpStream::connect_timeout(&place, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(API_VERSIONS_V0)?;
    stream.read_exact(&mut [0; 8])
}

/// A number that differs between threads and processes: std's hash keys are random.
fn random() -> u16 {
    let hash = RandomState::new().hash_one(std::process::id());
    u16::try_from(hash & 0xffff).expect("masked to 16 bits")
}
