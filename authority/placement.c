/* Placement; the rules stand in the header. */
#include "authority/placement.h"

#include <stdlib.h>
#include <string.h>

int p2_placement_init(struct p2_placement *placement, const struct p2_helpers *helpers,
                      uint16_t session, const struct p2_rng *rng)
{
    memset(placement, 0, sizeof *placement);
    placement->share.by_group = calloc(helpers->group_capacity, sizeof *placement->share.by_group);
    if (placement->share.by_group == NULL) {
        return P2_E_NOMEM;
    }
    placement->session = session;
    p2_rng_split(&placement->rng, rng, "placement", session);
    return P2_OK;
}

void p2_placement_free(struct p2_placement *placement)
{
    free(placement->share.by_group);
    memset(placement, 0, sizeof *placement);
}

uint32_t p2_class_rtt_us(enum p2_task_class class)
{
    static const uint32_t limits[P2_TASK_CLASSES] = {0, P2_CLASS_C1_RTT_US, P2_CLASS_C2_RTT_US,
                                                     P2_CLASS_C3_RTT_US};
    return limits[class];
}

bool p2_helpers_related(const struct p2_helper *a, const struct p2_helper *b)
{
    return a->owner_key == b->owner_key || (a->prefix_key != 0 && a->prefix_key == b->prefix_key);
}

/* ---- shares ----------------------------------------------------------------------------------- */

void p2_share_add(struct p2_share *share, const struct p2_helper *helper)
{
    share->total++;
    share->by_group[helper->owner_group]++;
    if (helper->prefix_group != P2_GROUP_NONE && helper->prefix_group != helper->owner_group) {
        share->by_group[helper->prefix_group]++;
    }
}

void p2_share_remove(struct p2_share *share, const struct p2_helper *helper)
{
    share->total--;
    share->by_group[helper->owner_group]--;
    if (helper->prefix_group != P2_GROUP_NONE && helper->prefix_group != helper->owner_group) {
        share->by_group[helper->prefix_group]--;
    }
}

/* The first lease of a party is always within its share, or nothing could ever start. */
bool p2_share_allows(const struct p2_share *share, const struct p2_helper *helper)
{
    uint64_t limit = (uint64_t)(share->total + 1) * P2_CAP_SHARE_PERCENT / 100u;
    if (limit == 0) {
        limit = 1;
    }
    if (share->by_group[helper->owner_group] + 1u > limit) {
        return false;
    }
    return helper->prefix_group == P2_GROUP_NONE ||
           share->by_group[helper->prefix_group] + 1u <= limit;
}

/* ---- the active set --------------------------------------------------------------------------- */

struct ranked {
    uint64_t rank; /* lower is better */
    uint32_t peer;
};

/* A typical task of a millisecond on the fastest kernel measured, with the usual surprise. */
static uint64_t rank_of(const struct p2_helper *helper, const struct p2_standing *standing)
{
    uint32_t best_ns = UINT32_MAX;
    for (size_t k = 0; k < P2_CORE_KERNELS_MAX; k++) {
        if ((helper->ready_kernels >> k & 1u) != 0 && helper->speed[k].mean_ns < best_ns) {
            best_ns = helper->speed[k].mean_ns;
        }
    }
    uint32_t available = standing->availability_ppm > P2_AVAILABILITY_FLOOR
                             ? standing->availability_ppm
                             : P2_AVAILABILITY_FLOOR;
    uint64_t us = (uint64_t)helper->rtt_us + 2u * helper->spread_us + best_ns;
    return us * 1000000u / available;
}

/* Keeps list[*count] sorted and at most `max` long. */
static void insert_ranked(struct ranked *list, uint32_t *count, uint32_t max, struct ranked entry)
{
    if (*count == max && entry.rank >= list[max - 1].rank) {
        return;
    }
    uint32_t at = *count < max ? *count : max - 1;
    while (at > 0 && list[at - 1].rank > entry.rank) {
        list[at] = list[at - 1];
        at--;
    }
    list[at] = entry;
    if (*count < max) {
        (*count)++;
    }
}

static bool is_listed(const struct ranked *list, uint32_t count, uint32_t peer)
{
    for (uint32_t i = 0; i < count; i++) {
        if (list[i].peer == peer) {
            return true;
        }
    }
    return false;
}

