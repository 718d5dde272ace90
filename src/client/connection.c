/* Overlay, transport and link of one gamer. */
#include "client/connection.h"

#include "base/entropy.h"
#include "base/error.h"
#include "link/link_tcp.h"
#include "link/network.h"
#include "link/wire_rules.h"
#include "overlay/overlay_dht.h"
#include "overlay/session_finder.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIALS_MAX    8u /* endpoints of a record, and of a join link */
#define RETRY_MIN_MS 100u
#define RETRY_MAX_MS 5000u /* chosen: people notice a host that is back within that */
#define RETRY_S_MAX  60u   /* longest wait a host may ask for; chosen: a person's patience */
#define DRAIN_MS     200u  /* END still leaves */
#define SEED_TRIES   64    /* half of all seeds make a valid identity */

struct dial {
    struct p2_connection *connection;
    struct p2_link *link; /* NULL: unused */
    unsigned number;
    bool is_open;
};

struct p2_connection {
    struct p2_connection_options options;
    struct p2_overlay_rules rules;
    struct p2_overlay *overlay;
    struct p2_session_finder *finder;
    struct p2_transport *transport; /* of `authority` */
    struct p2_identity *self;       /* locked; derived for `authority` */
    struct p2_id authority;
    struct p2_session_keys *keys; /* locked */
    struct dial dials[DIALS_MAX];
    struct p2_link *link; /* the one in use; also in dials */
    struct p2_link_address direct[P2_SESSION_ENDPOINTS];
    uint8_t direct_count;
    enum p2_connection_state state;
    uv_timer_t retry;
    unsigned wait_ms;
    uint64_t opened_us;
    char text[160];
    bool is_closing;
    bool has_new_transport; /* waiting for the old one to stop */
    unsigned open_parts;    /* overlay, transport, timer: closing waits for all */
    void (*on_closed)(void *ctx);
    void *closed_ctx;
};

static void seek(struct p2_connection *connection);

static void say(struct p2_connection *connection, const char *text)
{
    (void)snprintf(connection->text, sizeof connection->text, "%s", text);
    if (connection->options.on_change != NULL && !connection->is_closing) {
        connection->options.on_change(connection->options.ctx);
    }
}

/* ---- closing -------------------------------------------------------------------------------------- */

