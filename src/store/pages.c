/* A reader of LMDB's file format that checks everything before it follows it. */
#include "store/pages.h"

#include <stdlib.h>
#include <string.h>

/* mdb.c of LMDB 0.9: MDB_MAGIC, MDB_DATA_VERSION. */
#define META_MAGIC   0xBEEFC0DEu
#define META_VERSION 1u

/* Offsets in a page, then in a meta page (behind the page's head). All numbers are in the machine's
 * own order, as LMDB writes them. */
#define PAGE_HEAD       16u
#define PAGE_FLAGS      10u
#define PAGE_LOWER      12u
#define PAGE_UPPER      14u
#define PAGE_COUNT      12u /* of pages, in a large value */
#define META_VERSION_AT 4u
#define META_TREES      24u
#define META_LAST       (META_TREES + 2u * TREE_BYTES)
#define META_COMMIT     (META_LAST + 8u)
#define META_BYTES      (META_COMMIT + 8u)
#define TREE_BYTES      48u
#define TREE_FLAGS      4u
#define TREE_DEPTH      6u
#define TREE_BRANCHES   8u
#define TREE_LEAVES     16u
#define TREE_OVERFLOW   24u
#define TREE_ENTRIES    32u
#define TREE_ROOT       40u
#define NODE_HEAD       8u

/* mdb.c: P_BRANCH, P_LEAF, P_OVERFLOW, P_META; MDB_INTEGERKEY of the free tree; F_BIGDATA. */
#define FLAG_BRANCH   0x01u
#define FLAG_LEAF     0x02u
#define FLAG_OVERFLOW 0x04u
#define FLAG_META     0x08u
#define KEYS_ARE_INTS 0x08u
#define NODE_BIG      0x01u

#define NO_PAGE   UINT64_MAX
#define DEPTH_MAX 32u /* mdb.c: CURSOR_STACK */

/* mdb.c: MIN_PAGESIZE 512 is what it can do; systems have 4 KiB to 64 KiB. */
#define PAGE_BYTES_MIN 512u
#define PAGE_BYTES_MAX 65536u

struct tree {
    uint64_t branches, leaves, overflow, entries, root;
    unsigned depth, flags;
};

struct walk {
    struct p2_span file;
    uint64_t page_bytes, last, budget;
    uint8_t *seen; /* one bit per page */
    struct p2_pages_report report;
    struct tree trees[2];   /* free pages, records: as the meta page tells */
    struct tree counted[2]; /* as found */
    struct p2_failure *failure;
};

/* Where the parent says the keys of a page lie; empty = no bound. */
struct bounds {
    struct p2_span low;  /* every key is at least this */
    struct p2_span high; /* and less than this */
};

/* A place on the way from the root down. */
struct level {
    const uint8_t *page;
    unsigned next, count; /* keys of the page: next to visit, in all */
    struct bounds bounds;
};

