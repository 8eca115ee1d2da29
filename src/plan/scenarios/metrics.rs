//! `metrics`: the URL, the interval, and the series that must be present.

use std::time::Duration as StdDuration;

use crate::plan::compile::client::ProfileSettings;
use crate::plan::compile::context::Context;
use crate::plan::render::time;
use crate::scenario::format::activity as raw;
use crate::scenario::source::node::below;
use crate::scenario::{Series, ServiceTemplate};
use crate::units::Duration;

/// `type: metrics`.
#[derive(Debug, Clone)]
pub struct MetricsPlan {
    /// The endpoint. It may contain references to services.
    pub url: ServiceTemplate,
    /// Series that must be present, each with its text in the file.
    pub contains: Vec<(String, Series)>,
    /// Interval between requests while other scenarios run. `None`: one request.
    pub every: Option<StdDuration>,
}

pub(super) fn metrics(
    cx: &mut Context<'_>,
    pointer: &str,
    raw: &raw::Metrics,
    profile: &ProfileSettings,
) -> Option<MetricsPlan> {
    let every = cx.positive(&below(pointer, "every"), raw.every.as_ref());
    let url = match raw.url.as_ref().or(profile.metrics_url.as_ref()) {
        Some(url) => url.trim().to_owned(),
        None => {
            if !profile.failed {
                let hint = Some("add `url: http://...`, or give the profile a `metrics_url`".to_owned());
                cx.at_key(pointer, "`url` is missing", hint);
            }
            return None;
        }
    };
    let at_url = below(pointer, "url");
    let read = match ServiceTemplate::parse(&url) {
        Ok(wired) => wired,
        Err(error) => {
            cx.about_value(&at_url, &error.message, error.hint, "an HTTP address");
            return None;
        }
    };
    let sample = read.resolve(|_| "host:1".to_owned());
    let host = sample.strip_prefix("http://").or_else(|| sample.strip_prefix("https://"));
    if host.is_none_or(|host| host.is_empty() || host.starts_with('/') || host.contains(char::is_whitespace))
    {
        let hint = Some("write `http://host:port/path`".to_owned());
        cx.about_value(&at_url, &format!("invalid HTTP address `{url}`"), hint, "an HTTP address");
        return None;
    }
    let mut contains = Vec::new();
    for (index, text) in raw.contains.iter().flatten().enumerate() {
        match Series::parse(text) {
            Some(series) => contains.push((text.clone(), series)),
            None => {
                let hint = Some("write its name, or its name with labels: `up{job=\"a\"}`".to_owned());
                let at = below(&below(pointer, "contains"), index);
                cx.about_value(&at, &format!("invalid series `{text}`"), hint, "a series");
            }
        }
    }
    Some(MetricsPlan { url: read, contains, every: every.map(Duration::std) })
}

impl MetricsPlan {
    /// Its lines in `kaf6 plan`.
    pub(super) fn lines(&self) -> Vec<String> {
        let how = self.every.map_or_else(|| "once".to_owned(), |every| format!("every {}", time(every)));
        let mut lines = vec![format!("requests {} {how}", self.url)];
        if !self.contains.is_empty() {
            let names: Vec<&str> = self.contains.iter().map(|(text, _)| text.as_str()).collect();
            lines.push(format!("looks for {}", names.join(", ")));
        }
        lines
    }
}
