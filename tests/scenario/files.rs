//! Tests valid and invalid scenario files: the errors of each, and the plans of the valid ones.
//!
//! The invalid files are in `tests/scenario/bad/`. Their errors are snapshots.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kaf6::plan::render::timeline;
use kaf6::plan::{self, CheckKind, Plan};
use kaf6::scenario::{Diagnostics, LoadOptions, ServiceTemplate};

use crate::defaults::DEFAULTS;

/// The environment of these tests.
fn env(name: &str) -> Option<String> {
    match name {
        "SECRET" => Some("hunter2 {{oops}}".to_owned()),
        "NUMBER" => Some("0123".to_owned()),
        "KAFKA_PASSWORD" | "CUSTOMER" => Some("s3cret-of-tests".to_owned()),
        "STAMP" => Some("{{now}}".to_owned()),
        _ => None,
    }
}

fn load(path: &str) -> Result<Plan, Diagnostics> {
    plan::load(Path::new(path), &LoadOptions::new(&env))
}

fn text(name: &str, text: &str) -> Result<Plan, Diagnostics> {
    plan::load_text(Path::new(name), text, &LoadOptions::new(&env))
}

/// The files with these endings in a folder, in their order.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|p| p.is_file())
        .collect();
    files.sort();
    files
}

#[test]
fn each_example_has_its_plan() {
    for path in files("examples") {
        let path = path.to_str().unwrap();
        let stem = Path::new(path).file_stem().unwrap().to_str().unwrap();
        let plan = load(path).unwrap_or_else(|d| panic!("{d}"));
        assert!(plan.warnings.is_empty(), "{:?}", plan.warnings);
        let page = format!("{}\n\n{}", timeline::validate_line(&plan), timeline::render(&plan));
        insta::assert_snapshot!(format!("plan_{stem}"), page);
    }
}

#[test]
fn each_example_runs_on_the_embedded_broker_and_on_brokers_given() {
    // A file that starts its own brokers uses no other brokers.
    for path in
        files("examples").into_iter().filter(|path| load(path.to_str().unwrap()).unwrap().cluster.is_none())
    {
        let embedded = LoadOptions { embedded: true, ..LoadOptions::new(&env) };
        let plan = plan::load(&path, &embedded).unwrap();
        assert_eq!(plan.target, plan::Target::Embedded);
        let brokers = Some(vec!["a:1,b".to_owned()]);
        let given = LoadOptions { brokers, ..LoadOptions::new(&env) };
        let plan = plan::load(&path, &given).unwrap();
        assert_eq!(
            plan.target,
            plan::Target::Brokers(vec![ServiceTemplate::plain("a:1"), ServiceTemplate::plain("b:9092")])
        );
    }
}

/// What is said of a file, and that it is said in time and with a place.
fn refused(path: &Path, options: &LoadOptions<'_>) -> String {
    let start = Instant::now();
    let diagnostics = plan::load(path, options).expect_err("a wrong file is refused");
    assert!(start.elapsed() < Duration::from_secs(60), "{}: {:?}", path.display(), start.elapsed());
    assert!(!diagnostics.problems().is_empty());
    let text = diagnostics.to_string();
    assert!(!text.contains("oneOf") && !text.contains("anyOf"), "{text}");
    text
}

