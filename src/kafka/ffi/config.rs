//! A client's configuration, property by property, before the client is made.

use std::ffi::CStr;
use std::ptr::NonNull;

use rdkafka_sys as sys;

use super::base::{ErrStr, c_string};

/// Why librdkafka does not take a property.
pub(crate) struct PropertyRefusal {
    /// It knows no such property.
    pub(crate) unknown: bool,
    /// Its words; they may hold the value.
    pub(crate) text: String,
}

/// A client's configuration, before the client is made.
pub(crate) struct Config {
    conf: NonNull<sys::rd_kafka_conf_t>,
    /// The client's background thread renews its SASL tokens.
    pub(super) renews_tokens: bool,
}

impl Config {
    pub(crate) fn new() -> Self {
        // SAFETY: no preconditions. It returns null only without memory, where librdkafka aborts by itself.
        let conf = unsafe { sys::rd_kafka_conf_new() };
        let conf = NonNull::new(conf).expect("rd_kafka_conf_new aborts without memory");
        Self { conf, renews_tokens: false }
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_conf_t {
        self.conf.as_ptr()
    }

    /// Lets the client renew its SASL tokens in a thread of its own. Without, only what polls its main queue does: a producer,
    /// and neither a reader nor a client for requests. Of use with OAUTHBEARER alone.
    pub(crate) fn renew_tokens(&mut self) {
        // SAFETY: the configuration is alive.
        unsafe { sys::rd_kafka_conf_enable_sasl_queue(self.as_ptr(), 1) };
        self.renews_tokens = true;
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), PropertyRefusal> {
        let (name, value) = (c_string(name), c_string(value));
        let mut errstr = ErrStr::new();
        // SAFETY: the configuration is alive, the strings are NUL-terminated and copied, the buffer is as long as said.
        let result = unsafe {
            sys::rd_kafka_conf_set(
                self.as_ptr(),
                name.as_ptr(),
                value.as_ptr(),
                errstr.as_mut_ptr(),
                ErrStr::SIZE,
            )
        };
        match result {
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => {
                Err(PropertyRefusal { unknown: true, text: errstr.text() })
            }
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_INVALID => {
                Err(PropertyRefusal { unknown: false, text: errstr.text() })
            }
        }
    }
}

impl Config {
    /// The names of the properties that have a value, also by default.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut count = 0;
        // SAFETY: the configuration is alive. The answer is an array of `count` NUL-terminated strings, names and values in
        // turn, that is freed below and not kept.
        unsafe {
            let all = sys::rd_kafka_conf_dump(self.as_ptr(), &raw mut count);
            let name = |at| CStr::from_ptr(*all.add(at)).to_string_lossy().into_owned();
            let names = (0..count).step_by(2).map(name).collect();
            sys::rd_kafka_conf_dump_free(all, count);
            names
        }
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: owned, and not given to a client (`Handle::new` forgets it then).
        unsafe { sys::rd_kafka_conf_destroy(self.as_ptr()) }
    }
}
