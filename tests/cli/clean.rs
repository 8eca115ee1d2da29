//! Tests `kaf6 clean` without Docker. `tests/docker/swept.rs` tests what it removes.

use crate::place::{Place, text};

#[test]
fn without_docker_it_says_what_to_do_and_ends_with_3() {
    let place = Place::new();
    for (host, said) in [
        ("unix:///nowhere/docker.sock", "no Docker Engine: /nowhere/docker.sock does not exist"),
        ("ssh://me@host", "kaf6 connects to Docker only over unix:// and over tcp:// without TLS"),
        ("tcp://127.0.0.1:1", "the Docker Engine at tcp://127.0.0.1:1 does not answer"),
    ] {
        let output = place.kaf6(&["clean"]).env("DOCKER_HOST", host).output().expect("kaf6 runs");
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn force_needs_a_run() {
    let output = Place::new().output(&["clean", "--force"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--run <ID>"), "{}", text(&output.stderr));
}

#[test]
fn dockers_current_context_says_where_docker_listens() {
    let place = Place::new();
    let context = |host: &str| {
        place.write("docker/config.json", r#"{"currentContext": "colima"}"#);
        let meta = format!(r#"{{"Name": "colima", "Endpoints": {{"docker": {{"Host": "{host}"}}}}}}"#);
        place.write("docker/contexts/meta/0/meta.json", &meta);
    };
    let said = |docker_host: &str| {
        let mut command = place.kaf6(&["clean", "--dry-run"]);
        command.env("DOCKER_CONFIG", place.path().join("docker")).env_remove("DOCKER_CONTEXT");
        let output = command.env("DOCKER_HOST", docker_host).output().unwrap();
        assert!(!output.status.success());
        text(&output.stderr)
    };
    let socket = place.path().join("none.sock").display().to_string();
    context(&format!("unix://{socket}"));
    assert!(said("").contains(&format!("{socket} does not exist")), "{}", said(""));
    assert!(said("unix:///other.sock").contains("/other.sock does not exist"), "DOCKER_HOST comes first");
    context("ssh://me@far");
    assert!(said("").contains("Docker's current context `colima` is ssh://me@far"), "{}", said(""));
}
