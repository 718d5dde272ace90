/* Bans by people: a key or an address prefix, with who, when, why, and the trail of all of it.
 *
 * Bans of the sanctions table live in reputation.h; both count. Entries are stored one each (table
 * bans; key: number u64) and never change: lifting a ban is an entry of its own. Pure. Thread: one. */
#ifndef P2_AUTHORITY_TRUST_BAN_H
#define P2_AUTHORITY_TRUST_BAN_H

#include "authority/trust/limits.h"
#include "base/buf.h"
#include "base/id.h"
#include "link/ip.h"

#include <stdbool.h>
#include <stdint.h>

enum p2_ban_kind { P2_BAN_KEY, P2_BAN_PREFIX };
enum p2_ban_action { P2_BAN_SET, P2_BAN_LIFTED };

/* One entry of the trail. */
struct p2_ban_entry {
    uint64_t number; /* from 1 */
    enum p2_ban_action action;
    enum p2_ban_kind kind;
    struct p2_id id;  /* of a KEY */
    struct p2_ip ip;  /* of a PREFIX: any address in it; the /24 or /48 counts */
    uint64_t at_s;    /* Unix */
    uint64_t until_s; /* P2_BAN_FOR_GOOD */
    char actor[P2_BAN_ACTOR_MAX + 1];
    char reason[P2_BAN_REASON_MAX + 1];
};

struct p2_bans {
    struct p2_ban_entry *items; /* owned; those in force */
    uint32_t count;
    uint32_t capacity;
    uint64_t next_number;
};

void p2_bans_init(struct p2_bans *bans);
void p2_bans_free(struct p2_bans *bans);

/* Sets or lifts. `entry` without its number; ret_entry: as to be stored, before it counts for anybody.
 * P2_E_LIMIT, P2_E_NOMEM, P2_E_NOENT (lifting what is not there), P2_E_INVALID (no reason, no actor,
 * text with control characters). */
int p2_bans_apply(struct p2_bans *bans, const struct p2_ban_entry *entry,
                  struct p2_ban_entry *ret_entry);

/* Reads an entry of the trail at start, in order. P2_E_NOMEM, P2_E_LIMIT, P2_E_CORRUPT (order). */
int p2_bans_restore(struct p2_bans *bans, const struct p2_ban_entry *entry);

/* The ban in force on a key or on the prefix of an address (may be NULL); NULL: none. */
const struct p2_ban_entry *p2_bans_find(const struct p2_bans *bans, const struct p2_id *id,
                                        const struct p2_ip *ip, uint64_t now_s);

#define P2_BAN_VERSION   1
#define P2_BAN_BYTES_MAX 256u
size_t p2_ban_encode(uint8_t *out, const struct p2_ban_entry *entry);
int p2_ban_decode(struct p2_ban_entry *ret_entry, struct p2_span bytes);

#endif
