//! How the C library's allocator keeps memory, which is librdkafka's.

use std::sync::Once;

/// Freed memory that each heap keeps before it gives some back to the system.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: i32 = 64 << 20;
/// From this size on, memory comes from the system itself and goes back at once: above the answers to a fetch.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE: i32 = 8 << 20;

/// Sets it once for the process. Each answer of a broker is a buffer of up to 1 MiB, and each record in it an allocation of one
/// thread that another one frees. By glibc's own settings that memory goes back to the system at each turn, and is mapped and
/// cleared again for the next.
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
            // SAFETY: glibc's own, with its own constants; it takes its lock. What it refuses stays as it was.
            unsafe {
                mallopt(M_TRIM_THRESHOLD, KEPT);
                mallopt(M_MMAP_THRESHOLD, LARGE);
            }
        }
    });
}
