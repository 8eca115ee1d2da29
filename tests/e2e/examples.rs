//! Runs the files in `examples` unchanged on Tansu, Apache Kafka and the embedded broker.

use crate::lab::{HttpServer, Kafka, Relay, Storage, Tansu};
use crate::runs::{Kaf6, Ran};
use crate::runs_gaps::Handed;

/// Where a run of an example goes.
#[derive(Clone, Copy)]
enum Place<'a> {
    Brokers(&'a str),
    Embedded,
}

impl Place<'_> {
    fn start(self, example: &str) -> crate::runs::Running {
        match self {
            Self::Brokers(brokers) => Kaf6::example(example).brokers(brokers).start(),
            Self::Embedded => Kaf6::example(example).embedded().start(),
        }
    }
}

/// Runs an example at all places at once.
fn everywhere(example: &str, hold: impl Fn(&Ran)) {
    places(example, Tansu::start(&Storage::Memory).as_ref(), hold);
}

fn places(example: &str, tansu: Option<&Tansu>, hold: impl Fn(&Ran)) {
    let (tansu, kafka) = (tansu.map(Tansu::address), Kafka::shared());
    let real = tansu.iter().chain(&kafka).map(|broker| Place::Brokers(broker));
    let runs: Vec<_> = real.chain([Place::Embedded]).map(|place| place.start(example)).collect();
    for run in runs {
        hold(&run.end().expect("pass"));
    }
}

#[test]
fn s1_reaches_each_broker_and_its_topic() {
    everywhere("connectivity.yaml", |ran| {
        assert_eq!((ran.check("reachable"), ran.check("metadata")), ("pass", "pass"));
        assert_eq!(ran.ended("reach"), "done");
        let connect = ran.summary["connect"].to_string();
        for stage in ["resolve", "tcp", "ApiVersions", "metadata"] {
            assert!(connect.to_lowercase().contains(&stage.to_lowercase()), "{stage} is timed: {connect}");
        }
        assert!(connect.contains("Produce"), "the broker's API versions are kept: {connect}");
    });
}

#[test]
fn s2_is_green_for_a_healthy_endpoint_only() {
    const BODY: &str = "# HELP up\nup 1\nkafscale_s3_health_state{state=\"healthy\"} 1\n";
    let server = HttpServer::start(200, BODY);
    let example = |series: &str| {
        let kaf6 = Kaf6::example("metrics.yaml").env("METRICS_URL", &server.url("/metrics"));
        kaf6.env("SERIES", series).run()
    };
    let ran = example("kafscale_s3_health_state").expect("pass");
    assert_eq!((ran.check("http_ok"), ran.check("non_empty")), ("pass", "pass"));
    assert!(ran.summary["metric_series"].to_string().contains("kafscale_s3_health_state"), "{}", ran.summary);
    assert_eq!(server.requests(), 1);
    let embedded = Kaf6::example("metrics.yaml").env("METRICS_URL", &server.url("/metrics"));
    embedded.embedded().run().expect("pass");

    server.answer(500, BODY);
    let ran = example("up").expect("fail");
    assert_eq!((ran.check("http_ok"), ran.check("non_empty")), ("fail", "pass"));
    assert!(ran.answer("http_ok").contains("500"), "{ran}");

    server.answer(200, "");
    let ran = example("up").expect("fail");
    assert_eq!((ran.check("http_ok"), ran.check("non_empty")), ("pass", "fail"));

    let url = server.url("/metrics");
    drop(server);
    let ran = Kaf6::example("metrics.yaml").env("METRICS_URL", &url).run().expect("fail");
    assert_eq!((ran.check("http_ok"), ran.check("non_empty")), ("fail", "fail"));
    assert!(ran.answer("http_ok").contains("refused"), "{ran}");
}

#[test]
fn a_series_that_is_missing_fails_where_it_is_asked_for() {
    let server = HttpServer::start(200, "up 1\nup_to_date 1\n");
    let file = format!(
        "scenarios:\n  health: {{type: metrics, url: '{}', contains: [up, kafscale_s3_health_state, to_date]}}\n\
         checks: [{{type: http_ok}}, {{type: series_present}}]\n",
        server.url("/metrics")
    );
    let ran = Kaf6::file(&file).run().expect("fail");
    assert_eq!((ran.check("http_ok"), ran.check("series_present")), ("pass", "fail"));
    assert!(ran.answer("series_present").contains("missing: kafscale_s3_health_state, to_date"), "{ran}");
}

