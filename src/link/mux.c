/* Fragments in and out; see the header. The reader judges foreign bytes, the writer our own. */
#include "link/mux.h"

#include <string.h>

/* ---- reading ---------------------------------------------------------------------------------- */

void p2_mux_reader_init(struct p2_mux_reader *reader, struct p2_pool *pool)
{
    memset(reader, 0, sizeof *reader);
    reader->pool = pool;
}

static void partial_drop(struct p2_mux_reader *reader, struct p2_mux_partial *partial)
{
    p2_pool_give(reader->pool, partial->data, partial->capacity);
    memset(partial, 0, sizeof *partial);
}

void p2_mux_reader_free(struct p2_mux_reader *reader)
{
    for (unsigned i = 0; i < P2_LINK_CLASSES; i++) {
        partial_drop(reader, &reader->partials[i]);
    }
}

/* May `sender` send `size` bytes of `type`? */
static int check_allowed(const struct p2_link_rules *rules, uint8_t sender, uint8_t type,
                         uint32_t size)
{
    uint32_t max_size = rules->max_size(sender, type);
    if (max_size > 0) {
        return size <= max_size ? P2_OK : P2_E_TOO_BIG;
    }
    for (uint8_t role = 0; role < rules->role_count; role++) {
        if (rules->max_size(role, type) > 0) {
            return P2_E_NOT_ALLOWED;
        }
    }
    return P2_E_BAD_TYPE;
}

/* Makes room for `need` bytes; doubling, so that memory follows what really came and not what was
 * declared. */
static int partial_grow(struct p2_mux_reader *reader, struct p2_mux_partial *partial, uint32_t need)
{
    if (need <= partial->capacity) {
        return P2_OK;
    }
    size_t capacity = 0;
    uint8_t *data = p2_pool_take(reader->pool, need, &capacity);
    if (data == NULL) {
        return P2_E_LIMIT;
    }
    if (partial->have > 0) {
        memcpy(data, partial->data, partial->have);
    }
    p2_pool_give(reader->pool, partial->data, partial->capacity);
    partial->data = data;
    partial->capacity = capacity;
    return P2_OK;
}

/* Adds a fragment. Returns 1 when the message is complete, 0, or an error. */
static int partial_add(struct p2_mux_reader *reader, struct p2_mux_partial *partial,
                       struct p2_span fragment)
{
    if (fragment.size > partial->total - partial->have) {
        return P2_E_MALFORMED;
    }
    uint32_t have = partial->have + (uint32_t)fragment.size;
    int error = partial_grow(reader, partial, have);
    if (error != P2_OK) {
        return error;
    }
    memcpy(partial->data + partial->have, fragment.data, fragment.size);
    partial->have = have;
    partial->is_complete = have == partial->total;
    return partial->is_complete ? 1 : 0;
}

/* One fragment whose header was read. Returns as p2_mux_read, 0 meaning "go on". */
static int read_fragment(struct p2_mux_reader *reader, struct p2_mux_partial *partial, uint8_t kind,
                         uint8_t type, uint32_t total, struct p2_span fragment, uint64_t now_ms)
{
    if (kind == P2_MUX_MORE) {
        if (partial->total == 0 || partial->type != type || fragment.size == 0) {
            return P2_E_MALFORMED;
        }
        return partial_add(reader, partial, fragment);
    }
    if (partial->total != 0) {
        return P2_E_MALFORMED;
    }
    if (kind == P2_MUX_WHOLE) {
        return 1;
    }
    if (fragment.size == 0 || fragment.size >= total) {
        return P2_E_MALFORMED;
    }
    partial->type = type;
    partial->total = total;
    partial->started_ms = now_ms;
    return partial_add(reader, partial, fragment);
}

/* The message delivered last may lie in a partial's block, which is free to go now. */
static void drop_complete(struct p2_mux_reader *reader)
{
    for (unsigned i = 0; i < P2_LINK_CLASSES; i++) {
        if (reader->partials[i].is_complete) {
            partial_drop(reader, &reader->partials[i]);
        }
    }
}

