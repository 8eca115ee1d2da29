//! Verifies the rules of the repository: layers, docs and schemas that match the code, plain English.

mod architecture;
mod docs;
mod schemas;
mod words;
