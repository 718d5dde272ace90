/* Links: what every user of an encrypted connection sees (authority, helper, gamer, simulator).
 *
 * A link carries whole messages (type + body) both ways between two nodes, encrypted and
 * authenticated (DESIGN 4). How it does so is behind a table of functions: link_tcp.h is the real
 * one, tests/sim has the other. A user cannot tell them apart.
 *
 * Life of a link, seen by its user:
 *
 *   state      how it is entered                     what may happen next
 *   OPENING    p2_transport_dial / a listener's peer on_open, on_close
 *   STRANGER   on_open of an accepted link           on_message once (<= 1 KiB), p2_link_accept
 *   OPEN       on_open of a dialled link, or accept  on_message, on_drained, sends
 *   DRAINING   p2_link_drain                         on_message; sends give P2_E_DRAINING
 *   CLOSING    p2_link_close or an error             on_close and nothing else
 *
 * Contracts of the callbacks:
 *   - on_close comes exactly once and last for every link a user was given; the link is freed when
 *     it returns. The reason is 0 after a clean drain, otherwise P2_E_*.
 *   - No callback comes before the call that started the link has returned, and none from inside
 *     p2_link_send, _accept, _drain or _close. All calls are allowed inside callbacks.
 *   - A message's body is borrowed for the call only.
 *
 * Thread: a transport and all its links belong to one thread (the loop's). */
#ifndef P2_LINK_LINK_H
#define P2_LINK_LINK_H

#include "base/buf.h"
#include "base/crypto.h"
#include "base/id.h"
#include "link/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct p2_link;
struct p2_listener;
struct p2_transport;

/* Largest message a peer may send before it is accepted (DESIGN 4). */
#define P2_LINK_STRANGER_MESSAGE_MAX 1024

/* Priority on a link, highest first. Same order and values as enum p2_wire_class, which tells the
 * class of each message type. */
enum p2_link_class {
    P2_LINK_CONTROL, /* small, and never behind anything else */
    P2_LINK_LEASE,   /* leases, results, inputs */
    P2_LINK_BULK,    /* blobs, saves */
    P2_LINK_FRAME    /* gamer frames: an unsent older one is replaced; sent before BULK */
};
#define P2_LINK_CLASSES 4

/* What a link must know about messages; the product's rules come from src/wire. Roles are the
 * values of enum p2_role, 0 being a stranger. */
struct p2_link_rules {
    /* Largest body, in bytes, of `type` when sent by `sender`; 0 when it may not send that type. */
    uint32_t (*max_size)(uint8_t sender, uint8_t type);
    enum p2_link_class (*class)(uint8_t type);
    uint8_t role_count; /* roles are 0..role_count-1 */
    uint8_t ping_type;  /* answered by the link itself, never delivered; body: mux.h */
    uint8_t pong_type;
};

/* Where a peer is. */
struct p2_link_address {
    struct p2_ip ip;
    uint16_t port;
};

/* What a link reports. Every member may be NULL except on_close. */
struct p2_link_events {
    /* The handshake is done: the peer holds the key p2_link_peer_static shows. */
    void (*on_open)(struct p2_link *link, void *ctx);
    /* A whole message. `body` is borrowed for the call. */
    void (*on_message)(struct p2_link *link, uint8_t type, struct p2_span body, void *ctx);
    /* A send was refused with P2_E_AGAIN, and the queue has fallen below half since. */
    void (*on_drained)(struct p2_link *link, void *ctx);
    /* The end; see above. */
    void (*on_close)(struct p2_link *link, int reason, void *ctx);
};

/* Counters since the link opened. Bytes are bodies, without headers and tags. */
struct p2_link_stats {
    uint64_t sent_messages;
    uint64_t sent_bytes;
    uint64_t sent_records;
    uint64_t received_messages;
    uint64_t received_bytes;
    uint64_t received_records;
    uint64_t replaced_frames; /* dropped unsent because a newer one came */
    uint64_t queued_bytes;    /* now: accepted by send, not yet handed to the network */
};

