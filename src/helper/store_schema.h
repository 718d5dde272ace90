/* What p2c2rd keeps in its store, and the records as values.
 *
 *   table      id  key                      payload
 *   receipts    1  authority key[32]        when u64 ms, sequence u64, the signed receipt
 *   counters    2  name                     u64
 *   consent     3  "consent"                version u32, when u64 ms, uid u32, digest[32] of the text
 *   settings    4  name                     bytes
 *   offences    5  authority key[32]        when u64 ms, reason (text)
 *
 * Receipts are cumulative (DESIGN 9): one per authority, and a lower sequence never replaces a
 * higher one. Thread: put that of the batch, get and each any. */
#ifndef P2_HELPER_STORE_SCHEMA_H
#define P2_HELPER_STORE_SCHEMA_H

#include "base/id.h"
#include "store/writer.h"

#define P2_HELPER_RECEIPT_MAX 1024u /* bytes of a signed receipt; wire/limits.h has less */
#define P2_HELPER_NAME_MAX    64u   /* of counters and settings */
#define P2_HELPER_VALUE_MAX   4096u /* of a setting; chosen: a page */

/* For p2_store_options.schema. Static. */
extern const struct p2_schema p2_helper_schema;

struct p2_helper_receipt {
    struct p2_id authority;
    uint64_t when_ms;
    uint64_t sequence;
    struct p2_span bytes; /* as signed */
};

/* The newest receipt of an authority; an older one than the stored one changes nothing. Copies. */
int p2_helper_receipt_put(struct p2_batch *batch, const struct p2_helper_receipt *receipt);
int p2_helper_receipt_each(struct p2_store *store,
                           int (*visit)(void *ctx, const struct p2_helper_receipt *receipt),
                           void *ctx, size_t *ret_damaged);

/* Counters that survive: leases done, seconds lent. */
void p2_helper_counter_put(struct p2_batch *batch, const char *name, uint64_t value);
/* 0 when there is none. */
int p2_helper_counter_get(struct p2_store *store, const char *name, uint64_t *ret_value);

/* The owner's yes. */
struct p2_helper_consent {
    uint32_t version; /* of the text that was agreed to */
    uint64_t when_ms;
    uint32_t uid; /* who said so */
    uint8_t digest[32];
};
void p2_helper_consent_put(struct p2_batch *batch, const struct p2_helper_consent *consent);
void p2_helper_consent_delete(struct p2_batch *batch);
/* P2_E_NOENT: nobody said yes. */
int p2_helper_consent_get(struct p2_store *store, struct p2_helper_consent *ret_consent);

void p2_helper_setting_put(struct p2_batch *batch, const char *name, struct p2_span value);
int p2_helper_setting_get(struct p2_store *store, const char *name, struct p2_buf *value);

/* Authorities that lied and are not worked for again (DESIGN 9). */
struct p2_helper_offence {
    struct p2_id authority;
    uint64_t when_ms;
    char reason[P2_HELPER_NAME_MAX + 1];
};
void p2_helper_offence_put(struct p2_batch *batch, const struct p2_helper_offence *offence);
void p2_helper_offence_delete(struct p2_batch *batch, const struct p2_id *authority);
int p2_helper_offence_each(struct p2_store *store,
                           int (*visit)(void *ctx, const struct p2_helper_offence *offence),
                           void *ctx, size_t *ret_damaged);

#endif
