//! Tests repeated evidence: one row per range in each report, and its picture.

use kaf6::report::console;
use kaf6::report::github::markdown;
use kaf6::report::html::html;
use kaf6::report::junit::junit;
use kaf6::report::summary::{AnomalySummary, EvidenceRow, SpotRow, Summary};
use kaf6::report::terminal::Style;

use crate::fixtures::{self, lost};

/// A spot of a message, or of the first and the last of a range.
fn spot(found: &str, consumer: Option<&str>, offsets: (i64, i64), ms: (u64, u64)) -> SpotRow {
    let is_range = offsets.0 != offsets.1;
    SpotRow {
        found: found.to_owned(),
        consumer: consumer.map(str::to_owned),
        offset: offsets.0,
        to_offset: is_range.then_some(offsets.1),
        at_ms: ms.0,
        to_ms: is_range.then_some(ms.1),
    }
}

fn one(found: &str, consumer: Option<&str>, offset: i64, ms: u64) -> SpotRow {
    spot(found, consumer, (offset, offset), (ms, ms))
}

/// The run that lost three messages lost twenty more, wrote a batch twice, and returned one altered; five partitions are concerned.
pub fn ranges() -> Summary {
    let mut run = fixtures::fail();
    let client = || Some("write, client 0".to_owned());
    let set = |run: &mut Summary, name: &str, count: u64, explained: Option<u64>, evidence| {
        run.anomalies[name] = AnomalySummary { count: Some(count), explained, undecided: None, evidence };
    };
    let spots = [
        spot("acked", None, (470, 508), (5_210, 5_990)),
        spot("read", Some("read"), (470, 508), (5_400, 6_050)),
        spot("missing", Some("audit"), (470, 508), (25_300, 25_300)),
        spot("missing", Some("recheck"), (470, 508), (25_900, 25_900)),
    ];
    let gone = EvidenceRow {
        count: Some(20),
        to_offset: Some(508),
        producer: client(),
        to_seq: Some(251),
        at_ms: None,
        consumer: Some("recheck".to_owned()),
        faults: vec!["bounce".to_owned()],
        detail:  "acked between 5.2 s and 6.0 s, partly during `bounce`, gone after `bounce`; a reader read it, but a re-read by a fresh client no longer found it; messages 231 before it and 252 after it were read"
            .to_owned(),
        spots: spots.to_vec(),
        ..lost(1, 470, 232, 0)
    };
    let alone = EvidenceRow {
        at_ms: None,
        consumer: Some("recheck".to_owned()),
        spots: vec![
            one("acked", None, 530, 9_400),
            one("missing", Some("read"), 530, 22_600),
            one("missing", Some("recheck"), 530, 25_900),
        ],
        ..lost(1, 530, 260, 0)
    };
    let elsewhere = |partition: i32| EvidenceRow {
        spots: vec![one("acked", None, 20, 900), one("missing", Some("recheck"), 20, 25_900)],
        ..lost(partition, 20, 6, 25_900)
    };
    set(&mut run, "lost", 24, None, vec![gone, alone, elsewhere(3), elsewhere(4), elsewhere(5)]);
    let twice = EvidenceRow {
        count: Some(10),
        offset: Some(340),
        to_offset: Some(349),
        other_offset: Some(318),
        to_other_offset: Some(327),
        producer: client(),
        to_seq: Some(963),
        to_ms: Some(8_300),
        explained: Some(false),
        detail: "the producer sent it once, or resent it only after an attempt that was not written"
            .to_owned(),
        spots: vec![
            spot("acked", None, (318, 327), (7_800, 7_900)),
            spot("read", Some("read"), (318, 327), (8_000, 8_050)),
            spot("read", Some("read"), (340, 349), (8_250, 8_300)),
            spot("read", Some("audit"), (318, 327), (25_300, 25_300)),
            spot("read", Some("audit"), (340, 349), (25_310, 25_310)),
        ],
        ..lost(2, 340, 954, 8_250)
    };
    let explained = EvidenceRow {
        other_offset: Some(311),
        explained: Some(true),
        detail:
            "the producer saw `Broker transport failure` at 6.020 s and resent its batch, during `bounce`"
                .to_owned(),
        spots: vec![
            one("acked", None, 311, 6_100),
            one("read", Some("read"), 311, 6_200),
            one("read", Some("read"), 330, 8_150),
        ],
        ..lost(2, 330, 933, 8_150)
    };
    set(&mut run, "duplicate", 10, Some(1), vec![twice, explained]);
    let altered = EvidenceRow {
        detail: "key, value or headers differ from what was sent, as read by the audit; its value begins with 6b 61".to_owned(),
        consumer: Some("audit".to_owned()),
        spots: vec![
            one("acked", None, 352, 10_000),
            one("read", Some("read"), 352, 10_200),
            one("altered", Some("audit"), 352, 25_320),
        ],
        ..lost(2, 352, 970, 25_320)
    };
    set(&mut run, "corrupt", 1, None, vec![altered]);
    run
}

