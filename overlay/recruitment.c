/* Whom to invite, and when; see the header. */
#include "overlay/recruitment.h"

#include "overlay/puzzle.h"

#include <string.h>

#define INVITE_COST  1000000u /* micro-invites in the bucket */
#define INVITE_BURST 4u       /* chosen: a session starts with a few at once */
#define MINUTE_US    60000000ull

/* How long each attempt is waited for. */
static const uint64_t attempt_us[P2_RECRUITMENT_ATTEMPTS] = {3000000, 10000000, 10000000};

void p2_recruitment_init(struct p2_recruitment *recruitment,
                         const struct p2_recruitment_options *options, const struct p2_rng *rng,
                         uint64_t now_us)
{
    P2_ASSERT(options->invites_per_minute >= 1 && p2_region_is_valid(options->region));
    memset(recruitment, 0, sizeof *recruitment);
    recruitment->options = *options;
    recruitment->rng = *rng;
    recruitment->next_read_us = now_us;
    recruitment->budget_updated_us = now_us;
    recruitment->budget = INVITE_BURST * INVITE_COST;
}

void p2_recruitment_set_want(struct p2_recruitment *recruitment, uint32_t want)
{
    recruitment->want = want;
}

uint32_t p2_recruitment_count(const struct p2_recruitment *recruitment,
                              enum p2_candidate_state state)
{
    uint32_t count = 0;
    for (size_t i = 0; i < P2_RECRUITMENT_CANDIDATES; i++) {
        count += recruitment->candidates[i].state == state;
    }
    return count;
}

/* ---- the table ---------------------------------------------------------------------------------- */

static struct p2_candidate *find(struct p2_recruitment *recruitment, const struct p2_id *id)
{
    for (size_t i = 0; i < P2_RECRUITMENT_CANDIDATES; i++) {
        struct p2_candidate *candidate = &recruitment->candidates[i];
        if (candidate->state != P2_CANDIDATE_FREE && p2_id_equal(&candidate->id, id)) {
            return candidate;
        }
    }
    return NULL;
}

/* A free place, or that of the silent stranger who waits longest; NULL when there is neither. */
static struct p2_candidate *make_room(struct p2_recruitment *recruitment)
{
    struct p2_candidate *victim = NULL;
    for (size_t i = 0; i < P2_RECRUITMENT_CANDIDATES; i++) {
        struct p2_candidate *candidate = &recruitment->candidates[i];
        if (candidate->state == P2_CANDIDATE_FREE) {
            return candidate;
        }
        if (candidate->state == P2_CANDIDATE_SILENT && !candidate->is_known &&
            (victim == NULL || candidate->next_us > victim->next_us)) {
            victim = candidate;
        }
    }
    return victim;
}

static struct p2_candidate *add(struct p2_recruitment *recruitment, const struct p2_id *id)
{
    struct p2_candidate *candidate = make_room(recruitment);
    if (candidate == NULL) {
        recruitment->refused_full++;
        return NULL;
    }
    memset(candidate, 0, sizeof *candidate);
    candidate->state = P2_CANDIDATE_FRESH;
    candidate->id = *id;
    return candidate;
}

static bool is_blocked(const struct p2_recruitment *recruitment, const struct p2_id *id)
{
    return recruitment->options.is_blocked != NULL &&
           recruitment->options.is_blocked(id, recruitment->options.ctx);
}

/* Candidates other than `self` in its neighbourhood; `with_invited`: also those not here yet. */
static uint32_t neighbours(const struct p2_recruitment *recruitment,
                           const struct p2_candidate *self, const struct p2_ip *ip,
                           bool with_invited)
{
    uint32_t count = 0;
    if (ip->family == 0 || !p2_ip_prefix_counts(ip, recruitment->options.local_peers)) {
        return 0;
    }
    for (size_t i = 0; i < P2_RECRUITMENT_CANDIDATES; i++) {
        const struct p2_candidate *other = &recruitment->candidates[i];
        bool takes_part = other->state == P2_CANDIDATE_CONNECTED ||
                          (with_invited && other->state == P2_CANDIDATE_INVITED);
        if (other != self && takes_part && other->ip.family != 0) {
            count += p2_ip_prefix(&other->ip) == p2_ip_prefix(ip);
        }
    }
    return count;
}

/* ---- events ------------------------------------------------------------------------------------- */

