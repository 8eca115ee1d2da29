//! Adds readback consumers: one for each topic with messages that no consumer of the file reads.
//!
//! Decides which topics get one, and names it. The engine decides when it reads which partition.

use std::time::Duration;

use crate::plan::readers::{self, WaitsFor};
use crate::plan::{
    ConsumePlan, FaultPlan, From, ScenarioPlan, Start, StartOffset, TopicPlan, Work, defaults,
};
use crate::scenario::ServiceTemplate;

/// The consumers to add to a file.
pub(super) fn of(
    scenarios: &[ScenarioPlan],
    faults: &[FaultPlan],
    topics: &[TopicPlan],
) -> Vec<ScenarioPlan> {
    let waits = WaitsFor::of(scenarios, faults);
    let left = topics.iter().filter(|topic| {
        readers::verified(scenarios, &topic.name).next().is_some()
            && !readers::leave_nothing(scenarios, &waits, &topic.name, topic.partitions)
    });
    left.filter_map(|topic| reader(scenarios, topic)).collect()
}

/// The consumer for one topic.
fn reader(scenarios: &[ScenarioPlan], topic: &TopicPlan) -> Option<ScenarioPlan> {
    let producers: Vec<&ScenarioPlan> = readers::verified(scenarios, &topic.name).map(|(_, it)| it).collect();
    Some(ScenarioPlan {
        name: format!("verify:{}", topic.name),
        start: Start::default(),
        timeout: Duration::ZERO,
        brokers: brokers(&producers),
        work: Work::Consume(ConsumePlan {
            topic: topic.name.clone(),
            from: From::Run,
            clients: defaults::CLIENTS,
            partition: None,
            offset: StartOffset::Earliest,
            limit: None,
            idle_timeout: defaults::IDLE_TIMEOUT,
            producers: producers.iter().map(|producer| producer.name.clone()).collect(),
            partial: false,
            readback: true,
            nobody_writes: false,
        }),
        position: producers.first()?.position.clone(),
    })
}

