/* Bounded bytes: spans, a growing buffer with a limit, and cursors with sticky errors.
 *
 * A cursor whose error is set ignores further calls, so a parser or writer checks once at its end
 * (the idea of Knot's wire_ctx). Numbers are big-endian. Thread: an object belongs to one thread.
 *
 *   p2_reader   parses bytes it borrows
 *   p2_writer   writes into storage it borrows, never beyond it
 *   p2_buf      owns storage that grows up to a limit, never shrinks by itself */
#ifndef P2_BASE_BUF_H
#define P2_BASE_BUF_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes. `data` may be NULL when `size` is 0. */
struct p2_span {
    const uint8_t *data;
    size_t size; /* bytes */
};

static inline struct p2_span p2_span(const void *data, size_t size)
{
    return (struct p2_span){data, size};
}

/* True when both hold the same bytes. Not for secrets (see crypto.h). */
bool p2_span_equal(struct p2_span a, struct p2_span b);

/* ---- reader -------------------------------------------------------------------------------- */

struct p2_reader {
    const uint8_t *data; /* next byte */
    size_t left;         /* bytes from `data` to the end */
    int error;           /* 0 or the first error; sticky */
};

/* Starts at the first byte of `bytes`, which must outlive the reader. */
void p2_reader_init(struct p2_reader *reader, struct p2_span bytes);

/* Each returns 0 and moves nothing once the error is set. Too few bytes: P2_E_TRUNCATED. */
uint8_t p2_reader_u8(struct p2_reader *reader);
uint16_t p2_reader_u16(struct p2_reader *reader);
uint32_t p2_reader_u32(struct p2_reader *reader);
uint64_t p2_reader_u64(struct p2_reader *reader);

/* The next `size` bytes, borrowed from the input; an empty span on error. */
struct p2_span p2_reader_bytes(struct p2_reader *reader, size_t size);

/* Sets the error unless one is set already. */
void p2_reader_fail(struct p2_reader *reader, int error);

/* The sticky error, or P2_E_TRAILING when bytes are left, or 0. */
int p2_reader_end(const struct p2_reader *reader);

/* ---- writer -------------------------------------------------------------------------------- */

struct p2_writer {
    uint8_t *data;   /* borrowed storage */
    size_t capacity; /* bytes of it */
    size_t size;     /* bytes written */
    int error;       /* 0 or P2_E_FULL; sticky */
};

/* Writes into `data[capacity]`, which must outlive the writer. */
void p2_writer_init(struct p2_writer *writer, uint8_t *data, size_t capacity);

/* Each does nothing once the error is set. No room: P2_E_FULL, and nothing of that call is written. */
void p2_writer_u8(struct p2_writer *writer, uint8_t value);
void p2_writer_u16(struct p2_writer *writer, uint16_t value);
void p2_writer_u32(struct p2_writer *writer, uint32_t value);
void p2_writer_u64(struct p2_writer *writer, uint64_t value);
void p2_writer_bytes(struct p2_writer *writer, struct p2_span bytes);

/* What was written so far, borrowed from the storage. */
struct p2_span p2_writer_span(const struct p2_writer *writer);

/* ---- buffer -------------------------------------------------------------------------------- */

struct p2_buf {
    uint8_t *data;   /* owned; NULL before the first growth */
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
    size_t limit;    /* never more than this */
};

/* An empty buffer that allocates nothing yet and never holds more than `limit` bytes. */
void p2_buf_init(struct p2_buf *buf, size_t limit);

/* Frees the storage; the buffer is empty again and usable. Accepts a zeroed object. */
void p2_buf_free(struct p2_buf *buf);

/* Empties it and keeps the storage. */
void p2_buf_clear(struct p2_buf *buf);

/* Makes room for `extra` more bytes. P2_E_LIMIT beyond the limit, P2_E_NOMEM; then unchanged. */
int p2_buf_reserve(struct p2_buf *buf, size_t extra);

/* Appends a copy of `bytes`. Errors as p2_buf_reserve. Amortised O(size of bytes). */
int p2_buf_append(struct p2_buf *buf, struct p2_span bytes);

/* Removes the first `size` bytes (at most what is there). O(bytes that stay). */
void p2_buf_consume(struct p2_buf *buf, size_t size);

/* The bytes in use, borrowed until the next change. */
struct p2_span p2_buf_span(const struct p2_buf *buf);

/* ---- big-endian numbers in memory ------------------------------------------------------------ */

static inline uint16_t p2_load_be16(const uint8_t *p)
{
    return (uint16_t)((uint16_t)(p[0] << 8) | p[1]);
}

static inline uint32_t p2_load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t p2_load_be64(const uint8_t *p)
{
    return (uint64_t)p2_load_be32(p) << 32 | p2_load_be32(p + 4);
}

static inline void p2_store_be16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void p2_store_be32(uint8_t *p, uint32_t value)
{
    p2_store_be16(p, (uint16_t)(value >> 16));
    p2_store_be16(p + 2, (uint16_t)value);
}

static inline void p2_store_be64(uint8_t *p, uint64_t value)
{
    p2_store_be32(p, (uint32_t)(value >> 32));
    p2_store_be32(p + 4, (uint32_t)value);
}

#endif
