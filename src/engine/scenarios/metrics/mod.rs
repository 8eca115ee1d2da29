//! `metrics`: requests an HTTP endpoint once, or repeatedly during other scenarios, and keeps the named
//! series.

pub(crate) mod exposition;
pub(crate) mod http;
pub(crate) mod proxy;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use exposition::look_for;

use crate::engine::context::outcome::{ScenarioOutcome, cut, unwind};
use crate::engine::context::run_context::RunContext;
use crate::metrics::Recorder;
use crate::observe::{Note, ScenarioEnd, ScrapeSeen, SeriesPoints, SeriesSeen, TypeSeen};
use crate::plan::MetricsPlan;
use crate::scenario::Series;
use crate::units::thousands;

/// Timeout of one request of a scenario with `every`. Otherwise the scenario's `timeout` applies.
const ONE_OF_MANY: Duration = Duration::from_secs(10);
/// Maximum number of series that are kept, and of points of each. Beyond that, every second point is dropped.
const SERIES: usize = 50;
const POINTS: usize = 600;

pub(crate) async fn run(context: &Arc<RunContext>, index: usize, plan: &MetricsPlan) -> ScenarioOutcome {
    let deadline = context.deadline(index);
    let mut seen = ScrapeSeen {
        series: plan
            .contains
            .iter()
            .map(|(name, _)| SeriesSeen { name: name.clone(), ..SeriesSeen::default() })
            .collect(),
        ..ScrapeSeen::default()
    };
    let ended = loop {
        let began = Instant::now();
        let (url, is_own) = (context.resolve(&plan.url), plan.url.has_service());
        // A request that starts in time gets its full timeout. Otherwise, the last one would fail because the
        // scenario ends.
        let timeout = plan.every.map_or(deadline.saturating_duration_since(began), |_| ONE_OF_MANY);
        let get = tokio::task::spawn_blocking(move || {
            let result = http::get(&url, is_own, timeout);
            (result, began.elapsed())
        });
        let answer = tokio::select! {
            biased;
            // The request continues in its thread, and no longer counts.
            () = context.stop.stopped() => break cut(&context.stop),
            answer = get => unwind(answer),
        };
        let task = CountedRequest {
            context: Arc::clone(context),
            index,
            wanted: plan.contains.iter().map(|(_, series)| series.clone()).collect(),
        };
        seen = unwind(tokio::task::spawn_blocking(move || task.count(answer, seen)).await);
        let Some(every) = plan.every else { break ScenarioEnd::Done };
        let next = began + every;
        if next >= deadline {
            break ScenarioEnd::Timeout;
        }
        tokio::select! {
            () = tokio::time::sleep_until(next.into()) => {}
            () = context.stop.background_ends() => break if context.stop.is_stopped() { cut(&context.stop) } else { ScenarioEnd::Done },
        }
    };
    if seen.cut > 0 {
        context.notes.add(Note::warning(format!(
            "{} of {} responses to `{}` are longer than 16 MiB; kaf6 did not read the rest of them",
            thousands(seen.cut),
            thousands(seen.requests),
            context.plan.scenarios[index].name
        )));
    }
    ScenarioOutcome::of(ended).observed(TypeSeen { scrape: Some(seen), ..TypeSeen::default() })
}

/// Adds the result of a request to the counts.
struct CountedRequest {
    context: Arc<RunContext>,
    index: usize,
    wanted: Vec<Series>,
}

impl CountedRequest {
    fn count(
        self,
        (result, took): (Result<http::Response, String>, Duration),
        mut seen: ScrapeSeen,
    ) -> ScrapeSeen {
        let metrics = self.context.live.metrics(self.index);
        let mut recorder = Recorder::new(metrics);
        seen.requests += 1;
        metrics.counters.sent.fetch_add(1, Ordering::Relaxed);
        match result {
            Ok(answer) => {
                let (status, body) = (answer.status, &answer.body);
                let now_us = self.context.clock.now_us();
                seen.last_status = Some(status);
                seen.last_bytes = body.len();
                seen.with_body += u64::from(!body.trim().is_empty());
                if status == 200 {
                    seen.ok += 1;
                    seen.last_error = None;
                    recorder.latency(now_us, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
                    recorder.done(now_us, 1);
                    metrics.counters.received.fetch_add(1, Ordering::Relaxed);
                    metrics.counters.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
                } else {
                    seen.refused += 1;
                    metrics.error(now_us, &format!("HTTP {status}"));
                }
                self.series(&answer, &mut seen);
            }
            Err(error) => {
                metrics.error(self.context.clock.now_us(), "HTTP");
                seen.last_error = Some(error);
            }
        }
        seen
    }

    /// Extracts the expected series from a metrics page.
    fn series(&self, answer: &http::Response, seen: &mut ScrapeSeen) {
        let at = self.context.clock.elapsed();
        seen.cut += u64::from(answer.cut);
        let points = &mut seen.points;
        let found = look_for(&answer.body, &self.wanted, |name, value| keep(points, name, at, value));
        for (series, found) in seen.series.iter_mut().zip(found) {
            series.present += u64::from(found.present);
            series.beyond += u64::from(answer.cut && !found.present);
            if !found.present {
                series.near = found.near;
            }
        }
    }
}

fn keep(all: &mut Vec<SeriesPoints>, name: &str, at: Duration, value: f64) {
    let index = match all.iter().position(|s| s.name == name) {
        Some(index) => index,
        None if all.len() < SERIES => {
            all.push(SeriesPoints { name: name.to_owned(), points: Vec::new() });
            all.len() - 1
        }
        None => return,
    };
    let points = &mut all[index].points;
    if points.len() >= POINTS {
        let mut keep = false;
        points.retain(|_| {
            keep = !keep;
            keep
        });
    }
    points.push((at, value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_never_grows_without_end() {
        let mut all = Vec::new();
        for i in 0..5000_u32 {
            keep(&mut all, "a", Duration::from_secs(u64::from(i)), f64::from(i));
        }
        assert!(all[0].points.len() <= POINTS + 1);
        assert!(all[0].points.windows(2).all(|w| w[0].0 < w[1].0));
    }
}
