//! Runs random pairs, several at the same time in this process. The oracle judges each.
//!
//! - `KAF6_TRUTH_SECONDS`: how long to run, instead of 300 pairs.
//! - `KAF6_TRUTH_SEED`: the seed of the pairs.
//! - `KAF6_TRUTH_JOBS`: the number of pairs that run at the same time.
//! - `KAF6_TRUTH_ONLY`: run only pairs that contain these words.
//! - `KAF6_TRUTH_PAIR`: run and print one pair of a seed.
//! - `KAF6_TRUTH_REPLAY`: run one pair from a file.
//! - `KAF6_TRUTH_SHOW`: print the result of each pair.
//! - `KAF6_TRUTH_LOG`: the file for the log of the last pair's broker.
//! - `KAF6_TRUTH_KEEP`: the folder for the state of each pair with a wrong verdict.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kaf6_liar::Behaviour;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::task::JoinSet;

use crate::generate::{self, Pair};
use crate::pair;

/// Pairs of `make test`.
const PAIRS: u64 = 300;
/// Only a pair that hangs takes this long.
const LONGEST: Duration = Duration::from_secs(300);
/// Failures that are shrunk; the others are only counted. With `KAF6_TRUTH_KEEP`, none is.
const SHRUNK: usize = 8;
/// Runs that shrinking one may take.
const STEPS: usize = 60;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn random_pairs() {
    if let Ok(file) = std::env::var("KAF6_TRUTH_REPLAY") {
        return replay(Path::new(&file)).await;
    }
    let seconds = number("KAF6_TRUTH_SECONDS").map(Duration::from_secs);
    let clock = || std::time::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_secs());
    let seed = number("KAF6_TRUTH_SEED").unwrap_or_else(|| if seconds.is_some() { clock() } else { 12 });
    if let Some(only) = number("KAF6_TRUTH_PAIR") {
        let pair = tree(seed, only).current();
        let behaviour = serde_yaml::to_string(&pair.behaviour).unwrap();
        let judged = judged(pair).await;
        eprintln!("{behaviour}\n{}", judged.shown);
        assert!(judged.wrong.is_empty(), "{:#?}", judged.wrong);
        return;
    }
    // Words that a pair has to have in it.
    let only = std::env::var("KAF6_TRUTH_ONLY").unwrap_or_default();
    let only: Vec<String> = only.split_whitespace().map(str::to_owned).collect();
    let jobs = usize::try_from(number("KAF6_TRUTH_JOBS").unwrap_or(12)).unwrap();
    let began = Instant::now();
    eprintln!("truth: seed {seed}");
    let (mut next, mut done, mut statuses) = (0, 0_u64, [0_u64; 3]);
    let mut wrong: Vec<(u64, Vec<String>)> = Vec::new();
    let keep = std::env::var("KAF6_TRUTH_KEEP").map(PathBuf::from).ok();
    let mut running = JoinSet::new();
    loop {
        let more = seconds.map_or(next < PAIRS, |seconds| began.elapsed() < seconds);
        if more && running.len() < jobs {
            let number = next;
            next += 1;
            let pair = tree(seed, number).current();
            if !only.iter().all(|word| format!("{pair:?}").contains(word.as_str())) {
                continue;
            }
            running.spawn(async move { (number, judged(pair).await) });
            continue;
        }
        let Some(ended) = running.join_next().await else { break };
        let (number, judged) = ended.unwrap();
        done += 1;
        statuses[["pass", "fail", "error"].iter().position(|s| *s == judged.status).unwrap_or(2)] += 1;
        if std::env::var("KAF6_TRUTH_SHOW").is_ok() {
            eprintln!("truth: pair {number} ended {}: {}", judged.status, judged.reason);
        }
        if !judged.wrong.is_empty() {
            eprintln!(
                "truth: pair {number}: {} [{} {}]",
                judged.wrong.join("; "),
                judged.status,
                judged.reason
            );
            if let Some(keep) = &keep {
                let text = format!("{:#?}\n{}", judged.wrong, judged.shown);
                fs::write(keep.join(format!("{seed}-{number}.txt")), text).unwrap();
                fs::write(keep.join(format!("{seed}-{number}.json")), &judged.log).unwrap();
            }
            wrong.push((number, judged.wrong));
        }
        if done % 500 == 0 {
            eprintln!("truth: {done} pairs, {} wrong, {:.0?}", wrong.len(), began.elapsed());
        }
    }
    eprintln!(
        "truth: seed {seed}: {done} pairs in {:.1?}: {} pass, {} fail, {} error; {} wrong",
        began.elapsed(),
        statuses[0],
        statuses[1],
        statuses[2],
        wrong.len()
    );
    let mut report = String::new();
    for (number, why) in wrong.iter().take(if keep.is_some() { 0 } else { SHRUNK }) {
        let file = shrink(seed, *number, why).await;
        let _ = writeln!(report, "pair {number}: {}\n  KAF6_TRUTH_REPLAY={}", why.join("; "), file.display());
    }
    assert!(wrong.is_empty(), "{} of {done} pairs (seed {seed}):\n{report}", wrong.len());
}