void p2_recruitment_add_known(struct p2_recruitment *recruitment, const struct p2_id *id,
                              const struct p2_ip *ip)
{
    struct p2_candidate *candidate = find(recruitment, id);
    if (candidate == NULL) {
        candidate = add(recruitment, id);
    }
    if (candidate != NULL) {
        candidate->is_known = true;
        candidate->is_proved = true; /* it was, when it worked for us */
        candidate->ip = *ip;
    }
}

void p2_recruitment_offer(struct p2_recruitment *recruitment, const struct p2_capacity_ad *ad)
{
    struct p2_candidate *candidate = find(recruitment, &ad->helper);
    if (candidate == NULL && is_blocked(recruitment, &ad->helper)) {
        recruitment->refused_blocked++;
        return;
    }
    if (candidate == NULL) {
        candidate = add(recruitment, &ad->helper);
    }
    if (candidate == NULL || candidate->state == P2_CANDIDATE_CONNECTED) {
        return; /* what is measured is worth more than what is claimed */
    }
    candidate->puzzle_nonce = ad->puzzle_nonce;
    candidate->expires = ad->expires;
    if (ad->address.family != 0 || !candidate->is_known) {
        candidate->ip = ad->address;
    }
}

void p2_recruitment_read_done(struct p2_recruitment *recruitment, uint32_t live, uint64_t now_us)
{
    recruitment->is_reading = false;
    recruitment->walk_goes_on = p2_directory_walk_next(&recruitment->walk, live);
    recruitment->next_read_us = now_us + P2_RECRUITMENT_POLL_US;
}

int p2_recruitment_dialled_in(struct p2_recruitment *recruitment, const struct p2_id *id,
                              const struct p2_ip *ip, const uint8_t token[P2_INVITE_TOKEN_BYTES],
                              bool *ret_invited)
{
    struct p2_candidate *candidate = find(recruitment, id);
    if (is_blocked(recruitment, id)) {
        recruitment->refused_blocked++;
        return P2_E_NOT_ALLOWED;
    }
    if (candidate != NULL && candidate->state == P2_CANDIDATE_CONNECTED) {
        return P2_E_EXIST;
    }
    if (neighbours(recruitment, candidate, ip, false) >= P2_RECRUITMENT_PER_PREFIX) {
        return P2_E_LIMIT;
    }
    if (candidate == NULL) {
        candidate = add(recruitment, id); /* it came by itself: a known authority to it */
    }
    if (candidate == NULL) {
        return P2_E_FULL;
    }
    bool was_sent = !p2_secret_is_zero(candidate->token, sizeof candidate->token);
    *ret_invited = was_sent && p2_secret_equal(candidate->token, token, sizeof candidate->token);
    memset(candidate->token, 0, sizeof candidate->token); /* used once */
    candidate->state = P2_CANDIDATE_CONNECTED;
    candidate->ip = *ip;
    candidate->silences = 0;
    candidate->attempt = 0;
    recruitment->dialled_in++;
    return P2_OK;
}

void p2_recruitment_gone(struct p2_recruitment *recruitment, const struct p2_id *id,
                         uint64_t now_us)
{
    struct p2_candidate *candidate = find(recruitment, id);
    if (candidate != NULL && candidate->state == P2_CANDIDATE_CONNECTED) {
        candidate->state = P2_CANDIDATE_SILENT;
        candidate->is_known = true;
        candidate->is_proved = true;
        candidate->next_us = now_us + P2_RECRUITMENT_LOST_US;
    }
}

/* ---- deciding ----------------------------------------------------------------------------------- */

static void refill_budget(struct p2_recruitment *recruitment, uint64_t now_us)
{
    /* The bucket is full after a minute at most: longer times add nothing. */
    uint64_t elapsed = now_us - recruitment->budget_updated_us;
    uint64_t most = INVITE_BURST * INVITE_COST;
    uint64_t counted = elapsed < 10 * MINUTE_US ? elapsed : 10 * MINUTE_US;
    uint64_t gained = counted * recruitment->options.invites_per_minute / (MINUTE_US / INVITE_COST);
    if (gained > 0) {
        recruitment->budget_updated_us = now_us; /* else the time counts next time */
    }
    recruitment->budget = gained < most - recruitment->budget ? recruitment->budget + gained : most;
}

