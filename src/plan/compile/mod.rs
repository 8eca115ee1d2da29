//! Compiles a scenario file into its plan. Checks how fields fit together and reports each problem with its
//! position.
//!
//! Runs the steps in order. Each step checks one part of the file, applies its defaults and records them. A
//! part that failed schema validation is skipped, together with everything that depends on it.

mod checks;
pub(super) mod client;
mod cluster;
pub(super) mod context;
pub(super) mod defaults_recorder;
mod faults;
mod readback;
mod references;
pub(super) mod scenario_table;
pub(super) mod section;
pub(super) mod start;
mod target;
mod timeouts;
pub(super) mod topics;

use std::path::Path;
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::scenarios::{self, OtherScenarios};
use super::{
    CheckPlan, ClientSettings, DefaultTaken, Plan, ScenarioPlan, Source, Target, TopicPlan, Work, defaults,
};
use crate::scenario::environment::options::LoadOptions;
use crate::scenario::format;
use crate::scenario::format::schema_check::Findings;
use crate::scenario::source::node::Document;
use crate::scenario::{self, Diagnostic, Diagnostics, ScenarioFile};
use crate::units;
use client::ProfileSettings;
use cluster::Known;
use context::Context;
use defaults_recorder::DefaultsRecorder;
use faults::KnownFaults;
use scenario_table::ScenarioEntry;
use section::Parts;
use timeouts::Timeouts;
use topics::Topics;

pub use checks::settings::{AllowedShares, CheckSettings, FaultPart};
pub use faults::{ActionPlan, FaultPlan};

/// Loads a scenario file and compiles it.
///
/// # Errors
///
/// All problems of the file.
pub fn load(path: &Path, options: &LoadOptions<'_>) -> Result<Plan, Diagnostics> {
    compile(scenario::load(path, options)?, options)
}

/// Compiles a scenario file from its text. `path` is used in messages and to find profiles.
///
/// # Errors
///
/// All problems of the file.
pub fn load_text(path: &Path, text: &str, options: &LoadOptions<'_>) -> Result<Plan, Diagnostics> {
    compile(scenario::load_text(path, text, options)?, options)
}

/// Compiles a loaded file into its plan.
///
/// # Errors
///
/// All problems of the file.
pub fn compile(file: ScenarioFile, options: &LoadOptions<'_>) -> Result<Plan, Diagnostics> {
    let ScenarioFile { document, findings, profile, secrets, mut problems, mut warnings } = file;
    let profile_name = profile.name.clone();
    let (profile, of_profile) = client::profile(profile, options);
    problems.extend(of_profile);
    let mut cx = Context::new(&document);
    let checked = check(&mut cx, &findings, profile, options);
    problems.append(&mut cx.problems);
    if !problems.is_empty() || !findings.broken.is_empty() || findings.cut {
        problems.iter_mut().for_each(|problem| problem.hide(&secrets));
        return Err(Diagnostics::new(problems));
    }
    warnings.append(&mut cx.warnings);
    let mut plan = checked.finish(&document, &mut warnings);
    warnings.iter_mut().for_each(|warning| warning.hide(&secrets));
    plan.warnings = Diagnostics::new(warnings).problems().to_vec();
    plan.profile = profile_name;
    plan.description = plan.description.map(|text| secrets.hide(&text).into_owned());
    plan.secrets = secrets;
    Ok(plan)
}

/// The compiled parts of a file. Later steps combine them.
struct CompiledParts {
    name: Option<String>,
    description: Option<String>,
    target: Target,
    client: ClientSettings,
    topics: Topics,
    scenarios: IndexMap<String, ScenarioEntry>,
    cluster: Known,
    faults: KnownFaults,
    checks: Vec<CheckPlan>,
    run: RunSettings,
}

/// `run`, as written.
struct RunSettings {
    timeout: Option<Duration>,
    seed: Option<u64>,
    audit: Option<bool>,
    unreadable_after: Option<Duration>,
}

