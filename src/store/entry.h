/* How a record lies in the store: its key and its value, in bytes that are the same on every
 * machine.
 *
 *   key     0  2  table id, big-endian        value  0  1  version of the payload's layout
 *           2  1  version of the table               1  8  checksum, big-endian
 *           3  n  the table's own key                9  n  payload
 *
 * Records of one table and version lie together and in the order of their own keys, so numbers in
 * keys are big-endian. The checksum covers key, version and payload: LMDB has none of its own, and
 * a record that was copied to another key is found as well. Thread: reentrant. */
#ifndef P2_STORE_ENTRY_H
#define P2_STORE_ENTRY_H

#include "base/buf.h"

/* Bytes before a table's own key, and before a payload. */
#define P2_ENTRY_KEY_HEAD   3
#define P2_ENTRY_VALUE_HEAD 9

/* Longest key of LMDB (mdb_env_get_maxkeysize, 511 by default) and what is left for a table. */
#define P2_ENTRY_KEY_MAX 511
#define P2_STORE_KEY_MAX (P2_ENTRY_KEY_MAX - P2_ENTRY_KEY_HEAD)

/* A whole key. */
struct p2_entry_key {
    uint8_t bytes[P2_ENTRY_KEY_MAX];
    size_t size; /* bytes */
};

/* Builds a key. P2_E_INVALID when `own` is longer than P2_STORE_KEY_MAX. */
int p2_entry_key(struct p2_entry_key *ret_key, uint16_t table, uint8_t version, struct p2_span own);

/* Turns the key of a prefix into the first key behind all keys that start with it; false when there
 * is none (all bytes are 255). */
bool p2_entry_key_after(struct p2_entry_key *key);

/* Writes head and payload of a value into out[P2_ENTRY_VALUE_HEAD + payload.size]. */
void p2_entry_seal(uint8_t *out, struct p2_span key, uint8_t version, struct p2_span payload);

/* Gives version and payload (borrowed from `value`) of a stored value. P2_E_CORRUPT when it is too
 * short or the checksum is wrong. O(size). */
int p2_entry_open(struct p2_span key, struct p2_span value, uint8_t *ret_version,
                  struct p2_span *ret_payload);

/* The checksum: four lanes of 64-bit words, each step a bijection of the lane for a fixed word and
 * of the word for a fixed lane, so any change within one word of eight bytes is always found; other
 * damage is missed once in 2^64. About 10 GB/s; it guards against faults, not against people. */
uint64_t p2_entry_checksum(struct p2_span key, uint8_t version, struct p2_span payload);

#endif