static void fall_silent(struct p2_candidate *candidate, uint64_t now_us)
{
    uint64_t pause = P2_RECRUITMENT_SILENT_US
                     << (candidate->silences < 6 ? candidate->silences : 6);
    candidate->state = P2_CANDIDATE_SILENT;
    candidate->attempt = 0;
    if (candidate->silences < UINT8_MAX) {
        candidate->silences++;
    }
    candidate->next_us =
        now_us + (pause < P2_RECRUITMENT_SILENT_MAX_US ? pause : P2_RECRUITMENT_SILENT_MAX_US);
}

/* Moves everybody whose time is over; forgets strangers whose ad is. */
static void pass_time(struct p2_recruitment *recruitment, uint64_t now_us, uint64_t unix_s)
{
    bool is_enough = p2_recruitment_count(recruitment, P2_CANDIDATE_CONNECTED) >= recruitment->want;
    for (size_t i = 0; i < P2_RECRUITMENT_CANDIDATES; i++) {
        struct p2_candidate *candidate = &recruitment->candidates[i];
        if (candidate->state == P2_CANDIDATE_SILENT && candidate->next_us <= now_us) {
            candidate->state = P2_CANDIDATE_FRESH;
        }
        if (candidate->state == P2_CANDIDATE_INVITED && candidate->next_us <= now_us) {
            if (candidate->attempt >= P2_RECRUITMENT_ATTEMPTS) {
                fall_silent(candidate, now_us);
            } else if (is_enough) {
                candidate->state = P2_CANDIDATE_FRESH; /* no longer needed: not its fault */
                candidate->attempt = 0;
            }
        }
        if (candidate->state == P2_CANDIDATE_FRESH && !candidate->is_known &&
            candidate->expires <= unix_s) {
            candidate->state = P2_CANDIDATE_FREE;
        }
    }
}

/* The fresh candidate to invite: known ones first, else a random one; NULL when there is none. */
static struct p2_candidate *choose(struct p2_recruitment *recruitment)
{
    struct p2_candidate *chosen = NULL;
    uint64_t equals = 0;
    for (size_t i = 0; i < P2_RECRUITMENT_CANDIDATES; i++) {
        struct p2_candidate *candidate = &recruitment->candidates[i];
        if (candidate->state != P2_CANDIDATE_FRESH ||
            neighbours(recruitment, candidate, &candidate->ip, true) >= P2_RECRUITMENT_PER_PREFIX) {
            continue;
        }
        if (chosen != NULL && chosen->is_known && !candidate->is_known) {
            continue;
        }
        bool is_better = chosen == NULL || (candidate->is_known && !chosen->is_known);
        equals = is_better ? 1 : equals + 1;
        if (p2_rng_below(&recruitment->rng, equals) == 0) {
            chosen = candidate;
        }
    }
    return chosen;
}

/* Blocked since its ad was read, or without its puzzle: forgotten. */
static bool passes(struct p2_recruitment *recruitment, struct p2_candidate *candidate)
{
    if (is_blocked(recruitment, &candidate->id)) {
        recruitment->refused_blocked++;
        candidate->state = P2_CANDIDATE_FREE;
        return false;
    }
    if (!candidate->is_proved) {
        recruitment->puzzles++;
        if (p2_puzzle_check(&candidate->id, candidate->puzzle_nonce,
                            recruitment->options.rules->puzzle_bits) != P2_OK) {
            recruitment->refused_puzzle++;
            recruitment->budget -= INVITE_COST; /* so that failing ones cost us no more either */
            candidate->state = P2_CANDIDATE_FREE;
            return false;
        }
        candidate->is_proved = true;
    }
    return true;
}

static void invite(struct p2_recruitment *recruitment, struct p2_candidate *candidate,
                   uint64_t now_us, struct p2_recruitment_effect *effect)
{
    memset(effect, 0, sizeof *effect);
    effect->kind = P2_RECRUITMENT_INVITE;
    effect->helper = candidate->id;
    effect->attempt = candidate->attempt;
    p2_rng_bytes(&recruitment->rng, candidate->token, sizeof candidate->token);
    memcpy(effect->token, candidate->token, sizeof effect->token);
    candidate->state = P2_CANDIDATE_INVITED;
    candidate->next_us = now_us + attempt_us[candidate->attempt];
    candidate->attempt++;
    recruitment->budget -= INVITE_COST;
    recruitment->invites++;
}

