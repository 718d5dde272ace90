/* Helpers by link, owners and prefixes by number, standings by key. */
#include "authority/helper.h"

#include <stdlib.h>
#include <string.h>

#define SPEED_START_NS     2000u /* half a reference core until measured; chosen: pessimistic */
#define SPEED_DEVIATION_NS 1000u
#define SPREAD_START_US    5000u   /* until measured; chosen: a lossy WLAN's jitter */
#define RTT_UNKNOWN_US     100000u /* before the link measured it: too far for C1; chosen */
#define SPEED_MAX_NS       1000000000u
#define SPEED_MIN_NS       50 /* twenty reference cores; chosen: no machine is faster */
#define SPEED_WEIGHT       32 /* samples a mean remembers; chosen: half a second's work of a helper */
#define SPEED_PRIOR        4 /* samples that the start counts for; chosen */
#define PROBES_MAX \
    32u /* places looked at in a hash table; at a quarter full far more than needed */

static uint32_t power_of_two(uint32_t least)
{
    uint32_t size = 1;
    while (size < least) {
        size *= 2;
    }
    return size;
}

int p2_helpers_init(struct p2_helpers *table, uint32_t capacity, uint32_t blobs_each)
{
    memset(table, 0, sizeof *table);
    if (capacity == 0 || capacity > P2_CORE_HELPERS_MAX || blobs_each > P2_BLOBS_ENTRIES_MAX) {
        return P2_E_INVALID;
    }
    table->capacity = capacity;
    table->blobs_each = blobs_each;
    table->group_capacity = power_of_two(4 * capacity);
    table->known_capacity = power_of_two(4 * capacity < 64 ? 64 : 4 * capacity);
    table->items = calloc(capacity, sizeof *table->items);
    table->groups = calloc(table->group_capacity, sizeof *table->groups);
    table->known = calloc(table->known_capacity, sizeof *table->known);
    table->blob_entries = calloc((size_t)capacity * blobs_each + 1, sizeof *table->blob_entries);
    if (table->items == NULL || table->groups == NULL || table->known == NULL ||
        table->blob_entries == NULL) {
        p2_helpers_free(table);
        return P2_E_NOMEM;
    }
    return P2_OK;
}

void p2_helpers_free(struct p2_helpers *table)
{
    free(table->items);
    free(table->groups);
    free(table->known);
    free(table->blob_entries);
    memset(table, 0, sizeof *table);
}

struct p2_helper *p2_helper_at(struct p2_helpers *table, uint32_t peer)
{
    return peer < table->capacity ? &table->items[peer] : NULL;
}

int p2_helper_open(struct p2_helpers *table, uint32_t peer, const struct p2_ip *ip, uint64_t now_us)
{
    struct p2_helper *helper = p2_helper_at(table, peer);
    if (helper == NULL) {
        return P2_E_RANGE;
    }
    if (helper->state != P2_HELPER_ABSENT) {
        return P2_E_STATE;
    }
    memset(helper, 0, sizeof *helper);
    helper->state = P2_HELPER_STRANGER;
    helper->ip = *ip;
    helper->link = ++table->links;
    helper->opened_us = now_us;
    helper->bucket_us = now_us;
    helper->bucket_messages = P2_RATE_MESSAGES_BURST;
    helper->bucket_bytes = P2_RATE_BYTES_BURST;
    helper->rtt_us = RTT_UNKNOWN_US;
    helper->spread_us = SPREAD_START_US;
    helper->standing = P2_PEER_NONE;
    helper->owner_group = helper->prefix_group = P2_GROUP_NONE;
    helper->queue_first = helper->queue_last = P2_LEASE_NONE;
    memset(helper->place, P2_PLACE_NONE, sizeof helper->place);
    for (size_t i = 0; i < P2_CORE_KERNELS_MAX; i++) {
        helper->speed[i] = (struct p2_speed){SPEED_START_NS, SPEED_DEVIATION_NS, 0};
    }
    table->present++;
    return P2_OK;
}

/* ---- owners and prefixes ---------------------------------------------------------------------- */

