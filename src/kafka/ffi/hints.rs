//! Ignores the leader hints of brokers, because they crash librdkafka; see `build.rs`.

use std::ffi::c_void;

/// Replaces librdkafka's handling of leader hints in Produce and Fetch responses (KIP-951). librdkafka reads
/// uninitialized memory if a hint has no leader. It dereferences a null pointer if a broker that has forgotten a topic
/// answers without the topic's id (librdkafka issues 5280 and 5430; seen with a restarted Tansu). Ignoring the hints is
/// safe: the error in the same answer makes librdkafka request metadata. `build.rs` links this function instead of
/// librdkafka's.
///
/// Returns 1, `RD_KAFKA_OP_RES_HANDLED`: the caller frees the operation and continues.
// SAFETY: no other function has this name, neither argument is used, and the operation owns what they point to.
#[unsafe(no_mangle)]
extern "C" fn __wrap_rd_kafka_metadata_update_op(_client: *mut c_void, _hints: *mut c_void) -> i32 {
    1
}
