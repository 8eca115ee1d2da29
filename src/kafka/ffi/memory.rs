//! Settings of the C library's allocator, which librdkafka uses.

use std::sync::Once;

/// Freed memory that each heap keeps before it returns some to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: i32 = 64 << 20;
/// Minimum size of allocations that are mapped separately and returned to the system when freed. Larger than the
/// responses to a fetch.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: i32 = 8 << 20;

/// Applies the settings once per process. Each response of a broker is a buffer of up to 1 MiB, and each record in it is
/// an allocation that another thread frees. With glibc's defaults, this memory is returned to the system and mapped and
/// cleared again each time.
pub(super) fn settle() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        {
            use std::ffi::c_int;

            const M_TRIM_THRESHOLD: c_int = -1;
            const M_MMAP_THRESHOLD: c_int = -3;
            unsafe extern "C" {
                fn mallopt(parameter: c_int, value: c_int) -> c_int;
            }
            // SAFETY: a function of glibc with glibc's constants; it takes its own lock. A rejected value changes
            // nothing.
            unsafe {
                mallopt(M_TRIM_THRESHOLD, KEPT);
                mallopt(M_MMAP_THRESHOLD, LARGE);
            }
        }
    });
}