int p2_mux_read(struct p2_mux_reader *reader, const struct p2_link_rules *rules, uint8_t sender,
                uint64_t now_ms, struct p2_reader *record, struct p2_mux_message *ret_message)
{
    drop_complete(reader);
    while (record->left > 0) {
        uint8_t kind = p2_reader_u8(record);
        uint8_t type = p2_reader_u8(record);
        uint32_t size = p2_reader_u16(record);
        uint32_t total = kind == P2_MUX_FIRST ? p2_reader_u32(record) : size;
        struct p2_span fragment = p2_reader_bytes(record, size);
        if (record->error != P2_OK) {
            return record->error;
        }
        if (kind > P2_MUX_MORE) {
            return P2_E_MALFORMED;
        }
        int error = check_allowed(rules, sender, type, total);
        if (error != P2_OK) {
            return error;
        }
        struct p2_mux_partial *partial = &reader->partials[rules->class(type)];
        int result = read_fragment(reader, partial, kind, type, total, fragment, now_ms);
        if (result < 0) {
            return result;
        }
        if (result > 0) {
            ret_message->type = type;
            ret_message->body =
                kind == P2_MUX_WHOLE ? fragment : p2_span(partial->data, partial->total);
            return 1;
        }
    }
    return 0;
}

uint64_t p2_mux_oldest_ms(const struct p2_mux_reader *reader)
{
    uint64_t oldest = UINT64_MAX;
    for (unsigned i = 0; i < P2_LINK_CLASSES; i++) {
        const struct p2_mux_partial *partial = &reader->partials[i];
        if (partial->total > 0 && !partial->is_complete && partial->started_ms < oldest) {
            oldest = partial->started_ms;
        }
    }
    return oldest;
}

/* ---- the queue of one class -------------------------------------------------------------------- */

/* A pool block of the queue's byte stream. */
struct p2_mux_chunk {
    struct p2_mux_chunk *next;
    uint32_t capacity; /* of data */
    uint32_t begin;    /* first byte not taken yet */
    uint32_t end;      /* first byte not written yet */
    uint8_t data[];
};

/* Block sizes of a queue. Chosen: 4 KiB holds a turn's control messages or a few leases, and a link
 * with little to say holds no more; 64 KiB keeps the copies of a large message long. */
#define CHUNK_MIN (4u << 10)
#define CHUNK_MAX (64u << 10)

/* Before each body in the stream: type, then size in this machine's byte order. */
#define STREAM_HEADER_BYTES 5u

/* A record that has reached this size takes no further message, so that the peer can open one while
 * we seal the next. Chosen: the streaming tests' message size; from 8 to 64 KiB p2c2r-bench link
 * shows no difference at 1 KB messages. */
#define RECORD_TARGET (16u << 10)

/* The rest of a record smaller than this is not worth a fragment of a long message. */
#define FRAGMENT_MIN 1024u

static uint32_t queue_max(unsigned class)
{
    return class == P2_LINK_CONTROL ? P2_MUX_CONTROL_QUEUE_MAX : P2_MUX_QUEUE_MAX;
}

static struct p2_mux_chunk *chunk_new(struct p2_pool *pool, size_t hint)
{
    size_t want = hint + sizeof(struct p2_mux_chunk);
    want = want < CHUNK_MIN ? CHUNK_MIN : want > CHUNK_MAX ? CHUNK_MAX : want;
    size_t capacity = 0;
    struct p2_mux_chunk *chunk = p2_pool_take(pool, want, &capacity);
    if (chunk != NULL) {
        chunk->next = NULL;
        chunk->capacity = (uint32_t)(capacity - sizeof *chunk);
        chunk->begin = 0;
        chunk->end = 0;
    }
    return chunk;
}

static void chunk_free(struct p2_pool *pool, struct p2_mux_chunk *chunk)
{
    p2_pool_give(pool, chunk, chunk->capacity + sizeof *chunk);
}

