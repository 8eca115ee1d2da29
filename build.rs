//! Links librdkafka with one of its functions replaced: see `__wrap_rd_kafka_metadata_update_op` in `src/kafka/raw/hints.rs`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // GNU ld and lld know it; other linkers do without, and keep librdkafka's own.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-link-arg=-Wl,--wrap=rd_kafka_metadata_update_op");
    }
}
