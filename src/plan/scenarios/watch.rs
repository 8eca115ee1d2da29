//! `watch`: the interval between requests.

use std::time::Duration;

use crate::plan::compile::context::Context;
use crate::plan::compile::defaults_recorder::DefaultsRecorder;
use crate::plan::defaults;
use crate::plan::render::time;
use crate::scenario::Template;
use crate::scenario::format::activity as raw;
use crate::scenario::source::node::below;

/// `type: watch`.
#[derive(Debug, Clone)]
pub struct WatchPlan {
    /// Interval between requests.
    pub every: Duration,
    /// The topics to request: all that the file names.
    pub topics: Vec<Template>,
}

pub(super) fn watch(
    cx: &mut Context<'_>,
    pointer: &str,
    raw: &raw::Watch,
    taken: &mut DefaultsRecorder,
) -> WatchPlan {
    let every = cx.positive(&below(pointer, "every"), raw.every.as_ref());
    let every = taken.or("every", every, defaults::WATCH_EVERY, defaults::WATCH_EVERY).std();
    WatchPlan { every, topics: Vec::new() }
}

impl WatchPlan {
    /// Its lines in `kaf6 plan`.
    pub(super) fn lines(&self) -> Vec<String> {
        vec![format!("requests metadata from each broker every {}", time(self.every))]
    }
}
