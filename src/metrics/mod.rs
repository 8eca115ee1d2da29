//! What a scenario counts while it runs: counters, latency histograms and a timeline.
//!
//! Everything here can be added, so that what several clients saw becomes what their scenario saw.

mod histogram;
mod recorder;
mod timeline;

pub use histogram::Latency;
pub use recorder::{Counters, Metrics, Recorder, Snapshot};
pub use timeline::{Cell, Timeline};