static uint64_t hash_bytes(const char *domain, struct p2_span bytes)
{
    uint8_t digest[16];
    struct p2_span parts[] = {p2_span(domain, strlen(domain)), bytes};
    p2_hash(digest, sizeof digest, parts, P2_COUNT_OF(parts));
    return p2_load_be64(digest) | 1u;
}

uint64_t p2_helper_owner_key(struct p2_span owner)
{
    return hash_bytes("p2c2r owner", owner);
}

static uint32_t group_home(const struct p2_helpers *table, uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (table->group_capacity - 1);
}

static uint32_t group_add(struct p2_helpers *table, uint64_t key)
{
    uint32_t mask = table->group_capacity - 1;
    uint32_t at = group_home(table, key);
    uint32_t unused = P2_GROUP_NONE;
    for (uint32_t i = 0; i < table->group_capacity; i++, at = (at + 1) & mask) {
        struct p2_group *group = &table->groups[at];
        if (group->key == key) {
            group->helpers++;
            return at;
        }
        if (group->helpers == 0 && unused == P2_GROUP_NONE) {
            unused = at;
        }
        if (group->key == 0 || i >= PROBES_MAX) {
            break;
        }
    }
    P2_ASSERT(unused != P2_GROUP_NONE);
    table->groups[unused] = (struct p2_group){key, 1};
    return unused;
}

/* The key stays in the place, so that later probes pass it; its number is used again only when
 * nobody of the group is connected. */
static void group_remove(struct p2_helpers *table, uint32_t group)
{
    if (group != P2_GROUP_NONE) {
        table->groups[group].helpers--;
    }
}

/* ---- standings -------------------------------------------------------------------------------- */

struct p2_standing *p2_helpers_standing(struct p2_helpers *table, const struct p2_id *id)
{
    uint32_t mask = table->known_capacity - 1;
    uint32_t at = p2_load_be32(id->bytes) & mask;
    for (uint32_t i = 0; i < PROBES_MAX; i++, at = (at + 1) & mask) {
        if (table->known[at].is_used && p2_id_equal(&table->known[at].id, id)) {
            return &table->known[at];
        }
    }
    return NULL;
}

struct p2_standing *p2_helper_standing(struct p2_helpers *table, const struct p2_helper *helper)
{
    return helper->standing == P2_PEER_NONE ? NULL : &table->known[helper->standing];
}

/* Finds or makes a standing. When its neighbourhood is full, the one unseen for longest goes. */
static struct p2_standing *standing_make(struct p2_helpers *table, const struct p2_id *id)
{
    struct p2_standing *found = p2_helpers_standing(table, id);
    if (found != NULL) {
        return found;
    }
    uint32_t mask = table->known_capacity - 1;
    uint32_t at = p2_load_be32(id->bytes) & mask;
    for (uint32_t i = 0; i < PROBES_MAX; i++, at = (at + 1) & mask) {
        struct p2_standing *standing = &table->known[at];
        if (!standing->is_used) {
            found = standing;
            break;
        }
        if (!standing->is_connected && (found == NULL || standing->seen_us < found->seen_us)) {
            found = standing;
        }
    }
    if (found != NULL) {
        memset(found, 0, sizeof *found);
        found->id = *id;
        found->is_used = true;
        found->availability_ppm = P2_AVAILABILITY_START;
    }
    return found;
}

int p2_helper_identify(struct p2_helpers *table, uint32_t peer, const struct p2_id *id,
                       struct p2_span owner, enum p2_local_peers local_peers, uint64_t now_us)
{
    struct p2_helper *helper = &table->items[peer];
    struct p2_standing *standing = standing_make(table, id);
    if (standing == NULL) {
        return P2_E_LIMIT;
    }
    if (standing->is_connected) {
        return P2_E_EXIST;
    }
    standing->is_connected = true;
    standing->seen_us = now_us;
    helper->standing = (uint32_t)(standing - table->known);
    helper->id = *id;
    uint64_t prefix = p2_ip_prefix(&helper->ip);
    bool counts = p2_ip_prefix_counts(&helper->ip, local_peers);
    helper->prefix_key = counts ? hash_bytes("p2c2r prefix", p2_span(&prefix, sizeof prefix)) : 0;
    if (owner.size > 0) {
        helper->owner_key = p2_helper_owner_key(owner);
    } else if (counts) {
        helper->owner_key = helper->prefix_key;
    } else {
        helper->owner_key = hash_bytes("p2c2r alone", p2_span(id->bytes, sizeof id->bytes));
    }
    helper->owner_group = group_add(table, helper->owner_key);
    if (counts) {
        helper->prefix_group = group_add(table, helper->prefix_key);
    }
    return P2_OK;
}

