/* An exported save from a stranger: whatever reads must read back the same after writing. */
#include "base/crypto.h"
#include "store/save_file.h"

#include <stdint.h>

/* Chosen: sixteen chunks, so that several are in play. */
#define WORLD_MAX (16 * P2_SNAPSHOT_CHUNK)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct p2_save_head head, again;
    struct p2_buf world, file, copy;
    P2_ASSERT(p2_crypto_init() == P2_OK);
    p2_buf_init(&world, WORLD_MAX);
    p2_buf_init(&file, 2 * WORLD_MAX);
    p2_buf_init(&copy, WORLD_MAX);
    if (p2_save_file_read(p2_span(data, size), WORLD_MAX, &head, &world, NULL) == P2_OK) {
        P2_ASSERT(p2_save_file_write(&file, &head, p2_buf_span(&world)) == P2_OK);
        P2_ASSERT(p2_save_file_read(p2_buf_span(&file), WORLD_MAX, &again, &copy, NULL) == P2_OK);
        P2_ASSERT(p2_span_equal(p2_buf_span(&world), p2_buf_span(&copy)));
    } else {
        P2_ASSERT(world.size == 0);
    }
    p2_buf_free(&world);
    p2_buf_free(&file);
    p2_buf_free(&copy);
    return 0;
}
