/* Bytes from the network to messages: records are opened in place in the loop's one read buffer, and
 * messages that fit one record are delivered from there without a copy. */
#include "link/tcp_internal.h"

#include <string.h>

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct tcp_link *link = handle->data;
    (void)suggested;
    *buffer = uv_buf_init((char *)link->tcp->read_buffer + READ_HEAD_ROOM, READ_BYTES);
}

/* ---- messages ---------------------------------------------------------------------------------- */

static int take_pong(struct tcp_link *link, struct p2_span body)
{
    struct tcp_session *session = link->session;
    if (!session->is_ping_out ||
        !p2_span_equal(body, p2_span(session->ping, sizeof session->ping))) {
        return P2_E_UNSOLICITED;
    }
    uint64_t ns = uv_hrtime() - session->ping_sent_ns;
    uint64_t us = ns / 1000;
    p2_link_rtt_add(&link->base.rtt, us < UINT32_MAX ? (uint32_t)us : UINT32_MAX);
    session->is_ping_out = false;
    session->ping_sent_ms = uv_now(link->tcp->options.loop);
    return P2_OK;
}

static int answer_ping(struct tcp_link *link, struct p2_span body)
{
    struct p2_mux_writer *writer = &link->session->writer;
    if (link->state == LINK_FINISHED) {
        return P2_OK; /* our side is closed for sending */
    }
    int error = p2_mux_write(writer, P2_LINK_CONTROL, link->base.rules->pong_type, body);
    p2_tcp_mark_dirty(link);
    if (error == P2_OK && !link->session->may_ping && !link->base.is_draining) {
        /* An authority's first PING tells the dialler that it is a stranger no longer. */
        link->session->may_ping = true;
        error = p2_tcp_send_ping(link);
    }
    /* A peer that asks without reading our answers fills its own queue. */
    return error == P2_E_AGAIN ? P2_E_FLOOD : error;
}

static int deliver(struct tcp_link *link, const struct p2_mux_message *message)
{
    const struct p2_link_rules *rules = link->base.rules;
    struct tcp_session *session = link->session;
    if (session != NULL) {
        session->stats.received_messages++;
        session->stats.received_bytes += message->body.size;
    }
    if (link->base.peer_role == 0) {
        if (link->has_spoken) {
            return P2_E_FLOOD;
        }
        link->has_spoken = true;
    } else if (message->type == rules->ping_type) {
        return answer_ping(link, message->body);
    } else if (message->type == rules->pong_type) {
        return take_pong(link, message->body);
    }
    if (link->base.events->on_message != NULL) {
        link->base.events->on_message(&link->base, message->type, message->body, link->base.ctx);
    }
    return P2_OK;
}

/* The messages of one record's plaintext. */
static int take_record(struct tcp_link *link, struct p2_span plaintext)
{
    uint64_t now_ms = uv_now(link->tcp->options.loop);
    struct p2_mux_reader whole_only; /* a stranger's message may not span records */
    struct p2_mux_message message;
    struct p2_reader record;
    int result = 0;
    p2_mux_reader_init(&whole_only, &link->tcp->pool);
    p2_reader_init(&record, plaintext);
    while (link->state != LINK_CLOSING) {
        struct p2_mux_reader *reader =
            link->base.peer_role != 0 ? &link->session->reader : &whole_only;
        result =
            p2_mux_read(reader, link->base.rules, link->base.peer_role, now_ms, &record, &message);
        if (result > 0) {
            result = deliver(link, &message);
        } else {
            break;
        }
        if (result < 0) {
            break;
        }
    }
    if (result == 0 && p2_mux_oldest_ms(&whole_only) != UINT64_MAX) {
        result = P2_E_MALFORMED;
    }
    p2_mux_reader_free(&whole_only);
    return result;
}

/* Until a record has opened, its bytes can be anybody's who has a hand on the connection: an honest
 * peer must not be blamed for them. */
static int open_record(struct tcp_link *link, uint8_t *ciphertext, size_t size)
{
    int error = p2_tcp_link_keys(link);
    if (error == P2_OK) {
        error = p2_record_open(&link->keys->receive, ciphertext, ciphertext, size);
        error = error == P2_E_BAD_TAG ? P2_E_TAMPERED : error;
    }
    if (error != P2_OK) {
        return error;
    }
    if (link->session != NULL) {
        link->session->stats.received_records++;
    }
    return take_record(link, p2_span(ciphertext, size - P2_TAG_BYTES));
}

/* ---- records ----------------------------------------------------------------------------------- */

