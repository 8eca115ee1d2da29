//! Tests the lab with rdkafka only, because other tests depend on it.
//! Each test covers one guarantee of one part. Most of them use a real broker.

use std::collections::HashMap;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::{ApiKey, FetchResponse, MetadataResponse};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};

use crate::lab::{
    HttpServer, Kafka, Moto, Object, Part, Process, Relay, Response, Seen, Storage, Tansu, TansuContainer,
    Verdict, chromium, free_port, junit_xsd, require, wait_for,
};

const LONG: Duration = Duration::from_secs(120);

#[test]
fn tansu_on_memory_forgets_when_restarted() {
    let Some(mut tansu) = Tansu::start(&Storage::Memory) else { return };
    assert_eq!(send(&tansu.address(), "t", &["one", "two"]), [Ok(0), Ok(1)]);
    assert_eq!(values(&tansu.address(), "t", 2), ["one", "two"]);
    let first = tansu.process().id();
    tansu.restart();
    assert_ne!(tansu.process().id(), first);
    assert_eq!(send(&tansu.address(), "t", &["three"]), [Ok(0)], "{}", tansu.log());
}

#[test]
fn tansu_on_s3_remembers_and_its_objects_can_be_harmed() {
    let Some(moto) = Moto::start() else { return };
    moto.create_bucket("lake");
    let storage = Storage::S3 { endpoint: moto.address(), bucket: "lake".to_owned() };
    let Some(mut tansu) = Tansu::start(&storage) else { return };
    assert_eq!(send(&tansu.address(), "t", &["one"]), [Ok(0)]);
    tansu.restart();
    assert_eq!(values(&tansu.address(), "t", 1), ["one"]);

    let records: Vec<Object> = moto
        .list("lake", "")
        .into_iter()
        .filter(|object| contains(&moto.get("lake", &object.key), b"one"))
        .collect();
    let [batch] = records.as_slice() else { panic!("one object holds the record: {records:?}") };
    let bytes = moto.get("lake", &batch.key);
    assert_eq!(bytes.len() as u64, batch.size);
    moto.copy("lake", &batch.key, "kept/a copy");
    moto.delete("lake", &batch.key);
    assert!(!moto.list("lake", "").contains(batch));
    moto.put("lake", &batch.key, &moto.get("lake", "kept/a copy"));
    assert_eq!(moto.get("lake", &batch.key), bytes);
    assert_eq!(moto.list("lake", "kept/").len(), 1);
}

#[test]
fn moto_stopped_is_a_store_that_hangs() {
    let Some(moto) = Moto::start() else { return };
    moto.process().signal("STOP");
    let agent =
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_millis(300))).build().new_agent();
    assert!(agent.get(format!("http://{}/", moto.address())).call().is_err());
    moto.process().signal("CONT");
    assert!(ureq::get(format!("http://{}/", moto.address())).call().is_ok());
}

#[test]
fn kafka_remembers_when_killed_and_restarted() {
    let Some(mut kafka) = Kafka::start() else { return };
    assert_eq!(send(&kafka.address(), "t", &["one"]), [Ok(0)]);
    kafka.restart();
    assert_eq!(values(&kafka.address(), "t", 1), ["one"]);
    kafka.kill();
    let result = send_with(&kafka.address(), "t", &["two"], &[("message.timeout.ms", "500")]);
    assert_eq!(result, [Err(RDKafkaErrorCode::MessageTimedOut)]);
}

#[test]
fn kafka_is_shared() {
    let Some(kafka) = Kafka::shared() else { return };
    assert_eq!(Kafka::shared().as_ref(), Some(&kafka));
    assert_eq!(send(&kafka, &topic(), &["one"]), [Ok(0)]);
}

