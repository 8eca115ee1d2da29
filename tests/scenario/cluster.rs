//! Tests files with containers: presets, overrides, the brokers of the clients, and the plan.

use std::path::Path;

use kaf6::plan::cluster::AttachBy;

use kaf6::plan::render::timeline;
use kaf6::plan::{self, Plan};
use kaf6::scenario::environment::preset;
use kaf6::scenario::{Diagnostics, LoadOptions};

fn env(name: &str) -> Option<String> {
    match name {
        "PASSWORD" => Some("hunter2".to_owned()),
        "NUMBER" => Some("1.10".to_owned()),
        "PRESET" => Some("tansu".to_owned()),
        _ => None,
    }
}

fn with(text: &str, change: impl FnOnce(&mut LoadOptions<'_>)) -> Result<Plan, Diagnostics> {
    let mut options = LoadOptions::new(&env);
    change(&mut options);
    plan::load_text(Path::new("f.yaml"), text, &options)
}

fn plan(text: &str) -> Plan {
    with(text, |_| {}).unwrap_or_else(|problems| panic!("{problems}"))
}

const REACH: &str = "scenarios: {reach: {type: connect}}\n";

#[test]
fn the_kafscale_preset_has_these_containers_in_this_order() {
    let plan = plan(&format!("{REACH}cluster: {{preset: kafscale}}\n"));
    insta::assert_snapshot!(timeline::render(&plan));
    let cluster = plan.cluster.expect("it has one");
    let order: Vec<&str> = cluster.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(order, ["etcd", "store", "broker"]);
    let broker = cluster.service("broker").expect("it is there");
    let value =
        |name: &str| broker.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.to_string());
    // Without one of these, the broker silently keeps its data in memory.
    for name in
        ["KAFSCALE_S3_BUCKET", "KAFSCALE_S3_REGION", "KAFSCALE_S3_ENDPOINT", "KAFSCALE_ETCD_ENDPOINTS"]
    {
        assert!(value(name).is_some_and(|value| !value.is_empty()), "{name}");
    }
    // It would override the port that is advertised.
    assert_eq!(value("KAFSCALE_BROKER_ADDR"), None);
    assert_eq!(value("KAFSCALE_USE_MEMORY_S3"), None);
    assert_eq!(value("KAFSCALE_BROKER_ID").as_deref(), Some("{{replica}}"));
}

#[test]
fn each_preset_is_a_good_file_of_services() {
    for name in preset::names() {
        // The printed preset is a valid part of a file, and has the same meaning there.
        let text = preset::text(name).expect("it is there");
        let indented: String = text.lines().map(|line| format!("  {line}\n")).collect();
        let written = plan(&format!("{REACH}cluster:\n{indented}")).cluster.expect("it has one");
        let named = plan(&format!("{REACH}cluster: {{preset: {name}}}\n")).cluster.expect("it has one");
        assert_eq!(written.services.len(), named.services.len());
        for (a, b) in written.services.iter().zip(named.services) {
            assert_eq!((&a.name, &a.image, &a.env, &a.command), (&b.name, &b.image, &b.env, &b.command));
            assert_eq!(
                (&a.ports, &a.needs, &a.ready, &a.volumes),
                (&b.ports, &b.needs, &b.ready, &b.volumes)
            );
        }
    }
}