struct Judged {
    status: String,
    reason: String,
    wrong: Vec<String>,
    shown: String,
    /// The broker's log.
    log: String,
}

/// Runs a pair, in a task of its own so that a panic of kaf6 is a finding.
async fn judged(pair: Pair) -> Judged {
    let text = pair.file.clone();
    let task = tokio::spawn(async move {
        let done = pair::run_unjudged(&pair.file, pair.behaviour).await;
        let reason = done.summary["reason"].to_string();
        let log = serde_json::to_string(&done.log).unwrap();
        if let Ok(file) = std::env::var("KAF6_TRUTH_LOG") {
            fs::write(file, &log).unwrap();
        }
        Judged { status: done.status().to_owned(), reason, wrong: done.wrong(), shown: done.shown(), log }
    });
    let failed = |why: String| Judged {
        status: String::new(),
        reason: String::new(),
        wrong: vec![why],
        shown: text.clone(),
        log: String::new(),
    };
    match tokio::time::timeout(LONGEST, task).await {
        Ok(Ok(judged)) => judged,
        Ok(Err(error)) => {
            let panic = error.into_panic();
            let text = panic.downcast_ref::<String>().map(String::as_str);
            failed(format!("panicked: {}", text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("?")))
        }
        Err(_) => failed(format!("it took more than {LONGEST:?}")),
    }
}

/// The pair of this number.
fn tree(seed: u64, number: u64) -> impl ValueTree<Value = Pair> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    generate::pair().new_tree(&mut runner).unwrap()
}

/// Makes a pair smaller as long as it is wrong in the same way, and writes it down.
async fn shrink(seed: u64, number: u64, why: &[String]) -> PathBuf {
    let mut tree = tree(seed, number);
    let mut smallest = (tree.current(), why.to_vec(), String::new());
    let mut steps = 0;
    let kind = |wrong: &[String]| {
        wrong.first().map(|text| text.chars().filter(|c| c.is_alphabetic()).take(12).collect::<String>())
    };
    let mut go_on = tree.simplify();
    while go_on && steps < STEPS {
        steps += 1;
        let judged = judged(tree.current()).await;
        if !judged.wrong.is_empty() && kind(&judged.wrong) == kind(why) {
            smallest = (tree.current(), judged.wrong, judged.shown);
            go_on = tree.simplify();
        } else {
            go_on = tree.complicate();
        }
    }
    let (pair, wrong, shown) = smallest;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("truth");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{seed}-{number}.yaml"));
    let mut text = String::new();
    for line in wrong.iter().flat_map(|wrong| wrong.lines()).chain(shown.lines()) {
        let _ = writeln!(text, "# {line}");
    }
    let saved = Saved { file: pair.file, behaviour: pair.behaviour };
    text.push_str(&serde_yaml::to_string(&saved).unwrap());
    fs::write(&file, text).unwrap();
    file
}

/// What is written of a pair.
#[derive(serde::Serialize, serde::Deserialize)]
struct Saved {
    file: String,
    behaviour: Behaviour,
}

async fn replay(file: &Path) {
    let saved: Saved = serde_yaml::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let judged = judged(Pair { file: saved.file, behaviour: saved.behaviour }).await;
    assert!(judged.wrong.is_empty(), "{:#?}\n{}", judged.wrong, judged.shown);
}
