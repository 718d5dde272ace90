/* A helper's ads, inboxes and dials; see the header. */
#include "overlay/helper_presence.h"

#include "overlay/directory.h"
#include "overlay/post.h"
#include "overlay/shard_reader.h"

#include <stdlib.h>
#include <string.h>

/* How often the overlay's state and refused operations are looked at again. */
#define LOOK_US 1000000ull

/* Chosen: shards deeper than it was published in are looked at one by one when helpers came by the
 * thousand meanwhile; a helper that starts anew at the root finds its place in one go. */
#define STEPS_MAX P2_DIRECTORY_DEPTH_MAX

/* An invite that is followed. */
struct follow {
    bool is_used;
    bool is_dialling;
    uint8_t left;    /* bits of endpoints not tried yet */
    uint8_t current; /* the endpoint being dialled */
    struct p2_overlay_invite invite;
};

enum stage { IDLE, LOOKING_OWN, LOOKING_ABOVE, POSTING };

struct p2_helper_presence {
    struct p2_presence_options options;
    const struct p2_presence_events *events;
    void *ctx;
    struct p2_wakeup wakeup;
    struct p2_overlay_op *watches[P2_INVITE_COPIES];
    struct p2_invite_memory memory;
    struct p2_dial_policy policy;
    struct follow follows[P2_PRESENCE_INVITES];
    bool was_connected;
    bool is_offered;
    struct p2_capacity_ad ad;
    uint64_t sequence;
    enum stage stage;
    unsigned steps;       /* of depth in this round */
    bool is_stale;        /* what is lent changed during this round */
    uint32_t puts;        /* since the last change */
    uint64_t next_put_us; /* of the next round */
    struct p2_directory_view own;
    struct p2_shard_reader reader;
    struct p2_post post;
    struct p2_presence_status status;
};

/* The alarm's place was reserved at open, and memory for it is the overlay's own. */
static void wake_at(struct p2_helper_presence *presence, uint64_t at_us)
{
    (void)p2_wakeup_at(&presence->wakeup, at_us);
}

static struct p2_overlay_now now_of(const struct p2_helper_presence *presence)
{
    return p2_overlay_now(presence->options.overlay);
}

/* ---- ads ------------------------------------------------------------------------------------------ */

static struct p2_shard own_shard(const struct p2_helper_presence *presence, uint8_t depth)
{
    uint32_t bits, rank;
    p2_capacity_hash(&presence->ad.helper, &bits, &rank);
    return p2_shard_of(bits, depth);
}

static void round_over(struct p2_helper_presence *presence)
{
    uint64_t now_us = now_of(presence).mono_us;
    uint64_t spread = P2_PRESENCE_REFRESH_US / 5;
    presence->stage = IDLE;
    presence->puts++;
    presence->next_put_us =
        now_us + (presence->puts == 1
                      ? P2_PRESENCE_AGAIN_US
                      : p2_rng_between(&presence->options.rng, P2_PRESENCE_REFRESH_US - spread,
                                       P2_PRESENCE_REFRESH_US + spread));
    if (presence->is_stale) {
        presence->is_stale = false;
        presence->puts = 0;
        presence->next_put_us = now_us;
    }
    wake_at(presence, presence->next_put_us);
}

static void on_posted(struct p2_post *post, int result, void *ctx)
{
    struct p2_helper_presence *presence = ctx;
    (void)post;
    presence->status.ads += result == P2_OK;
    if (result == P2_OK && presence->events->on_published != NULL) {
        presence->events->on_published(&presence->ad, presence->ctx);
    }
    round_over(presence);
}

