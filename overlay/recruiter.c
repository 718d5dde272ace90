/* Recruitment carried out; see the header. */
#include "overlay/recruiter.h"

#include "overlay/post.h"
#include "overlay/shard_reader.h"

#include <stdlib.h>
#include <string.h>

/* While the overlay is not connected nothing is tried: silence would be held against helpers. */
#define LOOK_US 1000000ull

/* Values whose stamps are worked on. Chosen: four invites, which is what recruitment sends at once. */
#define POSTS (4 * P2_INVITE_COPIES)

struct p2_recruiter {
    struct p2_recruiter_options options;
    struct p2_id self;
    struct p2_wakeup wakeup;
    struct p2_recruitment recruitment;
    struct p2_shard_reader reader;
    struct p2_post posts[POSTS];
    struct p2_link_address endpoints[P2_INVITE_ENDPOINTS];
    uint8_t endpoint_count;
    uint64_t sequence;
    struct p2_recruiter_status status;
};

static struct p2_overlay_now now_of(const struct p2_recruiter *recruiter)
{
    return p2_overlay_now(recruiter->options.overlay);
}

static void wake_soon(struct p2_recruiter *recruiter)
{
    (void)p2_wakeup_soon(&recruiter->wakeup); /* its place was reserved at open */
}

/* ---- reading -------------------------------------------------------------------------------------- */

static void on_ad(const struct p2_capacity_ad *ad, void *ctx)
{
    struct p2_recruiter *recruiter = ctx;
    recruiter->status.ads++;
    p2_recruitment_offer(&recruiter->recruitment, ad);
}

static void on_read(void *ctx)
{
    struct p2_recruiter *recruiter = ctx;
    const struct p2_collector *found = &recruiter->reader.collector;
    recruiter->status.junk += found->junk;
    recruiter->status.last_read_us = now_of(recruiter).mono_us;
    recruiter->status.last_read_cpu_us = found->spent_cpu_us;
    p2_recruitment_read_done(&recruiter->recruitment, found->count, now_of(recruiter).mono_us);
    wake_soon(recruiter);
}

static void read_shard(struct p2_recruiter *recruiter, const struct p2_recruitment_effect *effect)
{
    if (p2_shard_reader_begin(&recruiter->reader, recruiter->options.region, effect->shard) !=
        P2_OK) {
        p2_recruitment_read_done(&recruiter->recruitment, 0, now_of(recruiter).mono_us);
    }
}

/* ---- inviting ------------------------------------------------------------------------------------- */

static void on_posted(struct p2_post *post, int result, void *ctx)
{
    (void)post;
    (void)result; /* no dial-in will follow: recruitment tries again */
    wake_soon(ctx);
}

static struct p2_post *free_post(struct p2_recruiter *recruiter)
{
    for (size_t i = 0; i < POSTS; i++) {
        if (!recruiter->posts[i].is_busy) {
            return &recruiter->posts[i];
        }
    }
    return NULL;
}

static bool has_room(const struct p2_recruiter *recruiter)
{
    unsigned count = 0;
    for (size_t i = 0; i < POSTS; i++) {
        count += !recruiter->posts[i].is_busy;
    }
    return count >= P2_INVITE_COPIES;
}

static void send_invite(struct p2_recruiter *recruiter, const struct p2_recruitment_effect *effect)
{
    uint64_t unix_s = now_of(recruiter).unix_s;
    struct p2_overlay_invite invite = {.authority = recruiter->self,
                                       .helper = effect->helper,
                                       .not_before = unix_s,
                                       .expires = unix_s + P2_INVITE_LIFE_S,
                                       .sequence = ++recruiter->sequence,
                                       .puzzle_nonce = recruiter->options.puzzle_nonce,
                                       .has_aes = recruiter->options.has_aes,
                                       .endpoint_count = recruiter->endpoint_count};
    uint8_t sealed[P2_INVITE_SEALED_BYTES];
    uint8_t ephemeral[P2_KEY_BYTES];
    memcpy(invite.token, effect->token, sizeof invite.token);
    memcpy(invite.endpoints, recruiter->endpoints, sizeof invite.endpoints);
    for (unsigned copy = 0; copy < P2_INVITE_COPIES; copy++) {
        struct p2_overlay_key key;
        struct p2_post *post = free_post(recruiter);
        p2_rng_bytes(&recruiter->options.rng, ephemeral, sizeof ephemeral);
        p2_invite_inbox(&key, &effect->helper, copy, recruiter->options.rules);
        int error = p2_invite_seal(sealed, &invite, copy, ephemeral, recruiter->options.identity,
                                   recruiter->options.rules);
        if (error == P2_OK) { /* else its ad has an id nobody can have: it stays silent */
            (void)p2_post_begin(post, &key, p2_span(sealed, sizeof sealed),
                                recruiter->options.rules);
        }
    }
    p2_secret_wipe(ephemeral, sizeof ephemeral);
    p2_secret_wipe(&invite, sizeof invite);
}

/* ---- time ----------------------------------------------------------------------------------------- */

