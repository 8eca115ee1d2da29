//! Tests `report.html`: its size, that hostile content is escaped, and how a real browser renders it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use kaf6::report::findings::PAGE;
use kaf6::report::html::{SCRIPT_HASH, Section, html};
use kaf6::report::summary::Summary;

use crate::faulted::faulted;
use crate::ranges::ranges;
use crate::{fixtures, parts};

fn all() -> [(&'static str, Summary); 8] {
    [
        ("pass", fixtures::pass()),
        ("fail", fixtures::fail()),
        ("error", fixtures::error()),
        ("open", fixtures::open()),
        ("big", fixtures::big()),
        ("hostile", fixtures::hostile()),
        ("faulted", faulted()),
        ("ranges", ranges()),
    ]
}

/// Writes the pages where a person can look at them: `KAF6_KEEP_PAGES=/tmp/pages cargo test --test report`.
#[test]
fn pages_to_look_at() {
    let Some(folder) = std::env::var_os("KAF6_KEEP_PAGES").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    for (name, run) in all() {
        std::fs::write(folder.join(format!("{name}.html")), html(&run).unwrap()).unwrap();
    }
}

#[test]
fn an_hours_run_stays_small() {
    let page = html(&fixtures::big()).unwrap();
    assert!(page.len() < 400 * 1000, "{} bytes", page.len());
}

#[test]
fn the_policy_names_the_script() {
    let page = html(&fixtures::pass()).unwrap();
    let script = page.split_once("<script>").unwrap().1.split_once("</script>").unwrap().0;
    let hash = openssl::base64::encode_block(&openssl::sha::sha256(script.as_bytes()));
    assert_eq!(
        SCRIPT_HASH,
        format!("sha256-{hash}"),
        "readout.js has changed: put its new hash into html/mod.rs"
    );
    assert!(page.contains(&format!("script-src '{SCRIPT_HASH}'")));
}

#[test]
fn the_parts_of_the_page_that_a_reader_looks_for() {
    let page = html(&fixtures::fail()).unwrap();
    for part in [
        "<title>Failed: durability</title>",
        "<html lang=\"en\">",
        "3 of 3,000 acknowledged messages are not in the log after <code>bounce</code>",
        "<a href=\"#L29\">line 29</a>",
        "<li id=\"L29\" class=\"fail\">",
        "bounce · restart broker",
        "Not found:",
        "Not measured in this run: stale end.",
        "Errors by code",
        "kafscale_s3_health_state{state=&quot;healthy&quot;}",
        "<a href=\"logs/broker.log\">",
    ] {
        let page = page.replace("&#34;", "&quot;");
        assert!(page.contains(part), "{part}");
    }
    let first = |text: &str| page.find(text).unwrap();
    assert!(first("<tr class=\"fail\">") < first("<tr class=\"inconclusive\">"));
    assert!(first("<tr class=\"inconclusive\">") < first("<tr class=\"pass\">"));
}

/// The account: one row for each scenario, and only the columns in which something is.
#[test]
fn every_message_is_in_the_table_of_the_account() {
    let section = |run: &Summary| {
        let page = html(run).unwrap();
        let rest = page.split_once("<section id=\"account\"").unwrap().1.to_owned();
        rest.split_once("</section>").unwrap().0.to_owned()
    };
    let names = |section: &str| -> Vec<String> {
        let head = section.split_once("</thead>").unwrap().0;
        let column = |it: &str| it.split_once("</th>").unwrap().0.trim_end_matches("</a>").to_owned();
        let name = |it: &str| column(it).rsplit('>').next().unwrap().to_owned();
        head.split("title=\"").skip(1).map(name).collect()
    };
    let open = section(&fixtures::open());
    assert_eq!(names(&open), ["planned", "sent", "acked", "failed", "verified", "excluded", "unread"]);
    for part in [
        "12 of 1,000 planned messages are not accounted for: 10 unread, 2 failed.",
        "<td class=\"n inconclusive first\" data-label=\"unread\">10</td>",
        "<summary>2 partitions of write, 2 with findings</summary>",
        "<code>allow: {failed: 1%}</code>",
        "<span class=\"key\">All</span>",
    ] {
        assert!(open.contains(part), "{part}: {open}");
    }
    assert!(open.contains(&format!("><a href=\"{PAGE}#unread\">unread</a></th>")), "{open}");
    assert!(open.contains(&format!("next steps: <a href=\"{PAGE}#unread\">unread</a>, ")), "{open}");
    let fail = section(&fixtures::fail());
    assert!(fail.contains("<td class=\"n fail first\" data-label=\"lost\">3</td>"), "{fail}");
    assert!(fail.contains("3 of 3,000 planned messages are not accounted for: 3 lost."));
    let pass = section(&fixtures::pass());
    assert_eq!(names(&pass), ["planned", "sent", "acked", "verified"]);
    assert!(pass.contains("All 1,000 planned messages are accounted for: 1,000 verified."));
    assert!(!pass.contains("<span class=\"key\">All</span>"), "one scenario needs no total");
    assert!(!html(&fixtures::pass()).unwrap().contains(PAGE), "a run without findings has no links to them");
    let mut old = fixtures::pass();
    old.accounts = None;
    assert!(!html(&old).unwrap().contains("id=\"account\""), "summaries of earlier versions have none");
}

#[test]
fn a_reader_that_kaf6_added_is_shown_as_such() {
    let page = html(&fixtures::open()).unwrap();
    assert!(page.contains("verify:orders <span class=\"k\">read back by kaf6</span>"), "{page}");
    assert!(
        page.contains("kaf6 added this reader for messages that no reader in the file reads completely.")
    );
}

#[test]
fn faults_with_all_that_came_of_them() {
    let page = html(&faulted()).unwrap();
    let section = |id: &str| {
        let rest = page.split_once(&format!("<section id=\"{id}\"")).unwrap().1;
        rest.split_once("</section>").unwrap().0.to_owned()
    };
    for (id, parts) in [
        ("timeline", &["bounce · restart broker", "class=\"band\""][..]),
        ("faults", &["238 ms", "2.35 s", "exit 137"]),
        ("anomalies", &["gone after <code>bounce</code>", "resent its batch, during <code>bounce</code>"]),
        ("checks", &["during <code>bounce</code>"]),
        ("changes", &["orders[1]", "220 ms after grow", "127.0.0.1:40113", "111 of 122"]),
        (
            "containers",
            &["local/tansu:dev", "<details class=\"log\" open>", "connection reset by peer", "never"],
        ),
    ] {
        let section = section(id);
        for part in parts {
            assert!(section.contains(part), "{id}: {part}");
        }
    }
    assert!(page.contains("first ack after the fault"));
}

#[test]
fn ids_are_unique_and_links_have_a_target() {
    for (name, run) in all() {
        let page = html(&run).unwrap();
        let values = |before: &str| -> Vec<String> {
            page.split(before).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
        };
        let mut ids = values(" id=\"");
        for target in values(" href=\"#").iter().chain(&values("aria-labelledby=\"").concat_words()) {
            assert!(ids.contains(target), "{name}: {target}");
        }
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "{name}");
    }
}

