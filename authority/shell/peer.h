/* One helper's link, on the authority's side: admission, blobs, leases, answers.
 *
 *   state      how it is entered                   what the helper may send
 *   STRANGER   the handshake is done               HELLO
 *   ADMITTED   its HELLO was accepted              RESULT, BLOB_HELD, OFFER, DRAIN
 *   DRAINING   its DRAIN came                      RESULT; closed when the last one is there
 *   CLOSING    it was denied, or the link ends     -
 *
 * Anything else is answered with DENIED and is a strike; P2_PEER_STRIKES_MAX end the link.
 * Thread: the loop's. */
#ifndef P2_AUTHORITY_SHELL_PEER_H
#define P2_AUTHORITY_SHELL_PEER_H

#include "authority/shell/corpus.h"
#include "base/log.h"
#include "link/link.h"
#include "wire/messages.h"

#include <stdbool.h>

/* Strikes (malformed or unsolicited messages) within an hour after which a helper is sent away
 * (DESIGN 9). They belong to its key, so that a new link does not wash them off. */
#define P2_PEER_STRIKES_MAX      3u
#define P2_PEER_STRIKE_WINDOW_MS UINT64_C(3600000)

/* Leases in flight of one helper at most. Chosen: deep enough for 40 ms of round trip at 60 Hz and
 * a handful of tasks a frame. */
#define P2_PEER_WINDOW 16u

/* How long somebody who was sent away is asked to stay away, in s. */
#define P2_PEER_RETRY_S 60u

/* A row of what the authority knows about a helper's key; lives as long as the process. */
struct p2_helper_record {
    struct p2_id id;
    uint64_t leases;          /* sent */
    uint64_t done;            /* accepted results */
    uint64_t wrong;           /* results that failed check or recomputation */
    uint64_t late;            /* answers after their lease was over */
    uint64_t unsolicited;     /* answers to nothing */
    uint64_t failed;          /* answers that were no result */
    uint64_t lost;            /* links that ended with leases in hand */
    uint64_t strikes;         /* since strike_first_ms */
    uint64_t strike_first_ms; /* p2_pool_now_us / 1000, as barred_until_ms */
    uint64_t barred_until_ms; /* sent away for strikes: not admitted earlier */
    bool is_banned;
    char why[64]; /* of the ban */
};

struct p2_peer;

/* What all peers share; owned by the authority, kept by every peer. */
struct p2_peer_env {
    struct p2_log *log;
    const struct p2c2r_kernel *const *kernels; /* kernels[kernel_count], the pool's table */
    size_t kernel_count;
    bool use[64]; /* kernels that passed our own self-test: only they are leased */
    uint8_t digests[64][P2_WIRE_DIGEST_BYTES]; /* of their known answers */
    const struct p2_corpus *corpus;            /* NULL while there is no session */
    struct p2_buf scratch;
    void *ctx; /* of the functions below */
    /* The record of a key that may work here, or NULL. Borrowed for the process's life. */
    struct p2_helper_record *(*admit)(void *ctx, const struct p2_id *id,
                                      enum p2_denied_reason *ret_reason);
    /* Joined: its number with the dispatcher is to be returned. */
    int (*on_admitted)(void *ctx, struct p2_peer *peer);
    /* More blobs are there. */
    void (*on_ready)(void *ctx, struct p2_peer *peer);
    void (*on_result)(void *ctx, struct p2_peer *peer, const struct p2_msg_result *result);
    /* It wants no new leases. */
    void (*on_drain)(void *ctx, struct p2_peer *peer);
    /* The link is over; freed when this returns. Also for peers that were never admitted. */
    void (*on_gone)(void *ctx, struct p2_peer *peer);
};

struct p2_peer {
    struct p2_peer_env *env;
    struct p2_link *link;
    struct p2_helper_record *record; /* NULL until admitted */
    struct p2_peer *next;            /* of the owner's list */
    enum { P2_PEER_STRANGER, P2_PEER_ADMITTED, P2_PEER_DRAINING, P2_PEER_CLOSING } state;
    uint32_t number; /* with the dispatcher */
    bool is_joined;  /* counted as admitted, and known to the session if there is one */
    uint32_t window;
    uint16_t cores;
    uint64_t cache_bytes; /* left for blobs */
    uint32_t next_blob;   /* the next one to send */
    uint32_t strikes;     /* while it has no record */
    uint32_t kernels;     /* bits of HELLO's places that are leased */
    int8_t place[64];     /* kernel index -> place in HELLO, -1: not offered */
    bool holds[P2_CORPUS_BLOBS_MAX];
    char agent[P2_WIRE_AGENT_MAX + 1];
};

/* For p2_listen_options: makes a peer for a new link. `listener_ctx` is the env. */
int p2_peer_on_link(struct p2_link *link, void *listener_ctx, void **ret_ctx);
extern const struct p2_link_events p2_peer_events;

/* Does it offer the case's kernel and hold its blobs? */
bool p2_peer_may(const struct p2_peer *peer, const struct p2_corpus_case *work);

/* Sends a lease. P2_E_AGAIN when its queue is full, other errors of p2_link_send. */
int p2_peer_lease(struct p2_peer *peer, uint64_t lease, const struct p2_corpus_case *work,
                  uint32_t budget_us);

/* Tells it that a lease is not needed any more. */
void p2_peer_cancel(struct p2_peer *peer, uint64_t lease);

/* Sends missing blobs as far as queue and cache allow; goes on by itself. */
void p2_peer_send_blobs(struct p2_peer *peer);

/* Refuses it with a reason and closes once that was sent. */
void p2_peer_deny(struct p2_peer *peer, enum p2_denied_reason reason, uint32_t retry_s);

/* An answer to nothing: DENIED, a strike; the third ends the link. */
void p2_peer_strike(struct p2_peer *peer, enum p2_denied_reason reason);

/* Closes after DRAIN, telling the reason. */
void p2_peer_send_away(struct p2_peer *peer, enum p2_drain_reason reason);

#endif
