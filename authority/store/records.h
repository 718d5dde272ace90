/* Small records of the authority as values: sessions, seats, helpers, settings.
 *
 * Each has a `put` that adds the record to a batch (writer.h: the promise is the batch's completion)
 * and an `each` that reads all of them, for the start of the daemon. Records with damage are left
 * out and counted. Strings are clean UTF-8 of at most P2_RECORD_TEXT_MAX bytes. Times are
 * milliseconds since 1970. Thread: put that of the batch, each any. */
#ifndef P2_AUTHORITY_STORE_RECORDS_H
#define P2_AUTHORITY_STORE_RECORDS_H

#include "authority/limits.h"
#include "base/id.h"
#include "store/writer.h"

#define P2_RECORD_TEXT_MAX 64u   /* DESIGN 5: foreign strings */
#define P2_RECORD_BLOB_MAX 4096u /* bytes of others inside a record; chosen: a page */
#define P2_RECORD_SEED     32u

/* ---- sessions --------------------------------------------------------------------------------- */

struct p2_session_record {
    uint64_t session;                  /* 1.., never used again */
    char game[P2_RECORD_TEXT_MAX + 1]; /* the module's name */
    char name[P2_RECORD_TEXT_MAX + 1]; /* for people; may be empty */
    uint8_t seed[P2_RECORD_SEED];      /* of the game: never leaves the authority */
    uint64_t made_ms;
    uint64_t ended_ms; /* 0: it is resumed at the next start */
    bool is_locked;    /* no new players */
    struct p2_span
        more; /* the shell's bytes: session ID, salt, budget; at most P2_RECORD_BLOB_MAX */
};

void p2_session_record_put(struct p2_batch *batch, const struct p2_session_record *record);

/* Removes a session with all it has: journal, saves, seats. */
void p2_session_record_delete(struct p2_batch *batch, uint64_t session);

/* Calls `visit` with every session, in order of number; the record is borrowed for the call. A
 * result other than 0 ends the walk and is returned. ret_damaged may be NULL. */
int p2_session_record_each(struct p2_store *store,
                           int (*visit)(void *ctx, const struct p2_session_record *record),
                           void *ctx, size_t *ret_damaged);

/* ---- seats ------------------------------------------------------------------------------------- */

struct p2_player_record {
    uint64_t session;
    uint8_t seat; /* below P2_PLAYERS_MAX */
    struct p2_id id;
    char name[P2_RECORD_TEXT_MAX + 1];
    uint64_t joined_ms;
    uint64_t left_ms; /* 0: still seated */
    bool is_kicked;
};

void p2_player_record_put(struct p2_batch *batch, const struct p2_player_record *record);
void p2_player_record_delete(struct p2_batch *batch, uint64_t session, uint8_t seat);
int p2_player_record_each(struct p2_store *store, uint64_t session,
                          int (*visit)(void *ctx, const struct p2_player_record *record), void *ctx,
                          size_t *ret_damaged);

/* ---- helpers ----------------------------------------------------------------------------------- */

/* What is remembered of a helper's availability; integrity is the reputations table's. */
struct p2_helper_memory {
    struct p2_id id;
    uint64_t seen_ms;         /* connected last */
    uint64_t first_ms;        /* connected first */
    uint32_t availability;    /* ppm (limits.h) */
    uint32_t rtt_us;          /* smoothed, of the last link */
    uint64_t answered;        /* leases, ever */
    uint64_t missed;          /* timeouts, ever */
    uint64_t backoff_us;      /* next back-off */
    uint64_t barred_until_ms; /* 0: not */
    struct p2_span address;   /* where it was, the shell's bytes; at most P2_RECORD_TEXT_MAX */
};

void p2_helper_memory_put(struct p2_batch *batch, const struct p2_helper_memory *record);
int p2_helper_memory_each(struct p2_store *store,
                          int (*visit)(void *ctx, const struct p2_helper_memory *record), void *ctx,
                          size_t *ret_damaged);

/* ---- settings ---------------------------------------------------------------------------------- */

/* A value that must survive and is no option of the configuration: `name` as table names, `value` at
 * most P2_RECORD_BLOB_MAX bytes. */
void p2_setting_put(struct p2_batch *batch, const char *name, struct p2_span value);
/* Replaces what is in `value`. P2_E_NOENT, errors of reading. */
int p2_setting_get(struct p2_store *store, const char *name, struct p2_buf *value);

#endif
