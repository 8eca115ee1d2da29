//! Tests images from a registry: pulled with progress, pulled again, refused, with a login.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::cluster::{of_run, on_memory, start};
use crate::lab::{Refusing, Registry, USER};
use crate::runs::Ran;

/// A broker that works.
const GOOD: &str = "FROM kaf6-lab/tansu:dev\n";
/// One that ends at once.
const BAD: &str = "FROM kaf6-lab/tansu:dev\nCMD [\"nonsense\"]\n";
/// One with a layer that takes its time.
const LARGE: &str = "FROM kaf6-lab/tansu:dev\nCOPY ballast /ballast\n";

/// Ten messages through a broker of this image.
fn ten(cluster: &str, image: &str, pull: &str) -> String {
    let broker = cluster.replace("image: kaf6-lab/tansu:dev", &format!("image: {image}"));
    assert!(broker.contains(image) && broker.contains("pull: never"), "{broker}");
    let broker = broker.replace("pull: never", &format!("pull: {pull}"));
    format!(
        "topics: [{{name: \"t-{{{{run_id}}}}\"}}]
scenarios: {{write: {{type: produce, messages: 10}}, read: {{type: consume}}}}
checks: [{{type: count_equals, scenario: read, expected: 10}}]
{broker}"
    )
}

/// Runs it to its end, with what Docker's clients know of logins; nothing of it is left.
fn run(text: &str, config: &str) -> Ran {
    let (kaf6, id) = start(text);
    let ran = kaf6.env("DOCKER_CONFIG", config).run();
    assert_eq!(of_run(&id), Vec::<String>::new(), "nothing is left: {ran}");
    ran
}

fn refused(text: &str, config: &str, parts: &[&str]) -> Ran {
    let ran = run(text, config).expect("error");
    let reason = ran.summary["reason"].as_str().expect("it is a text");
    for part in parts {
        assert!(reason.contains(part), "`{part}` in: {reason}");
    }
    ran
}

/// Bytes that no compression makes fewer.
fn ballast(folder: &Path, mib: u64) {
    let mut bytes = Vec::new();
    let random = std::fs::File::open("/dev/urandom").expect("it is there");
    random.take(mib << 20).read_to_end(&mut bytes).expect("it never ends");
    std::fs::write(folder.join("ballast"), bytes).expect("it is written");
}

/// `8 of 16` of the lines that say so of this image.
fn told(said: &str, image: &str) -> Vec<(u64, u64)> {
    let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("{word} is a number: {said}"));
    let start = format!("pulling {image}: ");
    let lines = said.lines().filter_map(|line| line.trim().strip_prefix(&start));
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    words
        .map(|words| {
            assert!(matches!(words[..], [_, "of", _, "MiB"]), "{words:?}");
            (number(words[0]), number(words[2]))
        })
        .collect()
}

