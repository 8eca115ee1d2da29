//! From a record to bytes: json, html, junit, console.
pub mod summary;
