//! All end-to-end tests in one binary: it links librdkafka and OpenSSL once, not once for each area.
//! A module here is an area; what they stand on is `tests/lab`.

#[path = "../lab/mod.rs"]
mod lab;
mod lab_itself;
