//! Tests errors of the Docker Engine: each message has the reason and a hint, and the run is inconclusive.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use crate::place::{Place, text};

const CLUSTER: &str = "
scenarios: {write: {type: produce, messages: 10, topic: t}}
topics: [{name: t, partitions: 1}]
cluster: {services: {broker: {image: nobody/nothing, ports: {kafka: 9092}}}}
";

/// The reason of a run whose Docker Engine is to listen at this socket; it is the same on the terminal.
fn reason(place: &Place, socket: &Path, runtime: &Path) -> String {
    place.write("cluster.yaml", CLUSTER);
    let mut command = place.kaf6(&["run", "cluster.yaml", "--run-id", "a"]);
    command.env("DOCKER_HOST", format!("unix://{}", socket.display())).env("XDG_RUNTIME_DIR", runtime);
    let output = command.output().expect("kaf6 runs");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let summary = place.json("reports/a/summary.json");
    assert_eq!(summary["status"], "error");
    assert_eq!(place.names("reports/a"), ["junit.xml", "report.html", "summary.json"]);
    std::fs::remove_dir_all(place.path().join("reports")).expect("the reports are there");
    summary["reason"].as_str().expect("it is a text").to_owned()
}

#[test]
fn a_socket_that_cannot_be_used_says_why_and_what_else_is_there() {
    let place = Place::new();
    let (socket, runtime) = (place.path().join("docker.sock"), place.path().join("run"));
    let at = socket.display();
    let said = reason(&place, &socket, &runtime);
    assert!(said.contains(&format!("no Docker Engine: {at} does not exist; start Docker")), "{said}");

    // Docker's socket file remains after Docker has stopped.
    drop(UnixListener::bind(&socket).expect("a socket"));
    let said = reason(&place, &socket, &runtime);
    let dead = format!("no Docker Engine: {at} exists, but nothing listens there; start Docker");
    assert!(said.contains(&dead), "{said}");
    assert!(!said.contains("rootless"), "{said}");

    std::fs::create_dir_all(runtime.join("podman")).expect("a folder");
    let rootless = UnixListener::bind(runtime.join("docker.sock")).expect("a socket");
    let podman = UnixListener::bind(runtime.join("podman/podman.sock")).expect("a socket");
    let said = reason(&place, &socket, &runtime);
    let run = runtime.display();
    assert!(said.contains(&dead), "{said}");
    assert!(
        said.contains(&format!(
            "; there is a socket of rootless Docker: DOCKER_HOST=unix://{run}/docker.sock; "
        )),
        "{said}"
    );
    assert!(
        said.contains(&format!(
            "there is a socket of rootless Podman: DOCKER_HOST=unix://{run}/podman/podman.sock"
        )),
        "{said}"
    );
    drop((rootless, podman));

    std::fs::remove_file(&socket).expect("it was there");
    std::fs::create_dir(&socket).expect("a folder");
    let said = reason(&place, &socket, &runtime);
    assert!(said.contains(&format!("{at} exists, but it is a folder: it was mounted from a host")), "{said}");
}

#[test]
fn a_socket_of_others_says_how_to_get_at_it() {
    const NOBODY: u32 = 65534;
    let place = Place::new();
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is this user's");
    };
    let socket = place.path().join("docker.sock");
    let _listener = UnixListener::bind(&socket).expect("a socket");
    open(&socket, 0o000);
    let mut command = place.plain(&["clean"]);
    command.env("DOCKER_HOST", format!("unix://{}", socket.display()));
    // Root may use any socket.
    if std::fs::metadata(&socket).is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0) {
        open(place.path(), 0o755);
        command.uid(NOBODY).gid(NOBODY);
    }
    let Ok(output) = command.output() else { return };
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let wanted = format!(
        "no permission to use Docker's socket {}: run kaf6 as a user in the group docker",
        socket.display()
    );
    assert!(said.contains(&wanted), "{said}");
}

#[test]
fn what_is_no_docker_engine_is_told() {
    use std::io::{Read as _, Write as _};
    let place = Place::new();
    let socket = place.path().join("docker.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let _ = client.read(&mut [0; 1024]);
            let _ = client.write_all(b"220 mail.example ESMTP\r\n");
        }
    });
    let said = reason(&place, &socket, place.path());
    assert!(
        said.contains(&format!("the Docker Engine at unix://{} does not answer: ", socket.display())),
        "{said}"
    );
}
