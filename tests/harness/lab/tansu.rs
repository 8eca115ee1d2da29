//! Tansu, a stateless broker over memory or object storage, as one static binary. Its architecture is similar to KafScale's.
//! In memory, it is also the broker that loses data when it restarts.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::parts::{Part, lab_dir, require};
use super::process::{Process, broker_answers, free_port};

/// Where a broker keeps its records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In the process: all is gone after a restart.
    Memory,
    /// In a bucket, which must be there.
    S3 {
        /// `host:port` of the S3 server.
        endpoint: String,
        /// The bucket's name.
        bucket: String,
    },
}

/// A running Tansu broker, killed when dropped.
#[derive(Debug)]
pub struct Tansu {
    storage: Storage,
    port: u16,
    process: Process,
    folder: TempDir,
}

impl Tansu {
    /// Starts a broker on a free port and waits until it answers; none where Tansu is missing.
    pub fn start(storage: &Storage) -> Option<Self> {
        require(Part::Tansu)?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Somebody else may take the port between looking and listening.
        for _ in 0..5 {
            let port = free_port();
            if let Ok(process) = spawn(storage, port, &folder.path().join("tansu.log")) {
                return Some(Self { storage: storage.clone(), port, process, folder });
            }
        }
        panic!("tansu does not start: {}", read(&folder))
    }

    /// `host:port` for clients.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its process, for signals.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// All that it has printed, over restarts.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Kills it where it runs and starts it again on the same port and storage.
    pub fn restart(&mut self) {
        self.kill();
        self.process = spawn(&self.storage, self.port, &self.folder.path().join("tansu.log"))
            .unwrap_or_else(|()| panic!("tansu starts again: {}", read(&self.folder)));
    }
}

fn read(folder: &TempDir) -> String {
    std::fs::read_to_string(folder.path().join("tansu.log")).unwrap_or_default()
}

fn spawn(storage: &Storage, port: u16, log: &Path) -> Result<Process, ()> {
    let mut command = Command::new(lab_dir().join("bin/tansu"));
    command
        .arg("broker")
        .env_clear()
        .env("LISTENER_URL", format!("tcp://127.0.0.1:{port}"))
        .env("ADVERTISED_LISTENER_URL", format!("tcp://127.0.0.1:{port}"))
        .env("RUST_LOG", "warn");
    match storage {
        Storage::Memory => command.env("STORAGE_ENGINE", "memory://tansu/"),
        Storage::S3 { endpoint, bucket } => command
            .env("STORAGE_ENGINE", format!("s3://{bucket}/"))
            .env("AWS_ENDPOINT", format!("http://{endpoint}"))
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "lab")
            .env("AWS_SECRET_ACCESS_KEY", "lab"),
    };
    let mut process = Process::spawn(&mut command, log);
    let deadline = Instant::now() + Duration::from_secs(120);
    while process.running() && Instant::now() < deadline {
        // Somebody else's broker may answer there: ours has then ended, or is about to.
        if broker_answers(&format!("127.0.0.1:{port}")) && process.running() {
            return Ok(process);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(())
}
