/* A gamer's way from a session ID to a link: looks the ID up, then has its endpoints dialled in
 * parallel, the first that opens wins.
 *
 *   state      how it is entered                     leaves it when
 *   IDLE       open; after on_end                     start
 *   DIRECT     start with addresses from a link       one opened -> end; all failed -> SEARCHING
 *   SEARCHING  start                                  a record was found -> DIALLING
 *                                                     not after three rounds -> end, P2_E_NOENT
 *   DIALLING   on_dial for each endpoint, 250 ms      one opened -> end, 0
 *              apart or when the one before failed    all failed: once more SEARCHING, past the
 *                                                     cache; then end, P2_E_UNREACHABLE
 *
 * Between the families the order alternates (RFC 8305, "Happy Eyeballs"). The finder dials nothing
 * itself: its user has the transport. It keeps time by the overlay's alarms. The last record found
 * is kept until it expires: a reconnect to the same ID needs no search.
 *
 * Thread: the overlay's. */
#ifndef P2_OVERLAY_SESSION_FINDER_H
#define P2_OVERLAY_SESSION_FINDER_H

#include "overlay/join_link.h"
#include "overlay/rendezvous.h"

#define P2_FINDER_STAGGER_US 250000ull /* RFC 8305 section 8 */

struct p2_session_finder;

enum p2_finder_state { P2_FINDER_IDLE, P2_FINDER_DIRECT, P2_FINDER_SEARCHING, P2_FINDER_DIALLING };

/* One endpoint of the session; borrowed for the call. */
struct p2_finder_dial {
    unsigned number; /* names it in the calls below; not used again within one start */
    struct p2_link_address address;
    struct p2_id authority; /* the listener must hold this key; its text is the fingerprint */
    bool has_aes;           /* the authority is known to have AES hardware */
};

struct p2_finder_events {
    /* Dial this; p2_session_finder_dialled follows once for each. NULL: nothing is dialled, and the
     * finder ends when the record is found. Never from inside a function declared here. */
    void (*on_dial)(const struct p2_finder_dial *dial, void *ctx);
    /* Another one was faster, or the finder was stopped: close it. No report is needed for it. */
    void (*on_drop)(unsigned number, void *ctx);
    /* A record was found (also from the cache); borrowed. May be NULL. */
    void (*on_record)(const struct p2_overlay_session *record, void *ctx);
    /* The end of a start. 0: endpoint `number` is open (or the record was found, without on_dial).
     * P2_E_NOENT: no such session after all retries. P2_E_UNREACHABLE: found, and none of its
     * endpoints opened. P2_E_NOMEM. Never from inside a function declared here. */
    void (*on_end)(int result, unsigned number, void *ctx);
};

struct p2_finder_options {
    struct p2_overlay *overlay; /* borrowed, as the rules */
    const struct p2_overlay_rules *rules;
};

/* Gives: p2_session_finder_close. `events` and `ctx` are kept. P2_E_NOMEM. */
int p2_session_finder_open(struct p2_session_finder **ret_finder,
                           const struct p2_finder_options *options,
                           const struct p2_finder_events *events, void *ctx);

/* Begins. `known_key` from a join link, or NULL: only a record of that key counts. `direct[count]`:
 * the link's address, resolved by the caller (0..P2_SESSION_ENDPOINTS, needs known_key); it is
 * dialled before anything is searched. P2_E_STATE while another start runs; P2_E_NOMEM, P2_E_RANGE.
 * 9 ms. */
int p2_session_finder_start(struct p2_session_finder *finder, const struct p2_session_id *id,
                            const struct p2_id *known_key, const struct p2_link_address *direct,
                            uint8_t count);

/* How dial `number` ended: it is open, or failed. Unknown numbers are ignored. */
void p2_session_finder_dialled(struct p2_session_finder *finder, unsigned number, bool is_open);

enum p2_finder_state p2_session_finder_state(const struct p2_session_finder *finder);

/* For people: "searching, round 2 of 3", "dialling"; static. */
const char *p2_session_finder_text(const struct p2_session_finder *finder);

/* Ends a running start: on_drop comes for every dial not reported yet, from inside this call, and
 * on_end does not. The cache stays. */
void p2_session_finder_stop(struct p2_session_finder *finder);

/* Stops, wipes and frees it; before p2_overlay_close or when that has reported. Accepts NULL. */
void p2_session_finder_close(struct p2_session_finder *finder);

#endif