#[test]
fn a_relay_keeps_clients_on_it_and_records_their_requests() {
    let Some(kafka) = Kafka::shared() else { return };
    let relay = Relay::start(&kafka);
    let topic = topic();
    let named = Arc::new(Mutex::new(Vec::new()));
    let brokers = Arc::clone(&named);
    relay.on_response(move |response: &Response| {
        if response.request.api == ApiKey::Metadata {
            let metadata: MetadataResponse = response.decode();
            let addresses = metadata.brokers.iter().map(|broker| format!("{}:{}", broker.host, broker.port));
            brokers.lock().expect("no thread panics here").extend(addresses);
        }
        Verdict::Pass
    });
    assert_eq!(send(&relay.address(), &topic, &["one"]), [Ok(0)]);
    assert_eq!(values(&relay.address(), &topic, 1), ["one"]);
    for api in
        [ApiKey::ApiVersions, ApiKey::Metadata, ApiKey::Produce, ApiKey::Fetch, ApiKey::FindCoordinator]
    {
        assert!(relay.apis().contains(&api), "{api:?} in {:?}", relay.apis());
    }
    let named = named.lock().expect("no thread panics here");
    assert!(!named.is_empty() && named.iter().all(|address| *address != kafka), "{named:?}");
    let produce: Vec<Seen> = relay.seen().into_iter().filter(|seen| seen.api == ApiKey::Produce).collect();
    assert_eq!(produce.len(), 1, "the request went through the relay");
    assert!(produce[0].client_id == "lab" && produce[0].version >= 7 && produce[0].connection > 1);
    assert!(produce[0].at.elapsed() < LONG);
}

#[test]
fn a_relay_makes_empty_records_null_and_nothing_else() {
    let Some(kafka) = Kafka::shared() else { return };
    let relay = Relay::start(&kafka);
    let topic = topic();
    send(&kafka, &topic, &["one", "two"]);
    let [before, after] = [(); 2].map(|()| Arc::new(Mutex::new(HashMap::<&str, usize>::new())));
    relay.on_response(count_records(&before));
    relay.null_records();
    relay.on_response(count_records(&after));
    assert_eq!(values(&relay.address(), &topic, 2), ["one", "two"]);
    let consumer = reader(&relay.address(), &topic);
    wait_for("a fetch at the end of the log", LONG, || {
        consumer.poll(Duration::from_millis(50));
        after.lock().expect("no thread panics here").contains_key("null")
    });
    drop(consumer);
    let (before, after) = (before.lock().expect("poison"), after.lock().expect("poison"));
    assert!(before.contains_key("empty") && !before.contains_key("null"), "{before:?}");
    assert!(after.contains_key("some") && !after.contains_key("empty"), "{after:?}");
    // Fetch requests that refer to topics by id have another format.
    assert!(relay.seen().iter().any(|seen| seen.api == ApiKey::Fetch && seen.version >= 13));
}

#[test]
fn a_relay_stands_before_tansu_too() {
    let Some(tansu) = Tansu::start(&Storage::Memory) else { return };
    let relay = Relay::start(&tansu.address());
    relay.null_records();
    let after = Arc::new(Mutex::new(HashMap::new()));
    relay.on_response(count_records(&after));
    assert_eq!(send(&relay.address(), "t", &["one", "two"]), [Ok(0), Ok(1)]);
    assert_eq!(values(&relay.address(), "t", 2), ["one", "two"]);
    let consumer = reader(&relay.address(), "t");
    wait_for("a fetch at the end of the log", LONG, || {
        consumer.poll(Duration::from_millis(50));
        after.lock().expect("no thread panics here").contains_key("null")
    });
    assert!(!after.lock().expect("no thread panics here").contains_key("empty"));
}

#[test]
fn a_relay_holds_all_traffic() {
    let Some(kafka) = Kafka::shared() else { return };
    let relay = Relay::start(&kafka);
    let topic = topic();
    let producer = producer(&relay.address(), &[]);
    assert_eq!(send_by(&producer, &topic, &["one"]), [Ok(0)]);
    relay.hold(Duration::from_millis(800));
    let start = Instant::now();
    assert_eq!(send_by(&producer, &topic, &["two"]), [Ok(1)]);
    let taken = start.elapsed();
    assert!(taken >= Duration::from_millis(780), "{taken:?}");
}