/* Round-trip time measured by PING and PONG (RFC 6298 weights: 1/8 and 1/4). */
struct p2_link_rtt {
    uint32_t samples;   /* 0: nothing measured yet, the others are 0 */
    uint32_t rtt_us;    /* EWMA */
    uint32_t jitter_us; /* EWMA of |sample - rtt_us| */
    uint32_t last_us;   /* the newest sample */
};

/* ---- making links ---------------------------------------------------------------------------- */

/* Whom to dial. Everything is borrowed for the call; ctx is kept. */
struct p2_link_target {
    struct p2_link_address address;
    struct p2_id id;       /* the listener must hold this key */
    enum p2_cipher cipher; /* AES only if the listener is known to have it */
    uint8_t own_role; /* what we will say we are: bounds our sends, with what a stranger may send */
    uint8_t peer_role;                   /* what the listener is: bounds what it may send */
    const struct p2_link_events *events; /* kept until on_close */
    void *ctx;
};

/* Starts a connection. P2_E_BAD_KEY for an id that is no valid key, P2_E_ADDRESS, P2_E_NOMEM,
 * P2_E_UNSUPPORTED (cipher), P2_E_LIMIT, P2_E_DRAINING after p2_transport_stop. On success the
 * result arrives by on_open or on_close; ret_link is valid until on_close. */
int p2_transport_dial(struct p2_transport *transport, const struct p2_link_target *target,
                      struct p2_link **ret_link);

/* Where to listen and what happens to those who come. */
struct p2_listen_options {
    struct p2_link_address address; /* port 0: any free one; 0.0.0.0 or :: for all of a family */
    uint8_t own_role;               /* bounds our own sends */
    const struct p2_link_events *events; /* of accepted links: kept until the transport stopped */
    /* Gives the ctx of a link that has just finished its handshake; called right before on_open.
     * Returning an error closes the link with that reason and without on_open or on_close. */
    int (*on_peer)(struct p2_link *link, void *listener_ctx, void **ret_ctx);
    void *ctx; /* of on_peer */
};

/* Starts listening. P2_E_ADDRESS, P2_E_PERM, P2_E_EXIST (port in use), P2_E_NOMEM, P2_E_DRAINING.
 * The listener lives until the transport stops. */
int p2_transport_listen(struct p2_transport *transport, const struct p2_listen_options *options,
                        struct p2_listener **ret_listener);

/* The address a listener really has (its port when 0 was asked for). */
struct p2_link_address p2_listener_address(const struct p2_listener *listener);

/* ---- using links ------------------------------------------------------------------------------ */

/* Copies a message into the link's queue; it leaves at the end of this loop turn at the latest if
 * the network takes it. Order is kept within a class.
 * P2_E_AGAIN: the class's queue is full, nothing was copied; on_drained tells when to go on. Never
 * for FRAME, whose unsent predecessor is replaced.
 * P2_E_NOT_ALLOWED, P2_E_TOO_BIG: neither our own role nor a stranger (who we are until our HELLO
 * was read) may send that. P2_E_STATE: not open, or closing.
 * P2_E_DRAINING, P2_E_NOMEM. O(size). */
int p2_link_send(struct p2_link *link, uint8_t type, struct p2_span body);

/* Raises an accepted link from STRANGER to `peer_role` (not 0): from now on it may send what that
 * role may. When `id` is not NULL it is checked first: P2_E_BAD_KEY when it is no valid id,
 * P2_E_WRONG_PEER when it is not the key of the handshake; then nothing changes and the caller
 * closes with that reason. P2_E_STATE unless STRANGER. P2_E_LIMIT, P2_E_NOMEM (no room for keys). */
int p2_link_accept(struct p2_link *link, uint8_t peer_role, const struct p2_id *id);

/* Takes no more sends, finishes what is queued, then closes with reason 0. Messages still arrive.
 * A peer that does not read is cut off with P2_E_STALLED. */