trait Words {
    fn concat_words(&self) -> Vec<String>;
}

impl Words for Vec<String> {
    fn concat_words(&self) -> Vec<String> {
        self.iter().flat_map(|v| v.split(' ')).map(str::to_owned).collect()
    }
}

#[test]
fn nothing_hostile_leaves_its_place() {
    let page = html(&fixtures::hostile()).unwrap();
    for (name, whole) in all() {
        let page = html(&whole).unwrap();
        assert_eq!(page.matches("<script").count(), page.matches("</script>").count(), "{name}");
        assert!(page.matches("<script").count() <= 1, "{name}");
        assert!(!page.contains("url(") && !page.contains("@import"), "{name}");
        for (attribute, value) in tags(&page).flat_map(attributes) {
            assert!(!attribute.starts_with("on") && attribute != "src", "{name}: {attribute}");
            if attribute == "href" {
                // The only external address is that of the docs.
                let value = match value.split_once("/findings.md#") {
                    Some((page, anchor)) if PAGE == format!("{page}/findings.md") => anchor,
                    _ => value,
                };
                let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "#-._/".contains(c));
                assert!(plain && !value.starts_with('/'), "{name}: {value}");
            }
        }
    }
    assert!(!page.contains("<img"), "an image from a message");
    assert_eq!(page.matches("</style>").count(), 1);
    let steers = |c: char| c.is_control() && c != '\n' && c != '\r' || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!page.contains(steers), "a character that steers");
    assert!(!page.contains("NaN") && !page.contains("inf "), "a picture of no number");
}

