/* Whether a record that was read has headers. librdkafka's own function tells that only after it has made a buffer of its own
 * for them, which costs as much as all else that is done with a small record. Compiled against librdkafka's sources, so that
 * the layout is theirs. */
#include "rd.h"
#include "rdlist.h"
#include "rdsysqueue.h"

#include "rdkafka.h"

/* What rdkafka_msg.h wants of rdkafka_int.h, which wants OpenSSL's headers. */
struct rd_kafka_toppar_s;
#define rd_kafka_assert(rk, what) assert(what)

#include "rdkafka_proto.h"

#include "rdkafka_header.h"

#include "rdkafka_msg.h"

int kaf6_has_headers(const rd_kafka_message_t *message) {
        const rd_kafka_msg_t *msg = (const rd_kafka_msg_t *)message;
        const rd_kafkap_bytes_t *unparsed = &msg->rkm_u.consumer.binhdrs;
        /* They begin with their number. */
        return msg->rkm_headers != NULL || (RD_KAFKAP_BYTES_LEN(unparsed) > 0 && *(const char *)unparsed->data != 0);
}
