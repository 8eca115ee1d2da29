//! `kaf6 clean`: removes leftovers of runs whose process no longer exists, or that have expired.
//!
//! Decides which owners are dead. Never touches active runs, or anything without a label of kaf6.

use std::collections::{BTreeMap, HashMap};

use super::labels::{self, Life, RunOwner};
use super::remove::{self, LabelledThings, marked, short};
use crate::docker::DockerError;
use crate::docker::api::container;
use crate::docker::api::daemon::{Daemon, refused};
use crate::docker::cluster::attach::name_of;

/// What to clean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CleanOptions {
    /// Only this run; `None` for all runs that are dead or expired.
    pub run: Option<String>,
    /// With `run`: also if its owner is alive.
    pub force: bool,
    /// Only report what would be removed.
    pub dry_run: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// What was removed or healed (with `dry_run`: would be), one sentence each.
    pub done: Vec<String>,
    /// What was kept and the reason, one sentence for each run.
    pub kept: Vec<String>,
    /// What could not be removed or healed, one sentence each.
    pub failed: Vec<String>,
}

/// A run's id and its owner, because two kaf6 processes may use the same run id.
type Whose = (String, Option<String>);

/// The leftovers of one run of one owner.
#[derive(Debug, Default)]
struct Left {
    expires: Option<String>,
    things: Vec<String>,
}

/// Removes leftovers of runs, on the Docker Engine in `DOCKER_HOST`.
///
/// # Errors
///
/// Docker does not answer.
pub async fn clean(options: &CleanOptions) -> Result<Cleaned, DockerError> {
    sweep(&Daemon::connect().await?, options).await
}

/// Like [`clean`], on the Docker Engine in this value of `DOCKER_HOST`.
///
/// # Errors
///
/// Docker does not answer.
pub async fn clean_at(docker_host: &str, options: &CleanOptions) -> Result<Cleaned, DockerError> {
    sweep(&Daemon::connect_to(Some(docker_host)).await?, options).await
}

async fn sweep(daemon: &Daemon, options: &CleanOptions) -> Result<Cleaned, DockerError> {
    let mut cleaned = Cleaned::default();
    for ((run_id, owner), left) in list_leftovers(daemon, options.run.as_deref()).await? {
        let life = life(daemon, owner.as_deref()).await;
        let over = labels::is_over(left.expires.as_ref());
        if let Some(why) = keep(life, over, options) {
            cleaned.kept.push(format!("run {run_id}: {why}"));
        } else if options.dry_run {
            cleaned.done.extend(left.things);
        } else {
            let removed = remove::run(daemon, (&run_id, owner.as_deref())).await;
            cleaned.done.extend(removed.done);
            cleaned.failed.extend(removed.failed);
        }
    }
    Ok(cleaned)
}

/// Why a run is kept; `None` if it may be removed.
fn keep(life: Life, over: bool, options: &CleanOptions) -> Option<&'static str> {
    match (life, options.run.is_some(), options.force) {
        (_, true, true) | (Life::Dead, ..) | (Life::Unknown, true, _) => None,
        (Life::Alive, true, _) => Some("its kaf6 process is still active; use --force to remove it anyway"),
        (Life::Alive, false, _) => Some("its kaf6 process is still active"),
        (Life::Unknown, false, _) if over => None,
        (Life::Unknown, false, _) => Some(
            "kaf6 cannot tell from here whether the run is still active, and its time limit has \
            not passed; to remove it, use kaf6 clean --run with its id",
        ),
    }
}

/// Ensures that a run's id is unused: removes leftovers of a dead run with this id.
pub(crate) async fn make_way(daemon: &Daemon, run_id: &str) -> Result<(), DockerError> {
    for (_, owner) in list_leftovers(daemon, Some(run_id)).await?.into_keys() {
        let what = match life(daemon, owner.as_deref()).await {
            Life::Dead => {
                let failed = remove::run(daemon, (run_id, owner.as_deref())).await.failed;
                if failed.is_empty() {
                    continue;
                }
                failed.join("; ")
            }
            Life::Alive => "another kaf6 has containers with this id".to_owned(),
            Life::Unknown => {
                "there are containers with this id, and kaf6 cannot tell from here whether their \
                run is still active"
                    .to_owned()
            }
        };
        return Err(DockerError::RunIdTaken { run_id: run_id.to_owned(), what });
    }
    Ok(())
}

/// The leftovers of all runs, or of the requested one.
async fn list_leftovers(daemon: &Daemon, run_id: Option<&str>) -> Result<BTreeMap<Whose, Left>, DockerError> {
    let labelled = remove::list(daemon, run_id).await;
    Ok(by_run(labelled.map_err(refused("list the leftovers of other runs"))?))
}

fn by_run(labelled: LabelledThings) -> BTreeMap<Whose, Left> {
    let mut runs: BTreeMap<Whose, Left> = BTreeMap::new();
    let mut add = |found: &HashMap<String, String>, thing: String| {
        let Some(run_id) = found.get(labels::RUN) else { return };
        let left = runs.entry((run_id.clone(), found.get(labels::OWNER).cloned())).or_default();
        left.expires = left.expires.take().or_else(|| found.get(labels::EXPIRES).cloned());
        left.things.push(thing);
    };
    for volume in &labelled.volumes {
        if let Some((id, heal)) = marked(volume) {
            add(&volume.labels, format!("container {} restored ({heal})", short(id)));
        }
    }
    for container in labelled.containers {
        let name = name_of(&container);
        add(&container.labels.unwrap_or_default(), format!("container {name}"));
    }
    for network in labelled.networks {
        let name = network.name.unwrap_or_default();
        add(&network.labels.unwrap_or_default(), format!("network {name}"));
    }
    for volume in labelled.volumes {
        add(&volume.labels, format!("volume {}", volume.name));
    }
    runs
}

async fn life(daemon: &Daemon, owner: Option<&str>) -> Life {
    let Some(owner) = owner.map(RunOwner::parse) else { return Life::Unknown };
    let runs = match owner.container() {
        Some(id) => match container::inspect(daemon, id).await {
            Ok(found) => found.is_some_and(|now| now.running),
            // An owner whose state is unknown counts as alive.
            Err(_) => true,
        },
        None => true,
    };
    owner.life(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_are_kept_and_the_unseen_until_their_time_is_over() {
        let of =
            |run: Option<&str>, force| CleanOptions { run: run.map(str::to_owned), force, dry_run: false };
        let kept = |life, over, options: &CleanOptions| keep(life, over, options).is_some();
        let (any, one, forced) = (of(None, false), of(Some("r"), false), of(Some("r"), true));
        for over in [false, true] {
            assert!(kept(Life::Alive, over, &any) && kept(Life::Alive, over, &one));
            assert!(!kept(Life::Alive, over, &forced));
            assert!(kept(Life::Alive, over, &of(None, true)), "force needs a name");
            assert!(!kept(Life::Dead, over, &any) && !kept(Life::Dead, over, &one));
            assert!(!kept(Life::Unknown, over, &one));
        }
        assert!(kept(Life::Unknown, false, &any));
        assert!(!kept(Life::Unknown, true, &any));
    }
}
