/* Messages to bytes on the network: what was sent in a loop turn is sealed into records and written
 * once per link at the turn's end. The system's buffer comes first (uv_try_write); what it does not
 * take goes into a pool block and a write request, and nothing more is sealed until that is done,
 * so that a later message of a higher class still comes first. */
#include "link/tcp_internal.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static void flush(struct tcp_link *link);

void p2_tcp_mark_dirty(struct tcp_link *link)
{
    struct tcp *tcp = link->tcp;
    if (!link->is_dirty) {
        link->is_dirty = true;
        link->dirty_next = tcp->dirty;
        tcp->dirty = link;
    }
}

/* With frames, the system may hold little that was not sent yet: else the newest frame would wait
 * behind older ones that nobody can replace any more. */
static void prepare_for_frames(struct tcp_link *link)
{
    int lowat = FRAME_NOTSENT_LOWAT;
    uv_os_fd_t fd = -1;
    link->session->has_frames = true;
    if (uv_fileno((uv_handle_t *)&link->handle, &fd) == 0) {
        /* Without it frames are only older. */
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat, sizeof lowat);
    }
}

int p2_tcp_link_send(struct p2_link *base, uint8_t type, struct p2_span body)
{
    struct tcp_link *link = (struct tcp_link *)base;
    enum p2_link_class class = base->rules->class(type);
    int error = p2_tcp_link_session(link);
    if (error == P2_OK) {
        error = p2_mux_write(&link->session->writer, class, type, body);
    }
    if (error != P2_OK) {
        return error;
    }
    link->session->stats.sent_messages++;
    link->session->stats.sent_bytes += body.size;
    if (class == P2_LINK_FRAME && !link->session->has_frames) {
        prepare_for_frames(link);
    }
    p2_tcp_mark_dirty(link);
    return P2_OK;
}

/* ---- writing ----------------------------------------------------------------------------------- */

/* Handshake messages: at most 64 bytes on a fresh connection, which its buffer takes. */
int p2_tcp_write_raw(struct tcp_link *link, const uint8_t *data, size_t size)
{
    uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)data, (unsigned)size);
    int written = uv_try_write((uv_stream_t *)&link->handle, &buffer, 1);
    if (written < 0 && written != UV_EAGAIN) {
        return p2_tcp_error(written);
    }
    return written == (int)size ? P2_OK : P2_E_STALLED;
}

static void on_written(uv_write_t *request, int status)
{
    struct tcp_write *write = request->data;
    struct tcp_link *link = write->link;
    link->session->write = NULL;
    p2_pool_give(&link->tcp->pool, write, write->capacity);
    if (link->state == LINK_CLOSING) {
        return;
    }
    if (status != 0) {
        p2_tcp_link_fail(link, p2_tcp_error(status));
        return;
    }
    flush(link);
}

/* Bytes the peer has not acknowledged: ours that wait, and those in the system's buffer. The buffer
 * holds megabytes, so a slow peer may read for a long time before it takes more from us: only the
 * sum tells it from one that does not read at all. */
static size_t unacknowledged_bytes(struct tcp_link *link)
{
    size_t left = uv_stream_get_write_queue_size((const uv_stream_t *)&link->handle);
    uv_os_fd_t fd = -1;
    int buffered = 0;
    if (uv_fileno((uv_handle_t *)&link->handle, &fd) == 0 && ioctl(fd, TIOCOUTQ, &buffered) == 0) {
        left += (size_t)buffered; /* tcp(7): SIOCOUTQ, another name of the same request */
    }
    return left;
}

