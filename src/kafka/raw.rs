//! The only unsafe code of kaf6: thin safe wrappers over rdkafka-sys for what the rdkafka crate does not offer.
//!
//! Owns the lifetimes: topics and queues hold their client, messages and events own their memory.
#![expect(unsafe_code, reason = "librdkafka is C; every other module of kaf6 is safe Rust")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::Duration;

use rdkafka_sys as sys;

use super::cluster::Metadata;
use super::code::Code;
use super::wake::Signal;

// Functions whose error code may come from a broker, declared with a plain number: rdkafka-sys declares a Rust enum
// there, for which a number that it does not list is undefined behaviour. The C type is an `int`-sized enum.
unsafe extern "C" {
    fn rd_kafka_err2name(code: c_int) -> *const c_char;
    fn rd_kafka_err2str(code: c_int) -> *const c_char;
    fn rd_kafka_last_error() -> c_int;
    fn rd_kafka_event_error(event: *mut sys::rd_kafka_event_t) -> c_int;
    fn rd_kafka_error_code(error: *const sys::rd_kafka_error_t) -> c_int;
    fn rd_kafka_topic_result_error(result: *const sys::rd_kafka_topic_result_t) -> c_int;
    fn rd_kafka_metadata(
        rk: *mut sys::rd_kafka_t,
        all_topics: c_int,
        only_rkt: *mut sys::rd_kafka_topic_t,
        metadatap: *mut *const sys::rd_kafka_metadata,
        timeout_ms: c_int,
    ) -> c_int;
    fn rd_kafka_query_watermark_offsets(
        rk: *mut sys::rd_kafka_t,
        topic: *const c_char,
        partition: i32,
        low: *mut i64,
        high: *mut i64,
        timeout_ms: c_int,
    ) -> c_int;
    fn rd_kafka_offsets_for_times(
        rk: *mut sys::rd_kafka_t,
        offsets: *mut sys::rd_kafka_topic_partition_list_t,
        timeout_ms: c_int,
    ) -> c_int;
    fn rd_kafka_mock_push_request_errors_array(
        cluster: *mut sys::rd_kafka_mock_cluster_t,
        api: i16,
        count: usize,
        errors: *const c_int,
    );
}

/// librdkafka's `RD_KAFKA_PARTITION_UA` and friends start below this; offsets of records do not.
pub(super) const OFFSET_BEGINNING: i64 = -2;

/// Milliseconds for librdkafka: rounded up, so that a short wait is not none, and never its "forever" (-1).
fn millis(timeout: Duration) -> c_int {
    c_int::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX)
}

/// The text at a C string; empty for null.
///
/// # Safety
/// `text` is null, or a NUL-terminated string that lives and does not change during the call.
unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and by the caller's promise a NUL-terminated string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A name for librdkafka; what follows a NUL byte is cut, as C would.
pub(super) fn c_string(text: &str) -> CString {
    let bytes: Vec<u8> = text.bytes().take_while(|byte| *byte != 0).collect();
    CString::new(bytes).unwrap_or_default()
}

/// A code's name and its sentence.
pub(super) fn describe(code: Code) -> (String, String) {
    // SAFETY: both take any number and return static or thread-local strings, copied before the next call.
    unsafe { (text(rd_kafka_err2name(code.0)), text(rd_kafka_err2str(code.0))) }
}

