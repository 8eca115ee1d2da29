//! What was seen on release binaries, row by row.

use kaf6_liar::Behaviour;

use crate::pair;

const PLAIN: &str = "
brokers: BROKERS
topics: [{name: t, partitions: 2}]
scenarios:
  write: {type: produce, messages: 100}
  read: {type: consume, idle_timeout: 3s}
";

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_broker_passes() {
    let done = pair::run(PLAIN, Behaviour::default()).await;
    assert_eq!(done.status(), "pass", "{}", done.shown());
    assert_eq!(done.log.produced.iter().filter(|batch| !batch.marker).map(|batch| batch.records.len()).sum::<usize>(), 100);
}