/// The insides of all tags outside of the script and style.
fn tags(page: &str) -> impl Iterator<Item = &str> {
    let body = page.split_once("<body>").unwrap().1;
    let body = body.split_once("<script>").map_or(body, |parts| parts.0);
    body.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag)
}

/// Names and values of a tag's attributes; the page quotes all of them.
fn attributes(tag: &str) -> Vec<(&str, &str)> {
    let mut out = Vec::new();
    let mut rest = tag.split_once(' ').map_or("", |parts| parts.1);
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').expect("a closed attribute");
        out.push((name.trim(), value));
        rest = after;
    }
    out
}

const CHROMIUM: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

fn chromium() -> Option<&'static str> {
    let found = CHROMIUM.into_iter().find(|name| Command::new(name).arg("--version").output().is_ok());
    if found.is_none() {
        parts::skip("chromium", "chromium");
    }
    found
}

/// What the page is after its script has run, and all that the browser said of it.
fn open(browser: &str, page: &Path, folder: &Path) -> (String, String, String) {
    let net_log = folder.join("net.json");
    let Output { stdout, stderr, status } = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        .args(["--disable-component-update", "--no-first-run", "--disable-dev-shm-usage"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr"])
        .args(["--allow-file-access-from-files", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("--log-net-log={}", net_log.display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(status.success());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&stdout), text(&stderr), std::fs::read_to_string(net_log).unwrap_or_default())
}

/// Addresses that the page asked for, by the browser's own account. What it asks for itself has no origin.
fn asked_for(net_log: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in net_log.lines().filter(|l| l.contains("\"initiator\":") && !l.contains("not an origin")) {
        if let Some(url) = line.split("\"url\":\"").nth(1).and_then(|rest| rest.split('"').next()) {
            out.push(url.to_owned());
        }
    }
    out
}

#[test]
fn a_browser_runs_it_without_error_or_request() {
    let Some(browser) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    // A page with a request and an error shows that this test finds them.
    let control = folder.path().join("control.html");
    let text = "<!doctype html><p>control<img src=\"http://asked.invalid/x.png\"><script>nowhere()</script>";
    std::fs::write(&control, text).unwrap();
    let (_, log, net) = open(browser, &control, folder.path());
    assert!(log.contains("nowhere is not defined"), "{log}");
    assert_eq!(asked_for(&net), ["http://asked.invalid/x.png"]);

    for (name, words) in
        [("pass", "Passed"), ("fail", "Failed"), ("error", "Inconclusive"), ("hostile", "Failed")]
    {
        let run = all().into_iter().find(|(n, _)| *n == name).unwrap().1;
        let page = folder.path().join(format!("{name}.html"));
        std::fs::write(&page, html(&run).unwrap()).unwrap();
        let (dom, log, net) = open(browser, &page, folder.path());
        let console: Vec<_> = log.lines().filter(|l| l.contains("CONSOLE")).collect();
        assert!(console.is_empty(), "{name}: {console:#?}");
        assert_eq!(asked_for(&net), Vec::<String>::new(), "{name}");
        let verdict = dom.split_once("id=\"verdict\"").unwrap().1.split_once("</dl>").unwrap().0;
        assert!(verdict.contains(words), "{name}: {verdict}");
        assert!(!dom.contains("<img"), "{name}");
    }
}

/// The page in frames as wide as a phone and a desk, asked by how much it is wider, which is by nothing.
#[test]
fn nothing_is_wider_than_its_window() {
    let Some(browser) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut frames = String::new();
    for (name, run, width) in
        all().into_iter().flat_map(|(name, run)| [(name, run.clone(), 390), (name, run, 1280)])
    {
        std::fs::write(folder.path().join(format!("{name}.html")), html(&run).unwrap()).unwrap();
        let _ = write!(
            frames,
            "<iframe width={width} height=800 src={name}.html onload=\"this.outerHTML='<p>{name} {width} '+\
             [this.contentDocument.documentElement].map(e=>e.scrollWidth-e.clientWidth)+'</p>'\"></iframe>"
        );
    }
    let wrapper = folder.path().join("wrapper.html");
    std::fs::write(&wrapper, format!("<!doctype html><style>iframe{{border:0}}</style>{frames}")).unwrap();
    let (dom, log, _) = open(browser, &wrapper, folder.path());
    for (name, _) in all() {
        for width in [390, 1280] {
            assert!(dom.contains(&format!("<p>{name} {width} 0</p>")), "{name}: {dom:.2000} {log:.500}");
        }
    }
}

/// Contrast as WCAG 2 counts it, of every colour of text on every ground it stands on, light and dark.
#[test]
fn colours_can_be_read() {
    let page = html(&fixtures::fail()).unwrap();
    let schemes: Vec<&str> =
        page.split(":root{").skip(1).map(|part| part.split('}').next().unwrap()).collect();
    assert_eq!(schemes.len(), 3, "light, dark and print");
    for scheme in schemes {
        let colour = |name: &str| {
            let hex = scheme.split(&format!("--{name}:#")).nth(1).unwrap().split(';').next().unwrap();
            let hex: String =
                if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex.to_owned() };
            let channel = |i: usize| {
                let value = f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0;
                if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
        };
        let contrast = |a: &str, b: &str| {
            let (a, b) = (colour(a), colour(b));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        for (text, grounds) in [
            ("ink", &["paper", "panel", "pass-bg", "fail-bg", "doubt-bg"][..]),
            ("soft", &["paper", "panel", "pass-bg", "fail-bg", "doubt-bg"]),
            ("link", &["paper", "panel"]),
            ("pass", &["paper", "pass-bg"]),
            ("fail", &["paper", "panel", "fail-bg"]),
            ("doubt", &["paper", "panel", "doubt-bg"]),
        ] {
            for ground in grounds {
                assert!(contrast(text, ground) >= 4.5, "{text} on {ground}: {}", contrast(text, ground));
            }
        }
        // Lines of plots need 3 to 1.
        for line in ["rate", "latency", "metric"] {
            assert!(contrast(line, "paper") >= 3.0, "{line}");
        }
    }
}

#[test]
fn each_page_has_its_sections_in_the_order_of_all_reports() {
    for (name, summary) in all() {
        let page = html(&summary).unwrap();
        let ids = page.split("<section id=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
        let places: Vec<usize> =
            ids.map(|id| Section::ORDER.iter().position(|section| section.id() == id).expect(id)).collect();
        assert!(places.len() > 5 && places.is_sorted(), "{name}: {places:?}");
    }
}

#[test]
fn the_page_lists_the_defaults_that_the_run_used() {
    let page = html(&fixtures::pass()).unwrap();
    let section = page.split_once("<section id=\"defaults\"").unwrap().1.split_once("</section>").unwrap().0;
    insta::assert_snapshot!(section);
    assert!(!html(&fixtures::fail()).unwrap().contains("id=\"defaults\""), "a file that sets all fields");
    let mut long = fixtures::pass();
    long.defaults = vec![long.defaults[0].clone(); 207];
    let page = html(&long).unwrap();
    assert_eq!(page.matches("<td><code>name</code></td>").count(), 200);
    assert!(
        page.contains("207 fields that the file does not set") && page.contains(">7 more in summary.json<")
    );
}
