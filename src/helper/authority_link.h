/* One authority this helper works for: dials it, offers itself, runs its leases, dials again.
 *
 * It is one of the owner's configuration, dialled for ever, or one that sent an invite: that one is
 * dialled once, and again only if it took this helper in, until P2_BACKOFF_LONG tries in a row came
 * to nothing.
 *
 *   state      how it is entered                        leaves it when
 *   WAITING    at first, and after every end            its back-off is over -> RESOLVING or DIALING
 *   RESOLVING  the address is a name                    resolved -> DIALING, or failed -> WAITING
 *   DIALING    a connection is being made               on_open -> GREETING, on_close -> WAITING
 *   GREETING   HELLO was sent                           ACCEPT -> WORKING, DENIED, end -> WAITING
 *   WORKING    leases come                              end -> WAITING
 *   LEAVING    p2_authority_link_leave                  everything is answered and closed; freed
 *
 * Thread: the loop's. */
#ifndef P2_HELPER_AUTHORITY_LINK_H
#define P2_HELPER_AUTHORITY_LINK_H

#include "base/log.h"
#include "base/rng.h"
#include "exec/pool.h"
#include "link/address.h"
#include "link/link.h"
#include "overlay/helper_presence.h"
#include "wire/messages.h"

#include <uv.h>

/* A kernel this helper offers: its place in HELLO is its place in the table of offers. */
struct p2_helper_offer {
    uint32_t kernel; /* index into the pool's kernel table */
    uint32_t version;
};

struct p2_authority_link;

/* What all links of a helper share; owned by the helper, kept by every link. */
struct p2_helper_env {
    uv_loop_t *loop;
    struct p2_transport *transport;
    struct p2_pool *pool;
    struct p2_log *log;
    struct p2_rng rng;         /* of the back-off */
    struct p2_msg_hello hello; /* what is offered; its spans belong to the helper */
    struct p2_helper_offer offers[P2_WIRE_KERNELS_MAX]; /* offers[hello.kernels_count] */
    struct p2_buf scratch;                              /* messages are encoded here */
    uint64_t next_tag;                                  /* pool tags are never used again */
    uint64_t leases_done;                               /* answered with OK, all authorities */
    uint64_t leases_failed;                             /* answered otherwise */
    /* How a message leaves; the real one is p2_link_send. Tests put a liar here. */
    int (*send)(void *ctx, struct p2_link *link, uint8_t type, struct p2_span body);
    void *send_ctx;
    /* The first dial of an invited link ended so; once for each, before on_gone. */
    void (*on_dialled)(struct p2_helper_env *env, const struct p2_link_address *address,
                       enum p2_dial_outcome outcome);
    /* A link that was told to leave, or an invited one that came to nothing, is gone; it is freed
     * when this returns. */
    void (*on_gone)(struct p2_helper_env *env, struct p2_authority_link *link);
};

/* What status shows of one. */
struct p2_authority_link_view {
    const struct p2_address *address;
    const char *state; /* "working"; static */
    struct p2_link_rtt rtt;
    uint64_t leases_done;
    uint32_t leases_open;
    uint32_t blobs;
    uint64_t blob_bytes;
    uint32_t failures; /* tries in a row that came to nothing */
    bool is_invited;
    const char *trouble; /* why the last try or link ended, "" when nothing did; borrowed */
};

/* Starts one for `address` (copied); its first try comes in the loop's next turn. P2_E_NOMEM. */
int p2_authority_link_open(struct p2_helper_env *env, const struct p2_address *address,
                           struct p2_authority_link **ret_link);

/* The same for an invite: `dial` is copied, its token goes into the first HELLO. env->on_dialled
 * follows, never from inside this call. */
int p2_authority_link_open_invited(struct p2_helper_env *env, const struct p2_presence_dial *dial,
                                   struct p2_authority_link **ret_link);

/* Tells the authority that no more leases are wanted, finishes what runs, closes; env->on_gone
 * follows, never from inside this call. Only the first call counts. */
void p2_authority_link_leave(struct p2_authority_link *link, enum p2_drain_reason reason);

/* After leave: cuts what is still running or unsent. on_gone follows as above. */
void p2_authority_link_cut(struct p2_authority_link *link);

/* Tells the authority that what is lent (env->hello) has changed. */
void p2_authority_link_offer(struct p2_authority_link *link);

struct p2_authority_link_view p2_authority_link_view(const struct p2_authority_link *link);

#endif
