/* How authorities that know nothing of this helper find it (DESIGN 6): the overlay's node, the
 * identity puzzle, the capacity ad and the inboxes, opened and closed as one.
 *
 *   open      the node starts; the puzzle is read from the state folder or solved in the background
 *   solved    the inboxes are watched, the ad is published, invites lead to on_dial
 *   close     nothing is published any more; a published ad ends by itself within 9 minutes
 *
 * Good nodes are kept in the state folder (P2_MEETING_NODES_FILE), so that the next start needs no
 * bootstrap host. Thread: the loop's. */
#ifndef P2_HELPER_MEETING_H
#define P2_HELPER_MEETING_H

#include "base/log.h"
#include "base/rng.h"
#include "overlay/helper_presence.h"

#include <jansson.h>
#include <uv.h>

/* File of the state folder: the nodes that answered last, as the overlay gives them. */
#define P2_MEETING_NODES_FILE "overlay-nodes"

struct p2_meeting;

/* Pointers and strings are borrowed for p2_meeting_open, but for those marked kept. */
struct p2_meeting_options {
    uv_loop_t *loop;                    /* kept */
    struct p2_log *log;                 /* kept */
    const struct p2_identity *identity; /* kept */
    const char *state_dir;
    const char *network; /* its name */
    const char *program; /* of the node; NULL: the installed one */
    const char *const *bootstrap;
    size_t bootstrap_count;
    uint16_t port; /* UDP; 0: any */
    bool finds_lan;
    uint8_t puzzle_bits;
    enum p2_local_peers local_peers; /* ALLOW: invites may name private and loopback addresses */
    struct p2_rng rng;
    /* The puzzle's solution, once, never from inside open: what HELLO carries. */
    void (*on_solved)(uint64_t nonce, void *ctx);
    /* As p2_presence_events.on_dial. */
    bool (*on_dial)(const struct p2_presence_dial *dial, void *ctx);
    void *ctx;
};

/* Gives: ends with p2_meeting_close. Errors of p2_overlay_dht_open and p2_puzzle_solver_open. */
int p2_meeting_open(struct p2_meeting **ret_meeting, const struct p2_meeting_options *options,
                    struct p2_failure *failure);

/* What is lent from now on, as p2_helper_presence_offer; before the puzzle is solved it is kept
 * until then. NULL: nothing is. P2_E_RANGE. */
int p2_meeting_offer(struct p2_meeting *meeting, const struct p2_capacity_ad *ad);

/* As p2_helper_presence_dialled. */
void p2_meeting_dialled(struct p2_meeting *meeting, const struct p2_link_address *address,
                        enum p2_dial_outcome outcome);

/* An object for status; NULL when out of memory. */
json_t *p2_meeting_describe(const struct p2_meeting *meeting);

/* Ends it within P2_OVERLAY_CLOSE_MS. No other callback follows; `on_closed` comes once, never from
 * inside, and it is freed when that returns. */
void p2_meeting_close(struct p2_meeting *meeting, void (*on_closed)(void *ctx), void *ctx);

#endif
