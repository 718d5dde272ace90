/* How the directory behaves with many helpers: prints the table of doc/scaling.md.
 *
 *     directory-sim [HELPERS [SEED]]      without arguments: 1,000, 10,000 and 100,000
 *
 * Helpers start at random times within the first hour at depth 0, refresh every 4 minutes
 * +-20 %, and adapt their depth with the product's own code (overlay/directory.c). Every refresh
 * reads the own shard and the one above; a move publishes again after 15 s. After the tree has
 * settled, 5 % of the helpers leave without a word and as many new ones come within each hour. A
 * value stays for 10 minutes, a record counts for 9. Signatures are left out: only keys, depths and
 * times matter here. */
#include "overlay/directory.h"

#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_S  600u
#define RECORD_S 540u
#define TICK_S   5u
#define END_S    14400u /* four hours */
#define SETTLED  7200u  /* figures are taken from the last two */

struct helper {
    struct p2_id id;
    uint32_t bits;
    uint32_t rank;
    uint32_t next_s;
    uint8_t depth;
    const void *seen; /* the shard that is being counted */
};

/* What was put into one shard; expired values are dropped when the next one comes. */
struct shard_values {
    uint64_t name; /* depth and bits; 0: unused */
    uint32_t count, capacity;
    struct {
        uint32_t helper;
        uint32_t at_s;
    } * puts;
};

/* Shards that can exist: a full tree of depth 17. A power of two, so that probing wraps. */
#define SHARDS ((size_t)1 << 19)

static struct helper *helpers;
static size_t count;
static struct shard_values *shards;
static uint64_t reads, writes;

static struct shard_values *values_of(struct p2_shard shard)
{
    uint64_t name = (uint64_t)(shard.depth + 1) << 32 | shard.bits;
    size_t at = (size_t)(name * 0x9e3779b97f4a7c15u >> 45); /* 19 bits of Fibonacci hashing */
    while (shards[at].name != 0 && shards[at].name != name) {
        at = (at + 1) % SHARDS;
    }
    shards[at].name = name;
    return &shards[at];
}

/* Live ads in a shard, values in it, and how many rank before `self` (may be NULL). A helper that
 * moved is live in its old shard until the record there expires, as for any reader. */
static struct p2_directory_view look(struct p2_shard shard, const struct helper *self,
                                     uint32_t now_s, uint32_t *ret_values)
{
    struct p2_directory_view view = {0, 0};
    const struct shard_values *values = values_of(shard);
    *ret_values = 0;
    for (uint32_t i = 0; i < values->count; i++) {
        struct helper *other = &helpers[values->puts[i].helper];
        *ret_values += now_s - values->puts[i].at_s < VALUE_S;
        if (now_s - values->puts[i].at_s < RECORD_S && other != self && other->seen != values) {
            other->seen = values; /* counted once, whatever its generations */
            view.live++;
            view.ahead += self != NULL && other->rank < self->rank;
        }
    }
    for (uint32_t i = 0; i < values->count; i++) {
        helpers[values->puts[i].helper].seen = NULL;
    }
    return view;
}

static void put(struct helper *helper, uint32_t now_s)
{
    struct shard_values *values = values_of(p2_shard_of(helper->bits, helper->depth));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < values->count; i++) {
        if (now_s - values->puts[i].at_s < VALUE_S) {
            values->puts[kept++] = values->puts[i];
        }
    }
    values->count = kept;
    if (values->count == values->capacity) {
        values->capacity = values->capacity > 0 ? values->capacity * 2 : 16;
        values->puts = realloc(values->puts, values->capacity * sizeof *values->puts);
        if (values->puts == NULL) {
            (void)fprintf(stderr, "out of memory\n");
            exit(EXIT_FAILURE);
        }
    }
    values->puts[values->count].helper = (uint32_t)(helper - helpers);
    values->puts[values->count++].at_s = now_s;
    writes++;
}

static void refresh(struct helper *helper, uint32_t now_s, struct p2_rng *rng)
{
    uint32_t values;
    struct p2_directory_view above = {0, 0};
    const struct p2_directory_view own =
        look(p2_shard_of(helper->bits, helper->depth), helper, now_s, &values);
    reads++;
    if (helper->depth > 0) {
        above =
            look(p2_shard_of(helper->bits, (uint8_t)(helper->depth - 1)), helper, now_s, &values);
        reads++;
    }
    uint8_t depth = p2_directory_next_depth(helper->depth, &own, &above);
    bool has_moved = depth != helper->depth;
    helper->depth = depth;
    put(helper, now_s);
    helper->next_s = now_s + (has_moved ? 15 : (uint32_t)p2_rng_between(rng, 192, 288));
}

static void renew(struct helper *helper, uint32_t now_s, struct p2_rng *rng)
{
    /* A new helper in the place of one that left, whose values stay until they expire. */
    p2_rng_bytes(rng, helper->id.bytes, P2_ID_BYTES);
    p2_capacity_hash(&helper->id, &helper->bits, &helper->rank);
    helper->depth = 0;
    helper->next_s = now_s + (uint32_t)p2_rng_below(rng, 60);
}

