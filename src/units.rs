//! Quantities with units: `200ms`, `50/s`, `1KiB`, `1MiB/s`, `20%`.
//!
//! Parses and prints durations, rates, byte sizes, bandwidths and shares. Printed values parse to the same
//! value.

use std::fmt;
use std::str::FromStr;
use std::time::Duration as StdDuration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A text that is not a quantity of the expected kind. The message names the accepted forms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnitError(String);

/// A duration, written as `1h`, `5m`, `30s`, `200ms`, `50us`, or several of them (`1m30s`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Duration(StdDuration);

/// Messages per unit of time, written as `50/s`, `10k/s`, `1.5M/s`, `300/m` or `20/h`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate(f64);

/// A number of bytes, written as `512`, `1KiB`, `32MiB`, `1GiB`, or with decimal units as `1kB`, `5MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// Bytes per second, written as a size and `/s`: `1MiB/s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bandwidth(u64);

/// A share from 0 % to 100 %, written as `20%`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(f64);

impl Duration {
    pub const ZERO: Self = Self(StdDuration::ZERO);

    pub const fn from_secs(secs: u64) -> Self {
        Self(StdDuration::from_secs(secs))
    }

    pub const fn from_millis(millis: u64) -> Self {
        Self(StdDuration::from_millis(millis))
    }

    /// The duration as the standard library's type.
    pub const fn std(self) -> StdDuration {
        self.0
    }
}

impl From<StdDuration> for Duration {
    fn from(value: StdDuration) -> Self {
        Self(value)
    }
}

impl Rate {
    /// A rate in messages per second. `None` if the value is not positive and finite.
    pub fn per_second(value: f64) -> Option<Self> {
        (value.is_finite() && value > 0.0).then_some(Self(value))
    }

    /// Messages per second, always finite and above zero.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl ByteSize {
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Bandwidth {
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    pub const fn get(self) -> u64 {
        self.0
    }
}

impl Share {
    /// A share, as a fraction of 1.
    pub const fn new(of_one: f64) -> Self {
        Self(of_one)
    }

