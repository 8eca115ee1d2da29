//! Verifies the rules of the repository: layers, docs and schemas that match the code, plain English.

mod architecture;
#[path = "../harness/defaults.rs"]
mod defaults;
mod docs;
mod schemas;
mod words;
