//! `exec`: runs a command in containers.
//!
//! Its proof is the exit code and the last lines of the output.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;

use super::injection::Injection;
use super::shown::{ContainerProof, over, proof};
use crate::docker::api::container;
use crate::docker::api::container::last_words;
use crate::docker::cluster::options::FaultOutcome;
use crate::docker::cluster::spec;
use crate::docker::cluster::state::Replica;
use crate::scenario::template::service_template::ServiceTemplate;

/// Lines of its output that the proof contains.
const LINES: usize = 3;

/// Runs a command in each of some containers.
pub(super) async fn run(
    Injection { shared, fault, cancel }: Injection<'_>,
    units: Vec<Arc<Replica>>,
    command: &[ServiceTemplate],
) -> FaultOutcome {
    let began = Instant::now();
    let shown = join_all(units.into_iter().map(|unit| async move {
        let words: Vec<String> = match shared.plan.service(&unit.service) {
            Some(service) => {
                command.iter().map(|text| spec::resolve(shared, service, unit.replica, text)).collect()
            }
            None => command.iter().map(|text| spec::resolve_attached(shared, unit.replica, text)).collect(),
        };
        let Some(id) = unit.id() else {
            return ContainerProof { unit, effective: false, words: "it has no container".to_owned() };
        };
        let mut output = Vec::new();
        let ran = cancel.run_until_cancelled(container::exec(&shared.daemon, &id, words, &mut output));
        let ran = tokio::time::timeout(fault.timeout, ran).await;
        let said = |lines: &[String]| {
            let said = last_words(lines, LINES);
            if said.is_empty() { "no output".to_owned() } else { said }
        };
        let (effective, words) = match ran {
            Ok(Some(Ok(ran))) => (ran.code == 0, format!("exit {} ({})", ran.code, said(&ran.lines))),
            Ok(Some(Err(reason))) => (false, format!("it did not run: {reason}")),
            Ok(None) => (false, "interrupted before it ended".to_owned()),
            Err(_) => {
                let said = said(&container::lines(&output));
                (false, format!("it did not end within {:?} ({said})", fault.timeout))
            }
        };
        ContainerProof { unit, effective, words }
    }))
    .await;
    over(began, proof(&shown))
}
