/* A helper in the overlay: it says what it lends, listens for invites, and tells which address to
 * dial next (DESIGN 6).
 *
 *   ads       read the shard and the one above to find the depth (directory.h), publish there; again
 *             after 15 s, then every 4 minutes +-20 %, each time after another look; at once when
 *             what is lent changed
 *   invites   both inboxes are watched; a genuine invite waits in a small list until the dial policy
 *             lets one of its endpoints be dialled, or until it expires
 *   dials     on_dial; its user dials and reports how that went; endpoints of one invite are tried
 *             one after the other
 *
 * It keeps time by the overlay's alarms: nothing has to be called periodically, and the simulated
 * overlay drives it as the real one does. It never blocks: the work of a stamp is done in pieces.
 *
 * Thread: the overlay's. */
#ifndef P2_OVERLAY_HELPER_PRESENCE_H
#define P2_OVERLAY_HELPER_PRESENCE_H

#include "base/rng.h"
#include "overlay/capacity_ad.h"
#include "overlay/dial_policy.h"
#include "overlay/invite.h"

#define P2_PRESENCE_AGAIN_US   15000000ull  /* DESIGN 6 */
#define P2_PRESENCE_REFRESH_US 240000000ull /* DESIGN 6, +-20 % */

/* Invites that wait for their turn. Chosen: with 6 new destinations a minute no more than 12 can be
 * dialled before they expire. */
#define P2_PRESENCE_INVITES 16

struct p2_helper_presence;

/* What is to be dialled; borrowed for the call. */
struct p2_presence_dial {
    struct p2_link_address address;
    struct p2_id authority;               /* the listener must hold this key */
    uint8_t token[P2_INVITE_TOKEN_BYTES]; /* to be echoed in HELLO */
    bool has_aes;                         /* the authority has AES hardware */
};

struct p2_presence_events {
    /* True: it is being dialled, and p2_helper_presence_dialled will be called once with the same
     * address and authority, also when no connection is tried after all. False: not wanted, because a link to that
     * authority exists or it is not to be worked for; nothing is learnt about the address and the
     * invite is forgotten. Never comes from inside a function declared here. */
    bool (*on_dial)(const struct p2_presence_dial *dial, void *ctx);
    /* An ad was handed to the network (for logs); may be NULL. */
    void (*on_published)(const struct p2_capacity_ad *ad, void *ctx);
};

struct p2_presence_options {
    struct p2_overlay *overlay; /* borrowed, as all pointers here */
    const struct p2_overlay_rules *rules;
    const struct p2_identity *identity; /* the helper's */
    uint64_t puzzle_nonce;              /* its solution */
    uint64_t first_sequence;            /* above every one used before: unix seconds will do */
    uint8_t start_depth;                /* p2_presence_status.depth of the last run; 0: unknown */
    struct p2_dial_options dial;
    struct p2_rng rng; /* copied */
};

struct p2_presence_status {
    uint8_t depth; /* in the directory; worth keeping for the next start */
    bool is_offered;
    uint32_t ads;      /* published */
    uint32_t invites;  /* genuine ones */
    uint32_t refused;  /* values in the inboxes that were no invite for us, copies not counted */
    uint32_t dials;    /* on_dial said true */
    uint32_t unwanted; /* on_dial said false */
    uint32_t expired;  /* invites none of whose endpoints could be dialled in time */
    uint64_t verdicts[P2_DIAL_TOO_MANY + 1]; /* of the dial policy, by enum p2_dial_verdict */
};

/* Watches the inboxes at once; ads follow p2_helper_presence_offer. `events` and `ctx` are kept.
 * Gives: p2_helper_presence_close. P2_E_NOMEM. */
int p2_helper_presence_open(struct p2_helper_presence **ret_presence,
                            const struct p2_presence_options *options,
                            const struct p2_presence_events *events, void *ctx);

/* What is lent from now on. Of `ad`: region, has_aes, cores, free_slots, price, address, kernels;
 * the rest is filled in. NULL or cores 0: nothing; no ads then, and invites are not followed (a
 * published ad ends by itself within 9 minutes). P2_E_RANGE for fields no reader would accept. */
int p2_helper_presence_offer(struct p2_helper_presence *presence, const struct p2_capacity_ad *ad);

/* How a dial ended; `address` as in on_dial. P2_DIAL_OPENED: the handshake is done. Anything else
 * but GIVEN_UP: the next endpoint of the invite is tried. */
void p2_helper_presence_dialled(struct p2_helper_presence *presence,
                                const struct p2_link_address *address,
                                enum p2_dial_outcome outcome);

struct p2_presence_status p2_helper_presence_status(const struct p2_helper_presence *presence);

/* Ends its operations at once and frees it; call it before p2_overlay_close or when that has
 * reported. No callback follows. Accepts NULL. */
void p2_helper_presence_close(struct p2_helper_presence *presence);

#endif