/* The system did not take these bytes: they wait in a block of their own. */
static int write_later(struct tcp_link *link, const uint8_t *data, size_t size)
{
    struct tcp *tcp = link->tcp;
    struct tcp_session *session = link->session;
    size_t capacity = 0;
    struct tcp_write *write = p2_pool_take(&tcp->pool, sizeof *write + size, &capacity);
    if (write == NULL) {
        return P2_E_LIMIT;
    }
    write->link = link;
    write->capacity = capacity;
    write->request.data = write;
    memcpy(write->bytes, data, size);
    uv_buf_t buffer = uv_buf_init((char *)write->bytes, (unsigned)size);
    int failed = uv_write(&write->request, (uv_stream_t *)&link->handle, &buffer, 1, on_written);
    if (failed != 0) {
        p2_pool_give(&tcp->pool, write, capacity);
        return p2_tcp_error(failed);
    }
    session->write = write;
    session->progress_ms = uv_now(tcp->options.loop);
    return P2_OK;
}

/* Seals the next records into the loop's write buffer; their bytes go to *ret_size. */
static int seal_records(struct tcp_link *link, size_t *ret_size)
{
    struct tcp_session *session = link->session;
    uint8_t *out = link->tcp->write_buffer;
    size_t room = session->has_frames ? FRAME_RECORD_BYTES : P2_RECORD_PLAINTEXT_MAX;
    size_t target = session->has_frames ? FRAME_RECORD_BYTES : WRITE_TARGET;
    size_t at = 0;
    while (at < target) {
        size_t size = p2_mux_fill(&session->writer, out + at + P2_RECORD_HEADER_BYTES, room);
        if (size == 0) {
            break;
        }
        int error =
            p2_record_seal(&link->keys->send, out + at, out + at + P2_RECORD_HEADER_BYTES, size);
        if (error != P2_OK) {
            return error;
        }
        session->stats.sent_records++;
        at += size + P2_RECORD_OVERHEAD;
    }
    *ret_size = at;
    return P2_OK;
}

static int write_pending(struct tcp_link *link)
{
    struct tcp *tcp = link->tcp;
    while (link->session->write == NULL && p2_mux_pending(&link->session->writer)) {
        size_t size = 0;
        int error = seal_records(link, &size);
        if (error != P2_OK) {
            return error;
        }
        uv_buf_t buffer = uv_buf_init((char *)tcp->write_buffer, (unsigned)size);
        int written = uv_try_write((uv_stream_t *)&link->handle, &buffer, 1);
        tcp->stats.writes++;
        if (written == UV_EAGAIN) {
            written = 0;
        }
        if (written < 0) {
            return p2_tcp_error(written);
        }
        link->session->written_bytes += size;
        if ((size_t)written < size) {
            return write_later(link, tcp->write_buffer + written, size - (size_t)written);
        }
    }
    return P2_OK;
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct tcp_link *link = request->data;
    free(request);
    if (status != 0 && link->state != LINK_CLOSING) {
        p2_tcp_link_fail(link, p2_tcp_error(status));
    }
}

/* Everything of a draining link was written: tells the peer, and waits for its close. */
static int finish(struct tcp_link *link)
{
    uv_shutdown_t *request = malloc(sizeof *request);
    if (request == NULL) {
        return P2_E_NOMEM;
    }
    request->data = link;
    link->state = LINK_FINISHED;
    int failed = uv_shutdown(request, (uv_stream_t *)&link->handle, on_shutdown);
    if (failed != 0) {
        free(request);
        return p2_tcp_error(failed);
    }
    return P2_OK;
}

static void flush(struct tcp_link *link)
{
    struct tcp_session *session = link->session;
    int error = write_pending(link);
    if (error == P2_OK && link->base.is_draining && session->write == NULL &&
        link->state != LINK_FINISHED) {
        error = finish(link);
    }
    if (error != P2_OK) {
        p2_tcp_link_fail(link, error);
        return;
    }
    if (p2_mux_take_drained(&session->writer) && link->base.events->on_drained != NULL) {
        link->base.events->on_drained(&link->base, link->base.ctx);
    }
}

void p2_tcp_flush_all(struct tcp *tcp)
{
    struct tcp_link *link = tcp->dirty;
    tcp->dirty = NULL; /* what callbacks send now leaves in the next turn */
    while (link != NULL) {
        struct tcp_link *next = link->dirty_next;
        link->is_dirty = false;
        link->dirty_next = NULL;
        if (link->state != LINK_CLOSING && link->state != LINK_FINISHED) {
            flush(link);
        }
        link = next;
    }
}

