//! Secrets: decides which values are secret, and replaces them in all output.
//!
//! A value is secret because of the name of its variable, the key that it is used for, or an entry in
//! `secrets`.

use std::borrow::Cow;

/// Replaces a secret in output.
pub const HIDDEN: &str = "***";

/// Minimum length of a hidden value, in characters. Hiding `1` or `on` would make every text unreadable.
const LEAST: usize = 4;

/// Words that mark the name of a variable, setting or header as secret, at any position in the name.
const WORDS: [&str; 6] = ["SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "TOKEN", "CREDENTIAL"];
/// Suffixes of names that contain the location of a secret instead of the secret.
const PLACES: [&str; 5] = ["FILE", "PATH", "DIR", "LOCATION", "URL"];

/// Whether a name indicates a secret. `MINIO_ROOT_PASSWORD`, `AWS_ACCESS_KEY_ID` and `ssl.key.password` do.
/// `KAFKA_KEY_SERIALIZER`, `PASSWORD_FILE` and a bare `key` do not.
pub fn is_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let words: Vec<&str> =
        upper.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let Some((last, before)) = words.split_last() else { return false };
    if PLACES.contains(last) {
        return false;
    }
    let is_key = |last: &str, before: &[&str]| {
        last.ends_with("KEY") && (last.len() > "KEY".len() || !before.is_empty())
    };
    let of_a_key = ["ID", "PEM"].contains(last)
        && before.split_last().is_some_and(|(last, before)| is_key(last, before));
    words.iter().any(|word| WORDS.iter().any(|secret| word.contains(secret)))
        || (*last == "PASS" && !before.is_empty())
        || is_key(last, before)
        || of_a_key
}

/// The secrets of a run, line by line, because a log prints each line of a private key separately.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Longest first, so that a secret that contains another is hidden as a whole.
    lines: Vec<Line>,
}

#[derive(Clone, PartialEq, Eq)]
struct Line {
    text: String,
    /// What the file has instead, such as `${VAR}`.
    written: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({})", self.lines.len())
    }
}

