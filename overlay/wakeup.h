/* One object's alarm on an overlay: the earliest time asked for counts. What works on an overlay
 * keeps its time with this. Pure. Thread: the overlay's. */
#ifndef P2_OVERLAY_WAKEUP_H
#define P2_OVERLAY_WAKEUP_H

#include "overlay/overlay.h"

struct p2_wakeup {
    struct p2_overlay *overlay; /* borrowed */
    struct p2_overlay_op *op;   /* NULL: not set */
    uint64_t at_us;
    void (*on_wake)(void *ctx);
    void *ctx;
};

/* `on_wake` comes from an overlay's callback and may set the next alarm. */
void p2_wakeup_init(struct p2_wakeup *wakeup, struct p2_overlay *overlay,
                    void (*on_wake)(void *ctx), void *ctx);

/* Wakes at `at_us` of the steady time, or earlier if that was asked for before. UINT64_MAX: no wish.
 * When the overlay closes nothing is set: there is nothing to do any more. P2_E_AGAIN and P2_E_NOMEM
 * of p2_overlay_alarm; with an alarm set before there is always room. */
int p2_wakeup_at(struct p2_wakeup *wakeup, uint64_t at_us);

/* As soon as possible, but not in this turn of the loop. */
int p2_wakeup_soon(struct p2_wakeup *wakeup);

/* Accepts one that is not set. */
void p2_wakeup_cancel(struct p2_wakeup *wakeup);

#endif
