/* The node's identity file: the one long-term secret, created at the first start.
 *
 *   offset  size  what (64 bytes)
 *   0       8     magic "P2C2RKEY"
 *   8       4     version, big-endian, 1
 *   12      4     reserved, zero
 *   16      32    Ed25519 seed (RFC 8032)
 *   48      16    BLAKE2b-128 of (domain "p2c2r key file" with its zero | bytes 0..47)
 *
 * The check value finds damage, not attackers: who can write the file owns the node. A file is
 * used only if it is a regular file of this process's user with mode 0600 or 0400, and no symbolic
 * link. Impure (files, fresh randomness). Thread: reentrant; blocks on the disk. */
#ifndef P2_LINK_KEYFILE_H
#define P2_LINK_KEYFILE_H

#include "base/crypto.h"
#include "base/error.h"

#include <stdint.h>

#define P2_KEYFILE_BYTES   64
#define P2_KEYFILE_VERSION 1

/* Reads the identity at `path`. Gives: *ret_identity, free with p2_secret_free. P2_E_NOENT,
 * P2_E_PERM, P2_E_BAD_MODE (owner, mode, symbolic link, no regular file), P2_E_CORRUPT,
 * P2_E_NEW_SCHEMA, P2_E_NOMEM, P2_E_IO; `failure` (may be NULL) names the file and the remedy. */
int p2_keyfile_load(struct p2_identity **ret_identity, const char *path,
                    struct p2_failure *failure);

/* Draws a new identity and writes it to `path`, which must not exist: P2_E_EXIST. The file appears
 * complete and durable or not at all; an existing one is never replaced. Gives and other errors as
 * p2_keyfile_load, and P2_E_NODISK. */
int p2_keyfile_create(struct p2_identity **ret_identity, const char *path,
                      struct p2_failure *failure);

/* What a daemon does at start: loads the identity, creates it when there is none. When two
 * processes start at once both end with the same one. Gives and errors as above. */
int p2_keyfile_open(struct p2_identity **ret_identity, const char *path,
                    struct p2_failure *failure);

/* The bytes of the file. `seed` and `out` are secrets. */
void p2_keyfile_encode(uint8_t out[P2_KEYFILE_BYTES], const uint8_t seed[P2_KEY_BYTES]);

/* The seed in `bytes`: P2_E_CORRUPT (size, magic, reserved, check value, or a seed whose id has
 * sign bit 1), P2_E_NEW_SCHEMA; `identity` is then zeroed. */
int p2_keyfile_decode(struct p2_identity *identity, struct p2_span bytes);

#endif
