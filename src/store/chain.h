/* A chain of hashes over the entries of a journal or ledger: each entry carries the hash of all up
 * to it, so an entry that was lost, changed, moved or put in between is found when the journal is
 * read, and where.
 *
 *   head(0) = BLAKE2b-256("p2c2r chain 1", name)
 *   head(n) = BLAKE2b-256(head(n-1), n as u64, length as u64, entry)
 *
 * It guards against damage and mistakes, and shows a person who keeps a head elsewhere that nothing
 * was rewritten; whoever may write the store can write another chain. Pure. Thread: one chain
 * belongs to one thread. */
#ifndef P2_STORE_CHAIN_H
#define P2_STORE_CHAIN_H

#include "base/buf.h"

#define P2_CHAIN_HEAD 32 /* bytes */

/* Sealed form of an entry: head[32], then the entry. */
#define P2_CHAIN_SEALED(size) (P2_CHAIN_HEAD + (size))

struct p2_chain {
    uint8_t head[P2_CHAIN_HEAD]; /* over everything so far */
    uint64_t count;              /* entries so far */
};

/* Starts an empty chain; `name` keeps chains apart ("journal" and its session). */
void p2_chain_init(struct p2_chain *chain, struct p2_span name);

/* Goes on from a known place: the head after `count` entries, as of a checkpoint. */
void p2_chain_resume(struct p2_chain *chain, const uint8_t head[P2_CHAIN_HEAD], uint64_t count);

/* Adds an entry and writes its sealed form to out[P2_CHAIN_SEALED(entry.size)], where the entry may
 * stand already. O(size). */
void p2_chain_seal(struct p2_chain *chain, struct p2_span entry, uint8_t *out);

/* Checks that `sealed` is the next entry and gives it (borrowed). P2_E_CORRUPT: it is not; the
 * chain is unchanged then. */
int p2_chain_open(struct p2_chain *chain, struct p2_span sealed, struct p2_span *ret_entry);

#endif
