//! A bar in a table cell: the start and length of a period, or a share of a whole.
//!
//! The table shows the same numbers as text, so the bar is hidden from screen readers.

use super::{WIDTH, put, sane};

/// A bar from `start` to `start + length`, both as shares of 1.
pub fn bar(start: f64, length: f64, class: &'static str) -> String {
    let start = sane(start).clamp(0.0, 1.0);
    let length = sane(length).clamp(0.0, 1.0 - start);
    let mut out = format!(
        "<svg class=\"bar {class}\" aria-hidden=\"true\" viewBox=\"0 0 {WIDTH} 10\" preserveAspectRatio=\"none\">\
         <rect height=\"10\" x=\""
    );
    put(&mut out, (start * WIDTH).min(WIDTH - 4.0));
    out.push_str("\" width=\"");
    put(&mut out, (length * WIDTH).max(4.0));
    out.push_str("\"/></svg>");
    out
}