impl Secrets {
    /// Adds a value, except lines that are too short or that occur in one of `plain`. `written` is what the
    /// file has instead.
    pub fn add(&mut self, value: &str, written: &str, plain: &[&str]) {
        for line in value.lines().map(str::trim) {
            let counts = line.chars().count() >= LEAST
                && !matches!(line, "true" | "false" | "null")
                && !plain.iter().any(|text| text.contains(line));
            if counts && !self.lines.iter().any(|known| known.text == line) {
                self.lines.push(Line { text: line.to_owned(), written: written.to_owned() });
            }
        }
        self.lines.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then_with(|| a.text.cmp(&b.text)));
    }

    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Each line of each secret.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.text.as_str())
    }

    /// A text with [`HIDDEN`] in place of each secret.
    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.swap(text, |_| Cow::Borrowed(HIDDEN))
    }

    /// A text with `${VAR}`, as in the file, in place of each secret.
    pub fn as_written<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.swap(text, |line| Cow::Borrowed(&line.written))
    }

    /// A text with a star for each character of a secret, so that columns do not change.
    pub fn blot<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.swap(text, |line| Cow::Owned("*".repeat(line.text.chars().count())))
    }

    fn swap<'a, 's>(&'s self, text: &'a str, with: impl Fn(&'s Line) -> Cow<'s, str>) -> Cow<'a, str> {
        match self.swap_in(text.as_bytes(), with) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // Cuts and replacements start and end at character boundaries.
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// Hides secrets in a text, in place.
    pub fn hide_from(&self, text: &mut String) {
        if let Cow::Owned(hidden) = self.hide(text) {
            *text = hidden;
        }
    }

    /// Hides secrets in bytes.
    pub fn hide_in<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.swap_in(bytes, |_| Cow::Borrowed(HIDDEN))
    }

    fn swap_in<'a, 's>(&'s self, bytes: &'a [u8], with: impl Fn(&'s Line) -> Cow<'s, str>) -> Cow<'a, [u8]> {
        let starts: Vec<u8> = self.lines.iter().filter_map(|line| line.text.bytes().next()).collect();
        let mut out: Option<Vec<u8>> = None;
        let (mut at, mut done) = (0, 0);
        while at < bytes.len() {
            let found = starts
                .contains(&bytes[at])
                .then(|| self.lines.iter().find(|line| bytes[at..].starts_with(line.text.as_bytes())))
                .flatten();
            match found {
                Some(line) => {
                    let out = out.get_or_insert_default();
                    out.extend_from_slice(&bytes[done..at]);
                    out.extend_from_slice(with(line).as_bytes());
                    at += line.text.len();
                    done = at;
                }
                None => at += 1,
            }
        }
        match out {
            Some(mut out) => {
                out.extend_from_slice(&bytes[done..]);
                Cow::Owned(out)
            }
            None => Cow::Borrowed(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_says_that_its_value_is_a_secret() {
        for name in [
            "KAFKA_PASSWORD",
            "password",
            "DB_PASS",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "KAFSCALE_S3_ACCESS_KEY",
            "apikey",
            "X-API-KEY",
            "GITHUB_TOKEN",
            "ssl.key.password",
            "ssl.key.pem",
            "sasl.oauthbearer.client.secret",
            "GOOGLE_CREDENTIALS",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "",
            "key",
            "KEY",
            "KEY_ID",
            "PASS",
            "USER",
            "KAFKA_KEY_SERIALIZER",
            "KEYSPACE",
            "POSTGRES_PASSWORD_FILE",
            "TOKEN_URL",
            "ssl.key.location",
            "BROKER_ID",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn only_what_can_be_hidden_is() {
        let mut secrets = Secrets::default();
        secrets.add("1", HIDDEN, &[]);
        secrets.add("true", HIDDEN, &[]);
        secrets.add(" lab \n", HIDDEN, &[]);
        secrets.add("minioadmin", HIDDEN, &["MINIO_ROOT_USER: minioadmin"]);
        assert_eq!(secrets.lines().count(), 0);
        secrets.add("hunter2", HIDDEN, &[]);
        secrets.add("hunter2-and-more", HIDDEN, &[]);
        secrets.add("-----BEGIN KEY-----\nAbCd0123\nxy=\n", HIDDEN, &[]);
        secrets.add("hunter2", HIDDEN, &[]);
        assert_eq!(
            secrets.lines().collect::<Vec<_>>(),
            ["-----BEGIN KEY-----", "hunter2-and-more", "AbCd0123", "hunter2"]
        );
        assert_eq!(secrets.hide("a hunter2-and-more b hunter2hunter2 hunter"), "a *** b ****** hunter");
        assert_eq!(secrets.hide_in(b"\xffhunter2\xff").as_ref(), b"\xff***\xff");
        assert!(matches!(secrets.hide("nothing in it"), Cow::Borrowed(_)));
        assert_eq!(format!("{secrets:?}"), "Secrets(4)");
        secrets.add("from-outside", "${VAR}", &[]);
        assert_eq!(secrets.as_written("a from-outside b"), "a ${VAR} b");
        assert_eq!(secrets.blot("a hunter2 b"), "a ******* b");
    }

    proptest! {
        #[test]
        fn no_secret_is_left_and_nothing_else_is_gone(
            secrets in prop::collection::vec("[a-cö]{4,6}", 0..4),
            text in "[a-cö x]{0,60}"
        ) {
            let mut all = Secrets::default();
            for secret in &secrets {
                all.add(secret, HIDDEN, &[]);
            }
            let hidden = all.hide(&text);
            prop_assert!(!all.lines().any(|line| hidden.contains(line)), "{hidden}");
            let left: usize = hidden.split(HIDDEN).map(str::len).sum();
            let cut = (hidden.matches(HIDDEN).count(), text.len() - left);
            prop_assert!(cut.1 >= 4 * cut.0 && (cut.0 > 0 || cut.1 == 0), "{text} {hidden}");
        }
    }
}