    /// The share, as a fraction of 1.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Splits `12.5ms` into number and unit. `None` if it does not start with a number. A decimal point needs
/// digits on both sides.
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    if number.starts_with('.') || number.ends_with('.') {
        return None;
    }
    Some((number.parse().ok()?, unit))
}

impl FromStr for Duration {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("invalid duration `{text}`: expected e.g. 200ms, 30s, 5m, 1h"));
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        if rest.is_empty() {
            return Err(wrong());
        }
        let mut total = 0.0_f64;
        while !rest.is_empty() {
            let (value, tail) = number_and_unit(rest).ok_or_else(wrong)?;
            let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
            let (unit, next) = tail.split_at(end);
            let seconds = match unit.trim() {
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return Err(wrong()),
            };
            total += value * seconds;
            rest = next.trim_start();
        }
        // A year is longer than any run and keeps later arithmetic in range.
        if total > 366.0 * 86_400.0 {
            return Err(UnitError(format!("invalid duration `{text}`: expected at most a year")));
        }
        // Rounded to microseconds, the unit in which kaf6 counts time.
        let micros = (total * 1e6).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded by the year above, and never negative"
        )]
        Ok(Self(StdDuration::from_micros(micros as u64)))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut micros = self.0.as_micros();
        if micros == 0 {
            return f.write_str("0s");
        }
        for (unit, size) in [
            ("d", 86_400_000_000_u128),
            ("h", 3_600_000_000),
            ("m", 60_000_000),
            ("s", 1_000_000),
            ("ms", 1_000),
            ("us", 1),
        ] {
            let count = micros / size;
            if count > 0 {
                write!(f, "{count}{unit}")?;
                micros %= size;
            }
        }
        Ok(())
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("invalid rate `{text}`: expected e.g. 0.5/s, 50/s, 10k/s, 300/m"));
        let (count, time) = text.trim().split_once('/').ok_or_else(wrong)?;
        let (value, factor) = number_and_unit(count.trim()).ok_or_else(wrong)?;
        let factor = match factor.trim() {
            "" => 1.0,
            "k" => 1e3,
            "M" => 1e6,
            _ => return Err(wrong()),
        };
        let seconds = match time.trim() {
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        let rate = value * factor / seconds;
        if rate <= 0.0 {
            return Err(UnitError(format!("invalid rate `{text}`: expected more than 0")));
        }
        if rate > 1e8 {
            return Err(UnitError(format!("invalid rate `{text}`: expected at most 100M/s")));
        }
        Ok(Self(rate))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = self.0;
        if rate >= 1e6 && rate % 1e5 == 0.0 {
            write!(f, "{}M/s", rate / 1e6)
        } else if rate >= 1e3 && rate % 1e2 == 0.0 {
            write!(f, "{}k/s", rate / 1e3)
        } else if rate < 1.0 {
            write!(f, "{}/h", rate * 3600.0)
        } else {
            write!(f, "{rate}/s")
        }
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("invalid size `{text}`: expected e.g. 512, 1KiB, 32MiB"));
        let (value, unit) = number_and_unit(text.trim()).ok_or_else(wrong)?;
        let factor = match unit.trim() {
            "" | "B" => 1.0,
            "kB" | "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "KiB" => 1024.0,
            "MiB" => 1024.0 * 1024.0,
            "GiB" => 1024.0 * 1024.0 * 1024.0,
            _ => return Err(wrong()),
        };
        let bytes = value * factor;
        if bytes > 1e15 || bytes.fract() != 0.0 {
            return Err(wrong());
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked to be whole, in range and not negative"
        )]
        Ok(Self(bytes as u64))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, size) in [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl FromStr for Bandwidth {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("invalid bandwidth `{text}`: expected e.g. 512KiB/s, 1MiB/s"));
        let (size, time) = text.trim().split_once('/').ok_or_else(wrong)?;
        match size.trim().parse::<ByteSize>() {
            Ok(ByteSize(0)) => Err(UnitError(format!("invalid bandwidth `{text}`: expected more than 0"))),
            Ok(size) if time.trim() == "s" => Ok(Self(size.0)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", ByteSize(self.0))
    }
}

impl FromStr for Share {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError(format!("invalid share `{text}`: expected 0% to 100%, e.g. 20%"));
        let percent = text.trim().strip_suffix('%').ok_or_else(wrong)?.trim();
        let (value, rest) = number_and_unit(percent).ok_or_else(wrong)?;
        if rest.is_empty() && value <= 100.0 { Ok(Self(value / 100.0)) } else { Err(wrong()) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Four decimal places are precise enough and hide rounding errors of the division by 100.
        write!(f, "{}%", (self.0 * 1e6).round() / 1e4)
    }
}

macro_rules! string_form {
    ($($unit:ty),*) => {$(
        impl TryFrom<String> for $unit {
            type Error = UnitError;
            fn try_from(text: String) -> Result<Self, UnitError> {
                text.parse()
            }
        }
        impl From<$unit> for String {
            fn from(value: $unit) -> Self {
                value.to_string()
            }
        }
    )*};
}
string_form!(Duration, Rate, ByteSize);

impl Serialize for ByteSize {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A size is a plain number of bytes or a string with a unit.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(u64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(bytes) => Ok(Self(bytes)),
            Form::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// Implements [`JsonSchema`] with a schema for each unit.
macro_rules! schemas {
    ($($unit:ident: $schema:tt,)*) => {$(
        impl JsonSchema for $unit {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($unit).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    )*};
}

schemas! {
    Duration: {
        "type": "string",
        "description": "A duration with its unit: us, ms, s, m, h or d.",
        "pattern": r"^\s*(0\s*|([0-9]+(\.[0-9]+)?\s*(us|µs|ms|s|m|min|h|d)\s*)+)$",
        "examples": ["200ms", "30s", "5m"]
    },
    Rate: {
        "type": "string",
        "description": "Messages per unit of time: a number, optionally with k or M, then /s, /m or /h.",
        "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*[kM]?\s*/\s*(s|m|min|h)\s*$",
        "examples": ["50/s", "10k/s"]
    },
    ByteSize: {
        "description": "A number of bytes, or a number with a unit: B, kB, MB, GB, KiB, MiB, \
        GiB.",
        "anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)?\s*$"}
        ],
        "examples": ["1KiB", "32MiB", 512]
    },
    Bandwidth: {
        "type": "string",
        "description": "Bytes per second: a size with its unit, then /s.",
        "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(B|kB|KB|MB|GB|KiB|MiB|GiB)?\s*/\s*s\s*$",
        "examples": ["1MiB/s", "512KiB/s"]
    },
    Share: {
        "type": "string",
        "description": "A percentage from 0% to 100%.",
        "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*%\s*$",
        "examples": ["20%", "50%"]
    },
}

/// A number of times: `once`, or `12 times`.
pub fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// A count with its noun: `1 message`, `2 messages`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(count), if count == 1 { one } else { many })
}

/// Formats `1234567` as `1,234,567`.
pub fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

/// Formats the whole part of each number in a text with thousands separators: `3000 of 12000.5` becomes
/// `3,000 of 12,000.5`. Digits of names, addresses, dates and values with a unit do not change.
pub fn grouped(text: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || "_.,:-+[#".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let digits = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let (number, after) = from.split_at(digits);
        out.push_str(before);
        let decimals = after.strip_prefix('.').filter(|it| it.starts_with(|c: char| c.is_ascii_digit()));
        let next = decimals.map_or(after, |it| it.trim_start_matches(|c: char| c.is_ascii_digit()));
        let follows = next.chars().next().is_some_and(|c| c.is_alphanumeric() || "_:-".contains(c));
        let is_alone = !out.ends_with(is_part) && !follows && number.len() > 3;
        match number.parse().ok().filter(|_| is_alone && !number.starts_with('0')) {
            Some(value) => out.push_str(&thousands(value)),
            None => out.push_str(number),
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        let d = |s: &str| s.parse::<Duration>().map(|d| d.std().as_micros());
        assert_eq!(d("200ms"), Ok(200_000));
        assert_eq!(d("1m30s"), Ok(90_000_000));
        assert_eq!(d("1.5s"), Ok(1_500_000));
        assert!(d("5").is_err() && d("").is_err() && d("-1s").is_err() && d("s").is_err());
        let r = |s: &str| s.parse::<Rate>().map(Rate::get);
        assert_eq!(r("50/s"), Ok(50.0));
        assert_eq!(r("10k/s"), Ok(10_000.0));
        assert_eq!(r("300/m"), Ok(5.0));
        assert!(r("0/s").is_err() && r("-5/s").is_err() && r("50").is_err());
        let b = |s: &str| s.parse::<ByteSize>().map(ByteSize::get);
        assert_eq!(b("1KiB"), Ok(1024));
        assert_eq!(b("512"), Ok(512));
        assert_eq!(b("1.5MB"), Ok(1_500_000));
        assert!(b("1.5").is_err() && b("1XB").is_err());
        let w = |s: &str| s.parse::<Bandwidth>().map(Bandwidth::get);
        assert_eq!(w("1MiB/s"), Ok(1 << 20));
        assert!(w("1MiB").is_err() && w("0/s").is_err() && w("1MiB/m").is_err());
        let s = |s: &str| s.parse::<Share>().map(Share::get);
        assert_eq!((s("50%"), s(" 0.5 %")), (Ok(0.5), Ok(0.005)));
        assert!(s("0.5").is_err() && s("101%").is_err() && s("-1%").is_err() && s("%").is_err());
        assert_eq!(Share::new(0.07).to_string(), "7%");
    }

    #[test]
    fn numbers_in_a_text_get_separators() {
        for (text, shown) in [
            ("3000 of 12000.5 acked", "3,000 of 12,000.5 acked"),
            ("at least 1000", "at least 1,000"),
            ("rate > 5000/s (1000, 100)", "rate > 5,000/s (1,000, 100)"),
            ("kafka:9092, 10.0.1000.1, p95 < 2000ms", "kafka:9092, 10.0.1000.1, p95 < 2000ms"),
            ("2026-11-29, 0.12345, a1234, 0001", "2026-11-29, 0.12345, a1234, 0001"),
        ] {
            assert_eq!(grouped(text), shown);
            assert_eq!(grouped(shown), shown);
        }
    }

    fn fits<T: FromStr<Err = UnitError> + JsonSchema>(text: &str) -> bool {
        let schema = serde_json::Value::from(schemars::schema_for!(T));
        text.parse::<T>().is_err() || jsonschema::is_valid(&schema, &serde_json::json!(text))
    }

    #[test]
    fn spaces_around_a_zero_fit_the_schema() {
        for text in ["0", "0 ", " 0", " 0 "] {
            assert!(text.parse::<Duration>().is_ok() && fits::<Duration>(text), "`{text}`");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_fits_the_schema_too(text in "[0-9.]{1,4} ?(us|µs|ms|s|min|m|h|d|k|M|B|kB|KiB|MB|%)?(/s|/m|/h)?[0-9]?m?") {
            prop_assert!(fits::<Duration>(&text), "{text}");
            prop_assert!(fits::<Rate>(&text), "{text}");
            prop_assert!(fits::<ByteSize>(&text), "{text}");
            prop_assert!(fits::<Bandwidth>(&text), "{text}");
            prop_assert!(fits::<Share>(&text), "{text}");
        }

        #[test]
        fn a_printed_duration_reads_back(micros in 0_u64..366 * 86_400 * 1_000_000) {
            let d = Duration(StdDuration::from_micros(micros));
            prop_assert_eq!(d.to_string().parse::<Duration>(), Ok(d));
        }

        #[test]
        fn a_printed_size_reads_back(bytes in 0_u64..1_000_000_000_000_000) {
            let b = ByteSize(bytes);
            prop_assert_eq!(b.to_string().parse::<ByteSize>(), Ok(b));
        }

        #[test]
        fn no_text_makes_them_panic(text in ".*") {
            let _ = (text.parse::<Duration>(), text.parse::<Rate>(), text.parse::<ByteSize>());
            let _ = (text.parse::<Bandwidth>(), text.parse::<Share>());
        }
    }
}