static bool is_candidate(const struct p2_placement *placement, struct p2_helpers *helpers,
                         uint32_t peer, uint64_t now_us)
{
    const struct p2_helper *helper = &helpers->items[peer];
    return helper->state == P2_HELPER_ACTIVE && (helper->ties >> placement->session & 1u) == 0 &&
           p2_helper_may_work(helper, p2_helper_standing(helpers, helper), now_us);
}

void p2_placement_rotate(struct p2_placement *placement, struct p2_helpers *helpers,
                         uint64_t now_us)
{
    struct ranked best[P2_PLACEMENT_ACTIVE];
    struct ranked fresh[P2_PLACEMENT_FRESH];
    uint32_t best_count = 0;
    uint32_t fresh_count = 0;
    for (uint32_t peer = 0; peer < helpers->capacity; peer++) {
        if (is_candidate(placement, helpers, peer, now_us)) {
            struct p2_helper *helper = &helpers->items[peer];
            uint64_t rank = rank_of(helper, p2_helper_standing(helpers, helper));
            insert_ranked(best, &best_count, P2_PLACEMENT_ACTIVE - P2_PLACEMENT_FRESH,
                          (struct ranked){rank, peer});
        }
    }
    for (uint32_t peer = 0; peer < helpers->capacity; peer++) {
        if (is_candidate(placement, helpers, peer, now_us) && !is_listed(best, best_count, peer)) {
            /* Those unused for longest; the draw orders the many that were never used. */
            uint64_t rank = (helpers->items[peer].used_us / P2_ROTATE_US << 16) |
                            p2_rng_below(&placement->rng, 65536);
            insert_ranked(fresh, &fresh_count, P2_PLACEMENT_FRESH, (struct ranked){rank, peer});
        }
    }
    placement->active_count = 0;
    for (uint32_t i = 0; i < best_count; i++) {
        placement->active[placement->active_count++] = best[i].peer;
    }
    for (uint32_t i = 0; i < fresh_count; i++) {
        placement->active[placement->active_count++] = fresh[i].peer;
    }
    placement->rotated_us = now_us;
}

/* Far beyond any deadline, and small enough for sums of 32 bits. */
#define ESTIMATE_MAX_US 1000000000u

/* Near helpers are kept for frame-critical work: to other classes they look this much further.
 * Chosen: the class limit itself. */
#define NEAR_PENALTY_US P2_CLASS_C1_RTT_US

/* ---- choosing --------------------------------------------------------------------------------- */

static void estimate(const struct p2_helper *helper, const struct p2_placement_request *request,
                     uint64_t now_us, struct p2_placement_choice *choice)
{
    uint32_t exec = p2_helper_exec_us(helper, request->kernel, request->cost_units);
    uint64_t expected = (uint64_t)helper->rtt_us + p2_helper_wait_us(helper, now_us) + exec;
    if (expected > ESTIMATE_MAX_US) {
        expected = ESTIMATE_MAX_US;
    }
    int64_t likely = (int64_t)expected + helper->surprise_us;
    choice->exec_us = exec;
    choice->expected_us = (uint32_t)expected;
    choice->likely_us = likely > 1 ? (uint32_t)likely : 1;
    choice->p95_us = choice->likely_us + 2 * helper->spread_us;
}

/* Kernel, class and session: what does not change from one millisecond to the next. */
static bool is_suitable(const struct p2_placement *placement, struct p2_helpers *helpers,
                        const struct p2_helper *helper, const struct p2_placement_request *request,
                        uint64_t now_us)
{
    return p2_helper_may_work(helper, p2_helper_standing(helpers, helper), now_us) &&
           helper->is_cloud == request->cloud &&
           (helper->ready_kernels >> request->kernel & 1u) != 0 &&
           (helper->ties >> placement->session & 1u) == 0 &&
           helper->rtt_us <= p2_class_rtt_us(request->class);
}

