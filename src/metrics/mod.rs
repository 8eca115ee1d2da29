//! Metrics of a running scenario: counters, latency histograms, a timeline, and gaps between acks or reads.
//!
//! All of them can be added, so that the metrics of several clients become the metrics of their scenario.

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
