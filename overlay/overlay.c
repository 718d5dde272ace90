/* What all overlays share: checks of arguments, and forwarding. */
#include "overlay/overlay.h"

#include <string.h>

static int start(struct p2_overlay *overlay, const struct p2_overlay_request *request,
                 struct p2_overlay_op **ret_op)
{
    struct p2_overlay_op *op = NULL;
    P2_ASSERT(request->events != NULL && request->events->on_end != NULL);
    P2_ASSERT(request->kind == P2_OVERLAY_PUBLISH || request->kind == P2_OVERLAY_ALARM ||
              request->events->on_value != NULL);
    if (overlay->is_closing) {
        return P2_E_DRAINING;
    }
    int error = overlay->ops->start(overlay, request, &op);
    if (error == P2_OK && ret_op != NULL) {
        *ret_op = op;
    }
    return error;
}

int p2_overlay_publish(struct p2_overlay *overlay, const struct p2_overlay_key *key,
                       struct p2_span value, const struct p2_overlay_events *events, void *ctx,
                       struct p2_overlay_op **ret_op)
{
    const struct p2_overlay_request request = {
        .kind = P2_OVERLAY_PUBLISH, .key = *key, .value = value, .events = events, .ctx = ctx};
    if (value.size == 0) {
        return P2_E_INVALID;
    }
    if (value.size > P2_OVERLAY_VALUE_MAX) {
        return P2_E_TOO_BIG;
    }
    return start(overlay, &request, ret_op);
}

int p2_overlay_lookup(struct p2_overlay *overlay, const struct p2_overlay_key *key,
                      const struct p2_overlay_limits *limits,
                      const struct p2_overlay_events *events, void *ctx,
                      struct p2_overlay_op **ret_op)
{
    const struct p2_overlay_request request = {
        .kind = P2_OVERLAY_LOOKUP, .key = *key, .limits = *limits, .events = events, .ctx = ctx};
    if (limits->values_max == 0 || limits->values_max > P2_OVERLAY_VALUES_MAX ||
        limits->time_ms == 0 || limits->time_ms > P2_OVERLAY_TIME_MAX_MS) {
        return P2_E_RANGE;
    }
    return start(overlay, &request, ret_op);
}

int p2_overlay_watch(struct p2_overlay *overlay, const struct p2_overlay_key *key,
                     const struct p2_overlay_events *events, void *ctx,
                     struct p2_overlay_op **ret_op)
{
    const struct p2_overlay_request request = {
        .kind = P2_OVERLAY_WATCH, .key = *key, .events = events, .ctx = ctx};
    return start(overlay, &request, ret_op);
}

int p2_overlay_alarm(struct p2_overlay *overlay, uint64_t at_us,
                     const struct p2_overlay_events *events, void *ctx,
                     struct p2_overlay_op **ret_op)
{
    const struct p2_overlay_request request = {
        .kind = P2_OVERLAY_ALARM, .at_us = at_us, .events = events, .ctx = ctx};
    return start(overlay, &request, ret_op);
}

void p2_overlay_cancel(struct p2_overlay *overlay, struct p2_overlay_op *op)
{
    if (op != NULL) {
        P2_ASSERT(op->overlay == overlay);
        overlay->ops->cancel(overlay, op);
    }
}

struct p2_overlay_status p2_overlay_status(const struct p2_overlay *overlay)
{
    struct p2_overlay_status status = overlay->ops->status(overlay);
    if (overlay->is_closing) {
        status.state = P2_OVERLAY_CLOSED;
    }
    return status;
}

struct p2_overlay_now p2_overlay_now(const struct p2_overlay *overlay)
{
    return overlay->ops->now(overlay);
}

void p2_overlay_on_state(struct p2_overlay *overlay,
                         void (*on_change)(struct p2_overlay *overlay, void *ctx), void *ctx)
{
    overlay->on_state = on_change;
    overlay->on_state_ctx = ctx;
}

void p2_overlay_close(struct p2_overlay *overlay, void (*on_closed)(void *ctx), void *ctx)
{
    if (!overlay->is_closing) {
        overlay->is_closing = true;
        overlay->ops->close(overlay, on_closed, ctx);
    }
}

const char *p2_overlay_state_name(enum p2_overlay_state state)
{
    static const char *const names[] = {"connecting", "connected", "down", "closed"};
    return (size_t)state < P2_COUNT_OF(names) ? names[state] : "?";
}

bool p2_overlay_key_equal(const struct p2_overlay_key *a, const struct p2_overlay_key *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