#[test]
fn each_wrong_file_is_told_what_is_wrong_and_where() {
    let files = files("tests/scenario/bad");
    assert!(files.len() > 30);
    for path in files {
        let said =
            refused(&path, &LoadOptions { client: Some(kaf6::kafka::JUDGE), ..LoadOptions::new(&env) });
        assert!(!said.contains("hunter2"), "a secret is shown:\n{said}");
        insta::assert_snapshot!(format!("bad_{}", path.file_name().unwrap().to_str().unwrap()), said);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let options = LoadOptions::new(&env);
    let said = refused(Path::new("tests/scenario/bad/there-is-no-such-file.yaml"), &options);
    assert_eq!(said.trim_end(), "tests/scenario/bad/there-is-no-such-file.yaml: file not found");
    assert!(refused(Path::new("tests"), &options).contains("cannot read the file"));
}

#[test]
fn large_and_hostile_files_are_refused_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let good = "brokers: embedded\nscenarios: {a: {type: connect}}\n";
    let long = "x".repeat(1_000_000);
    let keys: String = (0..60_000).map(|n| format!("k{n}: 1\n")).collect();
    let hostile = [
        ("10mb", format!("{good}# {}\n", "x".repeat(10 << 20))),
        ("brackets", "[".repeat(1_000_000)),
        ("braces", "{a: ".repeat(250_000)),
        ("dashes", "- ".repeat(500_000)),
        ("questions", "? ".repeat(500_000)),
        ("anchors", (0..100_000).map(|n| format!("&a{n} ")).collect()),
        ("colons", ": ".repeat(500_000)),
        ("quotes", format!("a: \"{long}")),
        ("long key", format!("{long}: 1\n")),
        ("keys", keys.clone()),
        ("many checks", format!("{good}checks:\n{}", "  - {type: x}\n".repeat(60_000))),
        ("some checks", format!("{good}checks:\n{}", "  - {type: x}\n".repeat(3_000))),
        ("some keys", keys[..40_000].to_owned()),
        ("line", format!("a: [{}]", "1,".repeat(400_000))),
        ("aliases", format!("a: &a {}\nb: [{}]", "x".repeat(500_000), "*a,".repeat(3_000))),
        ("variables", format!("a: {}", "${X}".repeat(200_000))),
        ("zeros", "\0".repeat(100_000)),
        ("tabs", "\t".repeat(500_000)),
        ("newlines", "\n".repeat(1_000_000)),
        ("chain", {
            let link = |n: u32| format!("  s{n}: {{type: connect, after: s{}}}\n", (n + 1) % 2000);
            format!("brokers: embedded\nscenarios:\n{}", (0..2000).map(link).collect::<String>())
        }),
        ("services in a circle", {
            let service = |n: u32| format!("    s{n}: {{image: x, needs: [s{}]}}\n", (n + 1) % 1000);
            format!("{good}cluster:\n  services:\n{}", (0..1000).map(service).collect::<String>())
        }),
        ("needs of nothing", {
            let service = |n: u32| format!("    s{n}: {{image: x, needs: [x{n}y]}}\n");
            format!("{good}cluster:\n  services:\n{}", (0..1000).map(service).collect::<String>())
        }),
        ("references to nothing", {
            let references = "{{abcde.fghij}}".repeat(50_000);
            let services: String = (0..500).map(|n| format!("    s{n}: {{image: x}}\n")).collect();
            format!(
                "{good}cluster:\n  services:\n{services}    a: {{image: x, command: [\"{references}\"]}}\n"
            )
        }),
        ("faults in a circle", {
            let fault = |n: u32| format!("  f{n}: {{type: start, target: a, after: f{}}}\n", (n + 1) % 1000);
            format!(
                "{good}cluster: {{services: {{a: {{image: x}}}}}}\nfaults:\n{}",
                (0..1000).map(fault).collect::<String>()
            )
        }),
        ("faults of nothing", {
            let fault = |n: u32| format!("  f{n}: {{type: start, target: a{n}b, after: g{n}h}}\n");
            format!(
                "{good}cluster: {{services: {{a: {{image: x}}}}}}\nfaults:\n{}",
                (0..1000).map(fault).collect::<String>()
            )
        }),
        ("stops and starts", {
            let fault = |n: u32| {
                format!("  f{n}: {{type: start, target: a.{n}}}\n  g{n}: {{type: stop, target: a.{n}}}\n")
            };
            format!(
                "{good}cluster: {{services: {{a: {{image: x}}}}}}\nfaults:\n{}",
                (0..600).map(fault).collect::<String>()
            )
        }),
    ];
    for (name, text) in hostile {
        for ending in ["yaml", "json", "txt"] {
            let path = folder.path().join(format!("{name}.{ending}"));
            std::fs::write(&path, &text).unwrap();
            refused(&path, &LoadOptions::new(&env));
        }
    }
}

