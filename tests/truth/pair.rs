//! One run of kaf6, as a library, against one broker with a given behavior.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kaf6::app::{self, Overrides};
use kaf6::engine::{self, Options, RunProgress, Stop};
use kaf6::ids::RunTag;
use kaf6::kafka::Waits;
use kaf6::ledger::Saved;
use kaf6::record::RunRecord;
use kaf6::scenario::LoadOptions;
use kaf6::{plan, report};
use kaf6_liar::{Behaviour, Liar, Log};
use serde_json::Value;

/// What came of it.
pub(crate) struct Done {
    pub(crate) text: String,
    pub(crate) summary: Value,
    pub(crate) log: Log,
}

/// Runs a scenario file against a broker; `BROKERS` in the file stands for its addresses.
pub(crate) async fn run(file: &str, behaviour: Behaviour) -> Done {
    let done = run_unjudged(file, behaviour).await;
    let wrong = done.wrong();
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", done.shown());
    done
}

/// Runs two files one after the other against one broker, each judged by what happened during its run.
pub(crate) async fn run_both(first: &str, second: &str, behaviour: Behaviour) -> [Done; 2] {
    let liar = Liar::start(behaviour);
    let first = against(&liar, first).await;
    let second = against(&liar, second).await;
    for done in [&first, &second] {
        let wrong = done.wrong();
        assert!(wrong.is_empty(), "{wrong:#?}\n{}", done.shown());
    }
    [first, second]
}

/// One run without the oracle.
pub(crate) async fn run_unjudged(file: &str, behaviour: Behaviour) -> Done {
    against(&Liar::start(behaviour), file).await
}

/// The same with a broker that never gets ready, which kaf6 gives up after some seconds.
pub(crate) async fn run_unready(file: &str, behaviour: Behaviour) -> Done {
    let s = Duration::from_secs;
    let waits = Waits { setup: s(8), setup_cause: s(8), ..waits() };
    saving(&Liar::start(behaviour), file, waits).await.0
}

/// Short pauses. Timeouts only end what hangs: the broker is in this process, which other tests and builds may slow down.
fn waits() -> Waits {
    let s = Duration::from_secs;
    Waits {
        setup: s(60),
        setup_cause: s(20),
        open: s(20),
        answer: s(5),
        marker: s(5),
        marker_after_fault: s(10),
        marker_ack: s(2),
        marker_open: s(3),
        reopen: s(3),
        ends: s(5),
        recheck: s(5),
        audit: s(20),
        warm_up: s(3),
        ..Waits::short()
    }
}

/// Runs a file and saves its ledger, then these other files, and then verifies the ledger, which may be changed before. The oracle
/// knows nothing of a run that others follow.
pub(crate) async fn run_and_verify(
    file: &str,
    others: &[&str],
    behaviour: Behaviour,
    change: impl FnOnce(&mut Saved),
) -> [Done; 2] {
    let liar = Liar::start(behaviour);
    let (first, saved) = saving(&liar, file, waits()).await;
    for other in others {
        against(&liar, other).await;
    }
    let mut saved = saved.unwrap();
    change(&mut saved);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ledger.json"), serde_json::to_vec(&saved).unwrap()).unwrap();
    let (saved, plan) = app::load_ledger(folder.path(), &Overrides::default()).unwrap().unwrap();
    let began = liar.now_us();
    let (summary, _) = run_plan(plan, Some(saved), false, waits()).await;
    [first, Done { log: liar.log().since(began), text: file.to_owned(), summary }]
}

async fn against(liar: &Liar, file: &str) -> Done {
    saving(liar, file, waits()).await.0
}

async fn saving(liar: &Liar, file: &str, waits: Waits) -> (Done, Option<Saved>) {
    let began = liar.now_us();
    let addresses: Vec<String> = liar.addresses().iter().map(|address| format!("\"{address}\"")).collect();
    let text = file.replace("BROKERS", &format!("[{}]", addresses.join(", ")));
    let (summary, saved) = run_plan(plan_of(&text), None, true, waits).await;
    (Done { log: liar.log().since(began), text, summary }, saved)
}

fn plan_of(text: &str) -> plan::Plan {
    let options = LoadOptions::new(&|_| None);
    plan::load_text(Path::new("truth.yaml"), text, &options)
        .unwrap_or_else(|problems| panic!("{text}\n{problems}"))
}

