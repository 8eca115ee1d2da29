//! The progress of each scenario as text, for any display.
//!
//! Derives the share done, the time left, and a line of text from its numbers.

use std::time::Duration;

use super::format::{count, millis, number, plural};
use super::terminal::safe;
use crate::engine::{ProgressState, ScenarioProgress};

impl ScenarioProgress {
    /// The share of the work or, if no count ends the scenario, of the time, from 0 to 1.
    pub fn share(&self) -> f64 {
        let share = match (self.state, self.limit) {
            (ProgressState::Waiting, _) => 0.0,
            (ProgressState::Ended, None) => 1.0,
            (_, Some(limit)) => super::format::float(self.done) / super::format::float(limit.max(1)),
            (ProgressState::Running, None) => self.elapsed.as_secs_f64() / self.bound.as_secs_f64().max(1e-3),
        };
        share.clamp(0.0, 1.0)
    }

    /// The time left at the recent rate, at most until its timeout. `None` if it cannot be estimated.
    pub fn time_left(&self) -> Option<Duration> {
        if self.state != ProgressState::Running {
            return None;
        }
        let bound = self.bound.saturating_sub(self.elapsed);
        let Some(limit) = self.limit else { return Some(bound) };
        if self.rate_per_s <= 0.0 || !self.rate_per_s.is_finite() {
            return None;
        }
        let seconds = super::format::float(limit.saturating_sub(self.done)) / self.rate_per_s;
        Some(Duration::try_from_secs_f64(seconds).map_or(bound, |left| left.min(bound)))
    }

    /// Such as `612 of 1,000`, or `612`.
    pub fn done_of_limit(&self) -> String {
        match self.limit {
            Some(limit) => format!("{} of {}", count(self.done), count(limit)),
            None => count(self.done),
        }
    }

    /// Everything except the name: `612 of 1,000, 50/s, p95 12 ms, 2 errors, 8 s left`.
    pub fn line(&self) -> String {
        let mut parts = vec![self.done_of_limit()];
        match self.state {
            ProgressState::Waiting => return "waiting".to_owned(),
            ProgressState::Ended => parts.push("ended".to_owned()),
            ProgressState::Running => {
                parts.push(format!("{}/s", number(self.rate_per_s)));
                parts.extend(self.p95_ms.map(|ms| format!("p95 {}", millis(ms))));
            }
        }
        if self.errors > 0 {
            parts.push(plural(self.errors, "error", "errors"));
        }
        if let Some(left) = self.time_left() {
            let ms = left.as_secs_f64().ceil() * 1000.0;
            let left = if ms < 1000.0 { "0 s".to_owned() } else { millis(ms) };
            // Without a limit, only the timeout is known.
            parts.push(if self.limit.is_some() {
                format!("{left} left")
            } else {
                format!("at most {left} left")
            });
        }
        parts.join(", ")
    }

    /// The name, safe to print.
    pub fn label(&self) -> String {
        super::terminal::cut(&safe(&self.name), 24)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ScenarioKind;

    fn sample() -> ScenarioProgress {
        ScenarioProgress {
            name: "write".to_owned(),
            kind: ScenarioKind::Produce,
            done: 612,
            limit: Some(1000),
            elapsed: Duration::from_secs(12),
            bound: Duration::from_secs(60),
            state: ProgressState::Running,
            rate_per_s: 50.0,
            p95_ms: Some(12.0),
            errors: 0,
        }
    }

    #[test]
    fn the_line_tells_all() {
        assert_eq!(sample().line(), "612 of 1,000, 50/s, p95 12 ms, 8 s left");
        let troubled = ScenarioProgress { rate_per_s: 0.0, p95_ms: None, errors: 2, ..sample() };
        assert_eq!(troubled.line(), "612 of 1,000, 0/s, 2 errors");
        assert_eq!(ScenarioProgress { state: ProgressState::Waiting, ..sample() }.line(), "waiting");
        let timed = ScenarioProgress { limit: None, ..sample() };
        assert_eq!(timed.line(), "612, 50/s, p95 12 ms, at most 48 s left");
        assert!((timed.share() - 0.2).abs() < 1e-9);
    }

    #[test]
    fn odd_numbers_are_no_panic() {
        let odd = ScenarioProgress {
            limit: Some(0),
            bound: Duration::ZERO,
            rate_per_s: f64::MIN_POSITIVE,
            ..sample()
        };
        assert!((odd.share() - 1.0).abs() < 1e-9);
        assert_eq!(odd.time_left(), Some(Duration::ZERO));
        let slow = ScenarioProgress { rate_per_s: 1e-300, ..sample() };
        assert_eq!(slow.time_left(), Some(Duration::from_secs(48)));
        assert!(ScenarioProgress { rate_per_s: f64::NAN, ..sample() }.time_left().is_none());
    }
}
