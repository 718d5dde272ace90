/* What of a world leaves in a lease. */
#include "authority/trust/privacy.h"

#include <string.h>

void p2_private_stream(struct p2_rng *ret_stream, const uint8_t secret[P2_KEY_BYTES], uint64_t task)
{
    struct p2_rng root;
    p2_rng_init(&root, secret, "p2c2r task privacy v1");
    p2_rng_split(ret_stream, &root, "task", task);
    p2_secret_wipe(&root, sizeof root);
}

int p2_private_shuffle(struct p2_rng *stream, uint32_t *order, uint32_t count)
{
    if (count > P2_PRIVATE_ITEMS_MAX) {
        return P2_E_INVALID;
    }
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = (uint32_t)p2_rng_below(stream, i);
        uint32_t kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
    return P2_OK;
}

void p2_private_apply(uint8_t *out, const uint8_t *in, const uint32_t *order, uint32_t count,
                      uint32_t size)
{
    for (uint32_t i = 0; i < count; i++) {
        memcpy(out + (size_t)i * size, in + (size_t)order[i] * size, size);
    }
}

void p2_private_restore(uint8_t *out, const uint8_t *in, const uint32_t *order, uint32_t count,
                        uint32_t size)
{
    for (uint32_t i = 0; i < count; i++) {
        memcpy(out + (size_t)order[i] * size, in + (size_t)i * size, size);
    }
}

/* Bits: 1 swap the axes, 2 mirror x, 4 mirror y; in this order. */
void p2_private_turn(uint8_t symmetry, int32_t size, int32_t x, int32_t y, int32_t *ret_x,
                     int32_t *ret_y)
{
    int32_t a = (symmetry & 1u) != 0 ? y : x;
    int32_t b = (symmetry & 1u) != 0 ? x : y;
    *ret_x = (symmetry & 2u) != 0 ? size - 1 - a : a;
    *ret_y = (symmetry & 4u) != 0 ? size - 1 - b : b;
}

/* Undoing "swap, then mirror" is "mirror, then swap": with the axes swapped the mirrors trade places. */
uint8_t p2_private_inverse(uint8_t symmetry)
{
    if ((symmetry & 1u) == 0) {
        return symmetry & 7u;
    }
    return (uint8_t)(1u | (symmetry & 2u) << 1 | (symmetry & 4u) >> 1);
}

/* ---- the share of a world ------------------------------------------------------------------------ */

static bool has_seen(const struct p2_world_view *view, uint32_t cell)
{
    return (view->bits[cell / 64] >> (cell % 64) & 1u) != 0;
}

bool p2_world_allows(const struct p2_world_view *view, uint32_t cell, uint32_t cells,
                     uint32_t share_ppm)
{
    if (cell >= cells || cells > P2_WORLD_CELLS_MAX) {
        return false;
    }
    uint64_t most = (uint64_t)cells * share_ppm / 1000000u;
    return has_seen(view, cell) || view->held < (most > 0 ? most : 1);
}

void p2_world_show(struct p2_world_view *view, uint32_t cell)
{
    if (cell < P2_WORLD_CELLS_MAX && !has_seen(view, cell)) {
        view->bits[cell / 64] |= UINT64_C(1) << (cell % 64);
        view->held++;
    }
}

uint32_t p2_world_share_ppm(const struct p2_world_view *view, uint32_t cells)
{
    return cells == 0 ? 0 : (uint32_t)((uint64_t)view->held * 1000000u / cells);
}