#[test]
fn s3_single_finds_the_message_that_was_sent() {
    everywhere("single.yaml", |ran| {
        assert_eq!((ran.count("write", "acked"), ran.count("read", "received")), (1, 1));
        for check in ["produced_one", "same_uuid", "no_loss", "no_duplicates", "no_corruption", "in_order"] {
            assert_eq!(ran.check(check), "pass", "{check}: {ran}");
        }
        assert!(ran.answer("same_uuid").contains("1 of 1"), "{ran}");
    });
}

#[test]
fn s3_multi_producer_reads_all_that_five_wrote() {
    // Tansu may skip messages here; see `runs_gaps`.
    places("multi-producer.yaml", None, |ran| {
        let counts = ["sent", "acked", "failed", "unknown"].map(|field| ran.count("write", field));
        assert_eq!(counts, [1000, 1000, 0, 0]);
        assert_eq!((ran.count("read", "received"), ran.count("read", "records")), (1000, 1000));
        for check in ["produced_all", "consumed_all", "no_duplicate_uuids", "no_loss", "in_order"] {
            assert_eq!(ran.check(check), "pass", "{check}: {ran}");
        }
        // A check in the file replaces the one that kaf6 adds.
        assert_eq!(ran.check("no_duplicates"), "none");
        assert!(ran.seconds() >= 1.9, "1,000 at 500/s: {ran}");
    });
}

#[test]
fn s3_shared_connection_comes_back_a_hundred_times() {
    // The latency depends on the broker and the machine.
    let text = std::fs::read_to_string("examples/shared-connection.yaml").expect("the example is there");
    let text = text.replace("p95 < 200ms", "p95 < 5s");
    let (tansu, kafka) = (Tansu::start(&Storage::Memory), Kafka::shared());
    let hold = |kaf6: Kaf6| {
        let ran = kaf6.run().expect("pass");
        assert_eq!((ran.count("ping", "sent"), ran.count("ping", "received")), (100, 100));
        assert_eq!((ran.check("all_came_back"), ran.check("quick_enough")), ("pass", "pass"));
        assert_eq!(ran.count("ping", "measured"), 100, "warm-up is in no percentile");
    };
    hold(Kaf6::file(&text).embedded());
    for broker in tansu.as_ref().map(Tansu::address).iter().chain(&kafka) {
        hold(Kaf6::file(&text).brokers(broker));
    }
}

#[test]
fn the_draft_runs_verbatim_and_again_on_the_same_topic() {
    let tansu = Tansu::start(&Storage::Memory);
    let (tansu, kafka) = (tansu.as_ref().map(Tansu::address), Kafka::shared());
    let hold = |ran: &Ran| {
        let counts =
            ["sent", "acked", "failed", "unknown", "errors"].map(|field| ran.count("producer", field));
        assert_eq!(counts, [1000, 1000, 0, 0, 0], "{ran}");
        assert_eq!((ran.count("consumer", "received"), ran.count("consumer", "errors")), (1000, 0));
        assert_eq!((ran.check("delivered_all"), ran.check("no_duplicates")), ("pass", "pass"));
        assert_eq!(ran.anomaly("lost"), Some(0));
        assert!(ran.seconds() >= 19.0, "1,000 at 50/s take 20 s: {ran}");
        let p95 = |scenario| ran.figure(scenario, "p95_ms").expect("latency was measured");
        assert!(p95("producer") > 0.0 && p95("consumer") > 0.0);
        assert_eq!(ran.summary["profile"], "local-service");
    };
    let mut before = 0;
    for again in [false, true] {
        // On rare occasions, Tansu skips a message; see `runs_gaps`.
        let on_tansu = tansu.as_ref().map(|broker| {
            let relay = Relay::start(broker);
            (Place::Brokers(&relay.address()).start("smoke.yaml"), Handed::watch(&relay), relay)
        });
        let on_kafka = kafka.as_ref().map(|broker| Place::Brokers(broker).start("smoke.yaml"));
        if !again {
            hold(&Place::Embedded.start("smoke.yaml").end().expect("pass"));
        }
        if let Some((run, handed, _relay)) = on_tansu {
            let ran = run.end();
            if !handed.excuses(&ran) {
                hold(&ran.expect("pass"));
            }
        }
        if let Some(run) = on_kafka {
            let ran = run.end().expect("pass");
            hold(&ran);
            let foreign = ran.count("consumer", "foreign");
            if again {
                assert_eq!(foreign, before + 1000, "the first run's records are told apart");
            }
            before = foreign;
        }
    }
}
