/* A session kept in the overlay; see the header. */
#include "overlay/session_host.h"

#include "overlay/wakeup.h"

#include <stdlib.h>
#include <string.h>

/* How often the overlay's state is looked at. */
#define LOOK_US 1000000ull

struct p2_session_host {
    struct p2_overlay *overlay;
    struct p2_wakeup wakeup;
    struct p2_session_publisher publisher;
    struct p2_rng rng;
    bool was_connected;
};

static void put_soon(struct p2_session_host *host)
{
    (void)p2_wakeup_soon(&host->wakeup); /* its place was reserved at open */
}

static void on_wake(void *ctx)
{
    struct p2_session_host *host = ctx;
    uint64_t now_us = p2_overlay_now(host->overlay).mono_us;
    bool is_connected = p2_overlay_status(host->overlay).state == P2_OVERLAY_CONNECTED;
    uint64_t due_us = now_us + LOOK_US;
    if (is_connected && !host->was_connected) { /* what was put meanwhile reached nobody */
        const struct p2_overlay_session record = host->publisher.record;
        (void)p2_session_publisher_change(&host->publisher, &record); /* it was valid before */
    }
    if (is_connected) {
        uint64_t next_us = p2_session_publisher_tick(&host->publisher);
        due_us = next_us < due_us ? next_us : due_us;
    }
    host->was_connected = is_connected;
    (void)p2_wakeup_at(&host->wakeup, due_us);
}

int p2_session_host_open(struct p2_session_host **ret_host,
                         const struct p2_session_host_options *options)
{
    struct p2_overlay_session record = {.is_locked = options->is_locked,
                                        .has_aes = options->has_aes};
    const struct p2_session_publisher_options publishing = {.overlay = options->overlay,
                                                            .rules = options->rules,
                                                            .identity = options->identity,
                                                            .puzzle_nonce = options->puzzle_nonce,
                                                            .first_sequence =
                                                                options->first_sequence};
    if (options->endpoint_count > P2_SESSION_ENDPOINTS) {
        return P2_E_RANGE;
    }
    struct p2_session_host *host = calloc(1, sizeof *host);
    if (host == NULL) {
        return P2_E_NOMEM;
    }
    host->overlay = options->overlay;
    host->rng = options->rng;
    record.endpoint_count = options->endpoint_count;
    for (uint8_t i = 0; i < options->endpoint_count; i++) {
        record.endpoints[i] = options->endpoints[i];
    }
    if (options->salt != NULL) {
        memcpy(record.salt, options->salt, sizeof record.salt);
    } else {
        p2_rng_bytes(&host->rng, record.salt, sizeof record.salt);
    }
    struct p2_rng rng;
    p2_rng_split(&rng, &options->rng, "session publisher", 0);
    p2_wakeup_init(&host->wakeup, options->overlay, on_wake, host);
    int error = p2_session_publisher_start(&host->publisher, &publishing, &record, &rng);
    if (error == P2_OK) {
        error = p2_wakeup_soon(&host->wakeup);
    }
    if (error != P2_OK) {
        p2_session_host_close(host);
        return error;
    }
    *ret_host = host;
    return P2_OK;
}

const struct p2_session_id *p2_session_host_id(const struct p2_session_host *host)
{
    return &host->publisher.id;
}

const uint8_t *p2_session_host_salt(const struct p2_session_host *host)
{
    return host->publisher.record.salt;
}

void p2_session_host_link(const struct p2_session_host *host, unsigned endpoint,
                          char text[P2_JOIN_LINK_MAX])
{
    const struct p2_overlay_session *record = &host->publisher.record;
    struct p2_join_link link = {.id = host->publisher.id};
    if (endpoint < record->endpoint_count) {
        link.has_address = true;
        p2_ip_format(link.address.host, &record->endpoints[endpoint].ip);
        link.address.ip = record->endpoints[endpoint].ip;
        link.address.is_literal = true;
        link.address.port = record->endpoints[endpoint].port;
        link.address.key = record->authority;
    }
    p2_join_link_format(text, &link);
    p2_secret_wipe(&link, sizeof link);
}

int p2_session_host_set_endpoints(struct p2_session_host *host,
                                  const struct p2_link_address *endpoints, uint8_t count)
{
    struct p2_overlay_session record = host->publisher.record;
    if (count > P2_SESSION_ENDPOINTS) {
        return P2_E_RANGE;
    }
    memset(record.endpoints, 0, sizeof record.endpoints);
    record.endpoint_count = count;
    for (uint8_t i = 0; i < count; i++) {
        record.endpoints[i] = endpoints[i];
    }
    int error = p2_session_publisher_change(&host->publisher, &record);
    put_soon(host);
    return error;
}

void p2_session_host_set_locked(struct p2_session_host *host, bool is_locked)
{
    struct p2_overlay_session record = host->publisher.record;
    record.is_locked = is_locked;
    (void)p2_session_publisher_change(&host->publisher, &record); /* it was valid before */
    put_soon(host);
}

int p2_session_host_rotate(struct p2_session_host *host)
{
    uint8_t salt[P2_SALT_BYTES];
    p2_rng_bytes(&host->rng, salt, sizeof salt);
    int error = p2_session_publisher_rotate(&host->publisher, salt);
    p2_secret_wipe(salt, sizeof salt);
    put_soon(host);
    return error;
}

struct p2_session_host_status p2_session_host_status(const struct p2_session_host *host)
{
    return (struct p2_session_host_status){.puts = host->publisher.puts,
                                           .junk = host->publisher.junk,
                                           .next_us = host->publisher.next_us};
}

void p2_session_host_close(struct p2_session_host *host)
{
    if (host != NULL) {
        p2_wakeup_cancel(&host->wakeup);
        p2_session_publisher_stop(&host->publisher);
        p2_secret_wipe(host, sizeof *host);
        free(host);
    }
}