/* A second or third attempt that is due, or NULL. */
static struct p2_candidate *find_retry(struct p2_recruitment *recruitment, uint64_t now_us)
{
    for (size_t i = 0; i < P2_RECRUITMENT_CANDIDATES; i++) {
        struct p2_candidate *candidate = &recruitment->candidates[i];
        if (candidate->state == P2_CANDIDATE_INVITED && candidate->next_us <= now_us) {
            return candidate;
        }
    }
    return NULL;
}

static bool begin_read(struct p2_recruitment *recruitment, uint64_t now_us,
                       struct p2_recruitment_effect *effect)
{
    if (recruitment->is_reading ||
        (!recruitment->walk_goes_on && now_us < recruitment->next_read_us)) {
        return false;
    }
    if (!recruitment->walk_goes_on) {
        /* One above where helpers were last found: the tree grows and shrinks. */
        uint8_t start = recruitment->walk.depth > 0 ? (uint8_t)(recruitment->walk.depth - 1) : 0;
        p2_directory_walk_begin(&recruitment->walk, p2_rng_u32(&recruitment->rng), start);
    }
    memset(effect, 0, sizeof *effect);
    effect->kind = P2_RECRUITMENT_READ;
    effect->shard = p2_directory_walk_shard(&recruitment->walk);
    p2_shard_key(&effect->key, recruitment->options.region, effect->shard,
                 recruitment->options.rules);
    recruitment->is_reading = true;
    recruitment->reads++;
    return true;
}

/* When something can happen without an event. `waits_for_budget`: somebody could be invited now. */
static uint64_t due_us(const struct p2_recruitment *recruitment, bool is_short,
                       bool waits_for_budget, uint64_t now_us)
{
    uint64_t due = UINT64_MAX;
    for (size_t i = 0; i < P2_RECRUITMENT_CANDIDATES; i++) {
        const struct p2_candidate *candidate = &recruitment->candidates[i];
        bool waits = candidate->state == P2_CANDIDATE_INVITED ||
                     (candidate->state == P2_CANDIDATE_SILENT && is_short);
        if (waits && candidate->next_us < due) {
            due = candidate->next_us;
        }
    }
    if (recruitment->budget < INVITE_COST) {
        uint64_t missing = INVITE_COST - recruitment->budget;
        uint64_t rate = recruitment->options.invites_per_minute;
        uint64_t paid_us = now_us + missing * (MINUTE_US / INVITE_COST) / rate + 1;
        if (waits_for_budget || due < paid_us) {
            due = paid_us; /* nothing due before can be paid for */
        }
    }
    if (is_short && !recruitment->is_reading && !waits_for_budget &&
        recruitment->next_read_us < due) {
        due = recruitment->next_read_us;
    }
    return due;
}

/* The next helper to invite, if the budget allows it. `ret_waits`: only the budget is missing. */
static struct p2_candidate *next_to_invite(struct p2_recruitment *recruitment, bool is_short,
                                           uint64_t now_us, bool *ret_waits)
{
    struct p2_candidate *candidate = find_retry(recruitment, now_us);
    *ret_waits = false;
    if (candidate == NULL && is_short) {
        candidate = choose(recruitment);
    }
    while (candidate != NULL) {
        if (recruitment->budget < INVITE_COST) {
            *ret_waits = true;
            return NULL;
        }
        if (passes(recruitment, candidate)) {
            return candidate;
        }
        candidate = is_short ? choose(recruitment) : NULL;
    }
    return NULL;
}

bool p2_recruitment_next(struct p2_recruitment *recruitment, uint64_t now_us, uint64_t unix_s,
                         struct p2_recruitment_effect *ret_effect, uint64_t *ret_due_us)
{
    bool waits = false;
    pass_time(recruitment, now_us, unix_s);
    refill_budget(recruitment, now_us);
    uint32_t invited = p2_recruitment_count(recruitment, P2_CANDIDATE_INVITED);
    bool is_short =
        p2_recruitment_count(recruitment, P2_CANDIDATE_CONNECTED) + invited < recruitment->want;
    struct p2_candidate *candidate = next_to_invite(recruitment, is_short, now_us, &waits);
    if (candidate != NULL) {
        invite(recruitment, candidate, now_us, ret_effect);
        return true;
    }
    if (is_short && !waits && begin_read(recruitment, now_us, ret_effect)) {
        return true;
    }
    *ret_due_us = due_us(recruitment, is_short, waits, now_us);
    return false;
}