static void publish(struct p2_helper_presence *presence)
{
    uint8_t value[P2_CAPACITY_VALUE_BYTES];
    struct p2_overlay_key key;
    size_t size;
    uint64_t unix_s = now_of(presence).unix_s;
    presence->ad.not_before = unix_s;
    presence->ad.expires = unix_s + P2_OVERLAY_RECORD_LIFE_S;
    presence->ad.sequence = ++presence->sequence;
    presence->ad.depth = presence->status.depth;
    int error = p2_capacity_ad_sign(value, &size, &key, &presence->ad, presence->options.identity,
                                    presence->options.rules);
    P2_ASSERT(error == P2_OK); /* tried when it was offered */
    presence->stage = POSTING;
    error = p2_post_begin(&presence->post, &key, p2_span(value, size), presence->options.rules);
    if (error != P2_OK) {
        round_over(presence); /* the next round is the retry */
    }
}

static void look(struct p2_helper_presence *presence, enum stage stage, uint8_t depth)
{
    presence->stage = stage;
    if (p2_shard_reader_begin(&presence->reader, presence->ad.region, own_shard(presence, depth)) !=
        P2_OK) {
        publish(presence); /* the overlay is full: better here than nowhere */
    }
}

static void on_looked(void *ctx)
{
    struct p2_helper_presence *presence = ctx;
    const struct p2_collector *found = &presence->reader.collector;
    uint8_t depth = presence->status.depth;
    struct p2_directory_view view =
        p2_directory_look(found->records, found->count, &presence->ad.helper);
    if (presence->stage == LOOKING_OWN) {
        presence->own = view;
        if (depth > 0) {
            look(presence, LOOKING_ABOVE, (uint8_t)(depth - 1));
            return;
        }
    }
    presence->status.depth = p2_directory_next_depth(depth, &presence->own, &view);
    if (presence->status.depth > depth && ++presence->steps < STEPS_MAX) {
        look(presence, LOOKING_OWN, presence->status.depth);
        return;
    }
    publish(presence);
}

static void keep_advertised(struct p2_helper_presence *presence, uint64_t now_us)
{
    if (!presence->is_offered || presence->stage != IDLE || now_us < presence->next_put_us) {
        return;
    }
    presence->steps = 0;
    look(presence, LOOKING_OWN, presence->status.depth);
}

/* ---- invites -------------------------------------------------------------------------------------- */

static struct follow *find_follow(struct p2_helper_presence *presence,
                                  const struct p2_id *authority)
{
    struct follow *room = NULL;
    for (size_t i = 0; i < P2_PRESENCE_INVITES; i++) {
        struct follow *follow = &presence->follows[i];
        if (follow->is_used && p2_id_equal(&follow->invite.authority, authority)) {
            return follow;
        }
        room = follow->is_used ? room : follow;
    }
    return room;
}

/* The newest invite of an authority replaces older ones, unless one is being followed just now. */
static void take_invite(struct p2_helper_presence *presence, const struct p2_overlay_invite *invite)
{
    struct follow *follow = find_follow(presence, &invite->authority);
    presence->status.invites++;
    if (follow == NULL || follow->is_dialling || !presence->is_offered) {
        return;
    }
    follow->is_used = true;
    follow->left = (uint8_t)((1u << invite->endpoint_count) - 1);
    follow->invite = *invite;
    (void)p2_wakeup_soon(&presence->wakeup);
}

static unsigned copy_of(const struct p2_helper_presence *presence, const struct p2_overlay_op *op)
{
    return presence->watches[1] == op;
}

static enum p2_overlay_verdict on_value(struct p2_overlay_op *op, struct p2_span value, void *ctx)
{
    struct p2_helper_presence *presence = ctx;
    struct p2_overlay_invite invite;
    int error = p2_invite_open(&presence->memory, &invite, value, copy_of(presence, op),
                               now_of(presence).unix_s, presence->options.identity,
                               presence->options.rules);
    if (error == P2_OK) {
        take_invite(presence, &invite);
    } else if (error != P2_E_EXIST) {
        presence->status.refused++;
    }
    return P2_OVERLAY_MORE;
}

static void on_watch_end(struct p2_overlay_op *op, int result, void *ctx)
{
    struct p2_helper_presence *presence = ctx;
    (void)result; /* only the overlay's end ends a watch */
    presence->watches[copy_of(presence, op)] = NULL;
}

static const struct p2_overlay_events watch_events = {on_value, on_watch_end};