#[test]
fn a_relay_delays_a_frame() {
    let Some(kafka) = Kafka::shared() else { return };
    let relay = Relay::start(&kafka);
    let topic = topic();
    let producer = producer(&relay.address(), &[]);
    assert_eq!(send_by(&producer, &topic, &["one"]), [Ok(0)]);
    relay.on_request(once(ApiKey::Produce, Verdict::Delay(Duration::from_millis(500))));
    let start = Instant::now();
    assert_eq!(send_by(&producer, &topic, &["two"]), [Ok(1)]);
    assert!(start.elapsed() >= Duration::from_millis(500));
}

#[test]
fn a_relay_repeats_a_request_and_the_producer_sees_nothing() {
    let Some(kafka) = Kafka::shared() else { return };
    let relay = Relay::start(&kafka);
    let topic = topic();
    relay.on_request(once(ApiKey::Produce, Verdict::Repeat));
    assert_eq!(send(&relay.address(), &topic, &["one"]), [Ok(0)]);
    assert_eq!(send(&relay.address(), &topic, &["two"]), [Ok(2)]);
    assert_eq!(values(&kafka, &topic, 3), ["one", "one", "two"]);
}

#[test]
fn a_relay_swaps_two_requests() {
    let Some(kafka) = Kafka::shared() else { return };
    let relay = Relay::start(&kafka);
    let topic = topic();
    let producer = producer(&relay.address(), &[("linger.ms", "0")]);
    assert_eq!(send_by(&producer, &topic, &["zero"]), [Ok(0)]);
    relay.on_request(once(ApiKey::Produce, Verdict::Swap));
    enqueue(&producer, &topic, 0, "one");
    wait_for("the first request", LONG, || {
        producer.poll(Duration::from_millis(10));
        relay.seen().iter().filter(|seen| seen.api == ApiKey::Produce).count() == 2
    });
    enqueue(&producer, &topic, 1, "two");
    assert_eq!(outcomes(&producer, 2), [Ok(2), Ok(1)]);
    assert_eq!(values(&kafka, &topic, 3), ["zero", "two", "one"]);
}

#[test]
fn a_relay_cuts_an_answer_so_that_the_producer_retries() {
    let Some(kafka) = Kafka::shared() else { return };
    let relay = Relay::start(&kafka);
    let topic = topic();
    let cut = once(ApiKey::Produce, Verdict::Cut(3));
    relay.on_response(move |response| cut(&response.request));
    assert_eq!(send(&relay.address(), &topic, &["one"]), [Ok(1)]);
    assert_eq!(values(&kafka, &topic, 2), ["one", "one"]);
}

#[test]
fn a_relay_drops_an_answer() {
    let Some(kafka) = Kafka::shared() else { return };
    let relay = Relay::start(&kafka);
    let topic = topic();
    let lost = once(ApiKey::Produce, Verdict::Drop);
    relay.on_response(move |response| lost(&response.request));
    let settings = [("message.timeout.ms", "8000")];
    assert_eq!(
        send_with(&relay.address(), &topic, &["one"], &settings),
        [Err(RDKafkaErrorCode::MessageTimedOut)]
    );
    assert_eq!(values(&kafka, &topic, 1), ["one"]);
}

#[test]
fn a_relay_disconnects_and_clients_come_back() {
    let Some(kafka) = Kafka::shared() else { return };
    let relay = Relay::start(&kafka);
    let topic = topic();
    let producer = producer(&relay.address(), &[]);
    assert_eq!(send_by(&producer, &topic, &["one"]), [Ok(0)]);
    let before = relay.seen().iter().map(|seen| seen.connection).max();
    relay.disconnect();
    assert_eq!(send_by(&producer, &topic, &["two"]), [Ok(1)]);
    assert!(relay.seen().iter().map(|seen| seen.connection).max() > before);
}

#[test]
fn a_relay_refuses_and_the_broker_never_hears_of_it() {
    let Some(kafka) = Kafka::shared() else { return };
    let relay = Relay::start(&kafka);
    let topic = topic();
    relay.refuse(ApiKey::Produce, ResponseError::TopicAuthorizationFailed);
    let refused = [Err(RDKafkaErrorCode::TopicAuthorizationFailed)];
    assert_eq!(send(&relay.address(), &topic, &["one"]), refused);
    relay.clear();
    assert_eq!(send(&relay.address(), &topic, &["two"]), [Ok(0)]);
}

