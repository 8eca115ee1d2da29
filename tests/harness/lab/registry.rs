//! A container registry on a port of this host, which Docker trusts without TLS, and a slow link to it.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::parts::{Part, lab_dir, require};
use super::process::{Process, free_port, wait_for};

/// The only user of a registry with a login, and the password.
pub const USER: (&str, &str) = ("me", "se:cret");

/// That user as `htpasswd -B` writes it.
const HTPASSWD: &str = "me:$2y$04$kaf6kaf6kaf6kaf6kaf6kuvrDecJ.gKWqCb0XHMinGHQemrsY4VNO\n";

/// A running registry; dropped, it is killed, and Docker forgets the images that were pulled from it.
#[derive(Debug)]
pub struct Registry {
    port: u16,
    /// The port that leads to it at a bound speed.
    narrow: Option<u16>,
    _process: Process,
    folder: TempDir,
}

impl Registry {
    /// One that anybody may use; none where the registry or Docker is missing.
    pub fn start() -> Option<Self> {
        Self::with("")
    }

    /// One for [`USER`] alone.
    pub fn with_login() -> Option<Self> {
        Self::with("auth: {htpasswd: {realm: lab, path: htpasswd}}\n")
    }

    fn with(auth: &str) -> Option<Self> {
        require(Part::Registry)?;
        require(Part::Docker)?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let config = format!(
            "version: 0.1\nlog: {{level: warn}}\nstorage: {{filesystem: {{rootdirectory: data}}}}\n\
             http: {{addr: \"127.0.0.1:{port}\"}}\n{auth}"
        );
        std::fs::write(folder.path().join("config.yml"), config).expect("its settings are written");
        std::fs::write(folder.path().join("htpasswd"), HTPASSWD).expect("its user is written");
        let mut command = Command::new(lab_dir().join("bin/registry"));
        command.args(["serve", "config.yml"]).current_dir(folder.path()).env("OTEL_TRACES_EXPORTER", "none");
        let process = Process::spawn(&mut command, &folder.path().join("registry.log"));
        let registry = Self { port, narrow: None, _process: process, folder };
        wait_for("the registry listens", Duration::from_secs(120), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(registry)
    }

    /// The name of an image there.
    pub fn image(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.port)
    }

    /// The name of an image there, which comes at this many bytes a second.
    pub fn image_slowly(&mut self, name: &str, bytes_per_second: usize) -> String {
        let port = *self.narrow.get_or_insert_with(|| narrow(self.port, bytes_per_second));
        format!("localhost:{port}/{name}")
    }

    /// Builds an image by this recipe in this folder and puts it there under this name. It is not on the Docker Engine then.
    pub fn push(&self, name: &str, recipe: &str, context: &Path) {
        let image = self.image(name);
        std::fs::write(context.join("Dockerfile"), recipe).expect("the recipe is written");
        docker(&["build", "--quiet", "--tag", &image, &context.display().to_string()]);
        let config = self.log_in();
        docker(&["--config", &config, "push", &image]);
        docker(&["rmi", &image]);
    }

    /// Lets a tag stand for the image of another one, on its side alone.
    pub fn retag(&self, name: &str, from: &str, to: &str) {
        const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
        let url = |tag: &str| format!("http://127.0.0.1:{}/v2/{name}/manifests/{tag}", self.port);
        let manifest = ureq::get(url(from))
            .header("Accept", MANIFEST)
            .call()
            .and_then(|mut answer| answer.body_mut().read_to_vec())
            .expect("the manifest is there");
        ureq::put(url(to)).content_type(MANIFEST).send(&manifest[..]).expect("the tag is moved");
    }

    /// A configuration folder of Docker's, as `docker login` leaves it.
    pub fn log_in(&self) -> String {
        let config = self.folder.path().join("docker").display().to_string();
        let (host, (user, password)) = (format!("localhost:{}", self.port), USER);
        docker(&["--config", &config, "login", "--username", user, "--password", password, &host]);
        config
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        for port in std::iter::once(self.port).chain(self.narrow) {
            // By the digest too: one whose tag has moved on has no other name. By its id it could be somebody else's.
            let names = format!("reference=localhost:{port}/*/*");
            let format = "{{.Repository}}:{{.Tag}} {{.Repository}}@{{.Digest}}";
            let listed = Command::new("docker")
                .args(["images", "--digests", "--filter", &names, "--format", format])
                .output();
            let listed = listed.map(|output| output.stdout).unwrap_or_default();
            for image in String::from_utf8_lossy(&listed).split_whitespace() {
                Command::new("docker").args(["rmi", image]).output().ok();
            }
        }
    }
}

/// A registry that refuses all images in the same way, as registries write it.
#[derive(Debug)]
pub struct Refusing {
    port: u16,
}

impl Refusing {
    /// By a status, such as 429, and the code that belongs to it, such as `TOOMANYREQUESTS`. It listens as long as the test
    /// runs.
    pub fn start(status: u16, code: &'static str) -> Option<Self> {
        require(Part::Docker)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || refuse(client, status, code));
            }
        });
        Some(Self { port })
    }

    /// The name of an image there.
    pub fn image(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.port)
    }
}

fn refuse(mut client: TcpStream, status: u16, code: &str) {
    let mut request = [0; 8192];
    let Ok(length @ 1..) = client.read(&mut request) else { return };
    // Docker tries TLS first; and it wants to know that this is a registry.
    if !request.starts_with(b"GET") && !request.starts_with(b"HEAD") {
        return;
    }
    let greeting = String::from_utf8_lossy(&request[..length]).starts_with("GET /v2/ ");
    let error = format!("{{\"errors\": [{{\"code\": \"{code}\", \"message\": \"as told\"}}]}}");
    let (status, body) = if greeting { (200, "{}") } else { (status, error.as_str()) };
    let answer = format!(
        "HTTP/1.1 {status} As Told\r\nContent-Type: application/json\r\nDocker-Distribution-Api-Version: registry/2.0\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    client.write_all(answer.as_bytes()).ok();
}

/// A port that leads to another one of this host. What comes back from there comes at a bound speed, on each connection.
fn narrow(to: u16, bytes_per_second: usize) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(("127.0.0.1", to)) else { return };
            let (from_client, to_client) = (client.try_clone().expect("a socket can be cloned"), client);
            let (from_server, to_server) = (server.try_clone().expect("a socket can be cloned"), server);
            thread::spawn(move || pump(from_client, to_server, None));
            thread::spawn(move || pump(from_server, to_client, Some(bytes_per_second)));
        }
    });
    port
}

/// Hands on what comes until one side ends.
fn pump(mut from: TcpStream, mut to: TcpStream, bytes_per_second: Option<usize>) {
    const EACH: Duration = Duration::from_millis(20);
    let size = bytes_per_second.map_or(1 << 16, |bytes| (bytes / 50).max(1));
    let mut bytes = vec![0; size];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
        if bytes_per_second.is_some() {
            thread::sleep(EACH);
        }
    }
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}

fn docker(words: &[&str]) {
    let output = Command::new("docker").args(words).output().expect("docker starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {} works: {said}", words.join(" "));
}