fn anomalies_of(page: &str) -> &str {
    page.split_once("<section id=\"anomalies\"").unwrap().1.split_once("</section>").unwrap().0
}

fn pictures_of(page: &str) -> Vec<&str> {
    let pictures = anomalies_of(page).split("<svg class=\"spots\" role=\"img\"").skip(1);
    pictures.map(|rest| rest.split_once("</svg></div>").unwrap().0).collect()
}

#[test]
fn on_the_terminal() {
    let text = console::render(&ranges(), Style::PLAIN, None);
    insta::assert_snapshot!(
        text.split_once("found in the log").unwrap().1.split_once("42 foreign").unwrap().0
    );
}

#[test]
fn on_the_page() {
    let page = html(&ranges()).unwrap();
    insta::assert_snapshot!(anomalies_of(&page));
}

#[test]
fn in_junit() {
    let xml = String::from_utf8(junit(&ranges()).unwrap()).unwrap();
    let case = xml.split_once("<testcase name=\"survives\"").unwrap().1.split_once("</testcase>").unwrap().0;
    insta::assert_snapshot!(case);
}

#[test]
fn in_the_step_summary() {
    let text = markdown(&[ranges()], std::path::Path::new("reports"));
    assert!(text.contains("orders partition 1 at offsets 470 to 508, every 2nd: acked"), "{text}");
    assert!(text.contains("orders partition 2 at offsets 340 to 349: the producer"), "{text}");
}

/// At most four partitions, worst first, each a few KB; what is missing is said, and the tables have it.
#[test]
fn pictures_are_few_and_small() {
    let page = html(&ranges()).unwrap();
    let pictures = pictures_of(&page);
    assert_eq!(pictures.len(), 4);
    assert!(pictures[0].contains("Anomalies of orders[1]"), "{}", pictures[0]);
    assert!(page.contains("<span>1 more partition in the tables</span>"), "{}", anomalies_of(&page));
    let mut full = ranges();
    let row = full.anomalies["lost"].evidence[0].clone();
    for anomaly in full.anomalies.values_mut() {
        let at = |k: u64| EvidenceRow { offset: Some(470 + 90 * k.cast_signed()), ..row.clone() };
        anomaly.count = Some(400);
        anomaly.evidence = (0..20).map(at).collect();
    }
    let full = html(&full).unwrap();
    for picture in pictures_of(&full).iter().chain(&pictures) {
        assert!(picture.len() < 6000, "{} bytes", picture.len());
    }
    assert!(anomalies_of(&full).contains("more in the tables"), "{}", anomalies_of(&full));
    let without = fixtures::pass();
    assert!(pictures_of(&html(&without).unwrap()).is_empty());
}

/// A picture shows what the evidence has: bands and names of faults, marks of each observer, ranges, anomalies by name.
#[test]
fn a_picture_shows_copies_observers_and_faults() {
    let page = html(&ranges()).unwrap();
    let section = anomalies_of(&page);
    for part in [
        "bounce · restart broker",
        "<span>the anomaly</span>",
        "a re-read did not find it",
        "the audit read it modified",
        "aria-labelledby=\"pic0-t pic0-d\"",
    ] {
        let part = part.replace("<span>the anomaly", "the anomaly");
        assert!(section.contains(&part), "{part}: {section}");
    }
    let picture = pictures_of(&page)[0];
    for part in
        ["class=\"band\"", "href=\"#k-ack\"", "href=\"#k-again\"", "href=\"#k-ring\"", ">20 lost</text>"]
    {
        assert!(picture.contains(part), "{part}: {picture}");
    }
    // Older summaries have no `spots`, so the picture shows where each message was seen.
    let page = html(&fixtures::fail()).unwrap();
    assert_eq!(pictures_of(&page)[0].matches("href=\"#k-read\"").count(), 3);
}
