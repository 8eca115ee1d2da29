//! Tests that no number in a summary makes a renderer panic or write an invalid picture.

use kaf6::report::summary::*;
use kaf6::report::terminal::Style;
use kaf6::report::{console, html, json, junit};
use proptest::prelude::*;

use crate::fixtures;

/// Numbers as a file may hold them: any finite one, also those that no run measures.
fn number() -> impl Strategy<Value = Num> {
    prop_oneof![
        Just(0.0),
        0.0..1e4,
        any::<f64>().prop_filter("JSON has finite numbers only", |v| v.is_finite()),
        Just(f64::MAX),
        Just(5e-324),
    ]
    .prop_map(|v| Num(serde_json::Number::from_f64(v).expect("finite")))
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..10_000_u64, any::<u64>()]
}

prop_compose! {
    fn odd()(
        bucket in count(), duration in count(), started in count(), ended in count(),
        rate in prop::collection::vec(number(), 0..40),
        p95 in prop::collection::vec(prop::option::of(number()), 0..40),
        errors in prop::collection::vec(count(), 0..40),
        upper in prop::collection::vec(number(), 0..40), hits in prop::collection::vec(count(), 0..40),
        at in prop::collection::vec(count(), 0..40), value in prop::collection::vec(number(), 0..40),
        p50 in prop::option::of(number()), acked in count(), received in count(),
    ) -> Summary {
        let mut s = fixtures::fail();
        s.duration_ms = duration;
        s.timeline.bucket_ms = bucket;
        s.timeline.series["write"] = SeriesSummary { rate, p95_ms: p95, errors };
        s.histograms["write"] = HistogramSummary { upper_ms: upper, count: hits };
        s.metric_series[0].at_ms = at;
        s.metric_series[0].value = value;
        s.faults[0].started_ms = Some(started);
        s.faults[0].ended_ms = Some(ended);
        s.faults[0].first_ack_ms = Some(acked);
        s.faults[0].lost = Some(received);
        s.metadata_changes = vec![MetadataChangeSummary { at_ms: duration, ..MetadataChangeSummary::default() }];
        s.scenarios["write"].p50_ms = p50.clone();
        s.scenarios["write"].p99_ms = p50;
        let accounts = s.accounts.as_mut().unwrap();
        accounts.total.planned = Some(duration);
        accounts.total.unread = acked;
        accounts.scenarios["write"].account.lost = received;
        accounts.scenarios["write"].account.permitted = Some(bucket);
        s.partitions[0].acked = acked;
        s.partitions[0].readers[0].received = received;
        s
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn odd_numbers_are_rendered(run in odd()) {
        let page = html::html(&run).unwrap();
        // Coordinates are plain decimals within the plot.
        let pictures = page.split_once("</defs>").unwrap().1;
        for path in pictures.split(" d=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let plain = path.chars().all(|c| c.is_ascii_digit() || " .-MLHVhv".contains(c));
            prop_assert!(plain, "{path}");
        }
        console::render(&run, Style::PLAIN, None);
        junit::junit(&run).unwrap();
        let bytes = json::to_json(&run).unwrap();
        prop_assert_eq!(html::html(&json::from_json(&bytes).unwrap()).unwrap(), page);
    }
}
