/* The built-in test session: a 60 Hz clock whose frames are kernel tasks.
 *
 * Frame n: tasks that are due at n are settled (with their degraded answer if need be), frame n
 * ships, then the tasks of frame n are emitted: VIEW tasks due `depth` frames later, STATE tasks
 * due `slack` frames later. The slot of frame n begins at start + n/60 s whatever happens; a frame
 * is on time (DESIGN 8) when it shipped in its slot and none of its tasks was degraded.
 *
 * Thread: the loop's. */
#ifndef P2_AUTHORITY_SHELL_TEST_SESSION_H
#define P2_AUTHORITY_SHELL_TEST_SESSION_H

#include "authority/shell/peer.h"
#include "base/rng.h"
#include "exec/pool.h"

#include <jansson.h>
#include <uv.h>

/* Frames a second (DESIGN 8). */
#define P2_TEST_SESSION_HZ 60u

struct p2_test_session;

struct p2_test_session_options {
    uv_loop_t *loop; /* kept, as pool and env */
    struct p2_pool *pool;
    struct p2_peer_env *env;
    uint64_t tag; /* of the pool's authority of this session; added by the caller */
    const struct p2_corpus *corpus; /* kept */
    uint64_t frames;                /* ends after so many; 0: for ever */
    uint32_t tasks_per_frame;       /* 1 .. 64 */
    uint32_t depth_frames;          /* VIEW tasks */
    uint32_t slack_frames;          /* STATE tasks */
    uint32_t audit_ppm;             /* share of results recomputed, millionths */
    uint8_t seed[P2_KEY_BYTES];     /* of audits and secrets: fresh randomness */
    void *ctx;                      /* of the functions below; kept */
    /* A helper's result was wrong: found by "check" or "recomputation". The caller bans. */
    void (*on_lie)(void *ctx, struct p2_helper_record *who, const char *how, const char *kernel);
    /* The last frame has shipped and every audit is done. */
    void (*on_end)(void *ctx);
};

/* Starts the clock: frame 0 ships at once. Copies `options`. Gives the session. P2_E_NOMEM. */
int p2_test_session_open(const struct p2_test_session_options *options,
                         struct p2_test_session **ret_session);

/* Peers come and go; all forwarded from the peers' events. */
int p2_test_session_join(struct p2_test_session *session, struct p2_peer *peer);
void p2_test_session_leave(struct p2_test_session *session, struct p2_peer *peer);
void p2_test_session_drain(struct p2_test_session *session, struct p2_peer *peer);
void p2_test_session_result(struct p2_test_session *session, struct p2_peer *peer,
                            const struct p2_msg_result *result);
/* Something changed that may let tasks out. */
void p2_test_session_pump(struct p2_test_session *session);

/* Leases in hand of a joined peer. */
uint32_t p2_test_session_open_leases(const struct p2_test_session *session,
                                     const struct p2_peer *peer);

/* What happened so far; a new object. */
json_t *p2_test_session_summary(const struct p2_test_session *session);

/* Stops the clock; `on_closed` follows once, never from inside; then it is freed. */
void p2_test_session_close(struct p2_test_session *session, void (*on_closed)(void *ctx),
                           void *ctx);

#endif
