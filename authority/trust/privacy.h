/* What leaves this machine inside a lease, and how little of it.
 *
 * P0 tasks are moved to a local frame of reference, shuffled and renamed once per task, before any tier
 * sees them, keyed by PRF(session secret, task id): peer, hedge, replica, cloud, own cores, audit and
 * replay see identical bytes, and two leases of a world cannot be told from two of different worlds.
 * P1 tasks need resident contents; how much of a session's world one helper has ever held is counted
 * and capped. Pure. Thread: one. */
#ifndef P2_AUTHORITY_TRUST_PRIVACY_H
#define P2_AUTHORITY_TRUST_PRIVACY_H

#include "authority/trust/limits.h"
#include "base/error.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

/* The stream of one task: the same for the same secret and id, on every machine. */
void p2_private_stream(struct p2_rng *ret_stream, const uint8_t secret[P2_KEY_BYTES],
                       uint64_t task);

/* A permutation of 0..count-1 (Fisher-Yates, without bias). `order[count]`: new place i holds the old
 * order[i]. At most P2_PRIVATE_ITEMS_MAX. P2_E_INVALID. */
#define P2_PRIVATE_ITEMS_MAX 65536u
int p2_private_shuffle(struct p2_rng *stream, uint32_t *order, uint32_t count);

/* Undoes a shuffle of records: out[order[i]] = in[i], records of `size` bytes. */
void p2_private_restore(uint8_t *out, const uint8_t *in, const uint32_t *order, uint32_t count,
                        uint32_t size);
/* Applies it: out[i] = in[order[i]]. */
void p2_private_apply(uint8_t *out, const uint8_t *in, const uint32_t *order, uint32_t count,
                      uint32_t size);

/* One of the eight symmetries of the plane (turns by 90 degrees, mirrors), for grids: where cell (x, y)
 * of a square of `size` goes. `symmetry` 0..7, the inverse with p2_private_inverse. */
void p2_private_turn(uint8_t symmetry, int32_t size, int32_t x, int32_t y, int32_t *ret_x,
                     int32_t *ret_y);
uint8_t p2_private_inverse(uint8_t symmetry);

/* ---- the share of a world a helper has seen ------------------------------------------------------ */

#define P2_WORLD_CELLS_MAX 1024u /* contents of a session (P2_CORE_BLOBS_MAX) */

/* What one helper of one session has ever held: a bit per content slot. */
struct p2_world_view {
    uint64_t bits[P2_WORLD_CELLS_MAX / 64];
    uint32_t held;
};

/* May it get content `cell` (below `cells`, the contents of this session)? Contents it has had before
 * always; new ones while at most `share_ppm` of `cells` (at least one) have been shown to it. */
bool p2_world_allows(const struct p2_world_view *view, uint32_t cell, uint32_t cells,
                     uint32_t share_ppm);
void p2_world_show(struct p2_world_view *view, uint32_t cell);
/* The share it has seen, in ppm of `cells`. */
uint32_t p2_world_share_ppm(const struct p2_world_view *view, uint32_t cells);

#endif