/* Bytes of the record at `data`, header included; 0 when more are needed to know. Or an error. */
static int record_bytes(const struct tcp_link *link, const uint8_t *data, size_t size)
{
    if (link->base.peer_role == 0 && link->has_spoken) {
        return P2_E_FLOOD;
    }
    if (size < P2_RECORD_HEADER_BYTES) {
        return 0;
    }
    int length = p2_record_length(data);
    if (length < 0) {
        return P2_E_TAMPERED;
    }
    if (link->base.peer_role == 0 && (size_t)length > STRANGER_CIPHERTEXT_MAX) {
        return P2_E_TOO_BIG;
    }
    return P2_RECORD_HEADER_BYTES + length;
}

/* Keeps the beginning of a record for later. */
static int carry_add(struct tcp_link *link, const uint8_t *data, size_t size)
{
    struct p2_pool *pool = &link->tcp->pool;
    size_t need = link->carry_size + size;
    if (link->carry_size == 0) {
        link->carry_since_ms = uv_now(link->tcp->options.loop);
    }
    if (need > link->carry_capacity) {
        size_t capacity = 0;
        uint8_t *block = p2_pool_take(pool, need, &capacity);
        if (block == NULL) {
            return P2_E_LIMIT;
        }
        if (link->carry_size > 0) {
            memcpy(block, link->carry, link->carry_size);
        }
        p2_pool_give(pool, link->carry, link->carry_capacity);
        link->carry = block;
        link->carry_capacity = (uint32_t)capacity;
    }
    memcpy(link->carry + link->carry_size, data, size);
    link->carry_size = (uint32_t)need;
    return P2_OK;
}

/* Puts the kept bytes before the new ones, or keeps these as well when the record is still not
 * complete: so every byte of a record that trickles in is copied once. */
static int carry_join(struct tcp_link *link, uint8_t **data, size_t *size)
{
    if (link->carry_size == 0) {
        return P2_OK;
    }
    int whole = record_bytes(link, link->carry, link->carry_size);
    if (whole > 0 && (size_t)whole > link->carry_size + *size) {
        int error = carry_add(link, *data, *size);
        *size = 0;
        return error;
    }
    *data -= link->carry_size; /* the read buffer has head room for a record */
    *size += link->carry_size;
    memcpy(*data, link->carry, link->carry_size);
    p2_pool_give(&link->tcp->pool, link->carry, link->carry_capacity);
    link->carry = NULL;
    link->carry_size = 0;
    link->carry_capacity = 0;
    return P2_OK;
}

static int take_records(struct tcp_link *link, uint8_t *data, size_t size)
{
    int error = carry_join(link, &data, &size);
    while (error == P2_OK && size > 0 && link->state != LINK_CLOSING) {
        int whole = record_bytes(link, data, size);
        if (whole < 0) {
            return whole;
        }
        if (whole == 0 || (size_t)whole > size) {
            return carry_add(link, data, size);
        }
        error = open_record(link, data + P2_RECORD_HEADER_BYTES,
                            (size_t)whole - P2_RECORD_HEADER_BYTES);
        data += whole;
        size -= (size_t)whole;
    }
    return error;
}

void p2_tcp_read_bytes(struct tcp_link *link, uint8_t *data, size_t size)
{
    int error = P2_OK;
    if (link->state == LINK_HANDSHAKE) {
        error = p2_tcp_handshake_read(link, &data, &size);
    }
    if (error == P2_OK && link->state != LINK_HANDSHAKE) {
        error = take_records(link, data, size);
    }
    if (error != P2_OK) {
        p2_tcp_link_fail(link, error);
    }
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    struct tcp_link *link = stream->data;
    if (got > 0) {
        link->received_ms = uv_now(link->tcp->options.loop);
        p2_tcp_read_bytes(link, (uint8_t *)buffer->base, (size_t)got);
    } else if (got < 0) {
        /* The peer's close after our own, with everything sent, is the end of a clean drain. */
        bool is_clean = got == UV_EOF && link->state == LINK_FINISHED;
        p2_tcp_link_fail(link, is_clean ? P2_OK : p2_tcp_error((int)got));
    }
}

int p2_tcp_read_start(struct tcp_link *link)
{
    struct uv_stream_s *stream = (uv_stream_t *)&link->handle;
    link->received_ms = uv_now(link->tcp->options.loop);
    (void)uv_tcp_nodelay(&link->handle, 1); /* slower, not wrong, without */
    int failed = uv_read_start(stream, on_alloc, on_read);
    return failed == 0 ? P2_OK : p2_tcp_error(failed);
}
