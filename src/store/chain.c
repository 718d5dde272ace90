/* Hash chain. */
#include "store/chain.h"

#include "base/crypto.h"

#include <string.h>

static const char domain[] = "p2c2r chain 1";

void p2_chain_init(struct p2_chain *chain, struct p2_span name)
{
    const struct p2_span parts[] = {p2_span(domain, sizeof domain - 1), name};
    p2_hash(chain->head, P2_CHAIN_HEAD, parts, P2_COUNT_OF(parts));
    chain->count = 0;
}

void p2_chain_resume(struct p2_chain *chain, const uint8_t head[P2_CHAIN_HEAD], uint64_t count)
{
    memcpy(chain->head, head, P2_CHAIN_HEAD);
    chain->count = count;
}

static void next_head(const struct p2_chain *chain, struct p2_span entry,
                      uint8_t out[P2_CHAIN_HEAD])
{
    uint8_t numbers[16];
    p2_store_be64(numbers, chain->count + 1);
    p2_store_be64(numbers + 8, entry.size);
    const struct p2_span parts[] = {p2_span(chain->head, P2_CHAIN_HEAD),
                                    p2_span(numbers, sizeof numbers), entry};
    p2_hash(out, P2_CHAIN_HEAD, parts, P2_COUNT_OF(parts));
}

void p2_chain_seal(struct p2_chain *chain, struct p2_span entry, uint8_t *out)
{
    uint8_t head[P2_CHAIN_HEAD];
    next_head(chain, entry, head);
    p2_chain_resume(chain, head, chain->count + 1);
    memcpy(out, head, P2_CHAIN_HEAD);
    if (entry.size > 0 && entry.data != out + P2_CHAIN_HEAD) {
        memcpy(out + P2_CHAIN_HEAD, entry.data, entry.size);
    }
}

int p2_chain_open(struct p2_chain *chain, struct p2_span sealed, struct p2_span *ret_entry)
{
    uint8_t head[P2_CHAIN_HEAD];
    if (sealed.size < P2_CHAIN_HEAD) {
        return P2_E_CORRUPT;
    }
    struct p2_span entry = p2_span(sealed.data + P2_CHAIN_HEAD, sealed.size - P2_CHAIN_HEAD);
    next_head(chain, entry, head);
    if (memcmp(head, sealed.data, P2_CHAIN_HEAD) != 0) {
        return P2_E_CORRUPT;
    }
    p2_chain_resume(chain, head, chain->count + 1);
    *ret_entry = entry;
    return P2_OK;
}
