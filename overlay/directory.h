/* The directory's depth, found locally (DESIGN 6): nobody knows how many helpers there are.
 *
 * Every shard keeps the P2_DIRECTORY_SHARD helpers of lowest rank that belong to it; the others go
 * one bit deeper. So the inner shards of the tree stay full, which is how readers and newcomers
 * know that there is more below; and no key ever holds much more than 16 live ads, about 40 values
 * with the older generations the network still keeps.
 *
 *   helper, at each refresh: reads its shard and the one above
 *     16 or more of lower rank are in its shard       one deeper
 *     the shard above has room, and nobody in its
 *     own shard is of lower rank                      one higher
 *   reader: starts at the depth where it last found helpers, in a random direction
 *     8 or more live ads                              takes them, goes on one deeper
 *     none, and it has not come from above            one higher
 *     else                                            takes them, and is done
 *
 * Pure. Thread: reentrant. */
#ifndef P2_OVERLAY_DIRECTORY_H
#define P2_OVERLAY_DIRECTORY_H

#include "overlay/capacity_ad.h"

#define P2_DIRECTORY_SHARD 16 /* DESIGN 6 */

/* Live ads at which a reader takes a shard for full. Chosen: half, since inner shards are refilled
 * only as fast as refreshes come. */
#define P2_DIRECTORY_FULL 8

/* What a helper sees in a shard: other helpers with live ads. */
struct p2_directory_view {
    uint32_t live;
    uint32_t ahead; /* of them, with a lower rank than ours */
};

/* The view of `self` on the signers of `records[count]`, each signer once (collector.h). */
struct p2_directory_view p2_directory_look(const struct p2_overlay_record *records, size_t count,
                                           const struct p2_id *self);

/* The depth to publish at next. `above` is not used at depth 0. */
uint8_t p2_directory_next_depth(uint8_t depth, const struct p2_directory_view *own,
                                const struct p2_directory_view *above);

/* A reader's way through the tree. */
struct p2_directory_walk {
    uint32_t direction; /* random: each bit chooses a child */
    uint8_t depth;
    bool came_down; /* never up again */
    bool came_up;   /* never down again */
};

/* `start` is the depth where the last walk ended, 0 for the first one. */
void p2_directory_walk_begin(struct p2_directory_walk *walk, uint32_t direction, uint8_t start);

/* Where to read now. */
struct p2_shard p2_directory_walk_shard(const struct p2_directory_walk *walk);

/* `live` ads were found there. True: read again, at the shard it names now. At most
 * P2_DIRECTORY_DEPTH_MAX + 1 reads. */
bool p2_directory_walk_next(struct p2_directory_walk *walk, uint32_t live);

#endif
