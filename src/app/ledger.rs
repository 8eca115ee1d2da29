//! A saved ledger and the plan that judges it again: one reader for each topic, and the producers of then.
//!
//! The plan is made as any other: from a scenario file, here one that kaf6 writes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};

use crate::ledger::Saved;
use crate::plan::{self, Plan};
use crate::report::LEDGER_JSON;
use crate::scenario::{self, Diagnostics, LoadOptions};

/// Reads a saved ledger (a file, or the folder of the run that saved it) and plans its judging. How to connect comes from
/// the scenario file that it was made with, as kept in it; brokers given in `options` win over those of then.
///
/// # Errors
/// Where it is no ledger or cannot be judged; inside, what is wrong with the scenario file it was made with.
pub(super) fn load(
    path: &Path,
    options: &LoadOptions<'_>,
) -> anyhow::Result<Result<(Saved, Plan), Diagnostics>> {
    let path = if path.is_dir() { path.join(LEDGER_JSON) } else { path.to_owned() };
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let saved = Saved::read(&bytes).with_context(|| path.display().to_string())?;
    if saved.brokers.is_empty() && options.brokers.is_none() {
        bail!(
            "{}: its run used the embedded broker or started its brokers itself, and they ended with it",
            path.display()
        );
    }
    if saved.streams.iter().all(|stream| stream.acked.is_empty() && stream.placeless.is_empty()) {
        bail!("{}: nothing was acked in its run, so there is nothing to look for", path.display());
    }
    let original = PathBuf::from(&saved.source_path);
    // Brokers and profile of then may have been given beside the file, so the file need not name any.
    let then = LoadOptions {
        brokers: options.brokers.clone().or_else(|| Some(saved.brokers.clone())),
        profile: options.profile.clone().or_else(|| saved.profile.clone()),
        connect_only: true,
        ..copy(options)
    };
    let (client, secrets) = match scenario::load_text(&original, &saved.source, &then) {
        Ok(scenario) => (scenario.client, scenario.secrets),
        Err(problems) => return Ok(Err(problems)),
    };
    let text = serde_json::to_string_pretty(&file(&saved)).context("cannot write the plan")?;
    let own = LoadOptions { profile: None, ..copy(options) };
    match scenario::load_text(&path.with_extension("verify.json"), &text, &own) {
        Ok(mut scenario) => {
            scenario.client = client;
            scenario.secrets = secrets;
            Ok(Ok((saved, plan::build(&scenario))))
        }
        Err(problems) => Ok(Err(problems)),
    }
}

fn copy<'a>(options: &LoadOptions<'a>) -> LoadOptions<'a> {
    LoadOptions {
        env: options.env,
        profile: options.profile.clone(),
        brokers: options.brokers.clone(),
        embedded: false,
        connect_only: false,
        folder: options.folder.clone(),
    }
}

/// The scenario file that reads what was written then.
fn file(saved: &Saved) -> Value {
    let partitions = |topic| saved.streams.iter().filter(|s| s.topic == topic).map(|s| s.partition + 1).max();
    let written: Vec<(usize, &String)> =
        saved.topics.iter().enumerate().filter(|(topic, _)| partitions(*topic).is_some()).collect();
    let mut scenarios = Map::new();
    for (index, name) in saved.producers.iter().enumerate() {
        let own: Vec<_> = saved.streams.iter().filter(|s| s.scenario == index).collect();
        // One that sent nothing is kept for its number alone.
        let topic = own.first().map_or(0, |s| s.topic);
        let messages: u64 = own.iter().map(|s| s.sent).sum();
        let verify = !saved.excluded.contains(name);
        let producer = json!({
            "type": "produce", "topic": saved.topics[topic], "messages": messages.max(1), "verify": verify,
        });
        scenarios.insert(name.clone(), producer);
    }
    for (_, topic) in &written {
        let name = if written.len() == 1 { "verify".to_owned() } else { format!("verify-{topic}") };
        let name = if scenarios.contains_key(&name) { format!("{name}-again") } else { name };
        scenarios.insert(name, json!({"type": "consume", "topic": topic, "timeout": "1h"}));
    }
    let topics: Vec<Value> = saved
        .topics
        .iter()
        .enumerate()
        .map(|(index, name)| json!({"name": name, "partitions": partitions(index).unwrap_or(1)}))
        .collect();
    json!({
        "name": format!("{}-verify", saved.name),
        "description": format!("what run {} wrote, read again", saved.run_id),
        "brokers": saved.brokers,
        "topics": topics,
        "scenarios": scenarios,
    })
}
