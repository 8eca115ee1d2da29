//! Output on a terminal: colors, symbols, and text that is cut or wrapped to its width.
//!
//! The environment decides on colors and Unicode. Text from other sources is printed safely.

use std::borrow::Cow;

/// The style of output to a terminal or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    pub colour: bool,
    /// Width in columns. Text is wrapped to it, but not below 40.
    pub width: usize,
    /// Use symbols such as ✓ and ✗ instead of ASCII.
    pub unicode: bool,
}

impl Style {
    /// No colors, Unicode, 100 columns: for files and tests.
    pub const PLAIN: Self = Self { colour: false, width: 100, unicode: true };

    /// Selects the style of a stream from the environment.
    pub fn detect(is_terminal: bool, width: Option<usize>, env: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            colour: wants_colour(is_terminal, &env),
            width: width.unwrap_or(Self::PLAIN.width).clamp(40, 140),
            unicode: speaks_unicode(&env),
        }
    }
}

/// Whether to use colors. `NO_COLOR` disables them, `CLICOLOR_FORCE` enables them even in a pipe, and
/// `TERM=dumb` and `CLICOLOR=0` disable them.
pub fn wants_colour(is_terminal: bool, env: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| env(name).filter(|v| !v.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    if set("CLICOLOR_FORCE").is_some_and(|v| v != "0") {
        return true;
    }
    is_terminal && set("CLICOLOR").is_none_or(|v| v != "0") && set("TERM").is_none_or(|v| v != "dumb")
}

/// Whether the locale is UTF-8. Without a locale, as in most CI systems, the output is read as UTF-8 anyway.
fn speaks_unicode(env: impl Fn(&str) -> Option<String>) -> bool {
    if env("TERM").is_some_and(|v| v == "dumb" || v == "linux") {
        return false;
    }
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| env(name).filter(|v| !v.is_empty()))
        .is_none_or(|v| v.to_ascii_lowercase().replace('-', "").contains("utf8"))
}

/// The meaning of a text, which selects its color.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Doubt,
    Quiet,
    Strong,
}

/// Adds color to a text if the style has colors.
pub(super) fn paint(style: Style, tone: Tone, text: &str) -> String {
    if !style.colour || text.is_empty() {
        return text.to_owned();
    }
    let code = match tone {
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Doubt => "33",
        Tone::Quiet => "2",
        Tone::Strong => "1",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Makes text from other sources safe to print: one line, without control characters, and without commands to
/// the GitHub runner.
pub fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            // Bidirectional overrides would reorder the text around them.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    if out.contains("##[") { out.replace("##[", "# #[") } else { out }
}

/// Changes a line that the GitHub runner would interpret as a command. Lines of a container's log, of a
/// broker or of a file may look like one. Colors before the command are ignored.
pub fn no_command(line: &str) -> Cow<'_, str> {
    let mut begins = line.trim_start();
    while let Some((_, rest)) = begins.strip_prefix("\x1b[").and_then(|code| code.split_once('m')) {
        begins = rest.trim_start();
    }
    match begins.strip_prefix("::") {
        Some(rest) => Cow::Owned(format!("{}: :{rest}", &line[..line.len() - begins.len()])),
        None => Cow::Borrowed(line),
    }
}

/// Applies [`no_command`] to each line of a text.
pub fn no_commands(text: &str) -> String {
    text.split_inclusive('\n').map(no_command).collect()
}

/// Wraps words to lines of at most `width` characters. Longer words stay whole, so that paths and offsets can
/// be copied.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |l| l.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else if let Some(last) = lines.last_mut() {
            if line > 0 {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// Cuts a text to at most `width` characters and marks the cut.
pub fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut out: String = text.chars().take(width.saturating_sub(1)).collect();
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<String> + 'a {
        |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
    }

    #[test]
    fn colours_follow_the_environment() {
        assert!(wants_colour(true, env(&[])));
        assert!(!wants_colour(false, env(&[])));
        assert!(!wants_colour(true, env(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")])));
        assert!(wants_colour(true, env(&[("NO_COLOR", "")])));
        assert!(wants_colour(false, env(&[("CLICOLOR_FORCE", "1")])));
        assert!(!wants_colour(false, env(&[("CLICOLOR_FORCE", "0")])));
        assert!(!wants_colour(true, env(&[("TERM", "dumb")])));
        assert!(!Style::detect(true, None, env(&[("LANG", "C")])).unicode);
        assert!(Style::detect(true, None, env(&[("LANG", "en_GB.UTF-8")])).unicode);
    }

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(safe("a ##[error]b"), "a # #[error]b");
        assert_eq!(no_command("  ::error::x ::y"), "  : :error::x ::y");
        assert_eq!(no_command("at [::1]:9092 "), "at [::1]:9092 ");
        assert_eq!(no_command(" \x1b[1m \x1b[0m ::error::x"), " \x1b[1m \x1b[0m : :error::x");
        assert_eq!(no_commands("a\n ::error::x\n\n::b"), "a\n : :error::x\n\n: :b");
        assert_eq!(safe("a\x1b[31mb\r\nc\u{202e}d"), "a\u{fffd}[31mb  cd");
    }

    #[test]
    fn wrapping_keeps_long_words() {
        assert_eq!(wrap("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrap("reports/summary.json is long", 8), ["reports/summary.json", "is long"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
