//! Parses metrics pages in the Prometheus and OpenMetrics formats: which expected series a page has, and
//! their values.

use std::collections::HashMap;

use crate::scenario::Series;

/// How many other series of the same name are shown for a missing one.
const NEAR: usize = 3;

/// What a page contains of an expected series.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct FoundSeries {
    pub(crate) present: bool,
    /// The first series of the same name with other labels.
    pub(crate) near: Vec<String>,
}

/// Searches a page for series. `keep` receives each of their samples that has a finite value.
///
/// Without labels, an expected series matches all series with its name. The name may also be that of a family (`#
/// TYPE`), which is present if any of its samples is: `latency` by `latency_bucket`, `latency_sum` or `latency_count`.
pub(crate) fn look_for(page: &str, wanted: &[Series], mut keep: impl FnMut(&str, f64)) -> Vec<FoundSeries> {
    let mut found = vec![FoundSeries::default(); wanted.len()];
    let mut families: HashMap<&str, &str> = HashMap::new();
    for line in page.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.split_whitespace();
            if let (Some("TYPE"), Some(name), Some(kind)) = (words.next(), words.next(), words.next())
                && wanted.iter().any(|series| series.name == name)
            {
                families.insert(name, kind);
            }
            continue;
        }
        let name = Series::name_of(line);
        let part = |series: &Series| {
            let suffix = name.strip_prefix(series.name.as_str())?;
            let kind = families.get(series.name.as_str()).copied().unwrap_or_default();
            (suffix.is_empty() || suffixes(kind).contains(&suffix)).then_some((kind, suffix))
        };
        if !name.is_empty() && !wanted.iter().any(|series| part(series).is_some()) {
            continue;
        }
        let Some((sample, rest)) = Series::read(line) else { continue };
        // A line of another kind of page may start with the same word.
        let value = rest.split_whitespace().next().and_then(|text| text.parse::<f64>().ok());
        let Some(value) = value else { continue };
        let text = &line[..line.len() - rest.len()];
        let mut is_kept = false;
        for (series, found) in wanted.iter().zip(&mut found) {
            let Some((kind, suffix)) = (if name.is_empty() {
                (sample.name == series.name).then_some(("", ""))
            } else {
                part(series)
            }) else {
                continue;
            };
            let mut labels = sample.labels.clone();
            if matches!((kind, suffix), ("histogram" | "gaugehistogram", "_bucket")) {
                labels.remove("le");
            } else if kind == "summary" && suffix.is_empty() && !series.labels.contains_key("quantile") {
                labels.remove("quantile");
            }
            if series.labels.is_empty() || series.labels == labels {
                found.present = true;
                // A family has many buckets, and its sum and count are enough for a graph.
                is_kept |= suffix != "_bucket";
            } else if found.near.len() < NEAR && !found.near.iter().any(|near| near == text) {
                found.near.push(text.to_owned());
            }
        }
        if is_kept && value.is_finite() {
            keep(text, value);
        }
    }
    found
}

/// The suffixes of the names of a family's samples.
fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "counter" => &["_total", "_created"],
        "histogram" => &["_bucket", "_sum", "_count", "_created"],
        "gaugehistogram" => &["_bucket", "_gsum", "_gcount"],
        "summary" => &["_sum", "_count", "_created"],
        "info" => &["_info"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP a_total x\n# TYPE a counter\na_total 17 # {id=\"x1\"} 1.0 1700000000.123\n\
        # TYPE h histogram\nh_bucket{le=\"1\"} 6 # {trace_id=\"t1\"} 0.5\nh_bucket{le=\"+Inf\"} 7\nh_sum 3.2\r\nh_count 7\n\
        n_nan NaN\nn_inf +Inf\nts_x 5 1700000000\nbare_ex 3 # 0.7\njvm_x{state=\"NEW\",} 0.0\ny{a=\"1\", b=\"2\"} 1\n\
        y{a=\"1\",b=\"3\"} 2\n# TYPE s summary\ns{quantile=\"0.5\"} 9\ns_count 4\nh_other 1\nnonsense\nWelcome to it\n{\"my.name\",a=\"1\"} 8\n# EOF\n";

    fn look(wanted: &str) -> (FoundSeries, Vec<(String, f64)>) {
        let mut kept = Vec::new();
        let wanted = Series::parse(wanted).unwrap();
        let found = look_for(PAGE, &[wanted], |name, value| kept.push((name.to_owned(), value)));
        (found[0].clone(), kept)
    }

    fn kept(wanted: &str) -> Vec<(String, f64)> {
        let (found, kept) = look(wanted);
        assert!(found.present, "{wanted}");
        kept
    }

    #[test]
    fn exemplars_and_timestamps_are_no_part_of_a_sample() {
        assert_eq!(kept("a_total"), [("a_total".to_owned(), 17.0)]);
        assert_eq!(
            kept("h_bucket"),
            [(r#"h_bucket{le="1"}"#.to_owned(), 6.0), (r#"h_bucket{le="+Inf"}"#.to_owned(), 7.0)]
        );
        assert_eq!(kept(r#"h_bucket{le="1"}"#), [(r#"h_bucket{le="1"}"#.to_owned(), 6.0)]);
        assert_eq!(kept("ts_x"), [("ts_x".to_owned(), 5.0)]);
        assert_eq!(kept("bare_ex"), [("bare_ex".to_owned(), 3.0)]);
        assert_eq!(kept("n_nan"), [], "present, but no number");
        assert_eq!(kept("n_inf"), []);
    }

    #[test]
    fn labels_are_compared_as_a_set() {
        assert_eq!(kept(r#"jvm_x{state="NEW"}"#), [(r#"jvm_x{state="NEW",}"#.to_owned(), 0.0)]);
        assert_eq!(kept(r#"y{b="2",a="1"}"#), [(r#"y{a="1", b="2"}"#.to_owned(), 1.0)]);
        assert_eq!(kept(r#"{"my.name",a="1"}"#).len(), 1);
        assert_eq!(kept("y").len(), 2);
    }

    #[test]
    fn a_family_is_present_by_its_samples() {
        assert_eq!(kept("h"), [("h_sum".to_owned(), 3.2), ("h_count".to_owned(), 7.0)]);
        assert_eq!(kept("a"), [("a_total".to_owned(), 17.0)]);
        assert_eq!(kept("s").len(), 2);
        assert!(!look("n").0.present, "no family of this name is declared");
        assert!(!look("nonsense").0.present && !look("Welcome").0.present, "these lines have no value");
    }

    #[test]
    fn what_is_there_of_a_missing_series_is_said() {
        let (found, kept) = look(r#"y{a="1"}"#);
        assert_eq!(
            found,
            FoundSeries {
                present: false,
                near: vec![r#"y{a="1", b="2"}"#.to_owned(), r#"y{a="1",b="3"}"#.to_owned()]
            }
        );
        assert_eq!(kept, []);
        assert_eq!(look("z").0, FoundSeries::default());
    }
}
