/* The trail: inputs and results of each helper's newest accepted STATE tasks, for the back-trace of a
 * caught liar (DESIGN 9: at idle priority, inputs still held, at most 64).
 *
 * One ring of bounded entries and bytes for the whole authority: the oldest is dropped for the newest,
 * whoever it belongs to. Contents beside the input are named by key. Thread: one. */
#ifndef P2_AUTHORITY_TRUST_TRAIL_H
#define P2_AUTHORITY_TRUST_TRAIL_H

#include "authority/lease.h"
#include "authority/trust/limits.h"
#include "base/buf.h"
#include "base/id.h"

#include <stdbool.h>
#include <stdint.h>

struct p2_trail_entry {
    struct p2_id helper;
    uint64_t lease;
    uint64_t task;
    uint16_t session;
    uint8_t kernel;
    uint32_t output_max;
    uint8_t digest[P2_DIGEST_BYTES]; /* of the accepted result */
    const uint64_t *keys;            /* keys[key_count] */
    uint32_t key_count;
    struct p2_span input;
};

struct p2_trail {
    struct p2_trail_slot *slots; /* owned; [P2_TRAIL_ENTRIES] */
    uint32_t first, count;
    size_t bytes;
};

/* P2_E_NOMEM. */
int p2_trail_init(struct p2_trail *trail);
void p2_trail_free(struct p2_trail *trail);

/* Remembers an accepted result; copies. Drops the oldest for room. P2_E_TOO_BIG, P2_E_NOMEM. */
int p2_trail_add(struct p2_trail *trail, const struct p2_trail_entry *entry);

/* The `index`-th newest entry of `helper` that is held (0 .. P2_BACKTRACE_MAX - 1); false: there is no
 * such one. Borrowed until the next add. O(entries). */
bool p2_trail_get(const struct p2_trail *trail, const struct p2_id *helper, uint32_t index,
                  struct p2_trail_entry *ret_entry);

/* Forgets a session that ended. */
void p2_trail_forget(struct p2_trail *trail, uint16_t session);

#endif
