/* How many connections each address prefix holds (DESIGN 4: limits per prefix). A hash table of
 * fixed size; prefixes are the numbers of ip.h, never 0. Pure. Thread: one. */
#ifndef P2_LINK_PREFIX_H
#define P2_LINK_PREFIX_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct p2_prefix_entry {
    uint64_t prefix; /* 0: unused */
    uint64_t count;
};

struct p2_prefix_table {
    struct p2_prefix_entry *entries; /* owned */
    size_t mask;                     /* number of entries, a power of two, minus 1 */
    uint64_t seed;                   /* so that nobody can choose prefixes that collide */
};

/* A table for at most `prefixes_max` prefixes at a time. `seed` is random. P2_E_NOMEM. */
int p2_prefix_init(struct p2_prefix_table *table, size_t prefixes_max, uint64_t seed);
void p2_prefix_free(struct p2_prefix_table *table);

/* Connections of `prefix` now. O(1) on average, as the others. */
uint64_t p2_prefix_count(const struct p2_prefix_table *table, uint64_t prefix);

/* One more, one less. The caller keeps to prefixes_max and removes only what it added. */
void p2_prefix_add(struct p2_prefix_table *table, uint64_t prefix);
void p2_prefix_remove(struct p2_prefix_table *table, uint64_t prefix);

#endif
