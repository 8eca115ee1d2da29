//! Links librdkafka with one of its functions replaced (see `__wrap_rd_kafka_metadata_update_op` in `src/kafka/raw/hints.rs`),
//! and with one more (`src/kafka/raw/headers.c`).

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/kafka/raw/headers.c");
    // GNU ld and lld know it; other linkers do without, and keep librdkafka's own.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-link-arg=-Wl,--wrap=rd_kafka_metadata_update_op");
    }
    let root = std::env::var("DEP_RDKAFKA_ROOT").expect("rdkafka-sys builds librdkafka, and says where");
    let root = Path::new(&root);
    cc::Build::new()
        .file("src/kafka/raw/headers.c")
        .include(root)
        .include(root.join("src"))
        .opt_level(2)
        // Of librdkafka's headers.
        .warnings(false)
        .compile("kaf6_headers");
}
