//! The repository keeps its rules: layers of the source tree, docs and schemas that fit the code, plain English.

mod architecture;
mod docs;
mod schemas;
mod words;
