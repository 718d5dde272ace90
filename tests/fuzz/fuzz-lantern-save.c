/* An imported save of Lantern Siege: the bytes edit a real one (groups of place, 3 bytes, and byte),
 * or cut it. What is taken must be playable: three frames, a view, and a save that is taken again. */
#include "games/lantern/lantern.h"
#include "tests/lib/game_host.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct p2_game_settings settings = {
    .seed = 3, .options = "dusk=0 night=60", .players = 1, .depth = 2, .quality = 100};

/* A save in the middle of things, made once. */
static struct p2_span original(struct p2_game_host *host)
{
    static uint8_t *bytes;
    static size_t size;
    if (bytes == NULL) {
        for (unsigned i = 0; i < 130; i++) {
            const struct p2c2r_pad pad = p2_game_bot(3, 0, i);
            p2_game_host_state(host, &pad);
        }
        const struct p2_span save = p2_game_host_snapshot(host, 0, true);
        bytes = malloc(save.size);
        P2_ASSERT(bytes != NULL);
        memcpy(bytes, save.data, save.size);
        size = save.size;
    }
    return p2_span(bytes, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct p2_game_host *host; /* kept: an island takes its time */
    void *self;
    if (host == NULL && p2_game_host_open(&host, p2c2r_game_entry, &settings) != 0) {
        abort();
    }
    const struct p2c2r_game *game = p2_game_host_game(host, &self);
    const struct p2_span save = original(host);
    uint8_t *edited = malloc(save.size);
    P2_ASSERT(edited != NULL);
    memcpy(edited, save.data, save.size);
    for (size_t i = 0; i + 4 <= size; i += 4) {
        size_t at = (size_t)data[i] | (size_t)data[i + 1] << 8 | (size_t)data[i + 2] << 16;
        if ((at & 1) != 0) { /* every other edit hits the fields behind the land */
            at = LAN_VOXELS + LAN_SIDE * LAN_SIDE + (at >> 1) % 200000;
        }
        edited[at % save.size] = data[i + 3];
    }
    const size_t given = size % 4 == 3 ? save.size - data[0] - 1u : save.size;
    const int status = game->restore(self, game->schema, (struct p2c2r_bytes){edited, given});
    P2_ASSERT(status == 0 || given < save.size || size >= 4);
    if (status == 0) {
        for (unsigned i = 0; i < 3; i++) {
            p2_game_host_state(host, NULL);
            p2_game_host_views(host);
        }
        const struct p2_span again = p2_game_host_snapshot(host, 1, true);
        P2_ASSERT(game->restore(self, game->schema, (struct p2c2r_bytes){again.data, again.size}) ==
                  0);
    }
    free(edited);
    return 0;
}
