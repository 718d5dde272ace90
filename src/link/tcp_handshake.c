/* Preamble and Noise XK on a connection, and the transport keys that come out of it.
 *
 *   dialler                              listener
 *   preamble, message 1      ---->       checks the preamble, 3 X25519 operations
 *                            <----       message 2
 *   message 3                ---->       1 X25519 operation; then the link is open
 *
 * Messages have fixed sizes, so whatever follows one before it is answered is a payload or too
 * early and ends the connection (P2_E_HANDSHAKE) before any curve operation. Message 1 is the one a
 * stranger can send for nothing: only a number of them is answered per loop turn. */
#include "link/tcp_internal.h"

#include <string.h>

#define FIRST_BYTES (P2_PREAMBLE_BYTES + P2_NOISE_MESSAGE_1_BYTES)

/* A tag that does not match during a handshake has many causes: another key than the dialler
 * thinks, another network, a changed preamble, a payload. To the outside they are one. */
static int handshake_error(int error)
{
    return error == P2_E_BAD_TAG ? P2_E_HANDSHAKE : error;
}

static int take_early(struct tcp_link *link)
{
    struct tcp *tcp = link->tcp;
    if (link->early != NULL) {
        return P2_OK;
    }
    link->early = p2_slab_take(&tcp->early_slab);
    return link->early != NULL ? P2_OK : P2_E_LIMIT;
}

static int noise_start(struct tcp_link *link, enum p2_noise_role role,
                       const uint8_t preamble[P2_PREAMBLE_BYTES])
{
    struct tcp *tcp = link->tcp;
    uint8_t prologue[P2_PROLOGUE_BYTES];
    uint8_t ephemeral[P2_KEY_BYTES];
    p2_preamble_prologue(prologue, tcp->options.network_id, preamble);
    tcp->options.entropy(tcp->options.ctx, ephemeral, sizeof ephemeral);
    struct p2_noise_options options = {
        .role = role,
        .cipher = (enum p2_cipher)link->cipher,
        .prologue = p2_span(prologue, sizeof prologue),
        .static_secret = tcp->options.identity->exchange_secret,
        .static_public = tcp->options.identity->exchange_public,
        .remote_static = role == P2_NOISE_INITIATOR ? link->base.peer_static : NULL,
        .ephemeral_secret = ephemeral,
    };
    int error = p2_noise_init(&link->early->noise, &options);
    p2_secret_wipe(ephemeral, sizeof ephemeral);
    return error;
}

/* Writes the next message with an empty payload after `prefix_size` bytes that are in out already,
 * and sends both. */
static int send_message(struct tcp_link *link, uint8_t *out, size_t prefix_size, size_t capacity)
{
    size_t size = 0;
    int error = p2_noise_write(&link->early->noise, p2_span(NULL, 0), out + prefix_size,
                               capacity - prefix_size, &size);
    return error == P2_OK ? p2_tcp_write_raw(link, out, prefix_size + size) : error;
}

static int read_message(struct tcp_link *link, const uint8_t *data, size_t size)
{
    uint8_t payload[1];
    size_t payload_size = 0;
    return handshake_error(
        p2_noise_read(&link->early->noise, p2_span(data, size), payload, 0, &payload_size));
}

int p2_tcp_handshake_start(struct tcp_link *link)
{
    uint8_t first[FIRST_BYTES];
    int error = take_early(link);
    if (error != P2_OK) {
        return error;
    }
    p2_preamble_format(first, (enum p2_cipher)link->cipher);
    error = noise_start(link, P2_NOISE_INITIATOR, first);
    return error == P2_OK ? send_message(link, first, P2_PREAMBLE_BYTES, sizeof first) : error;
}

/* The transport keys replace the handshake's state. */
static int split(struct tcp_link *link)
{
    struct tcp_early *early = link->early;
    uint8_t hash[64];
    int error = p2_noise_split(&early->noise, early->send_key, early->receive_key, hash);
    if (error == P2_OK) {
        memcpy(link->base.binding, hash, sizeof link->base.binding);
    }
    return error;
}

int p2_tcp_link_keys(struct tcp_link *link)
{
    struct tcp *tcp = link->tcp;
    if (link->keys != NULL) {
        return P2_OK;
    }
    struct tcp_keys *keys = p2_slab_take(&tcp->key_slab);
    if (keys == NULL) {
        return P2_E_LIMIT;
    }
    enum p2_cipher cipher = (enum p2_cipher)link->cipher;
    int error = p2_record_init(&keys->send, cipher, link->early->send_key);
    if (error == P2_OK) {
        error = p2_record_init(&keys->receive, cipher, link->early->receive_key);
    }
    if (error != P2_OK) {
        p2_slab_give(&tcp->key_slab, keys);
        return error;
    }
    link->keys = keys;
    p2_slab_give(&tcp->early_slab, link->early);
    link->early = NULL;
    if (tcp->key_slab.unlocked_bytes > 0 && !tcp->has_warned && tcp->options.on_warning != NULL) {
        tcp->options.on_warning(tcp->options.ctx, P2_E_LIMIT,
                                "keys of links lie in memory that can be swapped to disk: the "
                                "limit of locked memory is used up (raise LimitMEMLOCK=)");
        tcp->has_warned = true;
    }
    return P2_OK;
}

static void report_open(struct tcp_link *link)
{
    link->tcp->stats.opened++;
    link->base.is_open = true;
    if (link->base.events->on_open != NULL) {
        link->base.events->on_open(&link->base, link->base.ctx);
    }
}

/* ---- listener ---------------------------------------------------------------------------------- */