void p2_link_drain(struct p2_link *link);

/* Drops what is queued and closes; on_close(reason) follows, not from inside this call. Only the
 * first call counts. */
void p2_link_close(struct p2_link *link, int reason);

/* The peer's X25519 static key [32]; borrowed, valid from on_open to on_close. */
const uint8_t *p2_link_peer_static(const struct p2_link *link);

/* Bytes [32] that are the same at both ends of this link and different on every other one (Noise
 * 11.2, channel binding: the first half of the handshake hash). Borrowed, valid as above. */
const uint8_t *p2_link_binding(const struct p2_link *link);

/* The id given to dial or accept, or NULL while there is none. Borrowed until on_close. */
const struct p2_id *p2_link_peer_id(const struct p2_link *link);

/* The role given to dial or accept; 0 for a stranger. */
uint8_t p2_link_peer_role(const struct p2_link *link);

/* The peer's address as this side sees it. */
struct p2_link_address p2_link_peer_address(const struct p2_link *link);

struct p2_link_rtt p2_link_rtt(const struct p2_link *link);
struct p2_link_stats p2_link_stats(const struct p2_link *link);

/* What the user attached to the link: the ctx of its callbacks. */
void *p2_link_ctx(const struct p2_link *link);

/* ---- stopping --------------------------------------------------------------------------------- */

/* Closes the listeners, drains (`drain` true) or closes (P2_E_CANCELLED) every link, refuses new
 * ones, and calls `on_stopped` once after the last on_close; the transport may then be freed with
 * its own function. Not called from inside this call. */
void p2_transport_stop(struct p2_transport *transport, bool drain, void (*on_stopped)(void *ctx),
                       void *ctx);

/* ---- for implementations ---------------------------------------------------------------------- */

/* The table behind a link. The functions above check arguments that concern all implementations
 * and forward; semantics as above. */
struct p2_link_ops {
    int (*send)(struct p2_link *link, uint8_t type, struct p2_span body);
    int (*accept)(struct p2_link *link, uint8_t peer_role);
    void (*drain)(struct p2_link *link);
    void (*close)(struct p2_link *link, int reason);
    struct p2_link_stats (*stats)(const struct p2_link *link);
};

/* First member of every implementation's link; implementations fill it, link.c reads it. */
struct p2_link {
    const struct p2_link_ops *ops;
    const struct p2_link_rules *rules;
    const struct p2_link_events *events;
    void *ctx;
    struct p2_link_address peer_address;
    struct p2_link_rtt rtt;
    uint8_t peer_static[P2_KEY_BYTES];
    uint8_t binding[P2_KEY_BYTES];
    struct p2_id peer_id;
    bool has_peer_id;
    bool is_open;      /* on_open was called: sends are possible */
    bool is_draining;  /* p2_link_drain was called */
    bool is_closing;   /* p2_link_close was called, or an error ended it */
    uint8_t own_role;  /* bounds our sends */
    uint8_t peer_role; /* bounds the peer's; 0 for a stranger */
};

/* Adds one sample in microseconds; used by every implementation so that figures compare. */
void p2_link_rtt_add(struct p2_link_rtt *rtt, uint32_t sample_us);

struct p2_transport_ops {
    int (*dial)(struct p2_transport *transport, const struct p2_link_target *target,
                struct p2_link **ret_link);
    int (*listen)(struct p2_transport *transport, const struct p2_listen_options *options,
                  struct p2_listener **ret_listener);
    void (*stop)(struct p2_transport *transport, bool drain, void (*on_stopped)(void *ctx),
                 void *ctx);
};

/* First member of every implementation's transport. */
struct p2_transport {
    const struct p2_transport_ops *ops;
    const struct p2_link_rules *rules;
};

/* First member of every implementation's listener. */
struct p2_listener {
    struct p2_transport *transport;
    struct p2_listen_options options;
    struct p2_link_address address; /* the real one */
};

#endif
