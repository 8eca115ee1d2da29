//! The mock cluster inside librdkafka.

use std::ffi::c_int;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as sys;

use super::base::{c_string, millis, rd_kafka_mock_push_request_errors_array, text};
use super::handle::Handle;
use crate::kafka::client::code::Code;

pub(crate) struct Mock {
    cluster: NonNull<sys::rd_kafka_mock_cluster_t>,
    _handle: Arc<Handle>,
}

// SAFETY: the mock cluster's functions send an operation to its own thread, or take its lock.
unsafe impl Send for Mock {}
// SAFETY: as above.
unsafe impl Sync for Mock {}

impl Mock {
    pub(crate) fn start(handle: &Arc<Handle>, brokers: i32) -> Option<Self> {
        // SAFETY: the client is alive, and outlives the cluster.
        let cluster = unsafe { sys::rd_kafka_mock_cluster_new(handle.as_ptr(), brokers) };
        NonNull::new(cluster).map(|cluster| Self { cluster, _handle: Arc::clone(handle) })
    }

    pub(crate) fn bootstrap(&self) -> String {
        // SAFETY: alive; the string is valid as long as the cluster and is copied.
        unsafe { text(sys::rd_kafka_mock_cluster_bootstraps(self.cluster.as_ptr())) }
    }

    pub(crate) fn create_topic(&self, name: &str, partitions: i32, replication: i32) -> bool {
        let name = c_string(name);
        // SAFETY: alive; the name is NUL-terminated; the result is one of librdkafka's own codes.
        let code = unsafe {
            sys::rd_kafka_mock_topic_create(self.cluster.as_ptr(), name.as_ptr(), partitions, replication)
        };
        code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
    }

    pub(crate) fn push_errors(&self, api: i16, codes: &[Code]) {
        let codes: Vec<c_int> = codes.iter().map(|code| code.0).collect();
        // SAFETY: alive; the array has the given length and is copied.
        unsafe {
            rd_kafka_mock_push_request_errors_array(self.cluster.as_ptr(), api, codes.len(), codes.as_ptr());
        }
    }

    /// Records all requests from now on.
    pub(crate) fn track(&self) {
        // SAFETY: alive.
        unsafe { sys::rd_kafka_mock_start_request_tracking(self.cluster.as_ptr()) }
    }

    /// The API keys of the recorded requests, in order.
    pub(crate) fn tracked(&self) -> Vec<i16> {
        let mut count = 0;
        // SAFETY: alive; the array is owned, contains `count` requests, and is destroyed with them once.
        unsafe {
            let requests = sys::rd_kafka_mock_get_requests(self.cluster.as_ptr(), &raw mut count);
            if requests.is_null() {
                return Vec::new();
            }
            let keys =
                (0..count).map(|index| sys::rd_kafka_mock_request_api_key(*requests.add(index))).collect();
            sys::rd_kafka_mock_request_destroy_array(requests, count);
            keys
        }
    }

    pub(crate) fn set_rtt(&self, broker: i32, rtt: Duration) {
        // SAFETY: alive; an unknown broker is an error that changes nothing.
        let _ = unsafe { sys::rd_kafka_mock_broker_set_rtt(self.cluster.as_ptr(), broker, millis(rtt)) };
    }

    pub(crate) fn set_down(&self, broker: i32, down: bool) {
        // SAFETY: as in `set_rtt`.
        let _ = unsafe {
            if down {
                sys::rd_kafka_mock_broker_set_down(self.cluster.as_ptr(), broker)
            } else {
                sys::rd_kafka_mock_broker_set_up(self.cluster.as_ptr(), broker)
            }
        };
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // SAFETY: owned; its client is alive until after this call.
        unsafe { sys::rd_kafka_mock_cluster_destroy(self.cluster.as_ptr()) }
    }
}
