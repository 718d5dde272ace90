/* `p2c2rctl receipts verify`: a receipt is checked with the authority's key alone. */
#ifndef P2_CTL_RECEIPTS_H
#define P2_CTL_RECEIPTS_H

#include "base/error.h"

#include <jansson.h>

/* words: the file, the authority's key, and if given the helper's key and the network's name. The
 * statement as an object; P2_E_IO, P2_E_INVALID, P2_E_CORRUPT (not a receipt), P2_E_BAD_SIGNATURE,
 * P2_E_WRONG_PEER. */
int p2_receipts_verify(int count, char **words, json_t **ret_result, struct p2_failure *failure);

#endif