/* ---- pulse ------------------------------------------------------------------------------------- */

int p2_tcp_send_ping(struct tcp_link *link)
{
    struct tcp *tcp = link->tcp;
    struct tcp_session *session = link->session;
    uint64_t nonce;
    tcp->options.entropy(tcp->options.ctx, &nonce, sizeof nonce);
    p2_ping_format(session->ping, nonce | UINT64_C(1) << 63);
    int error = p2_mux_write(&session->writer, P2_LINK_CONTROL, link->base.rules->ping_type,
                             p2_span(session->ping, sizeof session->ping));
    if (error == P2_E_AGAIN) {
        return P2_OK; /* the queue is full: tried again at the next pulse */
    }
    if (error == P2_OK) {
        session->is_ping_out = true;
        session->ping_sent_ns = uv_hrtime();
        session->ping_sent_ms = uv_now(tcp->options.loop);
        p2_tcp_mark_dirty(link);
    }
    return error;
}

/* Notes progress of the peer's acknowledgements. It costs a system call, so only for links that
 * write, or have been silent for a while; the first look has nothing to compare with. */
static void watch_acknowledgements(struct tcp_link *link, uint64_t now_ms)
{
    struct tcp_session *session = link->session;
    bool is_silent = now_ms - link->received_ms >= link->tcp->options.idle_timeout_ms / 4;
    if (session->write == NULL && !is_silent) {
        session->is_watched = false;
        return;
    }
    size_t left = unacknowledged_bytes(link);
    uint64_t acked = session->written_bytes > left ? session->written_bytes - left : 0;
    if (session->is_watched && acked > session->acked_bytes) {
        session->progress_ms = now_ms;
    }
    session->acked_bytes = acked;
    session->is_watched = true;
}

/* Did a write request stand still for too long? */
static bool is_stalled(const struct tcp_link *link, uint64_t now_ms)
{
    const struct tcp_session *session = link->session;
    if (session->write == NULL) {
        return false;
    }
    return now_ms - session->progress_ms >= link->tcp->options.stall_timeout_ms;
}

/* The first deadline an open link has missed, or 0. */
static int check_deadlines(struct tcp_link *link, uint64_t now_ms)
{
    const struct p2_tcp_options *options = &link->tcp->options;
    const struct tcp_session *session = link->session;
    uint64_t partial_ms = p2_mux_oldest_ms(&session->reader);
    if (is_stalled(link, now_ms) ||
        (link->base.is_draining && now_ms >= session->finish_deadline_ms)) {
        return P2_E_STALLED;
    }
    if (partial_ms != UINT64_MAX && now_ms - partial_ms >= options->partial_timeout_ms) {
        return P2_E_TIMEOUT;
    }
    if (link->carry_size > 0 && now_ms - link->carry_since_ms >= options->partial_timeout_ms) {
        return P2_E_TIMEOUT;
    }
    struct p2_pulse pulse = {.heard = link->received_ms,
                             .progress = session->progress_ms,
                             .ping = session->ping_sent_ms,
                             .is_ping_out = session->is_ping_out};
    return p2_pulse_check(&pulse, now_ms, options->idle_timeout_ms);
}

void p2_tcp_pulse(struct tcp_link *link, uint64_t now_ms)
{
    struct tcp_session *session = link->session;
    watch_acknowledgements(link, now_ms);
    int error = check_deadlines(link, now_ms);
    if (error == P2_OK && session->may_ping && !session->is_ping_out && link->state == LINK_OPEN &&
        now_ms - session->ping_sent_ms >= link->tcp->options.ping_interval_ms) {
        error = p2_tcp_send_ping(link);
    }
    if (error != P2_OK) {
        p2_tcp_link_fail(link, error);
    }
}
