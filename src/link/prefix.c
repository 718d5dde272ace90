/* Open addressing with linear probing; removal moves later entries back (Knuth, TAOCP 3, 6.4,
 * algorithm R), so that no tombstones pile up. */
#include "link/prefix.h"

#include <stdlib.h>
#include <string.h>

int p2_prefix_init(struct p2_prefix_table *table, size_t prefixes_max, uint64_t seed)
{
    size_t size = 16;
    while (size < 2 * prefixes_max) {
        size *= 2;
    }
    table->entries = calloc(size, sizeof *table->entries);
    if (table->entries == NULL) {
        return P2_E_NOMEM;
    }
    table->mask = size - 1;
    table->seed = seed;
    return P2_OK;
}

void p2_prefix_free(struct p2_prefix_table *table)
{
    free(table->entries);
    memset(table, 0, sizeof *table);
}

/* The finaliser of splitmix64 (Steele, Lea, Flood, 2014) over the seeded prefix. */
static size_t home_of(const struct p2_prefix_table *table, uint64_t prefix)
{
    uint64_t hash = prefix ^ table->seed;
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    return (size_t)(hash ^ hash >> 31) & table->mask;
}

/* Where `prefix` is, or the unused entry where it would be. */
static size_t find(const struct p2_prefix_table *table, uint64_t prefix)
{
    size_t at = home_of(table, prefix);
    while (table->entries[at].prefix != 0 && table->entries[at].prefix != prefix) {
        at = (at + 1) & table->mask;
    }
    return at;
}

uint64_t p2_prefix_count(const struct p2_prefix_table *table, uint64_t prefix)
{
    return table->entries[find(table, prefix)].count;
}

void p2_prefix_add(struct p2_prefix_table *table, uint64_t prefix)
{
    struct p2_prefix_entry *entry = &table->entries[find(table, prefix)];
    P2_ASSERT(prefix != 0);
    entry->prefix = prefix;
    entry->count++;
}

void p2_prefix_remove(struct p2_prefix_table *table, uint64_t prefix)
{
    size_t hole = find(table, prefix);
    P2_ASSERT(table->entries[hole].count > 0);
    if (--table->entries[hole].count > 0) {
        return;
    }
    size_t at = hole;
    for (;;) {
        at = (at + 1) & table->mask;
        if (table->entries[at].prefix == 0) {
            break;
        }
        size_t home = home_of(table, table->entries[at].prefix);
        /* An entry may move into the hole unless its home lies cyclically after the hole. */
        if (((at - home) & table->mask) >= ((at - hole) & table->mask)) {
            table->entries[hole] = table->entries[at];
            hole = at;
        }
    }
    memset(&table->entries[hole], 0, sizeof table->entries[hole]);
}