/* Appends bytes, adding chunks as needed; false when the pool has none (the caller rolls back). */
static bool queue_append(struct p2_mux_queue *queue, struct p2_pool *pool, const uint8_t *data,
                         size_t size)
{
    while (size > 0) {
        struct p2_mux_chunk *tail = queue->tail;
        if (tail == NULL || tail->end == tail->capacity) {
            tail = chunk_new(pool, size);
            if (tail == NULL) {
                return false;
            }
            if (queue->tail != NULL) {
                queue->tail->next = tail;
            } else {
                queue->head = tail;
            }
            queue->tail = tail;
        }
        size_t room = tail->capacity - tail->end;
        size_t part = size < room ? size : room;
        memcpy(tail->data + tail->end, data, part);
        tail->end += (uint32_t)part;
        data += part;
        size -= part;
    }
    return true;
}

/* Takes everything after (`tail`, `end`) out again; tail NULL: the queue was empty. */
static void queue_roll_back(struct p2_mux_queue *queue, struct p2_pool *pool,
                            struct p2_mux_chunk *tail, uint32_t end)
{
    struct p2_mux_chunk *extra = tail != NULL ? tail->next : queue->head;
    while (extra != NULL) {
        struct p2_mux_chunk *next = extra->next;
        chunk_free(pool, extra);
        extra = next;
    }
    queue->tail = tail;
    if (tail != NULL) {
        tail->next = NULL;
        tail->end = end;
    } else {
        queue->head = NULL;
    }
}

/* Moves `size` bytes, which are there, from the front of the stream to `out`. */
static void queue_take(struct p2_mux_queue *queue, struct p2_pool *pool, uint8_t *out, size_t size)
{
    queue->bytes -= (uint32_t)size;
    while (size > 0) {
        struct p2_mux_chunk *head = queue->head;
        size_t there = head->end - head->begin;
        size_t part = size < there ? size : there;
        memcpy(out, head->data + head->begin, part);
        head->begin += (uint32_t)part;
        out += part;
        size -= part;
        if (head->begin == head->end) {
            queue->head = head->next;
            if (queue->head == NULL) {
                queue->tail = NULL;
            }
            chunk_free(pool, head);
        }
    }
}

static int queue_write(struct p2_mux_queue *queue, struct p2_pool *pool, unsigned class,
                       uint8_t type, struct p2_span body)
{
    uint32_t size = (uint32_t)body.size;
    uint32_t max = queue_max(class);
    if (queue->bytes > 0 &&
        (queue->bytes >= max || size + STREAM_HEADER_BYTES > max - queue->bytes)) {
        queue->was_refused = true;
        return P2_E_AGAIN;
    }
    uint8_t header[STREAM_HEADER_BYTES] = {type};
    memcpy(header + 1, &size, sizeof size);
    struct p2_mux_chunk *tail = queue->tail;
    uint32_t end = tail != NULL ? tail->end : 0;
    if (!queue_append(queue, pool, header, sizeof header) ||
        !queue_append(queue, pool, body.data, size)) {
        queue_roll_back(queue, pool, tail, end);
        return P2_E_NOMEM;
    }
    queue->bytes += size + STREAM_HEADER_BYTES;
    return P2_OK;
}

/* Makes the oldest message the one being sent. */
static void queue_start(struct p2_mux_queue *queue, struct p2_pool *pool)
{
    uint8_t header[STREAM_HEADER_BYTES];
    queue_take(queue, pool, header, sizeof header);
    queue->head_type = header[0];
    memcpy(&queue->head_size, header + 1, sizeof queue->head_size);
    queue->head_left = queue->head_size;
    queue->is_started = true;
    queue->is_partial = false;
}

/* ---- frames ------------------------------------------------------------------------------------ */

static void frame_drop(struct p2_pool *pool, struct p2_mux_frame *frame)
{
    p2_pool_give(pool, frame->data, frame->capacity);
    memset(frame, 0, sizeof *frame);
}