static void keep_watching(struct p2_helper_presence *presence)
{
    for (unsigned copy = 0; copy < P2_INVITE_COPIES; copy++) {
        struct p2_overlay_key key;
        if (presence->watches[copy] == NULL) {
            p2_invite_inbox(&key, &presence->ad.helper, copy, presence->options.rules);
            (void)p2_overlay_watch(presence->options.overlay, &key, &watch_events, presence,
                                   &presence->watches[copy]); /* else at the next look */
        }
    }
}

/* ---- dials ---------------------------------------------------------------------------------------- */

static bool is_worth_waiting(enum p2_dial_verdict verdict)
{
    return verdict == P2_DIAL_NEIGHBOUR || verdict == P2_DIAL_TOO_OFTEN ||
           verdict == P2_DIAL_TOO_MANY;
}

static void begin_dial(struct p2_helper_presence *presence, struct follow *follow, uint8_t endpoint,
                       uint64_t now_us)
{
    struct p2_presence_dial dial = {.address = follow->invite.endpoints[endpoint],
                                    .authority = follow->invite.authority,
                                    .has_aes = follow->invite.has_aes};
    memcpy(dial.token, follow->invite.token, sizeof dial.token);
    follow->is_dialling = true;
    follow->current = endpoint;
    follow->left &= (uint8_t) ~(1u << endpoint);
    if (presence->events->on_dial(&dial, presence->ctx)) {
        presence->status.dials++;
        return;
    }
    presence->status.unwanted++;
    p2_dial_policy_end(&presence->policy, &dial.address, P2_DIAL_GIVEN_UP, now_us);
    follow->is_used = false;
    follow->is_dialling = false;
}

/* Dials the first endpoint that may be dialled; drops those that never will. */
static void follow_invite(struct p2_helper_presence *presence, struct follow *follow,
                          uint64_t now_us)
{
    for (uint8_t i = 0; i < follow->invite.endpoint_count; i++) {
        if ((follow->left >> i & 1) == 0) {
            continue;
        }
        enum p2_dial_verdict verdict = p2_dial_policy_ask(
            &presence->policy, &follow->invite.endpoints[i], P2_DIAL_INVITE, now_us);
        if (verdict == P2_DIAL_ALLOWED) {
            begin_dial(presence, follow, i, now_us);
            return;
        }
        if (!is_worth_waiting(verdict)) {
            follow->left &= (uint8_t) ~(1u << i);
        }
    }
}

static void follow_invites(struct p2_helper_presence *presence, const struct p2_overlay_now *now)
{
    for (size_t i = 0; i < P2_PRESENCE_INVITES; i++) {
        struct follow *follow = &presence->follows[i];
        if (!follow->is_used || follow->is_dialling) {
            continue;
        }
        if (follow->invite.expires > now->unix_s && presence->is_offered) {
            follow_invite(presence, follow, now->mono_us);
        } else {
            follow->left = 0;
        }
        if (follow->is_used && !follow->is_dialling && follow->left == 0) {
            follow->is_used = false;
            presence->status.expired++;
        }
    }
}

void p2_helper_presence_dialled(struct p2_helper_presence *presence,
                                const struct p2_link_address *address, enum p2_dial_outcome outcome)
{
    p2_dial_policy_end(&presence->policy, address, outcome, now_of(presence).mono_us);
    for (size_t i = 0; i < P2_PRESENCE_INVITES; i++) {
        struct follow *follow = &presence->follows[i];
        const struct p2_link_address *current = &follow->invite.endpoints[follow->current];
        if (!follow->is_used || !follow->is_dialling || current->port != address->port ||
            !p2_ip_equal(&current->ip, &address->ip)) {
            continue;
        }
        follow->is_dialling = false;
        if (outcome == P2_DIAL_OPENED || outcome == P2_DIAL_GIVEN_UP) {
            follow->is_used = false;
        }
    }
    (void)p2_wakeup_soon(&presence->wakeup);
}

