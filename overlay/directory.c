/* Rules of the directory's tree; see the header. */
#include "overlay/directory.h"

struct p2_directory_view p2_directory_look(const struct p2_overlay_record *records, size_t count,
                                           const struct p2_id *self)
{
    struct p2_directory_view view = {0, 0};
    uint32_t bits, own_rank, rank;
    p2_capacity_hash(self, &bits, &own_rank);
    for (size_t i = 0; i < count; i++) {
        if (p2_id_equal(&records[i].signer, self)) {
            continue;
        }
        p2_capacity_hash(&records[i].signer, &bits, &rank);
        bool is_ahead =
            rank < own_rank || (rank == own_rank && p2_id_compare(&records[i].signer, self) < 0);
        view.live++;
        view.ahead += is_ahead;
    }
    return view;
}

uint8_t p2_directory_next_depth(uint8_t depth, const struct p2_directory_view *own,
                                const struct p2_directory_view *above)
{
    P2_ASSERT(depth <= P2_DIRECTORY_DEPTH_MAX);
    if (own->ahead >= P2_DIRECTORY_SHARD && depth < P2_DIRECTORY_DEPTH_MAX) {
        return (uint8_t)(depth + 1);
    }
    if (depth > 0 && above->live < P2_DIRECTORY_SHARD && own->ahead == 0) {
        return (uint8_t)(depth - 1);
    }
    return depth;
}

void p2_directory_walk_begin(struct p2_directory_walk *walk, uint32_t direction, uint8_t start)
{
    P2_ASSERT(start <= P2_DIRECTORY_DEPTH_MAX);
    *walk = (struct p2_directory_walk){.direction = direction, .depth = start};
}

struct p2_shard p2_directory_walk_shard(const struct p2_directory_walk *walk)
{
    return p2_shard_of(walk->direction, walk->depth);
}

bool p2_directory_walk_next(struct p2_directory_walk *walk, uint32_t live)
{
    if (live >= P2_DIRECTORY_FULL && !walk->came_up && walk->depth < P2_DIRECTORY_DEPTH_MAX) {
        walk->came_down = true;
        walk->depth++;
        return true;
    }
    if (live == 0 && !walk->came_down && walk->depth > 0) {
        walk->came_up = true;
        walk->depth--;
        return true;
    }
    return false;
}
