//! A socket in front of the Docker Engine of this machine that answers some requests itself, like another engine or an engine in
//! another state.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;

use super::parts::{Part, require};

/// A way to the Docker Engine; it goes away with its folder.
#[derive(Debug)]
pub struct Engine {
    folder: tempfile::TempDir,
}

/// To requests that begin so (`POST /networks/create`, without the version of the API), and have what stands behind a `*` in
/// what follows: a status, and a body.
pub type Answer = (&'static str, u16, String);

impl Engine {
    /// One that answers these requests itself; none where Docker is missing.
    pub fn with(answers: Vec<Answer>) -> Option<Self> {
        require(Part::Docker)?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let listener = UnixListener::bind(folder.path().join("docker.sock")).expect("a socket to listen at");
        let answers = Arc::new(answers);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let answers = Arc::clone(&answers);
                thread::spawn(move || serve(client, &answers));
            }
        });
        Some(Self { folder })
    }

    /// As `DOCKER_HOST` has it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }
}

/// One request of a connection, which ends with its answer: the next one comes on another.
fn serve(mut client: UnixStream, answers: &[Answer]) -> Option<()> {
    let mut request = Vec::new();
    let end = loop {
        let mut piece = [0; 4096];
        let length = client.read(&mut piece).ok().filter(|length| *length > 0)?;
        request.extend_from_slice(&piece[..length]);
        if let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8_lossy(&request[..end]).into_owned();
    let (method, path) = head.split_once(' ')?;
    let path = match path.strip_prefix("/v1.").and_then(|rest| rest.split_once('/')) {
        Some((_, rest)) => format!("/{rest}"),
        None => path.to_owned(),
    };
    let asked = format!("{method} {path}");
    if let Some((_, status, body)) = answers.iter().find(|(wanted, ..)| is_it(&asked, wanted)) {
        // All of it is read, or its sender could not finish it.
        while !is_whole(&head, &request[end + 4..]) {
            let mut piece = [0; 4096];
            let length = client.read(&mut piece).ok().filter(|length| *length > 0)?;
            request.extend_from_slice(&piece[..length]);
        }
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status} As Told\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        client.write_all(head.as_bytes()).and_then(|()| client.write_all(body.as_bytes())).ok()?;
        return Some(());
    }
    let mut engine = UnixStream::connect("/var/run/docker.sock").ok()?;
    let upgrades = head.to_lowercase().contains("\r\nupgrade:");
    engine.write_all(head.as_bytes()).ok()?;
    engine.write_all(if upgrades { b"" } else { b"\r\nConnection: close" }).ok()?;
    engine.write_all(&request[end..]).ok()?;
    let (mut up, mut down) = (client.try_clone().ok()?, engine.try_clone().ok()?);
    thread::spawn(move || {
        std::io::copy(&mut up, &mut down).ok();
        down.shutdown(Shutdown::Write).ok();
    });
    std::io::copy(&mut engine, &mut client).ok();
    client.shutdown(Shutdown::Both).ok();
    Some(())
}

fn is_it(asked: &str, wanted: &str) -> bool {
    let (start, more) = wanted.split_once('*').unwrap_or((wanted, ""));
    asked.strip_prefix(start).is_some_and(|rest| rest.contains(more))
}

/// Whether this is all of a request's body.
fn is_whole(head: &str, body: &[u8]) -> bool {
    let head = head.to_lowercase();
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with(b"0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}
