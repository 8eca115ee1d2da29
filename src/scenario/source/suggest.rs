//! Suggestions for misspelled words: `did you mean 'messages'?`
//!
//! All messages use the same measure of similarity.

/// The known word that is most similar to `word`, if one is similar enough.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word);
    // A third of the letters may differ. That covers typos but not other words.
    let allowed = (folded.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A hint for a misspelled word: the most similar known word, or else the list of known words.
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(near) = nearest(word, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let known: Vec<String> = known.into_iter().map(|word| format!("`{word}`")).collect();
    (!known.is_empty()).then(|| format!("expected one of: {}", known.join(", ")))
}

/// Case and the choice between `-` and `_` do not matter.
fn fold(word: &str) -> String {
    // The measure is quadratic, and no known word is longer.
    word.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_no_more() {
        let known = ["messages", "rate", "max_in_flight"];
        assert_eq!(nearest("mesages", known), Some("messages"));
        assert_eq!(nearest("Max-In-Flight", known), Some("max_in_flight"));
        assert_eq!(nearest("ratte", known), Some("rate"));
        assert_eq!(nearest("partition", known), None);
        assert_eq!(hint("zzz", ["a", "b"]), Some("expected one of: `a`, `b`".to_owned()));
        assert_eq!(hint("zzzz", []), None);
    }
}