fn check(
    cx: &mut Context<'_>,
    findings: &Findings,
    profile: ProfileSettings,
    options: &LoadOptions<'_>,
) -> CompiledParts {
    let json = cx.document.root.to_json();
    let parts = Parts::new(&json, findings);
    cx.no_secret("/name", "the run's name");
    cx.no_secret("/profile", "a profile's name");
    let mut known = cluster::read(cx, &parts);
    cluster::references::services(cx, &mut known);
    let topics = topics::declared(cx, &parts);
    let scenarios = scenarios::compile_scenarios(
        cx,
        &parts,
        &OtherScenarios { topics: &topics, profile: &profile, options },
    );
    let faults = faults::compile_faults(cx, &parts, &known, &scenarios);
    references::orders(cx, &scenarios, &faults);
    let run = run(cx, &parts);
    let checks = checks::compile_checks(cx, &parts, &scenarios, &faults, run.audit != Some(false));

    let file_brokers: Option<format::Brokers> = parts.get("/brokers", cx);
    let file_target = file_brokers.and_then(|brokers| client::target(cx, "/brokers", &brokers));
    let written = file_target.clone();
    let target = target::target(cx, &parts, &scenarios, &known, file_target, &profile, options);
    // A profile's brokers matter only if they are used.
    let taken =
        profile.target.as_ref().filter(|theirs| **theirs == target && written.as_ref() != Some(*theirs));
    cluster::references::outside(cx, &known, &scenarios, &faults, written.as_ref(), taken);
    let file_client: format::ClientFields = parts.get("/client", cx).unwrap_or_default();
    let before = cx.problems.len();
    let file_client = client::settings(cx, "/client", &file_client, options);
    let client = client::merge(profile.client, file_client);
    if cx.problems.len() == before && !profile.failed && target != Target::Embedded {
        client::together(cx, &client, options);
    }
    let text_at = |pointer: &str| json.pointer(pointer).and_then(Json::as_str).map(str::to_owned);
    CompiledParts {
        name: text_at("/name").filter(|name| !name.trim().is_empty()),
        description: text_at("/description"),
        client: if target == Target::Embedded { client::for_embedded(client) } else { client },
        target,
        topics,
        scenarios,
        cluster: known,
        faults,
        checks,
        run,
    }
}

fn run(cx: &mut Context<'_>, parts: &Parts<'_>) -> RunSettings {
    let raw: format::RunFields = parts.get("/run", cx).unwrap_or_default();
    RunSettings {
        timeout: cx.positive("/run/timeout", raw.timeout.as_ref()).map(units::Duration::std),
        seed: raw.seed,
        audit: match raw.audit {
            Some(format::Audit::Fixed(audit)) => Some(audit),
            Some(format::Audit::Word(format::Auto::Auto)) | None => None,
        },
        unreadable_after: cx
            .positive("/run/unreadable_after", raw.unreadable_after.as_ref())
            .map(units::Duration::std),
    }
}