static uint16_t load16(const uint8_t *p)
{
    uint16_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static uint32_t load32(const uint8_t *p)
{
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

static int damaged(struct walk *walk, uint64_t page, const char *what)
{
    (void)p2_fail(walk->failure, P2_E_CORRUPT,
                  "the store is damaged: page %llu %s; restore a backup", (unsigned long long)page,
                  what);
    return P2_E_CORRUPT; /* in sight of the compiler: never 0 */
}

/* ---- meta pages ------------------------------------------------------------------------------- */

static void load_tree(struct tree *tree, const uint8_t *p)
{
    tree->flags = load16(p + TREE_FLAGS);
    tree->depth = load16(p + TREE_DEPTH);
    tree->branches = load64(p + TREE_BRANCHES);
    tree->leaves = load64(p + TREE_LEAVES);
    tree->overflow = load64(p + TREE_OVERFLOW);
    tree->entries = load64(p + TREE_ENTRIES);
    tree->root = load64(p + TREE_ROOT);
}

/* Finds the commit in one of the two meta pages, which take turns. `copy` is taken at once and
 * confirmed: a running writer changes the place of the older commit only after the newer one is
 * complete. */
static int find_meta(struct walk *walk, uint64_t commit, uint8_t copy[META_BYTES])
{
    const uint8_t *metas[2] = {walk->file.data + PAGE_HEAD,
                               walk->file.data + walk->page_bytes + PAGE_HEAD};
    uint64_t numbers[2] = {load64(metas[0] + META_COMMIT), load64(metas[1] + META_COMMIT)};
    unsigned which = numbers[1] > numbers[0];
    if (commit != 0 && numbers[which] != commit) {
        which ^= 1u;
    }
    if (commit != 0 && numbers[which] != commit) {
        return P2_E_NOENT;
    }
    memcpy(copy, metas[which], META_BYTES);
    if (commit != 0 && (load64(metas[which ^ 1u] + META_COMMIT) > commit + 1 ||
                        load64(metas[which] + META_COMMIT) != commit)) {
        return P2_E_NOENT;
    }
    return P2_OK;
}

static int read_meta(struct walk *walk, uint64_t commit)
{
    uint8_t copy[META_BYTES];
    const uint8_t *first = walk->file.data;
    if (walk->file.size < 2 * PAGE_BYTES_MIN || load32(first + PAGE_HEAD) != META_MAGIC) {
        return p2_fail(walk->failure, P2_E_CORRUPT,
                       "the store is damaged: its file does not start like one");
    }
    if (load32(first + PAGE_HEAD + META_VERSION_AT) != META_VERSION) {
        return p2_fail(walk->failure, P2_E_NEW_SCHEMA,
                       "the store was written by another version of LMDB");
    }
    walk->page_bytes = load32(first + PAGE_HEAD + META_TREES);
    if (walk->page_bytes < PAGE_BYTES_MIN || walk->page_bytes > PAGE_BYTES_MAX ||
        (walk->page_bytes & (walk->page_bytes - 1)) != 0 ||
        walk->file.size < 2 * walk->page_bytes) {
        return damaged(walk, 0, "has no usable page size");
    }
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *page = first + i * walk->page_bytes;
        if (load16(page + PAGE_FLAGS) != FLAG_META || load32(page + PAGE_HEAD) != META_MAGIC ||
            load32(page + PAGE_HEAD + META_VERSION_AT) != META_VERSION) {
            return damaged(walk, i, "is not a meta page");
        }
    }
    int error = find_meta(walk, commit, copy);
    if (error != P2_OK) {
        return error;
    }
    for (unsigned i = 0; i < 2; i++) {
        load_tree(&walk->trees[i], copy + META_TREES + i * TREE_BYTES);
    }
    walk->last = load64(copy + META_LAST);
    walk->report.commit = load64(copy + META_COMMIT);
    /* The file may be shorter: pages that were used and freed by one commit are never written. */
    if (walk->last < 1 || walk->last > UINT32_MAX * (uint64_t)64 ||
        load32(copy + META_TREES) != walk->page_bytes) {
        return damaged(walk, 0, "tells an impossible size");
    }
    return P2_OK;
}

/* ---- pages ------------------------------------------------------------------------------------- */

/* Marks pages as used; each may be used once. */
static int mark(struct walk *walk, uint64_t page, uint64_t count)
{
    if (page < 2 || page > walk->last || count > walk->last - page + 1) {
        return damaged(walk, page, "lies outside the store");
    }
    for (uint64_t i = page; i < page + count; i++) {
        uint8_t bit = (uint8_t)(1u << (i & 7));
        if ((walk->seen[i >> 3] & bit) != 0) {
            return damaged(walk, i, "is used twice");
        }
        walk->seen[i >> 3] |= bit;
    }
    return P2_OK;
}

/* The bytes of pages that must be in the file. */
static int page_at(struct walk *walk, uint64_t page, uint64_t count, const uint8_t **ret_bytes)
{
    uint64_t in_file = walk->file.size / walk->page_bytes;
    if (count > in_file || page > in_file - count) {
        (void)p2_fail(walk->failure, P2_E_CORRUPT,
                      "the store is truncated: its file has %llu pages, page %llu is missing;"
                      " restore a backup",
                      (unsigned long long)in_file, (unsigned long long)(page + count - 1));
        return P2_E_CORRUPT;
    }
    *ret_bytes = walk->file.data + page * walk->page_bytes;
    return P2_OK;
}

static const uint8_t *node_at(const uint8_t *page, unsigned index)
{
    return page + load16(page + PAGE_HEAD + 2 * index);
}

static struct p2_span node_key(const uint8_t *node)
{
    return p2_span(node + NODE_HEAD, load16(node + 6));
}

static uint64_t node_size(const uint8_t *node)
{
    return load16(node) | (uint64_t)load16(node + 2) << 16;
}

static uint64_t node_child(const uint8_t *node)
{
    return node_size(node) | (uint64_t)load16(node + 4) << 32;
}

static bool is_ordered(struct p2_span a, struct p2_span b, bool are_ints)
{
    if (are_ints) {
        return load64(a.data) < load64(b.data);
    }
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    return order < 0 || (order == 0 && a.size < b.size);
}

/* One node of a page: within it, its key of a possible size and behind the one before. */
static int check_node(struct walk *walk, uint64_t number, const uint8_t *page, unsigned index,
                      bool is_leaf, bool are_ints)
{
    uint64_t at = load16(page + PAGE_HEAD + 2 * index);
    if (at < load16(page + PAGE_UPPER) || at + NODE_HEAD > walk->page_bytes) {
        return damaged(walk, number, "has a record outside itself");
    }
    const uint8_t *node = page + at;
    uint64_t key = load16(node + 6);
    unsigned flags = is_leaf ? load16(node + 4) : 0;
    uint64_t data = !is_leaf ? 0 : (flags & NODE_BIG) != 0 ? sizeof(uint64_t) : node_size(node);
    bool is_first_of_branch = !is_leaf && index == 0; /* its key is never looked at */
    if (key + data > walk->page_bytes - at - NODE_HEAD) {
        return damaged(walk, number, "has a record that is too long");
    }
    if ((flags & ~NODE_BIG) != 0) {
        return damaged(walk, number, "has a record of an unknown kind");
    }
    if (!is_first_of_branch && (key == 0 || (are_ints && key != sizeof(uint64_t)))) {
        return damaged(walk, number, "has a key of an impossible size");
    }
    if (index > (is_leaf ? 0u : 1u) &&
        !is_ordered(node_key(node_at(page, index - 1)), node_key(node), are_ints)) {
        return damaged(walk, number, "has keys out of order");
    }
    return P2_OK;
}

static int check_page(struct walk *walk, uint64_t number, bool must_be_leaf, bool are_ints,
                      const uint8_t **ret_page)
{
    const uint8_t *page = NULL;
    int error = mark(walk, number, 1);
    if (error == P2_OK) {
        error = page_at(walk, number, 1, &page);
    }
    if (error != P2_OK) {
        return error;
    }
    unsigned lower = load16(page + PAGE_LOWER), upper = load16(page + PAGE_UPPER);
    if (load64(page) != number) {
        return damaged(walk, number, "carries another number");
    }
    if (load16(page + PAGE_FLAGS) != (must_be_leaf ? FLAG_LEAF : FLAG_BRANCH)) {
        return damaged(walk, number, "is of another kind");
    }
    if (lower < PAGE_HEAD || lower > upper || upper > walk->page_bytes || (lower & 1) != 0 ||
        (lower - PAGE_HEAD) / 2 < (must_be_leaf ? 1u : 2u)) {
        return damaged(walk, number, "has an impossible fill");
    }
    for (unsigned i = 0; i < (lower - PAGE_HEAD) / 2 && error == P2_OK; i++) {
        error = check_node(walk, number, page, i, must_be_leaf, are_ints);
    }
    *ret_page = page;
    return error;
}

/* ---- trees ------------------------------------------------------------------------------------- */

/* The value of a leaf node, in the page or in pages of its own. */
static int check_value(struct walk *walk, struct tree *counted, const uint8_t *node,
                       struct p2_span *ret_value)
{
    const uint8_t *data = node + NODE_HEAD + load16(node + 6);
    uint64_t size = node_size(node);
    if ((load16(node + 4) & NODE_BIG) == 0) {
        *ret_value = p2_span(data, size);
        return P2_OK;
    }
    uint64_t first = load64(data);
    uint64_t count = (PAGE_HEAD - 1 + size) / walk->page_bytes + 1; /* mdb.c: OVPAGES */
    const uint8_t *page = NULL;
    int error = mark(walk, first, count);
    if (error == P2_OK) {
        error = page_at(walk, first, count, &page);
    }
    if (error != P2_OK) {
        return error;
    }
    if (load64(page) != first || load16(page + PAGE_FLAGS) != FLAG_OVERFLOW ||
        load32(page + PAGE_COUNT) != count) {
        return damaged(walk, first, "is not the large value it should be");
    }
    counted->overflow += count;
    walk->budget -= walk->budget > 0;
    *ret_value = p2_span(page + PAGE_HEAD, size);
    return P2_OK;
}

/* A record of the free tree: how many pages, then their numbers, highest first. */
static int check_free(struct walk *walk, struct p2_span value)
{
    uint64_t count = value.size >= sizeof(uint64_t) ? load64(value.data) : NO_PAGE;
    if (count > value.size / sizeof(uint64_t) - 1) {
        return damaged(walk, 0, "leads to a damaged list of free pages");
    }
    for (uint64_t i = 1; i <= count; i++) {
        int error = mark(walk, load64(value.data + i * sizeof(uint64_t)), 1);
        if (error != P2_OK) {
            return error;
        }
        walk->report.free_pages++;
    }
    return P2_OK;
}

static int check_leaf(struct walk *walk, unsigned which, const uint8_t *page)
{
    unsigned count = (load16(page + PAGE_LOWER) - PAGE_HEAD) / 2;
    struct tree *counted = &walk->counted[which];
    for (unsigned i = 0; i < count; i++) {
        struct p2_span value = {0};
        int error = check_value(walk, counted, node_at(page, i), &value);
        if (error == P2_OK && which == 0) {
            error = check_free(walk, value);
        }
        if (error != P2_OK) {
            return error;
        }
    }
    counted->leaves++;
    counted->entries += count;
    return P2_OK;
}

/* A damaged key in a branch hides records without being out of order itself. */
static bool is_within(const uint8_t *page, bool is_leaf, struct bounds bounds, bool are_ints)
{
    unsigned count = (load16(page + PAGE_LOWER) - PAGE_HEAD) / 2;
    struct p2_span first = node_key(node_at(page, is_leaf ? 0 : 1));
    struct p2_span last = node_key(node_at(page, count - 1));
    return (bounds.low.size == 0 || !is_ordered(first, bounds.low, are_ints)) &&
           (bounds.high.size == 0 || is_ordered(last, bounds.high, are_ints));
}

/* The bounds of the next child of a branch. */
static struct bounds child_bounds(const struct level *level)
{
    struct bounds bounds = level->bounds;
    if (level->next > 0) {
        bounds.low = node_key(node_at(level->page, level->next));
    }
    if (level->next + 1 < level->count) {
        bounds.high = node_key(node_at(level->page, level->next + 1));
    }
    return bounds;
}

/* Looks at one page and puts a branch on the way. */
static int enter(struct walk *walk, unsigned which, uint64_t number, struct bounds bounds,
                 struct level *levels, unsigned *depth)
{
    const struct tree *tree = &walk->trees[which];
    bool is_leaf = *depth + 1 == tree->depth;
    const uint8_t *page = NULL;
    int error = check_page(walk, number, is_leaf, which == 0, &page);
    if (error != P2_OK) {
        return error;
    }
    if (!is_within(page, is_leaf, bounds, which == 0)) {
        return damaged(walk, number, "has keys its parent page does not know");
    }
    walk->budget--;
    if (is_leaf) {
        return check_leaf(walk, which, page);
    }
    levels[*depth].page = page;
    levels[*depth].next = 0;
    levels[*depth].bounds = bounds;
    levels[*depth].count = (load16(page + PAGE_LOWER) - PAGE_HEAD) / 2;
    walk->counted[which].branches++;
    (*depth)++;
    return P2_OK;
}

static int check_tree(struct walk *walk, unsigned which)
{
    const struct tree *tree = &walk->trees[which];
    struct level levels[DEPTH_MAX];
    unsigned depth = 0;
    if (tree->root == NO_PAGE) {
        return tree->entries == 0 && tree->depth == 0 ? P2_OK : damaged(walk, 0, "lost a root");
    }
    if (tree->depth < 1 || tree->depth > DEPTH_MAX ||
        (tree->flags & 0x7fffu) != (which == 0 ? KEYS_ARE_INTS : 0u)) {
        return damaged(walk, 0, "describes an impossible tree");
    }
    int error = enter(walk, which, tree->root, (struct bounds){.low.size = 0}, levels, &depth);
    while (error == P2_OK && depth > 0) {
        struct level *level = &levels[depth - 1];
        if (level->next == level->count) {
            depth--;
        } else if (walk->budget == 0) {
            walk->report.is_complete = false;
            return P2_OK;
        } else {
            struct bounds bounds = child_bounds(level);
            uint64_t child = node_child(node_at(level->page, level->next++));
            error = enter(walk, which, child, bounds, levels, &depth);
        }
    }
    if (error == P2_OK && walk->report.is_complete) {
        const struct tree *found = &walk->counted[which];
        if (found->entries != tree->entries || found->leaves != tree->leaves ||
            found->branches != tree->branches || found->overflow != tree->overflow) {
            return damaged(walk, 0, "counts other pages than there are");
        }
    }
    return error;
}

static void finish(struct walk *walk)
{
    struct p2_pages_report *report = &walk->report;
    const struct tree *counted = walk->counted;
    report->page_bytes = walk->page_bytes;
    report->last_page = walk->last;
    report->branches = counted[0].branches + counted[1].branches;
    report->leaves = counted[0].leaves + counted[1].leaves;
    report->overflow = counted[0].overflow + counted[1].overflow;
    report->records = counted[1].entries;
    if (report->is_complete) {
        report->unaccounted = walk->last - 1 - report->branches - report->leaves -
                              report->overflow - report->free_pages;
    }
}

int p2_pages_check(struct p2_span file, uint64_t commit, uint64_t budget,
                   struct p2_pages_report *ret_report, struct p2_failure *failure)
{
    struct walk walk = {.file = file, .budget = budget, .failure = failure};
    if (sizeof(size_t) != sizeof(uint64_t)) {
        *ret_report = walk.report;
        return P2_OK;
    }
    int error = read_meta(&walk, commit);
    if (error != P2_OK) {
        return error;
    }
    /* The map of pages cannot be larger than what a damaged number in the file allows: pages that
     * were never written lie behind the end only by what one commit used and freed, 128 Ki pages
     * (mdb.c: MDB_IDL_UM_MAX). */
    if (walk.last > file.size / walk.page_bytes + (UINT64_C(1) << 17)) {
        return p2_fail(failure, P2_E_CORRUPT,
                       "the store is truncated: its file has %llu pages of %llu; restore a backup",
                       (unsigned long long)(file.size / walk.page_bytes),
                       (unsigned long long)(walk.last + 1));
    }
    walk.seen = calloc(1, (size_t)(walk.last / 8 + 1));
    if (walk.seen == NULL) {
        return p2_fail(failure, P2_E_NOMEM, "out of memory");
    }
    walk.report.is_complete = true;
    for (unsigned which = 0; which < 2 && error == P2_OK; which++) {
        error = check_tree(&walk, which);
    }
    if (error == P2_OK) {
        finish(&walk);
        *ret_report = walk.report;
    }
    free(walk.seen);
    return error;
}