void p2_helper_close(struct p2_helpers *table, uint32_t peer, uint64_t now_us)
{
    struct p2_helper *helper = &table->items[peer];
    P2_ASSERT(helper->live == 0);
    if (helper->state == P2_HELPER_ABSENT) {
        return;
    }
    if (helper->standing != P2_PEER_NONE) {
        table->known[helper->standing].is_connected = false;
        table->known[helper->standing].seen_us = now_us;
    }
    group_remove(table, helper->owner_group);
    group_remove(table, helper->prefix_group);
    helper->state = P2_HELPER_ABSENT;
    table->present--;
}

/* ---- queue ------------------------------------------------------------------------------------ */

/* Where the front of the queue stands; see the header. */
static void note_front(struct p2_helper *helper, struct p2_leases *leases)
{
    uint64_t sum = 0;
    uint32_t seen = 0;
    uint64_t first_us = UINT64_MAX;
    for (uint32_t at = helper->queue_first; at != P2_LEASE_NONE && seen < helper->running;) {
        const struct p2_lease *lease = p2_lease_at(leases, at);
        if (lease->state == P2_LEASE_RUNNING) {
            uint64_t done_us = lease->started_us + lease->exec_us;
            first_us = done_us < first_us ? done_us : first_us;
            sum += lease->started_us;
            seen++;
        }
        at = lease->next;
    }
    helper->first_done_us = first_us;
    helper->free_us = seen == 0 ? 0 : sum / seen + helper->backlog_us / helper->cores;
}

/* A core takes its next lease when it is free, but not before the lease reached it. Times are those at
 * which the authority would see an answer that takes no time. */
static void start(struct p2_helper *helper, struct p2_leases *leases, struct p2_lease *lease,
                  uint64_t now_us)
{
    (void)p2_lease_move(leases, lease, P2_LEASE_START, now_us); /* OFFERED always starts */
    uint64_t reached_us = lease->offered_us + helper->rtt_us;
    lease->started_us = now_us > reached_us ? now_us : reached_us;
    helper->running++;
}

static void start_next(struct p2_helper *helper, struct p2_leases *leases, uint64_t now_us)
{
    uint32_t at = helper->queue_first;
    while (at != P2_LEASE_NONE && helper->running < helper->cores) {
        struct p2_lease *lease = p2_lease_at(leases, at);
        if (lease->state == P2_LEASE_OFFERED) {
            start(helper, leases, lease, now_us);
        }
        at = lease->next;
    }
}

void p2_helper_enqueue(struct p2_helper *helper, struct p2_leases *leases, struct p2_lease *lease,
                       uint64_t now_us)
{
    uint32_t index = p2_lease_index(leases, lease);
    lease->prev = helper->queue_last;
    lease->next = P2_LEASE_NONE;
    if (helper->queue_last == P2_LEASE_NONE) {
        helper->queue_first = index;
    } else {
        p2_lease_at(leases, helper->queue_last)->next = index;
    }
    helper->queue_last = index;
    helper->live++;
    helper->owed++;
    helper->backlog_us += lease->exec_us;
    helper->used_us = now_us;
    if (helper->running < helper->cores) {
        start(helper, leases, lease, now_us);
    }
    note_front(helper, leases);
}

