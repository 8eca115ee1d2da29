//! A client's configuration, set property by property before the client is created.

use std::ffi::CStr;
use std::ptr::NonNull;

use rdkafka_sys as sys;

use super::base::{ErrStr, c_string};

/// librdkafka's reason for rejecting a property.
pub(crate) struct PropertyRefusal {
    /// Whether the property itself is unknown.
    pub(crate) unknown: bool,
    /// librdkafka's error text, which may contain the value.
    pub(crate) text: String,
}

pub(crate) struct Config {
    conf: NonNull<sys::rd_kafka_conf_t>,
    /// Whether the client's background thread renews its SASL tokens.
    pub(super) renews_tokens: bool,
}

impl Config {
    pub(crate) fn new() -> Self {
        // SAFETY: no preconditions. It returns null only if memory is exhausted, and librdkafka aborts in that case.
        let conf = unsafe { sys::rd_kafka_conf_new() };
        let conf = NonNull::new(conf).expect("rd_kafka_conf_new aborts without memory");
        Self { conf, renews_tokens: false }
    }

    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_conf_t {
        self.conf.as_ptr()
    }

    /// Makes a background thread of the client renew its SASL tokens. Otherwise, only clients that poll their main
    /// queue renew them: producers, but not readers or clients for single requests. Needed only for OAUTHBEARER.
    pub(crate) fn renew_tokens(&mut self) {
        // SAFETY: the configuration is alive.
        unsafe { sys::rd_kafka_conf_enable_sasl_queue(self.as_ptr(), 1) };
        self.renews_tokens = true;
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), PropertyRefusal> {
        let (name, value) = (c_string(name), c_string(value));
        let mut errstr = ErrStr::new();
        // SAFETY: the configuration is alive, the strings are NUL-terminated and copied, the buffer has the given
        // length.
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
    /// The names of all properties that have a value, including default values.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut count = 0;
        // SAFETY: the configuration is alive. The result is an array of `count` NUL-terminated strings, alternately
        // names and values, which is freed below and not kept.
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
        // SAFETY: owned, and not given to a client (`Handle::new` forgets it in that case).
        unsafe { sys::rd_kafka_conf_destroy(self.as_ptr()) }
    }
}
