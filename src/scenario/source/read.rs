//! Reads a file into values with positions. The file name extension selects the parser.
//!
//! Rejects what is not text: files that are too large, bytes that are not UTF-8, control characters.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use super::diagnostics::Diagnostic;
use super::node::Document;
use super::position::Span;
use super::{json, yaml};

/// Maximum size of a file, in bytes.
pub const FILE_MAX: u64 = 1 << 20;

/// Reads and parses a file.
pub fn file(path: &Path) -> Result<Document, Vec<Diagnostic>> {
    let whole = |message: String, hint: Option<&str>| {
        vec![Diagnostic::of_file(path, message, hint.map(str::to_owned))]
    };
    let file = std::fs::File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => whole("file not found".to_owned(), None),
        _ => whole(format!("cannot read the file: {error}"), None),
    })?;
    let mut bytes = Vec::new();
    // One extra byte shows that a file is too large. The limit also stops endless files such as /dev/zero.
    file.take(FILE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| whole(format!("cannot read the file: {error}"), None))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(whole("too large for a scenario file: more than 1 MiB".to_owned(), None));
    }
    match String::from_utf8(bytes) {
        Ok(text) => self::text(path, text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let before = String::from_utf8_lossy(&bytes[..at]);
            let span = behind(&before);
            let text = String::from_utf8_lossy(&bytes);
            let message = "not a text file: this byte is not UTF-8";
            Err(vec![Diagnostic::at(path, &text, span, message, Some("save the file as UTF-8".to_owned()))])
        }
    }
}

/// Parses a text. Files that end in `.json` are JSON. Without a known extension, a text that parses as JSON
/// is JSON.
pub fn text(path: &Path, mut text: String) -> Result<Document, Vec<Diagnostic>> {
    // Some editors write a byte order mark, which has no meaning in UTF-8.
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    let wrong = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{85}');
    if let Some(at) = text.find(wrong) {
        let span = behind(&text[..at]);
        let message = "not a text file: this is a control character";
        return Err(vec![Diagnostic::at(path, &text, span, message, None)]);
    }
    if text.len() as u64 > FILE_MAX {
        return Err(vec![Diagnostic::of_file(path, "too large for a scenario file: more than 1 MiB", None)]);
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    let root = match ending.as_str() {
        "json" => json::read(path, &text)?,
        "yaml" | "yml" => yaml::read(path, &text)?,
        _ if text.trim_start().starts_with('{') => {
            json::read(path, &text).or_else(|_| yaml::read(path, &text))?
        }
        _ => yaml::read(path, &text)?,
    };
    Ok(Document { path: path.to_owned(), text, root })
}

/// The position after the end of a text.
fn behind(text: &str) -> Span {
    let last = text.rsplit('\n').next().unwrap_or_default();
    Span { line: text.matches('\n').count() + 1, column: last.chars().count() + 1, width: 1 }
}