/// The place and the message of each problem.
fn said(result: Result<Plan, Diagnostics>) -> Vec<String> {
    let problems = result.expect_err("wrong").problems().to_vec();
    problems.iter().map(|p| format!("{}:{} {}", p.position().line, p.position().column, p.message)).collect()
}

const GOOD: &str = "brokers: [localhost:9092]
topics: [{name: t, partitions: 3}]
scenarios:
  write: {type: produce, messages: 1000, rate: 50/s}
  read: {type: consume}
";

const PROFILES: &str = "profiles:
  near: {brokers: ['near:1'], metrics_url: 'http://near/metrics', client: {properties: {a: 1, b: 2}}}
  far: {brokers: ['${FAR}']}
  inside: {brokers: embedded}
";

/// Folders with files of profiles: one beside the scenario file, one where kaf6 is started.
struct Folders {
    beside: tempfile::TempDir,
    here: tempfile::TempDir,
}

impl Folders {
    fn new() -> Self {
        let folders = Self { beside: tempfile::tempdir().unwrap(), here: tempfile::tempdir().unwrap() };
        std::fs::write(folders.beside.path().join("profiles.yaml"), PROFILES).unwrap();
        let other = "profiles: {other: {brokers: ['other:1']}}";
        std::fs::write(folders.here.path().join("kaf6.profiles.yaml"), other).unwrap();
        folders
    }

