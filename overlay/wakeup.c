/* Alarms; see the header. */
#include "overlay/wakeup.h"

#include <string.h>

static void on_alarm(struct p2_overlay_op *op, int result, void *ctx)
{
    struct p2_wakeup *wakeup = ctx;
    (void)op;
    wakeup->op = NULL;
    if (result == P2_OK) { /* else the overlay closes */
        wakeup->on_wake(wakeup->ctx);
    }
}

static const struct p2_overlay_events alarm_events = {.on_end = on_alarm};

void p2_wakeup_init(struct p2_wakeup *wakeup, struct p2_overlay *overlay,
                    void (*on_wake)(void *ctx), void *ctx)
{
    *wakeup = (struct p2_wakeup){.overlay = overlay, .on_wake = on_wake, .ctx = ctx};
}

int p2_wakeup_at(struct p2_wakeup *wakeup, uint64_t at_us)
{
    if (at_us == UINT64_MAX || (wakeup->op != NULL && wakeup->at_us <= at_us)) {
        return P2_OK;
    }
    p2_wakeup_cancel(wakeup);
    wakeup->at_us = at_us;
    int error = p2_overlay_alarm(wakeup->overlay, at_us, &alarm_events, wakeup, &wakeup->op);
    return error == P2_E_DRAINING ? P2_OK : error;
}

int p2_wakeup_soon(struct p2_wakeup *wakeup)
{
    return p2_wakeup_at(wakeup, 0);
}

void p2_wakeup_cancel(struct p2_wakeup *wakeup)
{
    if (wakeup->op != NULL) {
        p2_overlay_cancel(wakeup->overlay, wakeup->op);
        wakeup->op = NULL;
    }
}
