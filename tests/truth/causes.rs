//! Tests the reasons of failed sends and reads: the broker's code and what to do, in all reports.

use std::path::Path;

use kaf6::report::terminal::Style;
use kaf6::report::{console, github, html, json, junit};
use kaf6_liar::Action::Error;
use kaf6_liar::Api::{self, Fetch, InitProducerId, ListOffsets, Metadata, NewTopic, Produce};
use kaf6_liar::{Behaviour, Rule};

use crate::pair::{self, Done};
use crate::rows::file;

const WRITE: &str = "messages: 20, clients: 1, value: {size: 100B}, timeout: 2s";
const READ: &str = "idle_timeout: 1s, timeout: 3s";
/// What the reason has to say for each code.
const CODES: [(i16, &str, &str); 11] = [
    (-1, "UNKNOWN", "check its log"),
    (8, "BROKER_NOT_AVAILABLE", "wait for it with `connect`"),
    (10, "MSG_SIZE_TOO_LARGE", "lower `batch.size` under `client.properties`"),
    (
        19,
        "NOT_ENOUGH_REPLICAS",
        "lower `min.insync.replicas` in the topic's `config`, or increase `replication_factor`",
    ),
    (29, "TOPIC_AUTHORIZATION_FAILED", "grant Describe, Create, Read and Write"),
    (41, "NOT_CONTROLLER", "wait with `connect`"),
    (43, "UNSUPPORTED_FOR_MESSAGE_FORMAT", "set `compression: none`"),
    (44, "POLICY_VIOLATION", "change the topic's `partitions`, `replication_factor` or `config`"),
    (56, "KAFKA_STORAGE_ERROR", "whether the disk is full"),
    (74, "FENCED_LEADER_EPOCH", "check their logs"),
    (89, "THROTTLING_QUOTA_EXCEEDED", "lower `rate` or `partitions`, or raise the quota"),
];

impl Done {
    /// The terminal, junit.xml, the page and the step summary say this, whatever the markup.
    #[track_caller]
    pub(crate) fn says_everywhere(&self, what: &str) -> &Self {
        let summary = json::from_json(self.summary.to_string().as_bytes()).unwrap();
        let runs = std::slice::from_ref(&summary);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        for (place, shown) in [
            ("the terminal", console::render(&summary, Style::PLAIN, None)),
            ("junit.xml", text(junit::junit(&summary).unwrap())),
            ("the page", html::html(&summary).unwrap()),
            ("the step summary", github::markdown(runs, Path::new("reports"))),
        ] {
            assert!(plain(&shown).contains(&plain(what)), "{place} does not say `{what}`: {}", self.shown());
        }
        self
    }
}

/// A text without tags, signs of markup and line breaks.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, tag)) = rest.split_once('<') {
        out.push_str(before);
        rest = tag.split_once('>').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    for (from, to) in
        [("&#39;", "'"), ("&#x27;", "'"), ("&apos;", "'"), ("&quot;", "\""), ("&#96;", ""), ("&gt;", ">")]
    {
        out = out.replace(from, to);
    }
    out.retain(|c| !matches!(c, '`' | '\\'));
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A run against a broker that answers requests of this kind with this code.
async fn refused(api: Api, code: i16, write: &str) -> Done {
    let rules = [Rule::new(api, Error { code, written: false })];
    let (file, behaviour) = (file(write, READ, ""), Behaviour::of(rules));
    match api {
        NewTopic | Metadata => pair::run_unready(&file, behaviour).await,
        _ => pair::run_unjudged(&file, behaviour).await,
    }
}

