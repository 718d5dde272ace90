/* Mux: whole messages to and from the plaintext of records (DESIGN 4). No I/O, no clock.
 *
 * A record's plaintext is a sequence of fragments, each the following header and then its bytes:
 *
 *   offset  size  what
 *   0       1     kind: 0 WHOLE, 1 FIRST, 2 MORE
 *   1       1     message type
 *   2       2     bytes of the body in this fragment, big-endian
 *   4       4     FIRST only: bytes of the whole body, big-endian
 *
 * WHOLE carries a message in one piece (0 bytes and up). FIRST opens a partial message and carries
 * at least 1 byte but not all; MORE continues the partial message of its type's class, at least 1
 * byte; the byte that completes the declared total ends it. Rules, for each link and direction:
 *   - at most one partial message per class; a WHOLE or FIRST of a class with an open one is wrong
 *   - the declared total is bounded by type and by the sender's role
 *   - a partial message must be complete within a time the link sets (it asks oldest_ms)
 * Fragments of different classes interleave freely: a CONTROL message passes a BULK one.
 *
 * Golden bytes: CANCEL-like type 3, body "ab"           00 03 0002 6162
 *               type 4, 5-byte body as 2 + 3 bytes      01 04 0002 00000005 6162 | 02 04 0003 636465
 *
 * The reader and the writer borrow a pool for everything of variable size and hold none of it while
 * idle. Thread: one. */
#ifndef P2_LINK_MUX_H
#define P2_LINK_MUX_H

#include "base/buf.h"
#include "link/link.h"
#include "link/pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum p2_mux_kind { P2_MUX_WHOLE, P2_MUX_FIRST, P2_MUX_MORE };

#define P2_MUX_HEADER_BYTES       4
#define P2_MUX_FIRST_HEADER_BYTES 8

/* ---- reading ---------------------------------------------------------------------------------- */

/* A message being collected. */
struct p2_mux_partial {
    uint8_t *data;       /* pool block, NULL when there is none; grows with what really came */
    uint64_t started_ms; /* when its first fragment came */
    uint32_t total;      /* declared */
    uint32_t have;       /* came so far */
    size_t capacity;     /* of data */
    uint8_t type;
    bool is_complete; /* delivered; its block goes back at the next call */
};

struct p2_mux_reader {
    struct p2_pool *pool; /* borrowed */
    struct p2_mux_partial partials[P2_LINK_CLASSES];
};

struct p2_mux_message {
    uint8_t type;
    struct p2_span body; /* borrowed: from the plaintext (zero-copy) or from the reader */
};

void p2_mux_reader_init(struct p2_mux_reader *reader, struct p2_pool *pool);

/* Gives everything back to the pool; the reader is as after init. */
void p2_mux_reader_free(struct p2_mux_reader *reader);

/* Takes fragments from `record` (a cursor over one record's plaintext) until a message is whole:
 * returns 1 and fills *ret_message, valid until the next call. Returns 0 at the record's end. `sender`
 * is the peer's role at this moment, `now_ms` stamps what is begun. Errors end the link:
 * P2_E_TRUNCATED a fragment passes the record's end; P2_E_MALFORMED unknown kind, an empty or
 * overlong fragment, MORE without its FIRST, a second message in a class with an open one;
 * P2_E_BAD_TYPE, P2_E_NOT_ALLOWED, P2_E_TOO_BIG type and size against the rules; P2_E_LIMIT our
 * memory for partial messages is used up. */
int p2_mux_read(struct p2_mux_reader *reader, const struct p2_link_rules *rules, uint8_t sender,
                uint64_t now_ms, struct p2_reader *record, struct p2_mux_message *ret_message);

/* When the oldest open partial message began; UINT64_MAX when there is none. */
uint64_t p2_mux_oldest_ms(const struct p2_mux_reader *reader);

/* ---- writing ---------------------------------------------------------------------------------- */

/* Queued bytes (bodies and 5 bytes each) above which a class gives P2_E_AGAIN. An empty queue takes
 * any legal message. Chosen: CONTROL holds 4,096 small messages, the others four of the largest. */
#define P2_MUX_CONTROL_QUEUE_MAX (64u << 10)
#define P2_MUX_QUEUE_MAX         (4u << 20)

struct p2_mux_chunk;

/* Messages of one class, oldest first, as a byte stream (type, size, body) in pool blocks. */
struct p2_mux_queue {
    struct p2_mux_chunk *head;
    struct p2_mux_chunk *tail;
    uint32_t bytes;     /* in the stream */
    uint32_t head_size; /* body of the message being sent; meaningful when is_started */
    uint32_t head_left; /* of it not sent yet */
    uint8_t head_type;
    bool is_started;  /* its type and size were taken from the stream */
    bool is_partial;  /* its FIRST fragment was sent */
    bool was_refused; /* a send got P2_E_AGAIN since the last drained report */
};

/* A frame on its way; newest-wins needs only two: the one being sent and the newest. */
struct p2_mux_frame {
    uint8_t *data; /* pool block or NULL */
    size_t capacity;
    uint32_t size;
    uint32_t sent;
    uint8_t type;
    bool is_queued;
};

struct p2_mux_writer {
    struct p2_pool *pool;                            /* borrowed */
    struct p2_mux_queue queues[P2_LINK_CLASSES - 1]; /* all classes but FRAME */
    struct p2_mux_frame sending;                     /* a frame of which a part was sent */
    struct p2_mux_frame newest;                      /* replaced by newer ones */
    uint64_t replaced_frames;
};

void p2_mux_writer_init(struct p2_mux_writer *writer, struct p2_pool *pool);

/* Gives everything back to the pool; the writer is as after init. */
void p2_mux_writer_free(struct p2_mux_writer *writer);

/* Queues a copy of a message. P2_E_AGAIN: the class is full (never for FRAME). P2_E_NOMEM: the pool
 * has no room. On an error nothing changed. */
int p2_mux_write(struct p2_mux_writer *writer, enum p2_link_class class, uint8_t type,
                 struct p2_span body);

/* Writes the plaintext of the next record, at most `room` bytes (>= 64), to `out`; returns its
 * size, 0 when nothing is queued. Highest class first; a message that fits in one record is not
 * split, longer ones are. */
size_t p2_mux_fill(struct p2_mux_writer *writer, uint8_t *out, size_t room);

/* Is anything queued? */
bool p2_mux_pending(const struct p2_mux_writer *writer);

/* Queued bytes: bodies and 5 bytes each. */
size_t p2_mux_queued_bytes(const struct p2_mux_writer *writer);

/* True once after a class that refused a message has fallen below half. */
bool p2_mux_take_drained(struct p2_mux_writer *writer);

/* ---- PING and PONG ---------------------------------------------------------------------------- */

/* The body of both: a msgpack array of one unsigned number, as src/wire defines them. A nonce has
 * its top bit set, so that its shortest encoding always has 8 bytes. Nothing parses it: a PONG
 * repeats the bytes of its PING. */
#define P2_PING_BYTES 10
void p2_ping_format(uint8_t out[P2_PING_BYTES], uint64_t nonce);

#endif
