//! Parses a metric series with its labels, such as `up{job="a", instance="b"}`, from metrics pages and
//! `contains`.
//!
//! Labels are a set. Neither their order nor spaces between them matter.

use std::collections::BTreeMap;

/// A series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    pub name: String,
    pub labels: BTreeMap<String, String>,
}

impl Series {
    /// Parses a text that is exactly one series.
    pub fn parse(text: &str) -> Option<Self> {
        let (series, rest) = Self::read(text.trim())?;
        rest.is_empty().then_some(series)
    }

    /// Parses the series at the start of a text. The second value is the rest of the text.
    pub fn read(text: &str) -> Option<(Self, &str)> {
        let mut name = Self::name_of(text).to_owned();
        let mut rest = &text[name.len()..];
        let mut labels = BTreeMap::new();
        if let Some(inside) = rest.trim_start().strip_prefix('{') {
            rest = inside.trim_start();
            while !rest.starts_with('}') {
                let (key, after) = label_name(rest)?;
                rest = match after.trim_start().strip_prefix('=') {
                    Some(after) => {
                        let (value, after) = quoted(after.trim_start())?;
                        labels.insert(key, value);
                        after.trim_start()
                    }
                    // A name with unusual characters is written in quotes, between the braces.
                    None if name.is_empty() && rest.starts_with('"') => {
                        name = key;
                        after.trim_start()
                    }
                    None => return None,
                };
                rest = match rest.strip_prefix(',') {
                    Some(after) => after.trim_start(),
                    None if rest.starts_with('}') => rest,
                    None => return None,
                };
            }
            rest = &rest[1..];
        }
        (!name.is_empty()).then_some((Self { name, labels }, rest))
    }

    /// The name at the start of a text. Empty if the name is in quotes between the braces.
    pub fn name_of(text: &str) -> &str {
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.' | '-')));
        &text[..end.unwrap_or(text.len())]
    }
}

fn label_name(text: &str) -> Option<(String, &str)> {
    if text.starts_with('"') {
        return quoted(text);
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

/// A string in quotes, with the escapes `\\`, `\"` and `
///
/// `.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut chars = text.strip_prefix('"')?.char_indices();
    let mut out = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, &text[at + 2..])),
            '\\' => match chars.next()?.1 {
                'n' => out.push('\n'),
                c @ ('\\' | '"') => out.push(c),
                c => out.extend(['\\', c]),
            },
            c => out.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_a_set() {
        let one = Series::parse(r#"y{b="2",a="1"}"#).unwrap();
        for same in
            [r#"y{a="1", b="2"}"#, r#"y{ a = "1" , b="2", }"#, r#"y {a="1",b="2"}"#, r#"{"y",a="1",b="2"}"#]
        {
            assert_eq!(Series::parse(same).as_ref(), Some(&one), "{same}");
        }
        assert_ne!(Series::parse(r#"y{b="2"}"#).unwrap(), one);
        assert_eq!(Series::parse("up"), Series::parse("up{}"));
    }

    #[test]
    fn values_may_hold_anything() {
        let (series, rest) = Series::read(r#"x{a="} # \"1\" \\",b=",="} 6 # {t="1"} 0.5"#).unwrap();
        assert_eq!(series.labels["a"], r#"} # "1" \"#);
        assert_eq!(series.labels["b"], ",=");
        assert_eq!(rest, r#" 6 # {t="1"} 0.5"#);
    }

    #[test]
    fn what_is_no_series_is_none() {
        for text in [
            "",
            "{}",
            "up{",
            "up{a}",
            "up{a=1}",
            r#"up{a="1""#,
            r#"up{a="1" b="2"}"#,
            "up 1",
            "{a=\"1\"}",
            "a b",
        ] {
            assert_eq!(Series::parse(text), None, "{text}");
        }
    }
}
