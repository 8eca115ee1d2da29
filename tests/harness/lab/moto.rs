//! An S3 server as a process, and functions to read, change and restore what a broker stored.
//! It requires a signature but does not verify it, so plain HTTP is enough.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::parts::{Part, lab_dir, require};
use super::process::{Process, free_port, wait_for};

/// What makes moto hand out objects that are not public.
const SIGNED: (&str, &str) =
    ("Authorization", "AWS4-HMAC-SHA256 Credential=lab/20260101/us-east-1/s3/aws4_request");

/// A running moto server, killed when dropped.
#[derive(Debug)]
pub struct Moto {
    port: u16,
    process: Process,
    _folder: TempDir,
}

/// One object of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key, as stored.
    pub key: String,
    /// Its length in bytes.
    pub size: u64,
}

impl Moto {
    /// Starts the server on a free port and waits until it answers; none where moto is missing.
    pub fn start() -> Option<Self> {
        require(Part::Moto)?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let mut command = Command::new(lab_dir().join("moto/bin/moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let process = Process::spawn(&mut command, &folder.path().join("moto.log"));
        let moto = Self { port, process, _folder: folder };
        wait_for("moto answers", Duration::from_secs(120), || {
            ureq::get(moto.url("moto-api/data.json", "")).call().is_ok()
        });
        Some(moto)
    }

    /// `host:port` of the server.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its process, for signals: stopped, it is a store that hangs.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Creates a bucket.
    pub fn create_bucket(&self, bucket: &str) {
        ureq::put(self.url(bucket, ""))
            .header(SIGNED.0, SIGNED.1)
            .send_empty()
            .expect("the bucket is created");
    }

    /// All objects whose key begins with `prefix`, in the order of their keys.
    pub fn list(&self, bucket: &str, prefix: &str) -> Vec<Object> {
        let mut found: Vec<Object> = Vec::new();
        loop {
            let after = found.last().map_or("", |object| object.key.as_str());
            let query = format!("?list-type=2&prefix={}&start-after={}", encode(prefix), encode(after));
            let page = ureq::get(format!("{}{query}", self.url(bucket, "")))
                .header(SIGNED.0, SIGNED.1)
                .call()
                .and_then(|mut answer| answer.body_mut().read_to_string())
                .expect("the bucket is listed");
            for part in page.split("<Contents>").skip(1) {
                let key = between(part, "<Key>", "</Key>");
                let key = quick_xml::escape::unescape(key).expect("a key in XML").into_owned();
                let size = between(part, "<Size>", "</Size>").parse().expect("a size");
                found.push(Object { key, size });
            }
            if !page.contains("<IsTruncated>true</IsTruncated>") {
                return found;
            }
        }
    }

    /// An object's bytes.
    pub fn get(&self, bucket: &str, key: &str) -> Vec<u8> {
        ureq::get(self.url(bucket, key))
            .header(SIGNED.0, SIGNED.1)
            .call()
            .and_then(|mut answer| answer.body_mut().with_config().limit(u64::MAX).read_to_vec())
            .unwrap_or_else(|error| panic!("{key} is read: {error}"))
    }

    /// Writes an object, over one of that key where it is there.
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        ureq::put(self.url(bucket, key))
            .header(SIGNED.0, SIGNED.1)
            .send(bytes)
            .unwrap_or_else(|error| panic!("{key} is written: {error}"));
    }

    /// Copies an object within its bucket.
    pub fn copy(&self, bucket: &str, from: &str, to: &str) {
        ureq::put(self.url(bucket, to))
            .header(SIGNED.0, SIGNED.1)
            .header("x-amz-copy-source", format!("/{bucket}/{}", encode(from)))
            .send_empty()
            .unwrap_or_else(|error| panic!("{from} is copied to {to}: {error}"));
    }

    /// Deletes an object.
    pub fn delete(&self, bucket: &str, key: &str) {
        ureq::delete(self.url(bucket, key))
            .header(SIGNED.0, SIGNED.1)
            .call()
            .unwrap_or_else(|error| panic!("{key} is deleted: {error}"));
    }

    fn url(&self, bucket: &str, key: &str) -> String {
        format!("http://127.0.0.1:{}/{bucket}/{}", self.port, encode(key)).trim_end_matches('/').to_owned()
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).expect("the element begins");
    rest.split_once(end).expect("the element ends").0
}

fn encode(key: &str) -> String {
    key.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