struct figures {
    uint64_t shards, live, live_max, values, values_max;
    uint64_t walks, walk_reads, walk_empty, walk_found;
};

/* What readers find, from depth 0 and from where they last were. */
static void sample(struct figures *figures, uint32_t now_s, uint8_t *remembered, struct p2_rng *rng)
{
    for (unsigned i = 0; i < 200; i++) {
        struct p2_directory_walk walk;
        struct p2_directory_view view;
        uint32_t values;
        uint64_t found = 0;
        bool goes_on;
        p2_directory_walk_begin(&walk, p2_rng_u32(rng),
                                *remembered > 0 ? (uint8_t)(*remembered - 1) : 0);
        do {
            view = look(p2_directory_walk_shard(&walk), NULL, now_s, &values);
            figures->walk_reads++;
            figures->shards++;
            figures->live += view.live;
            figures->values += values;
            figures->live_max = view.live > figures->live_max ? view.live : figures->live_max;
            figures->values_max = values > figures->values_max ? values : figures->values_max;
            found += view.live;
            goes_on = p2_directory_walk_next(&walk, view.live);
        } while (goes_on);
        *remembered = walk.depth;
        figures->walks++;
        figures->walk_found += found;
        figures->walk_empty += found == 0;
    }
}

static uint8_t median_depth(void)
{
    size_t at[P2_DIRECTORY_DEPTH_MAX + 1] = {0}, seen = 0;
    for (size_t i = 0; i < count; i++) {
        at[helpers[i].depth]++;
    }
    for (uint8_t depth = 0;; depth++) {
        seen += at[depth];
        if (seen * 2 >= count) {
            return depth;
        }
    }
}

static void simulate(size_t helper_count, uint64_t seed)
{
    struct p2_rng rng;
    struct figures figures;
    uint8_t remembered = 0, deepest = 0;
    p2_rng_init_u64(&rng, seed, "directory sim");
    memset(&figures, 0, sizeof figures);
    count = helper_count;
    helpers = calloc(count, sizeof *helpers);
    shards = calloc(SHARDS, sizeof *shards);
    if (helpers == NULL || shards == NULL) {
        (void)fprintf(stderr, "out of memory\n");
        exit(EXIT_FAILURE);
    }
    for (size_t i = 0; i < count; i++) {
        p2_rng_bytes(&rng, helpers[i].id.bytes, P2_ID_BYTES);
        p2_capacity_hash(&helpers[i].id, &helpers[i].bits, &helpers[i].rank);
        helpers[i].next_s = (uint32_t)p2_rng_below(&rng, 3600);
    }
    for (uint32_t now_s = 0; now_s < END_S; now_s += TICK_S) {
        if (now_s == SETTLED) {
            reads = writes = 0;
        }
        for (size_t i = 0; i < count; i++) {
            if (now_s >= SETTLED && p2_rng_below(&rng, 20 * 3600 / TICK_S) == 0) {
                renew(&helpers[i], now_s, &rng);
            }
            if (helpers[i].next_s <= now_s) {
                refresh(&helpers[i], now_s, &rng);
            }
        }
        if (now_s >= SETTLED && now_s % 600 == 0) {
            sample(&figures, now_s, &remembered, &rng);
        }
    }
    for (size_t i = 0; i < count; i++) {
        deepest = helpers[i].depth > deepest ? helpers[i].depth : deepest;
    }
    double span_s = END_S - SETTLED;
    (void)printf(
        "| %zu | %u / %u | %.1f | %llu | %.0f | %llu | %.2f | %.1f | %.1f %% | %.1f | %.1f |\n",
        count, median_depth(), deepest, (double)figures.live / (double)figures.shards,
        (unsigned long long)figures.live_max, (double)figures.values / (double)figures.shards,
        (unsigned long long)figures.values_max, (double)figures.walk_reads / (double)figures.walks,
        (double)figures.walk_found / (double)figures.walks,
        100.0 * (double)figures.walk_empty / (double)figures.walks, (double)reads / span_s,
        (double)writes / span_s);
    for (size_t i = 0; i < SHARDS; i++) {
        free(shards[i].puts);
    }
    free(shards);
    free(helpers);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {1000, 10000, 100000};
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    if (p2_crypto_init() != P2_OK) {
        return EXIT_FAILURE;
    }
    (void)printf(
        "| helpers | depth median / deepest | live ads a shard | most | values a key | most "
        "| reads a walk | ads found | walks that found none | reads/s of all helpers | puts/s "
        "|\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    if (argc > 1) {
        size_t one = (size_t)strtoull(argv[1], NULL, 10);
        if (one == 0 || one > 200000) {
            (void)fprintf(stderr, "directory-sim: helpers must be 1 to 200000\n");
            return EXIT_FAILURE;
        }
        simulate(one, seed);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < P2_COUNT_OF(sizes); i++) {
        simulate(sizes[i], seed);
    }
    return EXIT_SUCCESS;
}
