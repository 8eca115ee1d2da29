//! `kaf6 clean` where Docker cannot be asked; what it sweeps is under test in `tests/docker`.

use crate::place::{Place, text};

#[test]
fn without_docker_it_says_what_to_do_and_ends_with_3() {
    let place = Place::new();
    for (host, said) in [
        ("unix:///nowhere/docker.sock", "no Docker Engine: /nowhere/docker.sock is not there"),
        ("ssh://me@host", "kaf6 speaks to Docker only by unix:// and by tcp:// without TLS"),
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