#[test]
fn a_pull_says_how_far_it_is() {
    let Some(cluster) = on_memory() else { return };
    let Some(mut registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    ballast(folder.path(), 16);
    registry.push("kaf6-lab/broker:large", LARGE, folder.path());
    let image = registry.image_slowly("kaf6-lab/broker:large", 1 << 20);
    let ran = run(&ten(&cluster, &image, "missing"), "").expect("pass");
    assert!(ran.stderr.lines().any(|line| line.trim() == format!("pulling {image}")), "first of all: {ran}");
    let told = told(&ran.stderr, &image);
    // One line every three seconds, of a pull that takes at least sixteen.
    assert!(!told.is_empty(), "{ran}");
    assert!(told.iter().all(|(done, total)| (1..=16).contains(done) && *total == 16), "{told:?}");
    assert!(told.is_sorted() && told[0].0 < 16, "{told:?}");
    // The image is present now.
    let again = run(&ten(&cluster, &image, "missing"), "").expect("pass");
    assert!(!again.stderr.contains("pulling"), "{again}");
}

#[test]
fn a_tag_that_no_registry_has() {
    let Some(cluster) = on_memory() else { return };
    let Some(registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    registry.push("kaf6-lab/broker:good", GOOD, folder.path());
    for name in ["kaf6-lab/broker:bad", "kaf6-lab/nothing:good"] {
        let image = registry.image(name);
        refused(
            &ten(&cluster, &image, "missing"),
            "",
            &[
                &format!("cannot pull image {image} for service broker: localhost:"),
                " has no such image; check its name and its tag",
                "not found",
            ],
        );
    }
}

#[test]
fn each_refusal_of_a_registry_says_what_to_do() {
    let Some(cluster) = on_memory() else { return };
    for (status, code, parts) in [
        (429, "TOOMANYREQUESTS", [" limits the number of pulls", "wait, log in (docker login localhost:"]),
        (401, "UNAUTHORIZED", ["it is private: localhost:", "docker login localhost:"]),
        (
            403,
            "DENIED",
            ["has no such image, or only users with access can see it", "check its name; docker login"],
        ),
        (404, "MANIFEST_UNKNOWN", ["has no such image; check its name and its tag", "manifest unknown"]),
        (503, "UNAVAILABLE", [" or the Docker Engine failed; try docker pull by hand", "503"]),
    ] {
        let Some(registry) = Refusing::start(status, code) else { return };
        let image = registry.image("kaf6-lab/broker:1");
        let ran = refused(&ten(&cluster, &image, "missing"), "", &parts);
        let reason = ran.summary["reason"].as_str().expect("it is a text");
        assert!(reason.contains(&format!("cannot pull image {image} for service broker: ")), "{reason}");
    }
}

#[test]
fn what_is_behind_a_login_is_pulled_by_who_has_logged_in() {
    let Some(cluster) = on_memory() else { return };
    let Some(registry) = Registry::with_login() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    registry.push("kaf6-lab/broker:good", GOOD, folder.path());
    let image = registry.image("kaf6-lab/broker:good");
    let text = ten(&cluster, &image, "missing");
    let nowhere = folder.path().join("nowhere").display().to_string();
    refused(
        &text,
        &nowhere,
        &[&image, "no basic auth credentials", "it is private", "docker login localhost:"],
    );

    let config = registry.log_in();
    let file = Path::new(&config).join("config.json");
    let good = std::fs::read_to_string(&file).expect("docker login has written it");
    // `me:wrong`
    let auth = good.split('"').find(|word| word.starts_with("bWU6")).expect("a login");
    let wrong = folder.path().join("wrong");
    std::fs::create_dir(&wrong).expect("a folder");
    std::fs::write(wrong.join("config.json"), good.replace(auth, "bWU6d3Jvbmc=")).expect("it is written");
    let wrong = wrong.display().to_string();
    let ran = refused(&text, &wrong, &[&image, "unauthorized", "it is private", "docker login localhost:"]);
    assert!(!format!("{ran}{}", ran.html).contains("wrong"), "{ran}");

    let ran = run(&text, &config).expect("pass");
    let (_, password) = USER;
    for said in [&ran.stderr, &ran.stdout, &ran.html, &ran.summary.to_string()] {
        assert!(
            !said.contains(password) && !said.contains(auth),
            "a password is told to Docker alone: {said}"
        );
    }
}

#[test]
fn a_tag_that_has_moved_is_pulled_where_the_file_asks_for_it() {
    let Some(cluster) = on_memory() else { return };
    let Some(registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    registry.push("kaf6-lab/broker:moves", BAD, folder.path());
    let image = registry.image("kaf6-lab/broker:moves");
    refused(
        &ten(&cluster, &image, "never"),
        "",
        &["is not on this Docker Engine, and the service has pull: never"],
    );
    refused(&ten(&cluster, &image, "missing"), "", &["broker ended with exit code"]);
    registry.push("kaf6-lab/broker:next", GOOD, folder.path());
    registry.retag("kaf6-lab/broker", "next", "moves");
    for pull in ["missing", "never"] {
        refused(&ten(&cluster, &image, pull), "", &["broker ended with exit code"]);
    }
    run(&ten(&cluster, &image, "always"), "").expect("pass");
    run(&ten(&cluster, &image, "never"), "").expect("pass");
}

#[test]
fn a_signal_ends_a_pull() {
    let Some(cluster) = on_memory() else { return };
    let Some(mut registry) = Registry::start() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    ballast(folder.path(), 16);
    registry.push("kaf6-lab/broker:large", LARGE, folder.path());
    let image = registry.image_slowly("kaf6-lab/broker:large", 40 << 10);
    let (kaf6, id) = start(&ten(&cluster, &image, "missing"));
    let running = kaf6.start();
    running.wait_for(&format!("pulling {image}"));
    std::thread::sleep(Duration::from_secs(1));
    let signalled = Instant::now();
    running.signal("TERM");
    let ran = running.interrupted(143);
    // The complete pull would take minutes.
    assert!(signalled.elapsed() < Duration::from_secs(240), "{:?}: {ran}", signalled.elapsed());
    assert_eq!(of_run(&id), Vec::<String>::new(), "{ran}");
}
