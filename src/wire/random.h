/* Random valid messages for tests, simulations and benches: every field anywhere in its range, the
 * edges often, lengths and numbers small more often than large. */
#ifndef P2_WIRE_RANDOM_H
#define P2_WIRE_RANDOM_H

#include "base/rng.h"
#include "wire/messages.h"

/* Fills `msg` with a message of `type` that can be encoded. Bytes and strings point into
 * storage[size], which must outlive it; lengths are bounded by it too. P2_WIRE_RANDOM_STORAGE bytes
 * allow every length. The same stream gives the same message. P2_E_BAD_TYPE, P2_E_FULL when
 * `size` is below P2_WIRE_STRANGER_MAX. */
int p2_wire_random(struct p2_msg *msg, uint8_t type, struct p2_rng *rng, uint8_t *storage,
                   size_t size);

#define P2_WIRE_RANDOM_STORAGE P2_WIRE_SLOT_MSG_MAX

#endif