/* ---- time ----------------------------------------------------------------------------------------- */

static void on_wake(void *ctx)
{
    struct p2_helper_presence *presence = ctx;
    const struct p2_overlay_now now = now_of(presence);
    bool is_connected = p2_overlay_status(presence->options.overlay).state == P2_OVERLAY_CONNECTED;
    /* First: nothing below may leave it without a time to come back. */
    wake_at(presence, now.mono_us + LOOK_US);
    keep_watching(presence);
    if (is_connected && !presence->was_connected) { /* what was put meanwhile reached nobody */
        presence->puts = 0;
        presence->next_put_us = now.mono_us;
    }
    presence->was_connected = is_connected;
    if (is_connected) {
        keep_advertised(presence, now.mono_us);
    }
    follow_invites(presence, &now);
}

/* ---- public --------------------------------------------------------------------------------------- */

int p2_helper_presence_open(struct p2_helper_presence **ret_presence,
                            const struct p2_presence_options *options,
                            const struct p2_presence_events *events, void *ctx)
{
    struct p2_helper_presence *presence = calloc(1, sizeof *presence);
    if (presence == NULL) {
        return P2_E_NOMEM;
    }
    presence->options = *options;
    presence->events = events;
    presence->ctx = ctx;
    presence->sequence = options->first_sequence;
    presence->status.depth =
        options->start_depth <= P2_DIRECTORY_DEPTH_MAX ? options->start_depth : 0;
    memcpy(presence->ad.helper.bytes, options->identity->public_key, P2_ID_BYTES);
    p2_dial_policy_init(&presence->policy, &options->dial);
    p2_wakeup_init(&presence->wakeup, options->overlay, on_wake, presence);
    p2_shard_reader_init(&presence->reader, options->overlay, options->rules, NULL, on_looked,
                         presence);
    p2_post_init(&presence->post, options->overlay, on_posted, presence);
    int error = p2_wakeup_soon(&presence->wakeup);
    if (error != P2_OK) {
        free(presence);
        return error;
    }
    keep_watching(presence);
    *ret_presence = presence;
    return P2_OK;
}

int p2_helper_presence_offer(struct p2_helper_presence *presence, const struct p2_capacity_ad *ad)
{
    uint8_t value[P2_CAPACITY_VALUE_BYTES];
    struct p2_overlay_key key;
    size_t size;
    if (ad == NULL || ad->cores == 0) {
        presence->is_offered = false;
        return P2_OK;
    }
    struct p2_capacity_ad mine = *ad;
    mine.helper = presence->ad.helper;
    mine.puzzle_nonce = presence->options.puzzle_nonce;
    mine.not_before = now_of(presence).unix_s;
    mine.expires = mine.not_before + P2_OVERLAY_RECORD_LIFE_S;
    mine.sequence = presence->sequence;
    mine.depth = presence->status.depth;
    int error = p2_capacity_ad_sign(value, &size, &key, &mine, presence->options.identity,
                                    presence->options.rules);
    if (error != P2_OK) {
        return error;
    }
    presence->ad = mine;
    presence->is_offered = true;
    presence->is_stale = presence->stage != IDLE;
    presence->puts = 0;
    presence->next_put_us = 0;
    return p2_wakeup_soon(&presence->wakeup);
}

struct p2_presence_status p2_helper_presence_status(const struct p2_helper_presence *presence)
{
    struct p2_presence_status status = presence->status;
    status.is_offered = presence->is_offered;
    memcpy(status.verdicts, presence->policy.verdicts, sizeof status.verdicts);
    return status;
}

void p2_helper_presence_close(struct p2_helper_presence *presence)
{
    if (presence == NULL) {
        return;
    }
    p2_wakeup_cancel(&presence->wakeup);
    p2_shard_reader_cancel(&presence->reader);
    p2_post_cancel(&presence->post);
    for (unsigned copy = 0; copy < P2_INVITE_COPIES; copy++) {
        p2_overlay_cancel(presence->options.overlay, presence->watches[copy]);
    }
    free(presence);
}
