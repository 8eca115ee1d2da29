//! From bytes to values with places, by the file's ending.
//!
//! Owns what is no text at all: files too large, bytes that are not UTF-8, control characters.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use super::diagnostics::Diagnostic;
use super::node::Document;
use super::position::Span;
use super::{json, yaml};

/// The largest file that is read.
pub const FILE_MAX: u64 = 1 << 20;

/// Reads a file into values with places.
pub fn file(path: &Path) -> Result<Document, Vec<Diagnostic>> {
    let whole = |message: String, hint: Option<&str>| {
        vec![Diagnostic::of_file(path, message, hint.map(str::to_owned))]
    };
    let file = std::fs::File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => whole("file not found".to_owned(), None),
        _ => whole(format!("cannot read the file: {error}"), None),
    })?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits, and /dev/zero ends too.
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

/// Reads a text into values with places. What ends in `.json` is JSON; without a known ending, what reads as JSON.
pub fn text(path: &Path, mut text: String) -> Result<Document, Vec<Diagnostic>> {
    // Editors of one system put a mark in front that means nothing in UTF-8.
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

/// The place of what follows a text.
fn behind(text: &str) -> Span {
    let last = text.rsplit('\n').next().unwrap_or_default();
    Span { line: text.matches('\n').count() + 1, column: last.chars().count() + 1, width: 1 }
}
