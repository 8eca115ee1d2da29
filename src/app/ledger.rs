//! Plans `kaf6 verify`: reads a saved ledger and makes a plan with one reader per topic and the original
//! producers.
//!
//! The plan is compiled from a scenario file that kaf6 generates.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use serde_json::{Map, Value, json};

use crate::ledger::{Saved, SavedProducer};
use crate::plan::{self, CheckSettings, Plan};
use crate::report::LEDGER_JSON;
use crate::scenario::environment::secrets::HIDDEN;
use crate::scenario::{Diagnostics, LoadOptions};
use crate::units::Duration;

/// Reads a saved ledger (a file, or the folder of the run that saved it) and plans its verification. The
/// connection settings come from the run's scenario file, which is stored in the ledger. Brokers in `options`
/// override them.
///
/// # Errors
///
/// If it is not a ledger or cannot be verified. The inner error lists problems of the stored scenario file.
pub(super) fn load(
    path: &Path,
    options: &LoadOptions<'_>,
) -> anyhow::Result<Result<(Saved, Plan), Diagnostics>> {
    let folder = path.is_dir();
    let path = if folder { path.join(LEDGER_JSON) } else { path.to_owned() };
    if folder && !path.exists() {
        bail!("{} does not exist: only `kaf6 run --save-ledger` writes it", path.display());
    }
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let saved = Saved::read(&bytes).with_context(|| path.display().to_string())?;
    if saved.brokers.is_empty() && options.brokers.is_none() {
        bail!(
            "{}: cannot verify this run, because its brokers no longer exist (they were embedded, or \
             started by the run)",
            path.display()
        );
    }
    if saved.streams.iter().all(|stream| stream.acked.is_empty() && stream.placeless.is_empty()) {
        bail!("{}: cannot verify this run, because it has no acked messages", path.display());
    }
    let original = PathBuf::from(&saved.source_path);
    // The original brokers and profile may come from the command line, so the file may not define any.
    let then = LoadOptions {
        brokers: options.brokers.clone().or_else(|| Some(saved.brokers.clone())),
        profile: options.profile.clone().or_else(|| saved.profile.clone()),
        connect_only: true,
        ..copy(options)
    };
    let not_saved = || {
        anyhow!(
            "{}: the ledger does not contain the secrets in {}, and that file is missing or has \
            changed; put the secrets into variables",
            path.display(),
            original.display()
        )
    };
    let source = original_text(&original, &saved.source, &then);
    let then = match plan::load_text(&original, source.as_ref().unwrap_or(&saved.source), &then) {
        Ok(plan) => plan,
        // The placeholder of a secret may not be valid YAML.
        Err(_) if source.is_none() && saved.source.contains(HIDDEN) => return Err(not_saved()),
        Err(problems) => return Ok(Err(problems)),
    };
    let password = then.client.security.as_ref().and_then(|security| security.password.as_ref());
    if then.client.properties.values().chain(password).any(|value| value.contains(HIDDEN)) {
        return Err(not_saved());
    }
    let text = serde_json::to_string_pretty(&file(&saved, &then)).context("cannot write the plan")?;
    let own = LoadOptions { profile: None, ..copy(options) };
    match plan::load_text(&path, &text, &own) {
        Ok(mut plan) => {
            name_ledger_alone(&mut plan);
            plan.client = then.client;
            plan.description = plan.description.map(|text| then.secrets.hide(&text).into_owned());
            plan.secrets = then.secrets;
            // No messages are sent, and the original run already evaluated these checks.
            plan.checks.retain(|check| !matches!(check.ask, CheckSettings::AllAcked { .. }));
            Ok(Ok((saved, plan)))
        }
        Err(problems) => Ok(Err(problems.without_places())),
    }
}

/// Positions in the generated file mean nothing in the ledger: replaces them with its start.
fn name_ledger_alone(plan: &mut Plan) {
    let of_checks = plan.checks.iter_mut().map(|check| &mut check.position);
    let of_scenarios = plan.scenarios.iter_mut().map(|scenario| &mut scenario.position);
    let of_topics = plan.topics.iter_mut().filter_map(|topic| topic.position.as_mut());
    for position in of_checks.chain(of_scenarios).chain(of_topics) {
        (position.line, position.column) = (1, 1);
    }
    plan.warnings.iter_mut().for_each(|warning| warning.place = None);
}

