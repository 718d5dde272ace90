/* A daemon's membership of a network: its node of the overlay, the identity puzzle, and the good nodes
 * it remembers, opened and closed as one.
 *
 *   open      the node starts; the puzzle is read from the state folder or solved in the background
 *   solved    on_solved, once: from now on records of this identity count
 *   close     node and solver end
 *
 * Good nodes are kept in the state folder (P2_MEMBERSHIP_NODES_FILE), so that the next start needs no
 * bootstrap host. Thread: the loop's. */
#ifndef P2_OVERLAY_MEMBERSHIP_H
#define P2_OVERLAY_MEMBERSHIP_H

#include "base/crypto.h"
#include "base/error.h"
#include "base/log.h"
#include "overlay/overlay.h"
#include "overlay/record.h"

#include <uv.h>

/* File of the state folder: the nodes that answered last, as the overlay gives them. */
#define P2_MEMBERSHIP_NODES_FILE "overlay-nodes"

struct p2_membership;

/* Pointers and strings are borrowed for p2_membership_open, but for those marked kept. */
struct p2_membership_options {
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
    /* The puzzle's solution, once, never from inside open. */
    void (*on_solved)(uint64_t nonce, void *ctx);
    void *ctx; /* kept */
};

/* Gives: ends with p2_membership_close. Errors of p2_overlay_dht_open and p2_puzzle_solver_open. */
int p2_membership_open(struct p2_membership **ret_membership,
                       const struct p2_membership_options *options, struct p2_failure *failure);

/* Borrowed until close. */
struct p2_overlay *p2_membership_overlay(const struct p2_membership *membership);
const struct p2_overlay_rules *p2_membership_rules(const struct p2_membership *membership);
uint32_t p2_membership_puzzle_ppm(const struct p2_membership *membership);

/* Ends it within P2_OVERLAY_CLOSE_MS; what works on its overlay is closed before. No other callback
 * follows; `on_closed` comes once, never from inside, and it is freed when that returns. */
void p2_membership_close(struct p2_membership *membership, void (*on_closed)(void *ctx), void *ctx);

#endif
