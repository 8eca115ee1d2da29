//! Formats a line of a container's log for people: only the message of a JSON object.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// The keys that loggers use for the message. The next constants are for its level, and for its time, which is omitted.
const MESSAGE: [&str; 6] = ["msg", "message", "@message", "@m", "event", "short_message"];
const LEVEL: [&str; 6] = ["level", "severity", "lvl", "@level", "@l", "log.level"];
const TIME: [&str; 7] = ["time", "timestamp", "ts", "@timestamp", "@t", "date", "datetime"];

/// Formats a JSON object with a message as `ERROR flush failed (error=connection refused, partition=3)`. Other lines
/// are unchanged.
pub(crate) fn readable(line: &str) -> Cow<'_, str> {
    if !line.trim_start().starts_with('{') {
        return line.into();
    }
    let Ok(mut object) = serde_json::from_str::<Map<String, Value>>(line) else { return line.into() };
    // Loggers of the tracing crate put the event into a separate object.
    if let Some(Value::Object(fields)) = object.remove("fields") {
        object.extend(fields);
    }
    let Some(message) = take(&mut object, MESSAGE) else { return line.into() };
    let level = take(&mut object, LEVEL).map(|level| level.to_uppercase()).unwrap_or_default();
    object.retain(|name, _| !TIME.contains(&name.as_str()));
    let more: Vec<String> = object.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect();
    let more = if more.is_empty() { String::new() } else { format!("({})", more.join(", ")) };
    let parts: Vec<String> = [level, message, more].into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return line.into();
    }
    // Keep it on one line.
    parts.join(" ").replace(['\n', '\r'], " ").into()
}

/// Removes and returns the first of these values that is text.
fn take<const N: usize>(object: &mut Map<String, Value>, names: [&str; N]) -> Option<String> {
    let name = names.into_iter().find(|name| object.get(*name).is_some_and(Value::is_string))?;
    object.shift_remove(name)?.as_str().map(str::to_owned)
}

/// A text without its quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_shows_its_level_its_message_and_the_rest() {
        for (line, shown) in [
            (
                r#"{"time":"2026-01-16T14:54:02Z","level":"ERROR","msg":"flush failed","error":"no route","partition":3}"#,
                "ERROR flush failed (error=no route, partition=3)",
            ),
            (
                r#"{"timestamp":"t","level":"info","fields":{"message":"ready","port":9092},"target":"tansu"}"#,
                "INFO ready (target=tansu, port=9092)",
            ),
            (r#"{"message":"two\nlines"}"#, "two lines"),
            (r#"{"level":"error","caller":"a.go:3","msg":""}"#, "ERROR (caller=a.go:3)"),
            (r#"{"msg":"","caller":"a.go:3"}"#, "(caller=a.go:3)"),
            (r#"{"level":"error","msg":""}"#, "ERROR"),
            (
                r#"  {"@timestamp":"t","severity":"WARN","message":"slow","labels":{"a":1}}"#,
                r#"WARN slow (labels={"a":1})"#,
            ),
        ] {
            assert_eq!(readable(line), shown);
        }
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        for line in
            ["", "plain", "{broken", r#"{"a":1}"#, r#"{"msg":7}"#, r#"["msg"]"#, "{}", r#"{"msg":""}"#]
        {
            assert_eq!(readable(line), line);
        }
    }
}