static void on_wake(void *ctx)
{
    struct p2_recruiter *recruiter = ctx;
    struct p2_recruitment_effect effect;
    struct p2_overlay_now now = now_of(recruiter);
    uint64_t due_us = UINT64_MAX;
    bool can_work = p2_overlay_status(recruiter->options.overlay).state == P2_OVERLAY_CONNECTED;
    if (!can_work || recruiter->endpoint_count == 0) {
        bool waits = recruiter->recruitment.want > 0;
        (void)p2_wakeup_at(&recruiter->wakeup, waits ? now.mono_us + LOOK_US : UINT64_MAX);
        return;
    }
    while (has_room(recruiter) && p2_recruitment_next(&recruiter->recruitment, now.mono_us,
                                                      now.unix_s, &effect, &due_us)) {
        due_us = UINT64_MAX;
        if (effect.kind == P2_RECRUITMENT_READ) {
            read_shard(recruiter, &effect);
        } else {
            send_invite(recruiter, &effect);
        }
    }
    (void)p2_wakeup_at(&recruiter->wakeup, due_us);
}

/* ---- public --------------------------------------------------------------------------------------- */

int p2_recruiter_open(struct p2_recruiter **ret_recruiter,
                      const struct p2_recruiter_options *options)
{
    if (!p2_region_is_valid(options->region) || options->invites_per_minute == 0) {
        return P2_E_RANGE;
    }
    struct p2_recruiter *recruiter = calloc(1, sizeof *recruiter);
    if (recruiter == NULL) {
        return P2_E_NOMEM;
    }
    recruiter->options = *options;
    recruiter->sequence = options->first_sequence;
    memcpy(recruiter->self.bytes, options->identity->public_key, P2_ID_BYTES);
    struct p2_recruitment_options policy = {.rules = options->rules,
                                            .local_peers = options->local_peers,
                                            .invites_per_minute = options->invites_per_minute,
                                            .is_blocked = options->is_blocked,
                                            .ctx = options->ctx};
    memcpy(policy.region, options->region, sizeof policy.region);
    struct p2_rng rng;
    p2_rng_split(&rng, &options->rng, "recruitment", 0);
    p2_recruitment_init(&recruiter->recruitment, &policy, &rng, now_of(recruiter).mono_us);
    p2_wakeup_init(&recruiter->wakeup, options->overlay, on_wake, recruiter);
    p2_shard_reader_init(&recruiter->reader, options->overlay, options->rules, on_ad, on_read,
                         recruiter);
    for (size_t i = 0; i < POSTS; i++) {
        p2_post_init(&recruiter->posts[i], options->overlay, on_posted, recruiter);
    }
    int error = p2_wakeup_soon(&recruiter->wakeup);
    if (error != P2_OK) {
        free(recruiter);
        return error;
    }
    *ret_recruiter = recruiter;
    return P2_OK;
}

int p2_recruiter_set_endpoints(struct p2_recruiter *recruiter,
                               const struct p2_link_address *endpoints, uint8_t count)
{
    if (count == 0 || count > P2_INVITE_ENDPOINTS) {
        return P2_E_RANGE;
    }
    for (uint8_t i = 0; i < count; i++) {
        recruiter->endpoints[i] = endpoints[i];
    }
    recruiter->endpoint_count = count;
    wake_soon(recruiter);
    return P2_OK;
}

void p2_recruiter_set_want(struct p2_recruiter *recruiter, uint32_t want)
{
    recruiter->status.want = want;
    p2_recruitment_set_want(&recruiter->recruitment, want);
    wake_soon(recruiter);
}

void p2_recruiter_add_known(struct p2_recruiter *recruiter, const struct p2_id *id,
                            const struct p2_ip *ip)
{
    p2_recruitment_add_known(&recruiter->recruitment, id, ip);
    wake_soon(recruiter);
}

int p2_recruiter_dialled_in(struct p2_recruiter *recruiter, const struct p2_id *id,
                            const struct p2_ip *ip, const uint8_t token[P2_INVITE_TOKEN_BYTES],
                            bool *ret_invited)
{
    bool is_invited = false;
    int error = p2_recruitment_dialled_in(&recruiter->recruitment, id, ip, token, &is_invited);
    if (error == P2_OK && ret_invited != NULL) {
        *ret_invited = is_invited;
    }
    wake_soon(recruiter);
    return error;
}

void p2_recruiter_gone(struct p2_recruiter *recruiter, const struct p2_id *id)
{
    p2_recruitment_gone(&recruiter->recruitment, id, now_of(recruiter).mono_us);
    wake_soon(recruiter);
}

struct p2_recruiter_status p2_recruiter_status(const struct p2_recruiter *recruiter)
{
    const struct p2_recruitment *recruitment = &recruiter->recruitment;
    struct p2_recruiter_status status = recruiter->status;
    status.fresh = p2_recruitment_count(recruitment, P2_CANDIDATE_FRESH);
    status.invited = p2_recruitment_count(recruitment, P2_CANDIDATE_INVITED);
    status.connected = p2_recruitment_count(recruitment, P2_CANDIDATE_CONNECTED);
    status.silent = p2_recruitment_count(recruitment, P2_CANDIDATE_SILENT);
    status.reads = recruitment->reads;
    status.invites = recruitment->invites;
    status.dialled_in = recruitment->dialled_in;
    status.refused_puzzle = recruitment->refused_puzzle;
    status.refused_blocked = recruitment->refused_blocked;
    status.refused_full = recruitment->refused_full;
    return status;
}

void p2_recruiter_close(struct p2_recruiter *recruiter)
{
    if (recruiter == NULL) {
        return;
    }
    p2_wakeup_cancel(&recruiter->wakeup);
    p2_shard_reader_cancel(&recruiter->reader);
    for (size_t i = 0; i < POSTS; i++) {
        p2_post_cancel(&recruiter->posts[i]);
    }
    p2_secret_wipe(recruiter, sizeof *recruiter);
    free(recruiter);
}
