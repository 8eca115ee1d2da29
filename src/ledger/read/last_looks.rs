//! The current record of each offset: as the last observer found it that read anything there.

use super::held::Held;
use super::pass::Pass;
use super::reads::Epoch;
use crate::ids::{Offset, Seq, StreamId};

/// The last known record of each offset: from the last observer that read anything there, in its last epoch.
#[derive(Debug, Default)]
pub(crate) struct LastLooks(Vec<Vec<Held>>);

impl LastLooks {
    /// From the last look to the first. It takes memory for each run of records, so it is made only where something was
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

    /// The offset held this message, and nothing else, when it was last looked at.
    pub(crate) fn held(&self, message: (StreamId, Seq), offset: Offset) -> bool {
        let there = |look: &[Held]| {
            // Runs may overlap where an offset was handed out twice, though not by much.
            let after = look.partition_point(|held| held.offset <= offset);
            let before = look[..after].iter().rev().take(NEAR);
            let mut found = before.filter(|held| held.end() > offset).peekable();
            found.peek().is_some().then(|| found.all(|held| held.at(offset) == Some(message)))
        };
        self.0.iter().find_map(|look| there(look)).unwrap_or(false)
    }
}

/// Runs before an offset that are looked at for one that reaches to it.
const NEAR: usize = 64;