void p2_helper_dequeue(struct p2_helper *helper, struct p2_leases *leases, struct p2_lease *lease,
                       uint64_t now_us)
{
    if (lease->prev == P2_LEASE_NONE) {
        helper->queue_first = lease->next;
    } else {
        p2_lease_at(leases, lease->prev)->next = lease->next;
    }
    if (lease->next == P2_LEASE_NONE) {
        helper->queue_last = lease->prev;
    } else {
        p2_lease_at(leases, lease->next)->prev = lease->prev;
    }
    lease->prev = lease->next = P2_LEASE_NONE;
    helper->live--;
    helper->backlog_us -= lease->exec_us;
    if (lease->state == P2_LEASE_RUNNING) {
        helper->running--;
        start_next(helper, leases, now_us);
    }
    note_front(helper, leases);
}

uint32_t p2_helper_wait_us(const struct p2_helper *helper, uint64_t now_us)
{
    uint64_t wait = 0;
    if (helper->live >= helper->cores && helper->free_us > now_us + helper->rtt_us) {
        wait = helper->free_us - now_us - helper->rtt_us;
    }
    if (helper->live > 0 && now_us > helper->first_done_us) {
        uint64_t overdue = now_us - helper->first_done_us;
        wait = overdue > wait ? overdue : wait;
    }
    return wait < P2_WIRE_BUDGET_MAX_US ? (uint32_t)wait : P2_WIRE_BUDGET_MAX_US;
}

/* ---- measurements ----------------------------------------------------------------------------- */

uint32_t p2_helper_exec_us(const struct p2_helper *helper, uint8_t kernel, uint64_t cost_units)
{
    uint64_t units = cost_units < P2_WIRE_BUDGET_MAX_US ? cost_units : P2_WIRE_BUDGET_MAX_US;
    uint64_t us = units * helper->speed[kernel].mean_ns / 1000u;
    if (us > P2_WIRE_BUDGET_MAX_US) {
        us = P2_WIRE_BUDGET_MAX_US;
    }
    return us > 0 ? (uint32_t)us : 1;
}

/* Moves `value` towards `sample` by a fraction 1 / 2^shift. */
static uint32_t smooth(uint32_t value, uint32_t sample, unsigned shift)
{
    return sample > value ? value + ((sample - value) >> shift)
                          : value - ((value - sample) >> shift);
}

/* What is seen of a core is its time plus the network's noise, which is far larger than short tasks,
 * goes both ways around the measured round trip, and cancels within a batch: answers that the network
 * bunches together leave one long and many short (even negative) gaps. So the mean counts all samples
 * alike and slowly: the first ones as an average, the others with 1/32. */
static void speed_add(struct p2_speed *speed, int64_t sample_ns)
{
    uint32_t seen = speed->samples + SPEED_PRIOR;
    int64_t away = sample_ns - speed->mean_ns;
    int64_t mean = speed->mean_ns + away / (seen < SPEED_WEIGHT ? (int64_t)seen : SPEED_WEIGHT);
    uint64_t distance_ns = (uint64_t)(away < 0 ? -away : away);
    uint32_t deviation = distance_ns < SPEED_MAX_NS ? (uint32_t)distance_ns : SPEED_MAX_NS;
    speed->deviation_ns = smooth(speed->deviation_ns, deviation, 3);
    speed->mean_ns = mean > SPEED_MIN_NS ? (uint32_t)mean : SPEED_MIN_NS;
    speed->samples++;
}

/* RFC 6298's weights: 1/8 for the mean, 1/4 for the deviation. */
static void error_add(struct p2_helper *helper, int32_t total_us, int32_t expected_us)
{
    int32_t error = total_us - expected_us;
    int32_t away = error - helper->surprise_us;
    helper->surprise_us += away / 8;
    helper->spread_us = smooth(helper->spread_us, (uint32_t)(away < 0 ? -away : away), 2);
}

