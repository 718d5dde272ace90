/* Links over TCP with libuv: the real implementation of link.h.
 *
 * One transport serves one event loop: it listens, dials, runs the handshakes (preamble, Noise XK),
 * seals and opens records, coalesces writes (all messages of a loop turn to one peer leave together,
 * small ones in one record), measures round trips and enforces every limit below. The limits, not
 * the number of peers, bound its memory and its time.
 *
 * States of a connection:
 *
 *   state       on the list   leaves it when                                        to
 *   CONNECTING  DIALING       connected; then preamble and message 1 are sent       HANDSHAKE
 *   HANDSHAKE   DIALING or    dialler: message 2 came, message 3 was sent           OPEN
 *               HANDSHAKE     listener: message 3 came                              STRANGER
 *   STRANGER    STRANGER      p2_link_accept                                        OPEN
 *   OPEN        PULSE         drained: everything was sent                          FINISHED
 *   FINISHED    PULSE         the peer closed as well                               CLOSING
 *   any                       an error, a deadline of its list, p2_link_close       CLOSING
 *
 * Life: p2_tcp_new, then dial and listen, then p2_transport_stop, and after its on_stopped
 * p2_tcp_free. Thread: the loop's. */
#ifndef P2_LINK_LINK_TCP_H
#define P2_LINK_LINK_TCP_H

#include "link/link.h"

struct uv_loop_s;

/* What a transport is made of. Set everything with p2_tcp_options_init, then change what you need.
 * All pointers are kept until p2_tcp_free. */
struct p2_tcp_options {
    struct uv_loop_s *loop;
    const struct p2_identity *identity; /* own key; lies in locked memory */
    const struct p2_link_rules *rules;
    uint8_t network_id[P2_KEY_BYTES];
    /* Fills out[size] with unpredictable bytes: ephemeral keys, nonces. */
    void (*entropy)(void *ctx, void *out, size_t size);
    /* An incoming connection was refused or failed before it had a user. May be NULL. */
    void (*on_refused)(void *ctx, const struct p2_link_address *peer, int reason);
    /* Something the operator should know (locked memory is short); once each. May be NULL. */
    void (*on_warning)(void *ctx, int error, const char *text);
    void *ctx; /* of these three */

    enum p2_local_peers local_peers; /* default STRICT */
    bool must_lock_secrets;          /* refuse links when memory cannot be locked; default false */
    uint32_t connections_max;        /* all incoming ones */
    uint32_t unaccepted_max;         /* incoming ones that are not accepted yet */
    uint32_t per_prefix_max;         /* incoming ones of one /24 or /48 */
    uint32_t handshakes_per_turn;    /* message 1 answered per loop turn, about 0.1 ms each */
    uint32_t handshake_timeout_ms;   /* from connect to the end of the handshake */
    uint32_t stranger_timeout_ms;    /* from there to p2_link_accept */
    uint32_t pulse_ms;               /* how often an open link's deadlines are looked at */
    uint32_t ping_interval_ms;       /* between a PONG and the next PING */
    uint32_t idle_timeout_ms;        /* silence without progress; see pulse.h for PING */
    uint32_t partial_timeout_ms;     /* from the first byte of a message or record to its last */
    uint32_t stall_timeout_ms;       /* nothing could be written */
    uint32_t drain_timeout_ms;       /* from p2_link_drain to the peer's close */
    size_t memory_max;               /* bytes for queues and partial messages of all links */
};

/* Defaults for everything but loop, identity, rules, network_id and entropy. */
void p2_tcp_options_init(struct p2_tcp_options *options);

/* Counters of a transport. */
struct p2_tcp_stats {
    uint64_t accepted;          /* incoming connections taken */
    uint64_t refused;           /* incoming connections that never had a user; see on_refused */
    uint64_t opened;            /* handshakes completed, both directions */
    uint64_t handshakes_queued; /* message 1 that had to wait for a later turn */
    uint64_t writes;            /* write calls to the system */
    uint32_t links;             /* now, in any state */
    uint32_t unaccepted;        /* now, incoming */
    size_t used_bytes;          /* now, of memory_max */
    size_t locked_bytes;        /* memory for secrets that is locked */
    size_t unlocked_bytes;      /* memory for secrets that the system would not lock */
};

/* Makes a transport. Gives: p2_tcp_free after on_stopped. P2_E_NOMEM, P2_E_INVALID (a limit of 0),
 * P2_E_IO (libuv). */
int p2_tcp_new(struct p2_transport **ret_transport, const struct p2_tcp_options *options);

/* Frees a stopped transport; NULL is ignored. */
void p2_tcp_free(struct p2_transport *transport);

struct p2_tcp_stats p2_tcp_stats(const struct p2_transport *transport);

/* Bytes of our memory per link, without the system's socket and buffers: for tests and documents. */
struct p2_tcp_footprint {
    size_t handshake; /* an incoming connection until its handshake is done */
    size_t stranger;  /* from there until its first message */
    size_t open_idle; /* an open link with nothing queued */
};
struct p2_tcp_footprint p2_tcp_footprint(void);

#endif