/// The text of the scenario file on disk, if it is still the same as the stored one, apart from hidden
/// secrets.
fn original_text(path: &Path, saved: &str, options: &LoadOptions<'_>) -> Option<String> {
    let text = std::fs::read_to_string(path).ok().filter(|_| saved.contains(HIDDEN))?;
    let plan = plan::load_text(path, &text, options).ok()?;
    (plan.secrets.hide(&plan.source.text) == saved).then_some(text)
}

fn copy<'a>(options: &LoadOptions<'a>) -> LoadOptions<'a> {
    LoadOptions {
        env: options.env,
        client: options.client,
        profile: options.profile.clone(),
        brokers: options.brokers.clone(),
        embedded: false,
        connect_only: false,
        folder: options.folder.clone(),
    }
}

/// Generates the scenario file that reads the original messages. Messages with `verify: false` stay excluded.
fn file(saved: &Saved, then: &Plan) -> Value {
    let partitions = |topic| saved.streams.iter().filter(|s| s.topic == topic).map(|s| s.partition + 1).max();
    let written: Vec<&String> = (0..)
        .zip(&saved.topics)
        .filter(|(topic, _)| partitions(*topic).is_some())
        .map(|(_, topic)| &topic.name)
        .collect();
    let mut scenarios = Map::new();
    for (index, SavedProducer { name, acks, verify, .. }) in saved.producers.iter().enumerate() {
        let own: Vec<_> = saved.streams.iter().filter(|s| s.scenario == index).collect();
        // A producer without messages is kept, because later ones are referred to by index.
        let topic = own.first().map_or(0, |s| s.topic);
        let messages: u64 = own.iter().map(|s| s.sent).sum();
        let acks = if *acks < 0 { json!("all") } else { json!(acks) };
        let producer = json!({
            "type": "produce",
            "topic": saved.topics[topic].name,
            "messages": messages.max(1),
            "acks": acks,
            "verify": *verify && !own.is_empty(),
        });
        scenarios.insert(name.clone(), producer);
    }
    for topic in &written {
        let name = if written.len() == 1 { "verify".to_owned() } else { format!("verify-{topic}") };
        let name = if scenarios.contains_key(&name) { format!("{name}-again") } else { name };
        scenarios.insert(name, json!({"type": "consume", "topic": topic, "timeout": "1h"}));
    }
    let topics: Vec<Value> = saved
        .topics
        .iter()
        .enumerate()
        .map(|(index, topic)| json!({"name": topic.name, "partitions": partitions(index).unwrap_or(1)}))
        .collect();
    json!({
        "name": format!("{}-verify", saved.name),
        "description": format!("re-read of run {}", saved.run_id),
        "brokers": saved.brokers,
        "topics": topics,
        "scenarios": scenarios,
        "run": {"unreadable_after": Duration::from(then.unreadable_after).to_string()},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{SAVED_VERSION, SavedKey, SavedPartition, SavedStream, SavedTopic};

    const THEN: &str = "
scenarios:
  write: {type: produce, topic: a, messages: 10}
  forget: {type: produce, topic: a, messages: 10, acks: 0}
  load: {type: produce, topic: b, messages: 10, verify: false}
  late: {type: produce, topic: c, messages: 10, acks: 1}
  read: {type: consume, topic: a, limit: 5}
run: {unreadable_after: 7s}
";

    fn stream(scenario: usize, topic: usize) -> SavedStream {
        SavedStream {
            id: u32::try_from(scenario).unwrap(),
            scenario,
            client: 0,
            topic,
            partition: 0,
            has_uuid: true,
            sent: 10,
            sent_times: Vec::new(),
            overtaken: (0, Vec::new()),
            overtaken_by_leader: (0, Vec::new()),
            roundtrip: false,
            acked: vec![(0, 0, 10)],
            placeless: Vec::new(),
            failed: Vec::new(),
            maybe_out_of_order: Vec::new(),
            maybe_twice: Vec::new(),
            repeats: (0, 0),
            reorders: (0, 0),
            lines_lost: false,
        }
    }

    fn topic(name: &str) -> SavedTopic {
        let (at_start, at_end, markers) = (None, None, Vec::new());
        SavedTopic { name: name.to_owned(), partitions: 1, at_start, at_end, one_log: true, markers }
    }

    fn producer((name, acks): (&str, i8)) -> SavedProducer {
        SavedProducer {
            name: name.to_owned(),
            scenario: 0,
            acks,
            verify: name != "load",
            clients: 1,
            key: SavedKey::None,
            partition: SavedPartition::RoundRobin,
            bytes: 100,
        }
    }

    fn saved() -> Saved {
        Saved {
            ledger_version: SAVED_VERSION,
            run_id: "r".to_owned(),
            name: "n".to_owned(),
            run_tag: 1,
            profile: None,
            brokers: vec!["b:1".to_owned()],
            source_path: "f.yaml".to_owned(),
            source: THEN.to_owned(),
            zero_us: None,
            topics: ["c", "a", "b"].map(topic).into(),
            producers: [("write", -1), ("forget", 0), ("load", -1), ("late", 1)].map(producer).into(),
            // The last producer sent nothing.
            streams: vec![stream(0, 1), stream(1, 1), stream(2, 2)],
        }
    }

    #[test]
    fn a_password_that_is_not_saved_comes_from_the_file_if_that_is_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("f.yaml");
        let security =
            "client: {security: {protocol: sasl_ssl, mechanism: PLAIN, username: me, password: hunter2}}";
        let text = format!("{THEN}{security}\n");
        let saved = Saved {
            source_path: file.display().to_string(),
            source: text.replace("hunter2", "***"),
            ..saved()
        };
        std::fs::write(folder.path().join(LEDGER_JSON), serde_json::to_vec(&saved).unwrap()).unwrap();
        let look = |text: &str| {
            std::fs::write(&file, text).unwrap();
            load(folder.path(), &LoadOptions::new(&|_| None))
        };
        let (_, plan) = look(&text).unwrap().unwrap();
        assert_eq!(plan.client.security.unwrap().password.as_deref(), Some("hunter2"));
        for quotes in ["", "'"] {
            let saved =
                Saved { source: text.replace("hunter2", &format!("{quotes}***{quotes}")), ..saved.clone() };
            std::fs::write(folder.path().join(LEDGER_JSON), serde_json::to_vec(&saved).unwrap()).unwrap();
            let error = look(&text.replace("limit: 5", "limit: 6")).unwrap_err().to_string();
            assert!(error.contains("does not contain the secrets in"), "{error}");
        }
    }

    #[test]
    fn a_saved_ledger_is_read_whole_and_by_its_own_readers_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LEDGER_JSON), serde_json::to_vec(&saved()).unwrap()).unwrap();
        let (_, plan) = load(folder.path(), &LoadOptions::new(&|_| None)).unwrap().unwrap();
        let names: Vec<&str> = plan.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(names, ["write", "forget", "load", "late", "verify-a", "verify-b"]);
        let verified: Vec<bool> = plan.scenarios.iter().map(|scenario| scenario.work.is_verified()).collect();
        assert_eq!(verified, [true, false, false, false, false, false]);
        assert!(plan.checks.iter().all(|check| !matches!(check.ask, CheckSettings::AllAcked { .. })));
        assert_eq!(plan.unreadable_after, std::time::Duration::from_secs(7));
        let places = plan.checks.iter().map(|check| &check.position);
        for place in places.chain(plan.scenarios.iter().map(|scenario| &scenario.position)) {
            assert_eq!((&place.file, place.line, place.column), (&folder.path().join(LEDGER_JSON), 1, 1));
        }
        assert!((0..9).all(|partition| !plan::is_left(&plan, &plan.topics[1].name, partition)));
    }
}
