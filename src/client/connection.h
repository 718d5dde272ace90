/* The way to a session: finds it in the overlay, dials its endpoints, joins, and comes back for ever
 * when the link is lost, without asking.
 *
 *   state     how it is entered               leaves it when
 *   SEEKING   open; a wait is over            an endpoint opened -> LINKED; nothing found -> WAITING
 *   LINKED    the handshake is done           the link is gone -> WAITING; END -> OVER
 *   WAITING   0.1 s, doubling to 5 s          its time is over -> SEEKING
 *   OVER      the session ended, or we left   for good
 *
 * The gamer's key is derived from a master for each authority, so that hosts cannot compare notes
 * (DESIGN 4). Thread: the loop's. */
#ifndef P2_CLIENT_CONNECTION_H
#define P2_CLIENT_CONNECTION_H

#include "base/crypto.h"
#include "client/gamer.h"
#include "link/link.h"
#include "overlay/join_link.h"

#include <uv.h>

struct p2_connection;

enum p2_connection_state {
    P2_CONNECTION_SEEKING,
    P2_CONNECTION_LINKED,
    P2_CONNECTION_WAITING,
    P2_CONNECTION_OVER
};

struct p2_connection_options {
    uv_loop_t *loop;
    const struct p2_identity *master; /* borrowed */
    const char *network;
    const char *const *bootstrap; /* host:port [bootstrap_count] */
    size_t bootstrap_count;
    bool finds_lan;
    uint8_t puzzle_bits;     /* the network's, for readers of records */
    const char *dht_program; /* NULL: the installed one */
    struct p2_join_link join;
    struct p2_gamer *gamer; /* borrowed; its options' send is p2_connection_send */
    /* State, or text, has changed. */
    void (*on_change)(void *ctx);
    /* A message was taken. */
    void (*on_message)(void *ctx);
    void *ctx;
};

/* Opens the overlay and begins to seek. Gives: p2_connection_close. Errors of p2_overlay_dht_open. */
int p2_connection_open(struct p2_connection **ret_connection,
                       const struct p2_connection_options *options, struct p2_failure *failure);

/* For p2_gamer_options: sends on the present link; P2_E_STATE without one. */
int p2_connection_send(void *connection, uint8_t type, struct p2_span body);

enum p2_connection_state p2_connection_state(const struct p2_connection *connection);
/* What it is doing, for people: "searching, round 2 of 3". Borrowed until the next call. */
const char *p2_connection_text(const struct p2_connection *connection);
struct p2_link_rtt p2_connection_rtt(const struct p2_connection *connection);
/* Times in microseconds on the loop's clock, 0 while it has not happened: for figures. */
uint64_t p2_connection_opened_us(const struct p2_connection *connection);

/* Says goodbye if there is a seat, closes all; `on_closed` comes once, not from inside; then it is
 * freed. */
void p2_connection_close(struct p2_connection *connection, void (*on_closed)(void *ctx), void *ctx);

#endif
