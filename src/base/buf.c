/* Bounded bytes. Every length is compared with what is left before anything is added to it. */
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

/* Smallest allocation of a p2_buf. Chosen: one small message without a second growth. */
#define BUF_FIRST_CAPACITY 256

bool p2_span_equal(struct p2_span a, struct p2_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

void p2_reader_init(struct p2_reader *reader, struct p2_span bytes)
{
    *reader = (struct p2_reader){.data = bytes.data, .left = bytes.size, .error = P2_OK};
}

/* The next `size` bytes, or NULL with the error set. */
static const uint8_t *take(struct p2_reader *reader, size_t size)
{
    if (reader->error != P2_OK) {
        return NULL;
    }
    if (size > reader->left) {
        reader->error = P2_E_TRUNCATED;
        return NULL;
    }
    const uint8_t *at = reader->data;
    if (size > 0) {
        reader->data += size;
        reader->left -= size;
    }
    return at;
}

uint8_t p2_reader_u8(struct p2_reader *reader)
{
    const uint8_t *at = take(reader, 1);
    return at != NULL ? at[0] : 0;
}

uint16_t p2_reader_u16(struct p2_reader *reader)
{
    const uint8_t *at = take(reader, 2);
    return at != NULL ? p2_load_be16(at) : 0;
}

uint32_t p2_reader_u32(struct p2_reader *reader)
{
    const uint8_t *at = take(reader, 4);
    return at != NULL ? p2_load_be32(at) : 0;
}

uint64_t p2_reader_u64(struct p2_reader *reader)
{
    const uint8_t *at = take(reader, 8);
    return at != NULL ? p2_load_be64(at) : 0;
}

struct p2_span p2_reader_bytes(struct p2_reader *reader, size_t size)
{
    const uint8_t *at = take(reader, size);
    return reader->error == P2_OK ? p2_span(at, size) : p2_span(NULL, 0);
}

void p2_reader_fail(struct p2_reader *reader, int error)
{
    if (reader->error == P2_OK) {
        reader->error = error;
    }
}

int p2_reader_end(const struct p2_reader *reader)
{
    if (reader->error != P2_OK) {
        return reader->error;
    }
    return reader->left == 0 ? P2_OK : P2_E_TRAILING;
}

void p2_writer_init(struct p2_writer *writer, uint8_t *data, size_t capacity)
{
    *writer = (struct p2_writer){.data = data, .capacity = capacity, .size = 0, .error = P2_OK};
}

/* Room for `size` bytes, counted as written; or NULL with the error set. */
static uint8_t *give(struct p2_writer *writer, size_t size)
{
    if (writer->error != P2_OK) {
        return NULL;
    }
    if (size > writer->capacity - writer->size) {
        writer->error = P2_E_FULL;
        return NULL;
    }
    uint8_t *at = writer->data + writer->size;
    writer->size += size;
    return at;
}

void p2_writer_u8(struct p2_writer *writer, uint8_t value)
{
    uint8_t *at = give(writer, 1);
    if (at != NULL) {
        at[0] = value;
    }
}

void p2_writer_u16(struct p2_writer *writer, uint16_t value)
{
    uint8_t *at = give(writer, 2);
    if (at != NULL) {
        p2_store_be16(at, value);
    }
}

void p2_writer_u32(struct p2_writer *writer, uint32_t value)
{
    uint8_t *at = give(writer, 4);
    if (at != NULL) {
        p2_store_be32(at, value);
    }
}

void p2_writer_u64(struct p2_writer *writer, uint64_t value)
{
    uint8_t *at = give(writer, 8);
    if (at != NULL) {
        p2_store_be64(at, value);
    }
}

void p2_writer_bytes(struct p2_writer *writer, struct p2_span bytes)
{
    if (bytes.size == 0) {
        return;
    }
    uint8_t *at = give(writer, bytes.size);
    if (at != NULL) {
        memcpy(at, bytes.data, bytes.size);
    }
}

struct p2_span p2_writer_span(const struct p2_writer *writer)
{
    return p2_span(writer->data, writer->size);
}

void p2_buf_init(struct p2_buf *buf, size_t limit)
{
    *buf = (struct p2_buf){.data = NULL, .size = 0, .capacity = 0, .limit = limit};
}

void p2_buf_free(struct p2_buf *buf)
{
    if (buf != NULL) {
        free(buf->data);
        p2_buf_init(buf, buf->limit);
    }
}

void p2_buf_clear(struct p2_buf *buf)
{
    buf->size = 0;
}

/* The capacity that holds `needed` bytes: doubled from the present one, at most the limit. */
static size_t grown_capacity(const struct p2_buf *buf, size_t needed)
{
    size_t capacity = buf->capacity < BUF_FIRST_CAPACITY ? BUF_FIRST_CAPACITY : buf->capacity;
    while (capacity < needed) {
        capacity = capacity > buf->limit / 2 ? buf->limit : capacity * 2;
    }
    return capacity < buf->limit ? capacity : buf->limit;
}

int p2_buf_reserve(struct p2_buf *buf, size_t extra)
{
    if (extra > buf->limit - buf->size) {
        return P2_E_LIMIT;
    }
    size_t needed = buf->size + extra;
    if (needed <= buf->capacity) {
        return P2_OK;
    }
    size_t capacity = grown_capacity(buf, needed);
    uint8_t *data = realloc(buf->data, capacity);
    if (data == NULL) {
        return P2_E_NOMEM;
    }
    buf->data = data;
    buf->capacity = capacity;
    return P2_OK;
}

int p2_buf_append(struct p2_buf *buf, struct p2_span bytes)
{
    if (bytes.size == 0) {
        return P2_OK;
    }
    int error = p2_buf_reserve(buf, bytes.size);
    if (error != P2_OK) {
        return error;
    }
    memcpy(buf->data + buf->size, bytes.data, bytes.size);
    buf->size += bytes.size;
    return P2_OK;
}

void p2_buf_consume(struct p2_buf *buf, size_t size)
{
    if (size >= buf->size) {
        buf->size = 0;
        return;
    }
    if (size > 0) {
        memmove(buf->data, buf->data + size, buf->size - size);
        buf->size -= size;
    }
}

struct p2_span p2_buf_span(const struct p2_buf *buf)
{
    return p2_span(buf->data, buf->size);
}