/// Bytes of a C pointer and length; none for null.
///
/// # Safety
/// `pointer` is null, or `length` bytes live at it, unchanged, for `'a`.
unsafe fn bytes<'a>(pointer: *const c_void, length: usize) -> Option<&'a [u8]> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not null, and by the caller's promise `length` bytes for `'a`; u8 needs no alignment.
    Some(unsafe { std::slice::from_raw_parts(pointer.cast(), length) })
}

/// What is told of each log line: level, facility, text.
pub(super) type OnLog = Box<dyn Fn(u8, &str, &str) + Send + Sync>;

/// What librdkafka's opaque pointer points to.
struct Opaque {
    on_log: OnLog,
}

unsafe extern "C" fn log_cb(
    rk: *const sys::rd_kafka_t,
    level: c_int,
    facility: *const c_char,
    line: *const c_char,
) {
    if rk.is_null() || facility.is_null() || line.is_null() {
        return;
    }
    // SAFETY: `rk` is a client under construction, alive or being destroyed, made by `Handle::new`, which set its opaque
    // pointer to an `Opaque` that outlives it.
    let opaque = unsafe { sys::rd_kafka_opaque(rk).cast::<Opaque>().as_ref() };
    let Some(opaque) = opaque else { return };
    // SAFETY: librdkafka passes NUL-terminated strings that live during this call.
    let (facility, line) = unsafe { (CStr::from_ptr(facility), CStr::from_ptr(line)) };
    (opaque.on_log)(u8::try_from(level).unwrap_or(7), &facility.to_string_lossy(), &line.to_string_lossy());
}

/// Why librdkafka does not take a property.
pub(super) struct Refusal {
    /// It knows no such property.
    pub(super) unknown: bool,
    /// Its words; they may hold the value.
    pub(super) text: String,
}

/// A client's configuration, before the client is made.
pub(super) struct Config(NonNull<sys::rd_kafka_conf_t>);

impl Config {
    pub(super) fn new() -> Self {
        // SAFETY: no preconditions. It returns null only without memory, where librdkafka aborts by itself.
        let conf = unsafe { sys::rd_kafka_conf_new() };
        Self(NonNull::new(conf).expect("rd_kafka_conf_new aborts without memory"))
    }

    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let (name, value) = (c_string(name), c_string(value));
        let mut errstr = ErrStr::new();
        // SAFETY: the configuration is alive, the strings are NUL-terminated and copied, the buffer is as long as said.
        let result = unsafe {
            sys::rd_kafka_conf_set(
                self.0.as_ptr(),
                name.as_ptr(),
                value.as_ptr(),
                errstr.as_mut_ptr(),
                ErrStr::SIZE,
            )
        };
        match result {
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => {
                Err(Refusal { unknown: true, text: errstr.text() })
            }
            sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_INVALID => {
                Err(Refusal { unknown: false, text: errstr.text() })
            }
        }
    }

    /// Delivery reports come as events of the main queue.
    pub(super) fn delivery_events(&mut self) {
        // SAFETY: the configuration is alive; the flags are event types.
        unsafe { sys::rd_kafka_conf_set_events(self.0.as_ptr(), sys::RD_KAFKA_EVENT_DR) }
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: owned, and not given to a client (`Handle::new` forgets it then).
        unsafe { sys::rd_kafka_conf_destroy(self.0.as_ptr()) }
    }
}

/// A buffer for librdkafka's error texts.
struct ErrStr([u8; Self::SIZE]);

impl ErrStr {
    const SIZE: usize = 512;

    fn new() -> Self {
        Self([0; Self::SIZE])
    }

    fn as_mut_ptr(&mut self) -> *mut c_char {
        self.0.as_mut_ptr().cast()
    }

    fn text(&self) -> String {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(Self::SIZE);
        String::from_utf8_lossy(&self.0[..end]).into_owned()
    }
}

/// The two kinds of client.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Producer,
    Consumer,
}

/// A librdkafka client. Destroyed when the last topic, queue and holder of it is gone; that joins its threads.
pub(super) struct Handle {
    rk: NonNull<sys::rd_kafka_t>,
    opaque: NonNull<Opaque>,
}

// SAFETY: rd_kafka_t may be used from any thread at once, by librdkafka's documentation; `Opaque` is Send and Sync.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    pub(super) fn new(config: Config, kind: Kind, on_log: OnLog) -> Result<Arc<Self>, String> {
        let kind = match kind {
            Kind::Producer => sys::rd_kafka_type_t::RD_KAFKA_PRODUCER,
            Kind::Consumer => sys::rd_kafka_type_t::RD_KAFKA_CONSUMER,
        };
        let opaque = NonNull::from(Box::leak(Box::new(Opaque { on_log })));
        let mut errstr = ErrStr::new();
        // SAFETY: the configuration is alive; `opaque` stays valid until after rd_kafka_destroy_flags in `drop`.
        let rk = unsafe {
            sys::rd_kafka_conf_set_opaque(config.0.as_ptr(), opaque.as_ptr().cast());
            sys::rd_kafka_conf_set_log_cb(config.0.as_ptr(), Some(log_cb));
            sys::rd_kafka_new(kind, config.0.as_ptr(), errstr.as_mut_ptr(), ErrStr::SIZE)
        };
        let Some(rk) = NonNull::new(rk) else {
            // SAFETY: no client was made, so nobody else holds the pointer that was leaked above.
            drop(unsafe { Box::from_raw(opaque.as_ptr()) });
            return Err(errstr.text());
        };
        // rd_kafka_new took the configuration over.
        let _ = ManuallyDrop::new(config);
        Ok(Arc::new(Self { rk, opaque }))
    }

    fn as_ptr(&self) -> *mut sys::rd_kafka_t {
        self.rk.as_ptr()
    }

    /// Gives up on all messages, queued and in flight; their ends come as delivery reports.
    pub(super) fn purge(&self) {
        let flags =
            sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_INFLIGHT | sys::RD_KAFKA_PURGE_F_NON_BLOCKING;
        // SAFETY: the client is alive; the result is one of librdkafka's own codes.
        let _ = unsafe { sys::rd_kafka_purge(self.as_ptr(), flags) };
    }

    /// Metadata of `only`, or of all topics of the cluster.
    pub(super) fn metadata(&self, only: Option<&Topic>, timeout: Duration) -> Result<Metadata, Code> {
        let mut metadata = ptr::null();
        // SAFETY: the client and the topic (of this client, checked by the callers in this crate) are alive.
        let code = unsafe {
            let (all, only) = only.map_or((1, ptr::null_mut()), |topic| (0, topic.rkt.as_ptr()));
            rd_kafka_metadata(self.as_ptr(), all, only, &raw mut metadata, millis(timeout))
        };
        // SAFETY: librdkafka sets the pointer to metadata of ours where it succeeds.
        let Some(raw) = (unsafe { metadata.as_ref() }).filter(|_| code == 0) else { return Err(Code(code)) };
        // SAFETY: counts and pointers in it belong together, by librdkafka; it is destroyed once, after the copy.
        unsafe {
            let copy = copy_metadata(raw);
            sys::rd_kafka_metadata_destroy(metadata);
            Ok(copy)
        }
    }

    /// ListOffsets: the log's first offset and its end.
    pub(super) fn watermarks(
        &self,
        topic: &str,
        partition: i32,
        timeout: Duration,
    ) -> Result<(i64, i64), Code> {
        let topic = c_string(topic);
        let (mut low, mut high) = (0, 0);
        // SAFETY: the client is alive, the name is NUL-terminated, both results are written during the call only.
        let code = unsafe {
            rd_kafka_query_watermark_offsets(
                self.as_ptr(),
                topic.as_ptr(),
                partition,
                &raw mut low,
                &raw mut high,
                millis(timeout),
            )
        };
        if code == 0 { Ok((low, high)) } else { Err(Code(code)) }
    }

    /// ListOffsets: the first offset at or after this time; none where all records are older.
    pub(super) fn offset_at(
        &self,
        topic: &str,
        partition: i32,
        timestamp_ms: i64,
        timeout: Duration,
    ) -> Result<Option<i64>, Code> {
        let topic = c_string(topic);
        // SAFETY: the list is ours, holds the one element that is written and read here, and is destroyed once. Its error
        // field is read as a plain number, never as a Rust enum.
        unsafe {
            let list = sys::rd_kafka_topic_partition_list_new(1);
            let element = sys::rd_kafka_topic_partition_list_add(list, topic.as_ptr(), partition);
            (*element).offset = timestamp_ms;
            let code = rd_kafka_offsets_for_times(self.as_ptr(), list, millis(timeout));
            let own = (&raw const (*element).err).cast::<c_int>().read();
            let offset = (*element).offset;
            sys::rd_kafka_topic_partition_list_destroy(list);
            match (code, own) {
                (0, 0) => Ok((offset >= 0).then_some(offset)),
                (0, own) => Err(Code(own)),
                (code, _) => Err(Code(code)),
            }
        }
    }

    /// Sends CreateTopics for one topic; the answer comes to `queue`.
    pub(super) fn create_topic(
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
            sys::rd_kafka_CreateTopics(self.as_ptr(), &raw mut new, 1, options, queue.queue.as_ptr());
            sys::rd_kafka_AdminOptions_destroy(options);
            sys::rd_kafka_NewTopic_destroy(new);
        }
        Ok(())
    }

    /// Sends DeleteTopics for one topic; the answer comes to `queue`.
    pub(super) fn delete_topic(&self, name: &str, timeout: Duration, queue: &Queue) {
        let name = c_string(name);
        // SAFETY: as in `create_topic`.
        unsafe {
            let mut topic = sys::rd_kafka_DeleteTopic_new(name.as_ptr());
            let options =
                self.admin_options(sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETETOPICS, timeout);
            sys::rd_kafka_DeleteTopics(self.as_ptr(), &raw mut topic, 1, options, queue.queue.as_ptr());
            sys::rd_kafka_AdminOptions_destroy(options);
            sys::rd_kafka_DeleteTopic_destroy(topic);
        }
    }

    /// Options with both of librdkafka's admin time bounds set; the caller destroys them.
    fn admin_options(
        &self,
        operation: sys::rd_kafka_admin_op_t,
        timeout: Duration,
    ) -> *mut sys::rd_kafka_AdminOptions_t {
        let mut errstr = ErrStr::new();
        let wait = millis(timeout).clamp(1, 3_600_000);
        // SAFETY: the client is alive; the options are fresh; the buffer is as long as said.
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

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: topics, queues, messages and events hold an Arc of this handle or borrow what does, so none is left. The opaque
        // pointer is freed after the destruction, which joins all threads that could log.
        unsafe {
            sys::rd_kafka_destroy_flags(self.as_ptr(), sys::RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
            drop(Box::from_raw(self.opaque.as_ptr()));
        }
    }
}

/// A topic to create.
pub(super) struct NewTopic<'a> {
    pub(super) name: &'a str,
    pub(super) partitions: i32,
    pub(super) replication: i32,
    pub(super) config: &'a BTreeMap<String, String>,
}

/// A copy of librdkafka's metadata.
///
/// # Safety
/// Counts and pointers in `raw` belong together and live during the call.
unsafe fn copy_metadata(raw: &sys::rd_kafka_metadata) -> Metadata {
    use super::cluster::{Broker, PartitionInfo, Topic};

    // SAFETY: by the caller's promise. Error codes are read as plain numbers.
    unsafe fn list<'a, T>(pointer: *const T, count: c_int) -> &'a [T] {
        match usize::try_from(count) {
            // SAFETY: `count` elements live at `pointer`, by the promise of `copy_metadata`'s caller.
            Ok(count) if count > 0 && !pointer.is_null() => unsafe {
                std::slice::from_raw_parts(pointer, count)
            },
            _ => &[],
        }
    }
    // SAFETY: as above. A slice of structs that hold a Rust enum is formed only through raw pointers for topics and partitions.
    unsafe {
        let brokers = list(raw.brokers, raw.broker_cnt);
        let brokers = brokers.iter().map(|b| Broker { id: b.id, host: text(b.host), port: b.port }).collect();
        let mut topics = Vec::new();
        for index in 0..usize::try_from(raw.topic_cnt).unwrap_or(0) {
            let topic = raw.topics.add(index);
            let mut partitions = Vec::new();
            for index in 0..usize::try_from((*topic).partition_cnt).unwrap_or(0) {
                let partition = (*topic).partitions.add(index);
                partitions.push(PartitionInfo {
                    id: (*partition).id,
                    leader: Some((*partition).leader).filter(|leader| *leader >= 0),
                    replicas: list((*partition).replicas, (*partition).replica_cnt).to_vec(),
                    isrs: list((*partition).isrs, (*partition).isr_cnt).to_vec(),
                    code: Code((&raw const (*partition).err).cast::<c_int>().read()),
                });
            }
            partitions.sort_by_key(|partition| partition.id);
            topics.push(Topic {
                name: text((*topic).topic),
                code: Code((&raw const (*topic).err).cast::<c_int>().read()),
                partitions,
            });
        }
        Metadata { brokers, topics, answered_by: text(raw.orig_broker_name) }
    }
}

/// A topic of a client.
pub(super) struct Topic {
    rkt: NonNull<sys::rd_kafka_topic_t>,
    handle: Arc<Handle>,
}

// SAFETY: rd_kafka_topic_t may be used from any thread, like its client.
unsafe impl Send for Topic {}

/// A message to send.
pub(super) struct Outgoing<'a> {
    pub(super) partition: i32,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: &'a [u8],
    pub(super) headers: &'a [(&'a str, &'a [u8])],
    pub(super) tag: u64,
}

impl Topic {
    pub(super) fn open(handle: &Arc<Handle>, name: &str) -> Result<Self, Code> {
        let name = c_string(name);
        // SAFETY: the client is alive, the name is NUL-terminated; no topic configuration of its own.
        let rkt = unsafe { sys::rd_kafka_topic_new(handle.as_ptr(), name.as_ptr(), ptr::null_mut()) };
        match NonNull::new(rkt) {
            Some(rkt) => Ok(Self { rkt, handle: Arc::clone(handle) }),
            // SAFETY: no preconditions.
            None => Err(Code(unsafe { rd_kafka_last_error() })),
        }
    }

    pub(super) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    /// Hands a copy of the message to librdkafka.
    pub(super) fn produce(&self, message: &Outgoing<'_>) -> Result<(), Code> {
        if !message.headers.is_empty() {
            return self.produce_with_headers(message);
        }
        let (key, key_len) = message.key.map_or((ptr::null(), 0), |key| (key.as_ptr(), key.len()));
        // SAFETY: the topic is alive; key and value are readable for their lengths during the call, which copies them (F_COPY)
        // and does not write to them. The tag is a number in the shape of a pointer; librdkafka only hands it back.
        let result = unsafe {
            sys::rd_kafka_produce(
                self.rkt.as_ptr(),
                message.partition,
                sys::RD_KAFKA_MSG_F_COPY,
                message.value.as_ptr().cast_mut().cast(),
                message.value.len(),
                key.cast(),
                key_len,
                tag_pointer(message.tag),
            )
        };
        // SAFETY: no preconditions; it reads this thread's last error.
        if result == 0 { Ok(()) } else { Err(Code(unsafe { rd_kafka_last_error() })) }
    }

    fn produce_with_headers(&self, message: &Outgoing<'_>) -> Result<(), Code> {
        use sys::rd_kafka_vtype_t as V;
        use sys::rd_kafka_vu_s__bindgen_ty_1 as Value;

        // SAFETY: names and values are readable for the lengths given and are copied.
        let headers = unsafe {
            let headers = sys::rd_kafka_headers_new(message.headers.len());
            for (name, value) in message.headers {
                let (name_len, value_len) = (name.len().cast_signed(), value.len().cast_signed());
                sys::rd_kafka_header_add(
                    headers,
                    name.as_ptr().cast(),
                    name_len,
                    value.as_ptr().cast(),
                    value_len,
                );
            }
            headers
        };
        let mem = |bytes: &[u8]| Value {
            mem: sys::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
                ptr: bytes.as_ptr().cast_mut().cast(),
                size: bytes.len(),
            },
        };
        let unit = |vtype, u| sys::rd_kafka_vu_t { vtype, u };
        let arguments = [
            unit(V::RD_KAFKA_VTYPE_RKT, Value { rkt: self.rkt.as_ptr() }),
            unit(V::RD_KAFKA_VTYPE_PARTITION, Value { i32_: message.partition }),
            unit(V::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: sys::RD_KAFKA_MSG_F_COPY }),
            unit(V::RD_KAFKA_VTYPE_VALUE, mem(message.value)),
            unit(V::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: tag_pointer(message.tag) }),
            unit(V::RD_KAFKA_VTYPE_HEADERS, Value { headers }),
            // The last one only where there is a key: a null key is no argument at all.
            unit(V::RD_KAFKA_VTYPE_KEY, mem(message.key.unwrap_or(&[]))),
        ];
        let count = if message.key.is_some() { arguments.len() } else { arguments.len() - 1 };
        // SAFETY: the first `count` arguments are initialised with the member that their type calls for, and what they point to
        // lives during the call. The headers are librdkafka's on success and ours to destroy on failure.
        unsafe {
            let error = sys::rd_kafka_produceva(self.handle.as_ptr(), arguments.as_ptr(), count);
            if error.is_null() {
                return Ok(());
            }
            let code = rd_kafka_error_code(error);
            sys::rd_kafka_error_destroy(error);
            sys::rd_kafka_headers_destroy(headers);
            Err(Code(code))
        }
    }

    /// Starts fetching this partition from `offset` on; records and errors come to `queue`.
    pub(super) fn start(&self, partition: i32, offset: i64, queue: &Queue) -> Result<(), Code> {
        // SAFETY: topic and queue are alive and of one client.
        let result = unsafe {
            sys::rd_kafka_consume_start_queue(self.rkt.as_ptr(), partition, offset, queue.queue.as_ptr())
        };
        // SAFETY: no preconditions.
        if result == 0 { Ok(()) } else { Err(Code(unsafe { rd_kafka_last_error() })) }
    }

    /// Stops fetching it.
    pub(super) fn stop(&self, partition: i32) {
        // SAFETY: the topic is alive. It fails only where nothing was started.
        let _ = unsafe { sys::rd_kafka_consume_stop(self.rkt.as_ptr(), partition) };
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: owned, and its client is alive: `handle` is dropped after this.
        unsafe { sys::rd_kafka_topic_destroy(self.rkt.as_ptr()) }
    }
}

fn tag_pointer(tag: u64) -> *mut c_void {
    const { assert!(size_of::<usize>() == size_of::<u64>(), "kaf6 needs a 64-bit platform") }
    ptr::without_provenance_mut(tag as usize)
}

/// A queue of a client, and whom it wakes.
pub(super) struct Queue {
    queue: NonNull<sys::rd_kafka_queue_t>,
    wakes: Option<NonNull<Wakes>>,
    _handle: Arc<Handle>,
}

/// What a queue's callback points to.
struct Wakes {
    signal: Arc<Signal>,
    index: u32,
}

// SAFETY: rd_kafka_queue_t may be used from any thread; `Wakes` is Send and Sync, and owned.
unsafe impl Send for Queue {}

unsafe extern "C" fn queue_cb(_rk: *mut sys::rd_kafka_t, wakes: *mut c_void) {
    // SAFETY: set together with this callback to a `Wakes` that is freed only after the callback was taken away.
    if let Some(wakes) = unsafe { wakes.cast::<Wakes>().as_ref() } {
        wakes.signal.ready(wakes.index);
    }
}

impl Queue {
    /// The client's main queue: delivery reports of a producer.
    pub(super) fn main(handle: &Arc<Handle>) -> Self {
        // SAFETY: the client is alive; the reference that this returns is ours.
        Self::own(unsafe { sys::rd_kafka_queue_get_main(handle.as_ptr()) }, handle)
    }

    /// A queue of its own.
    pub(super) fn new(handle: &Arc<Handle>) -> Self {
        // SAFETY: the client is alive.
        Self::own(unsafe { sys::rd_kafka_queue_new(handle.as_ptr()) }, handle)
    }

    fn own(queue: *mut sys::rd_kafka_queue_t, handle: &Arc<Handle>) -> Self {
        let queue = NonNull::new(queue).expect("librdkafka aborts without memory");
        Self { queue, wakes: None, _handle: Arc::clone(handle) }
    }

    /// Whenever it is no longer empty, `index` becomes ready at `signal`. Said once; it stays so.
    pub(super) fn wakes(&mut self, signal: &Arc<Signal>, index: u32) {
        if self.wakes.is_some() {
            return;
        }
        let wakes = Box::leak(Box::new(Wakes { signal: Arc::clone(signal), index }));
        let wakes = NonNull::from(wakes);
        self.wakes = Some(wakes);
        // SAFETY: the queue is alive, and `wakes` until `drop` has taken the callback away. The callback calls nothing of
        // librdkafka, as its documentation demands.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), Some(queue_cb), wakes.as_ptr().cast());
        }
    }

    /// The next event, waiting up to `timeout`.
    pub(super) fn poll(&self, timeout: Duration) -> Option<Event> {
        // SAFETY: the queue is alive; the event is ours.
        NonNull::new(unsafe { sys::rd_kafka_queue_poll(self.queue.as_ptr(), millis(timeout)) }).map(Event)
    }

    /// Takes up to `limit` messages that are there, without waiting. A queue that gave fewer was empty.
    pub(super) fn take(&self, into: &mut Vec<Message>, limit: usize) -> usize {
        into.reserve(limit);
        let length = into.len();
        // SAFETY: `reserve` made room for `limit` elements behind `length`; a `Message` is a pointer (repr(transparent)), and
        // librdkafka fills as many as it returns with messages that become ours.
        unsafe {
            let room = into.as_mut_ptr().add(length).cast::<*mut sys::rd_kafka_message_t>();
            let count = sys::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, room, limit);
            let count = usize::try_from(count).unwrap_or(0);
            into.set_len(length + count);
            count
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: owned and alive. Taking the callback away takes the lock under which it is called, so none is running after.
        unsafe {
            if let Some(wakes) = self.wakes {
                sys::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
                drop(Box::from_raw(wakes.as_ptr()));
            }
            sys::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }
}

/// A message that was read, or an error in its place.
#[repr(transparent)]
pub(super) struct Message(NonNull<sys::rd_kafka_message_t>);

// SAFETY: an owned message; librdkafka's operations on it take their own locks.
unsafe impl Send for Message {}

impl Message {
    fn raw(&self) -> *mut sys::rd_kafka_message_t {
        self.0.as_ptr()
    }

    pub(super) fn code(&self) -> Code {
        // SAFETY: alive; the enum's memory is read as a plain number of its size.
        Code(unsafe { (&raw const (*self.raw()).err).cast::<c_int>().read() })
    }

    pub(super) fn offset(&self) -> i64 {
        // SAFETY: alive.
        unsafe { (*self.raw()).offset }
    }

    pub(super) fn key(&self) -> Option<&[u8]> {
        // SAFETY: alive and unchanged while `self` is borrowed; pointer and length belong together.
        unsafe { bytes((*self.raw()).key, (*self.raw()).key_len) }
    }

    /// The value, or for an error its text.
    pub(super) fn value(&self) -> Option<&[u8]> {
        // SAFETY: as `key`.
        unsafe { bytes((*self.raw()).payload, (*self.raw()).len) }
    }

    pub(super) fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: alive; librdkafka writes one of its three kinds.
        let time = unsafe { sys::rd_kafka_message_timestamp(self.raw(), &raw mut kind) };
        (time >= 0).then_some(time)
    }

    /// The last header of this name; null values count as empty.
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        let mut headers = ptr::null_mut();
        // SAFETY: alive. librdkafka parses the headers once and keeps them with the message; names and values live as long.
        unsafe {
            let code = sys::rd_kafka_message_headers(self.raw(), &raw mut headers);
            if code != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR || headers.is_null() {
                return None;
            }
            let mut found = None;
            for index in 0..sys::rd_kafka_header_cnt(headers) {
                let (mut key, mut value, mut size) = (ptr::null(), ptr::null(), 0);
                let code =
                    sys::rd_kafka_header_get_all(headers, index, &raw mut key, &raw mut value, &raw mut size);
                if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
                    && !key.is_null()
                    && CStr::from_ptr(key).to_bytes() == name.as_bytes()
                {
                    found = Some(bytes(value, size).unwrap_or(&[]));
                }
            }
            found
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { sys::rd_kafka_message_destroy(self.raw()) }
    }
}

/// A delivery report as librdkafka gives it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report {
    pub(super) tag: u64,
    pub(super) code: Code,
    pub(super) offset: i64,
    /// Whether librdkafka is sure that it is not in the log. Not enough on its own: see `delivery`.
    pub(super) not_persisted: bool,
    /// Since it was handed over.
    pub(super) age: Duration,
}

/// An event of a queue.
pub(super) struct Event(NonNull<sys::rd_kafka_event_t>);

/// What became of one topic of an admin request.
pub(super) struct TopicAnswer {
    pub(super) code: Code,
    pub(super) text: String,
}

impl Event {
    /// Calls `on` for each delivery report in it; none where it is another kind of event.
    pub(super) fn reports(&mut self, mut on: impl FnMut(Report)) {
        // SAFETY: alive; reports are messages that live with the event. For other kinds the first call returns null.
        unsafe {
            if sys::rd_kafka_event_type(self.0.as_ptr()) != sys::RD_KAFKA_EVENT_DR {
                return;
            }
            while let Some(message) =
                NonNull::new(sys::rd_kafka_event_message_next(self.0.as_ptr()).cast_mut())
            {
                let raw = message.as_ptr();
                let code = Code((&raw const (*raw).err).cast::<c_int>().read());
                let mut report = Report {
                    tag: (*raw)._private.addr() as u64,
                    code,
                    offset: (*raw).offset,
                    not_persisted: false,
                    age: Duration::ZERO,
                };
                if !code.is_none() {
                    report.not_persisted = sys::rd_kafka_message_status(raw)
                        == sys::rd_kafka_msg_status_t::RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
                    let age = u64::try_from(sys::rd_kafka_message_latency(raw)).unwrap_or(0);
                    report.age = Duration::from_micros(age);
                }
                on(report);
            }
        }
    }

    /// The answer to CreateTopics or DeleteTopics for one topic; none where it is another kind of event.
    pub(super) fn topic_answer(&mut self) -> Option<TopicAnswer> {
        // SAFETY: alive; results and their strings live with the event and are copied.
        unsafe {
            let kind = sys::rd_kafka_event_type(self.0.as_ptr());
            if kind != sys::RD_KAFKA_EVENT_CREATETOPICS_RESULT
                && kind != sys::RD_KAFKA_EVENT_DELETETOPICS_RESULT
            {
                return None;
            }
            let code = rd_kafka_event_error(self.0.as_ptr());
            if code != 0 {
                return Some(TopicAnswer {
                    code: Code(code),
                    text: text(sys::rd_kafka_event_error_string(self.0.as_ptr())),
                });
            }
            let mut count = 0;
            let results = if kind == sys::RD_KAFKA_EVENT_CREATETOPICS_RESULT {
                let result = sys::rd_kafka_event_CreateTopics_result(self.0.as_ptr());
                sys::rd_kafka_CreateTopics_result_topics(result, &raw mut count)
            } else {
                let result = sys::rd_kafka_event_DeleteTopics_result(self.0.as_ptr());
                sys::rd_kafka_DeleteTopics_result_topics(result, &raw mut count)
            };
            if count == 0 || results.is_null() {
                return Some(TopicAnswer { code: Code(-1), text: "an empty answer".into() });
            }
            let result = *results;
            Some(TopicAnswer {
                code: Code(rd_kafka_topic_result_error(result)),
                text: text(sys::rd_kafka_topic_result_error_string(result)),
            })
        }
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: owned, destroyed once.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) }
    }
}

/// A mock cluster.
pub(super) struct Mock {
    cluster: NonNull<sys::rd_kafka_mock_cluster_t>,
    _handle: Arc<Handle>,
}

// SAFETY: the mock cluster's functions send an operation to its own thread, or take its lock.
unsafe impl Send for Mock {}
// SAFETY: as above.
unsafe impl Sync for Mock {}

impl Mock {
    pub(super) fn start(handle: &Arc<Handle>, brokers: i32) -> Option<Self> {
        // SAFETY: the client is alive, and outlives the cluster.
        let cluster = unsafe { sys::rd_kafka_mock_cluster_new(handle.as_ptr(), brokers) };
        NonNull::new(cluster).map(|cluster| Self { cluster, _handle: Arc::clone(handle) })
    }

    pub(super) fn bootstrap(&self) -> String {
        // SAFETY: alive; the string lives as long as the cluster and is copied.
        unsafe { text(sys::rd_kafka_mock_cluster_bootstraps(self.cluster.as_ptr())) }
    }

    pub(super) fn create_topic(&self, name: &str, partitions: i32, replication: i32) -> bool {
        let name = c_string(name);
        // SAFETY: alive; the name is NUL-terminated; the result is one of librdkafka's own codes.
        let code = unsafe {
            sys::rd_kafka_mock_topic_create(self.cluster.as_ptr(), name.as_ptr(), partitions, replication)
        };
        code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
    }

    pub(super) fn push_errors(&self, api: i16, codes: &[Code]) {
        let codes: Vec<c_int> = codes.iter().map(|code| code.0).collect();
        // SAFETY: alive; the array is as long as said and is copied.
        unsafe {
            rd_kafka_mock_push_request_errors_array(self.cluster.as_ptr(), api, codes.len(), codes.as_ptr());
        }
    }

    /// Keeps note of each request from now on.
    pub(super) fn track(&self) {
        // SAFETY: alive.
        unsafe { sys::rd_kafka_mock_start_request_tracking(self.cluster.as_ptr()) }
    }

    /// The API keys of the requests noted, in their order.
    pub(super) fn tracked(&self) -> Vec<i16> {
        let mut count = 0;
        // SAFETY: alive; the array is ours, holds `count` requests, and is destroyed with them once.
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

    pub(super) fn set_rtt(&self, broker: i32, rtt: Duration) {
        // SAFETY: alive; an unknown broker is an error that changes nothing.
        let _ = unsafe { sys::rd_kafka_mock_broker_set_rtt(self.cluster.as_ptr(), broker, millis(rtt)) };
    }

    pub(super) fn set_down(&self, broker: i32, down: bool) {
        // SAFETY: as `set_rtt`.
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
        // SAFETY: owned; its client is alive until after this.
        unsafe { sys::rd_kafka_mock_cluster_destroy(self.cluster.as_ptr()) }
    }
}

/// Stands in for librdkafka's own handling of leader hints in Produce and Fetch answers (KIP-951), which reads memory that it
/// never wrote where a hint names no leader, and follows a null pointer where a broker that has forgotten a topic answers
/// without the topic's id (librdkafka issues 5280 and 5430; seen with a restarted Tansu). The hints are left aside: the error
/// beside them makes librdkafka ask for metadata anyway. `build.rs` puts this in its place.
///
/// 1 is `RD_KAFKA_OP_RES_HANDLED`: the caller frees the operation and goes on.
// SAFETY: the name is that of no other function, neither argument is touched, and the operation owns what they point to.
#[unsafe(no_mangle)]
extern "C" fn __wrap_rd_kafka_metadata_update_op(_client: *mut c_void, _hints: *mut c_void) -> i32 {
    1
}