    fn load(&self, head: &str, change: &dyn Fn(&mut LoadOptions<'_>)) -> Result<Plan, Diagnostics> {
        let rest = "scenarios: {m: {type: metrics, url: 'http://x'}, c: {type: connect}}\n";
        let path = self.beside.path().join("a.yaml");
        std::fs::write(&path, format!("{head}\n{rest}")).unwrap();
        let mut options = LoadOptions { folder: self.here.path().to_owned(), ..LoadOptions::new(&env) };
        change(&mut options);
        plan::load(&path, &options)
    }

    fn brokers(&self, head: &str, change: &dyn Fn(&mut LoadOptions<'_>)) -> String {
        match self.load(head, change).unwrap_or_else(|d| panic!("{d}")).target {
            plan::Target::Brokers(list) => {
                list.iter().map(ServiceTemplate::to_string).collect::<Vec<_>>().join(",")
            }
            plan::Target::Embedded => "embedded".to_owned(),
            plan::Target::Cluster => "cluster".to_owned(),
        }
    }
}

#[test]
fn the_command_line_wins_over_the_file_and_the_file_over_its_profile() {
    let folders = Folders::new();
    let nothing = |_: &mut LoadOptions<'_>| {};
    let chosen = |o: &mut LoadOptions<'_>| o.profile = Some("other".to_owned());
    let given = |o: &mut LoadOptions<'_>| o.brokers = Some(vec!["given".to_owned()]);
    let embedded = |o: &mut LoadOptions<'_>| o.embedded = true;
    assert_eq!(folders.brokers("profile: near", &nothing), "near:1");
    assert_eq!(folders.brokers("profile: other", &nothing), "other:1");
    assert_eq!(folders.brokers("profile: inside", &nothing), "embedded");
    assert_eq!(folders.brokers("profile: near\nbrokers: 'a,b:2'", &nothing), "a:9092,b:2");
    assert_eq!(folders.brokers("profile: near\nbrokers: a", &chosen), "other:1");
    assert_eq!(folders.brokers("profile: near\nbrokers: a", &given), "given:9092");
    assert_eq!(folders.brokers("brokers: a", &embedded), "embedded");

    let merged = folders.load("profile: near\nclient: {properties: {b: 3}}", &nothing).unwrap();
    let properties: Vec<_> = merged.client.properties.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(properties, ["a=1", "b=3"]);
    assert_eq!(merged.profile.as_deref(), Some("near"));
}

#[test]
fn brokers_of_a_single_scenario_give_way_to_the_command_line() {
    let file = GOOD.replace("{type: consume}", "{type: consume, brokers: ['own:1']}");
    let own = |options: &LoadOptions<'_>| {
        let plan = plan::load_text(Path::new("f.yaml"), &file, options).unwrap();
        plan.scenarios[1].brokers.clone()
    };
    assert_eq!(own(&LoadOptions::new(&env)), Some(vec![ServiceTemplate::plain("own:1")]));
    assert_eq!(own(&LoadOptions { embedded: true, ..LoadOptions::new(&env) }), None);
}

#[test]
fn what_is_wrong_with_a_profile_is_told_where_it_is() {
    let folders = Folders::new();
    let nothing = |_: &mut LoadOptions<'_>| {};
    let unknown = folders.load("profile: naer\nbrokers: a", &nothing).expect_err("no such profile");
    assert_eq!(unknown.problems()[0].hint.as_deref(), Some("did you mean `near`?"));
    let far = folders.load("profile: far", &nothing).expect_err("its variable is not set").to_string();
    assert!(far.contains("profiles.yaml:3:19: variable `FAR` is not set"), "{far}");
    let wrong = |o: &mut LoadOptions<'_>| o.brokers = Some(vec!["a:b".to_owned()]);
    let wrong = folders.load("", &wrong).expect_err("no broker").to_string();
    assert!(wrong.starts_with("--brokers: invalid broker `a:b`"), "{wrong}");
    std::fs::write(folders.beside.path().join("profiles.yaml"), "profiles: {near: {broker: [a]}}").unwrap();
    let misspelt = folders.load("profile: near", &nothing).expect_err("no such key");
    assert_eq!(misspelt.problems().len(), 1, "{misspelt}");
    assert_eq!(misspelt.problems()[0].hint.as_deref(), Some("did you mean `brokers`?"));
}

#[test]
fn a_profile_without_any_file_of_profiles_is_a_label() {
    let plan = text("x/f.yaml", &format!("profile: anything\n{GOOD}")).unwrap();
    assert_eq!(plan.profile.as_deref(), Some("anything"));
}

#[test]
fn implicit_checks_are_added_where_they_can_be_judged() {
    let names = |file: &str| {
        let plan = text("f.yaml", file).unwrap_or_else(|d| panic!("{d}"));
        plan.checks
            .iter()
            .map(|c| format!("{}{}", c.name, if c.implicit { "" } else { "!" }))
            .collect::<Vec<_>>()
    };
    let others = ["no_duplicates", "no_corruption", "in_order", "offsets_monotonic"];
    let all = [&["no_loss"][..], &others, &["all_acked"]].concat();
    let reading = |how: &str| GOOD.replace("{type: consume}", &format!("{{type: consume, {how}}}"));
    let of = |kinds: &[&str], reader: &str| -> Vec<String> {
        kinds.iter().map(|kind| format!("{kind}:{reader}")).collect()
    };
    let sent = || vec!["all_acked".to_owned()];
    // A reader that kaf6 adds reads what `read` omits.
    let part = [of(&others, "read"), of(&all[..5], "verify:t"), sent()].concat();
    assert_eq!(names(GOOD), all);
    assert_eq!(names(&GOOD.replace("rate: 50/s", "acks: 0")), others);
    // The messages of the other producer are acked, so they can be lost.
    let beside = "{type: consume}\n  forget: {type: produce, messages: 5, acks: 0}";
    assert_eq!(names(&GOOD.replace("{type: consume}", beside)), all);
    let written = format!("{}checks: [{{type: no_loss}}]\n", GOOD.replace("{type: consume}", beside));
    assert_eq!(names(&written)[0], "no_loss!");
    assert_eq!(names(&GOOD.replace("rate: 50/s", "verify: false")), all[1..]);
    assert_eq!(names(&reading("limit: 999")), part);
    assert_eq!(names(&reading("limit: 1000")), all);
    assert_eq!(names(&reading("offset: 5")), part);
    assert_eq!(names(&reading("from: any")), all);
    assert_eq!(names(&reading("topic: u")), all);
    assert_eq!(names(&format!("{}run: {{audit: false}}\n", reading("from: any"))), ["all_acked"]);
    let strict = format!("{GOOD}checks: [{{name: mine, type: in_order, strict: true}}]\n");
    assert_eq!(
        names(&strict),
        ["mine!", "no_loss", "no_duplicates", "no_corruption", "offsets_monotonic", "all_acked"]
    );
    let two = GOOD.replace("  read:", "  again: {type: consume}\n  read:");
    assert_eq!(names(&two)[0], "no_loss:again");
    assert_eq!(names(&two).len(), 11);
    let taken = format!("{GOOD}checks: [{{name: no_loss, type: count_equals, expected: 5}}]\n");
    assert_eq!(names(&taken)[..2], ["no_loss!", "no_loss:read"]);
    // No consumer counts records of a round trip, but kaf6 reads them back.
    assert_eq!(names(&GOOD.replace("type: produce, messages: 1000, rate: 50/s", "type: roundtrip")), all);
}

#[test]
fn each_producer_with_acks_has_to_have_all_of_its_messages_acked() {
    let asked = |checks: &str| {
        let file = format!(
            "{GOOD}  forget: {{type: produce, messages: 5, acks: 0, topic: u}}\n  \
             ping: {{type: roundtrip, topic: p, acks: 1}}\n{checks}"
        );
        let plan = text("f.yaml", &file).unwrap_or_else(|d| panic!("{d}"));
        let checks = plan.checks.iter().filter(|check| check.ask.kind() == CheckKind::AllAcked);
        checks
            .map(|check| {
                let plan::CheckSettings::AllAcked { allow } = &check.ask else {
                    unreachable!("it is of this kind")
                };
                (check.name.clone(), check.scenario.clone(), allow.failed, allow.unknown)
            })
            .collect::<Vec<_>>()
    };
    let row = |name: &str, scenario: Option<&str>, failed: f64, unknown: f64| {
        (name.to_owned(), scenario.map(str::to_owned), failed, unknown)
    };
    let (write, ping) = ("all_acked:write", "all_acked:ping");
    assert_eq!(asked(""), [row(write, Some("write"), 0.0, 0.0), row(ping, Some("ping"), 0.0, 0.0)]);
    let one = asked("checks: [{type: all_acked, scenario: write, allow: {failed: 1%}}]\n");
    assert_eq!(one, [row("all_acked", Some("write"), 0.01, 0.0), row(ping, Some("ping"), 0.0, 0.0)]);
    let both = asked("checks: [{name: sent, type: all_acked, allow: {failed: 0%, unknown: 50%}}]\n");
    assert_eq!(both, [row("sent", None, 0.0, 0.5)]);
}

#[test]
fn no_loss_may_be_asked_of_a_reader_of_a_part() {
    for how in ["limit: 5", "offset: latest", "offset: 5", "partition: 1"] {
        let file = GOOD.replace("{type: consume}", &format!("{{type: consume, {how}}}"));
        let plan = text("f.yaml", &format!("{file}checks: [{{type: no_loss}}]\n")).unwrap();
        assert_eq!(plan.checks.iter().filter(|check| check.ask == plan::CheckSettings::NoLoss).count(), 1);
    }
}

#[test]
fn what_is_read_back_can_be_asked_about_without_a_consumer() {
    let file = |producer: &str, rest: &str| {
        let file = format!("brokers: embedded\nscenarios: {{w: {{type: {producer}, topic: t}}}}\n{rest}");
        text("f.yaml", &file).map(|plan| plan.checks)
    };
    let asks = "checks: [{type: in_order, strict: true}, {type: threshold, expr: duplicate == 0}]\n";
    let checks = file("produce, messages: 1", asks).unwrap();
    let kinds: Vec<&str> = checks.iter().map(|check| check.ask.kind().name()).collect();
    let added = ["no_loss", "no_duplicates", "no_corruption", "offsets_monotonic", "all_acked"];
    assert_eq!(kinds, [&["in_order", "threshold"][..], &added].concat());
    assert!(file("roundtrip", asks).is_ok());
    for producer in ["produce, messages: 1, verify: false", "produce, messages: 1, acks: 0", "connect"] {
        assert!(file(producer, asks).is_err(), "{producer}");
    }
    assert!(file("produce, messages: 1", &format!("{asks}run: {{audit: false}}\n")).is_err());
}

/// The warnings of a good file, as they are printed.
fn warned(file: &str) -> String {
    let plan = text("f.yaml", file).unwrap_or_else(|d| panic!("{d}"));
    kaf6::scenario::source::diagnostics::render_warnings(&plan.warnings, false)
}

#[test]
fn a_reader_of_a_topic_that_nobody_writes_is_warned_of() {
    let read = |how: &str| {
        warned(&format!(
            "brokers: embedded\ntopics: [{{name: t}}]\nscenarios:\n  \
             write: {{type: produce, topic: orders, messages: 5}}\n  read: {{type: consume{how}}}\n"
        ))
    };
    insta::assert_snapshot!(read(", topic: ordres"), @"
    f.yaml:5:32: warning: no scenario in the file produces to `ordres`: `read` reads all records in it, and verifies nothing
    5 |   read: {type: consume, topic: ordres}
      |                                ^^^^^^
      = did you mean `orders`? To read messages that this file does not produce, set `from: any`
    ");
    insta::assert_snapshot!(read(""), @"
    f.yaml:5:3: warning: no scenario in the file produces to its topic: `read` reads all records in it, and verifies nothing
    5 |   read: {type: consume}
      |   ^^^^
      = check the topic's name; to read messages that this file does not produce, set `from: any`
    ");
    let secret = read(", topic: \"${NUMBER}\"");
    assert!(secret.contains("`${NUMBER}`") && !secret.contains("0123"), "{secret}");
    for fine in [", topic: orders", ", from: any", ", topic: ordres, from: any"] {
        assert_eq!(read(fine), "", "{fine}");
    }
    let trips =
        "brokers: embedded\ntopics: [{name: t}]\nscenarios: {a: {type: roundtrip}, b: {type: consume}}\n";
    assert_eq!(warned(trips), "");
}

#[test]
fn a_run_that_ends_before_all_can_be_read_back_is_warned_of() {
    let file = |run: &str| warned(&format!("{GOOD}run: {{{run}}}\n"));
    insta::assert_snapshot!(file("timeout: 1m"), @"
    f.yaml:6:16: warning: the run may end too early: reading back the messages may take until 2m50s
    6 | run: {timeout: 1m}
      |                ^^
      = set `timeout: 3m20s` or more, or remove it
    ");
    assert_eq!(file("timeout: 2m50s"), "");
    assert_eq!(
        file("timeout: 1m20s, unreadable_after: 1s"),
        "f.yaml:6:16: warning: the run may end too early: reading back the messages may take until 1m21s\n6 | run: {timeout: 1m20s, unreadable_after: 1s}\n  |                ^^^^^\n  = set `timeout: 1m51s` or more, or remove it\n"
    );
    let unverified =
        GOOD.replace("rate: 50/s", "rate: 50/s, verify: false").replace("{type: consume}", "{type: connect}");
    assert_eq!(warned(&format!("{unverified}run: {{timeout: 1s}}\n")), "");
    // The reader that the plan adds counts, too.
    let alone = GOOD.replace("  read: {type: consume}\n", "");
    assert!(warned(&format!("{alone}run: {{timeout: 1m}}\n")).contains("may take until 2m50s"));
}

#[test]
fn json_says_the_same_as_yaml() {
    let json = "{\"brokers\": [\"localhost:9092\"], \"topics\": [{\"name\": \"t\", \"partitions\": 3}],\n\
        \t\"scenarios\": {\"write\": {\"type\": \"produce\", \"messages\": 1000, \"rate\": \"50\\/s\"},\n\
        \t\t\"read\": {\"type\": \"consume\"}}}";
    let page = |name: &str, file: &str| {
        let plan = text(name, file).unwrap_or_else(|d| panic!("{d}"));
        timeline::render(&plan)
    };
    let yaml = page("f.yaml", GOOD);
    assert_eq!(page("f.json", json).replace("f.json", "f.yaml"), yaml);
    assert_eq!(page("f", json).replace("(f)", "(f.yaml)"), yaml);
}

#[test]
fn texts_from_the_environment_are_texts_where_texts_are_wanted() {
    let file = "brokers: embedded
topics:
  - name: t
    config:
      retention.ms: ${NUMBER}
scenarios:
  write:
    type: produce
    messages: \"1\"
    key: ${KEY:-42}
    value:
      text: ${SIZE:-5}
";
    assert_eq!(said(text("f.yaml", file)), ["9:15 expected a whole number, found the string `1`"]);
    let plan = text("f.yaml", &file.replace("\"1\"", "${COUNT:-7}")).unwrap();
    assert_eq!(plan.topics[0].config["retention.ms"], "0123");
    let plan::Work::Produce(produce) = &plan.scenarios[0].work else { panic!("it produces") };
    assert_eq!(
        (produce.messages, produce.message.key.as_ref().unwrap().to_string().as_str()),
        (Some(7), "42")
    );
}

#[test]
fn a_topic_that_is_merely_named_has_the_partitions_that_are_named() {
    let file = "brokers: embedded
scenarios:
  write: {type: produce, topic: a, messages: 1, partition: 4}
  read: {type: consume, topic: a}
  ping: {type: roundtrip, topic: b}
";
    let plan = text("f.yaml", file).unwrap();
    let topics: Vec<_> = plan.topics.iter().map(|t| (t.name.to_string(), t.partitions)).collect();
    assert_eq!(topics, [("a".to_owned(), 5), ("b".to_owned(), 1)]);
    assert!(plan.topics.iter().all(|topic| topic.position.is_none()));
}

#[test]
fn many_problems_are_told_at_once_in_their_order() {
    let result = text(
        "f.yaml",
        "brokers: [a:b]\ntopics: [{name: 't t'}]\nscenarios: {w: {type: produce}}\nchecks: [{}]\n",
    );
    let lines: Vec<String> =
        said(result).iter().map(|text| text.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["1", "2", "3", "4"]);
}

#[test]
fn whole_numbers_may_be_written_with_a_point() {
    let file = GOOD.replace("messages: 1000", "messages: 1e3, value: {json: {n: 10.0}}");
    let plan = text("f.yaml", &file).unwrap();
    let plan::Work::Produce(produce) = &plan.scenarios[0].work else { panic!("it produces") };
    assert_eq!(produce.messages, Some(1000));
    let plan::ValuePlan::Text(value) = &produce.message.value else { panic!("it is a text") };
    assert_eq!(value.constant(), Some(r#"{"n":10.0}"#));
}

#[test]
fn the_draft_is_the_smoke_example_word_for_word() {
    let smoke = std::fs::read_to_string("examples/smoke.yaml").unwrap();
    assert!(smoke.starts_with("profile: local-service\nbrokers:\n  - localhost:39092\n\ntopics:\n"));
    assert!(
        smoke.ends_with("\nchecks:\n  - name: delivered_all\n    type: count_equals\n    expected: 1000\n")
    );
    let plan = load("examples/smoke.yaml").unwrap();
    let plan::Work::Consume(consume) = &plan.scenarios[1].work else { panic!("it consumes") };
    assert_eq!(
        (consume.from, consume.partial, &consume.producers),
        (plan::From::Run, false, &vec!["producer".to_owned()])
    );
}

#[test]
fn the_docs_list_all_defaults() {
    let docs = std::fs::read_to_string("docs/scenario-file.md").unwrap();
    let row = |(part, field, value): &(&str, &str, &str)| format!("| {part} | `{field}` | {value} |\n");
    let all = DEFAULTS.iter().map(row);
    let missing: String = all.filter(|row| !docs.contains(row)).collect();
    assert!(missing.is_empty(), "docs/scenario-file.md must hold these rows:\n{missing}");
}

#[test]
fn the_docs_show_files_that_are_good() {
    let docs = std::fs::read_to_string("docs/scenario-file.md").unwrap();
    let mut shown = 0;
    for block in docs.split("```yaml\n").skip(1) {
        let mut file = block.split("```").next().unwrap().to_owned();
        if file.contains("cluster:") && !file.contains("scenarios:") {
            file.push_str("scenarios: {reach: {type: connect}}\n");
        }
        if file.contains("scenarios:") {
            text("docs.yaml", &file).unwrap_or_else(|d| panic!("{d}"));
            shown += 1;
        }
    }
    assert!(shown > 3);
}