static int frame_write(struct p2_mux_writer *writer, uint8_t type, struct p2_span body)
{
    struct p2_mux_frame *frame = &writer->newest;
    if (frame->data == NULL || body.size > frame->capacity) {
        size_t capacity = 0;
        uint8_t *data = p2_pool_take(writer->pool, body.size, &capacity);
        if (data == NULL) {
            return P2_E_NOMEM;
        }
        p2_pool_give(writer->pool, frame->data, frame->capacity);
        frame->data = data;
        frame->capacity = capacity;
    }
    writer->replaced_frames += frame->is_queued;
    if (body.size > 0) {
        memcpy(frame->data, body.data, body.size);
    }
    frame->size = (uint32_t)body.size;
    frame->sent = 0;
    frame->type = type;
    frame->is_queued = true;
    return P2_OK;
}

/* ---- filling records --------------------------------------------------------------------------- */

/* Where the next fragment comes from: what it is, and how much of it is left. */
struct source {
    struct p2_mux_queue *queue; /* or NULL: the frame in writer->sending */
    uint32_t total;
    uint32_t left;
    uint8_t type;
    bool is_partial; /* FIRST was sent */
};

static bool queue_source(struct p2_mux_writer *writer, unsigned class, struct source *ret_source)
{
    struct p2_mux_queue *queue = &writer->queues[class];
    if (!queue->is_started) {
        if (queue->bytes == 0) {
            return false;
        }
        queue_start(queue, writer->pool);
    }
    *ret_source = (struct source){queue, queue->head_size, queue->head_left, queue->head_type,
                                  queue->is_partial};
    return true;
}

static bool frame_source(struct p2_mux_writer *writer, struct source *ret_source)
{
    struct p2_mux_frame *frame = &writer->sending;
    if (!frame->is_queued) {
        if (!writer->newest.is_queued) {
            return false;
        }
        writer->sending = writer->newest;
        memset(&writer->newest, 0, sizeof writer->newest);
    }
    *ret_source =
        (struct source){NULL, frame->size, frame->size - frame->sent, frame->type, frame->sent > 0};
    return true;
}

/* The highest class with something to send. */
static bool next_source(struct p2_mux_writer *writer, struct source *ret_source)
{
    return queue_source(writer, P2_LINK_CONTROL, ret_source) ||
           queue_source(writer, P2_LINK_LEASE, ret_source) || frame_source(writer, ret_source) ||
           queue_source(writer, P2_LINK_BULK, ret_source);
}

/* Takes `size` body bytes from the source to `out`. */
static void source_take(struct p2_mux_writer *writer, const struct source *source, uint8_t *out,
                        uint32_t size)
{
    struct p2_mux_queue *queue = source->queue;
    if (queue != NULL) {
        queue_take(queue, writer->pool, out, size);
        queue->head_left -= size;
        queue->is_partial = true;
        queue->is_started = queue->head_left > 0;
        return;
    }
    struct p2_mux_frame *frame = &writer->sending;
    if (size > 0) {
        memcpy(out, frame->data + frame->sent, size);
    }
    frame->sent += size;
    if (frame->sent == frame->size) {
        frame_drop(writer->pool, frame);
    }
}

/* What the next fragment is, given `at` bytes in the record already: its kind and the body bytes
 * it carries. False: it has to wait for the next record. */
static bool plan_fragment(const struct source *source, size_t at, size_t room,
                          enum p2_mux_kind *ret_kind, uint32_t *ret_size)
{
    size_t left = room - at;
    if (!source->is_partial && source->left + (size_t)P2_MUX_HEADER_BYTES <= left) {
        *ret_kind = P2_MUX_WHOLE;
        *ret_size = source->left;
        return true;
    }
    if (!source->is_partial && source->left + (size_t)P2_MUX_HEADER_BYTES <= room) {
        return false;
    }
    size_t header = source->is_partial ? P2_MUX_HEADER_BYTES : P2_MUX_FIRST_HEADER_BYTES;
    if (left <= header || (at > 0 && left < FRAGMENT_MIN)) {
        return false;
    }
    *ret_kind = source->is_partial ? P2_MUX_MORE : P2_MUX_FIRST;
    *ret_size = source->left < left - header ? source->left : (uint32_t)(left - header);
    return true;
}