/// Runs for each of the codes, side by side.
async fn for_each(api: Api, write: &'static str) -> Vec<((i16, &'static str, &'static str), Done)> {
    let runs = CODES.map(|of| (of, tokio::spawn(refused(api, of.0, write))));
    let mut out = Vec::new();
    for (of, run) in runs {
        out.push((of, run.await.unwrap()));
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_sends_name_the_code_and_what_to_do() {
    for ((code, name, what_to_do), done) in for_each(Produce, WRITE).await {
        done.is("error");
        done.says_everywhere(&format!("{name} ({code}): ")).says_everywhere(what_to_do);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_reads_name_the_code_and_what_to_do() {
    for ((code, name, what_to_do), done) in for_each(Fetch, WRITE).await {
        done.is("error");
        done.says_everywhere(&format!("{name} ({code}): ")).says_everywhere(what_to_do);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_that_nobody_lists_name_the_code_and_what_to_do() {
    for ((code, name, what_to_do), done) in for_each(ListOffsets, WRITE).await {
        done.is("error");
        done.says_everywhere(&format!("{name} ({code}): ")).says_everywhere(what_to_do);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_cannot_be_used_name_the_code_and_what_to_do() {
    for api in [NewTopic, Metadata] {
        for ((code, name, what_to_do), done) in for_each(api, WRITE).await {
            done.is("error");
            // Some keep librdkafka asking until the time is up; then the wire probe says it.
            let probed = done.summary["reason"].as_str().unwrap().contains(&format!("{name} ({code}): "));
            let named = if probed { format!("{name} ({code}): ") } else { format!("({name}, {code})") };
            done.says_everywhere(&named).says_everywhere(what_to_do);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn producer_ids_that_nobody_gives_name_the_code_and_what_to_do() {
    let write = "messages: 20, clients: 1, value: {size: 100B}, timeout: 2s, idempotence: true";
    for ((code, name, what_to_do), done) in for_each(InitProducerId, write).await {
        done.is("error");
        done.says_everywhere(&format!("{name} ({code}): ")).says_everywhere(what_to_do);
    }
    let done = refused(InitProducerId, 31, write).await;
    done.is("error").says_everywhere("(CLUSTER_AUTHORIZATION_FAILED, 31); grant IdempotentWrite to its user");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_with_success_is_no_error_of_the_run() {
    let rules = [Rule::new(Produce, Error { code: 19, written: false }).times(2)];
    let done = pair::run(&file(WRITE, READ, ""), Behaviour::of(rules)).await;
    done.is("pass");
    let write = &done.summary["scenarios"]["write"];
    assert_eq!(write["errors"], 0, "{write}");
    assert!(write["retries_by_code"]["NOT_ENOUGH_REPLICAS"].as_u64() > Some(0), "{write}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_the_broker_does_not_accept_is_told_so() {
    let security =
        "client: {security: {protocol: sasl_plaintext, mechanism: PLAIN, username: me, password: hunter2}, ";
    let mut runs = Vec::new();
    for connect in ["", "reach: {type: connect, timeout: 3s}\n  "] {
        for (code, named, what_to_do) in [
            (58, "SASL_AUTHENTICATION_FAILED (58): ", "check `mechanism`, `username` and `password`"),
            (
                33,
                "UNSUPPORTED_SASL_MECHANISM (33): ",
                "set `mechanism` in `client.security` to one that it supports",
            ),
        ] {
            let text = file(WRITE, READ, "").replace("client: {", security).replacen(
                "write:",
                &format!("{connect}write:"),
                1,
            );
            let behaviour = Behaviour { sasl: Some(code), ..Behaviour::default() };
            let run = async move { pair::run_unready(&text, behaviour).await };
            runs.push((named, what_to_do, tokio::spawn(run)));
        }
    }
    for (named, what_to_do, run) in runs {
        let done = run.await.unwrap();
        done.is("error").says_everywhere(named).says_everywhere(what_to_do);
        assert!(!done.summary["reason"].to_string().contains("hunter2"), "{}", done.shown());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advertised_address_that_cannot_be_used_is_shown_as_it_is() {
    let addresses =
        [("0.0.0.0", 1), ("", 9092), ("3f2a9b7c1d0e", 9092), ("127.0.0.1", 0), ("127.0.0.1", -1), ("::", 1)];
    let runs = addresses.map(|(host, port)| {
        let behaviour = Behaviour { advertised: Some((host.to_owned(), port)), ..Behaviour::default() };
        let run = async move { pair::run_unready(&file(WRITE, READ, ""), behaviour).await };
        (host, port, tokio::spawn(run))
    });
    for (host, port, run) in runs {
        let done = run.await.unwrap();
        done.is("error")
            .says_everywhere(&format!("broker 0 advertises `{host}:{port}`, which kaf6 cannot use"));
        done.says_everywhere("(set the broker's `advertised.listeners` to ");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn throttle_times_are_in_the_report_with_a_note_on_quotas() {
    let behaviour = Behaviour { throttle_ms: 300, ..Behaviour::default() };
    let done = pair::run(&file("messages: 20, rate: 20/s", READ, ""), behaviour).await;
    done.is("pass");
    for kind in ["produce", "fetch"] {
        let seen = &done.summary["throttling"][kind];
        let answers = seen["answers"].as_u64().unwrap();
        assert!(
            answers > 2 && seen["longest_ms"] == 300 && seen["total_ms"] == answers * 300,
            "{}",
            done.summary["throttling"]
        );
    }
    done.says_everywhere("brokers throttled sending: ").says_everywhere("at most 300ms");
    done.says_everywhere("brokers throttled reading: ").says_everywhere("or raise the quota");
    let done = pair::run(&file("messages: 20", READ, ""), Behaviour::default()).await;
    assert!(done.summary["throttling"].is_null() && !done.notes("throttled"), "{}", done.shown());
}
