/* Fresh randomness from the operating system. Impure: shells and programs only; policy takes
 * random streams (rng.h) as arguments. Thread: reentrant. */
#ifndef P2_BASE_ENTROPY_H
#define P2_BASE_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

struct p2_identity;

/* Fills out[size]. Ends the process if the kernel has no randomness to give: going on would be
 * unsafe. Blocks only before the kernel's pool is first seeded, early at boot. */
void p2_entropy(void *out, size_t size);

/* Draws seeds until one makes a valid identity (two on average) and fills `identity`. */
void p2_identity_generate(struct p2_identity *identity);

#endif