impl CompiledParts {
    /// Combines the parts of a valid file into the plan, and adds the last warnings.
    fn finish(self, document: &Document, warnings: &mut Vec<Diagnostic>) -> Plan {
        let mut taken = Vec::new();
        let name = self.name.unwrap_or_else(|| {
            let mut file = DefaultsRecorder::below("");
            let stem = document.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            file.note("name", &stem);
            taken.extend(file.into_taken());
            stem
        });
        let (mut scenarios, mut rest) = (Vec::new(), Vec::new());
        for slot in self.scenarios.into_values() {
            let ScenarioEntry::Good(scenario) = slot else { continue };
            scenarios.push(scenario.plan);
            rest.push((scenario.timeout, scenario.defaults));
        }
        let topics = self.topics.with_named(
            scenarios.iter().filter_map(|it| Some((it.work.topic()?, it.work.fixed_partition()))),
        );
        taken.extend(self.topics.defaults);
        set_topics(&mut scenarios, &topics);
        let (mut faults, mut of_faults) = (Vec::new(), Vec::new());
        for fault in self.faults.into_values() {
            faults.extend(fault.plan);
            of_faults.extend(fault.defaults.into_taken());
        }
        if self.run.audit != Some(false) {
            scenarios.extend(readback::of(&scenarios, &faults, &topics));
        }
        let (cluster, of_cluster) = self.cluster.into_cluster(faults::links(&faults));
        let unreadable_after = self.run.unreadable_after.unwrap_or(defaults::UNREADABLE_AFTER);
        let written = rest.iter().map(|(timeout, _)| *timeout).chain(std::iter::repeat(None));
        let timeouts =
            Timeouts::of(scenarios.iter().zip(written), cluster.as_ref(), &faults, unreadable_after);
        warnings
            .extend(self.run.timeout.and_then(|timeout| too_short(document, timeout, &scenarios, &timeouts)));
        let run_timeout = self.run.timeout.unwrap_or_else(|| timeouts.of_run());
        let of_scenarios: Vec<Duration> = scenarios.iter().map(|it| timeouts.timeout(&it.name)).collect();
        let fault_timeouts: Vec<Duration> = faults.iter().map(|it| timeouts.timeout(&it.name)).collect();
        for (scenario, timeout) in scenarios.iter_mut().zip(of_scenarios) {
            scenario.timeout = timeout;
        }
        for (fault, timeout) in faults.iter_mut().zip(fault_timeouts) {
            fault.timeout = timeout;
        }
        for (scenario, (timeout, mut defaults)) in scenarios.iter().zip(rest) {
            if timeout.is_none() {
                defaults.note("timeout", units::Duration::from(scenario.timeout));
            }
            taken.extend(defaults.into_taken());
        }
        taken.extend(of_cluster);
        taken.extend(of_faults);
        taken.extend(self.run.defaults(run_timeout));
        let mut checks = self.checks;
        checks::implicit::add(&mut checks, &scenarios);
        Plan {
            name,
            description: self.description,
            profile: None,
            source: Source { path: document.path.clone(), text: document.text.clone() },
            target: self.target,
            client: self.client,
            topics,
            scenarios,
            cluster,
            faults,
            checks,
            timeout: run_timeout,
            seed: self.run.seed.unwrap_or(defaults::SEED),
            audit: self.run.audit,
            unreadable_after,
            defaults: taken,
            warnings: Vec::new(),
            secrets: scenario::Secrets::default(),
        }
    }
}

impl RunSettings {
    /// All defaults that the file uses.
    fn defaults(&self, timeout: Duration) -> Vec<DefaultTaken> {
        let mut taken = DefaultsRecorder::below("run");
        if self.timeout.is_none() {
            taken.note("timeout", units::Duration::from(timeout));
        }
        if self.seed.is_none() {
            taken.note("seed", defaults::SEED);
        }
        if self.audit.is_none() {
            taken.note("audit", defaults::AUDIT);
        }
        if self.unreadable_after.is_none() {
            taken.note("unreadable_after", units::Duration::from(defaults::UNREADABLE_AFTER));
        }
        taken.into_taken()
    }
}

/// Gives all topics to the scenarios that request metadata of all topics.
fn set_topics(scenarios: &mut [ScenarioPlan], topics: &[TopicPlan]) {
    for of_all in scenarios.iter_mut().filter_map(|scenario| scenario.work.topics_of_file()) {
        *of_all = topics.iter().map(|topic| topic.name.clone()).collect();
    }
}

/// Warns if the file's `run.timeout` is too short to read back all messages.
fn too_short(
    document: &Document,
    timeout: Duration,
    scenarios: &[ScenarioPlan],
    timeouts: &Timeouts<'_>,
) -> Option<Diagnostic> {
    let readers = scenarios
        .iter()
        .filter(|it| matches!(&it.work, Work::Consume(consume) if !consume.producers.is_empty()));
    let needed = readers.map(|reader| timeouts.end_of(&reader.name)).max().unwrap_or_default();
    (timeout < needed).then(|| {
        let needed_text = units::Duration::from(needed);
        let message = format!(
            "the run may end too early: reading back the messages may take until \
            {needed_text}"
        );
        let enough = units::Duration::from(needed.saturating_add(defaults::GRACE));
        let hint = Some(format!("set `timeout: {enough}` or more, or remove it"));
        document.problem(document.place("/run/timeout"), message, hint)
    })
}
