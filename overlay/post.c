/* Stamped publishing; see the header. */
#include "overlay/post.h"

#include <string.h>

static void on_published(struct p2_overlay_op *op, int result, void *ctx)
{
    (void)op;
    (void)result; /* proves nothing either way */
    (void)ctx;
}

static const struct p2_overlay_events publish_events = {.on_end = on_published};

static void end(struct p2_post *post, int result)
{
    post->is_busy = false;
    post->on_posted(post, result, post->ctx);
}

static void on_turn(void *ctx)
{
    struct p2_post *post = ctx;
    uint64_t nonce;
    int error = P2_OK;
    if (!p2_stamp_step(&post->work, P2_POST_TRIES, &nonce)) {
        error = p2_wakeup_soon(&post->wakeup);
        if (error != P2_OK) {
            end(post, error);
        }
        return;
    }
    p2_store_be64(post->value + post->size, nonce);
    error = p2_overlay_publish(post->wakeup.overlay, &post->key,
                               p2_span(post->value, post->size + P2_STAMP_BYTES), &publish_events,
                               NULL, NULL);
    end(post, error);
}

void p2_post_init(struct p2_post *post, struct p2_overlay *overlay,
                  void (*on_posted)(struct p2_post *post, int result, void *ctx), void *ctx)
{
    memset(post, 0, sizeof *post);
    post->on_posted = on_posted;
    post->ctx = ctx;
    p2_wakeup_init(&post->wakeup, overlay, on_turn, post);
}

int p2_post_begin(struct p2_post *post, const struct p2_overlay_key *key, struct p2_span content,
                  const struct p2_overlay_rules *rules)
{
    if (post->is_busy) {
        return P2_E_STATE;
    }
    if (content.size > P2_OVERLAY_RECORD_MAX) {
        return P2_E_FULL;
    }
    post->key = *key;
    post->size = content.size;
    memcpy(post->value, content.data, content.size);
    p2_stamp_begin(&post->work, content, key, rules);
    int error = p2_wakeup_soon(&post->wakeup);
    post->is_busy = error == P2_OK;
    return error;
}

void p2_post_cancel(struct p2_post *post)
{
    p2_wakeup_cancel(&post->wakeup);
    post->is_busy = false;
}
