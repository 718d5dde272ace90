/* Reading shards; see the header. */
#include "overlay/shard_reader.h"

#include <string.h>

static enum p2_overlay_verdict on_value(struct p2_overlay_op *op, struct p2_span value, void *ctx)
{
    struct p2_shard_reader *reader = ctx;
    struct p2_collector *collector = &reader->collector;
    struct p2_overlay_now now = p2_overlay_now(op->overlay);
    struct p2_capacity_ad ad;
    struct p2_overlay_record raw;
    struct p2_span content;
    uint64_t digest;
    if (!p2_collector_begin(collector, &now)) {
        return P2_OVERLAY_STOP;
    }
    int error = p2_stamp_check(&content, &digest, value, &op->key, reader->rules);
    if (error == P2_OK && p2_collector_is_copy(collector, digest)) {
        return P2_OVERLAY_MORE;
    }
    if (error == P2_OK) {
        error = p2_capacity_ad_open(&ad, &raw, content, reader->region, reader->shard, now.unix_s,
                                    reader->rules);
    }
    now = p2_overlay_now(op->overlay);
    if (error != P2_OK) {
        p2_collector_reject(collector, &now);
        return P2_OVERLAY_MORE;
    }
    p2_collector_keep(collector, &raw, &now);
    if (reader->on_ad != NULL) {
        reader->on_ad(&ad, reader->ctx);
    }
    return P2_OVERLAY_MORE;
}

static void on_end(struct p2_overlay_op *op, int result, void *ctx)
{
    struct p2_shard_reader *reader = ctx;
    (void)op;
    (void)result; /* what came was checked; nothing is made of how it ended */
    reader->op = NULL;
    reader->on_done(reader->ctx);
}

static const struct p2_overlay_events events = {on_value, on_end};

void p2_shard_reader_init(struct p2_shard_reader *reader, struct p2_overlay *overlay,
                          const struct p2_overlay_rules *rules,
                          void (*on_ad)(const struct p2_capacity_ad *ad, void *ctx),
                          void (*on_done)(void *ctx), void *ctx)
{
    memset(reader, 0, sizeof *reader);
    reader->overlay = overlay;
    reader->rules = rules;
    reader->on_ad = on_ad;
    reader->on_done = on_done;
    reader->ctx = ctx;
}

int p2_shard_reader_begin(struct p2_shard_reader *reader, const char *region, struct p2_shard shard)
{
    const struct p2_overlay_limits limits = {P2_OVERLAY_VALUES_MAX, P2_OVERLAY_TIME_MAX_MS};
    const struct p2_collector_limits own = p2_collector_default_limits();
    struct p2_overlay_now now = p2_overlay_now(reader->overlay);
    struct p2_overlay_key key;
    if (reader->op != NULL) {
        return P2_E_STATE;
    }
    memset(reader->region, 0, sizeof reader->region);
    memcpy(reader->region, region, strlen(region)); /* valid: at most P2_REGION_LEN */
    reader->shard = shard;
    p2_collector_reset(&reader->collector, &own, &now);
    p2_shard_key(&key, reader->region, shard, reader->rules);
    return p2_overlay_lookup(reader->overlay, &key, &limits, &events, reader, &reader->op);
}

void p2_shard_reader_cancel(struct p2_shard_reader *reader)
{
    p2_overlay_cancel(reader->overlay, reader->op);
    reader->op = NULL;
}
