//! Tests the `metrics` scenario: formats of pages, long pages, slow endpoints, proxies.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::place::{Place, text};

const MIB: usize = 1 << 20;

/// A page, by its path. The lines of OpenMetrics have exemplars.
fn page(path: &str) -> String {
    match path {
        "/om" => "# TYPE a counter\na_total 17 # {id=\"x\"} 1.0 1700000000.1\n# TYPE h histogram\n\
                  h_bucket{le=\"1\"} 6 # {trace_id=\"t\"} 0.5\nh_bucket{le=\"+Inf\"} 7\nh_sum 3.2\nh_count 7\n# EOF\n"
            .to_owned(),
        "/labels" => "x{state=\"NEW\",} 0.0\ny{a=\"1\", b=\"2\"} 1\n".to_owned(),
        "/long" => format!("{}up 1\n", format!("x{{l=\"{}\"}} 1\n", "a".repeat(1000)).repeat(17_000)),
        "/cut" => {
            let before = "first 1\n# ";
            format!("{before}{}\nup 12345\n", "p".repeat(16 * MIB - before.len() - 1 - "up 123".len()))
        }
        _ => "up 1\n".to_owned(),
    }
}

/// Serves them until the test ends.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                let _ = reader.read_line(&mut line);
                let path = line.split(' ').nth(1).unwrap_or_default();
                assert!(!line.starts_with("CONNECT "), "{line}");
                if path == "/slow" {
                    std::thread::sleep(Duration::from_millis(10_500));
                }
                let page = page(path);
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{page}",
                    page.len()
                );
                let _ = reader.read(&mut [0; 1000]);
            });
        }
    });
    address
}

fn file(address: &str, path: &str, contains: &str) -> String {
    format!(
        "scenarios:\n  m: {{type: metrics, url: 'http://{address}{path}', contains: [{contains}], timeout: 90s}}\n\
         checks: [{{type: http_ok}}, {{type: series_present}}]\n"
    )
}

#[test]
fn pages_are_read_as_their_form_says() {
    let (place, address) = (Place::new(), serve());
    for (path, contains) in
        [("/om", r#"a_total, 'h_bucket{le="1"}', h"#), ("/labels", r#"'x{state="NEW"}', 'y{b="2",a="1"}'"#)]
    {
        place.write("m.yaml", &file(&address, path, contains));
        let output = place.output(&["run", "m.yaml", "--run-id", &path[1..]]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    }
    let page = std::fs::read_to_string(place.path().join("reports/om/report.html")).unwrap();
    assert!(!page.contains("trace_id"), "exemplars are no part of a series");
    place.write("m.yaml", &file(&address, "/labels", r#"'y{a="1"}', z"#));
    let shown = text(&place.output(&["run", "m.yaml", "-q"]).stdout);
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains(r#"missing: y{a="1"} (similar: y{a="1", b="2"}), z"#), "{shown}");
    place.write("m.yaml", &file(&address, "/labels", "'y{a=1}'"));
    let said = text(&place.output(&["validate", "m.yaml"]).stderr);
    assert!(said.contains("m.yaml:2:") && said.contains("invalid series `y{a=1}`"), "{said}");
}

#[test]
fn what_lies_behind_16_mib_is_neither_missing_nor_there() {
    let (place, address) = (Place::new(), serve());
    for path in ["/long", "/cut"] {
        place.write("m.yaml", &file(&address, path, "up"));
        let output = place.output(&["run", "m.yaml", "-q", "--run-id", &path[1..]]);
        assert_eq!(output.status.code(), Some(3), "{path}: {}", text(&output.stdout));
        let summary = place.json(&format!("reports/{}/summary.json", &path[1..]));
        assert!(
            summary["reason"].as_str().unwrap().contains("not in the first 16 MiB"),
            "{}",
            summary["reason"]
        );
        assert!(
            summary["notes"][0]["text"].as_str().unwrap().contains("longer than 16 MiB"),
            "{}",
            summary["notes"]
        );
    }
    place.write("m.yaml", &file(&address, "/cut", "first"));
    assert_eq!(place.code(&["run", "m.yaml", "-q"]), 0, "what was found is there");
}

#[test]
fn one_request_takes_the_timeout_of_the_file() {
    let (place, address) = (Place::new(), serve());
    place.write("m.yaml", &file(&address, "/slow", "up"));
    let output = place.output(&["run", "m.yaml", "-q"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    place.write("m.yaml", &file(&address, "/slow", "up").replace("90s", "1s"));
    let shown = text(&place.output(&["run", "m.yaml", "-q"]).stdout);
    assert!(shown.contains("no answer within 1 s"), "{shown}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_request_that_nobody_answers() {
    // Connections wait in its backlog.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::new();
    place.write("m.yaml", &file(&silent.local_addr().unwrap().to_string(), "/", "up"));
    let mut child = place
        .plain(&["run", "m.yaml", "-q", "--run-id", "x"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (_asked, _) = silent.accept().unwrap();
    let began = Instant::now();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(
        began.elapsed() < Duration::from_secs(45),
        "the request's timeout is 90 s: {:?}",
        began.elapsed()
    );
    let summary = place.json("reports/x/summary.json");
    assert_eq!(
        (&summary["checks"]["http_ok"], &summary["checks"]["series_present"], &summary["status"]),
        (&"inconclusive".into(), &"inconclusive".into(), &"error".into()),
        "{summary}"
    );
}

#[test]
fn proxies_are_named_and_never_asked_for_this_machine() {
    let (place, address) = (Place::new(), serve());
    place.write("near.yaml", &file(&address, "/", "up"));
    place.write("far.yaml", &file("broker.invalid", "/", "up"));
    let run = |name: &str, file: &str, without: &str| {
        let mut command = place.kaf6(&["run", file, "-q"]);
        for unset in
            ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy"]
        {
            command.env_remove(unset);
        }
        let output =
            command.env(name, "http://me:hunter2@127.0.0.1:1").env("NO_PROXY", without).output().unwrap();
        (output.status.code(), text(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" "))
    };
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"] {
        assert_eq!(run(name, "near.yaml", "").0, Some(0), "{name}");
    }
    let (code, shown) = run("HTTP_PROXY", "far.yaml", "other.invalid");
    assert_eq!(code, Some(1));
    assert!(shown.contains("through the proxy 127.0.0.1:1 of HTTP_PROXY:"), "{shown}");
    assert!(shown.contains("to bypass the proxy, add broker.invalid to NO_PROXY"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
    // A request to a proxy has the whole URL, so the proxy need not support CONNECT.
    let proxy = serve();
    let mut command = place.kaf6(&["run", "far.yaml", "-q"]);
    command
        .env("http_proxy", format!("http://me:hunter2@{proxy}"))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    for (name, without) in [("HTTP_PROXY", ".invalid"), ("HTTPS_PROXY", "")] {
        let (_, shown) = run(name, "far.yaml", without);
        assert!(!shown.contains("proxy"), "{name}: {shown}");
    }
}