void p2_helper_answered(struct p2_helper *helper, struct p2_standing *standing,
                        const struct p2_lease *lease, uint64_t now_us)
{
    uint64_t total = now_us - lease->offered_us;
    int64_t exec = 1;
    if (lease->state == P2_LEASE_RUNNING) {
        exec = (int64_t)(now_us - lease->started_us);
    }
    int64_t cost = lease->cost_units > 0 ? (int64_t)lease->cost_units : 1;
    int64_t sample_ns = exec * 1000 / cost;
    /* Before the round trip is known, a guess of the way there would be taken for time on its core. */
    if (helper->has_rtt) {
        speed_add(&helper->speed[lease->kernel],
                  sample_ns < SPEED_MAX_NS ? sample_ns : SPEED_MAX_NS);
    }
    /* Answers to one turn's leases share their fate: one sample each turn, or bursts would hide how
     * much turns differ. Warm-ups have no prediction. */
    if (lease->session != UINT16_MAX && lease->offered_us != helper->error_us) {
        helper->error_us = lease->offered_us;
        error_add(helper, total < P2_LEASE_LONG_US ? (int32_t)total : (int32_t)P2_LEASE_LONG_US,
                  (int32_t)lease->expected_us);
    }
    if (!helper->has_rtt && total < RTT_UNKNOWN_US) {
        helper->rtt_us = (uint32_t)total; /* upper bound until the link says better */
    }
    helper->misses = 0;
    helper->good++;
    helper->answers++;
    standing->availability_ppm = smooth(standing->availability_ppm, 1000000u, 4);
    if (helper->good % P2_BACKOFF_CLEAR == 0 && standing->backoff_level > 0) {
        standing->backoff_level--;
    }
}

bool p2_helper_missed(struct p2_helper *helper, struct p2_standing *standing, bool is_lost,
                      uint64_t now_us)
{
    helper->misses++;
    helper->good = 0;
    standing->availability_ppm = smooth(standing->availability_ppm, 0, 4);
    if (!is_lost && helper->misses < P2_BACKOFF_MISSES) {
        return false;
    }
    if (now_us < standing->backoff_until_us) {
        return false; /* the other leases of the same silence */
    }
    uint64_t wait = P2_BACKOFF_FIRST_US << standing->backoff_level;
    standing->backoff_until_us = now_us + (wait < P2_BACKOFF_MAX_US ? wait : P2_BACKOFF_MAX_US);
    if (wait < P2_BACKOFF_MAX_US) {
        standing->backoff_level++;
    }
    helper->misses = 0;
    return true;
}

bool p2_helper_may_work(const struct p2_helper *helper, const struct p2_standing *standing,
                        uint64_t now_us)
{
    return helper->state == P2_HELPER_ACTIVE && now_us >= standing->backoff_until_us &&
           now_us >= standing->banned_until_us;
}

/* ---- limits ----------------------------------------------------------------------------------- */

static uint32_t refill(uint32_t level, uint64_t elapsed_us, uint32_t per_s, uint32_t burst)
{
    uint64_t more = elapsed_us >= 60000000u ? burst : elapsed_us * per_s / 1000000u;
    return level + more >= burst ? burst : (uint32_t)(level + more);
}

int p2_helper_charge(struct p2_helper *helper, size_t bytes, uint64_t now_us)
{
    uint64_t elapsed = now_us - helper->bucket_us;
    if (elapsed >= 1000000u / P2_RATE_MESSAGES_PER_S) {
        helper->bucket_messages = refill(helper->bucket_messages, elapsed, P2_RATE_MESSAGES_PER_S,
                                         P2_RATE_MESSAGES_BURST);
        helper->bucket_bytes =
            refill(helper->bucket_bytes, elapsed, P2_RATE_BYTES_PER_S, P2_RATE_BYTES_BURST);
        helper->bucket_us = now_us;
    }
    if (helper->bucket_messages == 0 || bytes > helper->bucket_bytes) {
        return P2_E_FLOOD;
    }
    helper->bucket_messages--;
    helper->bucket_bytes -= (uint32_t)bytes;
    return P2_OK;
}

bool p2_standing_strike(struct p2_standing *standing, uint64_t now_us)
{
    uint64_t *oldest = &standing->strikes_us[standing->strikes % P2_STRIKES_MAX];
    *oldest = now_us;
    standing->strikes++;
    if (standing->strikes < P2_STRIKES_MAX) {
        return false;
    }
    uint64_t first = standing->strikes_us[standing->strikes % P2_STRIKES_MAX];
    return now_us - first < P2_STRIKE_WINDOW_US;
}