async fn run_plan(
    plan: plan::Plan,
    saved: Option<Saved>,
    save_ledger: bool,
    waits: Waits,
) -> (Value, Option<Saved>) {
    let plan = Arc::new(plan);
    let live = Arc::new(RunProgress::new(&plan));
    let run_tag = saved.as_ref().map_or_else(RunTag::random, Saved::run_tag);
    let options = Options {
        run_id: "truth".to_owned(),
        run_tag,
        folder: PathBuf::from("truth"),
        stop: Stop::new(),
        save_ledger,
        saved,
        waits,
    };
    let mut seen = engine::run(Arc::clone(&plan), options, live).await;
    let saved = seen.saved.take();
    let record =
        RunRecord::new("truth".to_owned(), run_tag, "2026-01-01T00:00:00.000Z".to_owned(), plan, seen);
    (serde_json::to_value(report::summarize(&record)).unwrap(), saved)
}

impl Done {
    pub(crate) fn status(&self) -> &str {
        self.summary["status"].as_str().unwrap_or_default()
    }

    pub(crate) fn anomaly(&self, name: &str) -> u64 {
        self.summary["anomalies"][name]["count"].as_u64().unwrap_or(0)
    }

    /// What the oracle has to say against the summary.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let log = serde_json::to_string(&self.log).unwrap();
        kaf6_oracle::judge(&log, &self.text, &self.summary.to_string()).unwrap()
    }

    pub(crate) fn check(&self, name: &str) -> &str {
        self.summary["checks"][name].as_str().unwrap_or("absent")
    }

    /// A class of the run's account.
    pub(crate) fn account(&self, class: &str) -> u64 {
        self.summary["accounts"]["total"][class].as_u64().unwrap_or(0)
    }

    /// Its count of an anomaly is null: it was not measured.
    pub(crate) fn is_unmeasured(&self, name: &str) -> bool {
        self.summary["anomalies"][name]["count"].is_null()
    }

    /// Some note says this.
    pub(crate) fn notes(&self, what: &str) -> bool {
        let notes = self.summary["notes"].as_array().into_iter().flatten();
        notes.filter_map(|note| note["text"].as_str()).any(|note| note.contains(what))
    }

    /// Messages that came to the broker, without repeats of a batch.
    pub(crate) fn of_batches(&self, with: &str) -> u64 {
        let batches = self.log.produced.iter().filter(|batch| batch.did.contains(&with));
        batches.map(|batch| batch.records.len() as u64).sum()
    }

    pub(crate) fn shown(&self) -> String {
        let notes: Vec<&str> = self.summary["notes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|note| note["text"].as_str())
            .collect();
        let anomalies = self.summary["anomalies"].as_object().into_iter().flatten();
        let anomalies: Vec<String> = anomalies
            .filter(|(_, row)| {
                row["count"].as_u64().unwrap_or(0) + row["explained"].as_u64().unwrap_or(0) > 0
            })
            .map(|(name, row)| {
                let details = row["evidence"].as_array().into_iter().flatten().take(3);
                let details: Vec<String> =
                    details.map(|one| format!("{} {}", one["offset"], one["detail"])).collect();
                format!("{} {name} ({} explained): {details:#?}", row["count"], row["explained"])
            })
            .collect();
        let anomalies = anomalies.join("\n");
        let odd = self.log.produced.iter().filter(|batch| {
            batch.code != Some(0) || batch.base_offset < 0 || !batch.did.is_empty() || batch.marker
        });
        let odd: Vec<String> = odd
            .take(40)
            .map(|batch| {
                format!(
                    "{} us {}/{} sequence {} of {}: {} records, stored {:?}, answered {:?} at {:?} with {:?}, by {:?}{}",
                    batch.at_us,
                    batch.topic,
                    batch.partition,
                    batch.base_sequence,
                    batch.producer_id,
                    batch.records.len(),
                    batch.stored,
                    batch.code,
                    batch.answered_us,
                    batch.base_offset,
                    batch.did,
                    if batch.marker { ", end marker" } else { "" }
                )
            })
            .collect();
        format!(
            "{}\nstatus: {} ({})\nanomalies: {anomalies}\nchecks: {:#}\naccounts: {:#}\nscenarios: {:#}\nnotes: {notes:#?}\nodd batches: {odd:#?}\nfired: {:?}\nrequests: {:?}",
            self.text,
            self.status(),
            self.summary["reason"],
            self.summary["checks"],
            self.summary["accounts"]["total"],
            self.summary["scenarios"],
            self.log
                .fired
                .iter()
                .map(|fired| (fired.at_us, fired.action, fired.partition))
                .collect::<Vec<_>>(),
            self.log.requests,
        )
    }
}
