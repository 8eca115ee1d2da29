//! Compiles when a scenario or fault starts: `after`, `at` and `when`.

use super::context::Context;
use crate::plan::Start;
use crate::scenario::format::Written;
use crate::scenario::format::expr;
use crate::scenario::source::node::below;
use crate::units::Duration;

/// Compiles when a scenario or fault starts.
pub(crate) fn start(
    cx: &mut Context<'_>,
    pointer: &str,
    what: &str,
    after: Option<String>,
    at: Option<&Written<Duration>>,
    when: Option<&str>,
) -> Start {
    let at = cx.quantity(&below(pointer, "at"), at);
    let at_when = below(pointer, "when");
    let when = when.and_then(|text| match expr::when(text) {
        Ok(when) => Some(when),
        Err(error) => {
            cx.about_value(&at_when, &error.message, error.hint, "a start by count");
            None
        }
    });
    if when.is_some() && at.is_some() {
        let hint = Some(format!("{what} starts by time or by count; remove one of the two"));
        cx.at_key(&at_when, "`when` and `at` cannot be combined", hint);
    }
    Start { after, at: at.unwrap_or_default().std(), when }
}
