//! Producers that librdkafka gives up for good: how their scenario ends, and what to do about it.

use crate::engine::context::outcome::ScenarioOutcome;
use crate::engine::context::run_context::RunContext;
use crate::kafka;
use crate::observe::ScenarioEnd;

/// Why librdkafka gave a client's producer up.
pub(crate) type Fatal = (kafka::Code, String);

/// How a scenario ends whose producer librdkafka gave up. With nothing acked by then it could not work at all, such as on a
/// broker that has no InitProducerId.
pub(crate) fn given_up(shared: &RunContext, index: usize, (code, text): &Fatal) -> ScenarioOutcome {
    let counts = shared.live.metrics(index).snapshot();
    let ended = if counts.acked + counts.unknown == 0 { ScenarioEnd::Failed } else { ScenarioEnd::Fatal };
    let told = if text.contains(&code.text()) { String::new() } else { format!("{}: ", code.text()) };
    ScenarioOutcome::of(ended).because(format!(
        "its producer was given up: {told}{text} {}; {}",
        code.aside(),
        what_to_do(*code)
    ))
}

/// What to do about an error that ends an idempotent producer.
const fn what_to_do(code: kafka::Code) -> &'static str {
    match code.0 {
        // OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_PRODUCER_ID, and librdkafka's _INCONSISTENT
        45 | 59 | -149 => {
            "the broker does not know what this producer sent before, so that no client could send on without the risk of repeats: \
             where the broker need not keep that, write `idempotence: false`"
        }
        // INVALID_PRODUCER_EPOCH, PRODUCER_FENCED, _FENCED
        47 | 90 | -144 => {
            "the broker takes another producer for a newer one: was its producer state lost or mixed up?"
        }
        // TRANSACTIONAL_ID_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED
        53 | 31 => "give its user the right to IdempotentWrite, or write `idempotence: false`",
        _ => "where the broker has no idempotent producers, write `idempotence: false`",
    }
}