/// The producers' brokers, if all producers have their own. Otherwise the consumer uses the file's brokers.
fn brokers(producers: &[&ScenarioPlan]) -> Option<Vec<ServiceTemplate>> {
    let mut all: Vec<ServiceTemplate> = Vec::new();
    for producer in producers {
        for broker in producer.brokers.as_ref()? {
            if !all.contains(broker) {
                all.push(broker.clone());
            }
        }
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use crate::plan::render::timeline;
    use crate::plan::{self, ConsumePlan, From, Plan, Start, StartOffset, Work};
    use crate::scenario::{LoadOptions, ServiceTemplate};

    /// A plan with the topic `t` of three partitions.
    fn plan(scenarios: &str) -> Plan {
        file(&format!("brokers: embedded\ntopics: [{{name: t, partitions: 3}}]\nscenarios:\n{scenarios}"))
    }

    fn file(text: &str) -> Plan {
        let none = |_: &str| None;
        plan::load_text(Path::new("f.yaml"), text, &LoadOptions::new(&none))
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    const WRITE: &str = "  write: {type: produce, messages: 1000, rate: 50/s}\n";

    fn names(plan: &Plan) -> Vec<&str> {
        plan.scenarios.iter().filter(|it| it.work.is_readback()).map(|it| it.name.as_str()).collect()
    }

    /// Whether the topic gets a readback consumer, and which partitions it reads.
    fn left(plan: &Plan) -> (bool, Vec<i32>) {
        let topic = &plan.topics[0].name;
        let left = (0..4).filter(|partition| plan::is_left(plan, topic, *partition)).collect();
        (names(plan).len() == 1, left)
    }

    #[test]
    fn a_producer_alone_is_read_back() {
        let plan = plan(WRITE);
        assert_eq!(names(&plan), ["verify:t"]);
        let added = &plan.scenarios[1];
        let Work::Consume(ConsumePlan { from, offset, limit, partition, producers, clients, .. }) =
            &added.work
        else {
            panic!("it reads")
        };
        assert_eq!((*from, *offset, *limit), (From::Run, StartOffset::Earliest, None));
        assert_eq!((*partition, *clients, producers.as_slice()), (None, 1, &["write".to_owned()][..]));
        assert_eq!((&added.start, &added.position), (&Start::default(), &plan.scenarios[0].position));
        // The producer's timeout and the usual time for a reader.
        assert_eq!(added.timeout, Duration::from_secs(50 + 120));
        assert_eq!(plan::judges(&plan, 1), [0]);
        assert_eq!(left(&plan), (true, vec![0, 1, 2, 3]));
        let checks: Vec<&str> = plan.checks.iter().map(|check| check.name.as_str()).collect();
        let five = ["no_loss", "no_duplicates", "no_corruption", "in_order", "offsets_monotonic"];
        assert_eq!(checks, [&five[..], &["all_acked"]].concat());
        assert!(plan.defaults.iter().all(|taken| !taken.field.contains("verify:")));
        let page = timeline::render(&plan);
        assert!(
            page.contains("added automatically: reads back what no consumer in the file reads"),
            "{page}"
        );
        assert!(timeline::validate_line(&plan).contains("valid: 1 scenario,"));
    }

    #[test]
    fn what_a_consumer_reads_whole_is_not_read_back() {
        let all = (false, vec![]);
        let nothing = (true, vec![0, 1, 2, 3]);
        let cases = [
            ("", &all),
            (", limit: 1000", &all),
            (", limit: 999", &nothing),
            (", offset: latest", &nothing),
            (", offset: 1", &nothing),
            (", from: any", &nothing),
            (", topic: u", &nothing),
            (", partition: 1", &(true, vec![0, 2, 3])),
        ];
        for (how, expected) in cases {
            let plan = plan(&format!("{WRITE}  read: {{type: consume{how}}}\n"));
            assert_eq!(left(&plan), *expected, "{how}");
        }
    }

    #[test]
    fn a_partition_that_nobody_writes_is_not_read_back() {
        let fixed =
            |reader: &str| plan(&format!("  w: {{type: produce, messages: 9, partition: 1}}\n{reader}"));
        assert_eq!(left(&fixed("")), (true, vec![1]));
        assert_eq!(left(&fixed("  r: {type: consume, partition: 1}\n")), (false, vec![]));
        assert_eq!(left(&fixed("  r: {type: consume, partition: 2}\n")), (true, vec![1]));
    }

    #[test]
    fn consumers_of_single_partitions_may_read_a_topic_whole_together() {
        let each = |partitions: &[i32]| -> String {
            partitions.iter().map(|p| format!("  r{p}: {{type: consume, partition: {p}}}\n")).collect()
        };
        let plan = |read: &[i32]| plan(&format!("{WRITE}{}", each(read)));
        assert_eq!(left(&plan(&[0, 2])), (true, vec![1, 3]));
        // If the topic has a fourth partition at run time, the audit reads it.
        assert_eq!(left(&plan(&[0, 1, 2])), (false, vec![3]));
        let one =
            file(&format!("brokers: embedded\ntopics: [{{name: t}}]\nscenarios:\n{WRITE}{}", each(&[0])));
        assert!(names(&one).is_empty());
        let undeclared = WRITE.replace("produce", "produce, topic: t");
        let undeclared = file(&format!(
            "brokers: embedded\nscenarios:\n{undeclared}  r: {{type: consume, topic: t, partition: 0}}\n"
        ));
        assert!(names(&undeclared).is_empty());
    }

    #[test]
    fn round_trips_are_read_back_whoever_consumes() {
        let trip = "  trip: {type: roundtrip, partition: 1}\n";
        assert_eq!(left(&plan(trip)), (true, vec![1]));
        let both = plan(&format!("{WRITE}{trip}  read: {{type: consume}}\n"));
        assert_eq!(left(&both), (true, vec![1]));
        let names: Vec<&str> = both.scenarios.iter().map(|it| it.name.as_str()).collect();
        let judged: Vec<&str> = plan::judges(&both, 3).into_iter().map(|number| names[number]).collect();
        assert_eq!((names[3], judged), ("verify:t", vec!["write", "trip"]));
        assert!(both.checks.iter().any(|check| check.name == "no_loss:verify:t"));
    }

    #[test]
    fn what_need_not_be_or_cannot_be_verified_is_not_read_back() {
        for producer in [
            "{type: produce, messages: 9, verify: false}",
            "{type: produce, messages: 9, acks: 0}",
            "{type: roundtrip, verify: false}",
            "{type: roundtrip, acks: 0}",
        ] {
            assert_eq!(left(&plan(&format!("  w: {producer}\n"))), (false, vec![]), "{producer}");
            let beside = plan(&format!("  w: {producer}\n{WRITE}  read: {{type: consume}}\n"));
            assert_eq!(left(&beside), (false, vec![]), "{producer}");
        }
        let plan = plan(&format!("{WRITE}run: {{audit: false}}\n"));
        assert!(names(&plan).is_empty());
    }

    #[test]
    fn what_is_written_after_a_reader_is_read_back() {
        for start in ["after: read", "when: \"read.received >= 5\"", "after: between"] {
            let plan = plan(&format!(
                "{WRITE}  read: {{type: consume}}\n  between: {{type: connect, after: read}}\n  \
                 late: {{type: produce, messages: 9, {start}}}\n"
            ));
            assert_eq!(left(&plan), (true, vec![0, 1, 2, 3]), "{start}");
            assert_eq!((plan::judges(&plan, 1), plan::judges(&plan, 4)), (vec![0], vec![0, 3]));
            assert!(!plan::covers(&plan, 1, &plan.topics[0].name, 0));
            assert!(plan::waits_for(&plan, 3, 1) && !plan::waits_for(&plan, 1, 3));
        }
    }

    #[test]
    fn each_topic_has_a_reader_of_its_own_on_its_producers_brokers() {
        let plan = file(
            "brokers: [\"all:1\"]\nscenarios:\n  \
             a: {type: produce, topic: a, messages: 9, brokers: [\"x:1\", \"y:1\"]}\n  \
             b: {type: produce, topic: a, messages: 9, brokers: [\"y:1\", \"z:1\"]}\n  \
             c: {type: produce, topic: c, messages: 9, brokers: [\"x:1\"]}\n  \
             d: {type: produce, topic: c, messages: 9}\n",
        );
        assert_eq!(names(&plan), ["verify:a", "verify:c"]);
        let own: Vec<ServiceTemplate> = ["x:1", "y:1", "z:1"].map(ServiceTemplate::plain).into();
        assert_eq!((&plan.scenarios[4].brokers, &plan.scenarios[5].brokers), (&Some(own), &None));
        assert!(plan.checks.iter().any(|check| check.name == "no_loss:verify:a"));
    }
}
