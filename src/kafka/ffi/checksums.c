/* librdkafka does not find the batch behind one whose checksum is wrong: it skips to an offset of the whole answer where it means
 * so many bytes from here, and reads what lies there as a batch, up to an assertion that ends the process. These two stand in
 * for its functions (see build.rs), and make the one skip behind such an error what it is meant to be. */
#include "rd.h"

#include "rdbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The thread that reads an answer is about to skip behind such a batch. */
static __thread int skips;

size_t __real_rd_slice_read(rd_slice_t *slice, void *dst, size_t size);

size_t __wrap_rd_slice_read(rd_slice_t *slice, void *dst, size_t size) {
        if (skips) {
                skips = 0;
                /* It asks for so many bytes less as lie before this place; where that is none, it does not ask at all, and reads on. */
                if (dst == NULL)
                        size += rd_slice_offset(slice);
                else
                        __real_rd_slice_read(slice, NULL, rd_slice_offset(slice));
        }
        return __real_rd_slice_read(slice, dst, size);
}

void __real_rd_kafka_consumer_err(void *queue, int32_t broker, int err, int32_t version, const char *topic,
                                  void *partition, int64_t offset, const char *fmt, ...);

void __wrap_rd_kafka_consumer_err(void *queue, int32_t broker, int err, int32_t version, const char *topic,
                                  void *partition, int64_t offset, const char *fmt, ...) {
        char text[2048];
        va_list args;

        va_start(args, fmt);
        vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        __real_rd_kafka_consumer_err(queue, broker, err, version, topic, partition, offset, "%s", text);
        skips = !strncmp(fmt, "MessageSet at offset", 20) && strstr(fmt, "failed CRC32C check") != NULL;
}