static void on_part_closed(void *ctx)
{
    struct p2_connection *connection = ctx;
    if (--connection->open_parts > 0) {
        return;
    }
    p2_tcp_free(connection->transport);
    p2_secret_free(connection->self);
    p2_secret_free(connection->keys);
    void (*on_closed)(void *) = connection->on_closed;
    void *closed_ctx = connection->closed_ctx;
    free(connection);
    if (on_closed != NULL) {
        on_closed(closed_ctx);
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

static void on_overlay_closed(void *ctx)
{
    struct p2_connection *connection = ctx;
    p2_session_finder_close(connection->finder);
    connection->finder = NULL;
    on_part_closed(connection);
}

void p2_connection_close(struct p2_connection *connection, void (*on_closed)(void *ctx), void *ctx)
{
    if (connection->is_closing) {
        return;
    }
    p2_gamer_leave(connection->options.gamer);
    connection->is_closing = true;
    connection->state = P2_CONNECTION_OVER;
    connection->on_closed = on_closed;
    connection->closed_ctx = ctx;
    connection->open_parts = 1;
    if (connection->overlay != NULL) {
        connection->open_parts++;
        p2_session_finder_stop(connection->finder);
        p2_overlay_close(connection->overlay, on_overlay_closed, connection);
    }
    if (connection->transport != NULL) {
        connection->open_parts++;
        p2_transport_stop(connection->transport, true, on_part_closed, connection);
    }
    uv_close((uv_handle_t *)&connection->retry, on_timer_closed);
}

/* ---- the gamer's own key -------------------------------------------------------------------------- */

static int derive_self(struct p2_connection *connection)
{
    uint8_t seed[P2_KEY_BYTES], context[P2_KEY_BYTES + 1];
    int error = P2_E_BAD_KEY;
    memcpy(context, connection->authority.bytes, P2_KEY_BYTES);
    for (uint8_t i = 0; i < SEED_TRIES && error != P2_OK; i++) {
        context[P2_KEY_BYTES] = i;
        p2_derive_key(seed, connection->options.master->exchange_secret, "p2c2r gamer key",
                      p2_span(context, sizeof context));
        error = p2_identity_from_seed(connection->self, seed);
    }
    p2_secret_wipe(seed, sizeof seed);
    return error;
}

static void draw_entropy(void *ctx, void *out, size_t size)
{
    (void)ctx;
    p2_entropy(out, size);
}

/* A transport with the key for this authority: links show the key they were made with. */
static int open_transport(struct p2_connection *connection, const struct p2_id *authority)
{
    struct p2_tcp_options tcp;
    if (connection->transport != NULL) {
        /* One record names one authority; a second key under the same ID would be another host. */
        return p2_id_equal(authority, &connection->authority) ? P2_OK : P2_E_WRONG_PEER;
    }
    connection->authority = *authority;
    int error = derive_self(connection);
    if (error != P2_OK) {
        return error;
    }
    p2_tcp_options_init(&tcp);
    tcp.loop = connection->options.loop;
    tcp.identity = connection->self;
    tcp.rules = &p2_link_wire_rules;
    tcp.entropy = draw_entropy;
    tcp.ctx = connection;
    tcp.drain_timeout_ms = DRAIN_MS;
    p2_network_id(tcp.network_id, connection->options.network);
    return p2_tcp_new(&connection->transport, &tcp);
}

/* ---- links ---------------------------------------------------------------------------------------- */

static void wait_and_retry(struct p2_connection *connection);

static void on_open(struct p2_link *link, void *ctx)
{
    struct dial *dial = ctx;
    (void)link;
    dial->is_open = true;
    p2_session_finder_dialled(dial->connection->finder, dial->number, true);
}

static void on_message(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx)
{
    struct dial *dial = ctx;
    struct p2_connection *connection = dial->connection;
    if (link != connection->link) {
        return;
    }
    int error = p2_gamer_message(connection->options.gamer, type, body, uv_hrtime() / 1000);
    if (error != P2_OK) {
        p2_link_close(link, error);
    }
    if (connection->options.on_message != NULL && !connection->is_closing) {
        connection->options.on_message(connection->options.ctx);
    }
}

static void end_of_link(struct p2_connection *connection, int reason)
{
    const struct p2_gamer *gamer = connection->options.gamer;
    bool had_seat = gamer->phase == P2_SEAT_PLAYING;
    p2_gamer_lost(connection->options.gamer);
    connection->link = NULL;
    if (connection->is_closing) {
        return;
    }
    if (gamer->phase == P2_SEAT_ENDED && !p2_gamer_may_return(gamer->end)) {
        connection->state = P2_CONNECTION_OVER;
        say(connection, p2_gamer_end_text(gamer->end));
        return;
    }
    (void)snprintf(connection->text, sizeof connection->text, "connection lost (%s), coming back",
                   p2_error_text(reason));
    if (had_seat) { /* one that only opens and closes waits longer and longer */
        connection->wait_ms = RETRY_MIN_MS;
    }
    if (gamer->phase == P2_SEAT_ENDED &&
        gamer->end_retry_s * UINT64_C(1000) > connection->wait_ms) {
        connection->wait_ms =
            (gamer->end_retry_s < RETRY_S_MAX ? gamer->end_retry_s : RETRY_S_MAX) * 1000;
    }
    wait_and_retry(connection);
}

static void on_close(struct p2_link *link, int reason, void *ctx)
{
    struct dial *dial = ctx;
    struct p2_connection *connection = dial->connection;
    bool was_in_use = link == connection->link;
    bool was_open = dial->is_open;
    dial->link = NULL;
    if (was_in_use) {
        end_of_link(connection, reason);
    } else if (!was_open && connection->finder != NULL) {
        p2_session_finder_dialled(connection->finder, dial->number, false);
    }
}

static struct dial *dial_of(struct p2_connection *connection, unsigned number)
{
    for (size_t i = 0; i < DIALS_MAX; i++) {
        if (connection->dials[i].link != NULL && connection->dials[i].number == number) {
            return &connection->dials[i];
        }
    }
    return NULL;
}

static int start_dial(struct p2_connection *connection, const struct p2_finder_dial *dial)
{
    static const struct p2_link_events events = {
        .on_open = on_open, .on_message = on_message, .on_close = on_close};
    struct dial *place = NULL;
    for (size_t i = 0; i < DIALS_MAX && place == NULL; i++) {
        place = connection->dials[i].link == NULL ? &connection->dials[i] : NULL;
    }
    if (place == NULL) {
        return P2_E_LIMIT;
    }
    int error = open_transport(connection, &dial->authority);
    if (error != P2_OK) {
        return error;
    }
    bool has_aes = dial->has_aes && p2_cipher_available(P2_CIPHER_AESGCM);
    struct p2_link_target target = {.address = dial->address,
                                    .id = dial->authority,
                                    .cipher = has_aes ? P2_CIPHER_AESGCM : P2_CIPHER_CHACHAPOLY,
                                    .own_role = P2_ROLE_GAMER,
                                    .peer_role = P2_ROLE_AUTHORITY,
                                    .events = &events,
                                    .ctx = place};
    *place = (struct dial){.connection = connection, .number = dial->number};
    return p2_transport_dial(connection->transport, &target, &place->link);
}

/* ---- the finder ----------------------------------------------------------------------------------- */

static void on_dial(const struct p2_finder_dial *dial, void *ctx)
{
    struct p2_connection *connection = ctx;
    if (start_dial(connection, dial) != P2_OK) {
        p2_session_finder_dialled(connection->finder, dial->number, false);
    }
}

static void on_drop(unsigned number, void *ctx)
{
    struct dial *dial = dial_of(ctx, number);
    if (dial != NULL) {
        dial->is_open = true; /* no report is wanted */
        p2_link_close(dial->link, P2_E_CANCELLED);
    }
}

static void take_link(struct p2_connection *connection, struct dial *dial)
{
    connection->link = dial->link;
    connection->state = P2_CONNECTION_LINKED;
    connection->opened_us = uv_hrtime() / 1000;
    struct p2_id self;
    memcpy(self.bytes, connection->self->public_key, sizeof self.bytes);
    int error = p2_gamer_join(connection->options.gamer, connection->keys, &connection->authority,
                              &self, p2_link_binding(dial->link));
    if (error != P2_OK) {
        p2_link_close(dial->link, error);
    }
    say(connection, "asking for a seat");
}

static void on_end(int result, unsigned number, void *ctx)
{
    struct p2_connection *connection = ctx;
    struct dial *dial = result == P2_OK ? dial_of(connection, number) : NULL;
    if (connection->is_closing) {
        return;
    }
    if (dial != NULL) {
        take_link(connection, dial);
        return;
    }
    (void)snprintf(connection->text, sizeof connection->text, "%s",
                   result == P2_E_NOENT ? "no session with this ID was found; still looking"
                                        : "the host was found but does not answer; trying again");
    wait_and_retry(connection);
}

static void on_retry(uv_timer_t *timer)
{
    seek(timer->data);
}

static void wait_and_retry(struct p2_connection *connection)
{
    connection->state = P2_CONNECTION_WAITING;
    (void)uv_timer_start(&connection->retry, on_retry, connection->wait_ms, 0);
    connection->wait_ms =
        connection->wait_ms * 2 < RETRY_MAX_MS ? connection->wait_ms * 2 : RETRY_MAX_MS;
    if (connection->options.on_change != NULL) {
        connection->options.on_change(connection->options.ctx);
    }
}

static void seek(struct p2_connection *connection)
{
    const struct p2_join_link *join = &connection->options.join;
    const struct p2_id *known = join->has_address ? &join->address.key : NULL;
    connection->state = P2_CONNECTION_SEEKING;
    int error = p2_session_finder_start(connection->finder, &join->id, known, connection->direct,
                                        connection->direct_count);
    if (error != P2_OK) {
        wait_and_retry(connection);
    }
}

/* ---- opening -------------------------------------------------------------------------------------- */

static bool ip_of(struct p2_ip *ret_ip, const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        uint8_t bytes[4];
        memcpy(&v4, address, sizeof v4);
        memcpy(bytes, &v4.sin_addr, sizeof bytes);
        *ret_ip = p2_ip_from_v4(bytes);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        *ret_ip = p2_ip_from_v6(v6.sin6_addr.s6_addr);
    } else {
        return false;
    }
    return true;
}

/* The addresses of the join link's host; a name is asked for once, at the start. */
static int resolve(struct p2_connection *connection, struct p2_failure *failure)
{
    const struct p2_address *address = &connection->options.join.address;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (!connection->options.join.has_address) {
        return P2_OK;
    }
    if (address->is_literal) {
        connection->direct[0] = (struct p2_link_address){address->ip, address->port};
        connection->direct_count = 1;
        return P2_OK;
    }
    int status = getaddrinfo(address->host, NULL, &hints, &found);
    if (status != 0) {
        return p2_fail(failure, P2_E_ADDRESS, "%s: %s", address->host, gai_strerror(status));
    }
    for (struct addrinfo *item = found;
         item != NULL && connection->direct_count < P2_SESSION_ENDPOINTS; item = item->ai_next) {
        struct p2_link_address *next = &connection->direct[connection->direct_count];
        if (ip_of(&next->ip, item->ai_addr)) {
            next->port = address->port;
            connection->direct_count++;
        }
    }
    freeaddrinfo(found);
    return connection->direct_count > 0
               ? P2_OK
               : p2_fail(failure, P2_E_ADDRESS, "%s has no address", address->host);
}

static int open_overlay(struct p2_connection *connection, struct p2_failure *failure)
{
    static const struct p2_finder_events events = {
        .on_dial = on_dial, .on_drop = on_drop, .on_end = on_end};
    const struct p2_connection_options *options = &connection->options;
    p2_network_id(connection->rules.network_id, options->network);
    connection->rules.puzzle_bits = options->puzzle_bits;
    const struct p2_overlay_dht_config config = {
        .program = options->dht_program,
        .network = p2_network_number(options->network),
        .finds_lan = options->finds_lan,
        .bootstrap = options->bootstrap,
        .bootstrap_count = options->bootstrap_count,
    };
    int error = p2_overlay_dht_open(&connection->overlay, options->loop, &config, failure);
    if (error != P2_OK) {
        return error;
    }
    const struct p2_finder_options finder = {.overlay = connection->overlay,
                                             .rules = &connection->rules};
    error = p2_session_finder_open(&connection->finder, &finder, &events, connection);
    return error == P2_OK
               ? p2_session_keys_derive(connection->keys, &options->join.id, &connection->rules)
               : error;
}

int p2_connection_open(struct p2_connection **ret_connection,
                       const struct p2_connection_options *options, struct p2_failure *failure)
{
    struct p2_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        return P2_E_NOMEM;
    }
    connection->options = *options;
    connection->wait_ms = RETRY_MIN_MS;
    connection->self = p2_secret_alloc(sizeof *connection->self);
    connection->keys = p2_secret_alloc(sizeof *connection->keys);
    (void)snprintf(connection->text, sizeof connection->text, "looking for the session");
    if (uv_timer_init(options->loop, &connection->retry) != 0) {
        p2_secret_free(connection->self);
        p2_secret_free(connection->keys);
        free(connection);
        return P2_E_IO;
    }
    connection->retry.data = connection;
    int error = connection->self == NULL || connection->keys == NULL ? P2_E_NOMEM
                                                                     : resolve(connection, failure);
    if (error == P2_OK) {
        error = open_overlay(connection, failure);
    }
    if (error != P2_OK) {
        p2_connection_close(connection, NULL, NULL);
        return error;
    }
    *ret_connection = connection;
    seek(connection);
    return P2_OK;
}

int p2_connection_send(void *ctx, uint8_t type, struct p2_span body)
{
    struct p2_connection *connection = ctx;
    return connection != NULL && connection->link != NULL
               ? p2_link_send(connection->link, type, body)
               : P2_E_STATE;
}

enum p2_connection_state p2_connection_state(const struct p2_connection *connection)
{
    return connection->state;
}

const char *p2_connection_text(const struct p2_connection *connection)
{
    return connection->state == P2_CONNECTION_SEEKING ? p2_session_finder_text(connection->finder)
                                                      : connection->text;
}

struct p2_link_rtt p2_connection_rtt(const struct p2_connection *connection)
{
    struct p2_link_rtt none = {0};
    return connection->link != NULL ? p2_link_rtt(connection->link) : none;
}

uint64_t p2_connection_opened_us(const struct p2_connection *connection)
{
    return connection->opened_us;
}
