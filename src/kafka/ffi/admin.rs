//! Creates and deletes topics, and reads the results.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka_sys as sys;

use super::base::{ErrStr, c_string, millis, rd_kafka_event_error, rd_kafka_topic_result_error, text};
use super::event::Event;
use super::handle::Handle;
use crate::kafka::client::code::Code;
use crate::kafka::ffi::messages::queue::Queue;

impl Handle {
    /// Sends CreateTopics for one topic. The response arrives in `queue`.
    pub(crate) fn create_topic(
        &self,
        topic: &NewTopic<'_>,
        timeout: Duration,
        queue: &Queue,
    ) -> Result<(), String> {
        let mut errstr = ErrStr::new();
        let name = c_string(topic.name);
        // SAFETY: the client and the queue are alive; strings are NUL-terminated and copied; the new topic is destroyed once,
        // after the call that copies it.
        unsafe {
            let mut new = sys::rd_kafka_NewTopic_new(
                name.as_ptr(),
                topic.partitions,
                topic.replication,
                errstr.as_mut_ptr(),
                ErrStr::SIZE,
            );
            if new.is_null() {
                return Err(errstr.text());
            }
            for (key, value) in topic.config {
                let (key, value) = (c_string(key), c_string(value));
                sys::rd_kafka_NewTopic_set_config(new, key.as_ptr(), value.as_ptr());
            }
            let options =
                self.admin_options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout);
            sys::rd_kafka_CreateTopics(self.as_ptr(), &raw mut new, 1, options, queue.as_ptr());
            sys::rd_kafka_AdminOptions_destroy(options);
            sys::rd_kafka_NewTopic_destroy(new);
        }
        Ok(())
    }

    /// Sends DeleteTopics for one topic. The response arrives in `queue`.
    pub(crate) fn delete_topic(&self, name: &str, timeout: Duration, queue: &Queue) {
        let name = c_string(name);
        // SAFETY: as in `create_topic`.
        unsafe {
            let mut topic = sys::rd_kafka_DeleteTopic_new(name.as_ptr());
            let options =
                self.admin_options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS, timeout);
            sys::rd_kafka_DeleteTopics(self.as_ptr(), &raw mut topic, 1, options, queue.as_ptr());
            sys::rd_kafka_AdminOptions_destroy(options);
            sys::rd_kafka_DeleteTopic_destroy(topic);
        }
    }

    /// Options with both of librdkafka's admin timeouts. The caller destroys them.
    fn admin_options(
        &self,
        operation: sys::rd_kafka_admin_op_t,
        timeout: Duration,
    ) -> *mut sys::rd_kafka_AdminOptions_t {
        let mut errstr = ErrStr::new();
        let wait = millis(timeout).clamp(1, 3_600_000);
        // SAFETY: the client is alive; the options are new; the buffer has the given length.
        unsafe {
            let options = sys::rd_kafka_AdminOptions_new(self.as_ptr(), operation);
            sys::rd_kafka_AdminOptions_set_request_timeout(options, wait, errstr.as_mut_ptr(), ErrStr::SIZE);
            sys::rd_kafka_AdminOptions_set_operation_timeout(
                options,
                wait,
                errstr.as_mut_ptr(),
                ErrStr::SIZE,
            );
            options
        }
    }
}

pub(crate) struct NewTopic<'a> {
    pub(crate) name: &'a str,
    pub(crate) partitions: i32,
    pub(crate) replication: i32,
    pub(crate) config: &'a BTreeMap<String, String>,
}

pub(crate) struct TopicAnswer {
    pub(crate) code: Code,
    pub(crate) text: String,
}

impl Event {
    /// The answer to CreateTopics or DeleteTopics for one topic; `None` for other kinds of event.
    pub(crate) fn topic_answer(&mut self) -> Option<TopicAnswer> {
        // SAFETY: alive; results and their strings live with the event and are copied.
        unsafe {
            let kind = sys::rd_kafka_event_type(self.as_ptr());
            if kind != sys::RD_KAFKA_EVENT_CREATETOPICS_RESULT
                && kind != sys::RD_KAFKA_EVENT_DELETETOPICS_RESULT
            {
                return None;
            }
            let code = rd_kafka_event_error(self.as_ptr());
            if code != 0 {
                return Some(TopicAnswer {
                    code: Code(code),
                    text: text(sys::rd_kafka_event_error_string(self.as_ptr())),
                });
            }
            let mut count = 0;
            let results = if kind == sys::RD_KAFKA_EVENT_CREATETOPICS_RESULT {
                let result = sys::rd_kafka_event_CreateTopics_result(self.as_ptr());
                sys::rd_kafka_CreateTopics_result_topics(result, &raw mut count)
            } else {
                let result = sys::rd_kafka_event_DeleteTopics_result(self.as_ptr());
                sys::rd_kafka_DeleteTopics_result_topics(result, &raw mut count)
            };
            if count == 0 || results.is_null() {
                return Some(TopicAnswer { code: Code(-1), text: "an empty response".into() });
            }
            let result = *results;
            Some(TopicAnswer {
                code: Code(rd_kafka_topic_result_error(result)),
                text: text(sys::rd_kafka_topic_result_error_string(result)),
            })
        }
    }
}
