/* Publishing a value that needs a stamp (stamp.h), without blocking: its work is done in pieces of
 * about a millisecond between turns of the loop. Pure. Thread: the overlay's. */
#ifndef P2_OVERLAY_POST_H
#define P2_OVERLAY_POST_H

#include "overlay/stamp.h"
#include "overlay/wakeup.h"

/* Hashes in one turn. Chosen: 0.8 ms at 0.2 us each, a third of a game's frame budget. */
#define P2_POST_TRIES 4096u

struct p2_post {
    struct p2_wakeup wakeup;
    struct p2_stamp_work work;
    struct p2_overlay_key key;
    bool is_busy;
    size_t size;
    uint8_t value[P2_OVERLAY_VALUE_MAX];
    /* The value was handed to the network (0), or could not be (an error of p2_overlay_publish). May
     * begin the next one. */
    void (*on_posted)(struct p2_post *post, int result, void *ctx);
    void *ctx;
};

void p2_post_init(struct p2_post *post, struct p2_overlay *overlay,
                  void (*on_posted)(struct p2_post *post, int result, void *ctx), void *ctx);

/* Copies `content` (at most P2_OVERLAY_RECORD_MAX bytes) and begins. P2_E_STATE while busy, P2_E_FULL
 * for its size, errors of p2_wakeup_at. */
int p2_post_begin(struct p2_post *post, const struct p2_overlay_key *key, struct p2_span content,
                  const struct p2_overlay_rules *rules);

/* Forgets what is not published yet. */
void p2_post_cancel(struct p2_post *post);

#endif
