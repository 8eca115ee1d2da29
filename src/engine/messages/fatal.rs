//! Producers with a fatal error of librdkafka: how their scenario ends, and advice for the user.

use crate::engine::context::outcome::ScenarioOutcome;
use crate::engine::context::run_context::RunContext;
use crate::kafka;
use crate::observe::ScenarioEnd;

/// The fatal error of a producer.
pub(crate) type Fatal = (kafka::Code, String);

/// The end of a scenario after a fatal error. If nothing was acked before, the producer cannot work at all, for example
/// on a broker without InitProducerId.
pub(crate) fn given_up(context: &RunContext, index: usize, (code, text): &Fatal) -> ScenarioOutcome {
    let counts = context.live.metrics(index).snapshot();
    let ended = if counts.acked + counts.unknown == 0 { ScenarioEnd::Failed } else { ScenarioEnd::Fatal };
    let description =
        if text.contains(&code.text()) { String::new() } else { format!("{}: ", code.meaning()) };
    ScenarioOutcome::of(ended).because(format!(
        "its producer stopped after a fatal error: {description}{text} {}; {}",
        code.aside(),
        what_to_do(*code)
    ))
}

/// Advice for an error that ends an idempotent producer.
const fn what_to_do(code: kafka::Code) -> &'static str {
    match code.0 {
        // OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_PRODUCER_ID, and librdkafka's _INCONSISTENT
        45 | 59 | -149 => {
            "the broker does not know what this producer sent before, so continuing would risk duplicates: if the broker is allowed to forget it, set `idempotence: false`"
        }
        // INVALID_PRODUCER_EPOCH, PRODUCER_FENCED, _FENCED
        47 | 90 | -144 => {
            "the broker has fenced this producer: check whether the broker lost or mixed up its producer state"
        }
        // TRANSACTIONAL_ID_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED
        53 | 31 => "grant IdempotentWrite to its user, or set `idempotence: false`",
        _ => "if the broker does not support idempotent producers, set `idempotence: false`",
    }
}
