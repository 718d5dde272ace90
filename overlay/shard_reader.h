/* Reads one shard of the helper directory: a lookup whose values are checked (stamp, copy, signature,
 * binding, time) within the collector's limits. Helpers read to find their depth, authorities to find
 * helpers. The identity puzzles are not looked at. Pure. Thread: the overlay's. */
#ifndef P2_OVERLAY_SHARD_READER_H
#define P2_OVERLAY_SHARD_READER_H

#include "overlay/capacity_ad.h"
#include "overlay/collector.h"

struct p2_shard_reader {
    struct p2_overlay *overlay;           /* borrowed */
    const struct p2_overlay_rules *rules; /* borrowed */
    struct p2_overlay_op *op;             /* NULL: no read is going on */
    char region[P2_REGION_MAX];
    struct p2_shard shard;
    struct p2_collector collector; /* what the last read found, and what it cost */
    /* A valid ad; of one helper several may come, the newest last or not. May be NULL. */
    void (*on_ad)(const struct p2_capacity_ad *ad, void *ctx);
    /* The read is over; may begin the next one. */
    void (*on_done)(void *ctx);
    void *ctx;
};

void p2_shard_reader_init(struct p2_shard_reader *reader, struct p2_overlay *overlay,
                          const struct p2_overlay_rules *rules,
                          void (*on_ad)(const struct p2_capacity_ad *ad, void *ctx),
                          void (*on_done)(void *ctx), void *ctx);

/* Begins. `region` is valid. P2_E_STATE while another read is going on; errors of
 * p2_overlay_lookup. */
int p2_shard_reader_begin(struct p2_shard_reader *reader, const char *region,
                          struct p2_shard shard);

/* Ends a read without a word. */
void p2_shard_reader_cancel(struct p2_shard_reader *reader);

#endif
