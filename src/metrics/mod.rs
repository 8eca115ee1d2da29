//! What a scenario counts while it runs: counters, latency histograms, a timeline, and the times when it stood still.
//!
//! Everything here can be added, so that what several clients saw becomes what their scenario saw.

mod gaps;
mod histogram;
mod recorder;
mod throttling;
mod timeline;

pub use gaps::{Gaps, RESOLUTION};
pub use histogram::Latency;
pub use recorder::{ClientMetrics, Counters, RATE_OVER, Recorder, Snapshot};
pub use throttling::{Throttled, Throttling};
pub use timeline::{Bucket, BucketWindow, Timeline};
