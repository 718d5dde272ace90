/* A session in the overlay, as its authority sees it: an ID, published and kept fresh until it is
 * closed. One object for each session; it carries out rendezvous.h and keeps time by the overlay's
 * alarms: nothing has to be called periodically.
 *
 * Thread: the overlay's. */
#ifndef P2_OVERLAY_SESSION_HOST_H
#define P2_OVERLAY_SESSION_HOST_H

#include "overlay/join_link.h"
#include "overlay/rendezvous.h"

struct p2_session_host;

struct p2_session_host_options {
    struct p2_overlay *overlay; /* borrowed, as all pointers here */
    const struct p2_overlay_rules *rules;
    const struct p2_identity *identity;      /* the authority's */
    uint64_t puzzle_nonce;                   /* its solution */
    uint64_t first_sequence;                 /* above every one used before: unix seconds will do */
    const uint8_t *salt;                     /* [P2_SALT_BYTES] of an earlier run; NULL: a new ID */
    const struct p2_link_address *endpoints; /* where gamers reach us, best first */
    uint8_t endpoint_count;                  /* 1..P2_SESSION_ENDPOINTS */
    bool is_locked;                          /* nobody new may join */
    bool has_aes;                            /* this machine */
    struct p2_rng rng;                       /* copied */
};

struct p2_session_host_status {
    uint64_t puts;    /* values handed to the network, both copies counted */
    uint64_t junk;    /* foreign values seen under our keys */
    uint64_t next_us; /* steady time of the next regular put */
};

/* Makes the ID and begins to publish. Gives: p2_session_host_close. P2_E_NOMEM, P2_E_RANGE
 * (endpoints). 18 ms. */
int p2_session_host_open(struct p2_session_host **ret_host,
                         const struct p2_session_host_options *options);

/* The ID now. A secret between those who play: never logged. Borrowed until rotate or close. */
const struct p2_session_id *p2_session_host_id(const struct p2_session_host *host);

/* What must be stored to have the same ID after a restart, P2_SALT_BYTES; secret as the ID.
 * Borrowed as above. */
const uint8_t *p2_session_host_salt(const struct p2_session_host *host);

/* A join link for the ID with endpoint number `endpoint` and our key, which needs no search; for
 * `endpoint` out of range a link with the ID alone. */
void p2_session_host_link(const struct p2_session_host *host, unsigned endpoint,
                          char text[P2_JOIN_LINK_MAX]);

/* New endpoints or another lock: published at once. P2_E_RANGE. */
int p2_session_host_set_endpoints(struct p2_session_host *host,
                                  const struct p2_link_address *endpoints, uint8_t count);
void p2_session_host_set_locked(struct p2_session_host *host, bool is_locked);

/* Another ID; the old one is not refreshed and ends within 9 minutes. P2_E_NOMEM: the old one goes
 * on. 18 ms. */
int p2_session_host_rotate(struct p2_session_host *host);

struct p2_session_host_status p2_session_host_status(const struct p2_session_host *host);

/* Ends its operations at once, wipes and frees it; before p2_overlay_close or when that has
 * reported. Records out there expire by themselves. Accepts NULL. */
void p2_session_host_close(struct p2_session_host *host);

#endif
