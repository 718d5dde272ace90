/* An authority that looks for helpers: carries out what recruitment.h decides (reads shards, signs,
 * seals, stamps and puts invites) and counts those who dial in.
 *
 * It keeps time by the overlay's alarms: nothing has to be called periodically, and the simulated
 * overlay drives it as the real one does. It never blocks: the work of stamps is done in pieces.
 *
 * Thread: the overlay's. */
#ifndef P2_OVERLAY_RECRUITER_H
#define P2_OVERLAY_RECRUITER_H

#include "overlay/collector.h"
#include "overlay/recruitment.h"

struct p2_recruiter;

struct p2_recruiter_options {
    struct p2_overlay *overlay; /* borrowed, as all pointers here */
    const struct p2_overlay_rules *rules;
    const struct p2_identity *identity; /* the authority's */
    uint64_t puzzle_nonce;              /* its solution */
    uint64_t first_sequence;            /* above every one used before: unix seconds will do */
    char region[P2_REGION_MAX];
    enum p2_local_peers local_peers;
    uint32_t invites_per_minute; /* at least 1 */
    bool has_aes;                /* this machine */
    struct p2_rng rng;           /* copied */
    /* The block list; may be NULL. */
    bool (*is_blocked)(const struct p2_id *id, void *ctx);
    void *ctx;
};

struct p2_recruiter_status {
    uint32_t want;
    uint32_t fresh, invited, connected, silent; /* candidates now */
    uint64_t reads;                             /* of shards */
    uint64_t ads;                               /* valid ones offered to recruitment */
    uint64_t junk;                              /* other values in shards */
    uint64_t invites;                           /* sent; both inboxes count as one */
    uint64_t dialled_in;
    uint64_t refused_puzzle, refused_blocked, refused_full;
    uint64_t last_read_us;     /* steady time when the last read ended; 0: none */
    uint64_t last_read_cpu_us; /* CPU time of this thread it took */
};

/* Idle until it wants helpers and knows endpoints. Gives: p2_recruiter_close. P2_E_NOMEM,
 * P2_E_RANGE (region, invites_per_minute). */
int p2_recruiter_open(struct p2_recruiter **ret_recruiter,
                      const struct p2_recruiter_options *options);

/* Where helpers reach us: 1..P2_INVITE_ENDPOINTS addresses, best first. P2_E_RANGE. */
int p2_recruiter_set_endpoints(struct p2_recruiter *recruiter,
                               const struct p2_link_address *endpoints, uint8_t count);

/* How many helpers are wanted, connected ones included; 0: stop looking. */
void p2_recruiter_set_want(struct p2_recruiter *recruiter, uint32_t want);

/* A helper that worked for us before (from the store): it is invited before the directory is read.
 * `ip` may have family 0. */
void p2_recruiter_add_known(struct p2_recruiter *recruiter, const struct p2_id *id,
                            const struct p2_ip *ip);

/* A helper's HELLO was read: may it stay? As p2_recruitment_dialled_in: 0 and it counts as
 * connected (p2_recruiter_gone must follow), P2_E_NOT_ALLOWED, P2_E_LIMIT, P2_E_EXIST, P2_E_FULL.
 * `token` of zeros: none was echoed. `ret_invited` may be NULL. */
int p2_recruiter_dialled_in(struct p2_recruiter *recruiter, const struct p2_id *id,
                            const struct p2_ip *ip, const uint8_t token[P2_INVITE_TOKEN_BYTES],
                            bool *ret_invited);

/* Its link ended. Unknown ids are ignored. */
void p2_recruiter_gone(struct p2_recruiter *recruiter, const struct p2_id *id);

struct p2_recruiter_status p2_recruiter_status(const struct p2_recruiter *recruiter);

/* Ends its operations at once and frees it; before p2_overlay_close or when that has reported.
 * Accepts NULL. */
void p2_recruiter_close(struct p2_recruiter *recruiter);

#endif