#[test]
fn a_relay_refuses_every_api_that_it_says_it_can() {
    let Some(kafka) = Kafka::shared() else { return };
    let topic = topic();
    send(&kafka, &topic, &["one"]);
    let relay = Relay::start(&kafka);
    relay.refuse(ApiKey::ListOffsets, ResponseError::TopicAuthorizationFailed);
    let consumer = reader(&relay.address(), &topic);
    let refused = KafkaError::MetadataFetch(RDKafkaErrorCode::TopicAuthorizationFailed);
    assert_eq!(consumer.fetch_watermarks(&topic, 0, LONG), Err(refused));
    relay.clear();
    relay.refuse(ApiKey::Fetch, ResponseError::TopicAuthorizationFailed);
    wait_for("the fetch is refused", LONG, || {
        let refused = KafkaError::MessageConsumption(RDKafkaErrorCode::TopicAuthorizationFailed);
        consumer.poll(Duration::from_millis(50)).is_some_and(|polled| polled.err() == Some(refused))
    });
    relay.clear();
    relay.refuse(ApiKey::Metadata, ResponseError::InvalidTopicException);
    let metadata = consumer.fetch_metadata(Some(&topic), LONG).expect("an answer");
    assert_eq!(
        metadata.topics()[0].error().map(RDKafkaErrorCode::from),
        Some(RDKafkaErrorCode::InvalidTopic)
    );
}

#[test]
fn a_relay_denies_what_the_broker_did() {
    let Some(kafka) = Kafka::shared() else { return };
    let relay = Relay::start(&kafka);
    let topic = topic();
    relay.deny(ApiKey::Produce, ResponseError::UnknownServerError);
    let denied = send_with(&relay.address(), &topic, &["one"], &[("retries", "0")]);
    assert_eq!(denied, [Err(RDKafkaErrorCode::Unknown)]);
    assert_eq!(values(&kafka, &topic, 1), ["one"]);
}

#[test]
fn a_relay_hides_apis_and_versions() {
    let Some(kafka) = Kafka::shared() else { return };
    let relay = Relay::start(&kafka);
    relay.limit_api(ApiKey::Produce, Some(5));
    relay.limit_api(ApiKey::InitProducerId, None);
    let topic = topic();
    assert_eq!(send(&relay.address(), &topic, &["one"]), [Ok(0)]);
    assert!(relay.seen().iter().filter(|seen| seen.api == ApiKey::Produce).all(|seen| seen.version == 5));
    let settings = [("enable.idempotence", "true"), ("message.timeout.ms", "1000")];
    assert!(send_with(&relay.address(), &topic, &["two"], &settings)[0].is_err());
}