static bool is_avoided(struct p2_helpers *helpers, const struct p2_helper *helper,
                       const struct p2_placement_request *request)
{
    for (uint32_t i = 0; i < request->avoid_count; i++) {
        const struct p2_helper *other = p2_helper_at(helpers, request->avoid[i]);
        if (other == helper ||
            (other->state != P2_HELPER_ABSENT && p2_helpers_related(other, helper))) {
            return true;
        }
    }
    return false;
}

/* A quarter of the window is kept for frame-critical tasks, so that a burst cannot lock them out. */
static bool has_credit(const struct p2_helper *helper, enum p2_task_class class)
{
    uint32_t window = helper->window;
    if (class != P2_CLASS_C1) {
        window -= window / 4;
    }
    return helper->owed - helper->forgotten < window;
}

/* Lower is better. Availability divides; exploring looks at the number of measurements alone. */
static uint64_t score_of(struct p2_helpers *helpers, const struct p2_helper *helper,
                         const struct p2_placement_request *request, uint32_t likely_us)
{
    if (request->explore) {
        return helper->speed[request->kernel].samples;
    }
    uint32_t available = p2_helper_standing(helpers, helper)->availability_ppm;
    available = available > P2_AVAILABILITY_FLOOR ? available : P2_AVAILABILITY_FLOOR;
    uint64_t us = likely_us;
    if (request->class > P2_CLASS_C1 && helper->rtt_us <= P2_CLASS_C1_RTT_US) {
        us += NEAR_PENALTY_US;
    }
    return us * 1000000u / available;
}

/* Is there time for the audits it will owe? */
static bool is_admitted(const struct p2_helper *helper, const struct p2_placement_request *request,
                        uint64_t now_us)
{
    if (request->verify == NULL) {
        return true;
    }
    const struct p2_verify_ask ask = {
        .helper = helper->id,
        .kernel = request->kernel,
        .weight = request->weight,
        .is_state = request->is_state,
        .is_cloud = helper->is_cloud,
        .exec_us = request->local_us,
        .now_us = now_us,
    };
    return p2_verify_admit(request->verify, &ask);
}

struct best {
    struct p2_placement_choice choice;
    uint64_t score;
    bool is_found;
};

static void keep_better(struct best *best, const struct p2_placement_choice *choice, uint64_t score)
{
    if (!best->is_found || score < best->score) {
        best->choice = *choice;
        best->score = score;
        best->is_found = true;
    }
}

int p2_placement_choose(struct p2_placement *placement, struct p2_helpers *helpers,
                        const struct p2_placement_request *request, uint64_t now_us,
                        struct p2_placement_choice *ret_choice)
{
    struct best within = {0};  /* within the cap of owner and prefix */
    struct best beyond = {0};  /* anybody qualified */
    struct best lacking = {0}; /* qualified but for the contents */
    bool is_anybody = false;
    placement->is_audit_bound = false;
    for (uint32_t i = 0; i < placement->active_count; i++) {
        struct p2_helper *helper = &helpers->items[placement->active[i]];
        if (!is_suitable(placement, helpers, helper, request, now_us)) {
            continue;
        }
        if (!is_admitted(helper, request, now_us)) {
            placement->is_audit_bound = true;
            continue;
        }
        is_anybody = true;
        struct p2_placement_choice choice = {.peer = placement->active[i]};
        estimate(helper, request, now_us, &choice);
        if (!has_credit(helper, request->class) || now_us + choice.p95_us > request->latest_us ||
            is_avoided(helpers, helper, request)) {
            continue;
        }
        uint64_t score = score_of(helpers, helper, request, choice.likely_us);
        if (request->key_count > 0 &&
            p2_blobs_held(&helper->blobs, request->keys, request->key_count) < request->key_count) {
            choice.lacks_contents = true;
            keep_better(&lacking, &choice, score);
        } else if (p2_share_allows(&placement->share, helper)) {
            keep_better(&within, &choice, score);
        } else {
            keep_better(&beyond, &choice, score);
        }
    }
    const struct best *best = within.is_found ? &within : beyond.is_found ? &beyond : &lacking;
    if (!best->is_found) {
        placement->is_audit_bound = placement->is_audit_bound && !is_anybody;
        return is_anybody ? P2_E_AGAIN : P2_E_NOENT;
    }
    *ret_choice = best->choice;
    return P2_OK;
}
