//! The run's containers: started before the start of the run, and removed after the verdict in all cases.
//!
//! Connects the engine to the `docker` module, which uses Docker.

use std::sync::Arc;
use std::time::Duration;

use crate::docker::{
    self, CleanOptions, Cluster, ClusterStep, ContainerState, DockerError, KafkaReady, UpOptions,
};
use crate::engine::context::options::Options;
use crate::engine::context::progress::RunProgress;
use crate::kafka::Client;
use crate::kafka::client::metadata;
use crate::observe::ContainerSeen;
use crate::plan::{ActionPlan, FaultPlan, Plan};

/// How long a broker may take to answer one readiness request.
const ASK: Duration = Duration::from_secs(2);

/// Starts or attaches to the containers of a plan; `None` if it has none.
///
/// # Errors
///
/// The problem, with advice. Containers that were started are removed.
pub(crate) async fn up(
    plan: &Plan,
    options: &Options,
    live: &Arc<RunProgress>,
) -> Result<Option<Arc<Cluster>>, DockerError> {
    let Some(cluster) = &plan.cluster else { return Ok(None) };
    // Remove leftovers of killed runs. If Docker does not answer, starting the containers reports it.
    for swept in docker::clean(&CleanOptions::default()).await.unwrap_or_default().done {
        live.say(format!("cleaned up after a killed run: {swept}"));
    }
    let say = Arc::clone(live);
    let up = UpOptions {
        run_id: options.run_id.clone(),
        logs: options.folder.join("logs"),
        secrets: plan.secrets.clone(),
        kafka_ready: kafka_ready(plan),
        bound: plan.timeout,
        later_images: later_images(plan),
        progress: Arc::new(move |step| {
            if let Some(line) = line(&step) {
                say.say(line);
            }
        }),
    };
    let stop = options.stop.clone();
    let cut = async move { stop.stopped().await };
    Ok(Some(Arc::new(Cluster::up(cluster, up, cut).await?)))
}

/// Images that faults use to restart services.
fn later_images(plan: &Plan) -> Vec<(String, String)> {
    let image = |fault: &FaultPlan| match &fault.action {
        ActionPlan::Restart { target, image: Some(image), .. } => {
            Some((target.service.clone(), image.clone()))
        }
        _ => None,
    };
    plan.faults.iter().filter_map(image).collect()
}

/// A broker is ready when it answers a Metadata request of a client with the run's settings.
fn kafka_ready(plan: &Plan) -> KafkaReady {
    let settings = plan.client.clone();
    Arc::new(move |address: &str| {
        let client = Client::new(&[address.to_owned()], &settings).map_err(|error| error.to_string())?;
        metadata::fetch(&client, &[], ASK).map(|_| ()).map_err(|error| error.to_string())
    })
}

/// The progress line for a step; `None` for steps without a line.
fn line(step: &ClusterStep) -> Option<String> {
    match step {
        ClusterStep::Pulling { image, done, total } if *total > 0 => {
            Some(format!("pulling {image}: {} of {} MiB", done >> 20, total >> 20))
        }
        ClusterStep::Pulling { image, .. } => Some(format!("pulling {image}")),
        ClusterStep::Ready { service, replica, after } => {
            Some(format!("{service}.{replica} is ready after {:.1} s", after.as_secs_f64()))
        }
        ClusterStep::Removing => Some("removing the run's containers".to_owned()),
        ClusterStep::Starting { .. } | ClusterStep::Waiting { .. } => None,
    }
}

/// The containers as observations.
pub(crate) async fn seen(cluster: &Cluster) -> Vec<ContainerSeen> {
    let states = cluster.seen().await;
    let seen = |state: ContainerState| ContainerSeen {
        service: state.service,
        replica: state.replica,
        image: state.image,
        container: state.container,
        ready: state.ready,
        log: state.log.and_then(|path| Some(format!("logs/{}", path.file_name()?.to_string_lossy()))),
        last_lines: state.last_lines,
    };
    states.into_iter().map(seen).collect()
}