#[test]
fn an_http_server_answers_as_told() {
    let server = HttpServer::start(200, "kafscale_up 1\n");
    let text =
        ureq::get(server.url("/metrics")).call().and_then(|mut answer| answer.body_mut().read_to_string());
    assert_eq!(text.ok().as_deref(), Some("kafscale_up 1\n"));
    server.answer(503, "");
    assert!(matches!(ureq::get(server.url("/metrics")).call(), Err(ureq::Error::StatusCode(503))));
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_process_ends_with_its_test_however_that_ends() {
    const NAME: &str = "lab_itself::a_process_ends_with_its_test_however_that_ends";
    let folder = tempfile::tempdir().expect("a temporary folder");
    if std::env::var_os("LAB_ABORTS").is_some() {
        let sleeper = Process::spawn(Command::new("sleep").arg("600"), &folder.path().join("log"));
        println!("pid {}", sleeper.id());
        std::process::abort();
    }
    let itself = std::env::current_exe().expect("its own path");
    let output = Command::new(itself)
        .args(["--exact", NAME, "--nocapture"])
        .env("LAB_ABORTS", "1")
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("it runs again");
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    let pid = text.split_whitespace().skip_while(|word| *word != "pid").nth(1).expect("the sleeper's number");
    wait_for("the sleeper is gone", LONG, || {
        let alive = Command::new("sh").args(["-c", "kill -0 $0 2>&1", pid]).output().expect("sh starts");
        !alive.status.success()
    });
}

#[test]
fn a_missing_part_skips_its_test_or_fails_it_where_required() {
    const NAME: &str = "lab_itself::a_missing_part_skips_its_test_or_fails_it_where_required";
    if std::env::var_os("LAB_LACKS_JAVA").is_some() {
        assert_eq!(Kafka::shared(), None);
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let skipped = folder.path().join("skipped");
    let run = |required: &str| {
        Command::new(std::env::current_exe().expect("its own path"))
            .args(["--exact", NAME])
            .env("LAB_LACKS_JAVA", "1")
            .env("PATH", folder.path())
            .env("KAF6_REQUIRE", required)
            .env("KAF6_SKIPPED", &skipped)
            .output()
            .expect("it runs again")
    };
    let optional = run("docker");
    assert!(optional.status.success());
    let line = std::fs::read_to_string(&skipped).expect("a skipped test is listed");
    assert!(
        line.starts_with("SKIPPED ") && line.ends_with(": java is missing (no java on the PATH)\n"),
        "{line}"
    );
    assert!(String::from_utf8_lossy(&optional.stderr).contains(&line), "and says so at once");
    assert!(!run("docker,java").status.success());
}

#[test]
fn tansu_runs_in_a_container() {
    let there = require(Part::Docker).is_some() && require(Part::Tansu).is_some();
    let Some(tansu) = TansuContainer::start() else { return assert!(!there) };
    assert_eq!(send(&tansu.address(), "t", &["one", "two"]), [Ok(0), Ok(1)]);
    assert_eq!(values(&tansu.address(), "t", 2), ["one", "two"]);
    let name = tansu.name().to_owned();
    drop(tansu);
    let left = Command::new("docker").args(["inspect", &name]).output().expect("docker starts");
    assert!(!left.status.success(), "a dropped container is removed");
}

#[test]
fn chromium_renders_a_page() {
    let Some(chromium) = chromium() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("page.html");
    std::fs::write(&page, "<p id=a></p><script>a.textContent = 6 * 7</script>").expect("the page is written");
    let output = Command::new(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .env("TMPDIR", folder.path())
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("chromium starts");
    let dom = String::from_utf8_lossy(&output.stdout);
    assert!(dom.contains(r#"<p id="a">42</p>"#), "{dom} {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_junit_schema_tells_good_from_bad() {
    let Some(schema) = junit_xsd() else { return };
    let accepts = |text: &str| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("junit.xml");
        std::fs::write(&file, text).expect("the file is written");
        let output = Command::new("xmllint").args(["--noout", "--schema"]).arg(&schema).arg(file).output();
        output.expect("xmllint starts").status.success()
    };
    assert!(accepts(
        r#"<testsuite name="s" tests="1" failures="0" errors="0"><testcase name="c"/></testsuite>"#
    ));
    assert!(!accepts(
        r#"<testsuite name="s" tests="1" failures="0" errors="0"><check name="c"/></testsuite>"#
    ));
}

#[test]
fn a_port_is_free_and_below_those_of_connections() {
    let ports: Vec<u16> = (0..50).map(|_| free_port()).collect();
    assert!(ports.iter().all(|port| (20_000..32_000).contains(port)));
    assert!(ports.iter().any(|port| *port != ports[0]));
}

// Clients of the unmodified rdkafka.

/// The outcome of each message by its number: its offset, or the error.
type Outcome = Result<i64, RDKafkaErrorCode>;

#[derive(Default)]
struct Outcomes(Mutex<HashMap<usize, Outcome>>);

impl ClientContext for Outcomes {}

impl ProducerContext for Outcomes {
    type DeliveryOpaque = Box<usize>;

    fn delivery(
        &self,
        result: &Result<BorrowedMessage<'_>, (KafkaError, BorrowedMessage<'_>)>,
        number: Box<usize>,
    ) {
        let outcome = match result {
            Ok(message) => Ok(message.offset()),
            Err((error, _)) => Err(error.rdkafka_error_code().expect("an error of delivery has a code")),
        };
        self.0.lock().expect("no thread panics here").insert(*number, outcome);
    }
}

fn topic() -> String {
    format!("lab-{}-{}", std::process::id(), free_port())
}

fn config(address: &str, settings: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("client.id", "lab").set("allow.auto.create.topics", "true");
    for (name, value) in settings {
        config.set(*name, *value);
    }
    config
}

fn producer(address: &str, settings: &[(&str, &str)]) -> BaseProducer<Outcomes> {
    let defaults = [("message.timeout.ms", "20000")];
    let settings = [&defaults, settings].concat();
    config(address, &settings).create_with_context(Outcomes::default()).expect("a producer")
}

fn enqueue(producer: &BaseProducer<Outcomes>, topic: &str, number: usize, value: &str) {
    let record = BaseRecord::with_opaque_to(topic, Box::new(number)).key("k").payload(value).partition(0);
    producer.send(record).map_err(|(error, _)| error).expect("the queue has room");
}

fn outcomes(producer: &BaseProducer<Outcomes>, count: usize) -> Vec<Outcome> {
    producer.flush(LONG).expect("the queue is emptied");
    let mut seen = producer.context().0.lock().expect("no thread panics here");
    (0..count).map(|number| seen.remove(&number).expect("each message has an outcome")).collect()
}

fn send_by(producer: &BaseProducer<Outcomes>, topic: &str, values: &[&str]) -> Vec<Outcome> {
    for (number, value) in values.iter().enumerate() {
        enqueue(producer, topic, number, value);
    }
    outcomes(producer, values.len())
}

fn send_with(address: &str, topic: &str, values: &[&str], settings: &[(&str, &str)]) -> Vec<Outcome> {
    send_by(&producer(address, settings), topic, values)
}

fn send(address: &str, topic: &str, values: &[&str]) -> Vec<Outcome> {
    send_with(address, topic, values, &[])
}

fn reader(address: &str, topic: &str) -> BaseConsumer {
    let settings = [("group.id", "lab"), ("enable.auto.commit", "false"), ("fetch.wait.max.ms", "50")];
    let consumer: BaseConsumer = config(address, &settings).create().expect("a consumer");
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, 0, Offset::Beginning).expect("an offset");
    consumer.assign(&place).expect("the partition is assigned");
    consumer
}

/// The values of the first records of partition 0.
fn values(address: &str, topic: &str, count: usize) -> Vec<String> {
    let consumer = reader(address, topic);
    let mut values = Vec::new();
    wait_for("the records arrive", LONG, || {
        while values.len() < count
            && let Some(Ok(message)) = consumer.poll(Duration::from_millis(50))
        {
            values.push(String::from_utf8_lossy(message.payload().unwrap_or_default()).into_owned());
        }
        values.len() >= count
    });
    values
}

/// Says the verdict of the first request of this API, and passes all others.
fn once(api: ApiKey, verdict: Verdict) -> impl Fn(&crate::lab::Request) -> Verdict + Send + Sync + 'static {
    let count = AtomicUsize::new(0);
    move |request| {
        let first = request.api == api && count.fetch_add(1, Ordering::SeqCst) == 0;
        if first { verdict.clone() } else { Verdict::Pass }
    }
}

/// Counts the records members of answers to Fetch: null, empty or some.
fn count_records(
    into: &Arc<Mutex<HashMap<&'static str, usize>>>,
) -> impl Fn(&Response) -> Verdict + Send + Sync + 'static {
    let into = Arc::clone(into);
    move |response| {
        if response.request.api == ApiKey::Fetch {
            let fetched: FetchResponse = response.decode();
            for partition in fetched.responses.iter().flat_map(|topic| &topic.partitions) {
                let kind = match &partition.records {
                    None => "null",
                    Some(records) if records.is_empty() => "empty",
                    Some(_) => "some",
                };
                *into.lock().expect("no thread panics here").entry(kind).or_default() += 1;
            }
        }
        Verdict::Pass
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