#[test]
fn services_are_laid_over_a_preset() {
    let text = format!(
        "{REACH}cluster:
  preset: ${{PRESET}}
  services:
    broker:
      image: mine:2
      replicas: 2
      env: {{RUST_LOG: info, AWS_DEFAULT_REGION: null}}
      ready: {{tcp: kafka}}
    proxy: {{image: proxy, command: [\"{{{{broker.1.kafka}}}}\"]}}
"
    );
    let cluster = plan(&text).cluster.expect("it has one");
    assert_eq!(cluster.preset.as_deref(), Some("tansu"));
    let broker = cluster.service("broker").expect("it is there");
    assert_eq!((broker.image.as_str(), broker.replicas), ("mine:2", 2));
    assert_eq!(broker.ready, Some(plan::cluster::Readiness::Tcp { port: "kafka".to_owned() }));
    let names: Vec<&str> = broker.env.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"STORAGE_ENGINE") && names.contains(&"RUST_LOG"), "{names:?}");
    assert!(!names.contains(&"AWS_DEFAULT_REGION"), "{names:?}");
    // A reference is a need.
    assert_eq!(cluster.service("proxy").expect("it is there").needs, ["broker"]);
    // Values that the file does not set have the position of the preset's name.
    let line = |name: &str| cluster.service(name).expect("it is there").position.line;
    assert_eq!((line("store"), line("broker"), line("proxy")), (3, 5, 10));
}

#[test]
fn what_the_environment_gives_to_a_container_is_printed_nowhere() {
    let text = format!(
        "{REACH}cluster:
  services:
    broker:
      image: x
      command: [\"--password=${{PASSWORD}}\"]
      ports: {{kafka: 9092}}
      env:
        PASSWORD: ${{PASSWORD}}
        VERSION: ${{NUMBER}}
        ALSO: 1.10
        HEX: 0x10
        YES: true
        EMPTY: \"\"
"
    );
    let plan = plan(&text);
    let page = timeline::render(&plan);
    assert!(!page.contains("hunter2") && !format!("{plan:?}").contains("hunter2"), "{page}");
    assert!(page.contains("PASSWORD=${PASSWORD}") && page.contains("[--password=${PASSWORD}]"), "{page}");
    let cluster = plan.cluster.expect("it has one");
    let given: Vec<String> =
        cluster.services[0].env.iter().map(|(_, value)| value.resolve(|_| String::new())).collect();
    // A version that looks like a number keeps its zero.
    assert_eq!(given, ["hunter2", "1.10", "1.10", "0x10", "true", ""]);
}

#[test]
fn services_start_after_what_they_need_and_else_in_the_files_order() {
    let text = format!(
        "{REACH}cluster:
  services:
    c: {{image: x, needs: [a]}}
    b: {{image: x, env: {{C: \"{{{{c.p}}}}\", OWN: \"{{{{b.p}}}}\"}}, ports: {{p: 1}}}}
    a: {{image: x}}
    kafka: {{image: x, ports: {{kafka: 1}}}}
    c2: {{image: x, ports: {{p: 1}}}}
"
    )
    .replace("{{c.p}}", "{{c2.p}}");
    let cluster = plan(&text).cluster.expect("it has one");
    let order: Vec<&str> = cluster.services.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(order, ["a", "c", "kafka", "c2", "b"]);
}

#[test]
fn the_load_goes_to_what_the_file_starts_unless_it_says_otherwise() {
    let file = format!("{REACH}cluster: {{preset: tansu}}\n");
    assert_eq!(plan(&file).target, plan::Target::Cluster);
    assert!(matches!(plan(&format!("brokers: [own:1]\n{file}")).target, plan::Target::Brokers(_)));
    let services = format!("brokers: [\"{{{{broker.kafka}}}}\"]\n{file}");
    let plan::Target::Brokers(list) = plan(&services).target else { panic!("it names them") };
    assert_eq!(list[0].to_string(), "{{broker.kafka}}");

    let refused = |change: &dyn Fn(&mut LoadOptions<'_>)| {
        let problems = with(&file, change).expect_err("faults would affect other containers than the load");
        problems.problems()[0].message.clone()
    };
    assert!(refused(&|options| options.embedded = true).contains("--embedded"));
    assert!(refused(&|options| options.brokers = Some(vec!["x:1".to_owned()])).contains("--brokers"));
    // To verify a saved ledger, kaf6 reads only the connection settings of the file.
    let only = |options: &mut LoadOptions<'_>| {
        options.brokers = Some(vec!["x:1".to_owned()]);
        options.connect_only = true;
    };
    assert!(matches!(with(&file, only).expect("it is good").target, plan::Target::Brokers(_)));
    let attached = format!("brokers: [own:1]\n{REACH}cluster: {{attach: {{broker: kafka-1}}}}\n");
    let given =
        with(&attached, |options| options.brokers = Some(vec!["x:1".to_owned()])).expect("it is good");
    assert!(matches!(given.target, plan::Target::Brokers(_)));
    assert!(with(&attached, |options| options.embedded = true).is_err());
}

#[test]
fn a_profile_may_name_services_and_gives_way_to_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let profiles = "profiles:\n  far: {brokers: ['far:1']}\n  second: {brokers: ['{{broker.1.kafka}}'], metrics_url: 'http://{{broker.1.kafka}}/'}\n";
    std::fs::write(folder.path().join("profiles.yaml"), profiles).expect("it is written");
    let load = |head: &str, given: Option<&str>| {
        let path = folder.path().join("f.yaml");
        let text = format!(
            "{head}scenarios: {{reach: {{type: connect}}, ask: {{type: metrics, url: 'http://x'}}}}\ncluster: {{preset: tansu, services: {{broker: {{replicas: 2}}}}}}\n"
        );
        let profile = given.map(str::to_owned);
        plan::load_text(&path, &text, &LoadOptions { profile, ..LoadOptions::new(&env) })
    };
    assert_eq!(load("profile: far\n", None).expect("good").target, plan::Target::Cluster);
    assert_eq!(load("profile: second\n", None).expect("good").target, plan::Target::Cluster);
    assert!(load("", Some("far")).is_err());
    let plan::Target::Brokers(list) = load("", Some("second")).expect("good").target else {
        panic!("it names them")
    };
    assert_eq!(list[0].to_string(), "{{broker.1.kafka}}");
    // A single broker has no replica 1.
    let path = folder.path().join("g.yaml");
    let text = "profile: second\nscenarios: {ask: {type: metrics}}\nbrokers: embedded\n";
    let problems =
        plan::load_text(&path, text, &LoadOptions::new(&env)).expect_err("no services").to_string();
    assert!(problems.contains("unknown service `broker`"), "{problems}");
}

#[test]
fn containers_are_attached_to_by_name_or_label() {
    let text = format!(
        "brokers: [x:1]\n{REACH}cluster:\n  attach:\n    a: kafka-1\n    b: {{compose: kafka}}\n    c: {{compose: kafka, project: shop}}\n    d: {{label: a=b}}\nfaults:\n  f: {{type: pause, target: c.7, for: 5s}}\n"
    );
    let by: Vec<AttachBy> =
        plan(&text).cluster.expect("it has one").attached.into_iter().map(|it| it.by).collect();
    let labels = |list: &[&str]| AttachBy::Labels(list.iter().map(|&label| label.to_owned()).collect());
    assert_eq!(
        by,
        [
            AttachBy::Container("kafka-1".to_owned()),
            labels(&["com.docker.compose.service=kafka"]),
            labels(&["com.docker.compose.service=kafka", "com.docker.compose.project=shop"]),
            labels(&["a=b"]),
        ]
    );
}

#[test]
fn each_fault_is_planned_with_its_defaults() {
    let text = "
topics: [{name: t}]
cluster:
  preset: kafscale
  services: {broker: {replicas: 2}}
scenarios:
  write: {type: produce, messages: 1000, rate: 100/s}
  again: {type: produce, messages: 10, after: bounce}
  steady: {type: watch}
faults:
  bounce: {type: restart, target: broker.1, when: \"write.acked >= 500\"}
  upgrade: {type: restart, target: broker, signal: term, down_for: 0s, image: \"ghcr.io/kafscale/kafscale-broker:v1.7.0\", after: bounce}
  down: {type: stop, target: store, for: 3s, at: 1s}
  off: {type: stop, target: etcd, at: 1s}
  on: {type: start, target: etcd, after: off, at: 2s}
  freeze: {type: pause, target: broker, for: 2s, at: 20s}
  slow: {type: throttle, target: broker -> store, at: 10s, for: 20s, latency: 200ms, jitter: 50ms, bandwidth: 1MiB/s}
  narrow: {type: throttle, target: broker -> store, at: 40s, for: 5s, bandwidth: 64KiB/s}
  keys: {type: throttle, target: broker -> etcd, at: 40s, for: 5s, latency: 1s}
  split: {type: cut, target: broker -> store, at: 50s, for: 5s}
  deaf: {type: cut, target: broker -> etcd, at: 50s, for: 5s, mode: blackhole, direction: in}
  mute: {type: cut, target: broker -> etcd, at: 60s, for: 5s, direction: out}
  drop: {type: cut, target: broker -> etcd, at: 70s, for: 5s, mode: reset}
  shut: {type: cut, target: broker -> etcd, at: 80s, for: 5s, mode: refuse}
  grow: {type: scale, target: broker, to: 5, at: 30s, for: 10s}
  tell: {type: exec, target: etcd, command: [etcdctl, put, /k, \"a b\", 5, \"{{run_id}}\"], at: 31s}
checks:
  - {type: throughput_drops, during: slow, at_least: 50%}
  - {type: recovers, after: slow, within: 30s}
  - {type: metadata_stable, allow: [brokers, leaders]}
  - {type: continuity, max_gap: 5s}
  - {type: threshold, expr: \"p95 < 2s\", during: bounce}
  - {name: after, type: threshold, expr: \"errors == 0\", after: slow}
";
    insta::assert_snapshot!(timeline::render(&plan(text)));
}
