/* Links. The first message says what a stranger is: HELLO makes a helper, JOIN a gamer; anything else
 * is answered in its own words and closed.
 *
 *   state      entered by                        left by
 *   STRANGER   the handshake is done             HELLO, JOIN, anything else
 *   HELPER     HELLO of the handshake's key      CLOSING
 *   GAMER      JOIN of the handshake's key       CLOSING
 *   CLOSING    denied, ended, or the link's end  freed
 *
 * Thread: the loop. */
#ifndef P2_AUTHORITY_SHELL_PEERS_H
#define P2_AUTHORITY_SHELL_PEERS_H

#include "authority/shell/authority_internal.h"

#define P2_PEER_NUMBER_NONE UINT32_MAX

struct p2_peer {
    struct p2_authority *authority;
    struct p2_link *link;
    struct p2_peer *next, *prev;
    enum { P2_PEER_STRANGER, P2_PEER_HELPER, P2_PEER_GAMER, P2_PEER_CLOSING } state;
    struct p2_id id;  /* once HELPER or GAMER */
    uint32_t number;  /* of a helper with the core */
    bool is_accepted; /* ACCEPT was sent */
    uint16_t cores;
    uint32_t kernels;
    /* Of a gamer. */
    struct p2_hosted *hosted;
    uint8_t seat;
    uint32_t messages_left; /* token bucket */
    uint64_t refill_us;
    char agent[P2_WIRE_AGENT_MAX + 1];
};

/* For p2_listen_options; the listener's ctx is the authority. */
int p2_peer_on_link(struct p2_link *link, void *listener_ctx, void **ret_ctx);
extern const struct p2_link_events p2_peer_events;

/* Sends the message of an effect to a helper; closes the link when it is refused. */
void p2_peer_perform(struct p2_peer *peer, const struct p2_effect *effect, bool is_final);

/* Refuses a helper with a reason and closes when that was sent. */
void p2_peer_deny(struct p2_peer *peer, enum p2_denied_reason reason, uint32_t retry_s);

/* DRAIN to helpers, END to gamers, and close. */
void p2_peer_send_away(struct p2_peer *peer);

/* Ends a gamer's link with END. `text` may be NULL. */
void p2_peer_end(struct p2_peer *peer, enum p2_end_reason reason, const char *text,
                 uint32_t retry_s);

/* The helper with this key, or NULL. */
struct p2_peer *p2_peer_find(struct p2_authority *authority, const struct p2_id *id);

/* Bytes to encode a message of at most `bound` into; borrowed until the next call. */
int p2_peer_writer(struct p2_authority *authority, size_t bound, struct p2_writer *ret_writer);

/* Encodes `message`, a struct p2_msg_<name>, and sends it; `error` gets the outcome. */
#define P2_PEER_SEND(error, peer, TYPE, name, message)                                        \
    do {                                                                                      \
        struct p2_writer writer_;                                                             \
        (error) = p2_peer_writer((peer)->authority, p2_wire_bound_##name(message), &writer_); \
        if ((error) == P2_OK) {                                                               \
            (error) = p2_wire_encode_##name(&writer_, (message));                             \
        }                                                                                     \
        if ((error) == P2_OK) {                                                               \
            (error) = p2_link_send((peer)->link, P2_MSG_##TYPE, p2_writer_span(&writer_));    \
        }                                                                                     \
    } while (0)

#endif
