//! The type of a YAML scalar without quotes, by the rules of YAML 1.2: `yes` and `on` are strings, `0x10` is
//! a number.
//!
//! serde_yaml parses numbers, booleans and null only. It would turn some strings, which `${}` may contain,
//! into lists or mappings.

use serde_json::Value as Json;
use serde_yaml::Value as Yaml;

/// Null, a boolean, a number, or otherwise the text itself.
pub(crate) fn meaning(text: &str) -> Json {
    if !may_be_more_than_text(text) {
        return if text.is_empty() { Json::Null } else { Json::from(text) };
    }
    let read = match serde_yaml::from_str(text) {
        Ok(Yaml::Null) => Some(Json::Null),
        Ok(Yaml::Bool(boolean)) => Some(Json::Bool(boolean)),
        Ok(Yaml::Number(number)) => in_json(&number),
        Ok(_) => None,
        // Integers of more than 64 bits.
        Err(_) => serde_yaml::from_str::<f64>(text).ok().map(Json::from),
    };
    read.unwrap_or_else(|| Json::from(text))
}

/// Whether a text may be more than a string: only letters, digits and the signs of numbers. A single `-`
/// would start a list; `---` and `...` are document markers.
fn may_be_more_than_text(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text == "~" || (text.bytes().all(fits) && text.bytes().any(|byte| byte.is_ascii_alphanumeric()))
}

/// JSON has no infinity and no NaN.
fn in_json(number: &serde_yaml::Number) -> Option<Json> {
    let whole = number.as_u64().map(Json::from).or_else(|| number.as_i64().map(Json::from));
    whole.or_else(|| number.as_f64().and_then(serde_json::Number::from_f64).map(Json::Number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_booleans_and_nothing_are_told_from_texts() {
        for (text, value) in [
            ("", Json::Null),
            ("~", Json::Null),
            ("null", Json::Null),
            ("True", json!(true)),
            ("-17", json!(-17)),
            ("0x1F", json!(31)),
            ("1e3", json!(1000.0)),
            ("18446744073709551615", json!(u64::MAX)),
            ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
        ] {
            assert_eq!(meaning(text), value, "{text}");
        }
        for text in [
            "yes", "on", "007", "-", "--", "---", "...", "- a", "a: b", "[1]", "{}", "*a", "&a", "!x 1",
            "# 1", "1 # 1", " 1", "1 ", "1\n2", "'1'", "~ ~", ".inf", "-.inf", ".nan", "NaN", "1e999", "5s",
            "1_000",
        ] {
            assert_eq!(meaning(text), json!(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_scalar_means_in_a_file_what_it_means_alone(
            text in prop_oneof![
                "[-+]?[0-9._xobefaE+-]{1,12}",
                "[-+]?0[xob][0-9a-f+-]{0,20}",
                "[0-9]{15,45}",
                "(true|True|no|yes|on|null|~|Null|nan|\\.nan|\\.inf|inf|infinity|-inf)",
                "[-+.~]{1,4}",
            ]
        ) {
            let Ok(Yaml::Mapping(theirs)) = serde_yaml::from_str(&format!("key: {text}")) else { return Ok(()) };
            let theirs = match theirs.get("key") {
                Some(Yaml::Number(number)) => in_json(number).unwrap_or_else(|| json!(text)),
                Some(other) => serde_json::to_value(other)?,
                None => return Ok(()),
            };
            if !theirs.is_array() {
                prop_assert_eq!(meaning(&text), theirs, "{}", text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let value = meaning(&text);
            prop_assert!(!value.is_array() && !value.is_object());
        }
    }
}
