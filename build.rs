//! Links librdkafka with some of its functions replaced (see `src/kafka/ffi/hints.rs` and `checksums.c`), and with one more
//! (`headers.c`).

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let root = std::env::var("DEP_RDKAFKA_ROOT").expect("rdkafka-sys builds librdkafka, and says where");
    let root = Path::new(&root);
    let mut build = cc::Build::new();
    build.include(root).include(root.join("src")).opt_level(2);
    // Of librdkafka's headers.
    build.warnings(false);
    let mut sources = vec!["src/kafka/ffi/headers.c"];
    // GNU ld and lld know it; other linkers do without, and keep librdkafka's own.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        for function in ["rd_kafka_metadata_update_op", "rd_slice_read", "rd_kafka_consumer_err"] {
            println!("cargo:rustc-link-arg=-Wl,--wrap={function}");
        }
        sources.push("src/kafka/ffi/checksums.c");
    }
    for source in &sources {
        println!("cargo:rerun-if-changed={source}");
    }
    build.files(sources).compile("kaf6_librdkafka");
}
