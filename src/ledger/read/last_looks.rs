//! The current record of each offset, according to the last observer that read there.

use super::held::Held;
use super::pass::Pass;
use super::reads::Epoch;
use crate::ids::{Offset, Seq, StreamId};

/// The last known record of each offset, from the last epoch of the last observer that read there.
#[derive(Debug, Default)]
pub(crate) struct LastLooks(Vec<Vec<Held>>);

impl LastLooks {
    /// From the last look to the first. It uses memory for each run of records, so it is created only if something was
    /// rewritten.
    pub(crate) fn of(passes: &[Pass<'_>]) -> Self {
        let epochs = passes.iter().rev().flat_map(|pass| pass.reads.epochs.iter().rev());
        let sorted = |epoch: &Epoch| {
            let mut held: Vec<Held> = epoch.held().flatten().collect();
            held.sort_unstable();
            held
        };
        Self(epochs.map(sorted).collect())
    }

    /// Whether the offset had this message, and nothing else, when it was last read.
    pub(crate) fn held(&self, message: (StreamId, Seq), offset: Offset) -> bool {
        let there = |look: &[Held]| {
            // Runs may overlap slightly, if an offset was returned twice.
            let after = look.partition_point(|held| held.offset <= offset);
            let before = look[..after].iter().rev().take(NEAR);
            let mut found = before.filter(|held| held.end() > offset).peekable();
            found.peek().is_some().then(|| found.all(|held| held.at(offset) == Some(message)))
        };
        self.0.iter().find_map(|look| there(look)).unwrap_or(false)
    }
}

/// Maximum number of runs before an offset that are checked for containing it.
const NEAR: usize = 64;
