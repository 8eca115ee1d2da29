//! `offsets`: the interval between requests.

use std::time::Duration;

use crate::plan::compile::context::Context;
use crate::plan::compile::defaults_recorder::DefaultsRecorder;
use crate::plan::defaults;
use crate::plan::render::time;
use crate::scenario::Template;
use crate::scenario::format::activity as raw;
use crate::scenario::source::node::below;

/// `type: offsets`.
#[derive(Debug, Clone)]
pub struct OffsetsPlan {
    /// Interval between requests.
    pub every: Duration,
    /// The topics to request: all that the file names.
    pub topics: Vec<Template>,
}

pub(super) fn offsets(
    cx: &mut Context<'_>,
    pointer: &str,
    raw: &raw::Offsets,
    taken: &mut DefaultsRecorder,
) -> OffsetsPlan {
    let every = cx.positive(&below(pointer, "every"), raw.every.as_ref());
    let every = taken.or("every", every, defaults::OFFSETS_EVERY, defaults::OFFSETS_EVERY).std();
    OffsetsPlan { every, topics: Vec::new() }
}

impl OffsetsPlan {
    /// Its lines in `kaf6 plan`.
    pub(super) fn lines(&self) -> Vec<String> {
        vec![format!("requests the start and end of each partition's log every {}", time(self.every))]
    }
}