/* Checks the preamble as soon as it is there. */
static int check_preamble(struct tcp_link *link)
{
    enum p2_cipher cipher;
    int error = p2_preamble_parse(&cipher, p2_span(link->early->bytes, P2_PREAMBLE_BYTES));
    if (error == P2_OK) {
        link->cipher = (uint8_t)cipher;
    }
    return error;
}

static int answer_message_1(struct tcp_link *link)
{
    uint8_t out[P2_NOISE_MESSAGE_2_BYTES];
    int error = noise_start(link, P2_NOISE_RESPONDER, link->early->bytes);
    if (error == P2_OK) {
        error =
            read_message(link, link->early->bytes + P2_PREAMBLE_BYTES, P2_NOISE_MESSAGE_1_BYTES);
    }
    link->early_size = 0;
    return error == P2_OK ? send_message(link, out, 0, sizeof out) : error;
}

static int take_message_3(struct tcp_link *link)
{
    struct p2_listener *listener = link->listener;
    int error = read_message(link, link->early->bytes, P2_NOISE_MESSAGE_3_BYTES);
    if (error == P2_OK) {
        error = p2_noise_remote_static(&link->early->noise, link->base.peer_static);
    }
    if (error == P2_OK) {
        error = split(link);
    }
    if (error == P2_OK) {
        error = listener->options.on_peer(&link->base, listener->options.ctx, &link->base.ctx);
    }
    if (error != P2_OK) {
        return error;
    }
    link->has_user = true;
    if (link->state == LINK_CLOSING) {
        return P2_OK; /* on_peer closed it, or stopped the transport: on_close follows */
    }
    link->state = LINK_STRANGER;
    p2_tcp_list_append(link, LIST_STRANGER);
    report_open(link);
    return P2_OK;
}

static void wait_for_budget(struct tcp_link *link)
{
    struct tcp *tcp = link->tcp;
    link->is_waiting = true;
    *(tcp->waiting_last != NULL ? &tcp->waiting_last->waiting_next : &tcp->waiting_first) = link;
    tcp->waiting_last = link;
    tcp->stats.handshakes_queued++;
    (void)uv_read_stop((uv_stream_t *)&link->handle);       /* always succeeds */
    (void)uv_idle_start(&tcp->idle, p2_tcp_handshake_idle); /* cannot fail: has a callback */
}

static int run_listener(struct tcp_link *link, size_t bytes_after)
{
    struct tcp *tcp = link->tcp;
    if (link->early->noise.state != P2_NOISE_MESSAGE_1) {
        return take_message_3(link);
    }
    if (bytes_after > 0) {
        return P2_E_HANDSHAKE;
    }
    if (tcp->handshakes_left == 0) {
        wait_for_budget(link);
        return P2_OK;
    }
    tcp->handshakes_left--;
    return answer_message_1(link);
}

/* Its only purpose is that the loop does not wait for the network while handshakes wait. */
void p2_tcp_handshake_idle(uv_idle_t *idle)
{
    (void)idle;
}

void p2_tcp_handshake_run_waiting(struct tcp *tcp)
{
    while (tcp->waiting_first != NULL && tcp->handshakes_left > 0) {
        struct tcp_link *link = tcp->waiting_first;
        tcp->waiting_first = link->waiting_next;
        if (tcp->waiting_first == NULL) {
            tcp->waiting_last = NULL;
            (void)uv_idle_stop(&tcp->idle); /* always succeeds */
        }
        link->waiting_next = NULL;
        link->is_waiting = false;
        if (link->state == LINK_CLOSING) {
            p2_tcp_link_free_if_closed(link);
            continue;
        }
        tcp->handshakes_left--;
        int error = answer_message_1(link);
        if (error == P2_OK) {
            error = p2_tcp_read_start(link);
        }
        if (error != P2_OK) {
            p2_tcp_link_fail(link, error);
        }
    }
}

/* ---- dialler ----------------------------------------------------------------------------------- */

static int run_dialler(struct tcp_link *link, size_t bytes_after)
{
    uint8_t out[P2_NOISE_MESSAGE_3_BYTES];
    if (bytes_after > 0) {
        return P2_E_HANDSHAKE;
    }
    int error = read_message(link, link->early->bytes, P2_NOISE_MESSAGE_2_BYTES);
    if (error == P2_OK) {
        error = send_message(link, out, 0, sizeof out);
    }
    if (error == P2_OK) {
        error = split(link);
    }
    if (error == P2_OK) {
        error = p2_tcp_link_session(link);
    }
    if (error == P2_OK) {
        link->state = LINK_OPEN;
        p2_tcp_list_append(link, LIST_PULSE);
        report_open(link);
    }
    return error;
}

static size_t bytes_wanted(const struct tcp_link *link)
{
    if (link->listener == NULL) {
        return P2_NOISE_MESSAGE_2_BYTES;
    }
    return link->early->noise.state == P2_NOISE_MESSAGE_1 ? FIRST_BYTES : P2_NOISE_MESSAGE_3_BYTES;
}

int p2_tcp_handshake_read(struct tcp_link *link, uint8_t **data, size_t *size)
{
    int error = take_early(link);
    if (error != P2_OK) {
        return error;
    }
    size_t wanted = bytes_wanted(link);
    size_t part = wanted - link->early_size;
    part = part < *size ? part : *size;
    bool had_preamble = link->early_size >= P2_PREAMBLE_BYTES;
    memcpy(link->early->bytes + link->early_size, *data, part);
    link->early_size = (uint8_t)(link->early_size + part);
    *data += part;
    *size -= part;
    if (wanted == FIRST_BYTES && !had_preamble && link->early_size >= P2_PREAMBLE_BYTES) {
        error = check_preamble(link);
    }
    if (error != P2_OK || link->early_size < wanted) {
        return error;
    }
    return link->listener != NULL ? run_listener(link, *size) : run_dialler(link, *size);
}
