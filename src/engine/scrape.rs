//! `metrics`: asks an HTTP endpoint, once or again and again beside other scenarios, and keeps named series.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::outcome::{Outcome, cut, unwind};
use super::shared::Shared;
use crate::metrics::Recorder;
use crate::observe::{Ended, ScrapeSeen, SeriesPoints};
use crate::plan::MetricsPlan;

/// The most that is read of one answer.
const BODY: u64 = 16 << 20;
/// The most series that are kept, and points of each: beyond it every second one is dropped.
const SERIES: usize = 50;
const POINTS: usize = 600;

/// Runs one `metrics` scenario.
pub(super) async fn run(shared: &Arc<Shared>, index: usize, plan: &MetricsPlan) -> Outcome {
    let deadline = shared.deadline(index);
    let mut seen = ScrapeSeen {
        series: plan.contains.iter().map(|name| (name.clone(), 0)).collect(),
        ..ScrapeSeen::default()
    };
    let ended = loop {
        let began = Instant::now();
        let task = Request {
            shared: Arc::clone(shared),
            index,
            url: shared.resolve(&plan.url),
            contains: plan.contains.clone(),
            timeout: deadline.saturating_duration_since(began).min(Duration::from_secs(10)),
        };
        seen = unwind(tokio::task::spawn_blocking(move || task.ask(seen)).await);
        let Some(every) = plan.every else { break Ended::Done };
        let next = began + every;
        if next >= deadline {
            break Ended::Timeout;
        }
        tokio::select! {
            () = tokio::time::sleep_until(next.into()) => {}
            () = shared.stop.background_ends() => break if shared.stop.is_stopped() { cut(&shared.stop) } else { Ended::Done },
        }
    };
    Outcome { ended: Some(ended), scrape: Some(seen), ..Outcome::default() }
}

/// One request.
struct Request {
    shared: Arc<Shared>,
    index: usize,
    url: String,
    contains: Vec<String>,
    timeout: Duration,
}

impl Request {
    fn ask(self, mut seen: ScrapeSeen) -> ScrapeSeen {
        let metrics = self.shared.live.metrics(self.index);
        let mut recorder = Recorder::new(metrics);
        let began = Instant::now();
        seen.requests += 1;
        metrics.counters.sent.fetch_add(1, Ordering::Relaxed);
        match self.get() {
            Ok((status, body)) => {
                let now_us = self.shared.clock.now_us();
                seen.last_status = Some(status);
                seen.last_bytes = body.len();
                seen.with_body += u64::from(!body.trim().is_empty());
                if status == 200 {
                    seen.ok += 1;
                    seen.last_error = None;
                    recorder.latency(now_us, u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
                    recorder.done(now_us, 1);
                    metrics.counters.received.fetch_add(1, Ordering::Relaxed);
                    metrics.counters.bytes.fetch_add(body.len() as u64, Ordering::Relaxed);
                } else {
                    metrics.error(now_us, &format!("HTTP {status}"));
                }
                self.series(&body, &mut seen);
            }
            Err(error) => {
                metrics.error(self.shared.clock.now_us(), "HTTP");
                seen.last_error = Some(error);
            }
        }
        seen
    }

    fn get(&self) -> Result<(u16, String), String> {
        let tls = ureq::tls::TlsConfig::builder().provider(ureq::tls::TlsProvider::NativeTls).build();
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .http_status_as_error(false)
            .user_agent(concat!("kaf6/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .into();
        let mut answer = agent.get(&self.url).call().map_err(|error| error.to_string())?;
        let mut body = Vec::new();
        answer
            .body_mut()
            .as_reader()
            .take(BODY)
            .read_to_end(&mut body)
            .map_err(|error| format!("reading the body: {error}"))?;
        Ok((answer.status().as_u16(), String::from_utf8_lossy(&body).into_owned()))
    }

    /// Takes the wanted series out of a Prometheus text.
    fn series(&self, body: &str, seen: &mut ScrapeSeen) {
        let at = self.shared.clock.elapsed();
        let mut present = vec![false; self.contains.len()];
        for line in body.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some((series, value)) = split(line) else { continue };
            let name = series.split('{').next().unwrap_or(series);
            for (wanted, present) in self.contains.iter().zip(&mut present) {
                if name != wanted && series != wanted {
                    continue;
                }
                *present = true;
                if let Some(value) = value {
                    keep(&mut seen.points, series, at, value);
                }
            }
        }
        for ((_, count), present) in seen.series.iter_mut().zip(present) {
            *count += u64::from(present);
        }
    }
}

/// A sample's series with its labels, and its value where that is a finite number.
fn split(line: &str) -> Option<(&str, Option<f64>)> {
    // Labels may hold spaces and braces in quotes; the value follows the last brace, or the first space.
    let end = match line.rfind('}') {
        Some(brace) => brace + 1,
        None => line.find([' ', '\t'])?,
    };
    let (series, rest) = line.split_at(end);
    let value =
        rest.split_whitespace().next().and_then(|text| text.parse().ok()).filter(|v: &f64| v.is_finite());
    Some((series, value))
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
    fn samples_are_split_as_prometheus_writes_them() {
        assert_eq!(split("up 1"), Some(("up", Some(1.0))));
        assert_eq!(split(r#"state{s="a b"} 0.5 1700"#), Some((r#"state{s="a b"}"#, Some(0.5))));
        assert_eq!(split("x NaN"), Some(("x", None)));
        assert_eq!(split("nonsense"), None);
    }

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