size_t p2_mux_fill(struct p2_mux_writer *writer, uint8_t *out, size_t room)
{
    size_t at = 0;
    struct source source;
    P2_ASSERT(room >= 64 && room <= UINT16_MAX);
    while (at < RECORD_TARGET && at + P2_MUX_HEADER_BYTES <= room && next_source(writer, &source)) {
        enum p2_mux_kind kind = P2_MUX_WHOLE;
        uint32_t size = 0;
        if (!plan_fragment(&source, at, room, &kind, &size)) {
            break;
        }
        out[at] = (uint8_t)kind;
        out[at + 1] = source.type;
        p2_store_be16(out + at + 2, (uint16_t)size);
        at += P2_MUX_HEADER_BYTES;
        if (kind == P2_MUX_FIRST) {
            p2_store_be32(out + at, source.total);
            at += 4;
        }
        source_take(writer, &source, out + at, size);
        at += size;
    }
    return at;
}

/* ---- the writer -------------------------------------------------------------------------------- */

void p2_mux_writer_init(struct p2_mux_writer *writer, struct p2_pool *pool)
{
    memset(writer, 0, sizeof *writer);
    writer->pool = pool;
}

void p2_mux_writer_free(struct p2_mux_writer *writer)
{
    for (unsigned i = 0; i < P2_COUNT_OF(writer->queues); i++) {
        queue_roll_back(&writer->queues[i], writer->pool, NULL, 0);
    }
    frame_drop(writer->pool, &writer->sending);
    frame_drop(writer->pool, &writer->newest);
    p2_mux_writer_init(writer, writer->pool);
}

int p2_mux_write(struct p2_mux_writer *writer, enum p2_link_class class, uint8_t type,
                 struct p2_span body)
{
    P2_ASSERT(body.size <= UINT32_MAX / 2); /* the rules bound it far lower */
    if (class == P2_LINK_FRAME) {
        return frame_write(writer, type, body);
    }
    return queue_write(&writer->queues[class], writer->pool, class, type, body);
}

bool p2_mux_pending(const struct p2_mux_writer *writer)
{
    for (unsigned i = 0; i < P2_COUNT_OF(writer->queues); i++) {
        if (writer->queues[i].bytes > 0 || writer->queues[i].is_started) {
            return true;
        }
    }
    return writer->sending.is_queued || writer->newest.is_queued;
}

size_t p2_mux_queued_bytes(const struct p2_mux_writer *writer)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < P2_COUNT_OF(writer->queues); i++) {
        bytes += writer->queues[i].bytes;
    }
    return bytes + (writer->sending.size - writer->sending.sent) + writer->newest.size;
}

bool p2_mux_take_drained(struct p2_mux_writer *writer)
{
    bool is_drained = false;
    for (unsigned i = 0; i < P2_COUNT_OF(writer->queues); i++) {
        struct p2_mux_queue *queue = &writer->queues[i];
        if (queue->was_refused && queue->bytes < queue_max(i) / 2) {
            queue->was_refused = false;
            is_drained = true;
        }
    }
    return is_drained;
}

/* ---- PING and PONG ----------------------------------------------------------------------------- */

#define MSGPACK_ARRAY_1 0x91
#define MSGPACK_UINT_64 0xcf

void p2_ping_format(uint8_t out[P2_PING_BYTES], uint64_t nonce)
{
    P2_ASSERT(nonce >> 63 == 1);
    out[0] = MSGPACK_ARRAY_1;
    out[1] = MSGPACK_UINT_64;
    p2_store_be64(out + 2, nonce);
}
